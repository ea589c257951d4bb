"""
WebSockets by HTTP/2 (RFC 8441) through a real plane, to a target that speaks HTTP/1.1.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from smartproxy_tw.config.model import (
    AccessLog,
    Forward,
    Redirect,
    Respond,
    Route,
)
from smartproxy_tw.config.revision import ErrorPage, Representation
from smartproxy_tw.facts import AnswerHead
from smartproxy_tw.interfaces import ILens
from smartproxy_tw.wire.downgrade import acceptFor
from smartproxy_tw.wire.frames import CANCEL, NO_ERROR, PROTOCOL_ERROR

from .conversation import DeedTests, alive
from .harness import Origin, Peer, turns
from .streams import Answer, Client, StreamTests

HERE = Route("here", (1,), Respond(body="here"), "http", path="/here")


def accepting(head: bytes, more: bytes = b"") -> bytes:
    """
    The answer of a target that agrees.
    """
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"sec-websocket-key"))
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\nSec-WebSocket-Protocol: chat\r\n\r\n" % acceptFor(key) + more
    )


class Asking(StreamTests):
    """
    Clients that ask for one.
    """

    def connects(self, client: Client, path: str = "/ws", protocol: str = "websocket") -> int:
        """
        Ask for one.
        """
        return client.asks(
            path,
            (":protocol", protocol),
            ("sec-websocket-version", "13"),
            method="CONNECT",
            isEnd=False,
        )


class RelayTests(Asking):
    """
    One target.
    """

    async def opens(self, more: bytes = b"", **options: Any) -> tuple[Client, int, Peer]:
        """
        One that both sides have agreed to.
        """
        port, origin = await self.begin(HERE)
        client = await self.http2(port, **options)
        stream = self.connects(client)
        server = await origin.accepts()
        self.asked = await server.head()
        server.sends(accepting(self.asked, more))
        await client.begun(stream)
        return client, stream, server

    async def test_handshake(self) -> None:
        """
        The target is asked as HTTP/1.1 has it, with a key of ours; the client has a plain 200
        without any trace of that.
        """
        client, stream, _ = await self.opens()
        self.assertTrue(self.asked.startswith(b"GET /ws HTTP/1.1\r\nhost: a.test\r\n"))
        self.assertIn(b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", self.asked)
        answer = client.answers[stream]
        self.assertEqual((answer.status, answer.fields), (200, {"sec-websocket-protocol": "chat"}))

    async def test_bothWays(self) -> None:
        """
        Bytes go both ways, those that came along with the agreement among them, and other
        requests beside them.
        """
        client, stream, server = await self.opens(b"first")
        answer = client.answers[stream]
        await client.until(lambda: answer.body == b"first", "first words")
        for number in range(20):
            client.says(stream, b"ping%d" % number)
            await server.expects(b"ping%d" % number)
            server.sends(b"pong%d" % number)
            await client.until(lambda number=number: answer.body.endswith(b"pong%d" % number), "pong")  # type: ignore[misc]
        self.assertEqual((await client.answer(client.asks("/here"))).body, b"here")

    async def test_endOfClient(self) -> None:
        """
        When the client ends the target reads an end, and may go on for itself.
        """
        client, stream, server = await self.opens()
        client.says(stream, b"bye", True)
        self.assertEqual(await server.ends(), b"bye")
        server.sends(b"and more")
        server.finishes()
        answer = await client.answer(stream)
        self.assertEqual((answer.body, answer.isWhole), (b"and more", True))
        await self.settles(lambda: not alive(self)[0].channels, "nothing is left of it")

    async def test_endOfTarget(self) -> None:
        """
        When the target ends the stream does, that way; the other way goes on.
        """
        client, stream, server = await self.opens()
        server.finishes()
        await client.until(lambda: client.answers[stream].isWhole, "an end")
        client.says(stream, b"still here", True)
        self.assertEqual(await server.ends(), b"still here")

    async def test_breaks(self) -> None:
        """
        A target that breaks off is a reset with CANCEL (RFC 8441 section 5).
        """
        client, stream, server = await self.opens()
        server.breaks()
        self.assertEqual((await client.answer(stream)).reset, CANCEL)

    async def test_reset(self) -> None:
        """
        A client that resets has the target's connection broken, and nothing else.
        """
        client, stream, server = await self.opens()
        client.resets(stream)
        await server.breaksOff()
        self.assertEqual((await client.answer(client.asks("/here"))).body, b"here")

    async def test_slowClient(self) -> None:
        """
        What the client does not take stays with the target, but for what windows and buffers hold.
        """
        client, stream, server = await self.opens(isReading=False)
        server.sends(b"x" * 20_000_000)
        answer = client.answers[stream]
        await client.until(lambda: len(answer.body) == 65535, "a window full")
        await turns(50)
        channel = alive(self)[0].channels[stream]
        self.assertTrue(channel.pending)
        self.assertLess(channel._relay._received, 300000)
        client.isReading = True
        client.line.increment_flow_control_window(1 << 20)
        client.line.increment_flow_control_window(1 << 20, stream)
        client.flush()
        await client.until(lambda: len(answer.body) == 20_000_000, "all of it")

    async def test_slowTarget(self) -> None:
        """
        What the target does not take stays with the client.
        """
        client, stream, server = await self.opens()
        server.transport.pauseProducing()
        sent = since = 0
        while since < 100:
            size = min(client.room(stream), 16384)
            since = 0 if size > 0 else since + 1
            if size > 0:
                client.says(stream, b"x" * size)
                sent += size
            else:
                await turns(1)
        server.transport.resumeProducing()
        self.assertEqual(await server.takes(sent), b"x" * sent)

    async def test_idle(self) -> None:
        """
        One on which nothing moves is ended when timeouts.idle is over.
        """
        client, stream, server = await self.opens()
        self.world.advance(301)
        await self.swept()
        self.assertEqual((await client.answer(stream)).reset, CANCEL)
        await server.loses()

    async def test_drained(self) -> None:
        """
        While everything drains it has the time of tunnels.
        """
        client, stream, server = await self.opens()
        # Hyper's library hears nothing behind a GOAWAY.
        client.peer.watch = lambda data: None
        engine = self.plane.engine
        engine.drain()
        self.assertEqual(engine.cut(False), 0)
        await turns(5)
        self.assertEqual(engine.open, 1)
        server.finishes()
        client.peer.sends(client.line.data_to_send())
        client.line.end_stream(stream)
        client.flush()
        await server.ends()
        # The last words that it may still have.
        self.world.advance(1)
        await client.peer.until(lambda: client.peer.isOver, "the end")
        client.peer.leaves()
        await self.isIdle()

    async def test_refused(self) -> None:
        """
        A target that does not agree says so as to any request; one that cheats is not believed, and
        another protocol than websocket is not known.
        """
        port, origin = await self.begin()
        client = await self.http2(port)
        no = self.connects(client)
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        answer = await client.answer(no)
        self.assertEqual((answer.status, answer.body), (403, b"no"))
        # What is still to come of it is waited for a little.
        self.world.advance(2.5)
        await self.swept()
        await client.until(lambda: answer.reset == NO_ERROR, "a reset")
        cheats = self.connects(client)
        server.sends(accepting(await server.head()).replace(b"Accept: ", b"Accept: A"))
        cheated = await client.answer(cheats)
        self.assertEqual((cheated.status, cheated.isWhole), (502, True))
        await server.loses()
        self.assertEqual((await client.answer(self.connects(client, protocol="chat"))).status, 501)
        odd = client.asks("/", ("upgrade", "websocket"), isEnd=False)
        self.assertEqual((await client.answer(odd)).reset, PROTOCOL_ERROR)


class NoConsentTests(Asking):
    """
    What is no agreement does not look like one: to a client of HTTP/2 any 2xx is (RFC 8441 section 5,
    RFC 9110 section 9.3.6).
    """

    async def begins(self, *more: Route) -> tuple[int, Origin, Client]:
        """
        One target, with an access log.
        """
        self._log = self.fresh()
        port = await self.port()
        origin = self.origin()
        routes = [replace(route, ports=(port,)) for route in more]
        last = Route("all", (port,), Forward((origin.target,)), "http")
        await self.use(*routes, last, http2PriorKnowledge=True, accessLog=AccessLog("json", str(self._log)))
        return port, origin, await self.http2(port)

    async def logged(self, count: int) -> list[int]:
        """
        The statuses in the access log, when there are so many.
        """

        def lines() -> list[str]:
            return self._log.read_text().splitlines() if self._log.exists() else []

        await self.settles(lambda: len(lines()) >= count, "the log")
        return [json.loads(line)["status"] for line in lines()]

    async def test_targetIgnores(self) -> None:
        """
        A target that ignores what it is asked to change to, and answers as to any request, is a bad
        gateway; it has done nothing wrong by HTTP/1.1, and is not passed over for it.
        """
        _, origin, client = await self.begins()
        for status, rest in (
            (b"200 OK", b"Content-Length: 4\r\n\r\nbody"),
            (b"200 OK", b"Content-Length: 400\r\n\r\nbody"),
            (b"200 OK", b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
            (b"200 OK", b"\r\nuntil the end"),
            (b"204 No Content", b"\r\n"),
            (b"299 Odd", b"Content-Length: 0\r\n\r\n"),
            (b"200 OK", b"Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n"),
        ):
            stream = self.connects(client)
            server = await origin.accepts()
            await server.head()
            server.sends(b"HTTP/1.1 " + status + b"\r\n" + rest)
            answer = await client.answer(stream)
            self.assertEqual((answer.status, answer.isWhole), (502, True), (status, rest))
            self.assertNotIn(b"body", answer.body)
            await server.loses()
        tally = await self.plane.tally()
        self.assertEqual(tally["upstream_failures"], 7)
        self.assertFalse([each for each in tally if each.startswith("target_failures") and tally[each]])
        self.assertEqual(await self.logged(7), [502] * 7)

    async def test_cheats(self) -> None:
        """
        A target that agrees without having understood the key is a bad gateway as well, and one that has
        done something wrong.
        """
        _, origin, client = await self.begins()
        for old, new in ((b"Accept: ", b"Accept: A"), (b"Sec-WebSocket-Accept", b"X"), (b"=\r\n", b"==\r\n")):
            stream = self.connects(client)
            server = await origin.accepts()
            server.sends(accepting(await server.head(), b"words").replace(old, new))
            answer = await client.answer(stream)
            self.assertEqual((answer.status, answer.body), (502, b"502 Bad Gateway\n"))
            await server.loses()
        self.assertEqual(await self.logged(3), [502] * 3)
        self.assertEqual((await self.plane.tally())["upstream_failures"], 3)

    async def test_otherAnswers(self) -> None:
        """
        Whatever else a target answers passes as it is.
        """
        _, origin, client = await self.begins()
        stream = self.connects(client)
        server = await origin.accepts()
        for status in (300, 302, 304, 400, 404, 426, 503):
            await server.head()
            server.sends(b"HTTP/1.1 %d X\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n" % status)
            answer = await client.answer(stream)
            self.assertEqual((answer.status, answer.fields["location"]), (status, "/a"))
            stream = self.connects(client)

    async def test_oldClient(self) -> None:
        """
        To a client of HTTP/1.1 a 200 is no agreement, and it has it.
        """
        port, origin, _ = await self.begins()
        client = await self.client(port)
        client.sends(
            b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        server = await origin.accepts()
        await server.head()
        server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
        head, body = await client.message()
        self.assertEqual((head[9:12], body), (b"200", b"body"))

    async def test_action(self) -> None:
        """
        An answer that is made here is none either: what has no other protocol to speak says 501, by the
        page of its route, and what it says besides goes as it is.
        """
        pages = (ErrorPage("501", (Representation("text/plain", "{route} {status}"),)),)
        paged = Route("paged", (1,), Respond(body="paged"), "http", path="/paged", errorPages=pages)
        moved = Route("moved", (1,), Redirect("/here", 302), "http", path="/moved")
        empty = Route("empty", (1,), Respond(204), "http", path="/empty")
        _, _, client = await self.begins(HERE, paged, moved, empty)
        for path, status in (("/here", 501), ("/paged", 501), ("/moved", 302), ("/empty", 501)):
            answer = await client.answer(self.connects(client, path))
            self.assertEqual((answer.status, answer.isWhole), (status, True), path)
            self.assertNotEqual(answer.body, b"here")
            if path == "/paged":
                self.assertEqual(answer.body, b"paged 501")
        self.assertEqual((await client.answer(client.asks("/here"))).body, b"here")
        self.assertEqual(await self.logged(5), [501, 501, 302, 501, 200])


@implementer(ILens)
class Kind:
    """
    Makes the best of every answer.
    """

    def look(self, facts: Any, head: AnswerHead) -> AnswerHead:
        """It is fine."""
        return head._replace(status=200)


class NoConsentOfActionsTests(DeedTests):
    """
    Likewise what actions do that were not made for it.
    """

    async def asked(self, deed: Callable[[Any], object]) -> tuple[Client, Answer]:
        """
        What is answered.
        """
        port = await self.begin(deed, http2PriorKnowledge=True)
        client = Client(await self.client(port))
        stream = client.asks("/", (":protocol", "websocket"), method="CONNECT", isEnd=False)
        return client, await client.answer(stream)

    async def test_pieces(self) -> None:
        """
        Nothing is seen of an answer in pieces, and who made it is told of its end as ever.
        """
        ended = []

        def deed(exchange: Any) -> None:
            exchange.onEnd(lambda: ended.append(True))
            outlet = exchange.begin(200, b"X-A: 1\r\n", None)
            outlet.write(b"one")
            self.assertTrue(outlet.isTaking)
            outlet.write(b"two")
            outlet.finish()

        client, answer = await self.asked(deed)
        self.assertEqual((answer.status, answer.isWhole, ended), (501, True, [True]))
        self.assertNotIn(b"one", answer.body)
        self.assertNotIn("x-a", answer.fields)
        self.assertEqual((await client.answer(client.asks("/fine"))).body, b"fine")

    async def test_lens(self) -> None:
        """
        Nor does a refusal become consent on its way.
        """

        def deed(exchange: Any) -> None:
            exchange.through(Kind())
            exchange.respond(403, b"", b"no")

        _, answer = await self.asked(deed)
        self.assertEqual((answer.status, answer.body), (501, b"no"))
