"""
Tests for L{smartproxy_tw.plane.opening}.
"""

from __future__ import annotations

import select
import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.announcement import Announcement
from smartproxy_tw.plane.greeting import Greeting
from smartproxy_tw.plane.opening import Opening
from smartproxy_tw.plane.wires import resetOnClose


class World:
    """
    An entrance, its engine and its poller: who is counted, and of which socket no event comes.
    """

    def __init__(self) -> None:
        self.engine = self.poller = self
        self.now = 100.0
        self.living: list[object] = []
        self.forgotten: list[int] = []

    def enter(self, one: object) -> None:
        """
        It lives.
        """
        self.living.append(one)

    def leave(self, one: object) -> None:
        """
        It does not, and did.
        """
        self.living.remove(one)

    def forget(self, descriptor: int) -> None:
        """
        No event any more.
        """
        self.forgotten.append(descriptor)

    def lastCall(self, deadline: float) -> float:
        """
        While draining.
        """
        return min(deadline, self.now + 1)


class Five(Opening):
    """
    Knows what it is when it has five bytes, or an exclamation mark.

    @ivar found: What it was.
    """

    MOST = 8
    found: bytes = b""

    def _read(self, data: bytes) -> None:
        if len(data) >= 5 or b"!" in data:
            self.found = data
            self._over()


class OpeningCase(SynchronousTestCase):
    """
    With both ends of a connection.
    """

    def setUp(self) -> None:
        self.world: Any = World()
        self.sock, self.client = connected()
        self.addCleanup(self.client.close)
        self.addCleanup(self.sock.close)
        self.sock.setblocking(False)
        self.client.settimeout(60)
        self.descriptor = self.sock.fileno()
        self.opening = Five(self.world, self.sock, 10)

    def mustBeClosed(self) -> None:
        """
        It is, once, and nobody counts it.
        """
        self.assertEqual((self.world.living, self.world.forgotten), ([], [self.descriptor]))
        self.assertEqual(self.sock.fileno(), -1)


def connected() -> tuple[socket.socket, socket.socket]:
    """
    Both ends of a connection by TCP.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        return server.accept()[0], client


class ReadingTests(OpeningCase):
    """
    How the first bytes are read.
    """

    def says(self, data: bytes, event: int = select.EPOLLIN) -> None:
        """
        The client does, and it is heard.
        """
        self.client.sendall(data)
        select.select([self.sock], [], [], 5)
        self.opening.ready(event)

    def test_everySplit(self) -> None:
        """
        All that was read is there for who comes next, however it came.
        """
        whole = b"hello"
        for cut in range(1, len(whole)):
            self.setUp()
            self.says(whole[:cut])
            self.assertEqual((self.opening.found, self.opening._isOver), (b"", False))
            self.says(whole[cut:])
            self.assertEqual((self.opening.found, self.opening._data), (whole, whole))
            self.assertEqual((self.opening._isHot, self.opening._isEnding), (False, False))

    def test_room(self) -> None:
        """
        Nothing is waited for before there can be enough of it, nor said to be all when there
        was no room for more; an event for something else is none.
        """
        self.opening.ready(select.EPOLLOUT)
        self.opening._need = 4
        self.says(b"!--")
        self.assertEqual(self.opening.found, b"")
        self.says(b"---------")
        self.assertEqual((self.opening.found, self.opening._isHot), (b"!-------", True))
        self.assertEqual(self.sock.recv(9), b"----")

    def test_nothing(self) -> None:
        """
        That nothing has come after all is no end.
        """
        self.opening.ready(select.EPOLLIN)
        self.assertEqual(self.world.living, [self.opening])

    def test_ending(self) -> None:
        """
        With its end on the way there may be more to read for which no event comes.
        """
        self.says(b"hello", select.EPOLLIN | select.EPOLLRDHUP)
        self.assertEqual(
            (self.opening.found, self.opening._isHot, self.opening._isEnding), (b"hello", True, True)
        )

    def test_cut(self) -> None:
        """
        An end inside of it is one, whether it is told with the last bytes or after them; a
        reset, too.
        """
        for event in (select.EPOLLIN | select.EPOLLRDHUP, select.EPOLLIN):
            self.setUp()
            self.says(b"hel", event)
            if not event & select.EPOLLRDHUP:
                self.client.shutdown(socket.SHUT_WR)
                self.opening.ready(event)
            self.mustBeClosed()
            # Something was asked for, and this is no answer.
            self.assertRaises(ConnectionResetError, self.client.recv, 9)
        self.setUp()
        self.says(b"hel")
        resetOnClose(self.client)
        self.client.close()
        select.select([self.sock], [], [], 5)
        self.opening.ready(select.EPOLLIN | select.EPOLLERR)
        self.mustBeClosed()

    def test_lookedAt(self) -> None:
        """
        Who connects and leaves is told of an end.
        """
        self.client.shutdown(socket.SHUT_WR)
        self.opening.ready(select.EPOLLIN | select.EPOLLRDHUP)
        self.mustBeClosed()
        self.assertEqual(self.client.recv(9), b"")

    def test_lastWordAfterwards(self) -> None:
        """
        What is said at last arrives, although something was read, and nothing more has come.
        """
        self.says(b"EHLO"[:3])
        self.opening._end(b"no")
        self.mustBeClosed()
        self.assertEqual((self.client.recv(9), self.client.recv(9)), (b"no", b""))


class OpeningTests(OpeningCase):
    """
    How it ends.
    """

    def test_deadline(self) -> None:
        """
        It is counted from the first moment on, and waits for so long.
        """
        self.assertEqual((self.world.living, self.opening.deadline), ([self.opening], 110.0))

    def test_ends(self) -> None:
        """
        Late, or by a bug: it is closed, and the second time is no harm.
        """
        self.opening.expire()
        self.mustBeClosed()
        self.opening.crash()
        self.opening.expire()
        self.mustBeClosed()

    def test_crash(self) -> None:
        """
        A bug ends it.
        """
        self.opening.crash()
        self.mustBeClosed()
        self.assertEqual(self.client.recv(9), b"")

    def test_lastWord(self) -> None:
        """
        What was said is read, so that the answer arrives, and then the end.
        """
        self.client.sendall(b"EHLO x\r\n")
        self.opening._end(b"no")
        self.mustBeClosed()
        self.assertEqual((self.client.recv(9), self.client.recv(9)), (b"no", b""))

    def test_gone(self) -> None:
        """
        That nobody hears the last word is no error.
        """
        self.client.close()
        self.opening._end(b"no")
        self.mustBeClosed()

    def test_handedOn(self) -> None:
        """
        Who has it then has the socket too: it is not closed here.
        """
        self.opening._over()
        self.opening.crash()
        self.assertEqual((self.world.living, self.world.forgotten), ([], []))
        self.assertEqual(self.sock.fileno(), self.descriptor)

    def test_drain(self) -> None:
        """
        While draining it is waited for for a moment, and never longer than before.
        """
        self.opening.drain()
        self.assertEqual(self.opening.deadline, 101.0)
        self.world.now = 105.0
        self.opening.drain()
        self.assertEqual(self.opening.deadline, 101.0)

    def test_shared(self) -> None:
        """
        Both who look at first bytes end so, and have no dictionary each.
        """
        for kind in (Announcement, Greeting):
            for name in ("ready", "_close", "_over", "_end", "crash", "drain"):
                self.assertIs(getattr(kind, name), getattr(Opening, name))
        self.assertFalse(hasattr(Greeting(self.withTimeouts(), self.sock, self.client, None), "__dict__"))  # type: ignore[arg-type]

    def withTimeouts(self) -> Any:
        """
        For a greeting.
        """
        self.world.timeouts = type("Timeouts", (), {"head": 10})
        return self.world
