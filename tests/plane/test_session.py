"""
Conversations over HTTP/1: what clients say and what origins hear, and back.
"""

from __future__ import annotations

import random
from ipaddress import ip_network
from typing import Any

from smartproxy_tw.config.model import (
    Block,
    Forward,
    Limits,
    Redirect,
    Respond,
    Route,
    Target,
    Timeouts,
)
from smartproxy_tw.plane.link import Link

from .harness import TERMINATE, Origin, Peer, PlaneTests, field, turns

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
GET_R = b"GET /r HTTP/1.1\r\nHost: a.test\r\n\r\n"
GET_R_CLOSE = b"GET /r HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"


def alive(case: PlaneTests) -> list[Any]:
    """
    The client connections of the plane.
    """
    return list(case.plane.engine._alive)


def status(head: bytes) -> int:
    """
    The status of an answer.
    """
    return int(head[9:12])


class SessionTests(PlaneTests):
    """
    One port, one origin, one route for everything.
    """

    async def begin(self, *more: Route, protocol: Any = "http", **others: Any) -> tuple[int, Origin]:
        """
        @param more: Further routes, whose port is put right.
        """
        port = await self.port()
        origin = self.origin()
        routes = [
            Route(route.name, (port,), route.action, route.protocol, route.domains, route.path)
            for route in more
        ]
        await self.use(*routes, Route("all", (port,), Forward((origin.target,)), "http"), **others)
        return port, origin

    async def exchange(
        self, client: Peer, request: bytes = GET, *, head: bool = False
    ) -> tuple[bytes, bytes]:
        """
        Ask, and read the answer.
        """
        client.sends(request)
        return await client.message(not head)


class AnsweringTests(SessionTests):
    """
    Requests, answers, and what stays of a connection between them.
    """

    async def test_bytesBothWays(self) -> None:
        """
        The origin gets the head with our fields, the client the answer as it
        was, and both connections serve again.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(b"GET /x?y=1 HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n")
        server = await origin.accepts()
        await server.expects(
            b"GET /x?y=1 HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nX-Forwarded-Host: a.test\r\n"
            b"X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
            b"X-Forwarded-Port: %d\r\n\r\n" % port
        )
        server.sends(b"HTTP/1.1 200 Fine\r\nServer: o\r\nContent-Length: 2\r\n\r\nhi")
        await client.expects(b"HTTP/1.1 200 Fine\r\nServer: o\r\nContent-Length: 2\r\n\r\nhi")
        for _ in range(3):
            client.sends(GET)
            await server.head()
            server.sends(HELLO)
            await client.expects(HELLO)
        self.assertEqual(origin.count, 1)
        client.leaves()
        await self.isIdle()

    async def test_routedPerRequest(self) -> None:
        """
        Requests of one connection go where each of them belongs.
        """
        port = await self.port()
        one, two = self.origin(), self.origin()
        one.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
        two.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo")
        await self.use(
            Route("one", (port,), Forward((one.target,)), "http", ("one.test",)),
            Route("two", (port,), Forward((two.target,)), "http", ("*.two.test",)),
            Route("api", (port,), Respond(201, (("X-Which", "api"),), "api"), "http", path="/api/*"),
        )
        client = await self.client(port)
        for host, path, wanted in (
            (b"one.test", b"/", b"one"),
            (b"x.two.test", b"/", b"two"),
            (b"other.test", b"/api/x", b"api"),
            (b"ONE.test.:80", b"/", b"one"),
            (b"other.test", b"/", b"404 Not Found\n"),
            (b"x.two.test", b"/?q", b"two"),
            # Dots are resolved before a rule looks.
            (b"other.test", b"/x/../api/%2e/y", b"api"),
            (b"other.test", b"//api/", b"404 Not Found\n"),
        ):
            _, body = await self.exchange(client, b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, host))
            self.assertEqual(body, wanted, (host, path))
        self.assertEqual((one.count, two.count), (1, 1))

    async def test_pipelinedInOrder(self) -> None:
        """
        Many requests in one segment, answered here and there, are answered in
        their order.
        """
        port, origin = await self.begin(Route("here", (1,), Respond(body="here"), "http", path="/here/*"))
        origin.answers(
            lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head.split(b" ")[1])
            + head.split(b" ")[1]
        )
        client = await self.client(port)
        wanted = []
        segment = b""
        for index in range(120):
            path = b"/here/%d" % index if index % 3 else b"/there/%d" % index
            segment += b"GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n" % path
            wanted.append(b"here" if index % 3 else path)
        client.sends(segment)
        found = [(await client.message())[1] for _ in wanted]
        self.assertEqual(found, wanted)
        self.assertEqual(origin.count, 1)

    async def test_pipelinedWithBodies(self) -> None:
        """
        A body ends where its framing says, and the next request begins there.
        """
        port, origin = await self.begin()
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        client = await self.client(port)
        client.sends(
            b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\none"
            b"PUT / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
            b"\r\nPOST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n"
            b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nthree"
        )
        for wanted in (b"one", b"two", b"", b"three"):
            self.assertEqual((await client.message())[1], wanted)

    async def test_byteByByte(self) -> None:
        """
        A request and an answer that come byte by byte are the same request and
        answer.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        await client.trickles(
            b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\n\r\n"
        )
        server = await origin.accepts()
        head, body = await server.message()
        self.assertEqual(body, b"hi")
        await server.trickles(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await client.expects(HELLO)

    async def test_bodilessAnswers(self) -> None:
        """
        HEAD, 204 and 304 have no body, whatever their fields announce, and the
        connections go on.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(b"HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        server = await origin.accepts()
        for request, answer in (
            (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
            (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
            (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: x\r\n\r\n"),
            (b"HEAD", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        ):
            if not (request == b"HEAD" and b" 500\r\n\r\n" in answer and b"200" in answer):
                client.sends(b"%s / HTTP/1.1\r\nHost: a.test\r\n\r\n" % request)
            await server.head()
            server.sends(answer)
            head = await client.head()
            self.assertEqual(head.split(b"\r\n")[0], answer.split(b"\r\n")[0])
        self.assertEqual(bytes(client.data), b"")
        self.assertEqual(origin.count, 1)

    async def test_surplusAnswer(self) -> None:
        """
        What an origin says beyond its answer reaches nobody, and its connection
        does not serve again.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await client.expects(HELLO)
        await server.loses()
        client.sends(GET)
        second = await origin.accepts()
        await second.head()
        second.sends(HELLO)
        await client.expects(HELLO)

    async def test_unaskedAnswer(self) -> None:
        """
        An origin that speaks on a kept connection loses it.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        await client.expects(HELLO)
        server.sends(b"HTTP/1.1 408 Too late\r\nContent-Length: 0\r\n\r\n")
        await server.loses()
        client.sends(GET)
        second = await origin.accepts()
        await second.head()

    async def test_interimAnswers(self) -> None:
        """
        1xx go on to an HTTP/1.1 client, one after the other, and none to
        HTTP/1.0.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 10"
        )
        await client.expects(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        server.sends(b"2 Again\r\n\r\n" + HELLO)
        await client.expects(b"HTTP/1.1 102 Again\r\n\r\n" + HELLO)
        old = await self.client(port)
        old.sends(b"GET / HTTP/1.0\r\n\r\n")
        await server.head()
        server.sends(b"HTTP/1.1 103 Early Hints\r\n\r\n" + HELLO)
        await old.expects(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await old.ends()

    async def test_continue(self) -> None:
        """
        Expect goes to the origin, its 100 comes back, and the body follows.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(b"PUT / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        server = await origin.accepts()
        head = await server.head()
        self.assertEqual(field(head, b"expect"), b"100-continue")
        server.sends(b"HTTP/1.1 100 Continue\r\n\r\n")
        await client.expects(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.sends(b"body")
        await server.expects(b"body")
        server.sends(HELLO)
        await client.expects(HELLO)
        client.sends(GET)
        await server.head()

    async def test_continueRefused(self) -> None:
        """
        A final answer in place of 100 is the answer, and as nobody can know
        whether the body still comes, the connection ends.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(b"PUT / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(status(await client.head()), 413)
        await client.ends()
        await server.loses()

    async def test_continueNotForTheOld(self) -> None:
        """
        HTTP/1.0 knows no expectations: it is not handed on (RFC 9110 section
        10.1.1).
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
        server = await origin.accepts()
        head, body = await server.message()
        self.assertIsNone(field(head, b"expect"))
        self.assertEqual(body, b"hi")


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
            lambda head, body: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
            % (len(body), body)
            if b"/chunked" in head
            else b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
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
        Chunks are no answer for an HTTP/1.0 client.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(b"GET / HTTP/1.0\r\n\r\n")
        server = await origin.accepts()
        head = await server.head()
        self.assertTrue(head.startswith(b"GET / HTTP/1.0\r\n"))
        server.sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        self.assertEqual(status(await client.head()), 502)

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


class StrictnessTests(SessionTests):
    """
    What is refused, by whatever row of the table of hardening.
    """

    async def refuses(self, request: bytes, wanted: int, **limits: Any) -> None:
        """
        A request is answered with a status, also as the second on its
        connection; the connection ends and the origin hears nothing of it.
        """
        port, origin = self.port_, self.origin_
        for before in (b"", b"GET /here HTTP/1.1\r\nHost: a.test\r\n\r\n"):
            client = await self.client(port)
            if before:
                client.sends(before)
                await client.message()
            client.sends(request)
            head, _ = await client.message()
            self.assertEqual((status(head), field(head, b"connection")), (wanted, b"close"), request[:200])
            await client.ends()
            client.leaves()
        self.assertEqual(origin.count, 0, request[:200])

    async def arrange(self, **others: Any) -> None:
        """
        One route to an origin, and one that answers.
        """
        here = Route("here", (1,), Respond(body="here"), "http", path="/here")
        self.port_, self.origin_ = await self.begin(here, **others)

    async def test_framing(self) -> None:
        """
        Everything that two readers could frame differently is 400.
        """
        await self.arrange()
        post = b"POST / HTTP/1.1\r\nHost: a.test\r\n%s\r\n0\r\n\r\n"
        for lines in (
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            b"Content-Length: 5\r\nContent-Length: 5\r\n",
            b"Content-Length: 5\r\ncontent-length: 6\r\n",
            b"Content-Length: 5, 5\r\n",
            b"Content-Length: +5\r\n",
            b"Content-Length: -5\r\n",
            b"Content-Length: 0x5\r\n",
            b"Content-Length: 5 5\r\n",
            b"Content-Length:\r\n",
            b"Content_Length: 5\r\n",
            b"Transfer-Encoding: gzip\r\n",
            b"Transfer-Encoding: gzip, chunked\r\n",
            b"Transfer-Encoding: chunked, identity\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: xchunked\r\n",
            b"Transfer-Encoding:\r\n",
            b"Transfer_Encoding: chunked\r\n",
            b"Transfer-Encoding : chunked\r\n",
            b"Content-Length : 5\r\n",
            b"Connection: Content-Length\r\nContent-Length: 5\r\n",
            b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
            b"Connection: host\r\n",
            b"X: a\r\n b\r\n",
            b" X: a\r\n",
            b"X : a\r\n",
            b"X: a\nY: b\r\n",
            b"X: a\rb\r\n",
            b"X: a\0b\r\n",
            b"X\0: a\r\n",
            b": a\r\n",
            b"X\r\n",
            b"X: \x01\r\n",
        ):
            await self.refuses(post % lines, 400)
        await self.refuses(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)

    async def test_lines(self) -> None:
        """
        Targets, versions, methods and hosts.
        """
        await self.arrange()
        host = b"\r\nHost: a.test\r\n\r\n"
        for line, wanted in (
            (b"GET /a#x HTTP/1.1", 400),
            (b"GET /a b HTTP/1.1", 400),
            (b"GET /\x7f HTTP/1.1", 400),
            (b"GET /\xff HTTP/1.1", 400),
            (b"GET /\\ HTTP/1.1", 400),
            (b"GET a HTTP/1.1", 400),
            (b"GET  / HTTP/1.1", 400),
            (b"GET / HTTP/1.1 ", 400),
            (b"GET * HTTP/1.1", 400),
            (b" GET / HTTP/1.1", 400),
            (b"GET /", 400),
            (b"GET http://b.test/ HTTP/1.1", 400),
            (b"GET ftp://a.test/ HTTP/1.1", 400),
            (b"TRACE / HTTP/1.1", 405),
            (b"CONNECT a.test:80 HTTP/1.1", 405),
            (b"GET / HTTP/2.0", 505),
            (b"GET / HTTP/1.2", 505),
            (b"GET / HTTP/0.9", 505),
            (b"PRI * HTTP/2.0", 505),
            (b"GET / http/1.1", 400),
        ):
            await self.refuses(line + host, wanted)
        for lines in (
            b"",
            b"Host: a.test\r\nHost: a.test\r\n",
            b"Host: a.test\r\nhost: b.test\r\n",
            b"Host: a b\r\n",
            b"Host: a.test/\r\n",
            b"Host: user@a.test\r\n",
            b"Host:\r\n",
            b"Host: a.test:99999\r\n",
            b"Host: a.test,b.test\r\n",
        ):
            await self.refuses(b"GET / HTTP/1.1\r\n" + lines + b"\r\n", 400)
        await self.refuses(b"GET / HTTP/1.1\r\nHost: a.test\r\nExpect: x\r\n\r\n", 417)
        await self.refuses(b"\x16\x03\x01\x00\x05hello\r\n\r\n", 400)

    async def test_sizes(self) -> None:
        """
        Too long a head, too many fields, too long a target.
        """
        await self.arrange(limits=Limits(headBytes=4096, urlBytes=512))
        start = b"GET / HTTP/1.1\r\nHost: a.test\r\n"
        await self.refuses(start + b"X: " + b"x" * 5000 + b"\r\n\r\n", 431)
        await self.refuses(start + b"X: " + b"x" * 5000, 431)
        await self.refuses(start + b"X: y\r\n" * 201 + b"\r\n", 431)
        await self.refuses(b"GET /" + b"x" * 600 + b" HTTP/1.1\r\nHost: a.test\r\n\r\n", 414)
        await self.refuses(b"GET /" + b"x" * 10_000, 414)

    async def test_limitsHold(self) -> None:
        """
        What is just within the limits is served.
        """
        await self.arrange(limits=Limits(headBytes=4096, urlBytes=512))
        client = await self.client(self.port_)
        request = b"GET /here?" + b"x" * 506 + b" HTTP/1.1\r\nHost: a.test\r\nX: "
        request += b"x" * (4096 - len(request) - 4) + b"\r\n\r\n"
        self.assertEqual(len(request), 4096)
        self.assertEqual((await self.exchange(client, request))[1], b"here")

    async def test_refusedInPieces(self) -> None:
        """
        A refusal does not depend on how the bytes are cut.
        """
        await self.arrange()
        client = await self.client(self.port_)
        request = b"GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"
        await client.trickles(request)
        self.assertEqual(status(await client.head()), 400)
        self.assertEqual(self.origin_.count, 0)

    async def test_absoluteTarget(self) -> None:
        """
        A target with the same host as Host is sent on in origin form.
        """
        await self.arrange()
        client = await self.client(self.port_)
        client.sends(b"GET http://A.test/x/./y?z HTTP/1.1\r\nHost: a.test\r\n\r\n")
        server = await self.origin_.accepts()
        self.assertTrue((await server.head()).startswith(b"GET /x/y?z HTTP/1.1\r\nHost: a.test\r\n"))

    async def test_emptyLinesInFront(self) -> None:
        """
        One empty line before a request is forgiven (RFC 9112 section 2.2).
        """
        await self.arrange()
        client = await self.client(self.port_)
        for piece in (
            b"\r\n" + GET.replace(b"/ ", b"/here "),
            b"\r",
            b"\nGET /here HTTP/1.1\r\nHost: a\r\n\r\n",
        ):
            client.sends(piece)
            await turns(5)
        for _ in range(2):
            self.assertEqual((await client.message())[1], b"here")


class ForwardedTests(SessionTests):
    """
    Forwarding fields and hop-by-hop fields.
    """

    async def heard(self, lines: bytes, **others: Any) -> bytes:
        """
        What an origin gets of a request with these lines.
        """
        port, origin = await self.begin(**others)
        client = await self.client(port)
        client.sends(b"GET / HTTP/1.1\r\nHost: a.test:81\r\n" + lines + b"\r\n")
        head = await (await origin.accepts()).head()
        return head.replace(b"Port: %d" % port, b"Port: PORT")

    OURS = (
        b"X-Forwarded-Host: a.test:81\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n"
        b"X-Forwarded-Proto: http\r\nX-Forwarded-Port: PORT\r\n\r\n"
    )
    START = b"GET / HTTP/1.1\r\nHost: a.test:81\r\n"

    async def test_untrusted(self) -> None:
        """
        What a stranger says of whom it speaks for is dropped, in every
        spelling.
        """
        head = await self.heard(
            b"X-Forwarded-For: 6.6.6.6\r\nx-forwarded-proto: https\r\nX_Forwarded_For: 6.6.6.6\r\n"
            b"X-Forwarded_Host: evil\r\nX-FORWARDED-PORT: 1\r\nX-Forwarded-Prefix: /x\r\nForwarded: for=6.6.6.6\r\n"
            b"X-Real-IP: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nX-Fine: yes\r\nX-Forwarded-For: 7.7.7.7\r\n"
        )
        self.assertEqual(head, self.START + b"X-Fine: yes\r\n" + self.OURS)

    async def test_trusted(self) -> None:
        """
        A trusted peer is believed: it is added to the addresses, the real
        client is found among them, and what it left out is filled in.
        """
        head = await self.heard(
            b"X-Forwarded-For: 6.6.6.6, 10.1.1.1\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 5.5.5.5\r\n"
            b"X-Forwarded-Prefix: /p\r\nForwarded: for=6.6.6.6\r\n",
            trustedProxies=(ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")),
        )
        self.assertEqual(
            head,
            self.START
            + b"X-Forwarded-For: 6.6.6.6, 10.1.1.1, 127.0.0.1\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
            b"X-Forwarded-Host: a.test:81\r\nX-Forwarded-Port: PORT\r\nX-Forwarded-Prefix: /p\r\n"
            b"Forwarded: for=6.6.6.6\r\n\r\n",
        )

    async def test_trustedRemembersNothing(self) -> None:
        """
        A request that a stranger sent first is not taken for that stranger's
        when a trusted peer sends the same bytes, nor the other way round.
        """
        port = await self.port("127.0.0.1")
        origin = self.origin()
        await self.use(
            Route("all", (port,), Forward((origin.target,)), "http"),
            trustedProxies=(ip_network("127.0.0.2/32"),),
        )
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        answers = []
        for source in ("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"):
            client = await self.client(port, source=source)
            _, heard = await self.exchange(
                client, GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
            )
            answers.append((field(heard, b"x-forwarded-for"), field(heard, b"x-real-ip")))
            self.assertEqual(heard.lower().count(b"x-forwarded-host"), 1)
        stranger, trusted = (b"127.0.0.1", b"127.0.0.1"), (b"6.6.6.6, 127.0.0.2", b"6.6.6.6")
        self.assertEqual(answers, [stranger, trusted, stranger, trusted])

    async def test_connectionNames(self) -> None:
        """
        What Connection names goes no further, and cannot take ours away.
        """
        head = await self.heard(
            b"Connection: X-Forwarded-For, x-auth ,close\r\nX-Auth: me\r\nX-Auth: too\r\nX-Other: yes\r\n"
            b"X-Forwarded-For: 6.6.6.6\r\n"
        )
        self.assertEqual(head, self.START + b"X-Other: yes\r\n" + self.OURS)

    async def test_hopByHop(self) -> None:
        """
        Fields for one hop are not handed on.
        """
        head = await self.heard(
            b"Keep-Alive: 300\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: x\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAA\r\nConnection: Upgrade, HTTP2-Settings\r\nTest: yes\r\nCost: 1\r\n"
        )
        self.assertEqual(head, self.START + b"Test: yes\r\nCost: 1\r\n" + self.OURS)

    async def test_hopByHopBack(self) -> None:
        """
        Nor from origin to client.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(
            b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-Fine: 2\r\n"
            b"Proxy-Connection: x\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"
        )
        await client.expects(b"HTTP/1.1 200 OK\r\nX-Fine: 2\r\nContent-Length: 0\r\n\r\n")

    async def test_sameHeadOtherFields(self) -> None:
        """
        Clients with the same head on one port each get their own fields.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(Route("all", (port,), Forward((origin.target,)), "http"))
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        for source in ("127.0.0.1", "127.0.0.3", "127.0.0.4"):
            client = await self.client(port, source=source)
            for _ in range(2):
                _, heard = await self.exchange(client)
                self.assertEqual(field(heard, b"x-forwarded-for"), source.encode())


class UpgradeTests(SessionTests):
    """
    Connections that change their protocol.
    """

    ASK = (
        b"GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: x\r\n\r\n"
    )
    AGREE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    async def test_tunnelled(self) -> None:
        """
        After a 101 every byte passes, also those that came together with it
        and with the request, and each side may end for itself.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(self.ASK + b"early")
        server = await origin.accepts()
        head = await server.head()
        self.assertEqual((field(head, b"upgrade"), field(head, b"connection")), (b"websocket", b"upgrade"))
        self.assertEqual(field(head, b"sec-websocket-key"), b"x")
        server.sends(self.AGREE + b"first")
        answer = await client.head()
        self.assertEqual((status(answer), field(answer, b"upgrade")), (101, b"websocket"))
        self.assertEqual(field(answer, b"connection"), b"upgrade")
        await client.expects(b"first")
        await server.expects(b"early")
        client.sends(b"\0\xff\r\n\r\n")
        await server.expects(b"\0\xff\r\n\r\n")
        server.sends(b"x" * 300_000)
        self.assertEqual(await client.takes(300_000), b"x" * 300_000)
        client.finishes()
        await server.ends()
        server.sends(b"bye")
        await client.expects(b"bye")
        server.leaves()
        await client.ends()
        await self.isIdle()

    async def test_declined(self) -> None:
        """
        An origin that answers otherwise is just answering; the connections go
        on as HTTP.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(self.ASK)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        await client.expects(HELLO)
        client.sends(GET)
        await server.head()
        server.sends(HELLO)
        await client.expects(HELLO)

    async def test_notPassed(self) -> None:
        """
        A change to HTTP/2, to TLS or to one of several is not asked of the
        origin.
        """
        port, origin = await self.begin()
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        client = await self.client(port)
        for lines in (
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n",
            b"Connection: Upgrade\r\nUpgrade: H2C-14\r\n",
            b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
            b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
            b"Upgrade: websocket\r\n",
            b"Connection: Upgrade\r\n",
        ):
            _, heard = await self.exchange(client, b"GET / HTTP/1.1\r\nHost: a.test\r\n" + lines + b"\r\n")
            self.assertIsNone(field(heard, b"upgrade"), lines)
            self.assertIsNone(field(heard, b"connection"), lines)
            self.assertIsNone(field(heard, b"http2-settings"), lines)

    async def test_unasked(self) -> None:
        """
        An origin that changes the protocol on its own, or to another one, is
        refused.
        """
        port, origin = await self.begin()
        for ask, answer in (
            (GET, self.AGREE),
            (self.ASK, self.AGREE.replace(b"websocket", b"other")),
            (self.ASK, b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        ):
            client = await self.client(port)
            client.sends(ask)
            server = await origin.accepts()
            await server.head()
            server.sends(answer)
            self.assertEqual(status(await client.head()), 502)
            await server.loses()
            client.leaves()

    async def test_idle(self) -> None:
        """
        A tunnel in which nothing moves for the time of idling is broken.
        """
        port, origin = await self.begin(timeouts=Timeouts(idle=60))
        client = await self.client(port)
        client.sends(self.ASK)
        server = await origin.accepts()
        await server.head()
        server.sends(self.AGREE)
        await client.head()
        self.world.advance(40)
        await turns(20)
        server.sends(b"x")
        await client.expects(b"x")
        self.world.advance(40)
        await turns(20)
        self.assertFalse(client.isOver)
        self.world.advance(21)
        await client.breaksOff()
        await server.breaksOff()


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

    async def test_freshNotRetried(self) -> None:
        """
        A fresh connection that closes without a word is the target's answer:
        502, and the client may go on.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.leaves()
        head, body = await client.message()
        self.assertEqual((status(head), body), (502, b"502 Bad Gateway\n"))
        self.assertEqual(origin.count, 1)
        self.assertEqual((await self.plane.tally())["upstream_failures"], 1)
        client.sends(GET)
        await (await origin.accepts()).head()

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
                if not server.isOver:
                    server.sends(b"x" * 1000)
                return server.isOver

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


class TimeTests(SessionTests):
    """
    Deadlines.
    """

    async def test_silentClient(self) -> None:
        """
        A connection on which nothing comes is closed without a word.
        """
        port, _ = await self.begin(timeouts=Timeouts(head=7))
        client = await self.client(port)
        await self.settles(lambda: self.plane.engine.open == 1, "it is accepted")
        self.world.advance(6.5)
        await turns(20)
        self.assertFalse(client.isOver)
        self.world.advance(0.6)
        self.assertEqual(await client.ends(), b"")

    async def test_slowHead(self) -> None:
        """
        A head has an absolute deadline: bytes do not move it.  408.
        """
        port, _ = await self.begin(timeouts=Timeouts(head=7))
        client = await self.client(port)
        client.sends(b"GET / HTTP/1.1\r\n")
        await turns(20)
        for _ in range(3):
            self.world.advance(2)
            client.sends(b"X: y\r\n")
            await turns(20)
        self.assertFalse(client.isOver)
        self.world.advance(1.1)
        self.assertEqual(status(await client.head()), 408)
        await client.ends()

    async def test_slowHeadBehindAnother(self) -> None:
        """
        It holds as well for a head whose first bytes came together with the
        request before it.
        """
        port, origin = await self.begin(timeouts=Timeouts(head=7, idle=1000))
        origin.answers(HELLO)
        client = await self.client(port)
        client.sends(GET + b"GET / HT")
        await client.expects(HELLO)
        self.world.advance(7.1)
        self.assertEqual(status(await client.head()), 408)

    async def test_emptyLinesDoNotKeep(self) -> None:
        """
        Empty lines are no request: they do not keep a connection for ever.
        """
        port, _ = await self.begin(timeouts=Timeouts(head=7))
        client = await self.client(port)
        for _ in range(4):
            client.sends(b"\r\n")
            await turns(20)
            self.world.advance(2)
        await client.loses()

    async def test_idleClient(self) -> None:
        """
        A kept connection closes after the time of idling, silently.
        """
        port, origin = await self.begin(timeouts=Timeouts(idle=50))
        origin.answers(HELLO)
        client = await self.client(port)
        client.sends(GET)
        await client.expects(HELLO)
        self.world.advance(49)
        await turns(20)
        self.assertFalse(client.isOver)
        self.world.advance(1.5)
        self.assertEqual(await client.ends(), b"")

    async def test_idleOrigin(self) -> None:
        """
        An origin that does not answer is 504, and its connection is closed.
        """
        port, origin = await self.begin(timeouts=Timeouts(idle=50))
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        self.world.advance(51)
        self.assertEqual(status(await client.head()), 504)
        await server.loses()

    async def test_idleInAnswer(self) -> None:
        """
        One that stops in the middle breaks the client's connection.
        """
        port, origin = await self.begin(timeouts=Timeouts(idle=50))
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome")
        await client.through(b"some")
        self.world.advance(51)
        await client.breaksOff()
        await server.loses()

    async def test_slowBody(self) -> None:
        """
        A client that does not send its body is 408.
        """
        port, origin = await self.begin(timeouts=Timeouts(idle=50))
        client = await self.client(port)
        client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nsome")
        server = await origin.accepts()
        await server.head()
        self.world.advance(51)
        self.assertEqual(status(await client.head()), 408)
        await server.loses()

    async def test_targetDoesNotRead(self) -> None:
        """
        Where it is the target that takes no body, the client is not to blame:
        504.
        """
        port, origin = await self.begin(timeouts=Timeouts(idle=50))
        client = await self.client(port)
        client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000000\r\n\r\n")
        server = await origin.accepts()
        await server.head()
        server.transport.pauseProducing()
        client.sends(b"x" * 20_000_000)
        await self.stalls(client)
        self.world.advance(51)
        head = await client.head()
        self.assertEqual(status(head), 504)
        server.breaks()
        client.breaks()

    async def stalls(self, peer: Peer) -> None:
        """
        Wait until the plane takes no more from a peer.
        """
        before = -1
        while before != len(peer.transport.dataBuffer) + len(peer.transport._tempDataBuffer):
            before = len(peer.transport.dataBuffer) + len(peer.transport._tempDataBuffer)
            await turns(30)

    async def test_backpressure(self) -> None:
        """
        A client that does not read stalls the origin, and little is held in
        between; when it reads on, everything arrives.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        client.transport.pauseProducing()
        size = 30_000_000
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        await self.stalls(server)
        held = [len(each.wire.pending) for each in alive(self)]
        self.assertEqual(len(held), 1)
        self.assertLess(held[0], 200_000)
        client.transport.resumeProducing()
        await client.head()
        self.assertEqual(len(await client.takes(size)), size)

    async def test_backpressureUp(self) -> None:
        """
        An origin that does not read stalls the client in the same way.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        size = 30_000_000
        client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size)
        server = await origin.accepts()
        await server.head()
        server.transport.pauseProducing()
        client.sends(bytes(size))
        await self.stalls(client)
        links = [each for each in self.plane.engine.poller.mortals if isinstance(each, Link)]
        self.assertEqual(len(links), 1)
        self.assertLess(len(links[0].wire.pending), 200_000)
        server.transport.resumeProducing()
        self.assertEqual(len(await server.takes(size)), size)
        server.sends(HELLO)
        await client.expects(HELLO)

    async def unread(self, size: int, request: bytes, **others: Any) -> Peer:
        """
        A client that has not read its answer, which was all given to its wire.
        """
        port, _ = await self.begin(Route("r", (1,), Respond(body="x" * size), "http", path="/r"), **others)
        client = await self.client(port)
        client.transport.pauseProducing()
        client.sends(request)
        await self.settles(lambda: any(each.wire.pending for each in alive(self)), "the answer is pending")
        return client

    async def test_slowReader(self) -> None:
        """
        A client that reads slowly gets all of its answer, however long it takes
        as long as it reads.
        """
        size = 20_000_000
        client = await self.unread(size, GET_R_CLOSE, timeouts=Timeouts(head=7, idle=50))
        for _ in range(3):
            self.world.advance(40)
            before = client.received
            client.transport.resumeProducing()
            await client.until(lambda: client.received > before + 5_000_000, "some of it")  # noqa: B023
            client.transport.pauseProducing()
            await turns(5)
        client.transport.resumeProducing()
        await client.head()
        self.assertEqual(len(await client.ends()), size)

    async def test_readerStops(self) -> None:
        """
        When it reads no more its connection breaks: an end would look like that
        of the answer.
        """
        for request in (GET_R, GET_R_CLOSE):
            client = await self.unread(20_000_000, request, timeouts=Timeouts(head=7, idle=50))
            self.world.advance(49)
            await turns(20)
            self.assertEqual(self.plane.engine.open, 1)
            self.world.advance(1.1)
            await self.isIdle()
            client.transport.resumeProducing()
            await client.breaksOff()


class DrainTests(SessionTests):
    """
    Stopping.
    """

    async def test_finishesInFlight(self) -> None:
        """
        A request in flight is answered, with an end announced; what is idle
        closes; nothing more is accepted.
        """
        port, origin = await self.begin()
        idle = await self.client(port)
        idle.sends(GET)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        await idle.expects(HELLO)
        busy = await self.client(port)
        busy.sends(GET)
        await server.head()
        drained = self.plane.drain(30)
        self.assertEqual(await idle.ends(), b"")
        await turns(20)
        self.assertFalse(busy.isOver)
        server.sends(HELLO)
        head, body = await busy.message()
        self.assertEqual((field(head, b"connection"), body), (b"close", b"hello"))
        await busy.ends()
        busy.leaves()
        self.assertEqual(await drained, 0)
        await server.loses()

    async def test_cutsWhatIsLeft(self) -> None:
        """
        What has not ended in time is cut, and counted.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        drained = self.plane.drain(5)
        await turns(20)
        self.assertFalse(client.isOver)
        self.world.advance(5.1)
        self.assertEqual(await drained, 1)
        await client.breaksOff()
        await server.loses()

    async def test_finishesWhatIsUnread(self) -> None:
        """
        An answer that a slow client has not read yet is not cut by draining.
        """
        size = 20_000_000
        port, _ = await self.begin(Route("r", (1,), Respond(body="x" * size), "http", path="/r"))
        client = await self.client(port)
        client.transport.pauseProducing()
        client.sends(GET_R)
        await self.settles(lambda: any(each.wire.pending for each in alive(self)), "the answer is pending")
        drained = self.plane.drain(30)
        await turns(20)
        client.transport.resumeProducing()
        await client.head()
        self.assertEqual(len(await client.ends()), size)
        client.leaves()
        self.assertEqual(await drained, 0)

    async def test_halfAHead(self) -> None:
        """
        A request whose head has begun is still served.
        """
        port, origin = await self.begin()
        origin.answers(HELLO)
        client = await self.client(port)
        client.sends(GET[:10])
        await turns(20)
        drained = self.plane.drain(30)
        await turns(20)
        client.sends(GET[10:])
        head, body = await client.message()
        self.assertEqual((field(head, b"connection"), body), (b"close", b"hello"))
        await client.ends()
        client.leaves()
        self.assertEqual(await drained, 0)


class LocalAnswerTests(SessionTests):
    """
    What is answered from here.
    """

    async def test_respond(self) -> None:
        """
        A fixed answer has its fields, Date and length; HEAD has no body; a
        body of the request that has come is skipped.
        """
        port, _ = await self.begin(
            Route("r", (1,), Respond(201, (("X-A", "b"),), "héllo"), "http", path="/r")
        )
        client = await self.client(port)
        for request in (
            b"GET /r HTTP/1.1\r\nHost: a\r\n\r\n",
            b"POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        ):
            head, body = await self.exchange(client, request)
            self.assertEqual((status(head), body), (201, "héllo".encode()))
            self.assertEqual(field(head, b"x-a"), b"b")
            self.assertIn(b" gmt", field(head, b"date") or b"")
            self.assertIsNone(field(head, b"connection"))
        head, _ = await self.exchange(client, b"HEAD /r HTTP/1.1\r\nHost: a\r\n\r\n", head=True)
        self.assertEqual(field(head, b"content-length"), b"6")
        head, _ = await self.exchange(client, b"GET /r HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(status(head), 201)

    async def test_bodyNotThereYet(self) -> None:
        """
        Where the body of the request is still to come the connection ends
        after the answer, which the client can read.
        """
        port, _ = await self.begin(Route("r", (1,), Respond(body="no"), "http", path="/r"))
        client = await self.client(port)
        client.sends(b"POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx")
        head, body = await client.message()
        self.assertEqual((field(head, b"connection"), body), (b"close", b"no"))
        client.sends(b"x" * 100_000)
        await client.ends()
        client.leaves()
        await self.isIdle()

    async def test_empty(self) -> None:
        """
        204 and 304 have neither body nor length.
        """
        port, _ = await self.begin(
            Route("n", (1,), Respond(204), "http", path="/n"),
            Route("m", (1,), Respond(304), "http", path="/m"),
        )
        client = await self.client(port)
        for path in (b"/n", b"/m", b"/n"):
            client.sends(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            head = await client.head()
            self.assertIsNone(field(head, b"content-length"))
        self.assertEqual(bytes(client.data), b"")

    async def test_redirectAndBlock(self) -> None:
        """
        A redirect has its Location, a block is 403, and the connection goes on.
        """
        port, _ = await self.begin(
            Route("r", (1,), Redirect("https://{domain}{path}", 301), "http", ("r.test",)),
            Route("b", (1,), Block(), "http", ("b.test",)),
        )
        client = await self.client(port)
        head, _ = await self.exchange(client, b"GET /x/../y?z={path} HTTP/1.1\r\nHost: R.test:80\r\n\r\n")
        self.assertIn(b"\r\nLocation: https://r.test/y?z={path}\r\n", head)
        self.assertEqual(status(head), 301)
        head, body = await self.exchange(client, b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n")
        self.assertEqual((status(head), body), (403, b"Forbidden\n"))

    async def test_miss(self) -> None:
        """
        A miss is 404, counted, and the connection goes on.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="a"), "http", ("a.test",)))
        client = await self.client(port)
        head, _ = await self.exchange(client, b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n")
        self.assertEqual(status(head), 404)
        self.assertEqual((await self.exchange(client))[1], b"a")
        tally = await self.plane.tally()
        self.assertEqual((tally["misses"], tally["requests"], tally["open"]), (1, 2, 1))

    async def test_oldClient(self) -> None:
        """
        HTTP/1.0 is answered and closed, or kept when it asks.
        """
        port, _ = await self.begin(Route("r", (1,), Respond(body="r"), "http", path="/r"))
        client = await self.client(port)
        client.sends(b"GET /r HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
        head, _ = await client.message()
        self.assertEqual(field(head, b"connection"), b"keep-alive")
        client.sends(b"GET /r HTTP/1.0\r\n\r\n")
        head, _ = await client.message()
        self.assertEqual(field(head, b"connection"), b"close")
        await client.ends()


class OverTLSTests(SessionTests):
    """
    The same conversations with TLS in between.
    """

    async def test_manyRequests(self) -> None:
        """
        Requests in sequence, pipelined, and with bodies of more than a record
        both ways, by TLS 1.2 and 1.3.
        """
        port = await self.port()
        origin = self.origin()
        await self.certify("a.test")
        await self.use(Route("all", (port,), Forward((origin.target,)), "http", tls=TERMINATE))
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        payload = random.Random(2).randbytes(700_000)
        for version in (0x0303, 0x0304):
            client = await self.tls(port, highest=version)
            assert client.ssl is not None
            for size in (0, 1, 16384, 65535, 65536, 65537, 131072, 700_000):
                client.sends(
                    b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size + payload[:size]
                )
                _, body = await client.message()
                self.assertTrue(body == payload[:size], size)
            client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi" * 30)
            for _ in range(30):
                self.assertEqual((await client.message())[1], b"hi")
            client.finishes()
            await client.ends()
        await self.isIdle()
        self.assertEqual(origin.count, 1)

    async def test_marks(self) -> None:
        """
        The origin is told that it was https.
        """
        port = await self.port()
        origin = self.origin()
        await self.certify("a.test")
        await self.use(Route("all", (port,), Forward((origin.target,)), "http", tls=TERMINATE))
        client = await self.tls(port, alpn=(b"h2", b"http/1.1"))
        assert client.ssl is not None
        self.assertEqual(client.ssl.get_alpn_proto_negotiated(), b"http/1.1")
        client.sends(GET)
        head = await (await origin.accepts()).head()
        self.assertEqual(field(head, b"x-forwarded-proto"), b"https")

    async def test_refusals(self) -> None:
        """
        A refusal reaches the client over TLS as well, and ends with a
        close_notify.
        """
        port = await self.port()
        await self.certify("a.test")
        await self.use(Route("all", (port,), Respond(body="x"), "http", tls=TERMINATE))
        client = await self.tls(port)
        client.sends(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(status(await client.head()), 400)
        await client.ends()
        self.assertTrue(client.isNotified)

    async def test_garbageInside(self) -> None:
        """
        Bytes that are no TLS end the connection, and nothing leaks.
        """
        port = await self.port()
        await self.certify("a.test")
        await self.use(Route("all", (port,), Respond(body="x"), "http", tls=TERMINATE))
        client = await self.tls(port)
        client.transport.write(b"\x17\x03\x03\x00\x05hello")
        await client.loses()
        await self.isIdle()
