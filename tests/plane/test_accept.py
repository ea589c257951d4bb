"""
Accepting connections, and not accepting them.
"""

from __future__ import annotations

import errno
import os
import resource
import socket

from twisted.logger import capturedLogs
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from smartproxy_tw.config.model import Forward, Limits, Respond, Route
from smartproxy_tw.facts import Address
from smartproxy_tw.plane.accept import addressOf

from .harness import TERMINATE, PlaneTests, field, lacksIPv6, turns

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


class AddressTests(SynchronousTestCase):
    """
    L{addressOf}.
    """

    def test_normalForm(self) -> None:
        """
        Mapped addresses appear as IPv4, scopes are left out, a unix socket has
        no port.
        """
        for given, wanted in (
            (("127.0.0.1", 80), Address("127.0.0.1", 80)),
            (("::ffff:10.0.0.1", 80, 0, 0), Address("10.0.0.1", 80)),
            (("2001:db8::1", 80, 0, 0), Address("2001:db8::1", 80)),
            (("fe80::1%eth0", 80, 0, 2), Address("fe80::1", 80)),
            ("", Address("unix", 0)),
            ("/run/x", Address("/run/x", 0)),
        ):
            self.assertEqual(addressOf(given), wanted)


class AcceptTests(PlaneTests):
    """
    A port.
    """

    async def begin(self, limit: int, **others: object) -> int:
        """
        An HTTP port.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="a"), "http"), limits=Limits(connections=limit))
        return port

    async def test_dualStack(self) -> None:
        """
        Clients of a dual-stack port appear with their own addresses.
        """
        if why := lacksIPv6():
            raise SkipTest(why)
        port = await self.port("::")
        origin = self.origin()
        await self.use(Route("a", (port,), Forward((origin.target,)), "http"))
        for host in ("127.0.0.1", "::1"):
            client = await self.client(port, host=host)
            client.sends(GET + GET)
            server = await origin.accepts() if host == "127.0.0.1" else server  # noqa: F821
            for _ in range(2):
                self.assertEqual(field(await server.head(), b"x-forwarded-for"), host.encode())
                server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            for _ in range(2):
                await client.head()

    async def test_burst(self) -> None:
        """
        A burst larger than a batch is accepted whole.
        """
        port = await self.begin(1000)
        clients = [await self.client(port) for _ in range(200)]
        for client in clients:
            client.sends(GET)
        for client in clients:
            await client.head()
        self.assertEqual((await self.plane.tally())["open"], 200)

    async def test_shared(self) -> None:
        """
        Who shares its port with others, and steps back again and again, misses
        nobody of a burst.
        """
        self.plane.engine.sharesPorts = True
        await self.test_burst()

    async def test_limit(self) -> None:
        """
        One connection too many is refused, politely where it speaks HTTP, and
        taken again when there is room.
        """
        port = await self.begin(3)
        clients = [await self.client(port) for _ in range(3)]
        for client in clients:
            client.sends(GET)
            await client.message()
        late = await self.client(port)
        late.sends(GET)
        head = await late.head()
        self.assertTrue(head.startswith(b"HTTP/1.1 503 "))
        self.assertEqual(field(head, b"retry-after"), b"1")
        await late.loses()
        clients[0].leaves()
        await self.settles(lambda: self.plane.engine.open == 2, "there is room")
        again = await self.client(port)
        again.sends(GET)
        self.assertTrue((await again.head()).startswith(b"HTTP/1.1 200 "))
        self.assertEqual((await self.plane.tally())["overflows"], 1)

    async def test_limitOfAWorker(self) -> None:
        """
        One of several workers goes by its share, and says so.
        """
        port = await self.port()
        await self.use(
            Route("a", (port,), Respond(body="a"), "http"), limits=Limits(connections=1), workers=3
        )
        first = await self.client(port)
        first.sends(GET)
        await first.message()
        with capturedLogs() as events:
            late = await self.client(port)
            late.sends(GET)
            await late.head()
        self.assertEqual(events[0]["reason"], "limits.connections is 1 for each of 3 workers")

    async def test_limitWithTLS(self) -> None:
        """
        Where the client expects TLS there is nothing to say.
        """
        port = await self.port()
        await self.certify("a.test")
        await self.use(
            Route("a", (port,), Respond(body="a"), "http", tls=TERMINATE), limits=Limits(connections=1)
        )
        first = await self.tls(port)
        self.assertTrue(first.isShaken)
        second = await self.client(port)
        self.assertEqual(await second.loses(), b"")

    async def test_roomForTheOtherSide(self) -> None:
        """
        No more are taken than have a descriptor for the connection to their
        target as well, whatever limits.connections says; and it is told why.
        """
        port = await self.port()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64 + 2 * 3, before[1]))
        try:
            await self.use(Route("a", (port,), Respond(body="a"), "http"), limits=Limits(connections=20000))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        clients = [await self.client(port) for _ in range(3)]
        for client in clients:
            client.sends(GET)
            await client.message()
        with capturedLogs() as events:
            late = await self.client(port)
            late.sends(GET)
            self.assertTrue((await late.head()).startswith(b"HTTP/1.1 503 "))
        self.assertIn("the limit of open files allows 3", events[0]["reason"])

    async def test_noDescriptors(self) -> None:
        """
        Without descriptors the port rests, says so once, and takes up again
        what waited.
        """
        port = await self.begin(1000)
        clients = []
        for _ in range(3):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(GET)
            clients.append(client)
        self.addCleanup(lambda: [client.close() for client in clients])
        self.before["socket:"] += 3
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        spare = os.open("/dev/null", os.O_RDONLY)
        os.close(spare)
        with capturedLogs() as events:
            resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
            try:
                await turns(20)
                for _ in range(3):
                    self.world.advance(0.3)
                    await turns(20)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        complaints = [event for event in events if "cannot accept" in (event.get("log_format") or "")]
        self.assertEqual(len(complaints), 1)
        self.assertEqual((complaints[0]["port"], complaints[0]["reason"]), (port, os.strerror(errno.EMFILE)))
        self.assertEqual(self.plane.engine.open, 0)
        self.world.advance(0.3)
        await self.settles(lambda: self.plane.engine.open == 3, "they are accepted")
        for client in clients:
            client.settimeout(60)
            await self.settles(lambda: bool(_peek(client)), "it is answered")  # noqa: B023

    async def test_noDescriptorsForTargets(self) -> None:
        """
        Without a descriptor for its target a request is 502, and the next one
        is served.
        """
        port = await self.port()
        origin = self.origin()
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await self.use(Route("a", (port,), Forward((origin.target,)), "http"))
        client = await self.client(port)
        await self.settles(lambda: self.plane.engine.open == 1, "it is accepted")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        spare = os.open("/dev/null", os.O_RDONLY)
        os.close(spare)
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
        try:
            client.sends(GET)
            head, _ = await client.message()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertTrue(head.startswith(b"HTTP/1.1 502 "))
        client.sends(GET)
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 200 "))


def _peek(client: socket.socket) -> bytes:
    try:
        return client.recv(100, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""
