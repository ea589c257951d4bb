"""
Single requests by HTTP/2: bodies, answers, resets, and who is too slow.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from smartproxy_tw.config.model import AccessLog, Forward, Limits, Respond, Route
from smartproxy_tw.config.revision import ErrorPage, Representation
from smartproxy_tw.wire.frames import CANCEL, INTERNAL_ERROR, PREFACE, frame, settings, windowUpdate

from ..wire.conversations import framesOf, head
from .conversation import GET, HELLO, DeedTests, alive
from .harness import Peer, field, turns
from .streams import Client, StreamTests

POST = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a.test"), (b":path", b"/")]
HERE = Route("here", (1,), Respond(body="here"), "http", path="/here")
BIG = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000000


class BodyTests(StreamTests):
    """
    Bodies of requests.
    """

    async def test_length(self) -> None:
        """
        One of known length goes on as it is.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        stream = client.asks("/", ("content-length", "10"), method="POST", isEnd=False)
        client.says(stream, b"hello")
        client.says(stream, b"world", True)
        server = await origin.accepts()
        sent, body = await server.message()
        self.assertEqual((field(sent, b"content-length"), body), (b"10", b"helloworld"))
        server.sends(HELLO)
        self.assertEqual((await client.answer(stream)).body, b"hello")

    async def test_unknownLength(self) -> None:
        """
        One of unknown length goes on in chunks, with its trailers.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        stream = client.asks("/", ("te", "trailers"), method="POST", isEnd=False)
        client.says(stream, b"hello")
        client.line.send_headers(stream, [("checksum", "abc")], end_stream=True)
        client.flush()
        server = await origin.accepts()
        sent = await server.head()
        self.assertEqual(field(sent, b"transfer-encoding"), b"chunked")
        self.assertEqual(field(sent, b"te"), b"trailers")
        await server.expects(b"5\r\nhello\r\n0\r\nchecksum: abc\r\n\r\n")
        server.sends(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\ngrpc-status: 0\r\n\r\n"
        )
        answer = await client.answer(stream)
        self.assertEqual((answer.body, answer.trailers), (b"hi", {"grpc-status": "0"}))

    async def test_big(self) -> None:
        """
        A big one arrives as it was, and windows are opened only as the target takes it.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        sent = bytes(range(256)) * 65536
        stream = client.asks("/", ("content-length", str(len(sent))), method="POST", isEnd=False)
        server = await origin.accepts()
        server.transport.pauseProducing()
        at = since = 0
        while since < 100 and at < len(sent):
            size = min(client.room(stream), 16384)
            since = 0 if size > 0 else since + 1
            if size > 0:
                client.says(stream, sent[at : at + size])
                at += size
            else:
                await turns(1)
        # What the kernel and two windows hold, but not the whole of it.
        self.assertLess(at, len(sent))
        server.transport.resumeProducing()
        await client.pours(stream, sent[at:])
        self.assertTrue((await server.message())[1] == sent)
        server.sends(HELLO)
        self.assertEqual((await client.answer(stream)).status, 200)

    async def test_tooBig(self) -> None:
        """
        Beyond limits.body_bytes it is 413, whether the length was told or not.
        """
        port, _ = await self.begin(limits=Limits(bodyBytes=10))
        client = await self.http2(port)
        told = client.asks("/", ("content-length", "11"), method="POST", isEnd=False)
        answer = await client.answer(told)
        self.assertEqual((answer.status, answer.isWhole), (413, True))
        self.assertIsNone(answer.reset)
        untold = client.asks(method="POST", isEnd=False)
        client.says(untold, b"x" * 11, True)
        self.assertEqual((await client.answer(untold)).status, 413)

    async def test_pages(self) -> None:
        """
        Who is refused after the route was known has its page, and others go on.
        """
        pages = (ErrorPage("4xx", (Representation("text/plain", "{route} {status}"),)),)
        port, origin = await self.begin(HERE)
        paged = Route(
            "paged", (port,), Forward((origin.target,)), "http", path="/paged", errorPages=pages, bodyBytes=10
        )
        await self.use(paged, replace(HERE, ports=(port,)), http2PriorKnowledge=True)
        client = await self.http2(port)
        told = await client.answer(
            client.asks("/paged", ("content-length", "11"), method="POST", isEnd=False)
        )
        self.assertEqual((told.status, told.body), (413, b"paged 413"))
        untold = client.asks("/paged", method="POST", isEnd=False)
        client.says(untold, b"x" * 11)
        answer = await client.answer(untold)
        self.assertEqual((answer.status, answer.body), (413, b"paged 413"))
        self.assertIsNone(answer.reset)
        late = client.asks("/paged", method="POST", isEnd=False)
        await (await origin.accepts()).head()
        for _ in range(2):
            # It is heard of first, and then that nothing has come.
            self.world.advance(6)
            await self.swept()
            await self.swept()
        answer = await client.answer(late)
        self.assertEqual((answer.status, answer.body), (408, b"paged 408"))
        self.assertEqual((await client.answer(client.asks("/here"))).body, b"here")

    async def test_continue(self) -> None:
        """
        Interim answers come, and a body that waits for one is sent then.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        stream = client.asks("/", ("expect", "100-continue"), method="POST", isEnd=False)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await client.until(lambda: client.answers[stream].interim == [100, 103], "interim answers")
        client.says(stream, b"body", True)
        await server.expects(b"4\r\nbody\r\n0\r\n\r\n")
        server.sends(HELLO)
        self.assertEqual((await client.answer(stream)).status, 200)


class SlowTests(StreamTests):
    """
    Who is too slow.
    """

    async def test_body(self) -> None:
        """
        A body that does not come is 408, and others are not disturbed.
        """
        port, origin = await self.begin(HERE)
        client = await self.http2(port)
        stream = client.asks(method="POST", isEnd=False)
        await (await origin.accepts()).head()
        self.world.advance(6)
        await self.swept()
        await self.swept()
        self.assertEqual((await client.answer(stream)).status, 408)
        self.assertEqual((await client.answer(client.asks("/here"))).status, 200)

    async def test_turns(self) -> None:
        """
        A body that waits because others on the connection have their turn is not too slow.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        waiting = client.asks("/waits", method="POST", isEnd=False)
        waits = await origin.accepts()
        await waits.head()
        busy = client.asks("/busy", method="POST", isEnd=False)
        await (await origin.accepts()).head()
        for _ in range(6):
            client.says(busy, b"x" * 3000)
            await turns(4)
            self.world.advance(4)
            await self.swept()
        client.says(waiting, b"now", True)
        await waits.expects(b"3\r\nnow\r\n0\r\n\r\n")
        waits.sends(HELLO)
        self.assertEqual((await client.answer(waiting)).status, 200)
        client.resets(busy)

    async def test_target(self) -> None:
        """
        A target that does not answer in time is 504.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        stream = client.asks()
        await (await origin.accepts()).head()
        self.world.advance(301)
        await self.swept()
        self.assertEqual((await client.answer(stream)).status, 504)

    async def reader(self, size: int = 1000000) -> tuple[Client, int, Peer]:
        """
        A client that has opened no window for the rest of an answer.
        """
        port, origin = await self.begin(HERE)
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        client = await self.http2(port, isReading=False)
        client.line.increment_flow_control_window(1 << 20)
        client.flush()
        stream = client.asks()
        await client.until(lambda: len(client.answers[stream].body) == 65535, "a window full")
        return client, stream, origin.peers[-1]

    async def pauses(self, seconds: float) -> None:
        """
        Time passes, a second at a time or more.
        """
        while seconds > 0:
            self.world.advance(min(seconds, 5))
            seconds -= 5
            await self.swept()

    async def test_unread(self) -> None:
        """
        Who opens no window loses that answer when timeouts.write is over, and only that.
        """
        client, stream, server = await self.reader()
        await self.pauses(25)
        self.assertIsNone(client.answers[stream].reset)
        await self.pauses(15)
        self.assertEqual((await client.answer(stream)).reset, CANCEL)
        await server.loses()
        self.assertEqual((await client.answer(client.asks("/here"))).body, b"here")

    async def test_unreadAfterItsEnd(self) -> None:
        """
        So it is when the target has long said all of it, and the wait for the next request does not
        cut it sooner.
        """
        client, stream, _ = await self.reader(100000)
        await self.settles(lambda: not alive(self)[0].channels, "the target is done")
        await self.pauses(25)
        self.assertIsNone(client.answers[stream].reset)
        await self.pauses(15)
        self.assertEqual((await client.answer(stream)).reset, CANCEL)

    async def test_slowly(self) -> None:
        """
        Who takes it slowly, but not too slowly, gets all of it, however long that takes.
        """
        client, stream, _ = await self.reader(100000)
        for _ in range(14):
            client.line.increment_flow_control_window(2600, stream)
            client.flush()
            await self.pauses(10)
        self.assertEqual(len((await client.answer(stream)).body), 100000)

    async def test_trickle(self) -> None:
        """
        Who opens the window by a few bytes now and then does not hold an answer for ever.
        """
        client, stream, _ = await self.reader()
        seconds = 0
        while client.answers[stream].reset is None and seconds < 60:
            client.line.increment_flow_control_window(100, stream)
            client.flush()
            await self.pauses(5)
            seconds += 5
        self.assertEqual(client.answers[stream].reset, CANCEL)
        self.assertIn(seconds, range(30, 50))

    async def test_connectionsWindow(self) -> None:
        """
        Who opens none for the connection loses that.
        """
        port, origin = await self.begin()
        origin.answers(BIG)
        client = await self.http2(port, window=1 << 20, isReading=False)
        stream = client.asks()
        await client.until(lambda: len(client.answers[stream].body) == 65535, "a window full")
        await self.pauses(40)
        await client.peer.loses()
        await self.isIdle()


class LeavingTests(StreamTests):
    """
    Exchanges that do not come to their end.
    """

    async def test_reset(self) -> None:
        """
        A client that wants no answer any more: the target's connection ends, the log says 499.
        """
        log = self.fresh()
        port, origin = await self.begin(accessLog=AccessLog("json", str(log)))
        client = await self.http2(port)
        stream = client.asks("/gone")
        server = await origin.accepts()
        await server.head()
        client.resets(stream)
        await server.loses()
        await self.settles(lambda: log.exists() and b"gone" in log.read_bytes(), "it is logged")
        entry = json.loads(log.read_text())
        self.assertEqual((entry["status"], entry["version"], entry["target"]), (499, "HTTP/2.0", "/gone"))

    async def test_reclaimed(self) -> None:
        """
        The same while the target has not been reached yet.
        """
        port, origin = await self.begin()
        peer = await self.client(port)
        peer.sends(PREFACE + settings({}) + head(1, fields=POST) + frame(3, 0, 1, b"\0\0\0\x08"))
        await turns(10)
        self.assertEqual(alive(self)[0].channels, {})
        self.assertLessEqual(origin.count, 1)
        peer.breaks()

    async def test_targetBreaks(self) -> None:
        """
        An answer that will not be whole is reset; one that has not begun is 502.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        begun = client.asks("/begun")
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await client.begun(begun)
        server.breaks()
        answer = await client.answer(begun)
        self.assertEqual((answer.body, answer.reset), (b"hello", INTERNAL_ERROR))
        never = client.asks("/never", method="POST", isEnd=True)
        server = await origin.accepts()
        await server.head()
        server.breaks()
        self.assertEqual((await client.answer(never)).status, 502)

    async def test_untilClose(self) -> None:
        """
        An answer that ends with its connection ends here with its stream.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        stream = client.asks()
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\n\r\nhello")
        server.leaves()
        answer = await client.answer(stream)
        self.assertEqual((answer.body, answer.isWhole), (b"hello", True))


class CountTests(StreamTests):
    """
    What is counted.
    """

    async def test_requests(self) -> None:
        """
        Each request counts once as one of HTTP/2, however it ends: answered, refused, reset, or
        broken off; those of HTTP/1 do not, nor does what is malformed.
        """
        port, origin = await self.begin(HERE, limits=Limits(urlBytes=2048))
        client = await self.http2(port)
        plain = await self.client(port)
        plain.sends(GET.replace(b" / ", b" /here "))
        await plain.message()
        for stream in (
            client.asks("/here"),
            client.asks("/" + "x" * 3000),
            client.asks("/", host="a b"),
            client.asks("/", method="TRACE"),
            client.asks("/", ("connection", "close")),
        ):
            await client.answer(stream)
        gone, broken = client.asks("/gone"), client.asks("/broken")
        servers = [await origin.accepts() for _ in range(2)]
        tally = await self.plane.tally()
        self.assertEqual([tally[name] for name in ("open", "http2_open", "http2_streams")], [2, 1, 2])
        self.assertEqual((tally["requests"], tally["http2_requests"]), (5, 4))
        for server in servers:
            head = await server.head()
            if b"/broken" in head:
                server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
                await client.begun(broken)
                server.breaks()
        await client.answer(broken)
        client.resets(gone)
        (carrier,) = [each for each in alive(self) if hasattr(each, "channels")]
        await self.settles(lambda: not carrier.channels, "all have ended")
        tally = await self.plane.tally()
        self.assertEqual((tally["requests"], tally["http2_requests"], tally["http2_streams"]), (7, 6, 0))
        client.peer.leaves()
        plain.leaves()
        await self.isIdle()
        self.assertEqual((await self.plane.tally())["http2_open"], 0)


class ActionTests(DeedTests):
    """
    What actions do with an exchange.
    """

    async def begins(self, deed: Any) -> Client:
        """
        A client of a route that does this.
        """
        port = await self.begin(deed, http2PriorKnowledge=True)
        return Client(await self.client(port))

    async def test_collect(self) -> None:
        """
        A body is collected, and a client that waits to be invited is.
        """
        bodies: list[bytes | None] = []

        def deed(exchange: Any) -> None:
            def then(body: bytes | None) -> None:
                bodies.append(body)
                exchange.respond(200, b"", b"thanks")

            exchange.collect(100, then)

        client = await self.begins(deed)
        stream = client.asks("/", ("expect", "100-continue"), method="POST", isEnd=False)
        await client.until(lambda: client.answers[stream].interim == [100], "an invitation")
        client.says(stream, b"body", True)
        self.assertEqual((await client.answer(stream)).body, b"thanks")
        self.assertEqual(bodies, [b"body"])

    async def test_pieces(self) -> None:
        """
        An answer in pieces, of unknown length.
        """

        def deed(exchange: Any) -> None:
            outlet = exchange.begin(200, b"X-A: 1\r\n", None)
            outlet.write(b"one")
            outlet.write(b"two")
            outlet.finish()

        client = await self.begins(deed)
        answer = await client.answer(client.asks())
        self.assertEqual((answer.body, answer.fields["x-a"], answer.isWhole), (b"onetwo", "1", True))
        self.assertNotIn("content-length", answer.fields)

    async def test_backpressure(self) -> None:
        """
        It is told when more is wanted.
        """
        written = 0

        def deed(exchange: Any) -> None:
            outlet = exchange.begin(200, b"", 1000000)

            def more() -> None:
                nonlocal written
                while outlet.isTaking and written < 1000000:
                    outlet.write(b"x" * 10000)
                    written += 10000
                if written < 1000000:
                    outlet.whenTaking(more)
                else:
                    outlet.finish()

            more()

        client = await self.begins(deed)
        client.isReading = False
        stream = client.asks()
        await client.until(lambda: len(client.answers[stream].body) == 65535, "a window full")
        self.assertLess(written, 300000)
        client.isReading = True
        client.line.increment_flow_control_window(1 << 20)
        client.line.increment_flow_control_window(1 << 20, stream)
        client.flush()
        self.assertEqual(len((await client.answer(stream)).body), 1000000)

    async def test_abort(self) -> None:
        """
        Without an answer there is a reset.
        """
        client = await self.begins(lambda exchange: exchange.abort())
        self.assertEqual((await client.answer(client.asks())).reset, INTERNAL_ERROR)
        self.assertEqual((await client.answer(client.asks("/fine"))).status, 200)


class SameTests(StreamTests):
    """
    HTTP/1 and HTTP/2 have the same answers.
    """

    ANSWERS = {
        "/plain": b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello",
        "/empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "/none": b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
        "/same": b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n',
        "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
        "/cookies": b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
        "/bad": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "/teapot": b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 2\r\n\r\nno",
    }

    async def test_table(self) -> None:
        """
        For requests of all kinds.
        """
        port, origin = await self.begin(HERE)

        def serve(head: bytes, body: bytes) -> bytes:
            method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
            answer = self.ANSWERS[path]
            return answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else answer

        origin.answers(serve)
        client = await self.http2(port)
        for path in [*self.ANSWERS, "/here"]:
            for method in ("GET", "HEAD"):
                plain = await self.client(port)
                plain.sends(GET.replace(b"GET /", f"{method} {path}".encode(), 1))
                bodiless = method == "HEAD" or path in ("/none", "/same")
                head, body = await plain.message(not bodiless)
                plain.leaves()
                answer = await client.answer(client.asks(path, method=method))
                self.assertEqual((answer.status, bytes(answer.body)), (int(head[9:12]), body), (method, path))
                self.assertTrue(answer.isWhole)
                for name in ("x-a", "content-length", "etag", "content-type"):
                    told = field(head, name.encode())
                    found = answer.fields.get(name)
                    self.assertEqual(found, told.decode() if told is not None else None, (method, path, name))

    async def test_cookies(self) -> None:
        """
        Each stays a field of its own.
        """
        port, origin = await self.begin()
        origin.answers(self.ANSWERS["/cookies"])
        peer = await self.client(port)
        peer.sends(PREFACE + settings({}) + head(1, isEnd=True, fields=[(b":method", b"GET"), *POST[1:]]))
        await peer.until(lambda: b"b=2" in peer.data, "cookies")
        self.assertIn(b"a=1", peer.data)
        self.assertEqual([each.flags & 1 for each in framesOf(bytes(peer.data)) if each.kind == 1], [1])
        peer.sends(windowUpdate(0, 1))
        peer.breaks()
