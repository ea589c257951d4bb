"""
Clients and targets of either version of HTTP: whatever is between them, the answer is the
same.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.model import Forward, Route, UpstreamTLS
from smartproxy_tw.wire.frames import CANCEL

from .askers import Answer, Asker
from .harness import PlaneTests, credentialFor, turns
from .targets import Asked, Multiplexed, Server, speaking

#: Method and path, body of the request, and what the target answers: status, fields, body, trailers.
STORIES: list[tuple[bytes, bytes, bytes, list[tuple[bytes, bytes]], bytes, list[tuple[bytes, bytes]]]] = [
    (b"GET /a?b=c", b"", b"200", [(b"x-one", b"1"), (b"content-type", b"text/plain")], b"hello", []),
    (b"POST /", b"some body", b"201", [(b"location", b"/x")], b"made", []),
    (b"PUT /", b"x" * 50_000, b"200", [], b"y" * 60_000, []),
    (b"HEAD /", b"", b"200", [(b"content-length", b"77")], b"", []),
    (b"GET /", b"", b"204", [], b"", []),
    (b"GET /", b"", b"304", [(b"etag", b'"a"')], b"", []),
    (b"DELETE /x", b"", b"404", [(b"set-cookie", b"a=b"), (b"x-two", b"2")], b"no", []),
    (b"GET /", b"", b"200", [], b"", []),
    (
        b"POST /",
        b"call",
        b"200",
        [(b"content-type", b"application/grpc")],
        b"reply",
        [(b"grpc-status", b"0")],
    ),
    (b"OPTIONS /", b"", b"200", [(b"allow", b"GET")], b"", []),
]


class VersionTests(PlaneTests):
    """
    All four ways.
    """

    async def ask1(self, port: int, story: Any) -> tuple[bytes, dict[bytes, bytes], bytes]:
        """
        By HTTP/1.1.
        """
        start, sent = story[0], story[1]
        client = await self.client(port)
        request = start + b" HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE\r\n"
        if sent or start.startswith((b"POST", b"PUT")):
            request += b"Content-Length: %d\r\n" % len(sent)
        client.sends(request + b"\r\n" + sent)
        hasBody = not start.startswith(b"HEAD") and story[2] not in (b"204", b"304")
        head, body = await client.message(hasBody)
        lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2]]
        return head[9:12], {name.lower(): value for name, value in lines}, body

    async def ask2(self, port: int, story: Any) -> tuple[bytes, dict[bytes, bytes], bytes]:
        """
        By HTTP/2.
        """
        method, path = story[0].split(b" ")
        asker = Asker(await self.client(port))
        answer = asker.asks(path, (b"te", b"trailers"), method=method, isEnd=not story[1])
        if story[1]:
            body = story[1]
            while body:
                asker.goesOn(answer, body[:10_000], len(body) <= 10_000)
                body = body[10_000:]
        await asker.whole(answer)
        self.assertEqual(answer.trailers, dict(story[5]))
        return answer.status, {k: v for k, v in answer.fields.items() if k != b":status"}, answer.body

    async def test_same(self) -> None:
        """
        A client gets the same status, fields and body from a target of either version.
        """
        seen: list[tuple[str, bytes]] = []
        story: Any = None

        def answer1(head: bytes, body: bytes) -> bytes:
            seen.append(("1", body))
            made = b"HTTP/1.1 %b X\r\n" % story[2]
            made += b"".join(name + b": " + value + b"\r\n" for name, value in story[3])
            if story[5]:
                made += b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n" % (len(story[4]), story[4])
                return made + b"".join(name + b": " + value + b"\r\n" for name, value in story[5]) + b"\r\n"
            if story[2] in (b"204", b"304") or head.startswith(b"HEAD"):
                return made + b"\r\n"
            return made + b"Content-Length: %d\r\n\r\n" % len(story[4]) + story[4]

        def answer2(server: Server, asked: Asked) -> None:
            seen.append(("2", asked.body))
            server.answers(asked, story[2], *story[3], body=story[4], trailers=story[5])

        old, new = self.origin(), self.origin()
        old.answers(answer1)
        target = Multiplexed(new, answer2)
        ports = await self.port(), await self.port()
        await self.use(
            Route("old", (ports[0],), Forward((old.target,)), "http"),
            Route("new", (ports[1],), Forward((target.target(),)), "http"),
            http2PriorKnowledge=True,
        )
        for story in STORIES:
            for ask in (self.ask1, self.ask2):
                found = [await ask(port, story) for port in ports]
                for status, fields, body in found:
                    self.assertEqual((status, body[:99]), (story[2], story[4][:99]))
                    self.assertEqual(len(body), len(story[4]))
                    for name, value in story[3]:
                        self.assertEqual(fields.get(name), value)
                without = [
                    {
                        k: v
                        for k, v in fields.items()
                        if k not in (b"content-length", b"transfer-encoding", b"date")
                    }
                    for _, fields, _ in found
                ]
                self.assertEqual(without[0], without[1])
        self.assertEqual({body for which, body in seen if which == "1"}, {s[1] for s in STORIES})
        self.assertEqual([b for w, b in seen if w == "1"], [b for w, b in seen if w == "2"])


class StreamTests(PlaneTests):
    """
    HTTP/2 on both sides.
    """

    async def begin(self) -> tuple[Asker, Answer, Server, Asked]:
        """
        A call that has begun.
        """
        self.target = Multiplexed(self.origin())
        self.number = await self.port()
        route = Route("a", (self.number,), Forward((self.target.target(),)), "http")
        await self.use(route, http2PriorKnowledge=True)
        asker = Asker(await self.client(self.number))
        answer = asker.asks(
            b"/svc/Call", (b"te", b"trailers"), (b"grpc-timeout", b"3S"), method=b"POST", isEnd=False
        )
        server = await self.target.accepts()
        return asker, answer, server, await server.asked()

    async def test_bothWays(self) -> None:
        """
        Pieces go in both directions at once, and trailers end it.
        """
        asker, answer, server, asked = await self.begin()
        self.assertEqual((asked.fields[b"te"], asked.fields[b"grpc-timeout"]), (b"trailers", b"3S"))
        server.begins(asked, b"200", (b"content-type", b"application/grpc"))
        await asker.peer.until(lambda: answer.status == b"200", "a head")
        for index in range(5):
            asker.goesOn(answer, b"ask%d" % index)
            await server.peer.until(lambda index=index: asked.body.endswith(b"ask%d" % index), "a piece")  # type: ignore[misc]
            server.goesOn(asked, b"say%d" % index)
            await asker.peer.until(lambda index=index: answer.body.endswith(b"say%d" % index), "a piece")  # type: ignore[misc]
        asker.goesOn(answer, b"", True)
        await server.peer.until(lambda: asked.isEnded, "the end")
        server.ends(asked, (b"grpc-status", b"0"), (b"grpc-message", b"fine"))
        await asker.whole(answer)
        self.assertEqual(answer.trailers, {b"grpc-status": b"0", b"grpc-message": b"fine"})

    async def test_trailersOnly(self) -> None:
        """
        An answer that is one head, with what are trailers otherwise.
        """
        asker, answer, server, asked = await self.begin()
        server.begins(asked, b"200", (b"grpc-status", b"5"), isEnd=True)
        await asker.whole(answer)
        self.assertEqual((answer.fields[b"grpc-status"], answer.body, answer.trailers), (b"5", b"", {}))
        self.assertNotIn(b"content-length", answer.fields)

    async def test_trailersUp(self) -> None:
        """
        Trailers of a request.
        """
        asker, answer, server, asked = await self.begin()
        asker.goesOn(answer, b"abc")
        asker.ends(answer, (b"x-sum", b"3"))
        await server.peer.until(lambda: asked.isEnded, "the end")
        self.assertEqual((asked.body, asked.trailers), (b"abc", {b"x-sum": b"3"}))
        server.answers(asked)
        await asker.whole(answer)

    async def test_cancelled(self) -> None:
        """
        A client that resets its stream has the target's reset.
        """
        asker, answer, server, asked = await self.begin()
        server.begins(asked)
        server.goesOn(asked, b"x")
        await asker.peer.until(lambda: answer.body == b"x", "a piece")
        asker.h2.reset_stream(answer.stream, CANCEL)
        asker.flushes()
        self.assertEqual(await server.resets(asked), CANCEL)

    async def test_brokenWithin(self) -> None:
        """
        An answer that breaks off is not one that ends.
        """
        asker, answer, server, asked = await self.begin()
        server.begins(asked)
        server.goesOn(asked, b"x")
        await asker.peer.until(lambda: answer.body == b"x", "a piece")
        server.peer.breaks()
        await asker.whole(answer)
        self.assertFalse(answer.isEnded)
        self.assertIsNotNone(answer.code)

    async def test_slowClient(self) -> None:
        """
        A client that gives no window stops the target, and gets everything when it does.
        """
        asker, answer, server, asked = await self.begin()
        asker.h2.update_settings({4: 10})
        asker.flushes()
        await turns(10)
        server.begins(asked)
        sent = 0
        for _ in range(200):
            room = min(server.h2.local_flow_control_window(asked.stream), 16384)
            if room:
                server.goesOn(asked, b"x" * room)
                sent += room
            await turns(1)
        self.assertLess(sent, 400_000, "the target has to wait")
        asker.h2.update_settings({4: 60_000})
        asker.flushes()
        await self.settles(lambda: len(answer.body) == sent, "it has all")
        server.goesOn(asked, b"", True)
        await asker.whole(answer)


class NegotiationTests(PlaneTests):
    """
    Targets that are spoken to by TLS.
    """

    async def begin(self, protocol: Any, *spoken: bytes) -> Any:
        """
        A target that speaks some protocols, and a client that has asked.
        """
        origin = self.origin(credential=credentialFor("b.test"))
        origin._ssl = lambda: speaking(spoken, "b.test")
        self.target = Multiplexed(origin)
        if spoken[:1] != (b"h2",):
            origin.prepare = None
        port = await self.port()
        action = Forward((self.target.target(protocol),), UpstreamTLS("b.test", False))
        await self.use(Route("a", (port,), action, "http"))
        client = await self.client(port)
        client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        self.number = port
        return client

    async def test_agreed(self) -> None:
        """
        One that prefers HTTP/2 gets it, with C{h2} and with C{auto}.
        """
        for protocol in ("h2", "auto"):
            client = await self.begin(protocol, b"h2", b"http/1.1")
            server = await self.target.accepts()
            asked = await server.whole()
            self.assertEqual(asked.fields[b":scheme"], b"https")
            server.answers(asked, body=b"x")
            self.assertEqual((await client.message())[1], b"x")

    async def test_older(self) -> None:
        """
        One that does not is spoken to by HTTP/1.1 with C{auto}, many connections at a time if
        need be, and with C{h2} it is 502.
        """
        for spoken in ((b"http/1.1",), ()):
            client = await self.begin("auto", *spoken)
            peer = await self.target.origin.accepts()
            self.assertTrue((await peer.head()).startswith(b"GET / HTTP/1.1\r\n"))
            others = [await self.client(self.number) for _ in range(2)]
            for each in others:
                each.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            for each in [await self.target.origin.accepts() for _ in others]:
                await each.head()
            peer.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
            self.assertEqual((await client.message())[1], b"x")
            client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
            await peer.head()
        client = await self.begin("h2", b"http/1.1")
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 502 "))
