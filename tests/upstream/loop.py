"""
A poller that turns only when a test says so, on a clock, over real sockets.
"""

from __future__ import annotations

import socket

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.poller import Poller

from ..plane.harness import descriptors

__all__ = ["Loop", "LoopTests"]


class Loop(Clock):
    """
    A reactor of which only the time is real.

    @ivar poller: Started.
    """

    def __init__(self) -> None:
        super().__init__()
        self.poller = Poller(self)
        self.poller.start()

    def addReader(self, reader: object) -> None:
        """See L{IReactorFDSet}."""

    def removeReader(self, reader: object) -> None:
        """See L{IReactorFDSet}."""

    def turns(self, seconds: float = 0.0) -> None:
        """
        Let some time pass, and handle what has happened to the sockets.
        """
        self.advance(seconds)
        for _ in range(3):
            self.poller.doRead()
            self.advance(0)


class LoopTests(SynchronousTestCase):
    """
    Tests with a loop, after which no descriptor is left.
    """

    def setUp(self) -> None:
        """A loop, and nothing in it."""
        self.loop = Loop()
        self.poller = self.loop.poller
        self.addCleanup(self.poller.stop)
        before = descriptors()
        self._sockets: list[socket.socket] = []
        self.addCleanup(lambda: self.assertEqual(descriptors(), before))
        self.addCleanup(lambda: [each.close() for each in self._sockets])
        self.addCleanup(lambda: self.assertEqual((self.poller.handlers, self.poller.mortals), ({}, {})))

    def listens(self, address: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """
        A server that accepts when it is told to.
        """
        server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self._sockets.append(server)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(16)
        server.setblocking(False)
        return server

    def ignores(self, address: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """
        A server whose backlog is full: who connects to it waits.
        """
        server = self.listens(address, port)
        server.listen(0)
        while True:
            client = socket.socket(server.family)
            self._sockets.append(client)
            # More than the kernel needs for one that fits, also on a machine that is busy.
            client.settimeout(0.1)
            try:
                client.connect(server.getsockname())
            except TimeoutError:
                return server

    def refuses(self, address: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """
        A port that nobody listens on.
        """
        holder = socket.socket()
        self._sockets.append(holder)
        holder.bind((address, port))
        return holder
