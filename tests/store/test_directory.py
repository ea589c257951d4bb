"""
Tests for L{smartproxy_tw.store.directory}.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from typing import Any

from hypothesis import given
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.store.directory import Lock, SecureDirectory, StateError

from ..examples import awkwardText, examples, textOf
from .fakes import FrailFiles, PowerCut


def mode(path: str) -> int:
    """
    The permission bits of a file.
    """
    return stat.S_IMODE(os.stat(path).st_mode)


class PermissionTests(SynchronousTestCase):
    """
    Who may see and do what.
    """

    def setUp(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.path = os.path.abspath(self.mktemp())

    def test_madeForItsOwnerAlone(self) -> None:
        """
        A new directory is closed to everybody else, whatever the umask, and so
        is one inside of it.
        """
        directory = SecureDirectory(self.path).open()
        inner = directory.child("inner")
        self.assertEqual((mode(self.path), mode(inner.path)), (0o700, 0o700))

    def test_filesAreSecretFromTheFirstMoment(self) -> None:
        """
        A file is born with mode 0600: there is no moment at which it is wider.
        """
        seen = []

        class Watching(FrailFiles):
            def write(self, fd: int, data: bytes, /) -> int:
                seen.append(stat.S_IMODE(os.fstat(fd).st_mode))
                return super().write(fd, data)

        directory = SecureDirectory(self.path, Watching()).open()
        directory.write("key", b"secret")
        self.assertEqual(set(seen), {0o600})
        self.assertEqual(mode(directory.pathOf("key")), 0o600)

    def test_publicFile(self) -> None:
        """
        What is meant for others can be read by those who reach the directory.
        """
        directory = SecureDirectory(self.path).open()
        directory.write("root.pem", b"certificate", public=True)
        self.assertEqual(mode(directory.pathOf("root.pem")), 0o644)

    def test_refusesWhatOthersMayWrite(self) -> None:
        """
        A directory that the group or everybody may write is refused, with the
        path, the mode and the command that mends it.
        """
        for bits in (0o777, 0o770, 0o702):
            path = os.path.abspath(self.mktemp())
            os.mkdir(path)
            os.chmod(path, bits)
            error = self.assertRaises(StateError, SecureDirectory(path).open)
            self.assertIn(path, str(error))
            self.assertIn(f"{bits:04o}", str(error))
            self.assertIn("chmod 700", str(error))

    def test_acceptsWhatOthersMayOnlyRead(self) -> None:
        """
        A directory with mode 0755 is in use at many places: the files in it
        are secret all the same.
        """
        os.mkdir(self.path, 0o755)
        self.assertEqual(SecureDirectory(self.path).open().names(), [])

    def test_notADirectory(self) -> None:
        """
        A file in its place is refused in plain words.
        """
        with open(self.path, "wb"):
            pass
        error = self.assertRaises(StateError, SecureDirectory(self.path).open)
        self.assertIn(self.path, str(error))
        self.assertIn("state_dir", str(error))

    def test_belongsToSomebodyElse(self) -> None:
        """
        A directory of another user is refused.
        """
        os.mkdir(self.path, 0o700)
        if os.geteuid() == 0:
            os.chown(self.path, 12345, 12345)
            owner = 12345
        else:
            # What nobody but root can arrange, the identity of the process can.
            owner = os.geteuid()
            self.patch(os, "geteuid", lambda: owner + 1)
        error = self.assertRaises(StateError, SecureDirectory(self.path).open)
        self.assertIn(f"belongs to user {owner}", str(error))


class NameTests(SynchronousTestCase):
    """
    What an entry may be called.
    """

    def setUp(self) -> None:
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()

    def test_traversal(self) -> None:
        """
        No name leads out of the directory, is hidden, or breaks a line.
        """
        for name in ("", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a\0b", "a\nb", "x" * 256):
            for act in (
                self.directory.read,
                self.directory.pathOf,
                self.directory.child,
                lambda name: self.directory.write(name, b""),
            ):
                self.assertRaises(ValueError, act, name)

    @examples()
    @given(awkwardText(300) | textOf("./a", 9))
    def test_everyNameStaysInside(self, name: str) -> None:
        """
        Whatever the name, the path is directly in the directory, or refused.
        """
        try:
            path = self.directory.pathOf(name)
        except ValueError:
            return
        self.assertEqual(os.path.dirname(os.path.normpath(path)), self.directory.path)


class WritingTests(SynchronousTestCase):
    """
    An entry is the old one or the new one, whole.
    """

    def setUp(self) -> None:
        self.files = FrailFiles()
        self.directory = SecureDirectory(os.path.abspath(self.mktemp()), self.files).open()

    def test_readsWhatWasWritten(self) -> None:
        """
        What is written can be read; what is absent is None; names are listed.
        """
        self.directory.write("b.pem", b"2" * 10000)
        self.directory.write("a.pem", b"1")
        self.directory.write("note", b"")
        self.assertEqual(self.directory.read("b.pem"), b"2" * 10000)
        self.assertEqual(self.directory.read("note"), b"")
        self.assertIsNone(self.directory.read("c.pem"))
        self.assertEqual(self.directory.names(".pem"), ["a.pem", "b.pem"])

    def test_orderOfSteps(self) -> None:
        """
        The content is on the disk before the name leads to it, and the name
        before the write returns.
        """
        self.files.steps.clear()
        self.directory.write("entry", b"x")
        self.assertEqual(self.files.steps, ["open", "write", "fsync", "replace", "open", "fsync"])

    def test_powerCutAtEachStep(self) -> None:
        """
        Wherever the machine stops, the entry afterwards is whole, the old one
        or the new one, and what was half done is swept away.
        """
        old, new = b"old" * 100, b"new" * 90
        self.directory.write("entry", old)
        self.files.steps.clear()
        self.directory.write("entry", new)
        steps = len(self.files.steps)
        self.assertGreater(steps, 6)
        for step in range(steps):
            self.files = FrailFiles()
            directory = SecureDirectory(os.path.abspath(self.mktemp()), self.files).open()
            directory.write("entry", old)
            self.files.cutPowerAt(step)
            self.assertRaises(PowerCut, directory.write, "entry", new)
            after = SecureDirectory(directory.path).open()
            self.assertIn(after.read("entry"), (old, new))
            self.assertEqual(os.listdir(directory.path), ["entry"])

    def test_fullDisk(self) -> None:
        """
        A full disk is an OSError; the old content stays, and no rubbish.
        """
        self.directory.write("entry", b"old")
        self.files.fillUp()
        self.assertRaises(OSError, self.directory.write, "entry", b"new")
        self.assertEqual(self.directory.read("entry"), b"old")
        self.assertEqual(os.listdir(self.directory.path), ["entry"])
        self.files.makeRoom()
        self.directory.write("entry", b"new")
        self.assertEqual(self.directory.read("entry"), b"new")

    def test_setAside(self) -> None:
        """
        What makes no sense is kept under another name.
        """
        self.directory.write("entry", b"?")
        aside = self.directory.setAside("entry")
        self.assertIsNone(self.directory.read("entry"))
        with open(aside, "rb") as file:
            self.assertEqual(file.read(), b"?")


class ComplaintTests(SynchronousTestCase):
    """
    What is said of a write that fails.
    """

    def test_sameEachTime(self) -> None:
        """
        The text names the entry, and is the same however often it is tried: who tells
        nothing twice tells it once.
        """
        files = FrailFiles()
        directory = SecureDirectory(os.path.abspath(self.mktemp()), files).open()
        for fault, number in ((files.fillUp, errno.ENOSPC), (files.becomeReadOnly, errno.EROFS)):
            fault()
            (told,) = {str(self.assertRaises(OSError, directory.write, "a.pem", b"x")) for _ in range(3)}
            self.assertEqual(told, f"[Errno {number}] {os.strerror(number)}: {directory.pathOf('a.pem')!r}")
        self.assertEqual(os.listdir(directory.path), [])


class LockTests(SynchronousTestCase):
    """
    One process for one directory.
    """

    def setUp(self) -> None:
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()

    def test_secondIsRefused(self) -> None:
        """
        Who comes second is told who holds the directory, and what to do.
        """
        first = Lock(self.directory)
        first.take()
        self.addCleanup(first.release)
        error = self.assertRaises(StateError, Lock(self.directory).take)
        self.assertIn(self.directory.path, str(error))
        self.assertIn(str(os.getpid()), str(error))
        self.assertIn("state_dir", str(error))

    def test_releasedOrDead(self) -> None:
        """
        After a release the next one gets it; releasing twice is harmless.
        """
        first = Lock(self.directory)
        first.take()
        first.release()
        first.release()
        second = Lock(self.directory)
        second.take()
        second.release()

    def test_handedOver(self) -> None:
        """
        With its descriptor a successor has it too, and goes on having it when the one
        before is gone; nobody else gets it in between.
        """
        first, second = Lock(self.directory), Lock(self.directory)
        first.take()
        assert first.descriptor is not None
        second.take(os.dup(first.descriptor))
        self.addCleanup(second.release)
        first.take()
        first.release()
        self.assertIsNone(first.descriptor)
        self.assertRaises(StateError, Lock(self.directory).take)
        self.assertEqual(self.directory.read("lock"), b"%d\n" % os.getpid())

    def test_handedOverForAnother(self) -> None:
        """
        The lock of another directory is of no use, and closed.
        """
        elsewhere = SecureDirectory(os.path.abspath(self.mktemp())).open()
        other = Lock(elsewhere)
        other.take()
        assert other.descriptor is not None
        given = os.dup(other.descriptor)
        lock = Lock(self.directory)
        lock.take(given)
        self.addCleanup(lock.release)
        self.assertRaises(StateError, Lock(self.directory).take)
        other.release()
        again = Lock(elsewhere)
        again.take()
        again.release()

    def test_readOnly(self) -> None:
        """
        On a file system that has become read-only it is taken all the same, with or
        without the file, and the log says what that means; two at once are refused
        where there is the file.
        """
        logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        files = FrailFiles()
        files.becomeReadOnly()
        for _ in range(2):
            lock = Lock(self.directory, files)
            lock.take()
            lock.release()
        self.assertEqual([each.get("event") for each in logged], ["state-read-only"] * 2)
        self.assertEqual(self.directory.names(), [])
        first = Lock(self.directory)
        first.take()
        self.addCleanup(first.release)
        self.assertIn(str(os.getpid()), str(self.assertRaises(StateError, Lock(self.directory, files).take)))

    def test_anotherProcess(self) -> None:
        """
        The holder is named by number and program, and its end frees the
        directory however it ends.
        """
        code = (
            "import sys\n"
            "from smartproxy_tw.store.directory import Lock, SecureDirectory\n"
            "Lock(SecureDirectory(sys.argv[1]).open()).take()\n"
            "print('held', flush=True)\n"
            "sys.stdin.read()\n"
        )
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
        with subprocess.Popen(
            [sys.executable, "-c", code, self.directory.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        ) as holder:
            assert holder.stdout is not None
            self.assertEqual(holder.stdout.readline(), b"held\n")
            error = self.assertRaises(StateError, Lock(self.directory).take)
            self.assertIn(f"process {holder.pid} (", str(error))
            holder.kill()
        lock = Lock(self.directory)
        lock.take()
        lock.release()
