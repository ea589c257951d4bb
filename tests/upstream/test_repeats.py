"""
Whole requests: what is repeated, what waits, and what is turned away.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.model import Forward, Pool, Route, Target, Timeouts

from ..plane.harness import Origin, Peer, PlaneTests, turns

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
UNBOUNDED = Pool()
AGREED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"


class Cases(PlaneTests):
    """
    One route.
    """

    async def begin(
        self, *targets: Target, protocol: Any = "http", pool: Pool = UNBOUNDED, **others: Any
    ) -> int:
        """
        The port of the route.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Forward(targets, None, pool), protocol), **others)
        return port

    async def asks(self, port: int, request: bytes = GET) -> Peer:
        """
        A client that has asked.
        """
        client = await self.client(port)
        client.sends(request)
        return client

    async def status(self, client: Peer) -> int:
        """
        What the client is answered.
        """
        head, _ = await client.message()
        return int(head[9:12])

    def leaver(self) -> Origin:
        """
        An origin that reads each request and hangs up.
        """
        origin = self.origin()

        async def script(peer: Peer) -> None:
            await peer.message()
            peer.leaves()

        origin.serves(script)
        return origin

    def tally(self, name: str) -> int:
        """
        One of the counts.
        """
        return self.plane.engine.counts[name]


class RepeatTests(Cases):
    """
    Targets that hang up without an answer.
    """

    async def test_otherTarget(self) -> None:
        """
        A request that may be sent twice is, to another target.
        """
        bad, good = self.leaver(), self.origin()
        good.answers(HELLO)
        port = await self.begin(bad.target, good.target)
        for _ in range(6):
            self.assertEqual(await self.status(await self.asks(port)), 200)
        self.assertGreater(bad.count, 1)
        self.assertEqual((self.tally("upstream_failures"), self.tally("repeats")), (0, bad.count))

    async def test_notTwice(self) -> None:
        """
        One that may not, or that has a body, is 502 where it goes wrong.
        """
        bad, good = self.leaver(), self.origin()
        good.answers(HELLO)
        port = await self.begin(bad.target, good.target)
        for request in (POST, POST.replace(b"POST", b"PUT"), b"POST / HTTP/1.1\r\nHost: a.test\r\n\r\n"):
            for _ in range(2):
                client = await self.asks(port, request)
                await self.status(client)
                client.leaves()
        self.assertEqual((bad.count, self.tally("upstream_failures")), (3, 3))

    async def test_atMostTwo(self) -> None:
        """
        It is sent twice in all, and not once more.
        """
        origins = [self.leaver() for _ in range(4)]
        port = await self.begin(*[origin.target for origin in origins])
        self.assertEqual(await self.status(await self.asks(port)), 502)
        self.assertEqual(sorted(origin.count for origin in origins), [0, 0, 1, 1])

    async def test_interimAnswer(self) -> None:
        """
        After an interim answer nothing begins again.
        """
        origin = self.origin()

        async def script(peer: Peer) -> None:
            await peer.message()
            peer.sends(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            await turns(5)
            peer.leaves()

        origin.serves(script)
        port = await self.begin(origin.target)
        client = await self.asks(port)
        await client.expects(b"HTTP/1.1 103 Early Hints\r\n")
        await client.head()
        self.assertEqual(await self.status(client), 502)
        self.assertEqual(origin.count, 1)

    async def test_budget(self) -> None:
        """
        No more than ten of a few requests are repeated.
        """
        origin = self.leaver()
        port = await self.begin(origin.target)
        for _ in range(15):
            client = await self.asks(port)
            self.assertEqual(await self.status(client), 502)
            client.leaves()
        self.assertEqual(origin.count, 25)

    async def test_breaker(self) -> None:
        """
        A target that answers nothing is passed over after five requests, also
        by those that may not be sent twice.
        """
        bad, good = self.leaver(), self.origin()
        good.answers(HELLO)
        port = await self.begin(bad.target, good.target)
        for _ in range(20):
            client = await self.asks(port, POST)
            await self.status(client)
            client.leaves()
        self.assertEqual((bad.count, self.tally("upstream_failures")), (5, 5))
        self.world.advance(10.1)
        await turns(20)
        for _ in range(4):
            await self.status(await self.asks(port, POST))
        self.assertEqual(bad.count, 6)

    async def test_lastResort(self) -> None:
        """
        One that is still passed over serves when the other one is away: what may not be sent
        twice, what may, and what the other one has cut off; each of them is sent to nobody twice.
        """
        heads: list[bytes] = []
        for cut in (False, True):
            isBack = False
            first, second = self.origin(), self.origin()

            async def failing(peer: Peer) -> None:
                while True:
                    head, _ = await peer.message()
                    if not isBack:  # noqa: B023
                        peer.leaves()
                        return
                    heads.append(head)
                    peer.sends(HELLO)

            first.serves(failing)
            second.answers(HELLO)
            port = await self.begin(first.target, second.target)
            for _ in range(10):
                await self.status(client := await self.asks(port, POST))
                client.leaves()
            self.assertEqual(first.count, 5)
            isBack = True
            before = self.tally("repeats")
            if cut:
                # It has a connection that is kept, and ends with what comes by that.
                async def ending(peer: Peer) -> None:
                    await peer.message()
                    second.port.stopListening()  # noqa: B023
                    peer.leaves()

                second.serves(ending)
                for peer in second.peers:
                    peer.leaves()
                await turns(20)
                self.assertEqual(await self.status(await self.asks(port)), 200)
                self.assertEqual(self.tally("repeats"), before + 1)
            else:
                await second.port.stopListening()
                for peer in second.peers:
                    peer.leaves()
                await turns(20)
                for request in (POST, GET, POST.replace(b"POST", b"PUT")):
                    self.assertEqual(await self.status(await self.asks(port, request)), 200)
                self.assertEqual(self.tally("repeats"), before)
        self.assertEqual([head.split()[0] for head in heads], [b"POST", b"GET", b"PUT", b"GET"])

    async def test_silence(self) -> None:
        """
        So is one that does not say a word for too long.
        """
        mute, good = self.origin(), self.origin()
        good.answers(HELLO)
        port = await self.begin(mute.target, good.target, timeouts=Timeouts(idle=50))
        clients = [await self.asks(port) for _ in range(10)]
        await self.settles(lambda: mute.count == 5, "all have asked")
        await self.settles(lambda: all(peer.data for peer in mute.peers), "all have come through")
        self.world.advance(51)
        statuses = [await self.status(client) for client in clients]
        self.assertEqual((statuses.count(200), statuses.count(504)), (5, 5))
        for _ in range(4):
            self.assertEqual(await self.status(await self.asks(port)), 200)


class PoolTests(Cases):
    """
    Targets with one connection each.
    """

    async def test_waits(self) -> None:
        """
        Requests of several clients go over the one connection, in the order in
        which they came.
        """
        origin = self.origin()
        port = await self.begin(origin.target, pool=Pool(1))
        clients = []
        for number in range(4):
            clients.append(await self.asks(port, GET.replace(b"/ ", b"/%d " % number)))
            await self.settles(lambda: self.plane.engine.open == len(clients), "it has come")
            await turns(5)
        server = await origin.accepts()
        for number, client in enumerate(clients):
            self.assertIn(b"/%d " % number, await server.head())
            server.sends(HELLO)
            self.assertEqual(await self.status(client), 200)
        self.assertEqual(origin.count, 1)

    async def test_turnedAway(self) -> None:
        """
        Too many, or for too long, is 503, and the client may go on.
        """
        origin = self.origin()
        port = await self.begin(origin.target, pool=Pool(1, 1, 2.0))
        busy, waiting = await self.asks(port), None
        server = await origin.accepts()
        await server.head()
        waiting = await self.asks(port)
        await self.settles(lambda: self.plane.engine.open == 2, "it waits")
        await turns(5)
        refused = await self.asks(port)
        self.assertEqual(await self.status(refused), 503)
        self.world.advance(2.1)
        self.assertEqual(await self.status(waiting), 503)
        self.assertEqual(self.tally("upstream_failures"), 2)
        server.sends(HELLO)
        self.assertEqual(await self.status(busy), 200)
        refused.sends(GET)
        await server.head()
        server.sends(HELLO)
        self.assertEqual(await self.status(refused), 200)

    async def test_clientGone(self) -> None:
        """
        A client that resets while it waits is not served; the next one is.
        """
        origin = self.origin()
        port = await self.begin(origin.target, pool=Pool(1))
        busy = await self.asks(port)
        server = await origin.accepts()
        await server.head()
        gone = await self.asks(port, GET.replace(b"/ ", b"/gone "))
        await self.settles(lambda: self.plane.engine.open == 2, "it waits")
        await turns(5)
        last = await self.asks(port, GET.replace(b"/ ", b"/last "))
        await self.settles(lambda: self.plane.engine.open == 3, "it waits")
        await turns(5)
        gone.breaks()
        await self.settles(lambda: self.plane.engine.open == 2, "it is gone")
        server.sends(HELLO)
        self.assertEqual(await self.status(busy), 200)
        self.assertIn(b"/last ", await server.head())
        server.sends(HELLO)
        self.assertEqual(await self.status(last), 200)

    async def test_clientGoneInUse(self) -> None:
        """
        A client that resets during its answer frees the connection for the next.
        """
        origin = self.origin()
        port = await self.begin(origin.target, pool=Pool(1))
        busy = await self.asks(port)
        server = await origin.accepts()
        await server.head()
        waiting = await self.asks(port)
        await self.settles(lambda: self.plane.engine.open == 2, "it waits")
        busy.breaks()
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        self.assertEqual(await self.status(waiting), 200)

    async def test_upgrade(self) -> None:
        """
        A connection that speaks another protocol is in use until it ends.
        """
        origin = self.origin()
        port = await self.begin(origin.target, pool=Pool(1))
        chatter = await self.asks(port, UPGRADE)
        server = await origin.accepts()
        await server.head()
        server.sends(AGREED)
        await chatter.head()
        waiting = await self.asks(port)
        await self.settles(lambda: self.plane.engine.open == 2, "it waits")
        await turns(20)
        self.assertEqual(origin.count, 1)
        chatter.breaks()
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        self.assertEqual(await self.status(waiting), 200)

    async def test_streams(self) -> None:
        """
        Connections that are not HTTP are bounded likewise; one that is turned
        away is closed.
        """
        origin = self.origin()
        port = await self.begin(origin.target, protocol="tcp", pool=Pool(1, 1))
        first = await self.client(port)
        await origin.accepts()
        second = await self.client(port)
        await self.settles(lambda: self.plane.engine.open == 2, "it waits")
        await turns(5)
        third = await self.client(port)
        await third.loses()
        first.breaks()
        server = await origin.accepts()
        second.sends(b"hi")
        await server.expects(b"hi")
        second.breaks()
        await self.isIdle()
        await self.client(port)
        await origin.accepts()

    async def test_routesGone(self) -> None:
        """
        When the routes of those who wait are gone they are served all the same.
        """
        origin = self.origin()
        port = await self.begin(origin.target, pool=Pool(1))
        busy = await self.asks(port)
        server = await origin.accepts()
        await server.head()
        waiting = await self.asks(port)
        await self.settles(lambda: self.plane.engine.open == 2, "it waits")
        await turns(5)
        await self.use()
        server.sends(HELLO)
        self.assertEqual(await self.status(busy), 200)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        self.assertEqual(await self.status(waiting), 200)

    async def test_cut(self) -> None:
        """
        What waits when the proxy stops is cut, and leaves nothing.
        """
        origin = self.origin()
        port = await self.begin(origin.target, pool=Pool(1))
        busy, waiting = await self.asks(port), await self.asks(port)
        await origin.accepts()
        await self.settles(lambda: self.plane.engine.open == 2, "it waits")
        await self.plane.drain(0)
        await busy.loses()
        await waiting.loses()
