"""
Tests for L{smartproxy_tw.service.unixport}, with real sockets.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.service.unixport import SocketRefused, UnixPort, _Acceptor, addressIn

reactor: Any = _reactor


class Hello(Protocol):
    """
    Says so, and closes.
    """

    def connectionMade(self) -> None:
        self.transport.write(b"hello")  # type: ignore[union-attr]
        self.transport.loseConnection()  # type: ignore[union-attr]


def heard(path: str) -> bytes:
    """
    What is said to who connects.
    """
    directory = os.open(os.path.dirname(path), os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(addressIn(directory, path))
            return connection.recv(100)
    finally:
        os.close(directory)


class UnixPortTests(TestCase):
    """
    A socket, and what is in its way.
    """

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory, 0o700)
        self.path = os.path.join(self.directory, "admin.sock")
        descriptor = os.open(self.directory, os.O_PATH)
        self.addCleanup(os.close, descriptor)
        self.short = f"/proc/self/fd/{descriptor}/admin.sock"

    def port(self, path: str | None = None) -> UnixPort:
        """
        One that is closed at the end.
        """
        port = UnixPort(reactor, path or self.path, Factory.forProtocol(Hello))
        self.addCleanup(port.close)
        return port

    def refused(self, port: UnixPort | None = None) -> str:
        """
        Why one cannot be made, and that nothing is left of it.
        """
        before = sorted(os.listdir(self.directory))
        descriptors = len(os.listdir("/proc/self/fd"))
        why = str(self.assertRaises(SocketRefused, (port or self.port()).open))
        self.assertEqual(sorted(os.listdir(self.directory)), before)
        self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)
        return why

    async def _spoken(self) -> None:
        port = self.port()
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        port.open()
        found = os.stat(self.path)
        self.assertEqual((stat.S_IMODE(found.st_mode), found.st_uid), (0o600, os.geteuid()))
        self.assertEqual(os.listdir(self.directory), ["admin.sock"])
        for _ in range(3):
            self.assertEqual(await deferToThread(heard, self.path), b"hello")
        port.close()
        self.assertEqual(os.listdir(self.directory), [])
        port.close()
        port.open()
        self.assertEqual(await deferToThread(heard, self.path), b"hello")

    def test_spoken(self) -> Deferred[None]:
        """
        It is its owner's alone whatever the umask, takes one connection after the
        other, is gone when it is closed, and can be opened again.
        """
        return Deferred.fromCoroutine(self._spoken())

    async def _long(self) -> None:
        place = self.directory
        while len(place) < 180:
            place = os.path.join(place, "d" * 40)
            os.mkdir(place, 0o700)
        path = os.path.join(place, "admin.sock")
        self.port(path).open()
        self.assertEqual(await deferToThread(heard, path), b"hello")
        self.assertIn("another process", str(self.assertRaises(SocketRefused, self.port(path).open)))

    def test_longPath(self) -> Deferred[None]:
        """
        The kernel's limit for paths is none for ours.
        """
        return Deferred.fromCoroutine(self._long())

    async def _stale(self) -> None:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.short)
            dead.listen()
        self.port().open()
        self.assertEqual(await deferToThread(heard, self.path), b"hello")

    def test_stale(self) -> Deferred[None]:
        """
        What a dead process left is replaced.
        """
        return Deferred.fromCoroutine(self._stale())

    async def _aside(self) -> None:
        port = self.port()
        port.open()
        beside = os.path.join(self.directory, f"admin-{os.getpid()}.sock")
        self.assertTrue(port.stepAside())
        self.assertEqual((port.path, os.listdir(self.directory)), (beside, [os.path.basename(beside)]))
        self.assertEqual(stat.S_IMODE(os.stat(beside).st_mode), 0o600)
        # The next process finds the name free, and takes nothing away that lives.
        self.port().open()
        self.assertEqual(await deferToThread(heard, beside), b"hello")
        self.assertEqual(await deferToThread(heard, self.path), b"hello")
        port.close()
        self.assertEqual(os.listdir(self.directory), ["admin.sock"])

    def test_aside(self) -> Deferred[None]:
        """
        One that steps aside is there under the number of its process, until it is closed.
        """
        return Deferred.fromCoroutine(self._aside())

    def test_notAside(self) -> None:
        """
        One whose name is another's by now has no place to leave, nor has one that is not open.
        """
        port = self.port()
        self.assertFalse(port.stepAside())
        port.open()
        os.unlink(self.path)
        Path(self.path).touch()
        self.assertFalse(port.stepAside())
        self.assertEqual(os.listdir(self.directory), ["admin.sock"])

    def test_swept(self) -> None:
        """
        What a process that had stepped aside and was killed has left goes with the next start;
        what only looks like that stays.
        """
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.short.replace("admin.sock", "admin-77.sock"))
        for name in ("admin-78.sock", "admin-x.sock"):
            Path(self.directory, name).touch()
        self.port().open()
        self.assertEqual(sorted(os.listdir(self.directory)), ["admin-78.sock", "admin-x.sock", "admin.sock"])

    def test_alive(self) -> None:
        """
        What lives is left alone, also if it is too busy to accept.
        """
        with socket.socket(socket.AF_UNIX) as living:
            living.bind(self.short)
            living.listen(0)
            own = os.stat(self.path).st_ino
            self.assertIn("another process answers", self.refused())
            clients = [
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(4)
            ]
            codes = {each.connect_ex(self.short) for each in clients}
            self.assertIn(errno.EAGAIN, codes)
            self.assertIn("another process answers", self.refused())
            for each in clients:
                each.close()
            self.assertEqual(os.stat(self.path).st_ino, own)

    def test_somethingElse(self) -> None:
        """
        A file, a directory or a link in its place is told and left alone, wherever
        the link leads.
        """
        for make in (
            lambda: open(self.path, "w").close(),
            lambda: os.mkdir(self.path),
            lambda: os.symlink("/dev/null", self.path),
            lambda: os.symlink("nowhere", self.path),
        ):
            make()
            self.assertIn("something else", self.refused())
            if os.path.isdir(self.path):
                os.rmdir(self.path)
            else:
                os.unlink(self.path)

    def test_directory(self) -> None:
        """
        A directory that others may write to, or that is not there, is no place for
        it.
        """
        for mode in (0o770, 0o707, 0o1777):
            os.chmod(self.directory, mode)
            self.assertIn(f"mode {mode:04o}", self.refused())
        os.chmod(self.directory, 0o700)
        missing = self.port(os.path.join(self.directory, "none", "admin.sock"))
        self.assertIn("No such file", self.refused(missing))

    def test_sameMoment(self) -> None:
        """
        While somebody else looks whether what is there is dead, it is not replaced.
        """
        import fcntl

        other = os.open(self.directory, os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
        self.assertIn("cannot be made", self.refused())
        os.close(other)
        self.port().open()

    def test_takenAway(self) -> None:
        """
        At the end a name is taken away only if it is still ours.
        """
        port = self.port()
        port.open()
        os.unlink(self.path)
        with open(self.path, "w"):
            pass
        port.close()
        self.assertEqual(os.listdir(self.directory), ["admin.sock"])
        os.unlink(self.path)
        port.open()
        os.unlink(self.path)
        port.close()


class _Broken(Factory):
    """
    Is a defect.
    """

    def buildProtocol(self, addr: Any) -> Any:
        raise RuntimeError("a defect")


class DefectTests(TestCase):
    """
    What comes of one.
    """

    async def _defect(self) -> None:
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory, 0o700)
        path = os.path.join(directory, "admin.sock")
        port = UnixPort(reactor, path, _Broken())
        port.open()
        self.addCleanup(port.close)
        for _ in range(3):
            self.assertEqual(await deferToThread(heard, path), b"")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)

    def test_defect(self) -> Deferred[None]:
        """
        It costs the connection, and not those that follow.
        """
        return Deferred.fromCoroutine(self._defect())


class _Readers(Clock):
    """
    A reactor that notes who reads.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)


class _Listening:
    """
    A socket that has no connection to give.
    """

    def __init__(self, code: int) -> None:
        self.code = code
        self.asked = 0

    def accept(self) -> Any:
        self.asked += 1
        raise OSError(self.code, os.strerror(self.code))

    def fileno(self) -> int:
        return 99

    def close(self) -> None:
        pass


class AcceptorTests(SynchronousTestCase):
    """
    Accepting when it cannot be.
    """

    def test_noDescriptor(self) -> None:
        """
        Without room for a connection it rests for a second, rather than being told
        of it at every turn.
        """
        clock, listening = _Readers(), _Listening(errno.EMFILE)
        acceptor = _Acceptor(clock, listening, lambda _: None)  # type: ignore[arg-type]
        acceptor.begin()
        acceptor.doRead()
        self.assertEqual((listening.asked, clock.readers), (1, []))
        clock.advance(1.0)
        self.assertEqual(clock.readers, [acceptor])
        acceptor.doRead()
        acceptor.end()
        clock.advance(5.0)
        self.assertEqual((clock.readers, clock.getDelayedCalls()), ([], []))

    def test_goneAgain(self) -> None:
        """
        A client that has gone before it was accepted is nobody's concern.
        """
        for code in (errno.ECONNABORTED, errno.EAGAIN):
            clock = _Readers()
            acceptor = _Acceptor(clock, _Listening(code), lambda _: None)  # type: ignore[arg-type]
            acceptor.begin()
            acceptor.doRead()
            self.assertEqual(clock.readers, [acceptor])
            acceptor.end()
