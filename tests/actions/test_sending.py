"""
Tests for L{smartproxy_tw.actions.sending}.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.sending import PIECE, Sending, readNow
from smartproxy_tw.actions.tree import Opened

from .recording import RecordingExchange, RecordingOutlet


class Threads(Clock):
    """
    A reactor whose thread does nothing until it is told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Callable[[], None]] = []

    def callInThread(self, call: Callable[[], None]) -> None:
        """Later."""
        self.asked.append(call)

    def callFromThread(self, call: Callable[..., None], *arguments: Any) -> None:
        """At once."""
        call(*arguments)

    def work(self) -> None:
        """
        The thread does what it was asked.
        """
        asked, self.asked = self.asked, []
        for call in asked:
            call()


def cold(descriptor: int, size: int, offset: int) -> bytes:
    """
    Nothing is in the cache.
    """
    raise BlockingIOError


class SendingTests(SynchronousTestCase):
    """
    L{Sending}.
    """

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.data = os.urandom(20 * PIECE + 7)
        with open(self.path, "wb") as file:
            file.write(self.data)
        self.reactor = Threads()
        self.exchange = RecordingExchange()
        self.outlet = RecordingOutlet(self.exchange)
        descriptor = os.open(self.path, os.O_RDWR)
        self.file = Opened(descriptor, os.fstat(descriptor), b"f")

    def send(self, read: Any = readNow, parts: Any = None) -> Sending:
        """
        Begin.
        """
        whole = [(0, len(self.data))]
        sending = Sending(self.reactor, self.file, parts or whole, self.outlet, readNow=read)
        self.exchange.onEnd(sending.end)
        sending.begin()
        return sending

    def isClosed(self) -> bool:
        """
        Whether the file has been let go of.
        """
        return self.file.descriptor == -1

    def test_turns(self) -> None:
        """
        A long file comes in turns, and whole.
        """
        self.send()
        self.assertLess(len(self.outlet.data), len(self.data))
        self.assertFalse(self.isClosed())
        self.reactor.pump([0] * 5)
        self.assertEqual(self.outlet.data, self.data)
        self.assertEqual(self.outlet.end, "finish")
        self.assertTrue(self.isClosed())

    def test_slowClient(self) -> None:
        """
        Nothing is read before the client has taken what was before it.
        """
        self.outlet.room = 1
        self.send()
        self.assertEqual(len(self.outlet.data), PIECE)
        self.reactor.pump([1] * 10)
        self.assertEqual(len(self.outlet.data), PIECE)
        while not self.outlet.end:
            before = len(self.outlet.data)
            self.outlet.takes(PIECE)
            self.assertLessEqual(len(self.outlet.data), before + PIECE)
        self.assertEqual(self.outlet.data, self.data)

    def test_coldDisk(self) -> None:
        """
        What has to come from the disk is read by a thread.
        """
        self.send(cold)
        self.assertEqual(self.outlet.data, b"")
        while self.reactor.asked:
            self.reactor.work()
        self.assertEqual((self.outlet.data, self.outlet.end), (self.data, "finish"))
        self.assertTrue(self.isClosed())

    def test_leavesWhileReading(self) -> None:
        """
        A client that leaves while a thread reads: the file is open as long as that does.
        """
        self.send(cold)
        self.exchange.end()
        self.assertFalse(self.isClosed())
        self.reactor.work()
        self.assertTrue(self.isClosed())
        self.assertEqual(self.outlet.data, b"")

    def test_leaves(self) -> None:
        """
        A client that leaves otherwise: it is closed at once.
        """
        self.outlet.room = 1
        self.send()
        self.exchange.end()
        self.assertTrue(self.isClosed())

    def test_shrinks(self) -> None:
        """
        A file that becomes shorter breaks the connection.
        """
        for read in (readNow, cold):
            self.setUp()
            self.outlet.room = 1
            self.send(read)
            self.reactor.work()
            os.ftruncate(self.file.descriptor, PIECE)
            self.outlet.takes(1 << 30)
            while self.reactor.asked:
                self.reactor.work()
            self.assertEqual(self.outlet.data, self.data[:PIECE])
            self.assertEqual(self.outlet.end, "abort")
            self.assertTrue(self.isClosed())

    def test_grows(self) -> None:
        """
        What is added to it meanwhile is not sent.
        """
        self.outlet.room = 1
        self.send()
        with open(self.path, "ab") as file:
            file.write(b"more")
        self.outlet.takes(1 << 30)
        self.reactor.pump([0] * 5)
        self.assertEqual((self.outlet.data, self.outlet.end), (self.data, "finish"))

    def test_fails(self) -> None:
        """
        A disk that fails breaks the connection, from wherever it is read.
        """

        def failing(descriptor: int, size: int, offset: int) -> bytes:
            raise OSError(5, "Input/output error")

        self.send(failing)
        self.assertEqual(self.outlet.end, "abort")
        self.setUp()
        self.patch(os, "pread", failing)
        self.send(cold)
        self.reactor.work()
        self.assertEqual(self.outlet.end, "abort")
        self.assertTrue(self.isClosed())

    def test_untellable(self) -> None:
        """
        Where a file system cannot tell, reading is taken for quick.
        """

        def untellable(*arguments: Any) -> int:
            raise OSError(95, "Operation not supported")

        self.patch(os, "preadv", untellable)
        self.assertEqual(readNow(self.file.descriptor, 10, 5), self.data[5:15])
        self.file.close()

    def test_parts(self) -> None:
        """
        Bytes and parts take turns.
        """
        self.send(parts=[b"<", (1, 3), b"|", (0, 1), b">"])
        self.assertEqual(self.outlet.data, b"<" + self.data[1:3] + b"|" + self.data[:1] + b">")
