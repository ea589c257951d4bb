"""
Streams of HTTP/2 that have become tunnels: WebSockets to a target of HTTP/2.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Forward, Route
from smartproxy_tw.plane.bridge import pair
from smartproxy_tw.plane.poller import Poller
from smartproxy_tw.wire.frames import CANCEL, frame

from ..wire.conversations import block
from .askers import Asker
from .harness import PlaneTests, field, turns
from .targets import Multiplexed
from .test_poller import Readers

HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CONNECT = (
    (b":method", b"CONNECT"),
    (b":protocol", b"websocket"),
    (b":scheme", b"http"),
    (b":authority", b"a.test"),
    (b":path", b"/chat"),
    (b"sec-websocket-version", b"13"),
)


class Crowded(Poller):
    """
    One that the kernel lets watch only so many descriptors more.
    """

    room = 0

    def add(self, descriptor: int, *how: Any) -> None:
        """See L{Poller}."""
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= 1
        super().add(descriptor, *how)


class PairTests(SynchronousTestCase):
    """
    L{pair}.
    """

    def test_refused(self) -> None:
        """
        Where the kernel watches no more sockets, whichever of the two it is, none is left, nor anybody who
        waits for one.
        """
        reactor: Any = Readers()
        poller = Crowded(reactor)
        poller.start()
        self.addCleanup(poller.stop)
        handlers, open_ = dict(poller.handlers), os.listdir("/proc/self/fd")
        for room in (0, 1):
            poller.room = room
            # What was raised, which is kept, is no reason for them to stay open.
            why = self.assertRaises(OSError, pair, poller)
            self.assertEqual(why.errno, errno.ENOSPC)
            self.assertEqual((poller.handlers, os.listdir("/proc/self/fd")), (handlers, open_))
        poller.room = 2
        for each in pair(poller):
            self.assertFalse(each.getblocking())
            self.assertIn(each.fileno(), poller.handlers)
            poller.forget(each.fileno())
            each.close()


class UpgradeTests(PlaneTests):
    """
    WebSockets to a target of HTTP/2.
    """

    async def begin(self, settings: dict[int, int]) -> None:
        """
        A route to a target with these settings.
        """
        self.target = Multiplexed(self.origin())
        self.target.settings = settings
        self.number = await self.port()
        route = Route("a", (self.number,), Forward((self.target.target(),)), "http")
        await self.use(route, http2PriorKnowledge=True)

    async def test_extended(self) -> None:
        """
        Where the target offers it a WebSocket is a stream, in both directions until both have
        ended.
        """
        await self.begin({8: 1})
        client = await self.client(self.number)
        client.sends(HANDSHAKE)
        server = await self.target.accepts()
        asked = await server.asked()
        self.assertEqual(asked.fields[b":method"], b"CONNECT")
        self.assertEqual(asked.fields[b":protocol"], b"websocket")
        self.assertEqual(asked.path, b"/chat")
        self.assertNotIn(b"sec-websocket-key", asked.fields)
        server.begins(asked, b"200", (b"sec-websocket-protocol", b"x"))
        head = await client.head()
        self.assertTrue(head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        self.assertEqual(field(head, b"sec-websocket-accept"), b"s3pplmbitxaq9kygzzhzrbk+xoo=")
        self.assertEqual(field(head, b"sec-websocket-protocol"), b"x")
        client.sends(b"ping" * 50_000)
        await server.peer.until(lambda: len(asked.body) == 200_000, "all of it")
        server.goesOn(asked, b"pong")
        await client.expects(b"pong")
        server.goesOn(asked, b"", True)
        await client.until(lambda: client.isEnded, "the end")
        client.sends(b"last")
        client.finishes()
        await server.peer.until(lambda: asked.isEnded, "the end")
        self.assertTrue(asked.body.endswith(b"last"))

    async def test_agreements(self) -> None:
        """
        Any 2xx agrees, and a length that it says it has is nobody's (RFC 9110 section 9.3.6): neither a
        client of HTTP/1.1 nor one of HTTP/2 gets to see it.
        """
        await self.begin({8: 1})
        asker = Asker(await self.client(self.number))
        await turns(5)
        server = None
        for status, length in (
            (b"200", b"0"),
            (b"200", b"3"),
            (b"200", b"300"),
            (b"201", b"1"),
            (b"204", b""),
        ):
            lines = ((b"content-length", length),) if length else ()
            client = await self.client(self.number)
            client.sends(HANDSHAKE)
            server = server or await self.target.accepts()
            asked = await server.asked()
            server.begins(asked, status, *lines)
            head = await client.head()
            self.assertTrue(head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"), head)
            self.assertNotIn(b"content-length", head.lower())
            answer = asker.begins(CONNECT, False)
            other = await server.asked()
            server.begins(other, status, *lines)
            await asker.peer.until(lambda answer=answer: answer.status, "agreement")  # type: ignore[misc]
            self.assertEqual(answer.status, b"200")
            self.assertNotIn(b"content-length", answer.fields)
            said = b"".join(frame(0, 0, each.stream, b"words") for each in (asked, other))
            server.says(said)
            await client.expects(b"words")
            await asker.peer.until(lambda answer=answer: answer.body == b"words", "words")  # type: ignore[misc]
            server.says(frame(0, 1, asked.stream, b"bye") + frame(0, 1, other.stream, b"bye"))
            await client.expects(b"bye")
            await asker.peer.until(lambda answer=answer: answer.isEnded, "the end")  # type: ignore[misc]
            self.assertEqual((answer.body, answer.code), (b"wordsbye", None))
            client.finishes()
            asker.goesOn(answer, b"", True)
            await server.peer.until(lambda a=asked, b=other: a.isEnded and b.isEnded, "both ends")  # type: ignore[misc]

    async def test_endedAgreement(self) -> None:
        """
        One that ends at once, whatever its length is said to be, agrees and has said everything.
        """
        await self.begin({8: 1})
        client = await self.client(self.number)
        client.sends(HANDSHAKE)
        server = await self.target.accepts()
        asked = await server.asked()
        server.says(frame(1, 5, asked.stream, block((b":status", b"200"), (b"content-length", b"7"))))
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        await client.until(lambda: client.isEnded, "the end")
        client.finishes()
        await server.peer.until(lambda: asked.isEnded, "the other end")

    async def test_refusedWithLength(self) -> None:
        """
        Of what does not agree the length counts, as ever.
        """
        await self.begin({8: 1})
        client = await self.client(self.number)
        client.sends(HANDSHAKE)
        server = await self.target.accepts()
        asked = await server.asked()
        server.says(
            frame(1, 4, asked.stream, block((b":status", b"403"), (b"content-length", b"3")))
            + frame(0, 1, asked.stream, b"four")
        )
        head, _ = await client.message()
        self.assertEqual(head[9:12], b"502")

    async def test_largeDown(self) -> None:
        """
        A client that does not read stops the target.
        """
        await self.begin({8: 1})
        client = await self.client(self.number)
        client.sends(HANDSHAKE)
        server = await self.target.accepts()
        asked = await server.asked()
        server.begins(asked, b"200")
        await client.head()
        client.transport.pauseProducing()
        sent = 0
        for _ in range(3000):
            room = min(server.h2.local_flow_control_window(asked.stream), 16384)
            if room:
                server.goesOn(asked, b"x" * room)
                sent += room
            await turns(1)
            if not room and sent > 3_000_000:
                break
        client.transport.resumeProducing()
        await client.takes(sent)
        server.breaks(asked, CANCEL)
        await client.loses()

    async def test_refused(self) -> None:
        """
        A target that does not agree answers as it likes.
        """
        await self.begin({8: 1})
        client = await self.client(self.number)
        client.sends(HANDSHAKE)
        server = await self.target.accepts()
        server.answers(await server.asked(), b"403", body=b"no")
        head, body = await client.message()
        self.assertEqual((head[9:12], body), (b"403", b"no"))

    async def test_detour(self) -> None:
        """
        Where it is not offered there is a connection by HTTP/1.1.
        """
        await self.begin({})
        client = await self.client(self.number)
        client.sends(HANDSHAKE)
        await self.target.accepts()
        self.target.origin.prepare = None
        peer = await self.target.origin.accepts()
        self.assertIn(b"Upgrade: websocket\r\n", await peer.head())
        peer.sends(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi")
        await client.head()
        await client.expects(b"hi")
        client.sends(b"there")
        await peer.expects(b"there")

    async def test_broken(self) -> None:
        """
        A client that breaks off has the stream reset, whichever HTTP it speaks (RFC 8441 section 5): a
        target that takes an end for that of one direction would keep the stream for ever.
        """
        await self.begin({8: 1})
        client = await self.client(self.number)
        client.sends(HANDSHAKE)
        server = await self.target.accepts()
        asked = await server.asked()
        server.begins(asked, b"200")
        await client.head()
        client.sends(b"ping")
        await server.peer.until(lambda: asked.body == b"ping", "a word")
        client.breaks()
        self.assertEqual(await server.resets(asked), CANCEL)
        self.assertFalse(asked.isEnded)
        asker = Asker(await self.client(self.number))
        await turns(5)
        answer = asker.begins(CONNECT, False)
        asked = await server.asked()
        server.begins(asked, b"200")
        await asker.peer.until(lambda: answer.status == b"200", "agreement")
        asker.goesOn(answer, b"ping")
        await server.peer.until(lambda: asked.body == b"ping", "a word")
        asker.h2.reset_stream(answer.stream, CANCEL)
        asker.flushes()
        self.assertEqual(await server.resets(asked), CANCEL)
        self.assertFalse(asked.isEnded)

    async def test_targetBreaks(self) -> None:
        """
        A target that resets the stream, or whose connection is gone, breaks off as well, after what it has
        said: a client that was told an end would take it for one in order.
        """
        await self.begin({8: 1})
        for isByFrames in (False, True):
            for isStream in (True, False):
                client = await self.client(self.number)
                asker = Asker(client) if isByFrames else None
                if asker is not None:
                    await turns(5)
                    answer = asker.begins(CONNECT, False)
                else:
                    client.sends(HANDSHAKE)
                server = await self.target.accepts()
                asked = await server.asked()
                server.begins(asked, b"200")
                server.goesOn(asked, b"last words")
                if asker is None:
                    await client.head()
                    await client.expects(b"last words")
                else:
                    await client.until(lambda answer=answer: answer.body == b"last words", "words")  # type: ignore[misc]
                if isStream:
                    server.breaks(asked, CANCEL)
                else:
                    server.peer.breaks()
                if asker is None:
                    await client.breaksOff()
                else:
                    await client.until(lambda answer=answer: answer.code is not None, "a reset")  # type: ignore[misc]
                    self.assertFalse(answer.isEnded)
                if isStream:
                    server.peer.breaks()
                await turns(5)

    async def test_byHTTP2(self) -> None:
        """
        From a client of HTTP/2 to a target of HTTP/2.
        """
        await self.begin({8: 1})
        asker = Asker(await self.client(self.number))
        await turns(5)
        answer = asker.begins(CONNECT, False)
        server = await self.target.accepts()
        asked = await server.asked()
        server.begins(asked, b"200")
        await asker.peer.until(lambda: answer.status == b"200", "agreement")
        asker.goesOn(answer, b"ping")
        await server.peer.until(lambda: asked.body == b"ping", "a word")
        server.goesOn(asked, b"pong")
        await asker.peer.until(lambda: answer.body == b"pong", "an answer")
        server.peer.breaks()
        await asker.whole(answer)
