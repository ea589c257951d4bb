"""
Floods of HTTP/2 against a real plane: each ends with ENHANCE_YOUR_CALM within its bound, and in the
meantime nobody else waits, no target is flooded, and nothing is kept.
"""

from __future__ import annotations

import gc

from smartproxy_tw.config.model import Respond, Route
from smartproxy_tw.wire.frames import (
    CONTINUATION,
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    HEADERS,
    LONG,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    frame,
    settings,
    windowUpdate,
)

from ..plane.conversation import HELLO, alive
from ..plane.harness import Origin, Peer, turns
from ..plane.streams import StreamTests
from ..wire.conversations import block, data, framesOf, head

FIELDS = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a.test"), (b":path", b"/")]
POST = [(b":method", b"POST"), *FIELDS[1:]]
HERE = Route("here", (1,), Respond(body="here"), "http", path="/here")
# FEATURES of the project: so many frames, and so many CONTINUATION.
MOST = 1000


class FloodTests(StreamTests):
    """
    One attacker, and one who only wants to be served.
    """

    async def attacks(self, *frames: bytes, before: bytes = b"", size: int = 50) -> tuple[Peer, int, Origin]:
        """
        Send these over and over again, until it is over, and ask for something else meanwhile.

        @return: The attacker, how many frames it took, and the origin.
        """
        port, origin = await self.begin(HERE)
        origin.answers(HELLO)
        other = await self.http2(port)
        attacker = await self.client(port)
        attacker.sends(PREFACE + settings({}) + before)
        count = 0
        while not self.farewell(attacker) and not attacker.isOver and count < 3 * MOST:
            for _ in range(size):
                attacker.sends(b"".join(frames).replace(b"STRM", LONG.pack(2 * count + 1)))
                count += 1
            self.assertEqual((await other.answer(other.asks("/here"))).body, b"here")
        await attacker.until(lambda: attacker.isOver, "the end")
        self.assertEqual((await other.answer(other.asks("/"))).body, b"hello")
        return attacker, count * len(frames), origin

    def farewell(self, peer: Peer) -> list[int]:
        """
        The codes of each GOAWAY so far.
        """
        found, at = [], 0
        said = bytes(peer.data)
        while len(said) - at >= 9:
            size = int.from_bytes(said[at : at + 3], "big")
            if said[at + 3] == 7 and len(said) - at >= 17:
                found.append(int.from_bytes(said[at + 13 : at + 17], "big"))
            at += 9 + size
        return found

    async def isCalmed(self, *frames: bytes, before: bytes = b"", most: int = MOST) -> Origin:
        """
        An attack ends as it should.
        """
        attacker, count, origin = await self.attacks(*frames, before=before)
        self.assertEqual(self.farewell(attacker), [ENHANCE_YOUR_CALM])
        # What was on its way when the end was said is in the count.
        self.assertLessEqual(count, most + 100)
        attacker.leaves()
        await self.settles(lambda: len(alive(self)) == 1, "it is gone")
        return origin

    async def test_rapidReset(self) -> None:
        """
        Requests that are reset at once (CVE-2023-44487); the target has no more connections than
        the purse allows.
        """
        request = frame(HEADERS, 5, 0, block(*FIELDS))[:5] + b"STRM" + block(*FIELDS)
        origin = await self.isCalmed(request, b"\0\0\4\3\0STRM\0\0\0\x08")
        self.assertLessEqual(origin.count, 210)

    async def test_madeYouReset(self) -> None:
        """
        Requests whose mistakes make us reset them (CVE-2025-8671).
        """
        request = frame(HEADERS, 5, 0, block(*POST))[:5] + b"STRM" + block(*POST)
        origin = await self.isCalmed(request, b"\0\0\4\x08\0STRM\0\0\0\0")
        self.assertLessEqual(origin.count, 210)

    async def test_malformed(self) -> None:
        """
        Requests that are none.
        """
        fields = block(*FIELDS, (b"connection", b"close"))
        await self.isCalmed(frame(HEADERS, 5, 0, fields)[:5] + b"STRM" + fields)

    async def test_settings(self) -> None:
        """
        SETTINGS.
        """
        await self.isCalmed(frame(SETTINGS, 0, 0))

    async def test_pings(self) -> None:
        """
        PING.
        """
        await self.isCalmed(frame(PING, 0, 0, b"12345678"))

    async def test_priorities(self) -> None:
        """
        PRIORITY.
        """
        await self.isCalmed(frame(PRIORITY, 0, 1, b"\0\0\0\0\1"))

    async def test_emptyData(self) -> None:
        """
        DATA without any.
        """
        await self.isCalmed(data(1), before=head(1, fields=POST))

    async def test_windows(self) -> None:
        """
        Windows that are opened by a byte.
        """
        await self.isCalmed(windowUpdate(0, 1))

    async def test_continuation(self) -> None:
        """
        A head that does not end (CVE-2024-27316).
        """
        before = frame(HEADERS, 0, 1, block(*FIELDS))
        await self.isCalmed(frame(CONTINUATION, 0, 1, b""), before=before, most=8)

    async def test_unread(self) -> None:
        """
        Who reads nothing of what is answered holds no more than the answers of some streams.
        """
        port, origin = await self.begin(HERE)
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000000)
        attacker = await self.client(port)
        attacker.transport.pauseProducing()
        attacker.sends(PREFACE + settings({4: 2**31 - 1}) + windowUpdate(0, 2**30))
        attacker.sends(b"".join(head(2 * n + 1, isEnd=True, fields=FIELDS) for n in range(100)))
        await turns(200)
        (carrier,) = alive(self)
        self.assertLess(sum(each.size for each in carrier.session.waiting()), 100 * 131072)
        for _ in range(20):
            self.world.advance(5)
            await self.swept()
            if not alive(self):
                break
        await self.isIdle()
        attacker.transport.resumeProducing()

    async def test_zeroWindows(self) -> None:
        """
        Who opens no windows for many answers loses them when timeouts.write is over.
        """
        port, origin = await self.begin(HERE)
        origin.answers(HELLO)
        attacker = await self.client(port)
        attacker.sends(PREFACE + settings({4: 0}))
        attacker.sends(b"".join(head(2 * n + 1, isEnd=True, fields=FIELDS) for n in range(100)))

        def isWaiting() -> bool:
            session = getattr(alive(self)[0], "session", None) if alive(self) else None
            return session is not None and len(session.waiting()) == 100

        await self.settles(isWaiting, "they wait")
        (carrier,) = alive(self)
        for _ in range(9):
            self.world.advance(5)
            await self.swept()
        self.assertEqual(carrier.session.waiting(), [])
        resets = [each for each in framesOf(bytes(attacker.data)) if each.kind == RST_STREAM]
        self.assertEqual(len(resets), 100)
        attacker.breaks()

    async def test_bomb(self) -> None:
        """
        A head that unfolds to megabytes is 431 without being unfolded, and often is too much.
        """
        port, _ = await self.begin(HERE)
        attacker = await self.client(port)
        attacker.sends(PREFACE + settings({}))
        # A name and value of 4 kilobytes are put into the table once, and named thousands of times.
        value = b"x" * 3900
        entry = b"\x40\x01a" + b"\x7f" + _integer(len(value) - 127) + value
        bomb = block(*FIELDS) + entry + b"\xbe" * 4000
        attacker.sends(frame(HEADERS, END_HEADERS | 1, 1, bomb[:8000]))
        await attacker.until(lambda: len(attacker.data) > 60 or attacker.isOver, "an answer")
        self.assertIn(b"431", attacker.data)
        attacker.breaks()

    async def test_bombs(self) -> None:
        """
        Over and over again they are too much.
        """
        fields = block(*FIELDS) + b"\x40\x01a\x7f" + _integer(3900 - 127) + b"x" * 3900 + b"\xbe" * 100
        await self.isCalmed(frame(HEADERS, END_HEADERS | 1, 0, fields)[:5] + b"STRM" + fields)

    async def test_memory(self) -> None:
        """
        Attacks that have ended leave nothing.
        """
        port, origin = await self.begin(HERE)
        origin.answers(HELLO)
        request = head(1, isEnd=True, fields=FIELDS)
        counts = []
        # Only what comes from now on is looked at and counted.
        gc.collect()
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        for _ in range(4):
            for _ in range(10):
                attacker = await self.client(port)
                attacker.sends(PREFACE + settings({}) + request + frame(PING, 0, 0, b"12345678") * 500)
                await attacker.until(lambda attacker=attacker: attacker.isOver, "the end")  # type: ignore[misc]
                attacker.breaks()
            await self.isIdle()
            self._peers.clear()
            gc.collect()
            counts.append(len(gc.get_objects()))
        self.assertLess(counts[-1] - counts[1], 500, counts)


def _integer(value: int) -> bytes:
    """
    The rest of an integer (RFC 7541 section 5.1).
    """
    found = b""
    while value >= 128:
        found += bytes((value % 128 + 128,))
        value >>= 7
    return found + bytes((value,))
