"""
Targets that take turns, and the connections that are kept to them.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.model import Forward, Route, Target, Timeouts
from smartproxy_tw.plane.link import Link

from ..plane.harness import Origin, PlaneTests, reactor, turns

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


def named(name: bytes) -> bytes:
    """
    An answer that says who gave it.
    """
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name)


class GroupTests(PlaneTests):
    """
    One route with several targets.
    """

    async def begin(self, *targets: Target, **others: Any) -> int:
        """
        The port of the route.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Forward(targets), "http"), **others)
        return port

    def three(self) -> tuple[Origin, Origin, Origin]:
        """
        Three origins that say their names.
        """
        origins = self.origin(), self.origin(), self.origin()
        for origin, name in zip(origins, (b"one", b"two", b"three"), strict=True):
            origin.answers(named(name))
        return origins

    async def asks(self, port: int, times: int) -> list[bytes]:
        """
        Ask on one connection.
        """
        client = await self.client(port)
        answers = []
        for _ in range(times):
            client.sends(GET)
            answers.append((await client.message())[1])
        return answers

    async def test_turns(self) -> None:
        """
        Targets take turns, over connections of any client, and each
        connection to them is used again.
        """
        origins = self.three()
        port = await self.begin(*[origin.target for origin in origins])
        answers = await self.asks(port, 4) + await self.asks(port, 5)
        self.assertEqual({answers.count(name) for name in (b"one", b"two", b"three")}, {3})
        for index in range(len(answers) - 1):
            self.assertNotEqual(answers[index], answers[index + 1])
        self.assertEqual([origin.count for origin in origins], [1, 1, 1])

    async def test_streamsTakeTurns(self) -> None:
        """
        So do they for connections that are not HTTP.
        """
        origins = self.three()
        port = await self.port()
        await self.use(Route("t", (port,), Forward(tuple(origin.target for origin in origins)), "tcp"))
        for _ in range(6):
            await self.client(port)
        await self.settles(lambda: [origin.count for origin in origins] == [2, 2, 2], "each has two")

    async def test_nextWhenRefused(self) -> None:
        """
        One that refuses is passed over for the next, for any method.
        """
        origin = self.origin()
        origin.answers(named(b"alive"))
        dead = Target("127.0.0.1", self.deadPort())
        port = await self.begin(dead, origin.target, dead)
        self.assertEqual(await self.asks(port, 4), [b"alive"] * 4)
        client = await self.client(port)
        for _ in range(3):
            client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi")
            self.assertEqual((await client.message())[1], b"alive")

    async def test_allRefuse(self) -> None:
        """
        When all do it is 502, and the failure names each.
        """
        port = await self.begin(*[Target("127.0.0.1", self.deadPort()) for _ in range(2)])
        self.assertEqual(await self.asks(port, 1), [b"502 Bad Gateway\n"])

    async def test_lastIsSlow(self) -> None:
        """
        When the last one has not answered in time it is 504.
        """
        self.world.nameResolver.isSilent = True
        port = await self.begin(
            Target("slow.test", 80), Target("slower.test", 80), timeouts=Timeouts(connect=3, idle=300)
        )
        client = await self.client(port)
        client.sends(GET)
        await self.settles(lambda: len(self.world.nameResolver.asked) == 1, "one is asked for")
        self.world.advance(3.1)
        await self.settles(lambda: len(self.world.nameResolver.asked) == 2, "the other is asked for")
        self.world.advance(3.1)
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 504 "))

    async def test_preserve(self) -> None:
        """
        A target without a port of its own is connected to at the port that the
        client chose.
        """
        one, two = await self.port(), await self.port()
        origins = []
        for number in (one, two):
            origin = Origin()
            origin.port = reactor.listenTCP(number, origin.factory, interface="127.0.0.2")
            self._origins.append(origin)
            origin.answers(named(b"%d" % number))
            origins.append(origin)
        await self.use(Route("a", (one, two), Forward((Target("127.0.0.2", None),)), "http"))
        for _ in range(2):
            self.assertEqual(await self.asks(one, 2), [b"%d" % one] * 2)
            self.assertEqual(await self.asks(two, 2), [b"%d" % two] * 2)
        self.assertEqual([origin.count for origin in origins], [1, 1])

    async def test_sharedByPorts(self) -> None:
        """
        Ports of one route share the connections to a target with a port of its
        own.
        """
        origin = self.origin()
        origin.answers(named(b"x"))
        one, two = await self.port(), await self.port()
        await self.use(Route("a", (one, two), Forward((origin.target,)), "http"))
        await self.asks(one, 1)
        await self.asks(two, 1)
        self.assertEqual(origin.count, 1)

    async def test_keptForAMinute(self) -> None:
        """
        A connection that nobody needs is closed after a minute.
        """
        origin = self.origin()
        origin.answers(named(b"x"))
        port = await self.begin(origin.target)
        await self.asks(port, 1)
        self.world.advance(59)
        await turns(20)
        self.assertFalse(origin.peers[0].isOver)
        self.world.advance(1.1)
        await origin.peers[0].loses()
        await self.asks(port, 1)
        self.assertEqual(origin.count, 2)

    async def test_lastGivenBackIsFirstLent(self) -> None:
        """
        Those that are not needed grow old.
        """
        origin = self.origin()
        port = await self.begin(origin.target)
        clients = [await self.client(port) for _ in range(3)]
        for client in clients:
            client.sends(GET)
        servers = [await origin.accepts() for _ in clients]
        for server in servers:
            await server.head()
            server.sends(named(b"x"))
        for client in clients:
            await client.message()
        for _ in range(3):
            self.world.advance(25)
            clients[0].sends(GET)
            await self.settles(lambda: any(server.data for server in servers), "it is asked")
            [server] = [server for server in servers if server.data]
            await server.head()
            server.sends(named(b"x"))
            await clients[0].message()
        await self.settles(lambda: sum(server.isOver for server in servers) == 2, "two grew old")

    async def test_routesGone(self) -> None:
        """
        When its routes are gone a group keeps nothing: idle connections close,
        one in use closes when its answer is given.
        """
        origin = self.origin()
        port = await self.begin(origin.target)
        idle, busy = await self.client(port), await self.client(port)
        for client in (idle, busy):
            client.sends(GET)
        first, second = await origin.accepts(), await origin.accepts()
        for server in (first, second):
            await server.head()
        first.sends(named(b"x"))
        await self.settles(lambda: bool(idle.data or busy.data), "one is answered")
        await self.use()
        await first.loses()
        second.sends(named(b"y"))
        await second.loses()
        await self.settles(lambda: bool(idle.data and busy.data), "both are answered")
        self.assertEqual([each for each in self.plane.engine.poller.mortals if isinstance(each, Link)], [])

    async def test_sameTargetsStay(self) -> None:
        """
        A new table with the same targets goes on with the connections there.
        """
        origin = self.origin()
        origin.answers(named(b"x"))
        port = await self.begin(origin.target)
        await self.asks(port, 1)
        await self.use(
            Route("other", (port,), Forward((origin.target,)), "http", ("a.test",)),
        )
        await self.asks(port, 1)
        self.assertEqual(origin.count, 1)
