"""
Patience with streams that flow.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Forward, Route
from smartproxy_tw.plane.patience import MUCH, Patience, Patient
from smartproxy_tw.plane.poller import Poller
from smartproxy_tw.plane.tunnel import Half

from .harness import PlaneTests, turns

TICK = 0.002


class Readers(Clock):
    """
    A clock that a poller can be registered with.
    """

    def addReader(self, reader: object) -> None:
        """Nothing is ever read."""

    def removeReader(self, reader: object) -> None:
        """Nothing is ever read."""


def expected(sock: socket.socket) -> int:
    """
    How much has to come before it is told.
    """
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


class PatientTests(SynchronousTestCase):
    """
    L{Patient}, with looks that a test decides about.
    """

    def setUp(self) -> None:
        """
        One stream.
        """
        self.clock = Readers()
        self.poller = Poller(self.clock)
        self.addCleanup(self.poller._epoll.close)
        self.sock = socket.socket()
        self.addCleanup(self.sock.close)
        self.looks = 0
        self.finds = True
        self.crashes = 0
        self.patience = Patience(self.poller)
        self.patient = Patient(self.patience, self.sock, self.look, self)

    def look(self) -> bool:
        """A look at the stream."""
        self.looks += 1
        return self.finds

    def crash(self) -> None:
        """Break it."""
        self.crashes += 1

    def test_flows(self) -> None:
        """
        While it flows much is waited for, and it is looked at all the time.
        """
        self.assertEqual(expected(self.sock), 1)
        self.patient.flow()
        self.patient.flow()
        self.assertEqual(expected(self.sock), MUCH)
        self.clock.pump([TICK] * 5)
        self.assertEqual(self.looks, 5)

    def test_vain(self) -> None:
        """
        When nothing was found for some time it is listened to as others are, and nobody
        looks any more.
        """
        self.patient.flow()
        self.finds = False
        self.clock.pump([TICK] * 7)
        self.finds = True
        self.clock.pump([TICK])
        self.finds = False
        self.clock.pump([TICK] * 7)
        self.assertEqual(expected(self.sock), MUCH)
        self.clock.pump([TICK] * 20)
        self.assertEqual((expected(self.sock), self.looks), (1, 16))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_rests(self) -> None:
        """
        Nobody looks at one whose reader is slow; it begins again where it was.
        """
        self.patient.flow()
        self.patient.rest()
        self.clock.pump([TICK] * 3)
        self.assertEqual((expected(self.sock), self.looks, self.clock.getDelayedCalls()), (MUCH, 0, []))
        self.patient.flow()
        self.clock.pump([TICK] * 3)
        self.assertEqual(self.looks, 3)

    def test_several(self) -> None:
        """
        All are looked at together, and one that another's look has ended is not.
        """
        other = Patient(self.patience, self.sock, self.fail, self)

        def ends() -> bool:
            other.end()
            return True

        first = Patient(self.patience, self.sock, ends, self)
        for each in (first, other, self.patient):
            each.flow()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([TICK])
        self.assertEqual(self.looks, 1)

    def test_bug(self) -> None:
        """
        A bug in a look ends that stream, and the others are looked at.
        """

        def bug() -> bool:
            raise ZeroDivisionError("a bug")

        Patient(self.patience, self.sock, bug, self).flow()
        self.patient.flow()
        self.clock.pump([TICK])
        self.assertEqual((self.crashes, self.looks), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_closed(self) -> None:
        """
        A socket that is closed already is no error.
        """
        self.patient.flow()
        self.sock.close()
        self.patient.end()


class StreamTests(PlaneTests):
    """
    Streams through a plane.
    """

    async def begin(self, protocol: Any) -> tuple[Any, Any]:
        """
        Both ends of a connection.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(Route("all", (port,), Forward((origin.target,)), protocol))
        client = await self.client(port)
        if protocol == "http":
            client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        return client, await origin.accepts()

    def waiting(self) -> int:
        """
        How many are waited for.
        """
        return len(self.plane.engine.patience._waiting)

    async def test_tail(self) -> None:
        """
        What is too little to be told arrives all the same, again and again, while the
        stream stays open; a stream that has become a conversation is nobody's patient.
        """
        client, server = await self.begin("tcp")
        flood = b"x" * (24 * MUCH)
        for _ in range(3):
            server.sends(flood)
            self.assertEqual(len(await client.takes(len(flood))), len(flood))
            for word in (b"tail", b"y" * (MUCH - 1), b"z"):
                server.sends(word)
                await client.expects(word)
        await self.settles(lambda: not self.waiting(), "nobody is waited for")
        [tunnel] = [each for each in self.plane.engine._alive if hasattr(each, "_down")]
        half: Half = tunnel._down
        self.assertEqual(expected(half.source.sock), 1)
        client.sends(b"ping")
        await server.expects(b"ping")
        server.sends(b"pong")
        await client.expects(b"pong")
        server.finishes()
        await client.ends()
        client.leaves()
        await self.isIdle()

    async def test_patient(self) -> None:
        """
        A stream that flows is waited for, and no more when it ends.
        """
        client, server = await self.begin("tcp")
        seen = []
        client.watch = lambda data: seen.append(self.waiting())
        server.sends(b"x" * (64 * MUCH))
        server.leaves()
        await client.until(lambda: client.isOver, "the end")
        self.assertEqual(client.received, 64 * MUCH)
        self.assertIn(1, seen)
        client.leaves()
        await self.isIdle()
        self.assertEqual(self.waiting(), 0)

    async def test_slowReader(self) -> None:
        """
        Nobody looks after one whose reader takes nothing.
        """
        client, server = await self.begin("tcp")
        client.transport.pauseProducing()
        size = 128 * MUCH
        server.sends(b"x" * size)
        [tunnel] = [each for each in self.plane.engine._alive if hasattr(each, "_down")]
        await self.settles(lambda: bool(tunnel._down.sink.pending), "the client takes no more")
        await turns(20)
        self.assertEqual(self.waiting(), 0)
        client.transport.resumeProducing()
        self.assertEqual(len(await client.takes(size)), size)

    async def test_answer(self) -> None:
        """
        The same with the body of an answer that pauses before its end, and the connection
        is good for the next one.
        """
        client, server = await self.begin("http")
        size = 40 * MUCH
        for _ in range(2):
            await server.head()
            server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * (size - 5 * MUCH))
            head = await client.head()
            self.assertIn(b"200", head)
            await client.takes(size - 5 * MUCH)
            server.sends(b"y" * (5 * MUCH - 1))
            await client.takes(5 * MUCH - 1)
            server.sends(b"z")
            await client.expects(b"z")
            client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        await server.head()
        self.assertEqual(self.waiting(), 0)
        server.sends(b"HTTP/1.1 204 No Content\r\n\r\n")
        await client.head()

    async def test_upload(self) -> None:
        """
        And with the body of a request; the client's connection is listened to as any other
        afterwards.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(Route("all", (port,), Forward((origin.target,)), "http"))
        client = await self.client(port)
        size = 40 * MUCH
        client.sends(b"PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size)
        server = await origin.accepts()
        await server.head()
        client.sends(b"x" * (size - 5 * MUCH))
        await server.takes(size - 5 * MUCH)
        client.sends(b"y" * (5 * MUCH - 1))
        await server.takes(5 * MUCH - 1)
        client.sends(b"z")
        await server.expects(b"z")
        self.assertEqual(self.waiting(), 0)
        for _ in range(2):
            server.sends(b"HTTP/1.1 204 No Content\r\n\r\n")
            await client.head()
            client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            await server.head()

    async def test_uploadBroken(self) -> None:
        """
        Nobody is waited for when the client leaves in the middle.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(Route("all", (port,), Forward((origin.target,)), "http"))
        client = await self.client(port)
        size = 40 * MUCH
        client.sends(b"PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size)
        server = await origin.accepts()
        await server.head()
        client.sends(b"x" * (size // 2))
        await server.takes(size // 2)
        client.breaks()
        await server.loses()
        await self.isIdle()
        self.assertEqual(self.waiting(), 0)
