"""
Splicing through borrowed pipes: every byte, in order, and nothing left for the
next borrower.
"""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.pipes import Pipes
from smartproxy_tw.plane.wires import PlainWire


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))


class TakeTests(SynchronousTestCase):
    """
    Bytes go from one socket to another through a wire.
    """

    def setUp(self) -> None:
        self.pipes = Pipes(2)
        self.addCleanup(self.pipes.close)
        self.writer, self.source = self.pair()
        sink, self.reader = self.pair()
        self.sink = PlainWire(sink)

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Two ends of a TCP connection, non-blocking."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            one = socket.create_connection(server.getsockname())
            other, _ = server.accept()
        for each in (one, other):
            each.setblocking(False)
            self.addCleanup(each.close)
        return one, other

    def take(self) -> int:
        """Move what there is."""
        return self.sink.take(self.source.fileno(), self.pipes, 1 << 20)

    def test_passesOn(self) -> None:
        """What the reader takes at once leaves nothing pending, and the pipe is lent again."""
        for size in (1, 4096, 100_000):
            data = os.urandom(size)
            self.writer.sendall(data)
            moved = 0
            while moved < size:
                moved += self.take()
            self.assertEqual(self.sink.pending, b"")
            got = b""
            while len(got) < size:
                got += self.reader.recv(size)
            self.assertEqual(got, data)

    def test_nothingYet(self) -> None:
        """A silent source blocks, and no pipe is kept for it."""
        before = descriptors()
        self.assertRaises(BlockingIOError, self.take)
        self.assertRaises(BlockingIOError, self.take)
        self.assertLessEqual(descriptors(), before + 2)

    def test_end(self) -> None:
        """The end of the source is told as zero."""
        self.writer.shutdown(socket.SHUT_WR)
        self.assertEqual(self.take(), 0)

    def fill(self) -> bytes:
        """Move bytes until the sink takes no more; answers with all of them."""
        sent = b""
        while not self.sink.pending:
            data = os.urandom(1 << 16)
            sent += data[: self.writer.send(data)]
            try:
                self.take()
            except BlockingIOError:
                continue
        return sent

    def drainAll(self, size: int) -> bytes:
        """Read as a slow reader would, flushing meanwhile."""
        got = b""
        while len(got) < size:
            try:
                got += self.reader.recv(50_000)
            except BlockingIOError:
                pass
            self.sink.flush()
            if not self.sink.pending:
                try:
                    self.take()
                except BlockingIOError:
                    continue
        return got

    def test_slowReader(self) -> None:
        """What the reader does not take waits in the pipe, and comes out in order, also behind a write."""
        sent = self.fill()
        self.sink.write(b"the last words")
        got = b""
        while self.sink.pending:
            try:
                got += self.reader.recv(50_000)
            except BlockingIOError:
                pass
            self.sink.flush()
        while True:
            try:
                got += self.reader.recv(1 << 20)
            except BlockingIOError:
                break
        self.assertTrue(got.endswith(b"the last words"))
        body = got[: -len(b"the last words")]
        self.assertTrue(sent.startswith(body))

    def test_everythingArrives(self) -> None:
        """After a blockage the rest follows."""
        sent = self.fill()
        self.assertEqual(self.drainAll(len(sent)), sent)

    def test_nothingForTheNext(self) -> None:
        """A wire that is closed with bytes in its pipe leaves none of them to the next borrower."""
        self.fill()
        self.sink.reset()
        self.writer, self.source = self.pair()
        sink, self.reader = self.pair()
        self.sink = PlainWire(sink)
        self.writer.sendall(b"mine")
        self.assertEqual(self.take(), 4)
        self.assertEqual(self.reader.recv(100), b"mine")

    def test_noneLeft(self) -> None:
        """Whoever gets no pipe is told to copy."""
        borrowed = [self.pipes.borrow(), self.pipes.borrow()]
        self.writer.sendall(b"x")
        self.assertEqual(self.take(), -1)
        for pipe in borrowed:
            assert pipe is not None
            self.pipes.giveBack(pipe)
        self.assertEqual(self.take(), 1)

    def test_brokenSink(self) -> None:
        """A sink that was reset swallows, and says so."""
        self.reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.reader.close()
        self.writer.sendall(b"x" * 1000)
        self.take()
        self.assertTrue(self.sink.isBroken)
        self.assertEqual(self.sink.pending, b"")
