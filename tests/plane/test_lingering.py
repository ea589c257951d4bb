"""
Tests for L{smartproxy_tw.plane.lingering}, on a clock and over real sockets; whole conversations that
end so are in L{tests.plane.test_session} and L{tests.plane.test_bodies}.
"""

from __future__ import annotations

import errno
import socket
from select import EPOLLIN, EPOLLOUT, EPOLLRDHUP
from typing import Any

from smartproxy_tw.plane.lingering import Lingering
from smartproxy_tw.plane.remnants import LINGER, LINGER_BYTES, LINGER_MOST
from smartproxy_tw.plane.wires import READ, PlainWire

from ..upstream.loop import LoopTests


class Engine:
    """
    Knows who is there.
    """

    def __init__(self, poller: Any) -> None:
        self.poller = poller
        self.isDraining = False
        self.alive: list[object] = []

    def enter(self, connection: Any) -> None:
        """
        See L{smartproxy_tw.plane.engine.Engine}.
        """
        self.alive.append(connection)
        self.poller.mortals[connection] = None

    def leave(self, connection: Any) -> None:
        """
        Likewise.
        """
        self.alive.remove(connection)
        del self.poller.mortals[connection]


class Told:
    """
    A wire whose reads are the test's: bytes, C{None} for nothing yet, or an error.
    """

    fd = 99
    isShort = True

    def __init__(self, *reads: bytes | OSError | None) -> None:
        self.reads = list(reads)
        self.pending = b""
        self.isEnding = False
        self.story: list[str] = []

    def recv(self, size: int) -> bytes:
        """
        See L{smartproxy_tw.plane.wires.Wire}.
        """
        assert size == READ
        self.story.append("read")
        data = self.reads.pop(0) if self.reads else None
        if data is None:
            raise BlockingIOError
        if isinstance(data, OSError):
            raise data
        return data

    def flush(self) -> bool:
        """
        Likewise.
        """
        self.pending = b""
        self.story.append("flushed")
        return True

    def finish(self) -> None:
        """
        Likewise.
        """
        self.story.append("finished")

    def close(self) -> None:
        """
        Likewise.
        """
        self.story.append("closed")

    def reset(self) -> None:
        """
        Likewise.
        """
        self.story.append("reset")


class LingeringTests(LoopTests):
    """
    L{Lingering}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.engine: Any = Engine(self.poller)

    def begins(self, *reads: bytes | OSError | None, isHot: bool = False) -> tuple[Lingering, Told]:
        """
        Somebody has been answered, of whom still comes what these say.
        """
        wire: Any = Told(*reads)
        return Lingering(self.engine, wire, isHot), wire

    def ends(self, lingering: Lingering) -> None:
        """
        By its deadline.
        """
        self.assertIn(lingering, self.engine.alive)
        lingering.expire()
        self.assertEqual(self.engine.alive, [])

    def passes(self, seconds: float) -> None:
        """
        Time does.
        """
        self.loop.turns(seconds)

    def test_answerArrives(self) -> None:
        """
        A client that still sends has the whole answer and a clean end, and when it ends its side the
        connection is closed on this one.
        """
        server = self.listens()
        with socket.create_connection(server.getsockname()) as client:
            sock, _ = server.accept()
            sock.setblocking(False)
            wire = PlainWire(sock)
            self.poller.add(wire.fd, lambda _: None)
            client.sendall(b"x" * 100_000)
            wire.write(b"413 and so on")
            lingering = Lingering(self.engine, wire, True)
            client.settimeout(10)
            self.assertEqual(client.recv(100), b"413 and so on")
            self.assertEqual(client.recv(100), b"")
            client.sendall(b"more")
            self.loop.turns()
            self.assertEqual(self.engine.alive, [lingering])
            client.shutdown(socket.SHUT_WR)
            self.loop.turns()
            self.assertEqual((self.engine.alive, sock.fileno()), ([], -1))

    def test_reads(self) -> None:
        """
        At the beginning it reads only where something may be there, and then as events say; a short
        read is the last for one event.
        """
        lingering, wire = self.begins()
        self.assertEqual(wire.story, ["finished"])
        wire.reads = [b"a", b"b"]
        lingering.ready(EPOLLIN)
        self.assertEqual(wire.story, ["finished", "read"])
        lingering.ready(EPOLLIN)
        self.assertEqual(wire.story, ["finished", "read", "read"])
        # That something can be sent is no reason to read.
        lingering.ready(EPOLLOUT)
        self.assertEqual(wire.story, ["finished", "read", "read"])
        self.ends(lingering)
        lingering, wire = self.begins(b"x" * READ, None, isHot=True)
        self.assertEqual(wire.story, ["finished", "read", "read"])
        lingering.ready(EPOLLOUT)
        self.assertEqual(wire.story, ["finished", "read", "read"])
        self.ends(lingering)

    def test_notShort(self) -> None:
        """
        Where a short read says nothing it goes on until nothing comes, and likewise where the end is on
        its way, of which no other event will tell.
        """
        lingering, wire = self.begins()
        wire.isShort = False
        wire.reads = [b"a", b"b"]
        lingering.ready(EPOLLIN)
        self.assertEqual(wire.story, ["finished", "read", "read", "read"])
        self.ends(lingering)
        lingering, wire = self.begins()
        wire.reads = [b"a", b""]
        lingering.ready(EPOLLIN | EPOLLRDHUP)
        self.assertEqual(wire.story, ["finished", "read", "read", "closed"])
        self.assertEqual((self.engine.alive, self.poller.handlers), ([], {}))

    def test_over(self) -> None:
        """
        The end of the stream is the end, clean or not, at once where it has come already.
        """
        for last in (b"", ConnectionResetError(errno.ECONNRESET, "reset")):
            _, wire = self.begins(b"x" * READ, last, isHot=True)
            self.assertEqual(wire.story, ["finished", "read", "read", "closed"])
            self.assertEqual((self.engine.alive, self.poller.handlers), ([], {}))

    def test_pending(self) -> None:
        """
        The end itself may have to wait until it can be sent; that moves nothing of the time.
        """
        lingering, wire = self.begins()
        before = lingering.deadline
        wire.pending = b"close_notify"
        self.passes(1.0)
        lingering.ready(EPOLLOUT)
        self.assertEqual((wire.story, lingering.deadline), (["finished", "flushed"], before))
        lingering.ready(EPOLLOUT)
        self.assertEqual(wire.story, ["finished", "flushed"])
        self.ends(lingering)

    def test_time(self) -> None:
        """
        Each piece has its time, and all of them together: after half a minute it ends, whatever comes.
        """
        lingering, wire = self.begins()
        begun = self.poller.now
        self.assertEqual(lingering.deadline, begun + LINGER)
        while self.poller.now - begun < LINGER_MOST - 1:
            self.passes(1.0)
            wire.reads = [b"x"]
            lingering.ready(EPOLLIN)
            self.assertEqual(lingering.deadline, min(self.poller.now + LINGER, begun + LINGER_MOST))
        self.assertEqual(lingering.deadline, begun + LINGER_MOST)
        self.passes(2.0)
        self.assertEqual((wire.story[-1], self.engine.alive), ("closed", []))

    def test_draining(self) -> None:
        """
        While everything ends it has the time of one piece, and so has one that has begun before.
        """
        first, wire = self.begins()
        self.passes(1.0)
        wire.reads = [b"x"]
        first.ready(EPOLLIN)
        deadline = first.deadline
        self.engine.isDraining = True
        first.drain()
        second, other = self.begins()
        latest = second.deadline
        for _ in range(2):
            self.passes(0.5)
            for each, its in ((first, wire), (second, other)):
                its.reads = [b"x"]
                each.ready(EPOLLIN)
        self.assertEqual((first.deadline, second.deadline), (deadline, latest))
        for each in (first, second):
            each.expire()
        self.assertEqual(self.engine.alive, [])

    def test_size(self) -> None:
        """
        So much is dropped, and not a byte more.
        """
        pieces, rest = divmod(LINGER_BYTES, READ)
        self.assertEqual(rest, 0)
        lingering, wire = self.begins(*[b"x" * READ] * pieces, isHot=True)
        while wire.reads:
            self.loop.turns()
        self.loop.turns()
        self.assertEqual(self.engine.alive, [lingering])
        wire.reads = [b"x"]
        lingering.ready(EPOLLIN)
        self.assertEqual((wire.story[-1], self.engine.alive), ("closed", []))

    def test_turns(self) -> None:
        """
        One that sends much leaves others their turn; and nothing is read any more of one that was broken
        before its next one came.
        """
        lingering, wire = self.begins(*[b"x" * READ] * 100, isHot=True)
        self.assertLess(wire.story.count("read"), 50)
        lingering.crash()
        read = wire.story.count("read")
        self.loop.turns()
        self.assertEqual((wire.story[-1], wire.story.count("read")), ("reset", read))
        self.assertEqual((self.engine.alive, self.poller.handlers), ([], {}))
