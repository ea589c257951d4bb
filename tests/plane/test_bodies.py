"""
Limits of request bodies, answers that come before the body was read, and that
every request leaves one record however it ends.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smartproxy_tw.config.model import AccessLog, Limits, Respond, Route, Timeouts

from .conversation import GET, HELLO, SessionTests, status
from .harness import TERMINATE, Peer, field, turns

FIXED = b"POST %s HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n%s\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
TEN = Limits(bodyBytes=10)


class LimitTests(SessionTests):
    """
    limits.body_bytes.
    """

    async def test_announced(self) -> None:
        """
        A body that says that it is too long is 413, before the target hears of
        it, whatever the route does, and in place of 100.
        """
        here = Route("here", (1,), Respond(body="here"), "http", path="/here")
        port, origin = await self.begin(here, limits=TEN)
        for path in (b"/", b"/here"):
            for more in (b"", b"Expect: 100-continue\r\n"):
                client = await self.client(port)
                client.sends(FIXED % (path, 11, more))
                head, body = await client.message()
                self.assertEqual((status(head), field(head, b"connection")), (413, b"close"))
                self.assertEqual(body, b"413 Content Too Large\n")
                await client.ends()
                client.leaves()
        await self.isIdle()
        self.assertEqual((origin.count, self.plane.engine.counts["refusals"]), (0, 4))

    async def test_within(self) -> None:
        """
        One that is just within is served, fixed or in chunks, whose framing
        does not count; and by default there is no limit.
        """
        for limits, size in ((TEN, 10), (Limits(), 3_000_000)):
            port, origin = await self.begin(limits=limits)
            origin.answers(HELLO)
            client = await self.client(port)
            client.sends(FIXED % (b"/", size, b"") + bytes(size))
            await client.expects(HELLO)
            client.sends(CHUNKED + b"1;x=y\r\nx\r\n" * (size // 2 % 6) + b"0\r\n\r\n")
            await client.expects(HELLO)
            client.sends(CHUNKED + b"%x\r\n" % size + bytes(size) + b"\r\n0\r\nX-Long-Trailer: 1\r\n\r\n")
            await client.expects(HELLO)

    async def test_counted(self) -> None:
        """
        Chunks are counted as their sizes come, cut wherever it may be; the
        target's connection is cut, so that it never has a whole request.
        """
        port, origin = await self.begin(limits=TEN)
        body = b"8\r\n01234567\r\n3\r\n"
        for cut in range(1, len(body)):
            client = await self.client(port)
            client.sends(CHUNKED)
            client.sends(body[:cut])
            server = await origin.accepts()
            await server.head()
            client.sends(body[cut:])
            self.assertEqual(status(await client.head()), 413, cut)
            self.assertNotIn(b"\r\n0\r\n", await server.loses())
            client.leaves()

    async def test_countedAtOnce(self) -> None:
        """
        Where the first bytes say it already, the target hears nothing.
        """
        port, origin = await self.begin(limits=TEN)
        client = await self.client(port)
        client.sends(CHUNKED + b"b\r\n")
        self.assertEqual(status(await client.head()), 413)
        await client.ends()
        self.assertEqual(origin.count, 0)

    async def test_stillSending(self) -> None:
        """
        A client that sends all of a long body before it reads gets its answer,
        in plain and over TLS: it is not destroyed by a reset.
        """
        plain, secret = await self.port(), await self.port()
        await self.certify("a.test")
        answer = Respond(body="x")
        await self.use(
            Route("plain", (plain,), answer, "http"),
            Route("secret", (secret,), answer, "http", tls=TERMINATE),
            limits=TEN,
        )
        size = 20_000_000
        for client in (await self.client(plain), await self.tls(secret)):
            client.transport.pauseProducing()
            client.sends(FIXED % (b"/", size, b"") + bytes(size))
            client.transport.resumeProducing()
            self.assertEqual(status(await client.head()), 413)
            await self.settles(lambda: not client.transport.dataBuffer, "all was sent")  # noqa: B023
            await client.ends()
            client.leaves()
        await self.isIdle()


class EarlyTests(SessionTests):
    """
    Targets that answer before they have the body.
    """

    async def test_answersAndCloses(self) -> None:
        """
        An early answer reaches the client whole, however the target goes after
        it, while the client is still sending.
        """
        port, origin = await self.begin()
        answer = b"HTTP/1.1 403 No\r\nContent-Length: 50000\r\n\r\n" + b"n" * 50_000
        for leave in (Peer.leaves, Peer.breaks, lambda server: None):
            client = await self.client(port)
            client.sends(FIXED % (b"/", 30_000_000, b"") + bytes(10_000))
            server = await origin.accepts()
            await server.head()
            server.sends(answer)
            head = client.head()
            await turns(5)
            leave(server)
            client.sends(bytes(29_990_000))
            self.assertEqual(status(await head), 403)
            self.assertEqual(await client.takes(50_000), b"n" * 50_000)
            self.assertEqual(await client.ends(), b"")
            await self.settles(lambda: not client.transport.dataBuffer, "all was taken")  # noqa: B023
            client.leaves()
            await self.isIdle()

    async def test_lingersNotForEver(self) -> None:
        """
        What still comes is read for half a minute, not longer.
        """
        port, _ = await self.begin(Route("r", (1,), Respond(body="r"), "http", path="/r"))
        client = await self.client(port)
        client.sends(FIXED % (b"/r", 100_000_000, b""))
        await client.message()
        ended = 0
        for _ in range(80):
            if client.why is None:
                client.sends(b"x")
            self.world.advance(1)
            await self.swept()
            await turns(10)
            ended += self.plane.engine.open
        self.assertGreater(ended, 25)
        self.assertLess(ended, 60)

    async def test_whileDraining(self) -> None:
        """
        A stop does not wait for what would only be dropped.
        """
        port, _ = await self.begin(Route("r", (1,), Respond(body="r"), "http", path="/r"))
        client = await self.client(port)
        client.sends(FIXED % (b"/r", 100_000_000, b""))
        await client.message()
        drained = self.plane.drain(30)
        for _ in range(4):
            client.sends(b"x")
            self.world.advance(1)
            await turns(30)
        self.assertEqual(await drained, 0)


class RecordTests(SessionTests):
    """
    One record for each request.
    """

    async def arrange(self, **others: Any) -> None:
        """
        With a log to look into.
        """
        self.file: Path = self.fresh()
        log = AccessLog("json", str(self.file))
        self.port_, self.origin_ = await self.begin(accessLog=log, **others)

    async def records(self) -> list[tuple[int, int]]:
        """
        Status and size of each, at the end.
        """
        await self.isIdle()
        await self.plane.drain(0)
        entries = [json.loads(line) for line in self.file.read_text().splitlines()]
        return [(entry["status"], entry["bytes"]) for entry in entries]

    async def waiting(self, request: bytes = GET, answer: bytes = b"") -> tuple[Peer, Peer]:
        """
        A request at its target.
        """
        client = await self.client(self.port_)
        client.sends(request)
        server = await self.origin_.accepts()
        await server.head()
        if answer:
            server.sends(answer)
            await client.through(answer[-4:])
        return client, server

    async def test_clientLeaves(self) -> None:
        """
        The client goes, before and in the midst of its answer, and in the
        midst of its body.
        """
        await self.arrange()
        client, _ = await self.waiting()
        client.breaks()
        await self.isIdle()
        client, _ = await self.waiting(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
        client.breaks()
        await self.isIdle()
        client, _ = await self.waiting(FIXED % (b"/", 100, b""))
        client.breaks()
        self.assertEqual(await self.records(), [(499, 0), (499, 4), (499, 0)])

    async def test_targetBreaks(self) -> None:
        """
        The target goes in the midst of its answer: the status that was begun,
        and what was passed on.
        """
        await self.arrange()
        for answer in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome",
            b"HTTP/1.1 206 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nsome",
        ):
            client, server = await self.waiting(GET, answer)
            server.leaves()
            await client.breaksOff()
        self.assertEqual(await self.records(), [(200, 4), (206, 7)])

    async def test_cut(self) -> None:
        """
        Cut by the end of a stop.
        """
        await self.arrange()
        await self.waiting()
        drained = self.plane.drain(0)
        self.assertEqual(await drained, 1)
        self.assertEqual(await self.records(), [(0, 0)])

    async def test_limits(self) -> None:
        """
        Whatever limit was met.
        """
        await self.arrange(limits=TEN, timeouts=Timeouts(idle=50))
        for request, wanted in (
            (FIXED % (b"/", 11, b""), 413),
            (CHUNKED + b"b\r\n", 413),
            (b"GET /" + b"x" * 9000, 414),
            (b"bad\r\n\r\n", 400),
        ):
            client = await self.client(self.port_)
            client.sends(request)
            self.assertEqual(status(await client.head()), wanted)
            await client.ends()
            client.leaves()
        client, _ = await self.waiting(FIXED % (b"/", 10, b""))
        self.world.advance(6)
        self.assertEqual(status(await client.head()), 408)
        client.leaves()
        client, _ = await self.waiting()
        self.world.advance(51)
        self.assertEqual(status(await client.head()), 504)
        client.leaves()
        found = await self.records()
        self.assertEqual([each[0] for each in found], [413, 413, 414, 400, 408, 504])

    async def test_unread(self) -> None:
        """
        Not taken by the client.
        """
        await self.arrange(timeouts=Timeouts(write=10))
        client = await self.client(self.port_)
        client.transport.pauseProducing()
        client.sends(GET)
        server = await self.origin_.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + bytes(20_000_000))

        def passes() -> bool:
            self.world.advance(0.2)
            return self.plane.engine.open == 0

        await self.settles(lambda: self.plane.engine.open == 1, "it is there")
        await self.settles(passes, "it is broken off")
        [(found, size)] = await self.records()
        self.assertEqual(found, 200)
        self.assertTrue(0 < size < 20_000_000, size)

    async def test_upgraded(self) -> None:
        """
        Turned into a tunnel.
        """
        await self.arrange()
        client, server = await self.waiting(
            b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
        )
        server.sends(b"HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        await client.head()
        server.sends(b"words")
        await client.expects(b"words")
        client.breaks()
        self.assertEqual(await self.records(), [(101, 5)])
