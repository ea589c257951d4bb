"""
Tests for L{smartproxy_tw.store.layout}.
"""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.storage import Storage
from smartproxy_tw.store.directory import SecureDirectory, StateError
from smartproxy_tw.store.layout import STEPS, Step, bringUp

from .fakes import FrailFiles


class LayoutTests(SynchronousTestCase):
    """
    Releases that come and go.
    """

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())
        self.disk = FrailFiles()
        self.directory = SecureDirectory(self.path, self.disk).open()
        self.file = Path(self.path, "layout")
        self.went: list[int] = []

    def steps(self, count: int) -> list[Step]:
        """
        So many, each of which says that it was gone.
        """
        return [partial(self.goes, number) for number in range(count)]

    def goes(self, number: int, _: SecureDirectory) -> None:
        self.went.append(number)

    def test_fresh(self) -> None:
        """
        A new directory gets the number of this release.
        """
        bringUp(self.directory)
        self.assertEqual(self.file.read_bytes(), b"%d\n" % len(STEPS))

    def test_older(self) -> None:
        """
        An older layout goes through the steps that it lacks, once.
        """
        self.file.write_bytes(b"1\n")
        for _ in range(2):
            bringUp(self.directory, self.steps(3))
            self.assertEqual((self.went, self.file.read_bytes()), ([1, 2], b"3\n"))

    def test_interrupted(self) -> None:
        """
        What fails is told with what to do, and is gone on with from there.
        """

        def fail(_: SecureDirectory) -> None:
            raise OSError(errno.EIO, "Input/output error")

        steps = self.steps(3)
        why = self.assertRaises(StateError, bringUp, self.directory, [*steps[:2], fail])
        self.assertIn("from layout 2 to 3: [Errno 5] Input/output error", str(why))
        bringUp(self.directory, steps)
        self.assertEqual(self.went, [0, 1, 2])

    def test_newer(self) -> None:
        """
        A proxy does not start on what a newer release left, and changes nothing;
        nor does it hold on to the directory.
        """
        self.file.write_bytes(b"%d\n" % (len(STEPS) + 1))
        storage = Storage(self.path, "https://ca.example/dir", lambda: 0.0, maybeDeferred)
        for _ in range(2):
            why = self.assertRaises(StateError, storage.open)
            self.assertIn("which a newer release made", str(why))
        self.assertEqual(sorted(os.listdir(self.path)), ["layout", "lock"])
        self.file.unlink()
        storage.open()
        self.addCleanup(storage.close)
        self.assertEqual(self.file.read_bytes(), b"%d\n" % len(STEPS))

    def test_nonsense(self) -> None:
        """
        A number that is none is no guess.
        """
        for content in (b"", b"two", b"-1", b"1 2", b"9" * 30):
            self.file.write_bytes(content)
            self.assertIn("should hold", str(self.assertRaises(StateError, bringUp, self.directory)))

    def test_fullDisk(self) -> None:
        """
        That the number cannot be written keeps nobody from starting.
        """
        self.disk.fillUp()
        bringUp(self.directory)
        self.assertFalse(self.file.exists())
