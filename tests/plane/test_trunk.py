"""
Connections to targets of HTTP/2: how they fail, fall silent, and come to an end.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import tempfile
from dataclasses import replace
from typing import Any

from twisted.internet.threads import deferToThread

from smartproxy_tw.config.model import Forward, Pool, Route, Target, Timeouts
from smartproxy_tw.wire.frames import (
    CANCEL,
    ENHANCE_YOUR_CALM,
    INTERNAL_ERROR,
    PING,
    REFUSED_STREAM,
    frame,
    settings,
)

from .harness import Peer, PlaneTests, turns
from .targets import Asked, Multiplexed, Server

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
ANY = Pool()
ANY = Pool()
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\n"


class TrunkTests(PlaneTests):
    """
    Clients of HTTP/1.1, and one target of HTTP/2.
    """

    async def begin(self, pool: Pool = ANY, **others: Any) -> int:
        """
        A route to one target.
        """
        self.target = Multiplexed(self.origin())
        port = await self.port()
        await self.use(Route("a", (port,), Forward((self.target.target(),), pool=pool), "http"), **others)
        return port

    async def asks(self, request: bytes = GET, **others: Any) -> tuple[Peer, Server, Asked]:
        """
        A client has asked.
        """
        self.number = await self.begin(**others)
        client = await self.client(self.number)
        client.sends(request)
        server = await self.target.accepts()
        return client, server, await server.asked()

    async def test_protocols(self) -> None:
        """
        What is spoken to a target is what its protocol says, at an address and at a unix socket.
        """
        path = os.path.join(tempfile.mkdtemp(), "s")
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, path)):
            with socket.socket(family) as listening:
                listening.bind(address)
                listening.listen()
                place = Target(path, 0) if address == path else Target(*listening.getsockname())
                for protocol, wanted in (
                    ("http/1.1", b"POST / HTTP/1.1\r\n"),
                    ("h2c", b"PRI * HTTP/2.0\r\n"),
                ):
                    port = await self.port()
                    target = replace(place, protocol=protocol)  # type: ignore[arg-type]
                    await self.use(Route("a", (port,), Forward((target,)), "http"))
                    client = await self.client(port)
                    # One that is not sent again when nobody answers it.
                    client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n")
                    listening.settimeout(60)
                    accepted, _ = await deferToThread(listening.accept)
                    with accepted:
                        accepted.settimeout(60)
                        heard = await deferToThread(accepted.recv, 1000)
                    self.assertTrue(heard.startswith(wanted), heard)
                    client.leaves()

    async def test_refused(self) -> None:
        """
        A stream that the target refuses was not acted on: the request is sent again, of any
        method, with its body.
        """
        client, server, asked = await self.asks(POST + b"ab")
        server.breaks(asked, REFUSED_STREAM)
        again = await server.asked()
        client.sends(b"cd")
        await server.peer.until(lambda: again.isEnded, "the body")
        self.assertEqual(again.body, b"abcd")
        server.answers(again, body=b"ok")
        self.assertEqual((await client.message())[1], b"ok")
        self.assertEqual(self.target.count, 1)

    async def test_refusedAgain(self) -> None:
        """
        Three times; after that it is 502.
        """
        client, server, asked = await self.asks(POST + b"abcd")
        for again in (True, True, True, False):
            server.breaks(asked, REFUSED_STREAM)
            if again:
                asked = await server.whole()
                self.assertEqual(asked.body, b"abcd")
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 502 "))

    async def test_refusedAndLost(self) -> None:
        """
        What was refused may still meet a connection that ends, which a target that begins again
        does with those that have just come; and be refused by the next one.
        """
        client, server, _asked = await self.asks()
        server.leaves(0)
        second = await self.target.accepts()
        await second.whole()
        second.peer.breaks()
        third = await self.target.accepts()
        third.breaks(await third.whole(), REFUSED_STREAM)
        third.answers(await third.whole(), body=b"third")
        self.assertEqual((await client.message())[1], b"third")

    async def test_refusedAfterWord(self) -> None:
        """
        One of which the client has been told something is not sent again.
        """
        client, server, asked = await self.asks()
        server.begins(asked, b"103", (b"link", b"</x>"))
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 103 "))
        server.breaks(asked, REFUSED_STREAM)
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 502 "))

    async def test_lostTwice(self) -> None:
        """
        Connections that end are another matter: once more, and then it is 502.
        """
        client, server, _asked = await self.asks()
        server.peer.breaks()
        second = await self.target.accepts()
        await second.whole()
        second.peer.breaks()
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 502 "))

    async def test_largeBodyRefused(self) -> None:
        """
        A body of which too much has gone already cannot be sent again.
        """
        client, server, asked = await self.asks(
            b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100000
        )
        await server.peer.until(lambda: len(asked.body) == 100000, "half of the body")
        server.breaks(asked, REFUSED_STREAM)
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 502 "))

    async def test_reset(self) -> None:
        """
        Any other reset is a failure: 502 before the answer, and a broken connection within
        it; other streams go on.
        """
        port = await self.begin()
        first, second, third = [await self.client(port) for _ in range(3)]
        for client in (first, second, third):
            client.sends(POST + b"abcd")
        server = await self.target.accepts()
        asked = [await server.whole() for _ in range(3)]
        server.breaks(asked[0], INTERNAL_ERROR)
        self.assertTrue((await first.head()).startswith(b"HTTP/1.1 502 "))
        server.begins(asked[1], b"200", (b"content-length", b"100"))
        server.goesOn(asked[1], b"x")
        await second.head()
        server.breaks(asked[1], CANCEL)
        self.assertEqual(await second.breaksOff(), b"x")
        server.answers(asked[2], body=b"ok")
        self.assertEqual((await third.message())[1], b"ok")

    async def test_goAway(self) -> None:
        """
        GOAWAY: what the target has is finished, what came too late for it is sent on another
        connection, and so is what comes later; the old one ends.
        """
        client, server, asked = await self.asks(POST + b"abcd")
        late = await self.client(self.number)
        late.sends(POST + b"late")
        missed = await server.whole()
        server.leaves(asked.stream)
        other = await self.target.accepts()
        again = await other.whole()
        self.assertEqual((missed.body, again.body), (b"late", b"late"))
        other.answers(again, body=b"second")
        self.assertEqual((await late.message())[1], b"second")
        server.answers(asked, body=b"first")
        self.assertEqual((await client.message())[1], b"first")
        await server.peer.loses()
        client.sends(GET)
        other.answers(await other.whole(), body=b"third")
        self.assertEqual((await client.message())[1], b"third")

    async def test_closed(self) -> None:
        """
        A connection that ends takes along what it carries: what may be sent twice is, and
        all else is 502.
        """
        client, server, _asked = await self.asks()
        other = await self.client(self.number)
        other.sends(POST + b"abcd")
        await server.whole()
        server.peer.breaks()
        self.assertTrue((await other.head()).startswith(b"HTTP/1.1 502 "))
        second = await self.target.accepts()
        second.answers(await second.whole(), body=b"again")
        self.assertEqual((await client.message())[1], b"again")

    async def test_keptForAMinute(self) -> None:
        """
        One that nobody needs says so and ends; one in use does not.
        """
        client, server, asked = await self.asks()
        await self.silent(20)
        server.answers(asked, body=b"x")
        await client.message()
        self.world.advance(59)
        await self.swept()
        self.assertFalse(server.peer.isOver)
        self.world.advance(2)
        await server.peer.ends()

    async def test_silence(self) -> None:
        """
        A target from which nothing comes while somebody waits is asked whether it is there:
        once, and when it answers not again for five minutes.
        """
        client, server, asked = await self.asks(timeouts=Timeouts(idle=3000))
        await self.silent(31)
        await server.peer.until(lambda: len(server.pings) == 1, "a PING")
        await turns(10)
        for _ in range(2):
            await self.silent(140)
        self.assertEqual(len(server.pings), 1)
        await self.silent(40)
        await server.peer.until(lambda: len(server.pings) == 2, "another PING")
        server.answers(asked, body=b"x")
        self.assertEqual((await client.message())[1], b"x")

    async def silent(self, seconds: float) -> None:
        """
        Time passes.
        """
        await turns(5)
        self.world.advance(seconds)
        await self.swept()
        await turns(5)

    async def test_dead(self) -> None:
        """
        One that does not answer is given up, and what may be sent again is.
        """
        client, server, _asked = await self.asks(timeouts=Timeouts(idle=3000))
        server.peer.watch = lambda data: None
        await self.silent(31)
        await self.silent(16)
        await server.peer.loses()
        other = await self.target.accepts()
        other.answers(await other.whole(), body=b"x")
        self.assertEqual((await client.message())[1], b"x")

    async def test_notHTTP2(self) -> None:
        """
        A target that does not say its settings in time, or something else, is none.
        """
        port = await self.begin(timeouts=Timeouts(connect=3))
        self.target.origin.prepare = None
        client = await self.client(port)
        client.sends(POST + b"abcd")
        peer = await self.target.origin.accepts()
        await self.silent(4)
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 502 "))
        await peer.loses()
        client.sends(POST + b"abcd")
        peer = await self.target.origin.accepts()
        peer.sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await client.through(b"502 Bad Gateway\n")
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 502 "))

    async def test_flood(self) -> None:
        """
        A target that says too much that is beside the point is left alone.
        """
        client, server, asked = await self.asks(POST + b"abcd")
        await server.peer.until(lambda: asked.isEnded, "the body")
        for made in (frame(PING, 0, 0, b"12345678") * 1000, settings({}) * 1000):
            server.peer.sends(made)
            await server.peer.loses()
            self.assertIn(struct.pack(">L", ENHANCE_YOUR_CALM), bytes(self.last(server)))
            self.assertTrue((await client.head()).startswith(b"HTTP/1.1 502 "))
            await client.expects(b"502 Bad Gateway\n")
            client.sends(POST + b"abcd")
            server = await self.target.accepts()
            await server.whole()

    def last(self, server: Server) -> bytes:
        """
        What a connection said at its end.
        """
        return server.heard[-200:]

    async def test_windows(self) -> None:
        """
        A target without room makes the client wait, and SETTINGS may take room away and give
        it again.
        """
        client, server, asked = await self.asks()
        server.settles({4: 0})
        server.answers(asked, body=b"x")
        await client.message()
        client.sends(POST + b"abcd")
        asked = await server.asked()
        await turns(10)
        self.assertEqual(asked.body, b"")
        server.settles({4: 3})
        await server.peer.until(lambda: asked.body == b"abc", "three bytes")
        server.settles({4: 2})
        server.h2.increment_flow_control_window(1, asked.stream)
        server.flushes()
        await turns(10)
        server.h2.increment_flow_control_window(10, asked.stream)
        server.flushes()
        await server.peer.until(lambda: asked.isEnded, "the rest")
        self.assertEqual(asked.body, b"abcd")
        server.answers(asked, body=b"x")
        self.assertEqual((await client.message())[1], b"x")

    async def test_slowTarget(self) -> None:
        """
        While a target takes nothing of a large body, little of it is held.
        """
        size = 4_000_000
        client, server, asked = await self.asks(
            b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size
        )
        server.isGenerous = False
        client.sends(b"x" * size)
        await server.peer.until(lambda: len(asked.body) == 65535, "a window")
        await turns(50)
        trunk = self.trunks()[0]
        self.assertLess(sum(each.size for each in trunk.session.waiting()), 300_000)
        server.isGenerous = True
        server.h2.acknowledge_received_data(65535, asked.stream)
        server.flushes()
        await server.peer.until(lambda: asked.isEnded, "the rest")
        self.assertEqual(len(asked.body), size)
        server.answers(asked, body=b"x")
        self.assertEqual((await client.message())[1], b"x")

    def trunks(self) -> list[Any]:
        """
        All of the plane's.
        """
        from smartproxy_tw.plane.vigil import Vigil

        return [each._trunk for each in self.plane.engine.poller.mortals if isinstance(each, Vigil)]

    async def test_clientLeaves(self) -> None:
        """
        When a client goes its stream is reset, and nothing else.
        """
        client, server, asked = await self.asks()
        other = await self.client(self.number)
        other.sends(GET)
        second = await server.whole()
        client.breaks()
        self.assertEqual(await server.resets(asked), CANCEL)
        server.answers(second, body=b"x")
        self.assertEqual((await other.message())[1], b"x")

    async def test_fewerStreams(self) -> None:
        """
        A target may allow fewer streams than are open, and more again.
        """
        client, server, asked = await self.asks(pool=Pool(1))
        server.settles({3: 1})
        await turns(10)
        other = await self.client(self.number)
        other.sends(GET)
        await turns(10)
        self.assertEqual(len(server.all), 1)
        server.answers(asked, body=b"one")
        self.assertEqual((await client.message())[1], b"one")
        server.answers(await server.whole(), body=b"two")
        self.assertEqual((await other.message())[1], b"two")
        self.assertEqual(self.target.count, 1)

    async def test_poolIsFull(self) -> None:
        """
        When there may be no other connection, whoever finds no free stream waits, and gets
        503 when that takes too long.
        """
        port = await self.begin(Pool(1, 1, 2.0))
        self.target.settings = {3: 1}
        first, second, third = [await self.client(port) for _ in range(3)]
        first.sends(GET)
        server = await self.target.accepts()
        asked = await server.whole()
        second.sends(GET)
        await turns(5)
        third.sends(GET)
        self.assertTrue((await third.head()).startswith(b"HTTP/1.1 503 "))
        await self.silent(2.1)
        self.assertTrue((await second.head()).startswith(b"HTTP/1.1 503 "))
        server.answers(asked, body=b"x")
        await first.message()

    async def test_routesGone(self) -> None:
        """
        When its routes are gone an idle one ends, and one in use when its answer is given.
        """
        client, server, asked = await self.asks()
        await self.use()
        await turns(5)
        self.assertFalse(server.peer.isOver)
        server.answers(asked, body=b"x")
        self.assertEqual((await client.message())[1], b"x")
        await server.peer.ends()

    async def test_everySplit(self) -> None:
        """
        However the target's bytes are cut, the client gets the same.
        """
        client, server, asked = await self.asks()
        said: list[bytes] = []
        real = server.peer.sends
        server.peer.sends = said.append  # type: ignore[method-assign]
        server.begins(asked, b"103", (b"link", b"</x>"))
        server.begins(asked, b"200", (b"x-one", b"1"))
        server.goesOn(asked, b"hello")
        server.ends(asked, (b"x-two", b"2"))
        data = b"".join(said)
        expected = None
        for cut in range(len(data)):
            if cut:
                client.sends(GET)
                asked = await server.asked()
            stream = struct.pack(">L", asked.stream)
            made = bytearray(data)
            at = 0
            while at < len(made):
                made[at + 5 : at + 9] = stream
                at += 9 + int.from_bytes(made[at : at + 3], "big")
            real(bytes(made[:cut]))
            await turns(2)
            real(bytes(made[cut:]))
            found = await client.through(b"x-two: 2\r\n\r\n")
            expected = expected or found
            self.assertEqual(found.replace(b"x-one: 1\r\n", b""), expected.replace(b"x-one: 1\r\n", b""))

    async def test_brokenAnywhere(self) -> None:
        """
        Wherever the target's connection breaks the client has either an answer to the end, or
        an error, or a broken connection.
        """
        port = await self.begin()

        def serve(server: Server, asked: Asked) -> None:
            server.answers(asked, b"200", (b"content-length", b"5"), body=b"hello")

        self.target.then = serve
        outcomes = set()
        for credit in range(60, 160, 3):
            self.target.origin.prepare = lambda peer, credit=credit: self.cutShort(peer, credit)
            client = await self.client(port)
            client.sends(POST + b"abcd")
            found = await client.loses() if credit < 0 else await self.ending(client)
            status = found[9:12]
            outcomes.add(status)
            if status == b"200":
                self.assertTrue(
                    found.endswith(b"\r\n\r\n" + b"hello"[: len(found.partition(b"\r\n\r\n")[2])])
                )
            for trunk in self.trunks():
                trunk.retire()
            await self.settles(lambda: not self.trunks(), "no connection is left")
            for place in self.places():
                place.answered()
        self.assertLessEqual(outcomes, {b"200", b"502"})
        self.assertEqual(len(outcomes), 2)

    def places(self) -> list[Any]:
        """
        Those of the only group.
        """
        return [
            place
            for group in self.plane._groups.values()
            for places in group._places.values()
            for place in places
        ]

    def cutShort(self, peer: Peer, credit: int) -> None:
        """
        Have a connection break after so many bytes.
        """
        peer.credit = credit
        self.target._prepare(peer)

    async def ending(self, client: Peer) -> bytes:
        """
        Everything that a client gets.
        """
        await client.until(
            lambda: client.isOver or client.data.endswith((b"hello", b"502 Bad Gateway\n")), "an outcome"
        )
        found = bytes(client.data)
        client.leaves()
        return found
