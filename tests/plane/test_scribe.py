"""
Lines that a thread of its own writes, however long that takes.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.scribe import Scribe
from smartproxy_tw.plane.sink import Sink

# Far longer than a thread needs for anything here, in seconds.
_LONG = 20.0


class ScribeTests(SynchronousTestCase):
    """
    L{Scribe} with a file whose directory is there or not.
    """

    def setUp(self) -> None:
        self.directory = Path(os.path.abspath(self.mktemp()))
        self.file = self.directory / "access.log"
        self.scribe = Scribe(Sink(str(self.file)))
        self.addCleanup(self.scribe.close, _LONG)

    def isStuck(self) -> None:
        """
        A first line finds that nothing can be written.
        """
        self.scribe.give(["first\n"])
        self.assertTrue(self.scribe.settle(_LONG))
        self.assertIsInstance(self.scribe.problem, FileNotFoundError)

    def mended(self) -> str:
        """
        Now something can; what the file holds after that.
        """
        self.directory.mkdir()
        self.scribe.tryAgain()
        self.assertTrue(self.scribe.settle(_LONG))
        self.assertIsNone(self.scribe.problem)
        self.assertFalse(self.scribe.isBehind)
        return self.file.read_text()

    def test_order(self) -> None:
        """
        Lines are written in the order in which they were given, none is lost, and
        what was given before the end is written at the end.
        """
        self.directory.mkdir()
        lines = [f"{number}\n" for number in range(300)]
        for at in range(0, 300, 3):
            self.scribe.give(lines[at : at + 3])
        self.scribe.close(_LONG)
        self.assertEqual(self.file.read_text(), "".join(lines))
        self.assertEqual((self.scribe.takeLost(), self.scribe.written), (0, 100))

    def test_waits(self) -> None:
        """
        What cannot be written waits, and is written once it can be.
        """
        self.isStuck()
        self.scribe.give(["second\n"])
        self.assertTrue(self.scribe.isBehind)
        self.assertEqual(self.mended(), "first\nsecond\n")
        self.assertEqual(self.scribe.takeLost(), 0)

    def test_tooManyLines(self) -> None:
        """
        Of more lines than may wait the oldest are lost, and counted once.
        """
        self.isStuck()
        for name in "abc":
            self.scribe.give([f"{name}\n"] * 9000)
        self.assertEqual((self.scribe.takeLost(), self.scribe.takeLost()), (9001, 0))
        self.assertEqual(self.mended(), "b\n" * 9000 + "c\n" * 9000)

    def test_tooManyBytes(self) -> None:
        """
        Of more bytes likewise; but the newest lines are kept, however long they
        are.
        """
        self.isStuck()
        self.scribe.give(["a" * (1 << 23) + "\n"])
        self.assertEqual(self.scribe.takeLost(), 0)
        self.scribe.give(["b" * (1 << 24) + "\n"])
        self.assertEqual(self.scribe.takeLost(), 2)
        self.assertEqual(self.mended(), "b" * (1 << 24) + "\n")

    def test_lostAtTheEnd(self) -> None:
        """
        What cannot be written at the end is lost, and counted.
        """
        self.isStuck()
        self.scribe.give(["second\n", "third\n"])
        self.scribe.close(_LONG)
        self.assertEqual(self.scribe.takeLost(), 3)
        self.assertFalse(self.scribe.isBehind)

    def test_nothing(self) -> None:
        """
        Without a line there is no file, and no thread to wait for.
        """
        self.assertTrue(self.scribe.settle(0))
        self.scribe.close(0)
        self.assertFalse(self.directory.exists())
