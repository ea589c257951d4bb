"""
How connections of HTTP/2 wait and end, through a real plane.
"""

from __future__ import annotations

from smartproxy_tw.wire.frames import (
    LONG,
    NO_ERROR,
    PREFACE,
    PROTOCOL_ERROR,
    frame,
    settings,
)

from ..wire.conversations import ASK, Frame, block, framesOf, head
from .conversation import HELLO, alive
from .harness import Peer, turns
from .streams import StreamTests
from .test_multiplex import FIELDS, HERE, theOne


def _last(found: Frame) -> int:
    """
    The stream that a GOAWAY names; -1 for another frame.
    """
    if found.kind != 7:
        return -1
    number: int = LONG.unpack_from(found.payload)[0]
    return number


class EndTests(StreamTests):
    """
    How connections end.
    """

    async def test_silence(self) -> None:
        """
        Who does not begin is closed when the time of a head is over.
        """
        port, _ = await self.begin()
        peer = await self.client(port)
        peer.sends(PREFACE[:20])
        await peer.until(lambda: len(peer.data) > 40, "settings")
        self.world.advance(11)
        await self.swept()
        await peer.loses()

    async def test_idle(self) -> None:
        """
        Who asks for nothing more is told so by GOAWAY; PINGs do not keep it open.
        """
        port, _ = await self.begin(HERE)
        client = await self.http2(port)
        self.assertEqual((await client.answer(client.asks("/here"))).status, 200)
        self.world.advance(40)
        client.line.ping(b"12345678")
        client.flush()
        await self.swept()
        self.assertEqual(client.farewells, [])
        self.world.advance(40)
        await self.swept()
        await client.until(lambda: client.peer.isOver, "the end")
        self.assertEqual(client.farewells, [(NO_ERROR, 1)])
        client.peer.leaves()

    async def test_slowHead(self) -> None:
        """
        A head that has begun has to be there in the time of a head.
        """
        port, _ = await self.begin(HERE)
        peer = await self.client(port)
        peer.sends(PREFACE + settings({}) + frame(1, 1, 1, block(*ASK)))
        await peer.until(lambda: len(peer.data) > 50, "settings")
        self.world.advance(11)
        await self.swept()
        await peer.loses()

    async def test_pingsOfADay(self) -> None:
        """
        A stream that is open for long, with PINGs all the time, is not too much.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        stream = client.asks()
        server = await origin.accepts()
        await server.head()
        for _ in range(60):
            for _ in range(10):
                client.line.ping(b"12345678")
            client.flush()
            await turns(3)
            self.world.advance(61.0)
            # As when its target says something once in a while.
            theOne(self).channels[stream].progress()
        self.assertEqual(client.farewells, [])
        client.resets(stream)
        await server.loses()

    async def test_fault(self) -> None:
        """
        Who breaks the protocol is told why, and its requests are cancelled.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        client.asks()
        server = await origin.accepts()
        await server.head()
        client.peer.sends(frame(8, 0, 0, b"\0\0\0\0"))
        await client.peer.loses()
        self.assertEqual(client.farewells, [(PROTOCOL_ERROR, 1)])
        await server.loses()
        self.assertEqual((await self.plane.tally())["refusals"], 1)
        client.peer.leaves()

    async def test_leaves(self) -> None:
        """
        A client that closes has its requests cancelled.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        client.asks()
        server = await origin.accepts()
        await server.head()
        client.peer.leaves()
        await server.loses()
        await self.isIdle()

    async def test_lastWords(self) -> None:
        """
        What could be answered at once is, before the end of a client's stream is its end.
        """
        port, _ = await self.begin(HERE)
        peer = await self.client(port)
        peer.sends(PREFACE + settings({}) + head(1, isEnd=True, fields=[*FIELDS[:3], (b":path", b"/here")]))
        peer.finishes()
        await peer.until(lambda: peer.isOver, "the end")
        self.assertIn(b"here", peer.data)

    async def greeted(self, port: int, *paths: bytes) -> Peer:
        """
        A client that was greeted and asks for these on 1, 3, 5...; played frame by frame, since hyper's
        library hears nothing after a GOAWAY.
        """
        peer = await self.client(port)
        asked = [
            head(2 * number + 1, isEnd=True, fields=[*FIELDS[:3], (b":path", path)])
            for number, path in enumerate(paths)
        ]
        peer.sends(PREFACE + settings({}) + b"".join(asked))
        await peer.until(lambda: len(peer.data) > 40, "settings")
        return peer

    async def farewells(self, peer: Peer, count: int) -> list[int]:
        """
        Wait for so many GOAWAY.

        @return: The streams that they name, and -1 for the PING.
        """

        def found() -> list[int]:
            frames = framesOf(bytes(peer.data))
            return [_last(each) for each in frames if each.kind == 7 or (each.kind == 6 and not each.flags)]

        await peer.until(
            lambda: sum(each >= 0 for each in found()) >= count or peer.isOver, f"{count} GOAWAY"
        )
        return found()

    async def test_drain(self) -> None:
        """
        Two steps: a request that is sent before the client has heard of the end is answered, the
        last stream is named when it has, and nothing is lost.
        """
        port, origin = await self.begin()
        peer = await self.greeted(port, b"/1")
        one = await origin.accepts()
        await one.head()
        drained = self.plane.drain(30)
        self.assertEqual(await self.farewells(peer, 1), [2**31 - 1, -1])
        peer.sends(head(3, isEnd=True, fields=FIELDS) + frame(6, 1, 0, b"draining"))
        self.assertEqual(await self.farewells(peer, 2), [2**31 - 1, -1, 3])
        two = await origin.accepts()
        await two.head()
        for server in (one, two):
            server.sends(HELLO)
        await peer.until(lambda: peer.isOver, "the end")
        self.assertEqual(peer.data.count(b"hello"), 2)
        peer.leaves()
        self.assertEqual(await drained, 0)

    async def test_drainWithoutAnswer(self) -> None:
        """
        A client that answers no PING has a second; then the last stream is named all the same.
        """
        port, origin = await self.begin()
        peer = await self.greeted(port, b"/")
        server = await origin.accepts()
        await server.head()
        drained = self.plane.drain(30)
        await self.farewells(peer, 1)
        self.world.advance(1.5)
        await self.swept()
        self.assertEqual(await self.farewells(peer, 2), [2**31 - 1, -1, 1])
        server.sends(HELLO)
        await peer.until(lambda: peer.isOver, "the end")
        self.assertIn(b"hello", peer.data)
        peer.leaves()
        self.assertEqual(await drained, 0)

    async def test_drainIdle(self) -> None:
        """
        What is idle goes as soon as it has heard.
        """
        port, _ = await self.begin(HERE)
        peer = await self.greeted(port, b"/here")
        await peer.until(lambda: b"here" in peer.data, "an answer")
        drained = self.plane.drain(30)
        await self.farewells(peer, 1)
        peer.sends(frame(6, 1, 0, b"draining"))
        await peer.until(lambda: peer.isOver, "the end")
        self.assertEqual(await self.farewells(peer, 2), [2**31 - 1, -1, 1])
        peer.leaves()
        self.assertEqual(await drained, 0)

    async def test_bornInADrain(self) -> None:
        """
        Who had just connected is answered, and told to go.
        """
        port, _ = await self.begin(HERE)
        other = await self.greeted(port)
        peer = await self.client(port)
        await self.settles(lambda: len(alive(self)) == 2, "it is there")
        drained = self.plane.drain(30)
        peer.sends(PREFACE + settings({}) + head(1, isEnd=True, fields=[*FIELDS[:3], (b":path", b"/here")]))
        await peer.until(lambda: b"here" in peer.data, "an answer")
        self.assertEqual(await self.farewells(peer, 1), [2**31 - 1, -1])
        peer.sends(frame(6, 1, 0, b"draining"))
        await peer.until(lambda: peer.isOver, "the end")
        peer.leaves()
        other.leaves()
        self.assertEqual(await drained, 0)
