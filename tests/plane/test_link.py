"""
Answers from targets: their framing, their failures, and what stays of a
connection.
"""

from __future__ import annotations

import random

from smartproxy_tw.config.model import Ejection, Forward, Health, Respond, Route, Target, UpstreamTLS

from .conversation import GET, HELLO, SessionTests, status
from .harness import Peer, credentialFor, field, turns


class BodyTests(SessionTests):
    """
    Bodies of every framing, both ways.
    """

    async def test_largeBothWays(self) -> None:
        """
        Megabytes arrive as they were sent, fixed and chunked, up and down.
        """
        port, origin = await self.begin()
        payload = random.Random(1).randbytes(1_500_000)
        chunked = b"".join(
            b"%x\r\n%s\r\n" % (len(payload[at : at + size]), payload[at : at + size])
            for at, size in [(at, 100_000) for at in range(0, len(payload), 100_000)]
        )
        origin.answers(
            lambda head, body: (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                % (len(body), body)
                if b"/chunked" in head
                else b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
        )
        client = await self.client(port)
        for path in (b"/chunked", b"/fixed"):
            client.sends(
                b"POST %s HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % (path, len(payload))
                + payload
            )
            self.assertTrue((await client.message())[1] == payload, path)
            client.sends(b"POST %s HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n" % path)
            client.sends(chunked + b"0\r\n\r\n")
            self.assertTrue((await client.message())[1] == payload, path)
        self.assertEqual(origin.count, 1)

    async def test_trailers(self) -> None:
        """
        Trailers pass as they came, both ways.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        chunks = b"5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"
        client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        server = await origin.accepts()
        await server.head()
        await server.expects(chunks)
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
        server.sends(answer)
        await client.expects(answer)
        client.sends(GET)
        await server.head()

    async def test_badChunks(self) -> None:
        """
        A body whose chunks are wrong is refused when that is seen, and neither
        connection serves again.
        """
        port, origin = await self.begin()
        for bad in (
            b"g\r\n",
            b"-1\r\n",
            b"3\r\nabcd\r\n",
            b"1\r\nx\n0\r\n\r\n",
            b"0\r\nHost: b\r\n\r\n",
            b"0x1\r\n",
        ):
            client = await self.client(port)
            client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            server = await origin.accepts()
            await server.head()
            await server.expects(b"1\r\nx\r\n")
            client.sends(bad)
            self.assertEqual(status(await client.head()), 400, bad)
            await server.loses()
            client.leaves()
        self.assertEqual(self.plane.engine.counts["refusals"], 6)

    async def test_badFirstChunk(self) -> None:
        """
        Where the first chunk is bad already, the origin hears nothing at all.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        self.assertEqual(status(await client.head()), 400)
        await client.ends()
        self.assertEqual(origin.count, 0)

    async def test_badChunksFromOrigin(self) -> None:
        """
        An answer whose chunks go wrong breaks off, so that no client takes it
        for whole.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await client.through(b"abc\r\n")
        server.sends(b"zz\r\n")
        await client.breaksOff()
        await server.loses()

    async def test_earlyAnswer(self) -> None:
        """
        An origin may answer before it has the body; the client reads that
        answer, and the rest of the upload goes nowhere.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        client.sends(b"x" * 500_000)
        head, body = await client.message()
        self.assertEqual((status(head), field(head, b"connection"), body), (413, b"close", b"no"))
        await client.ends()
        await server.loses()
        client.leaves()

    async def test_untilClose(self) -> None:
        """
        An answer without a length ends with its connection, for the client too.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\n\r\nsome")
        await client.expects(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome")
        server.sends(b" more")
        server.leaves()
        self.assertEqual(await client.ends(), b" more")

    async def test_untilReset(self) -> None:
        """
        Where that connection breaks, so does the client's.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\n\r\nsome")
        await client.through(b"some")
        server.breaks()
        await client.breaksOff()

    async def test_truncated(self) -> None:
        """
        An answer that ends before its length or its last chunk breaks off.
        """
        port, origin = await self.begin()
        for answer in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
        ):
            client = await self.client(port)
            client.sends(GET)
            server = await origin.accepts()
            await server.head()
            server.sends(answer)
            await client.through(b"some")
            server.leaves()
            await client.breaksOff()

    async def test_truncatedHead(self) -> None:
        """
        An answer that ends in its head is none.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-")
        server.leaves()
        self.assertEqual(status(await client.head()), 502)
        self.assertEqual(origin.count, 1)

    async def test_oldClients(self) -> None:
        """
        HTTP/1.0 closes unless it asks to be kept, and is told so.
        """
        port, origin = await self.begin()
        origin.answers(HELLO)
        old = await self.client(port)
        old.sends(b"GET / HTTP/1.0\r\n\r\n")
        head, body = await old.message()
        self.assertEqual((field(head, b"connection"), body), (b"close", b"hello"))
        await old.ends()
        kept = await self.client(port)
        for _ in range(2):
            kept.sends(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            head, body = await kept.message()
            self.assertEqual((field(head, b"connection"), body), (b"keep-alive", b"hello"))

    async def test_oldOrigins(self) -> None:
        """
        An origin that speaks HTTP/1.0 serves one request for each connection,
        unless it says otherwise; the client need not know.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        for _ in range(2):
            client.sends(GET)
            server = await origin.accepts()
            await server.head()
            server.sends(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            await client.expects(HELLO)
            await server.loses()
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello")
        await client.expects(HELLO)
        client.sends(GET)
        await server.head()
        self.assertEqual(origin.count, 3)

    async def test_chunksForTheOld(self) -> None:
        """
        Chunks are undone for an HTTP/1.0 client, however they come, and the
        body ends with the connection, even where it asked to be kept.
        """
        port, origin = await self.begin()
        chunks = b"5;x=y\r\nhello\r\n1\r\n \r\nA\r\n0123\r\n\r\n89\r\n0\r\nX-Sum: 1\r\n\r\n"
        pieces = [[chunks], [chunks[at : at + 1] for at in range(len(chunks))]]
        pieces += [[chunks[:at], chunks[at:]] for at in range(0, len(chunks), 5)]
        for each in pieces:
            client = await self.client(port)
            client.sends(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            server = await origin.accepts()
            head = await server.head()
            self.assertTrue(head.startswith(b"GET / HTTP/1.0\r\n"))
            server.sends(
                b"HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nZ: 1\r\n\r\n"
            )
            for piece in each:
                server.sends(piece)
                await turns(2)
            await client.expects(
                b"HTTP/1.1 200 OK\r\nX: y\r\nZ: 1\r\nConnection: close\r\n\r\nhello 0123\r\n\r\n89"
            )
            self.assertEqual(await client.ends(), b"")
            await server.loses()
            client.leaves()

    async def test_cutChunksForTheOld(self) -> None:
        """
        Where they do not end as they should the connection breaks: an end
        would look like that of the body.
        """
        port, origin = await self.begin()
        for end in (b"", b"zz\r\n"):
            client = await self.client(port)
            client.sends(b"GET / HTTP/1.0\r\n\r\n")
            server = await origin.accepts()
            await server.head()
            server.sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
            await client.through(b"hi")
            server.sends(end)
            server.leaves()
            self.assertEqual(await client.breaksOff(), b"")

    async def test_clientWishesToEnd(self) -> None:
        """
        After C{Connection: close} the answer says so and the connection ends;
        the origin's is kept.
        """
        port, origin = await self.begin()
        origin.answers(HELLO)
        for _ in range(2):
            client = await self.client(port)
            client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            head, _ = await client.message()
            self.assertEqual(field(head, b"connection"), b"close")
            await client.ends()
        self.assertEqual(origin.count, 1)

    async def test_halfClosedClient(self) -> None:
        """
        A client that has shut down its side after its requests still gets all
        answers.
        """
        port, origin = await self.begin()
        origin.answers(HELLO)
        client = await self.client(port)
        client.sends(GET + GET)
        client.finishes()
        self.assertEqual(await client.ends(), HELLO + HELLO)
        await self.isIdle()


class UpstreamTests(SessionTests):
    """
    Targets that fail.
    """

    async def test_staleRetried(self) -> None:
        """
        A kept connection that the origin closed just then costs an idempotent
        request nothing: it is asked again, once, on a fresh one.
        """
        port, origin = await self.begin()
        for method in (b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"):
            client = await self.client(port)
            client.sends(GET)
            server = await origin.accepts()
            await server.head()
            server.sends(HELLO)
            await client.expects(HELLO)
            client.sends(method + b" /again HTTP/1.1\r\nHost: a.test\r\n\r\n")
            await server.head()
            server.leaves()
            second = await origin.accepts()
            self.assertTrue((await second.head()).startswith(method + b" /again "))
            second.leaves()
            self.assertEqual(status(await client.head()), 502, method)
            client.leaves()
        self.assertEqual(origin.count, 10)

    async def test_staleNotRetried(self) -> None:
        """
        A request that may have had its effect is not repeated: 502.
        """
        port, origin = await self.begin()
        for request in (
            b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
            b"PATCH / HTTP/1.1\r\nHost: a.test\r\n\r\n",
            b"PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi",
        ):
            client = await self.client(port)
            client.sends(GET)
            server = await origin.accepts()
            await server.head()
            server.sends(HELLO)
            await client.expects(HELLO)
            before = origin.count
            client.sends(request)
            await server.head()
            server.leaves()
            self.assertEqual(status(await client.head()), 502, request)
            self.assertEqual(origin.count, before)
            client.leaves()

    async def test_answerBegun(self) -> None:
        """
        Once an answer has begun nothing is repeated.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        await client.expects(HELLO)
        client.sends(GET)
        await server.head()
        server.sends(b"HTTP/1.1 2")
        await turns(5)
        server.leaves()
        self.assertEqual(status(await client.head()), 502)
        self.assertEqual(origin.count, 1)

    async def test_freshOnceMore(self) -> None:
        """
        After a fresh connection that closes without a word another is tried,
        and that is all: 502, and the client may go on.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        for _ in range(2):
            server = await origin.accepts()
            await server.head()
            server.leaves()
        head, body = await client.message()
        self.assertEqual((status(head), body), (502, b"502 Bad Gateway\n"))
        self.assertEqual(origin.count, 2)
        self.assertEqual((await self.plane.tally())["upstream_failures"], 1)
        client.sends(GET)
        await (await origin.accepts()).head()

    async def test_statuses(self) -> None:
        """
        A target whose answers are failures by their status is passed over; its clients have the
        answers.
        """
        port = await self.port()
        bad, good = self.origin(), self.origin()
        bad.answers(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nbad")
        good.answers(HELLO)
        health = Health(None, Ejection(2, 10.0, 60.0, True, frozenset({503})))
        forward = Forward((bad.target, good.target), health=health)
        await self.use(Route("a", (port,), forward, "http"))
        client = await self.client(port)
        found = [status((await self.exchange(client))[0]) for _ in range(8)]
        self.assertEqual((found.count(503), found[-4:]), (2, [200] * 4))

    async def test_closedWhileKept(self) -> None:
        """
        A kept connection that the origin closes is forgotten at once.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        await client.expects(HELLO)
        handlers = self.plane.engine.poller.handlers
        before = len(handlers)
        server.leaves()
        await self.settles(lambda: len(handlers) == before - 1, "the kept connection is gone")
        client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n")
        await (await origin.accepts()).head()

    async def test_badAnswers(self) -> None:
        """
        An answer that cannot be handed on is 502.
        """
        port, origin = await self.begin()
        for answer in (
            b"hello\r\n\r\n",
            b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 99 X\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX y: z\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        ):
            client = await self.client(port)
            client.sends(GET)
            server = await origin.accepts()
            await server.head()
            server.sends(answer)
            self.assertEqual(status(await client.head()), 502, answer[:80])
            await server.loses()
            client.leaves()

    async def test_clientGoneWhileWaiting(self) -> None:
        """
        A client that resets while its request is with the origin takes the
        connection there with it.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        client.breaks()
        await server.loses()
        await self.isIdle()

    async def test_clientGoneWhileUploading(self) -> None:
        """
        So does one that leaves in the middle of its body, in whatever way.
        """
        port, origin = await self.begin()
        for leave in (Peer.breaks, Peer.leaves, Peer.finishes):
            client = await self.client(port)
            client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nsome")
            server = await origin.accepts()
            await server.head()
            await server.expects(b"some")
            leave(client)
            await server.loses()
        await self.isIdle()

    async def test_clientGoneWhileDownloading(self) -> None:
        """
        So does one that leaves in the middle of an answer, even where the
        kernel told the sender of it and no reader.
        """
        port, origin = await self.begin()
        for leave in (Peer.breaks, Peer.leaves):
            client = await self.client(port)
            client.sends(GET)
            server = await origin.accepts()
            await server.head()
            server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 1000)
            await client.takes(1000)
            leave(client)

            def more() -> bool:
                if not server.isOver:  # noqa: B023
                    server.sends(b"x" * 1000)  # noqa: B023
                return server.isOver  # noqa: B023

            await self.settles(more, "the origin's connection has gone")
        await self.isIdle()

    async def test_clientGoneWhileConnecting(self) -> None:
        """
        A client that resets while its target is still being looked up leaves
        no connection behind.
        """
        port = await self.port()
        await self.use(Route("all", (port,), Forward((Target("slow.test", 80),)), "http"))
        self.world.nameResolver.isSilent = True
        client = await self.client(port)
        client.sends(GET)
        await self.settles(
            lambda: self.plane.engine.open == 1 and len(self.world.nameResolver.asked) == 1, "asked"
        )
        client.breaks()
        await self.isIdle()
        self.assertEqual(self.plane.engine.poller.mortals, {})


class SecretTests(SessionTests):
    """
    Targets that are spoken to by TLS.
    """

    async def test_untilClose(self) -> None:
        """
        An answer that ends with its connection is whole when that says so
        (close_notify), and breaks off when it does not: somebody may have cut
        it.
        """
        port = await self.port()
        origin = self.origin(credential=credentialFor("a.test"))
        await self.use(Route("a", (port,), Forward((origin.target,), UpstreamTLS(verify=False)), "http"))
        for isNotified in (True, False):
            client = await self.client(port)
            client.sends(GET)
            server = await origin.accepts()
            await server.head()
            server.sends(b"HTTP/1.1 200 OK\r\n\r\nsome")
            await client.through(b"some")
            if isNotified:
                server.finishes()
                await client.ends()
            else:
                server.transport.loseWriteConnection()
                await client.breaksOff()

    async def test_notifiedWhileKept(self) -> None:
        """
        A kept connection whose target says that it will close is used no more.
        """
        port = await self.port()
        origin = self.origin(credential=credentialFor("a.test"))
        await self.use(Route("a", (port,), Forward((origin.target,), UpstreamTLS(verify=False)), "http"))
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        await client.expects(HELLO)
        server.notifies()
        await server.loses()
        client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n")
        await (await origin.accepts()).head()


class SplicedTests(SessionTests):
    """
    Bodies that are long enough to be spliced.
    """

    SIZE = 2_000_000

    async def test_nothingBeyond(self) -> None:
        """
        What follows a long body is not part of it: neither the next request,
        nor what an origin says too much.
        """
        port, origin = await self.begin()
        payload = random.Random(3).randbytes(self.SIZE)
        client = await self.client(port)
        head = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % self.SIZE
        client.sends((head + payload) * 2 + GET)
        server = await origin.accepts()
        for _ in range(2):
            _, body = await server.message()
            self.assertTrue(body == payload)
            self.assertEqual(bytes(server.data), b"")
            server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.SIZE + payload)
            self.assertTrue((await client.message())[1] == payload)
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.SIZE + payload + HELLO)
        self.assertTrue((await client.message())[1] == payload)
        await server.loses()
        client.sends(GET)
        second = await origin.accepts()
        await second.head()
        second.sends(HELLO)
        await client.expects(HELLO)

    async def test_cutDownload(self) -> None:
        """
        A long answer that ends too early breaks off, after all that there was
        of it.
        """
        port, origin = await self.begin()
        for leave in (Peer.leaves, Peer.breaks):
            client = await self.client(port)
            client.sends(GET)
            server = await origin.accepts()
            await server.head()
            server.sends(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (self.SIZE * 5) + bytes(self.SIZE)
            )
            await client.head()
            self.assertEqual(len(await client.takes(self.SIZE)), self.SIZE)
            leave(server)
            self.assertEqual(await client.breaksOff(), b"")
        await self.isIdle()

    async def test_cutUpload(self) -> None:
        """
        A long body that ends too early closes the origin's connection.
        """
        port, origin = await self.begin()
        for leave in (Peer.leaves, Peer.breaks, Peer.finishes):
            client = await self.client(port)
            head = b"PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % (self.SIZE * 5)
            client.sends(head + bytes(self.SIZE))
            server = await origin.accepts()
            await server.head()
            self.assertEqual(len(await server.takes(self.SIZE)), self.SIZE)
            leave(client)
            self.assertEqual(await server.loses(), b"")
            client.leaves()
        await self.isIdle()

    async def test_oneDoesNotStarveOthers(self) -> None:
        """
        While one client takes as much as there is, others are served.
        """
        port, origin = await self.begin(Route("here", (1,), Respond(body="here"), "http", path="/here"))
        greedy = await self.client(port)
        greedy.sends(GET)
        server = await origin.accepts()
        await server.head()
        size = 60_000_000
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        greedy.watch = lambda data: None
        client = await self.client(port)
        for _ in range(20):
            client.sends(b"GET /here HTTP/1.1\r\nHost: a.test\r\n\r\n")
            self.assertEqual((await client.message())[1], b"here")
        self.assertLess(greedy.received, size)
