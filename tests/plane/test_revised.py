"""
What routes change of requests and answers, on real ports and with real origins: header
fields, rewriting, compression and error pages, all the way.
"""

from __future__ import annotations

import zlib
from itertools import product
from typing import Any

from smartproxy_tw.config.model import TLS, Block, Forward, Limits, Redirect, Respond, Route, TLSPolicy
from smartproxy_tw.config.revision import (
    Compress,
    ErrorPage,
    FieldChanges,
    Headers,
    Representation,
    Rewrite,
)

from .askers import Asker
from .conversation import status
from .harness import TERMINATE, Origin, Peer, PlaneTests, field, turns
from .streams import Client
from .targets import Asked, Multiplexed, Server

PAGE = (
    ErrorPage("404", (Representation("text/html", "<i>{path}</i> {route}|{request_id}"),)),
    ErrorPage("5xx", (Representation("text/plain", "sorry {status}"),)),
)
GZIP = Compress(("gzip",), minBytes=20)
#: Of answers.
BARE = Headers(response=FieldChanges((("Server", "p"),), remove=("x-secret", "x-debug-*")))
BODY = b"all work and no play " * 40


def ask(target: str, *lines: str, method: str = "GET", minor: int = 1) -> bytes:
    """
    A request.
    """
    head = [f"{method} {target} HTTP/1.{minor}", "Host: a.test", *lines]
    return "".join(f"{line}\r\n" for line in [*head, ""]).encode()


class RevisedTests(PlaneTests):
    """
    One port and one origin.
    """

    async def begin(
        self, action: Any = None, path: str | None = "/api/*", **more: Any
    ) -> tuple[Peer, Origin]:
        """
        A client of a route that changes something.
        """
        port = await self.port()
        origin = self.origin()
        route = Route("r", (port,), action or Forward((origin.target,)), "http", path=path, **more)
        await self.use(route, errorPages=PAGE, requestID=True)
        return await self.client(port), origin

    async def test_requests(self) -> None:
        """
        The target is asked for something else, with other fields, by another name; what the proxy says
        itself is as ever.
        """
        client, origin = await self.begin(
            headers=Headers(
                FieldChanges(
                    (("X-A", "{param:*}"), ("Host", "b.test"), ("User-Agent", "u")), remove=("x-d*", "cookie")
                )
            ),
            rewrite=Rewrite("/api", addPrefix="/v2", queryRemove=("u*",)),
        )
        client.sends(
            ask("/api/x?u=1&b=2", "X-Debug: 1", "Cookie: c", "User-Agent: me", "X-A: forged", "X-Keep: 1")
        )
        server = await origin.accepts()
        head = await server.head()
        lines = head.split(b"\r\n")
        self.assertEqual(lines[0], b"GET /v2/x?b=2 HTTP/1.1")
        for name, value in (
            (b"host", b"b.test"),
            (b"x-a", b"x"),
            (b"user-agent", b"u"),
            (b"x-keep", b"1"),
            (b"x-debug", None),
            (b"cookie", None),
            (b"x-forwarded-prefix", b"/api"),
            (b"x-forwarded-host", b"a.test"),
            (b"x-forwarded-for", b"127.0.0.1"),
        ):
            self.assertEqual(field(head, name), value, name)
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self.assertEqual((await client.message())[1], b"ok")

    async def test_trailers(self) -> None:
        """
        What a route takes away, or says itself, is not said behind the body either, by whichever HTTP it
        comes: the target hears nothing of it.
        """
        client, origin = await self.begin(
            headers=Headers(FieldChanges((("Remote-User", "ann"),), remove=("x-secret",))),
        )
        head = ask("/api/x", "Transfer-Encoding: chunked", method="POST")
        client.sends(head + b"2\r\nhi\r\n0\r\nSum: 1\r\n\r\n")
        server = await origin.accepts()
        await server.head()
        await server.expects(b"2\r\nhi\r\n0\r\nSum: 1\r\n\r\n")
        server.sends(b"HTTP/1.1 204 No Content\r\n\r\n")
        await client.message(False)
        client.sends(head + b"2\r\nhi\r\n")
        await server.head()
        await server.expects(b"2\r\nhi\r\n")
        client.sends(b"0\r\nSum: 1\r\nREMOTE_USER: eve\r\n\r\n")
        self.assertEqual(status((await client.message())[0]), 400)
        await server.ends()
        self.assertNotIn(b"eve", bytes(server.data))

    async def test_trailersOfStreams(self) -> None:
        """
        So it is by HTTP/2.
        """
        port = await self.port()
        origin = self.origin()
        headers = Headers(FieldChanges((("Remote-User", "ann"),)))
        route = Route("r", (port,), Forward((origin.target,)), "http", headers=headers)
        await self.use(route, http2PriorKnowledge=True)
        client = Client(await self.client(port))
        stream = client.asks("/", method="POST", isEnd=False)
        client.says(stream, b"hello")
        client.line.send_headers(stream, [("remote_user", "eve")], end_stream=True)
        client.flush()
        self.assertEqual((await client.answer(stream)).status, 400)
        server = await origin.accepts()
        await server.ends()
        self.assertNotIn(b"eve", bytes(server.data))

    async def test_trailersByGlob(self) -> None:
        """
        What a glob takes away is not said behind the body either.
        """
        client, origin = await self.begin(headers=Headers(FieldChanges(remove=("x-debug-*",))))
        head = ask("/api/x", "Transfer-Encoding: chunked", method="POST")
        client.sends(head + b"2\r\nhi\r\n0\r\nX-Debugs: 1\r\n\r\n")
        server = await origin.accepts()
        await server.head()
        await server.expects(b"2\r\nhi\r\n0\r\nX-Debugs: 1\r\n\r\n")
        server.sends(b"HTTP/1.1 204 No Content\r\n\r\n")
        await client.message(False)
        client.sends(head + b"2\r\nhi\r\n")
        await server.head()
        await server.expects(b"2\r\nhi\r\n")
        client.sends(b"0\r\nSum: 1\r\nX_Debug_A: eve\r\n\r\n")
        self.assertEqual(status((await client.message())[0]), 400)
        await server.ends()
        self.assertNotIn(b"eve", bytes(server.data))

    async def test_trailersBack(self) -> None:
        """
        What a route takes away of answers, or says itself, goes no further behind the body either.
        """
        client, origin = await self.begin(headers=BARE)
        fields = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n2\r\nok\r\n0\r\n"
        server = None
        for trailers, kept in (
            (
                b"X-SECRET: 1\r\nSum: 2\r\nx-debug-a: 3\r\nserver: t\r\nX-Secrets: 4\r\n",
                b"Sum: 2\r\nX-Secrets: 4\r\n",
            ),
            (b"x-secret: 1\r\nx-secret: 2\r\n", b""),
            (b"Sum: 3\r\n", b"Sum: 3\r\n"),
            (b"", b""),
        ):
            answer = fields + trailers + b"\r\n"
            for cut in (len(answer), len(fields), len(fields) + 4, len(answer) - 3):
                client.sends(ask("/api/x"))
                server = server or await origin.accepts()
                await server.head()
                server.sends(answer[:cut])
                await turns(3)
                server.sends(answer[cut:])
                self.assertEqual(field(await client.head(), b"server"), b"p")
                await client.expects(b"2\r\nok\r\n0\r\n" + kept + b"\r\n")

    async def test_trailersBackOfStreams(self) -> None:
        """
        So it is by HTTP/2, from targets of either version; a body ends all the same if all behind it goes.
        """
        old = self.origin()
        trailers: list[tuple[bytes, bytes]] = []

        def answers(server: Server, asked: Asked) -> None:
            server.answers(asked, body=b"ok", trailers=trailers)

        def answer(head: bytes, body: bytes) -> bytes:
            lines = b"".join(name + b": " + value + b"\r\n" for name, value in trailers)
            return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" + lines + b"\r\n"

        old.answers(answer)
        new = Multiplexed(self.origin(), answers)
        ports = await self.port(), await self.port()
        await self.use(
            Route("old", (ports[0],), Forward((old.target,)), "http", headers=BARE),
            Route("new", (ports[1],), Forward((new.target(),)), "http", headers=BARE),
            http2PriorKnowledge=True,
        )
        for trailers in (
            [(b"sum", b"2"), (b"x-secret", b"1"), (b"x-debug-a", b"1"), (b"server", b"t")],
            [(b"x-secret", b"1")],
        ):
            kept = dict(trailers[:1]) if len(trailers) > 1 else {}
            for port in ports:
                asker = Asker(await self.client(port))
                found = await asker.whole(asker.asks())
                self.assertEqual((found.body, found.trailers, found.code), (b"ok", kept, None))
            head = await self.asks1(ports[1])
            self.assertEqual(head, b"".join(b"%b: %b\r\n" % each for each in kept.items()))

    async def asks1(self, port: int) -> bytes:
        """
        What stands behind the body of an answer by HTTP/1.
        """
        client = await self.client(port)
        client.sends(ask("/"))
        await client.head()
        await client.until(lambda: client.data.endswith(b"\r\n\r\n"), "the end of an answer")
        return bytes(client.data).partition(b"0\r\n")[2][:-2]

    async def test_remembered(self) -> None:
        """
        A head that comes again is changed again, each time with its own number, which the target and
        the client are told alike.
        """
        client, origin = await self.begin(
            headers=Headers(response=FieldChanges((("X-Number", "{request_id}"),))), rewrite=Rewrite("/api")
        )
        numbers = set()
        server = None
        for _ in range(3):
            client.sends(ask("/api/x"))
            server = server or await origin.accepts()
            head = await server.head()
            self.assertTrue(head.startswith(b"GET /x "))
            server.sends(b"HTTP/1.1 204 No Content\r\n\r\n")
            answer, _ = await client.message(False)
            number = field(answer, b"x-number")
            self.assertEqual(number, field(head, b"x-request-id"))
            numbers.add(number)
        self.assertEqual(len(numbers), 3)

    async def test_compressed(self) -> None:
        """
        However the target frames a body, and in whatever pieces it comes, the client has the whole of
        it, and the connection goes on.
        """
        client, origin = await self.begin(compress=GZIP)
        fields = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        chunked = b"".join(b"%x\r\n%b\r\n" % (len(BODY) // 4, BODY[at::4]) for at in range(4))
        whole = b"".join(BODY[at::4] for at in range(4))
        server = None
        answers = (
            fields + b"Content-Length: %d\r\n\r\n" % len(BODY) + whole,
            fields + b"Transfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\n\r\n",
        )
        for answer, cut in product(answers, (1, 70, 100, 300, 10000)):
            client.sends(ask("/api/x", "Accept-Encoding: br;q=0.1, gzip"))
            server = server or await origin.accepts()
            await server.head()
            for piece in (answer[:cut], answer[cut:]):
                server.sends(piece)
                await turns(2)
            head, body = await client.message()
            self.assertEqual(field(head, b"content-encoding"), b"gzip")
            self.assertEqual(zlib.decompress(body, 31), whole)

    async def test_head(self) -> None:
        """
        HEAD and GET have one head, and a client that knows no chunks has the body to the end of the
        connection.
        """
        client, _ = await self.begin(
            Respond(200, (("Content-Type", "text/plain"),), BODY.decode()), compress=GZIP
        )
        heads = []
        for method in ("GET", "HEAD"):
            client.sends(ask("/api/x", "Accept-Encoding: gzip", method=method))
            heads.append(
                (await client.message(method == "GET"))[0].replace(b"Transfer-Encoding: chunked\r\n", b"")
            )
        self.assertEqual(*heads)
        client.sends(ask("/api/x", "Accept-Encoding: gzip", minor=0))
        self.assertEqual(zlib.decompress((await client.ends()).partition(b"\r\n\r\n")[2], 31), BODY)

    async def test_atOnce(self) -> None:
        """
        A piece of a body that streams is with the client before the next one has come.
        """
        client, origin = await self.begin(compress=GZIP)
        client.sends(ask("/api/x", "Accept-Encoding: gzip"))
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        undo = zlib.decompressobj(31)
        await client.head()
        for number in range(3):
            server.sends(b"5\r\nline%d\r\n" % number)
            size = int((await client.through(b"\r\n")).strip(), 16)
            self.assertEqual(undo.decompress((await client.takes(size + 2))[:-2]), b"line%d" % number)

    async def test_pages(self) -> None:
        """
        What no route takes and what no target answers has its page, and so has what a route refuses;
        what a target says itself stays.
        """
        client, origin = await self.begin(errorPages=PAGE)
        client.sends(ask("/n<o>"))
        head, body = await client.message()
        self.assertEqual((status(head), body), (404, b"<i>/n&lt;o&gt;</i> |" + body[-36:]))
        self.assertEqual(field(head, b"content-type"), b"text/html")
        client.sends(ask("/nope", method="HEAD"))
        head, _ = await client.message(False)
        self.assertEqual(field(head, b"content-length"), str(len("<i>/nope</i> |") + 36).encode())
        client.sends(ask("/api/x"))
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nmine")
        self.assertEqual((await client.message())[1], b"mine")
        client.sends(ask("/api/x", method="POST"))
        await server.head()
        server.leaves()
        head, body = await client.message()
        self.assertEqual((status(head), body), (502, b"sorry 502"))
        self.assertIsNotNone(field(head, b"x-request-id"))

    async def test_pagesOfRefusals(self) -> None:
        """
        A body that is too long, told before or found in chunks, that is none, or that does not come
        has the page of its route, as soon as the route is known, and the connection ends with it.
        """
        pages = (
            ErrorPage("413", (Representation("text/html", "<i>{path}</i> {route}: too much"),)),
            ErrorPage("4xx", (Representation("text/plain", "{route}: {status} {reason}"),)),
        )
        post = ask("/api/x", "Transfer-Encoding: chunked", method="POST")
        told = ask("/api/x", "Content-Length: 11", method="POST")
        expected = ask("/api/x", "Content-Length: 11", "Expect: 100-continue", method="POST")
        late = ask("/api/x", "Content-Length: 10", method="POST")
        tooMuch = b"<i>/api/x</i> r: too much"
        for action in (None, Respond(body="never seen")):
            client, _ = await self.begin(
                action,
                errorPages=pages,
                headers=Headers(response=FieldChanges((("X-A", "seen"),))),
                bodyBytes=10,
            )
            number = client.transport.getPeer().port
            for request, wanted in (
                (told, (413, tooMuch)),
                (expected, (413, tooMuch)),
                *(((post + b"b\r\n", (413, tooMuch)),) if action is None else ()),
                *(((post + b"zzz\r\n", (400, b"r: 400 Bad Request")),) if action is None else ()),
                *(((late + b"some", (408, b"r: 408 Request Timeout")),) if action is None else ()),
            ):
                client = await self.client(number)
                client.sends(request)
                if wanted[0] == 408:
                    await self.settles(lambda: bool(self.plane.engine.poller.mortals), "it waits")
                    await turns(3)
                    self.world.advance(400)
                head, body = await client.message()
                self.assertEqual((status(head), body), wanted, request)
                self.assertEqual(field(head, b"x-a"), b"seen")
                self.assertEqual(field(head, b"connection"), b"close")
                self.assertEqual(await client.ends(), b"")
                client.leaves()

    async def test_pageOfNobody(self) -> None:
        """
        What no route takes and is too long has the page of the whole proxy; without one of its own
        for that status a route has the usual answer.
        """
        port = await self.port()
        everybody = (ErrorPage("413", (Representation("text/plain", "{status} for all|{route}|"),)),)
        route = Route("r", (port,), Block(), "http", path="/api/*", errorPages=PAGE)
        await self.use(route, errorPages=everybody, limits=Limits(bodyBytes=10))
        for path, wanted in (("/nope", b"413 for all||"), ("/api/x", b"413 Content Too Large\n")):
            client = await self.client(port)
            client.sends(ask(path, "Content-Length: 11", method="POST"))
            head, body = await client.message()
            self.assertEqual((status(head), body), (413, wanted))
            await client.ends()
            client.leaves()

    async def test_pageOfMisdirected(self) -> None:
        """
        A request for another name than its connection is for has the page of the whole proxy, and
        never one of the route that it is not to reach.
        """
        port = await self.port()
        await self.certify("a.test", "b.test")
        strict = TLS("terminate", TERMINATE.certificate, policy=TLSPolicy(lowest="1.3"))
        self.assertNotEqual(strict, TERMINATE)
        everybody = (ErrorPage("421", (Representation("text/plain", "not here|{route}|"),)),)
        own = (ErrorPage("4xx", (Representation("text/plain", "secret"),)),)
        await self.use(
            Route("a", (port,), Respond(body="a"), "http", ("a.test",), tls=TERMINATE),
            Route("b", (port,), Respond(body="b"), "http", ("b.test",), tls=strict, errorPages=own),
            errorPages=everybody,
        )
        for host in ("b.test", "c.test"):
            client = await self.tls(port, "a.test")
            client.sends(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode())
            head, body = await client.message()
            self.assertEqual((status(head), body), (421, b"not here||"), host)
            client.leaves()

    async def test_pagesForAll(self) -> None:
        """
        Where that is asked for a target's errors have the page too, however long their own bodies
        are, and its connection serves again.
        """
        page = ErrorPage("5xx", (Representation("text/plain", "sorry"),), True)
        client, origin = await self.begin(errorPages=(page,), compress=GZIP)
        server = None
        for answer in (
            b"Content-Length: 0\r\n\r\n",
            b"Content-Length: 300000\r\nContent-Encoding: br\r\n\r\n" + b"x" * 300000,
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ):
            client.sends(ask("/api/x", "Accept-Encoding: gzip"))
            server = server or await origin.accepts()
            await server.head()
            server.sends(b"HTTP/1.1 500 Oops\r\n" + answer)
            head, body = await client.message()
            self.assertEqual((status(head), body), (500, b"sorry"))
            self.assertIsNone(field(head, b"content-encoding"))
        self.assertEqual(origin.count, 1)

    async def test_actions(self) -> None:
        """
        All of it goes for answers that the proxy gives itself as well.
        """
        changes = Headers(response=FieldChanges((("X-A", "{path}"),)))
        for action, wanted in (
            (Block(), (403, b"no")),
            (Redirect("https://b.test/{param:*}"), (308, b"")),
            (Respond(200, (("Content-Type", "text/plain"),), "x{param:*}" * 20), (200, b"xy" * 20)),
        ):
            client, _ = await self.begin(
                action,
                headers=changes,
                compress=GZIP,
                errorPages=(ErrorPage("403", (Representation("text/plain", "no"),)),),
            )
            client.sends(ask("/api/y", "Accept-Encoding: gzip"))
            head, body = await client.message()
            if field(head, b"content-encoding"):
                body = zlib.decompress(body, 31)
            self.assertEqual((status(head), body), wanted)
            self.assertEqual(field(head, b"x-a"), b"/api/y")

    async def test_reloaded(self) -> None:
        """
        A new table brings new pages, and none where there are none any more.
        """
        client, _ = await self.begin()
        port = client.transport.getPeer().port
        route = Route("r", (port,), Block(), "http", path="/api/*")
        for pages, wanted in (
            (PAGE, b"<i>"),
            ((), b"404"),
            ((ErrorPage("4xx", (Representation("text/plain", "new"),)),), b"new"),
        ):
            await self.use(route, errorPages=pages)
            client.sends(ask("/nope"))
            self.assertTrue((await client.message())[1].startswith(wanted))
