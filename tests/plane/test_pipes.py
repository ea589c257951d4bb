"""
Pipes to splice through.
"""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane import pipes as module
from smartproxy_tw.plane.pipes import Pipe, Pipes

from .harness import descriptors


class PipesTests(SynchronousTestCase):
    """
    L{Pipes}.
    """

    def setUp(self) -> None:
        """Two pairs of sockets: from and to."""
        self.before = descriptors()
        self.feeder, self.source = socket.socketpair()
        self.sink, self.reader = socket.socketpair()
        self.source.setblocking(False)
        self.sink.setblocking(False)

    def tearDown(self) -> None:
        """Nothing is left."""
        for sock in (self.feeder, self.source, self.sink, self.reader):
            sock.close()
        self.assertEqual(descriptors(), self.before)

    def test_passes(self) -> None:
        """
        What is pulled is pushed, no more than asked for.
        """
        pipe = Pipe()
        self.assertRaises(BlockingIOError, pipe.pull, self.source.fileno(), 100)
        self.feeder.send(b"hello world")
        self.assertEqual(pipe.pull(self.source.fileno(), 5), 5)
        self.assertTrue(pipe.push(self.sink.fileno()))
        self.assertEqual((self.reader.recv(100), pipe.held), (b"hello", 0))
        self.feeder.close()
        self.assertEqual(pipe.pull(self.source.fileno(), 100), 6)
        pipe.push(self.sink.fileno())
        self.assertEqual(pipe.pull(self.source.fileno(), 100), 0)
        pipe.close()

    def test_lentAgain(self) -> None:
        """
        An empty pipe is lent again; one with bytes in it never is.
        """
        pipes = Pipes()
        pipe = pipes.borrow()
        assert pipe is not None
        pipes.giveBack(pipe)
        self.assertIs(pipes.borrow(), pipe)
        self.feeder.send(b"secret")
        pipe.pull(self.source.fileno(), 100)
        pipes.giveBack(pipe)
        other = pipes.borrow()
        assert other is not None
        self.assertIsNot(other, pipe)
        pipes.giveBack(other)
        pipes.close()

    def test_bounded(self) -> None:
        """
        There are so many and no more; closing gives all their room back.
        """
        pipes = Pipes(10)
        lent = [pipes.borrow() for _ in range(11)]
        self.assertIsNone(lent.pop())
        for pipe in lent:
            assert pipe is not None
            pipes.giveBack(pipe)
        pipes.close()
        again = [pipes.borrow() for _ in range(10)]
        self.assertNotIn(None, again)
        for pipe in again:
            assert pipe is not None
            pipes.giveBack(pipe)
        pipes.close()

    def test_noneToBeHad(self) -> None:
        """
        Where the system gives none, or only small ones, there are none.
        """

        def refuses(flags: int) -> tuple[int, int]:
            raise OSError(24, os.strerror(24))

        self.patch(module.os, "pipe2", refuses)
        self.assertIsNone(Pipes().borrow())

    def test_small(self) -> None:
        """
        A pipe that is too small to be worth it is closed.
        """
        self.patch(module, "_LEAST", 1 << 30)
        pipes = Pipes()
        for _ in range(100):
            self.assertIsNone(pipes.borrow())
