"""
Exchanges with targets that speak HTTP/2.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.model import Forward, Route

from .harness import PlaneTests, turns
from .targets import Multiplexed

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


class StrandTests(PlaneTests):
    """
    A client of HTTP/1.1, and a target of HTTP/2.
    """

    async def begin(self, **others: Any) -> int:
        """
        A route to one target.
        """
        self.target = Multiplexed(self.origin())
        self.number = port = await self.port()
        await self.use(Route("a", (port,), Forward((self.target.target(),)), "http"), **others)
        return port

    async def test_answers(self) -> None:
        """
        A request goes there by its pseudo-headers, and the answer is one of HTTP/1.
        """
        client = await self.client(await self.begin())
        client.sends(b"GET /x?y=1 HTTP/1.1\r\nHost: A.test\r\nX-One: 1\r\n\r\n")
        server = await self.target.accepts()
        asked = await server.whole()
        self.assertEqual(
            [asked.fields[each] for each in (b":method", b":scheme", b":path", b":authority", b"x-one")],
            [b"GET", b"http", b"/x?y=1", b"A.test", b"1"],
        )
        self.assertNotIn(b"host", asked.fields)
        server.answers(asked, b"200", (b"content-length", b"5"), (b"x-two", b"2"), body=b"hello")
        head, body = await client.message()
        self.assertEqual(head, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-two: 2\r\n\r\n")
        self.assertEqual(body, b"hello")
        client.sends(GET)
        server.answers(await server.whole(), body=b"again")
        self.assertEqual((await client.message())[1], b"again")
        self.assertEqual(self.target.count, 1)

    async def asks(self, request: bytes = GET, **others: Any) -> tuple[Any, Any, Any]:
        """
        A client has asked.

        @return: It, the target's connection, and the request there.
        """
        client = await self.client(await self.begin(**others))
        client.sends(request)
        server = await self.target.accepts()
        return client, server, await server.asked()

    async def test_pieces(self) -> None:
        """
        A body of unknown length goes on in chunks, piece by piece, and one of known length
        as it is.
        """
        client, server, asked = await self.asks()
        server.begins(asked)
        self.assertIn(b"Transfer-Encoding: chunked", await client.head())
        server.goesOn(asked, b"one")
        await client.expects(b"3\r\none\r\n")
        server.goesOn(asked, b"", isEnd=True)
        await client.expects(b"0\r\n\r\n")
        client.sends(GET)
        asked = await server.asked()
        server.begins(asked, b"200", (b"content-length", b"6"))
        server.goesOn(asked, b"abc")
        self.assertEqual(await client.head(), b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        await client.expects(b"abc")
        server.goesOn(asked, b"def", isEnd=True)
        await client.expects(b"def")

    async def test_oldClient(self) -> None:
        """
        A client of HTTP/1.0 gets no chunks but the end of its connection.
        """
        client, server, asked = await self.asks(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
        server.begins(asked)
        head = await client.head()
        self.assertNotIn(b"chunked", head)
        server.goesOn(asked, b"one")
        server.goesOn(asked, b"two", isEnd=True)
        self.assertEqual(await client.ends(), b"onetwo")

    async def test_uploads(self) -> None:
        """
        Bodies go there without chunks, with their trailers, and an answer may come before
        they have ended.
        """
        client, server, asked = await self.asks(
            b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        )
        client.sends(b"2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n")
        await server.peer.until(lambda: asked.isEnded, "the end")
        self.assertEqual((asked.body, asked.trailers), (b"abcde", {b"x-sum": b"5"}))
        self.assertNotIn(b"transfer-encoding", asked.fields)
        server.answers(asked, body=b"ok")
        self.assertEqual((await client.message())[1], b"ok")
        client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nab")
        asked = await server.asked()
        client.sends(b"cd")
        await server.peer.until(lambda: asked.isEnded, "the end")
        self.assertEqual(asked.body, b"abcd")
        server.answers(asked, b"204")
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 204 No Content\r\n"))

    async def test_earlyAnswer(self) -> None:
        """
        A target that has answered gets no more of the body, and is told so; the client's
        connection ends.
        """
        client, server, asked = await self.asks(
            b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 400\r\n\r\nab"
        )
        server.answers(asked, b"413", body=b"no")
        head = await client.head()
        self.assertIn(b"Connection: close", head)
        self.assertEqual(await server.resets(asked), 8)
        await client.expects(b"no")

    async def test_bare(self) -> None:
        """
        Answers to HEAD, and those without a body by their status.
        """
        client, server, asked = await self.asks(b"HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        server.answers(asked, b"200", (b"content-length", b"99"))
        self.assertEqual(await client.head(), b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n")
        for status, line in ((b"204", b"204 No Content"), (b"304", b"304 Not Modified")):
            client.sends(GET)
            server.answers(await server.asked(), status)
            self.assertEqual(await client.head(), b"HTTP/1.1 " + line + b"\r\n\r\n")
        client.sends(GET)
        server.answers(await server.asked(), b"200")
        self.assertEqual(await client.head(), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def test_interim(self) -> None:
        """
        Interim answers go on, and C{100 Continue} has a body come.
        """
        client, server, asked = await self.asks(
            b"POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        server.begins(asked, b"103", (b"link", b"</x>"))
        self.assertEqual(await client.head(), b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
        server.begins(asked, b"100")
        self.assertEqual(await client.head(), b"HTTP/1.1 100 Continue\r\n\r\n")
        client.sends(b"hi")
        await server.peer.until(lambda: asked.isEnded, "the end")
        server.answers(asked, body=b"ok")
        self.assertEqual((await client.message())[1], b"ok")

    async def test_trailers(self) -> None:
        """
        Trailers follow the chunks.
        """
        client, server, asked = await self.asks()
        server.answers(asked, body=b"x", trailers=[(b"grpc-status", b"0")])
        await client.head()
        await client.expects(b"1\r\nx\r\n0\r\ngrpc-status: 0\r\n\r\n")

    async def test_many(self) -> None:
        """
        One connection carries what many clients ask for, and answers come in any order.
        """
        port = await self.begin()
        first = await self.client(port)
        first.sends(GET)
        server = await self.target.accepts()
        server.answers(await server.whole())
        await first.message()
        clients = [await self.client(port) for _ in range(10)]
        for index, client in enumerate(clients):
            client.sends(b"GET /%d HTTP/1.1\r\nHost: a.test\r\n\r\n" % index)
        asked = [await server.whole() for _ in clients]
        for each in reversed(asked):
            server.answers(each, body=each.path)
        for index, client in enumerate(clients):
            self.assertEqual((await client.message())[1], b"/%d" % index)
        self.assertEqual(self.target.count, 1)
        counts = await self.plane.tally()
        self.assertEqual([v for k, v in counts.items() if k.startswith("target_busy")], [])

    async def test_burst(self) -> None:
        """
        Those who come while the first connection is made wait for it, and for what it says
        of how many it takes.
        """
        port = await self.begin()
        self.target.settings = {3: 20}
        clients = [await self.client(port) for _ in range(12)]
        for client in clients:
            client.sends(GET)
        server = await self.target.accepts()
        for _ in clients:
            server.answers(await server.whole(), body=b"x")
        for client in clients:
            await client.message()
        self.assertEqual(self.target.count, 1)

    async def test_full(self) -> None:
        """
        When a connection has all the streams that its target allows there is another one.
        """
        port = await self.begin()
        self.target.settings = {3: 2}
        clients = [await self.client(port) for _ in range(5)]
        for client in clients:
            client.sends(GET)
        servers = [await self.target.accepts() for _ in range(3)]
        asked = [(servers[0], await servers[0].whole()), (servers[0], await servers[0].whole())]
        asked += [(servers[1], await servers[1].whole()), (servers[1], await servers[1].whole())]
        asked.append((servers[2], await servers[2].whole()))
        for server, each in asked:
            server.answers(each, body=b"x")
        for client in clients:
            self.assertEqual((await client.message())[1], b"x")

    async def test_malformed(self) -> None:
        """
        Answers that a target of HTTP/1 may not give either, or only HTTP/2 forbids: 502, and
        the stream is reset; the connection goes on.
        """
        client, server, asked = await self.asks()
        server.h2.config.validate_outbound_headers = False
        server.h2.config.normalize_outbound_headers = False
        for fields in (
            [(b"connection", b"close")],
            [(b"transfer-encoding", b"chunked")],
            [(b"x", b"a\r\nb: c")],
            [(b"X-Upper", b"1")],
            [(b"a b", b"1")],
            [(b":late", b"1")],
            [(b"content-length", b"5"), (b"content-length", b"6")],
        ):
            server.begins(asked, b"200", *fields)
            self.assertTrue((await client.head()).startswith(b"HTTP/1.1 502 "), fields)
            self.assertEqual(await server.resets(asked), 1)
            await client.expects(b"502 Bad Gateway\n")
            # Or it would be passed over after a few of these.
            client.sends(GET)
            server.answers(await server.asked(), body=b"x")
            self.assertEqual((await client.message())[1], b"x")
            client.sends(GET)
            asked = await server.asked()
        server.answers(asked)
        await client.head()

    async def test_slowClient(self) -> None:
        """
        A client that does not read stops its stream at the target, and no other one; when
        it reads it gets all.
        """
        slow, server, asked = await self.asks()
        slow.transport.pauseProducing()
        server.begins(asked)
        size = 0
        while size < 20_000_000:
            window = min(server.h2.local_flow_control_window(asked.stream), 16384)
            if window <= 0:
                before = size
                for _ in range(30):
                    await turns(1)
                if server.h2.local_flow_control_window(asked.stream) <= 0 and before == size:
                    break
                continue
            server.goesOn(asked, b"x" * window)
            size += window
        self.assertLess(size, 20_000_000, "the target has to wait")
        other = await self.client(self.number)
        other.sends(GET)
        server.answers(await server.asked(), body=b"fast")
        self.assertEqual((await other.message())[1], b"fast")
        slow.transport.resumeProducing()
        await self.settles(lambda: server.h2.local_flow_control_window(asked.stream) > 0, "it has room")
        server.goesOn(asked, b"", isEnd=True)
        _head, body = await slow.message()
        self.assertEqual(len(body), size)
