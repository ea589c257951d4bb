"""
Requests by HTTP/2 that are answered before their bodies have come, through a real plane.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.model import Block, Limits, Respond, Route, Timeouts
from smartproxy_tw.plane import remnants as theRoom
from smartproxy_tw.plane.remnants import LINGER_BYTES, LINGER_MOST
from smartproxy_tw.wire.frames import NO_ERROR, PREFACE, REFUSED_STREAM, frame, settings

from ..wire.conversations import data, framesOf, head
from .conversation import HELLO
from .harness import turns
from .streams import Answer, Client, StreamTests
from .test_multiplex import FIELDS, HERE, theOne

PIECE = b"x" * 16384


class RemnantTests(StreamTests):
    """
    What comes behind an answer.
    """

    async def early(self, *more: Route, **others: Any) -> tuple[int, Client, int, Answer]:
        """
        A client that has its answer, and may go on.
        """
        port, _ = await self.begin(HERE, *more, **others)
        client = await self.http2(port)
        stream = client.asks("/here", method="POST", isEnd=False)
        answer = await client.answer(stream)
        self.assertEqual((answer.status, answer.body, answer.reset), (200, b"here", None))
        return port, client, stream, answer

    async def passes(self, seconds: float) -> None:
        """
        Time passes.
        """
        self.world.advance(seconds)
        await self.swept()
        await turns(3)

    def remnants(self) -> Any:
        """
        What the one connection has of them.
        """
        return theOne(self).remnants

    async def test_all(self) -> None:
        """
        A client sends all of a long body behind its answer without being reset, and the connection is
        good for the next request.
        """
        _, client, stream, answer = await self.early()
        await client.pours(stream, bytes(3 << 20))
        self.assertEqual((await client.answer(client.asks("/here"))).body, b"here")
        self.assertIsNone(answer.reset)
        self.assertTrue(self.remnants().isEmpty)
        self.assertNotIn(self.remnants(), self.plane.engine.poller.mortals)

    async def test_deaf(self) -> None:
        """
        Nor does it have to hear of any room to do so, but of the one that comes with the answer.
        """
        port, _ = await self.begin(HERE)
        peer = await self.client(port)
        asked = [(b":method", b"POST"), *FIELDS[1:3], (b":path", b"/here")]
        peer.sends(PREFACE + settings({}) + head(1, fields=asked))
        await peer.until(lambda: b"here" in peer.data, "an answer")
        await turns(5)
        given = [(each.stream, each.number) for each in framesOf(bytes(peer.data)) if each.kind == 8]
        self.assertIn((1, LINGER_BYTES), given)
        self.assertIn((0, LINGER_BYTES), given)
        for _ in range(200):
            peer.sends(data(1, PIECE))
        peer.sends(data(1, b"", True) + frame(6, 0, 0, b"12345678"))
        await peer.until(lambda: b"12345678" in peer.data, "a PONG")
        self.assertEqual(theOne(self).session.streams, {})
        self.assertNotIn(3, [each.kind for each in framesOf(bytes(peer.data))])
        peer.breaks()

    async def test_refusals(self) -> None:
        """
        So it is for whatever is refused: by a limit while it comes, or for its head.
        """
        port, _ = await self.begin(limits=Limits(bodyBytes=40000, urlBytes=2048))
        client = await self.http2(port)
        told = client.asks("/", ("content-length", "3000000"), method="POST", isEnd=False)
        untold = client.asks(method="POST", isEnd=False)
        for _ in range(3):
            client.says(untold, PIECE)
        long = client.asks("/" + "x" * 3000, method="POST", isEnd=False)
        for stream, status in ((told, 413), (untold, 413), (long, 414)):
            answer = await client.answer(stream)
            self.assertEqual((answer.status, answer.isWhole, answer.reset), (status, True, None))
            await client.pours(stream, bytes(3000000))
        await self.settles(lambda: not theOne(self).session.streams, "all has come")
        self.assertEqual([client.answers[each].reset for each in (told, untold, long)], [None] * 3)

    async def test_silence(self) -> None:
        """
        Who sends nothing more is told after two seconds that nothing is wanted, and what was on its way
        then is dropped.
        """
        _, client, stream, answer = await self.early()
        await self.passes(1)
        self.assertIsNone(answer.reset)
        await self.passes(1.5)
        await client.until(lambda: answer.reset is not None, "a reset")
        self.assertEqual(answer.reset, NO_ERROR)
        client.peer.sends(data(stream, b"late"))
        self.assertEqual((await client.answer(client.asks("/here"))).body, b"here")

    async def test_slowly(self) -> None:
        """
        Who goes on slowly has half a minute.
        """
        _, client, stream, answer = await self.early()
        seconds = 0.0
        while answer.reset is None and seconds < 60:
            client.says(stream, b"x" * 700)
            await turns(3)
            await self.passes(1.5)
            seconds += 1.5
        self.assertEqual(answer.reset, NO_ERROR)
        self.assertLess(abs(seconds - LINGER_MOST), 3)

    async def test_much(self) -> None:
        """
        More than a number of bytes is not taken: when there is no more room it is reset, at once.
        """
        self.patch(theRoom, "LINGER_BYTES", 1 << 20)
        _, client, stream, answer = await self.early()
        sent = 0
        while room := min(client.room(stream), len(PIECE)):
            client.says(stream, PIECE[:room])
            sent += room
            await turns(5)
            if sent < (1 << 20) + 131072:
                self.assertIsNone(answer.reset)
        await client.until(lambda: answer.reset is not None, "a reset")
        self.assertEqual(answer.reset, NO_ERROR)

    async def test_longer(self) -> None:
        """
        Who has said that more is to come than will be taken is told at once that it is not wanted, but
        not when it is refused, since it stops by itself then.
        """
        no = Route("no", (1,), Block(), "http", path="/no")
        port, _ = await self.begin(HERE, no)
        client = await self.http2(port)
        for size, path, isReset in (
            (LINGER_BYTES, "/here", False),
            (LINGER_BYTES + 1, "/here", True),
            (LINGER_BYTES + 1, "/no", False),
        ):
            stream = client.asks(path, ("content-length", str(size)), method="POST", isEnd=False)
            answer = await client.answer(stream)
            self.assertTrue(answer.isWhole)
            await turns(10)
            self.assertEqual(answer.reset, NO_ERROR if isReset else None, (size, path))

    async def test_counted(self) -> None:
        """
        It counts as a request until then.
        """
        port, _ = await self.begin(HERE, limits=Limits(streams=1))
        peer = await self.client(port)
        here = [*FIELDS[:3], (b":path", b"/here")]
        peer.sends(PREFACE + settings({}) + head(1, fields=here))
        await peer.until(lambda: b"here" in peer.data, "an answer")
        peer.sends(head(3, isEnd=True, fields=here))
        await peer.until(lambda: b"\0\0\0\7" in peer.data, "a refusal")
        peer.sends(data(1, b"", True) + head(5, isEnd=True, fields=here))
        await peer.until(lambda: peer.data.count(b"here") == 2, "an answer")
        resets = [(each.stream, each.number) for each in framesOf(bytes(peer.data)) if each.kind == 3]
        self.assertEqual(resets, [(3, REFUSED_STREAM)])
        peer.breaks()

    async def test_trailers(self) -> None:
        """
        Trailers end it too, and so does the client that resets it; neither is told anything.
        """
        _, client, stream, answer = await self.early()
        client.says(stream, b"x")
        client.line.send_headers(stream, [("x-sum", "1")], end_stream=True)
        other = client.asks("/here", method="POST", isEnd=False)
        await client.answer(other)
        client.resets(other, NO_ERROR)
        await self.settles(lambda: not theOne(self).session.streams, "all has come")
        await self.passes(2.5)
        self.assertTrue(self.remnants().isEmpty)
        self.assertEqual((answer.reset, client.answers[other].reset), (None, None))

    async def test_slowReader(self) -> None:
        """
        An answer that is not taken yet is not cut by the end of this: the reset comes behind it.
        """
        long = Route("long", (1,), Respond(body="x" * 100000), "http", path="/long")
        port, _ = await self.begin(long)
        client = await self.http2(port, isReading=False)
        client.line.increment_flow_control_window(1 << 20)
        stream = client.asks("/long", method="POST", isEnd=False)
        answer = client.answers[stream]
        await client.until(lambda: len(answer.body) == 65535, "a window full")
        await self.passes(2.5)
        await self.passes(1)
        self.assertIsNone(answer.reset)
        client.line.increment_flow_control_window(50000, stream)
        client.flush()
        await client.until(lambda: answer.reset is not None, "a reset")
        self.assertEqual((len(answer.body), answer.isWhole, answer.reset), (100000, True, NO_ERROR))

    async def test_target(self) -> None:
        """
        The same where it is the target that answers early.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        stream = client.asks("/", ("content-length", "3000000"), method="POST", isEnd=False)
        server = await origin.accepts()
        await server.head()
        server.sends(HELLO)
        answer = await client.answer(stream)
        self.assertEqual((answer.status, answer.body), (200, b"hello"))
        await client.pours(stream, bytes(3000000))
        await self.settles(lambda: not theOne(self).session.streams, "all has come")
        self.assertIsNone(answer.reset)

    async def test_keepAlive(self) -> None:
        """
        The connection does not end meanwhile for want of requests.
        """
        _, client, stream, answer = await self.early(timeouts=Timeouts(keepAlive=1.0))
        for _ in range(4):
            client.says(stream, PIECE)
            await turns(3)
            await self.passes(1.5)
        self.assertEqual((client.farewells, answer.reset), ([], None))
        client.says(stream, b"", True)
        await self.passes(1.5)
        await client.until(lambda: client.peer.isOver, "the end")
        client.peer.leaves()

    async def test_draining(self) -> None:
        """
        A drain does not wait for it longer than a close of HTTP/1 does.
        """
        port, _ = await self.begin(HERE)
        peer = await self.client(port)
        asked = [(b":method", b"POST"), *FIELDS[1:3], (b":path", b"/here")]
        peer.sends(PREFACE + settings({}) + head(1, fields=asked))
        await peer.until(lambda: b"here" in peer.data, "an answer")
        drained = self.plane.drain(30)
        peer.sends(frame(6, 1, 0, b"draining") + head(3, fields=asked))
        for _ in range(3):
            peer.sends(data(1, PIECE) + data(3, PIECE))
            await turns(3)
            await self.passes(0.9)
        await peer.until(lambda: peer.isOver, "the end")
        resets = [(each.stream, each.number) for each in framesOf(bytes(peer.data)) if each.kind == 3]
        self.assertIn((1, NO_ERROR), resets)
        peer.leaves()
        self.assertEqual(await drained, 0)

    async def test_gone(self) -> None:
        """
        With the connection they are gone.
        """
        _, client, _, _ = await self.early()
        remnants = self.remnants()
        client.peer.breaks()
        await self.isIdle()
        self.assertNotIn(remnants, self.plane.engine.poller.mortals)
