"""
Plain wires.
"""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.pipes import Pipes
from smartproxy_tw.plane.poller import ARRIVALS, WRITABLE, Poller
from smartproxy_tw.plane.wires import PlainWire, Wire, isConnected

from .test_poller import Readers


class PlainWireTests(SynchronousTestCase):
    """
    L{PlainWire} over a TCP connection.
    """

    def setUp(self) -> None:
        """A wire, and the socket of its peer."""
        self.wire, self.peer = self.connects()
        self.pipes = Pipes()
        self.addCleanup(self.pipes.close)

    def connects(self) -> tuple[PlainWire, socket.socket]:
        """
        Both ends of a connection.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            peer = socket.create_connection(listening.getsockname())
            sock, _ = listening.accept()
        sock.setblocking(False)
        peer.settimeout(60)
        self.addCleanup(peer.close)
        self.addCleanup(sock.close)
        return PlainWire(sock), peer

    def hears(self, size: int) -> bytes:
        """
        Read at the peer's, flushing meanwhile.
        """
        data = b""
        self.peer.setblocking(False)
        for _ in range(100_000):
            if len(data) >= size:
                return data
            try:
                data += self.peer.recv(1 << 20)
            except BlockingIOError:
                self.wire.flush()
        self.fail(f"{len(data)} of {size} bytes came")

    def test_all(self) -> None:
        """
        What fits goes at once.
        """
        self.assertTrue(self.wire.write(b"hello"))
        self.assertEqual(self.peer.recv(100), b"hello")

    def test_pending(self) -> None:
        """
        What does not waits, in order, and the end behind it.
        """
        data = bytes(range(256)) * 50_000
        self.assertFalse(self.wire.write(data))
        self.assertFalse(self.wire.write(b"more"))
        self.assertFalse(self.wire.flush())
        self.wire.finish()
        self.assertTrue(self.hears(len(data) + 4) == data + b"more")
        self.peer.settimeout(60)
        self.assertEqual(self.peer.recv(10), b"")
        # The other direction goes on.
        self.peer.send(b"answer")
        self.wire.sock.settimeout(60)
        self.assertEqual(self.wire.recv(100), b"answer")

    def test_last(self) -> None:
        """
        The last words wait for the end, and come together with it.
        """
        self.assertTrue(self.wire.writeLast(b"bye"))
        self.peer.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.peer.recv(100)
        self.wire.finish()
        self.peer.settimeout(60)
        self.assertEqual((self.peer.recv(100), self.peer.recv(100)), (b"bye", b""))

    def test_lastPending(self) -> None:
        """
        Those that do not fit wait as any others, in order.
        """
        data = bytes(range(256)) * 50_000
        self.assertFalse(self.wire.writeLast(data))
        self.assertFalse(self.wire.writeLast(b"more"))
        self.wire.finish()
        self.assertTrue(self.hears(len(data) + 4) == data + b"more")
        self.peer.settimeout(60)
        self.assertEqual(self.peer.recv(10), b"")

    def test_lastBroken(self) -> None:
        """
        And to a broken stream they are dropped.
        """
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.peer.close()
        self.assertTrue(self.wire.writeLast(b"bye"))
        self.assertTrue(self.wire.isBroken)

    def test_broken(self) -> None:
        """
        A peer that is gone is remembered and never raised.
        """
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.peer.close()
        for _ in range(3):
            self.assertTrue(self.wire.write(b"x"))
        self.assertTrue(self.wire.isBroken)
        self.assertFalse(isConnected(self.wire.sock))
        self.assertTrue(self.wire.flush())
        self.wire.finish()
        self.wire.close()

    def test_reset(self) -> None:
        """
        A reset is told from an end.
        """
        self.wire.reset()
        self.assertRaises(ConnectionResetError, self.peer.recv, 10)

    def test_close(self) -> None:
        """
        A close is an end.
        """
        self.wire.write(b"last")
        self.wire.close()
        self.assertEqual((self.peer.recv(10), self.peer.recv(10)), (b"last", b""))

    def test_take(self) -> None:
        """
        Bytes are moved from another socket; what the sink does not take now
        waits in its pipe, before what is written then.
        """
        source, feeder = self.connects()
        feeder.setblocking(False)
        source.sock.setblocking(False)
        self.assertRaises(BlockingIOError, self.wire.take, source.fd, self.pipes, 1 << 20)
        block = bytes(range(251)) * 4000
        fed = moved = 0
        while not self.wire.pending:
            try:
                fed += feeder.send(block[fed % len(block) :])
            except BlockingIOError:
                pass
            try:
                moved += self.wire.take(source.fd, self.pipes, 1 << 20)
            except BlockingIOError:
                pass
        self.wire.write(b"behind")
        data = self.hears(moved + 6)
        self.assertTrue(data == (block * (moved // len(block) + 1))[:moved] + b"behind")
        self.assertFalse(self.wire.pending)
        # The pipe went home.
        self.assertEqual(self.pipes._left + len(self.pipes._idle), Pipes()._left)

    def test_takeTheEnd(self) -> None:
        """
        The end of the other stream is nothing; a reset raises.
        """
        source, feeder = self.connects()
        feeder.shutdown(socket.SHUT_WR)
        source.sock.settimeout(60)
        self.assertEqual(self.wire.take(source.fd, self.pipes, 100), 0)
        source, feeder = self.connects()
        feeder.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        feeder.close()
        self.assertRaises(ConnectionResetError, self.wire.take, source.fd, self.pipes, 100)

    def test_takeWithoutPipes(self) -> None:
        """
        Without a pipe nothing is moved.
        """
        source, feeder = self.connects()
        feeder.send(b"x")
        self.assertEqual(self.wire.take(source.fd, Pipes(0), 100), -1)

    def test_brokenWithPipe(self) -> None:
        """
        A sink that is gone while bytes wait for it gives its pipe back, empty
        or not at all.
        """
        source, feeder = self.connects()
        feeder.setblocking(False)
        while not self.wire.pending:
            try:
                feeder.send(bytes(100_000))
            except BlockingIOError:
                pass
            try:
                self.wire.take(source.fd, self.pipes, 1 << 20)
            except BlockingIOError:
                pass
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.peer.close()
        self.assertTrue(self.wire.flush())
        self.assertTrue(self.wire.isBroken)
        self.assertEqual(self.pipes._left + len(self.pipes._idle), Pipes()._left)
        self.assertEqual([pipe.held for pipe in self.pipes._idle], [0] * len(self.pipes._idle))

    def test_resetToldToTheWriter(self) -> None:
        """
        The kernel tells of a reset once: who reads after a write was told of
        it finds what had come before, and then a broken stream, no end.
        """
        self.peer.send(b"last words")
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.peer.close()
        self.assertTrue(self.wire.write(b"x"))
        self.assertTrue(self.wire.isBroken)
        self.assertEqual(self.wire.recv(100), b"last words")
        self.assertRaises(ConnectionResetError, self.wire.recv, 100)

    def test_resetAfterTheEnd(self) -> None:
        """
        An end that came before the reset is an end.
        """
        self.peer.send(b"last words")
        self.peer.close()
        while not self.wire.isBroken:
            self.wire.write(b"x")
        self.assertEqual(self.wire.recv(100), b"last words")
        self.assertEqual(self.wire.recv(100), b"")


class Room:
    """
    What a poller says of a socket that is registered for what arrives.

    @ivar poller: The poller.
    """

    def __init__(self, case: SynchronousTestCase, sock: socket.socket) -> None:
        self.poller = Poller(Readers())
        self._events: list[int] = []
        self.poller.start()
        case.addCleanup(self.stop)
        self.poller.add(sock.fileno(), self._events.append, ARRIVALS)

    def stop(self) -> None:
        """
        End the poller.
        """
        self.poller.stop()

    def isTold(self) -> bool:
        """
        Whether the poller has said by now that there is room.
        """
        self._events.clear()
        self.poller.doRead()
        return any(event & WRITABLE for event in self._events)

    def isFoundBy(self, wire: Wire, peer: socket.socket) -> bool:
        """
        Whether all that is pending has gone when its peer has read, by flushing at each word of room and
        at no other time.
        """
        peer.setblocking(False)
        for _ in range(100_000):
            if not wire.pending:
                return True
            try:
                peer.recv(1 << 20)
            except BlockingIOError:
                return False
            if self.isTold():
                wire.flush()
        return False


class RoomTests(PlainWireTests):
    """
    All that holds of a wire also holds of one that is registered for what arrives; it is told of
    room when it needs some.
    """

    def setUp(self) -> None:
        """The same, with a poller."""
        super().setUp()
        self.room = Room(self, self.wire.sock)
        self.wire = PlainWire(self.wire.sock, False, self.room.poller)

    def test_unasked(self) -> None:
        """
        Where all goes at once nothing is said.
        """
        self.wire.write(b"hello")
        self.wire.writeLast(b"bye")
        self.assertFalse(self.room.isTold())

    def test_written(self) -> None:
        """
        What is written and does not go.
        """
        self.assertFalse(self.wire.write(bytes(10_000_000)))
        self.assertTrue(self.room.isFoundBy(self.wire, self.peer))

    def test_writtenLast(self) -> None:
        """
        So it is with the last words.
        """
        self.assertFalse(self.wire.writeLast(bytes(10_000_000)))
        self.assertTrue(self.room.isFoundBy(self.wire, self.peer))

    def test_taken(self) -> None:
        """
        And with what waits in a pipe.
        """
        source, feeder = self.connects()
        feeder.setblocking(False)
        while not self.wire.pending:
            try:
                feeder.send(bytes(100_000))
                self.wire.take(source.fd, self.pipes, 1 << 20)
            except BlockingIOError:
                pass
        self.assertTrue(self.room.isFoundBy(self.wire, self.peer))

    def test_afterAll(self) -> None:
        """
        Where nothing is told any more a write goes as far as it does.
        """
        self.room.stop()
        self.assertFalse(self.wire.write(bytes(10_000_000)))
        self.assertFalse(self.wire.write(b"more"))
        self.room.poller = Poller(Readers())
        self.room.poller.start()

    def test_again(self) -> None:
        """
        Once it has asked it is told each time.
        """
        for _ in range(3):
            self.assertFalse(self.wire.write(bytes(10_000_000)))
            self.assertTrue(self.room.isFoundBy(self.wire, self.peer))
