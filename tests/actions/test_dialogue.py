"""
Tests for L{smartproxy_tw.actions.dialogue}.
"""

from __future__ import annotations

import ast
import threading
from importlib import util
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from smartproxy_tw.actions import asgi
from smartproxy_tw.actions.asked import Asked
from smartproxy_tw.actions.dialogue import subprotocols
from smartproxy_tw.actions.websocket import WebSocket
from smartproxy_tw.config.model import Application, Limits, Route
from smartproxy_tw.wire.downgrade import acceptFor

from ..plane.harness import TERMINATE, Peer, field, turns
from ..plane.streams import Client
from . import samples
from .answering import NAME, ApplicationTests
from .recording import RecordingExchange

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
TEXT, BINARY, CLOSE, PONG = Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE, Opcode.PONG


class Speaker:
    """
    A client that speaks WebSocket, whatever version of HTTP carries it.

    @ivar status: What it was answered.
    @ivar frames: What it has heard and not been asked for.
    @ivar line: Its protocol.
    """

    status = 0

    def __init__(self) -> None:
        self.line = Protocol(Side.CLIENT, max_size=None)
        self.frames: list[tuple[Any, bytes]] = []

    def hears(self, data: bytes) -> None:
        """
        Some bytes of the server's.
        """
        self.line.receive_data(data)
        assert self.line.parser_exc is None, self.line.parser_exc
        for each in self.line.events_received():
            assert isinstance(each, Frame)
            self.frames.append((each.opcode, bytes(each.data)))

    def speaks(self) -> bytes:
        """
        What there is to send.
        """
        return b"".join(self.line.data_to_send())

    async def goes(self) -> None:
        """
        Send what there is.
        """
        raise NotImplementedError

    async def until(self, condition: Any, what: str) -> None:
        """
        Wait.
        """
        raise NotImplementedError

    async def says(self, message: str | bytes) -> None:
        """
        Say a message.
        """
        if isinstance(message, str):
            self.line.send_text(message.encode())
        else:
            self.line.send_binary(message)
        await self.goes()

    async def closes(self, code: int = 1000, reason: str = "") -> None:
        """
        Say that this is the end.
        """
        self.line.send_close(code, reason)
        await self.goes()

    async def hearing(self) -> tuple[Any, bytes]:
        """
        The next frame.
        """
        await self.until(lambda: self.frames, "a frame")
        return self.frames.pop(0)

    async def ended(self) -> tuple[int, str]:
        """
        With which code and reason the server ends it, and agree to that.
        """
        await self.until(lambda: self.line.close_rcvd is not None, "a close")
        await self.goes()
        received = self.line.close_rcvd
        assert received is not None
        return int(received.code), received.reason


class First(Speaker):
    """
    By HTTP/1.1.
    """

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self.peer = peer

    async def asks(self, path: bytes, *lines: bytes) -> None:
        """
        Begin.
        """
        self.peer.sends(
            b"GET %b HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n%b\r\n" % (path, KEY, b"".join(lines))
        )
        self.head = await self.peer.head()
        self.status = int(self.head[9:12])
        if self.status == 101:
            early = bytes(self.peer.data)
            self.peer.data.clear()
            self.peer.watch = self.hears
            self.hears(early)

    async def goes(self) -> None:
        """See L{Speaker}."""
        data = self.speaks()
        if data:
            self.peer.sends(data)

    async def until(self, condition: Any, what: str) -> None:
        """See L{Speaker}."""
        await self.peer.until(lambda: condition() or self.peer.isOver)
        assert condition(), what

    async def body(self) -> bytes:
        """
        That of an answer.
        """
        length = int(field(self.head, b"content-length"))
        return await self.peer.takes(length)

    def leaves(self) -> None:
        """
        Leave without a word.
        """
        self.peer.leaves()

    def breaks(self) -> None:
        """
        Break off.
        """
        self.peer.breaks()


class Second(Speaker):
    """
    By HTTP/2.
    """

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client
        self._heard = 0

    async def asks(self, path: bytes, *lines: bytes) -> None:
        """
        Begin.
        """
        fields = [line.decode().strip().lower().split(": ") for line in lines]
        self.stream = self.client.asks(
            path.decode(),
            *((":protocol", "websocket"), ("sec-websocket-version", "13")),
            *((name, value) for name, value in fields),
            method="CONNECT",
            isEnd=False,
        )
        self.answer = await self.client.begun(self.stream)
        self.status = 101 if self.answer.status == 200 else self.answer.status

    async def goes(self) -> None:
        """See L{Speaker}."""
        data = self.speaks()
        while data:
            size = min(self.client.room(self.stream), 16384, len(data))
            if size > 0:
                self.client.says(self.stream, data[:size])
                data = data[size:]
            else:
                await self.client.until(lambda: self.client.room(self.stream) > 0, "a window")

    async def until(self, condition: Any, what: str) -> None:
        """See L{Speaker}."""

        def looks() -> bool:
            body = bytes(self.answer.body)
            self.answer.body.clear()
            if body and self.status == 101:
                self.hears(body)
            return bool(condition())

        await self.client.until(looks, what)

    async def body(self) -> bytes:
        """
        That of an answer.
        """
        return bytes((await self.client.answer(self.stream)).body)

    def leaves(self) -> None:
        """
        Leave without a word.
        """
        self.client.line.end_stream(self.stream)
        self.client.flush()

    def breaks(self) -> None:
        """
        Break off.
        """
        self.client.resets(self.stream)


class DialogueTests(ApplicationTests):
    """
    L{smartproxy_tw.actions.dialogue.Dialogue}, by HTTP/1.1.
    """

    speaker: Any = First
    others: dict[str, Any] = {}
    _mayLog = False

    async def tearDown(self) -> None:
        """Everything has been logged that will be."""
        await super().tearDown()
        if self._mayLog:
            self.flushLoggedErrors(RuntimeError)

    async def talks(self, **settings: Any) -> int:
        """
        The port of the application.
        """
        port = await self.port()
        action = Application(f"{NAME}:talking", **settings)
        await self.use(Route("app", (port,), action, "http"), http2PriorKnowledge=True, **self.others)
        return port

    def mayLog(self) -> None:
        """
        What an application says too late is logged, unless the client has left before.
        """
        self._mayLog = True

    async def speaks(self, port: int, path: bytes, *lines: bytes) -> Any:
        """
        A client that has asked.
        """
        client = await self.client(port)
        speaker = First(client) if self.speaker is First else Second(Client(client))
        await speaker.asks(path, *lines)
        return speaker

    async def happens(self, *what: Any) -> None:
        """
        Wait until this has happened since it was asked.
        """
        await self.settles(lambda: samples.happened[2:] == list(what), f"{what} has happened")

    async def test_echo(self) -> None:
        """
        Messages go both ways, of either kind and of any size, and pings are answered; in the end the
        application knows the client's code and reason.
        """
        speaker = await self.speaks(await self.talks(), b"/echo")
        self.assertEqual(speaker.status, 101)
        for message in ("f\u00fcchse", "", b"\xff\0", b"", bytes(3 << 20), "x" * 70000):
            await speaker.says(message)
            kind, data = await speaker.hearing()
            self.assertEqual(kind, TEXT if isinstance(message, str) else BINARY)
            self.assertEqual(data, message.encode() if isinstance(message, str) else message)
        speaker.line.send_ping(b"there?")
        await speaker.goes()
        self.assertEqual(await speaker.hearing(), (PONG, b"there?"))
        await speaker.closes(4000, "done")
        self.assertEqual(await speaker.ended(), (4000, "done"))
        await self.happens((4000, "done"))

    async def test_handshake(self) -> None:
        """
        The application chooses among what the client offers, and adds fields.
        """
        speaker = await self.speaks(await self.talks(), b"/echo", b"Sec-WebSocket-Protocol: a, chat\r\n")
        self.assertEqual(speaker.status, 101)
        if self.speaker is First:
            self.assertIn(b"\r\nSec-WebSocket-Accept: %b\r\n" % acceptFor(KEY), speaker.head)
            found = {
                name: field(speaker.head, name.encode()).decode()
                for name in ("x-name", "sec-websocket-protocol")
            }
        else:
            found = speaker.answer.fields
            found.pop("date")
        self.assertEqual(found, {"x-name": "value", "sec-websocket-protocol": "chat"})

    async def test_scope(self) -> None:
        """
        The application knows what was asked.
        """
        speaker = await self.speaks(await self.talks(), b"/scoped?x=1", b"X-A: b\r\n")
        _, data = await speaker.hearing()
        told = ast.literal_eval(data.decode())
        self.assertEqual(told[:4], ("websocket", "ws", b"x=1", "127.0.0.1"))
        self.assertEqual(told[4:], ({"began": "yes"}, False, "a.test", ["host", "x-a"]))

    async def test_refuses(self) -> None:
        """
        An application may refuse, by 403 or by an answer of its own.
        """
        self.mayLog()
        port = await self.talks()
        speaker = await self.speaks(port, b"/closing")
        self.assertEqual((speaker.status, await speaker.body()), (403, b"403 Forbidden\n"))
        await self.settles(lambda: len(samples.happened) == 3, "it was told that it has said no")
        self.assertIn("is closed", samples.happened[2])
        speaker = await self.speaks(port, b"/answering")
        self.assertEqual(speaker.status, 401)
        if self.speaker is Second:
            self.assertEqual(await speaker.body(), b"who are you")
            self.assertEqual(speaker.answer.fields["www-authenticate"], "Basic")
        else:
            self.assertIn(b"\r\nwww-authenticate: Basic\r\n", speaker.head)
            await speaker.peer.expects(b"4\r\nwho \r\n7\r\nare you\r\n0\r\n\r\n")

    async def test_bugsBefore(self) -> None:
        """
        One that fails before it has accepted is 500, and logged.
        """
        port = await self.talks()
        for path in (
            b"/silent",
            b"/failing",
            b"/succeeding",
            b"/early",
            b"/inventing",
            b"/forging",
            b"/none",
        ):
            speaker = await self.speaks(port, path)
            if path == b"/none":
                self.assertEqual(await speaker.ended(), (1011, ""))
            else:
                self.assertEqual(speaker.status, 500, path)
            await self.settles(lambda: len(self.flushLoggedErrors()) == 1, "it is logged")

    async def test_bugsAfter(self) -> None:
        """
        One that fails after it has accepted closes with 1011, and one that just returns with 1000.
        """
        port = await self.talks()
        for path, code, errors in ((b"/fails", 1011, 1), (b"/exits", 1011, 1), (b"/returns", 1000, 0)):
            speaker = await self.speaks(port, path)
            self.assertEqual(await speaker.ended(), (code, ""), path)
            await self.settles(lambda n=errors: len(self.flushLoggedErrors()) == n, "it is logged")  # type: ignore[misc]
        self.assertEqual(speaker.frames[0], (TEXT, b"bye"))

    async def test_closes(self) -> None:
        """
        An application that closes is told when the client has agreed, and may say nothing more.
        """
        self.mayLog()
        self.world.isHurried = False
        speaker = await self.speaks(await self.talks(), b"/closes")
        self.assertEqual(await speaker.ended(), (4001, "enough"))
        await self.settles(lambda: len(samples.happened) == 4, "it was told")
        self.assertEqual(samples.happened[2], 4001)
        self.assertIn("is closed", samples.happened[3])

    async def test_errs(self) -> None:
        """
        What is no message is refused where it is made, and the WebSocket goes on.
        """
        speaker = await self.speaks(await self.talks(), b"/errs")
        self.assertEqual(await speaker.hearing(), (TEXT, b"alive"))
        await self.happens(
            *["ValueError"] * 4, "UnicodeEncodeError", *["ValueError"] * 2, *["RuntimeError"] * 2
        )

    async def test_leaves(self) -> None:
        """
        A client that leaves without a word, in either way, is 1006; who goes on receiving after that is
        stopped.
        """
        port = await self.talks()
        for leave in ("leaves", "breaks"):
            samples.happened[1:] = []
            speaker = await self.speaks(port, b"/echo")
            getattr(speaker, leave)()
            await self.happens((1006, ""))
        samples.happened[1:] = []
        speaker = await self.speaks(port, b"/stays")
        await speaker.closes()
        await self.happens("stays: there is nothing to receive after websocket.disconnect")

    async def test_goesOn(self) -> None:
        """
        An application that goes on when the client has left is cancelled after a while, one that has ended
        the WebSocket itself is not.
        """
        self.patch(asgi, "GRACE", 0.02)
        port = await self.talks()
        speaker = await self.speaks(port, b"/lingers")
        await speaker.closes()
        await speaker.ended()
        speaker.leaves()
        await self.happens("cancelled")
        samples.happened[1:] = []
        speaker = await self.speaks(port, b"/farewells")
        await speaker.ended()
        speaker.leaves()
        samples.go.set()
        await self.happens("done")

    async def test_flood(self) -> None:
        """
        One that sends more than the client takes waits, and learns by its next word that the client has
        left.
        """
        port = await self.talks()
        client = await self.client(port)
        speaker: Any
        if self.speaker is First:
            speaker = First(client)
            await speaker.asks(b"/floods")
            client.transport.pauseProducing()  # type: ignore[union-attr]
        else:
            speaker = Second(Client(client, isReading=False))
            await speaker.asks(b"/floods")
        before = -1
        while samples.Talk.sent != before:
            before = samples.Talk.sent
            await deferToThread(threading.Event().wait, 0.05)
        self.assertLess(before, 300)
        speaker.breaks()
        await self.happens("floods: the client has left")

    async def test_deaf(self) -> None:
        """
        What an application does not receive stays with the client, and arrives when it does.
        """
        port = await self.talks()
        speaker = await self.speaks(port, b"/deaf")
        engine = self.plane.engine
        message = bytes(40000)
        self.assertEqual(speaker.status, 101)
        for _ in range(3):
            await speaker.says(message)
        await self.settles(lambda: engine.hoard.held >= 80000, "it is kept, and counted")
        speaker.line.send_ping(b"")
        ping = speaker.speaks()
        if self.speaker is First:
            # By HTTP/2 there may be no window for it.
            speaker.peer.sends(ping)
        await turns(50)
        self.assertEqual(speaker.frames, [])
        samples.go.set()
        heard = [await speaker.hearing() for _ in range(3 + (self.speaker is First))]
        self.assertEqual([each for each in heard if each[0] is BINARY], [(BINARY, message)] * 3)
        await self.settles(lambda: engine.hoard.held == 0, "nothing is kept")

    async def test_tooLong(self) -> None:
        """
        A message may be as long as the body of a request: a longer one ends it with 1009.
        """
        speaker = await self.speaks(await self.talks(bodyBytes=1000), b"/echo")
        await speaker.says(bytes(1000))
        self.assertEqual(len((await speaker.hearing())[1]), 1000)
        await speaker.says(bytes(1001))
        self.assertEqual((await speaker.ended())[0], 1009)
        await self.settles(lambda: samples.happened[2:] and samples.happened[2][0] == 1009, "it is told")

    async def test_wrongFrames(self) -> None:
        """
        What is no frame ends it with 1002, and text that is none with 1007.
        """
        port = await self.talks()
        for data, code in ((b"\x81\x01x", 1002), (b"\x81\x81\0\0\0\0\xff", 1007)):
            speaker = await self.speaks(port, b"/echo")
            speaker.line.writes.append(data)
            await speaker.goes()
            self.assertEqual((await speaker.ended())[0], code)

    async def test_held(self) -> None:
        """
        What all clients have sent together is bounded: whose message does not find room is told to try
        again later.
        """
        self.patch(self, "others", {"limits": Limits(heldBytes=50000)})
        speaker = await self.speaks(await self.talks(), b"/echo")
        await speaker.says(bytes(30000))
        await speaker.hearing()
        await speaker.says(bytes(60000))
        self.assertEqual((await speaker.ended())[0], 1013)
        await self.settles(lambda: self.plane.engine.hoard.held == 0, "nothing is kept")

    async def test_slowToAccept(self) -> None:
        """
        One that neither accepts nor refuses is given up after timeouts.idle, and told.
        """
        port = await self.talks()
        client = await self.client(port)
        speaker = First(client) if self.speaker is First else Second(Client(client))
        asking: Any = speaker.asks(b"/waiting")
        from twisted.internet.defer import ensureDeferred

        asked = ensureDeferred(asking)
        await self.settles(lambda: len(samples.happened) == 2, "it was asked")
        self.world.advance(301)
        await self.swept()
        await asked
        self.assertEqual(speaker.status, 504)
        await self.settles(lambda: len(samples.happened) == 3, "it was told")
        self.assertEqual(samples.happened[2]["code"], 1006)

    async def test_busy(self) -> None:
        """
        Those that have not been accepted count among the requests under way; those that have do not, as
        long as they last.
        """
        port = await self.talks(threads=1, queue=0)
        speakers = [await self.speaks(port, b"/echo") for _ in range(3)]
        self.assertEqual([each.status for each in speakers], [101] * 3)
        client = await self.client(port)
        client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        self.assertIn(b"200 OK", (await client.message())[0])
        for each in speakers:
            await each.closes()
            await each.ended()
            each.leaves()
        await self.settles(lambda: len(samples.happened) == 7, "they have ended")
        (running,) = self.plane._applications.running.values()
        await self.settles(lambda: running._busy == 0, "nothing is under way")  # type: ignore[attr-defined]
        speaker = await self.speaks(port, b"/echo")
        self.assertEqual(speaker.status, 101)

    async def test_reload(self) -> None:
        """
        When no route names the application any more both sides are told that it ends.
        """
        port = await self.talks()
        speaker = await self.speaks(port, b"/echo")
        await self.use(Route("app", (port,), Application(f"{NAME}:bare"), "http"), http2PriorKnowledge=True)
        self.assertEqual(await speaker.ended(), (1012, ""))
        await self.settles(lambda: "shutdown" in samples.happened, "it has ended")
        self.assertIn((1012, ""), samples.happened)

    async def test_ourBug(self) -> None:
        """
        A bug on the way to the client ends that WebSocket, and nothing else.
        """
        port = await self.talks()
        other = await self.speaks(port, b"/echo")
        speaker = await self.speaks(port, b"/echo")

        def bug(socket: Any, message: Any) -> None:
            raise RuntimeError("a bug of ours")

        patched = self.patch(WebSocket, "send", bug)
        await speaker.says("x")
        await self.settles(lambda: (1006, "") in samples.happened, "it is told")
        patched.restore()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        await other.says("still here")
        self.assertEqual(await other.hearing(), (TEXT, b"still here"))

    async def test_missing(self) -> None:
        """
        Without the library it is answered with 501, and the log says once what is missing.
        """
        real = util.find_spec
        self.patch(asgi, "find_spec", lambda name: None if name == "websockets" else real(name))
        port = await self.talks()
        with capturedLogs() as events:
            for _ in range(2):
                self.assertEqual((await self.speaks(port, b"/echo")).status, 501)
        told = [formatEvent(each) for each in events if "websockets" in str(each.get("log_format"))]
        self.assertEqual(len(told), 1)
        self.assertIn("talking was asked to speak WebSocket, which needs the library websockets", told[0])


class SecondDialogueTests(DialogueTests):
    """
    The same by HTTP/2.
    """

    speaker = Second


class HandshakeTests(ApplicationTests):
    """
    What is no handshake.
    """

    async def test_refused(self) -> None:
        """
        A request that asks for WebSocket and is no opening handshake is refused, also where the route
        does not say so.
        """
        port = await self.begin("talking")
        client = await self.client(port)
        for lines, status in (
            (b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n", b"400"),
            (b"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: %b\r\n" % KEY, b"400"),
            (b"Sec-WebSocket-Version: 13\r\n", b"400"),
        ):
            client.sends(
                b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%b\r\n"
                % lines
            )
            head, _ = await client.message()
            self.assertEqual(head[9:12], status)
        client.sends(b"GET / HTTP/1.1\r\nHost: a.test\r\nSec-WebSocket-Key: %b\r\n\r\n" % KEY)
        self.assertEqual((await client.message())[1], b"no WebSocket")

    async def test_secure(self) -> None:
        """
        By TLS it is wss.
        """
        port = await self.begin("talking", TERMINATE)
        speaker = First(await self.tls(port))
        await speaker.asks(b"/scoped")
        self.assertEqual(speaker.status, 101)
        self.assertIn(b"'wss'", (await speaker.hearing())[1])
        second = Second(Client(await self.tls(port, alpn=(b"h2",))))
        await second.asks(b"/scoped")
        self.assertEqual(second.status, 101)
        self.assertIn(b"'wss'", (await second.hearing())[1])


class SubprotocolTests(SynchronousTestCase):
    """
    L{subprotocols}.
    """

    def test_offered(self) -> None:
        """
        In their order, over several fields; empty ones are none.
        """
        exchange = RecordingExchange.to("a.test", "/")
        for values, wanted in (
            ((), ()),
            (("",), ()),
            (("a, b", "c"), ("a", "b", "c")),
            ((" a ,,b ",), ("a", "b")),
        ):
            fields = tuple(("sec-websocket-protocol", value) for value in values)
            self.assertEqual(subprotocols(Asked(exchange, exchange.facts(), fields, b"")), wanted)
