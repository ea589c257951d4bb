"""
Requests for another protocol that an action agrees to: a protocol of this process has the bytes of
the connection, or of the stream, that follow.
"""

from __future__ import annotations

import hashlib
import json
import socket
from errno import EMFILE
from pathlib import Path
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from websockets.protocol import Protocol as Frames
from websockets.protocol import Side

from smartproxy_tw.actions.websocket import WebSocket as WebSocketProtocol
from smartproxy_tw.actions.websocket import accept
from smartproxy_tw.config.lasting import WebSocket
from smartproxy_tw.config.model import TLS, AccessLog, Limits, Respond, Route
from smartproxy_tw.interfaces import IExchange
from smartproxy_tw.wire.downgrade import acceptFor
from smartproxy_tw.wire.frames import CANCEL, NO_ERROR

from .conversation import DeedTests, Doing, alive, status
from .harness import TERMINATE, Peer, field, reactor, turns
from .streams import Client, StreamTests
from .test_served import Digest, Echo, Refusing, Slow, Source
from .test_tunnel import MIB, noise

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ASKS = (
    b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)


class Failing(Protocol):
    """
    Fails at once.
    """

    def connectionMade(self) -> None:
        """Fail."""
        raise RuntimeError("a bug of the protocol")


class AcceptedTests(StreamTests):
    """
    One route whose action accepts.
    """

    async def accepts(self, kind: Any, tls: TLS | None = None, **others: Any) -> int:
        """
        The port of a route whose action accepts.

        @param kind: The class of the protocol, or of a factory.
        """
        Echo.made.clear()
        Slow.made.clear()
        factory: Any = kind() if issubclass(kind, Factory) else Factory.forProtocol(kind)
        factory.noisy = False
        self.ended: list[str] = []

        def deed(exchange: IExchange) -> None:
            exchange.onEnd(lambda: self.ended.append("end"))
            exchange.accept(b"Sec-WebSocket-Protocol: chat\r\n", factory)

        port = await self.port()
        if tls is not None:
            await self.certify("a.test")
        webSocket = others.pop("webSocket", None)
        others.setdefault("http2PriorKnowledge", True)
        await self.use(Route("own", (port,), Respond(), "http", tls=tls, webSocket=webSocket), **others)
        for entrance in self.plane.engine._entrances.values():
            entrance.actions["own"] = Doing(deed)
        return port

    async def opens(self, port: int, tls: bool = False, more: bytes = b"") -> Peer:
        """
        A client of HTTP/1.1.

        @param more: Sent with the request.
        """
        client = await (self.tls(port) if tls else self.client(port))
        client.sends(ASKS + more)
        self.head = await client.head()
        return client

    async def connects(self, port: int, **options: Any) -> tuple[Client, int]:
        """
        A client of HTTP/2, and its stream.
        """
        client = await self.http2(port, **options)
        stream = client.asks(
            "/ws", (":protocol", "websocket"), ("sec-websocket-version", "13"), method="CONNECT", isEnd=False
        )
        await client.begun(stream)
        return client, stream

    # HTTP/1.1

    async def test_handshake(self) -> None:
        """
        The handshake is completed, and says what the action says; what came along with the request
        is the protocol's.
        """
        for tls in (None, TERMINATE):
            port = await self.accepts(Echo, tls)
            client = await self.opens(port, tls is not None, b"early\r\n")
            self.assertTrue(self.head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
            self.assertIn(b"\r\nSec-WebSocket-Accept: %b\r\n" % acceptFor(KEY), self.head)
            self.assertEqual(field(self.head, b"sec-websocket-protocol"), b"chat")
            self.assertEqual(field(self.head, b"upgrade"), b"websocket")
            self.assertEqual(field(self.head, b"connection").lower(), b"upgrade")
            await client.expects(b"early\r\n")
            client.sends(b"late\r\n")
            await client.expects(b"late\r\n")
            client.sends(b"leave\r\n")
            self.assertEqual(await client.ends(), b"last words")
            client.leaves()
            await self.isIdle()
            self.assertEqual(self.ended, ["end"])

    async def test_otherProtocol(self) -> None:
        """
        It need not be a WebSocket; what asks for nothing is not accepted.
        """
        port = await self.accepts(Echo)
        client = await self.client(port)
        client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\nx\r\n")
        head = await client.head()
        self.assertEqual(field(head, b"upgrade"), b"echo/1")
        self.assertNotIn(b"Sec-WebSocket-Accept", head)
        await client.expects(b"x\r\n")
        client.leaves()
        client = await self.client(port)
        client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        await client.breaksOff()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    async def test_paused(self) -> None:
        """
        What came along with the request waits as well for a protocol that reads nothing yet.
        """
        port = await self.accepts(Slow)
        client = await self.opens(port, False, b"early")
        client.sends(b"late")
        await turns(20)
        (slow,) = Slow.made
        transport: Any = slow.transport
        self.assertEqual(slow.received, 0)
        transport.resumeProducing()
        await self.settles(lambda: slow.received == 9, "everything has come")

    async def test_tooLate(self) -> None:
        """
        What has been answered is not accepted any more, and what was accepted is not answered.
        """
        port = await self.accepts(Echo)
        factory: Any = Factory.forProtocol(Echo)
        factory.noisy = False

        def answers(exchange: IExchange) -> None:
            exchange.respond(403, b"", b"no")
            exchange.accept(b"", factory)

        def accepts(exchange: IExchange) -> None:
            exchange.accept(b"", factory)
            exchange.accept(b"", factory)
            exchange.respond(403, b"", b"no")
            exchange.begin(200, b"", None).write(b"no")

        for deed, wanted in ((answers, 403), (accepts, 101)):
            for entrance in self.plane.engine._entrances.values():
                entrance.actions["own"] = Doing(deed)
            client = await self.client(port)
            client.sends(ASKS)
            self.assertEqual(status(await client.head()), wanted)
            if wanted == 101:
                client.sends(b"x\r\n")
                await client.expects(b"x\r\n")
        self.assertEqual(len(Echo.made), 1)

    async def test_record(self) -> None:
        """
        One record, of a 101, with the bytes that went each way.
        """
        log = Path(self.mktemp())
        port = await self.accepts(Echo, accessLog=AccessLog("json", str(log.absolute())))
        client = await self.opens(port, False, b"12345\r\n")
        await client.expects(b"12345\r\n")
        client.leaves()
        await self.isIdle()
        http2, stream = await self.connects(port)
        http2.says(stream, b"123\r\n")
        await http2.until(lambda: http2.answers[stream].body == b"123\r\n", "an echo")
        http2.says(stream, b"", True)
        await http2.answer(stream)
        await self.settles(lambda: len(self.ended) == 2, "both have ended")
        http2.peer.leaves()
        await self.plane.drain(0)
        found = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual(
            [(each["status"], each["bytes"], each["bytes_received"]) for each in found],
            [(101, 7, 7), (101, 5, 5)],
        )

    async def test_bugs(self) -> None:
        """
        A protocol that fails, or that is not made, loses its connection or its stream and nothing else.
        """
        for kind in (Failing, Refusing):
            port = await self.accepts(kind)
            client = await self.opens(port)
            await client.loses()
            http2, stream = await self.connects(port)
            answer = await http2.answer(stream)
            self.assertEqual(answer.reset == CANCEL, kind is Failing)
            self.assertEqual(bool(self.flushLoggedErrors(RuntimeError)), kind is Failing)
            await self.settles(lambda: len(self.ended) == 2, "both have ended")
            http2.peer.leaves()

    async def test_lifetimes(self) -> None:
        """
        Idle and lifetime of the route's WebSockets hold, by either version.
        """
        for webSocket in (WebSocket(idle=20), WebSocket(lifetime=20)):
            port = await self.accepts(Echo, webSocket=webSocket)
            client = await self.opens(port)
            http2, stream = await self.connects(port)
            self.world.advance(15)
            await self.swept()
            client.sends(b"x\r\n")
            await client.expects(b"x\r\n")
            http2.says(stream, b"x\r\n")
            await http2.until(lambda a=http2.answers[stream]: a.body == b"x\r\n", "an echo")  # type: ignore[misc]
            self.assertEqual(self.ended, [])
            self.world.advance(10 if webSocket.lifetime else 21)
            await self.swept()
            await client.loses()
            self.assertEqual((await http2.answer(stream)).reset, CANCEL)
            await self.settles(lambda: len(self.ended) == 2, "both have ended")
            self.assertEqual([type(each.why) for each in Echo.made][1], ConnectionAborted)
            http2.peer.leaves()

    async def test_drained(self) -> None:
        """
        It goes on while everything drains, as long as streams may, and is cut then.
        """
        port = await self.accepts(Echo)
        client = await self.opens(port)
        engine = self.plane.engine
        engine.drain()
        self.assertEqual(engine.cut(False), 0)
        client.sends(b"x\r\n")
        await client.expects(b"x\r\n")
        self.assertEqual(engine.cut(True), 1)
        await client.loses()
        self.assertEqual(self.ended, ["end"])

    # HTTP/2

    async def test_bothWays(self) -> None:
        """
        Over HTTP/2 the answer is a plain 200, and bytes go both ways beside other requests.
        """
        port = await self.accepts(Echo)
        client, stream = await self.connects(port)
        answer = client.answers[stream]
        answer.fields.pop("date")
        self.assertEqual((answer.status, answer.fields), (200, {"sec-websocket-protocol": "chat"}))
        for number in range(20):
            client.says(stream, b"%d\r\n" % number)
            await client.until(lambda n=number: answer.body.endswith(b"%d\r\n" % n), "an echo")  # type: ignore[misc]
        self.assertEqual(self.plane.engine.open, 1)

    async def test_ends(self) -> None:
        """
        Who ends first ends cleanly: what was said last arrives, and nothing is left.
        """
        port = await self.accepts(Echo)
        client, stream = await self.connects(port)
        client.says(stream, b"leave\r\n")
        answer = await client.answer(stream)
        self.assertEqual((bytes(answer.body), answer.isWhole), (b"last words", True))
        client.says(stream, b"", True)
        await self.settles(lambda: not alive(self)[0].channels, "nothing is left of it")
        client, stream = await self.connects(port)
        client.says(stream, b"bye\r\n", True)
        answer = await client.answer(stream)
        self.assertEqual((bytes(answer.body), answer.isWhole), (b"bye\r\n", True))
        await self.settles(lambda: len(self.ended) == 2, "both have ended")
        self.assertEqual([type(each.why) for each in Echo.made], [ConnectionDone] * 2)

    async def test_lingers(self) -> None:
        """
        A client that does not end its side when the protocol has is told that no more is wanted.
        """
        port = await self.accepts(Echo)
        client, stream = await self.connects(port)
        client.says(stream, b"leave\r\n")
        answer = await client.answer(stream)
        self.assertEqual(self.ended, [])
        self.world.advance(6)
        await self.swept()
        await client.until(lambda: answer.reset == NO_ERROR, "a reset")
        self.assertEqual(self.ended, ["end"])

    async def test_halfClose(self) -> None:
        """
        Much comes, and an answer after its end.
        """
        port = await self.accepts(Digest)
        data = noise(3 * MIB, 5)
        client, stream = await self.connects(port)
        await client.pours(stream, data)
        answer = await client.answer(stream)
        self.assertEqual(bytes(answer.body), hashlib.sha256(data).hexdigest().encode())
        await self.settles(lambda: self.ended == ["end"], "it has ended")

    async def test_resets(self) -> None:
        """
        A reset, from either side, and with the connection, is one on the other side.
        """
        port = await self.accepts(Echo)
        client, stream = await self.connects(port)
        client.says(stream, b"break\r\n")
        self.assertEqual((await client.answer(stream)).reset, CANCEL)
        client, stream = await self.connects(port)
        client.resets(stream)
        await self.settles(lambda: len(self.ended) == 2, "it is told")
        client, stream = await self.connects(port)
        client.peer.breaks()
        await self.settles(lambda: len(self.ended) == 3, "it is told")
        self.assertEqual([type(each.why) for each in Echo.made], [ConnectionAborted] * 3)

    async def test_slowClient(self) -> None:
        """
        A producer is told to wait for a client that opens no window; all of it arrives.
        """
        port = await self.accepts(Source)
        client, stream = await self.connects(port, isReading=False)
        answer = client.answers[stream]
        await client.until(lambda: len(answer.body) == 65535, "a window full")
        await turns(100)
        self.assertLess(Source.given, 2 * MIB)
        self.assertGreater(Source.pauses, 0)
        client.isReading = True
        client.line.increment_flow_control_window(1 << 20)
        client.line.increment_flow_control_window(1 << 20, stream)
        client.flush()
        await client.answer(stream)
        self.assertEqual(len(answer.body), Source.total)

    async def test_slowProtocol(self) -> None:
        """
        What a protocol does not read stays with the client; one that reads nothing at all is told of a
        client that has left all the same.
        """
        port = await self.accepts(Slow)
        client, stream = await self.connects(port)
        sent = since = 0
        while since < 100:
            size = min(client.room(stream), 16384)
            since = 0 if size > 0 else since + 1
            if size > 0:
                client.says(stream, b"x" * size)
                sent += size
            else:
                await turns(1)
        self.assertLess(sent, 2 * MIB)
        (slow,) = Slow.made
        self.assertEqual(slow.received, 0)
        transport: Any = slow.transport
        transport.resumeProducing()
        await self.settles(lambda: slow.received == sent, "everything has come")
        transport.pauseProducing()
        client.resets(stream)
        await self.settles(lambda: not transport.connected and self.ended == ["end"], "it is told")

    async def test_noSockets(self) -> None:
        """
        Where no pair of sockets is to be had it is answered with 503.
        """
        port = await self.accepts(Echo)

        def none() -> Any:
            raise OSError(EMFILE, "Too many open files")

        self.patch(socket, "socketpair", none)
        client, stream = await self.connects(port)
        self.assertEqual((await client.answer(stream)).status, 503)

    async def test_hoard(self) -> None:
        """
        What a protocol keeps counts beside what others keep, and no more when it has ended.
        """
        port = await self.accepts(Echo, limits=Limits(heldBytes=100))
        client = await self.opens(port)
        http2, _ = await self.connects(port)
        first, second = (each.transport for each in Echo.made)
        held = self.plane.engine.hoard
        self.assertTrue(first.hold(60))
        self.assertFalse(second.hold(60))
        self.assertTrue(second.hold(40))
        self.assertFalse(first.hold(61))
        self.assertTrue(first.hold(10))
        self.assertEqual(held.held, 50)
        client.leaves()
        http2.peer.breaks()
        await self.settles(lambda: len(self.ended) == 2, "both have ended")
        self.assertEqual(held.held, 0)
        self.assertTrue(first.hold(60))
        self.assertEqual(held.held, 0)
        self.assertIsInstance(Echo.made[0].why, (ConnectionDone, ConnectionLost))


class Parrot:
    """
    Says every message again, as fast as the client takes it.
    """

    def __init__(self, exchange: IExchange, ends: list[int]) -> None:
        self._ends = ends
        self._socket = WebSocketProtocol(reactor, self, 1000)
        accept(exchange, self._socket, b"X-Parrot: yes\r\n")

    def received(self, message: str | bytes) -> None:
        """Say it again."""
        self._socket.send(message)
        if not self._socket.isTaking:
            self._socket.pause()
            self._socket.whenTaking(self._socket.resume)

    def closed(self, code: int, reason: str) -> None:
        """Keep the code."""
        self._ends.append(code)


class WebSocketTests(DeedTests):
    """
    An action that speaks WebSocket by what built-in ones speak it by, as a plug-in may.
    """

    async def test_parrot(self) -> None:
        """
        It hears messages and sends some; a client that takes nothing slows it down, and everything
        arrives.
        """
        ends: list[int] = []
        port = await self.begin(lambda exchange: Parrot(exchange, ends))
        client = await self.client(port)
        client.sends(ASKS)
        self.assertIn(b"X-Parrot: yes\r\n", await client.head())
        client.transport.pauseProducing()  # type: ignore[union-attr]
        line = Frames(Side.CLIENT, max_size=None)
        for _ in range(20000):
            line.send_binary(bytes(1000))
        client.sends(b"".join(line.data_to_send()))
        await turns(200)
        (alone,) = alive(self)
        self.assertLess(alone._received, 16 * MIB)
        count = 0

        def hears(data: bytes) -> None:
            nonlocal count
            line.receive_data(data)
            count += len(line.events_received())

        client.watch = hears
        client.transport.resumeProducing()  # type: ignore[union-attr]
        await client.until(lambda: count == 20000)
        line.send_close(4000)
        client.sends(b"".join(line.data_to_send()))
        await client.until(lambda: client.isEnded)
        self.assertEqual((ends, count), ([4000], 20001))

    async def test_noHandshake(self) -> None:
        """
        What is no handshake is answered with 400.
        """
        ends: list[int] = []
        port = await self.begin(lambda exchange: Parrot(exchange, ends))
        client = await self.client(port)
        for request in (
            b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
            ASKS.replace(b"13", b"12"),
            ASKS.replace(b"Upgrade: websocket", b"Upgrade: other"),
        ):
            client.sends(request)
            self.assertEqual(status((await client.message())[0]), 400)
        self.assertEqual(ends, [])
