"""
Tests for L{smartproxy_tw.plane.opening}.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.announcement import Announcement
from smartproxy_tw.plane.greeting import Greeting
from smartproxy_tw.plane.opening import Opening


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


class OpeningTests(SynchronousTestCase):
    """
    How it ends.
    """

    def setUp(self) -> None:
        self.world: Any = World()
        self.sock, self.client = socket.socketpair()
        self.addCleanup(self.client.close)
        self.addCleanup(self.sock.close)
        self.sock.setblocking(False)
        self.client.settimeout(5)
        self.descriptor = self.sock.fileno()
        self.opening = Opening(self.world, self.sock, 10)

    def mustBeClosed(self) -> None:
        """
        It is, once, and nobody counts it.
        """
        self.assertEqual((self.world.living, self.world.forgotten), ([], [self.descriptor]))
        self.assertEqual(self.sock.fileno(), -1)

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
            for name in ("_close", "_over", "_end", "crash", "drain"):
                self.assertIs(getattr(kind, name), getattr(Opening, name))
        self.assertFalse(hasattr(Greeting(self.withTimeouts(), self.sock, self.client, None), "__dict__"))  # type: ignore[arg-type]

    def withTimeouts(self) -> Any:
        """
        For a greeting.
        """
        self.world.timeouts = type("Timeouts", (), {"head": 10})
        return self.world
