"""
Tests for L{smartproxy_tw.upstream.shared}: targets whose connections carry many exchanges.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.model import Ejection, Forward, Health, Pool, Route, Timeouts

from ..plane.harness import PlaneTests, turns
from ..plane.targets import Asked, Multiplexed, Server

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
ANY = Pool()


def answer(server: Server, asked: Asked) -> None:
    """
    At once.
    """
    server.answers(asked, body=b"x")


class SharedTests(PlaneTests):
    """
    One target, or two.
    """

    async def begin(self, *hosts: str, pool: Pool = ANY, **others: Any) -> int:
        """
        Targets by name, or two by address.
        """
        self.targets = [Multiplexed(self.origin(), answer) for _ in range(1 if hosts else 2)]
        known = [each.target() for each in self.targets]
        if hosts:
            from dataclasses import replace

            known = [replace(known[0], host=host) for host in hosts]
        port = await self.port()
        await self.use(Route("a", (port,), Forward(tuple(known), pool=pool), "http"), **others)
        return port

    async def asks(self, port: int, times: int) -> list[bytes]:
        """
        What so many clients get that ask at a time.
        """
        clients = [await self.client(port) for _ in range(times)]
        for client in clients:
            client.sends(GET)
        heads = [(await client.message())[0][9:12] for client in clients]
        for client in clients:
            client.leaves()
        return heads

    async def test_turns(self) -> None:
        """
        Targets take turns, with a connection each.
        """
        port = await self.begin()
        for _ in range(5):
            self.assertEqual(await self.asks(port, 4), [b"200"] * 4)
        self.assertEqual([each.count for each in self.targets], [1, 1])
        counts = [len(each.servers[0].all) for each in self.targets]
        self.assertLess(abs(counts[0] - counts[1]), 10, counts)

    async def test_refuses(self) -> None:
        """
        One that refuses is passed over, and nobody waits for it; when all do it is 502 for
        all who wait.
        """
        port = await self.begin()
        await self.targets[0].origin.port.stopListening()  # type: ignore[misc]
        self.assertEqual(await self.asks(port, 6), [b"200"] * 6)
        for server in self.targets[1].servers:
            server.peer.breaks()
        await self.targets[1].origin.port.stopListening()  # type: ignore[misc]
        await turns(5)
        self.assertEqual(await self.asks(port, 6), [b"502"] * 6)

    async def test_moves(self) -> None:
        """
        A name that moves away takes along the connections that are kept, and those in use
        when they have ended.
        """
        self.world.nameResolver.known["app.test"] = ["127.0.0.1"]
        port = await self.begin("app.test")
        self.assertEqual(await self.asks(port, 2), [b"200"] * 2)
        server = self.targets[0].servers[0]
        [place] = [
            place
            for group in self.plane._groups.values()
            for places in group._all.values()
            for place in places
        ]
        place.moved(["127.0.0.9"])
        await server.peer.ends()
        self.assertEqual(place.open, 0)

    async def test_counts(self) -> None:
        """
        Connections are counted, not what they carry.
        """
        port = await self.begin("127.0.0.1", pool=Pool(1, 10, 5.0))
        self.assertEqual(await self.asks(port, 10), [b"200"] * 10)
        self.assertEqual(self.targets[0].count, 1)

    async def test_slow(self) -> None:
        """
        Who waits for a connection that cannot be made waits no longer than one may take: that is 504
        for all, since none is in use.
        """
        port = await self.begin("slow.test", timeouts=Timeouts(connect=3, idle=300))
        self.world.nameResolver.isSilent = True
        clients = [await self.client(port) for _ in range(3)]
        for client in clients:
            client.sends(GET)
        await turns(10)
        self.world.advance(3.1)
        await self.swept()
        for client in clients:
            self.assertEqual((await client.head())[9:12], b"504")

    async def test_slowPool(self) -> None:
        """
        With a pool that is too small for them it is 503 for who waits, and 504 for whose connection it was.
        """
        port = await self.begin("slow.test", pool=Pool(1, 10, 2.0), timeouts=Timeouts(connect=3, idle=300))
        self.world.nameResolver.isSilent = True
        clients = [await self.client(port) for _ in range(3)]
        for client in clients:
            client.sends(GET)
            await turns(10)
        self.world.advance(2.1)
        await self.swept()
        for client in clients[1:]:
            self.assertEqual((await client.head())[9:12], b"503")
        self.world.advance(1)
        await self.swept()
        self.assertEqual((await clients[0].head())[9:12], b"504")

    async def test_waitersGo(self) -> None:
        """
        Clients that go while they wait leave nothing, whether theirs was the connection
        being made or not.
        """
        port = await self.begin("slow.test")
        self.world.nameResolver.isSilent = True
        clients = [await self.client(port) for _ in range(3)]
        for client in clients:
            client.sends(GET)
        await turns(10)
        for client in clients:
            client.breaks()
            await turns(5)
        await self.isIdle()
        [place] = [
            place
            for group in self.plane._groups.values()
            for places in group._all.values()
            for place in places
        ]
        self.assertEqual((place.open, place._dialled), (0, 0))

    async def test_busy(self) -> None:
        """
        How busy a target is, for who chooses the least busy one, is a matter of exchanges.
        """
        port = await self.begin("127.0.0.1")
        self.targets[0].then = None
        clients = [await self.client(port) for _ in range(3)]
        for client in clients:
            client.sends(GET)
        server = await self.targets[0].accepts()
        asked = [await server.whole() for _ in clients]
        [place] = [
            place
            for group in self.plane._groups.values()
            for places in group._all.values()
            for place in places
        ]
        self.assertEqual((place.busy, place.open), (3, 1))
        counts = await self.plane.tally()
        self.assertEqual([v for k, v in counts.items() if k.startswith("target_busy")], [3])
        for each in asked:
            server.answers(each)
        for client in clients:
            await client.message()
        self.assertEqual((place.busy, place.open), (0, 1))

    async def test_erred(self) -> None:
        """
        Answers whose status counts as a failure do here too.
        """
        target = Multiplexed(self.origin(), lambda server, asked: server.answers(asked, b"503", body=b"x"))
        port = await self.port()
        for statuses, isAway in ((frozenset({503}), True), (frozenset({500}), False)):
            health = Health(None, Ejection(2, statuses=statuses))
            await self.use(Route("a", (port,), Forward((target.target(),), health=health), "http"))
            self.assertEqual(await self.asks(port, 2), [b"503"] * 2)
            [place] = [
                place
                for group in self.plane._groups.values()
                for places in group._all.values()
                for place in places
            ]
            self.assertEqual(place.isAway, isAway)
