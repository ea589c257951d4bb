"""
Sessions: requests one after the other, what is refused, deadlines, and the end.
"""

from __future__ import annotations

import random
from typing import Any

from OpenSSL import SSL
from twisted.logger import capturedLogs

from smartproxy_tw.config.model import Forward, Limits, Respond, Route, Timeouts
from smartproxy_tw.plane.link import Link

from .conversation import GET, HELLO, SessionTests, alive, status
from .harness import TERMINATE, Peer, clientSSL, field, turns

GET_R = b"GET /r HTTP/1.1\r\nHost: a.test\r\n\r\n"
GET_R_CLOSE = b"GET /r HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"


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
            lambda head, body: (
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head.split(b" ")[1])
                + head.split(b" ")[1]
            )
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
        _, body = await server.message()
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
        # PROXY headers that nobody asked for, of both versions.
        await self.refuses(b"PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n" + GET, 400)
        await self.refuses(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12) + GET, 400)

    async def test_hello(self) -> None:
        """
        Whoever speaks TLS to a port that has none hears it in the words of
        TLS, and the log says what the matter is.
        """
        await self.arrange()
        shaking = clientSSL("a.test")
        self.assertRaises(SSL.WantReadError, shaking.do_handshake)
        hello = shaking.bio_read(65536)
        client = await self.client(self.port_)
        with capturedLogs() as events:
            client.sends(hello)
            self.assertEqual(await client.ends(), b"\x15\x03\x03\x00\x02\x02\x70")
        self.assertEqual(events[0]["reason"], f"no route for TLS on port {self.port_}")
        self.assertEqual(self.origin_.count, 0)

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
        port, _ = await self.begin(timeouts=Timeouts(head=21))
        client = await self.client(port)
        client.sends(b"GET / HTTP/1.1\r\n")
        await turns(20)
        for _ in range(3):
            self.world.advance(6)
            client.sends(b"X: y\r\n")
            await turns(20)
        self.assertFalse(client.isOver)
        self.world.advance(3.1)
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
        port, origin = await self.begin(timeouts=Timeouts(keepAlive=50, idle=500))
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
            client = await self.unread(20_000_000, request, timeouts=Timeouts(head=7, idle=50, write=20))
            self.world.advance(15)
            await turns(20)
            self.assertEqual(self.plane.engine.open, 1)

            def passes() -> bool:
                self.world.advance(0.1)
                return not alive(self)

            await self.settles(passes, "it is broken off")
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

    async def test_cutsRequestsFirst(self) -> None:
        """
        That tunnels may last longer is nothing to a request.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await server.head()
        drained = self.plane.drain(5, 500)
        self.world.advance(5.1)
        await client.breaksOff()
        await server.loses()
        self.world.advance(1)
        self.assertEqual(await drained, 1)

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

    async def test_hasJustConnected(self) -> None:
        """
        Who has just connected, and will speak in a moment, is answered, and told that
        this was the end; who does not is not waited for, nor counted as cut.
        """
        port, origin = await self.begin()
        origin.answers(HELLO)
        client = await self.client(port)
        silent = await self.client(port)
        await turns(20)
        drained = self.plane.drain(30)
        await turns(20)
        self.assertFalse(client.isOver)
        client.sends(GET)
        head, body = await client.message()
        self.assertEqual((field(head, b"connection"), body), (b"close", b"hello"))
        await client.ends()
        client.leaves()
        self.assertFalse(silent.isOver)
        self.world.advance(1.5)
        self.assertEqual(await silent.ends(), b"")
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
        client = await self.tls(port, alpn=(b"http/1.1", b"http/1.0"))
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
