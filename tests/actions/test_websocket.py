"""
Tests for L{smartproxy_tw.actions.websocket}.
"""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side
from zope.interface.verify import verifyClass

from smartproxy_tw.actions.websocket import LOST, WebSocket, checkClose

from ..examples import anyText, examples

TEXT, BINARY, CONT = Opcode.TEXT, Opcode.BINARY, Opcode.CONT
CLOSE, PING, PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG


def frame(opcode: Opcode, data: bytes = b"", isLast: bool = True) -> bytes:
    """
    A frame of a client, which is checked for nothing.
    """
    size = len(data)
    length = bytes((0x80 | size,)) if size < 126 else struct.pack("!BQ", 0xFF, size)
    return bytes((0x80 * isLast | opcode,)) + length + b"\0\0\0\0" + data


def closing(code: int, reason: bytes = b"") -> bytes:
    """
    A client's word for the end.
    """
    return frame(CLOSE, struct.pack("!H", code) + reason)


class Transport(StringTransport):
    """
    Knows how much is kept.

    @ivar held: So much, now.
    @ivar room: So much may be.
    @ivar most: So much was at most.
    """

    held = most = 0
    room = 1 << 30

    def hold(self, size: int) -> bool:
        """
        See L{Served.hold<smartproxy_tw.plane.served.Served.hold>}.
        """
        if size > self.room:
            return False
        self.held = size
        self.most = max(self.most, size)
        return True

    def abortConnection(self) -> None:
        """
        The protocol is told, as by a real one.
        """
        super().abortConnection()
        assert self.protocol is not None
        self.protocol.connectionLost(Failure(ConnectionLost()))  # type: ignore[no-untyped-call]


class Conversation:
    """
    A WebSocket, its transport and who listens.

    @ivar heard: The messages.
    @ivar ends: How it has ended, each time.
    """

    def __init__(self, most: int = 1000) -> None:
        self.clock = Clock()
        self.heard: list[str | bytes] = []
        self.ends: list[tuple[int, str]] = []
        self.socket = WebSocket(self.clock, self, most)
        self.transport = Transport()
        self.transport.protocol = self.socket
        self.socket.makeConnection(self.transport)

    def received(self, message: str | bytes) -> None:
        """Keep it."""
        self.heard.append(message)

    def closed(self, code: int, reason: str) -> None:
        """Keep it."""
        self.ends.append((code, reason))

    def says(self, *pieces: bytes) -> Conversation:
        """
        The client says something.
        """
        for piece in pieces:
            self.socket.dataReceived(piece)
        return self

    def said(self) -> list[tuple[Any, bytes]]:
        """
        What was said to the client since: frames, with their data.
        """
        client = Protocol(Side.CLIENT, max_size=None)
        client.receive_data(self.transport.value())
        self.transport.clear()
        assert client.parser_exc is None
        return [
            (each.opcode, bytes(each.data)) for each in client.events_received() if isinstance(each, Frame)
        ]


class WebSocketTests(SynchronousTestCase):
    """
    L{WebSocket}.
    """

    def test_interface(self) -> None:
        """
        It feeds its transport.
        """
        verifyClass(IPushProducer, WebSocket)

    def test_messages(self) -> None:
        """
        Messages are text or bytes, empty ones among them, and those in fragments are one, whatever is
        asked between these.
        """
        talk = Conversation()
        talk.says(frame(TEXT, "f\u00fcchse".encode()), frame(BINARY, b"\xff\0"), frame(TEXT), frame(BINARY))
        talk.says(
            frame(TEXT, b"\xc3", False), frame(PING, b"?"), frame(CONT, b"", False), frame(CONT, b"\xbc")
        )
        self.assertEqual(talk.heard, ["f\u00fcchse", b"\xff\0", "", b"", "\u00fc"])
        self.assertEqual((talk.said(), talk.ends), ([(PONG, b"?")], []))

    def test_sends(self) -> None:
        """
        Text and bytes go out as such.
        """
        talk = Conversation()
        talk.socket.send("f\u00fcchse")
        talk.socket.send(b"\xff")
        self.assertRaises(UnicodeEncodeError, talk.socket.send, "\ud800")
        self.assertEqual(talk.said(), [(TEXT, "f\u00fcchse".encode()), (BINARY, b"\xff")])

    def test_anySplit(self) -> None:
        """
        Wherever what the client says is cut, and byte by byte, it is the same.
        """
        data = (
            frame(TEXT, b"one")
            + frame(BINARY, bytes(200))
            + frame(TEXT, b"\xe2\x82", False)
            + frame(PING, b"p")
            + frame(CONT, b"\xac")
            + closing(4000, b"bye")
        )
        whole = Conversation().says(data)
        wanted = (whole.heard, whole.ends, whole.said())
        self.assertEqual(wanted[0], ["one", bytes(200), "\u20ac"])
        self.assertEqual(wanted[1], [(4000, "bye")])
        cuts = [[data[:at], data[at:]] for at in range(1, len(data))]
        for pieces in (*cuts, [bytes((each,)) for each in data]):
            talk = Conversation().says(*pieces)
            self.assertEqual((talk.heard, talk.ends, talk.said()), wanted)

    def test_wrong(self) -> None:
        """
        What breaks a rule ends it with the code for that, once, and nothing that follows is heard; the
        transport is closed when the word for it has gone.
        """
        unmasked = b"\x81\x01x"
        for code, data in (
            (1002, unmasked),
            (1002, b"\xc1\x80\0\0\0\0"),
            (1002, frame(CONT, b"x")),
            (1002, frame(TEXT, b"x", False) + frame(TEXT, b"y")),
            (1002, frame(PING, b"x", False)),
            (1002, frame(PING, bytes(126))),
            (1002, frame(CLOSE, b"x")),
            (1002, closing(1005)),
            (1002, closing(999)),
            (1002, b"\x83\x80\0\0\0\0"),
            (1007, frame(TEXT, b"\xff")),
            (1007, frame(TEXT, b"\xed\xa0\x80")),
            (1007, frame(TEXT, b"\xe2\x82", False) + frame(CONT, b"x")),
            (1007, frame(TEXT, b"\xe2\x82")),
            (1007, closing(1000, b"\xff")),
            (1009, frame(BINARY, bytes(1001))),
            (1009, frame(BINARY, bytes(600), False) + frame(CONT, bytes(401))),
            (1009, b"\x82\xff\x7f" + bytes(7)),
        ):
            talk = Conversation().says(data, frame(TEXT, b"never heard"))
            self.assertEqual([end for end, _ in talk.ends], [code], data)
            (opcode, word), *_ = said = talk.said()
            self.assertEqual((opcode, word[:2], len(said)), (CLOSE, struct.pack("!H", code), 1), data)
            self.assertEqual((talk.heard, talk.transport.disconnecting), ([], True))
            self.assertEqual((talk.transport.held, talk.clock.getDelayedCalls()), (0, []))

    def test_largest(self) -> None:
        """
        As long as it may be, in one piece or in fragments, is not too long, also with a ping in the midst.
        """
        talk = Conversation().says(frame(BINARY, bytes(1000)))
        talk.says(frame(BINARY, bytes(999), False), frame(PING, bytes(125)), frame(CONT, b"\0"))
        self.assertEqual(talk.heard, [bytes(1000)] * 2)

    def test_clientCloses(self) -> None:
        """
        The end of the client is agreed to with its own code; nothing is sent after that.
        """
        for data, code, reason, word in (
            (closing(1000, b"done"), 1000, "done", b"\x03\xe8done"),
            (frame(CLOSE), 1005, "", b""),
        ):
            talk = Conversation().says(data + frame(TEXT, b"never heard"))
            talk.socket.send("never sent")
            talk.socket.close(1000, "never said")
            self.assertEqual((talk.said(), talk.ends), ([(CLOSE, word)], [(code, reason)]))
            self.assertTrue(talk.transport.disconnecting)
            talk.socket.connectionLost(Failure(ConnectionLost()))  # type: ignore[no-untyped-call]
            self.assertEqual(len(talk.ends), 1)

    def test_closes(self) -> None:
        """
        The client has a moment to agree to the end; what it says before that nobody hears.
        """
        talk = Conversation().says(frame(TEXT, b"half", False))
        talk.socket.close(3000, "bye")
        talk.socket.close(3001, "never said")
        talk.socket.send("never sent")
        self.assertEqual(talk.said(), [(CLOSE, b"\x0b\xb8bye")])
        talk.says(frame(CONT, b"never heard"), frame(TEXT, b"nor this"))
        self.assertEqual((talk.heard, talk.ends, talk.transport.disconnecting), ([], [], False))
        talk.says(closing(3000, b"bye"))
        self.assertEqual((talk.ends, talk.transport.disconnecting), ([(3000, "bye")], True))
        self.assertEqual(talk.clock.getDelayedCalls(), [])

    def test_clientDoesNotAgree(self) -> None:
        """
        One that does not agree in time is left.
        """
        talk = Conversation()
        talk.socket.close()
        talk.clock.advance(4.9)
        self.assertFalse(talk.transport.disconnecting)
        talk.clock.advance(0.2)
        self.assertTrue(talk.transport.disconnecting)
        talk.socket.connectionLost(Failure(ConnectionLost()))  # type: ignore[no-untyped-call]
        self.assertEqual(talk.ends, [(LOST, "")])

    def test_lost(self) -> None:
        """
        A connection that ends without a word, also in the middle of a message.
        """
        talk = Conversation().says(frame(TEXT, bytes(500))[:300])
        talk.socket.close()
        talk.socket.connectionLost(Failure(ConnectionLost()))  # type: ignore[no-untyped-call]
        self.assertEqual((talk.ends, talk.transport.held), ([(LOST, "")], 0))
        self.assertEqual(talk.clock.getDelayedCalls(), [])

    def test_aborted(self) -> None:
        """
        It may be broken off, and has ended without a word then; one that has not begun is none.
        """
        talk = Conversation()
        talk.socket.abort()
        self.assertEqual((talk.transport.disconnected, talk.ends, talk.said()), (True, [(LOST, "")], []))
        WebSocket(talk.clock, talk, 1).abort()

    def test_codes(self) -> None:
        """
        What may not be sent is refused before anything is.
        """
        talk = Conversation()
        for code, reason in (
            *((code, "") for code in (0, 999, 1004, 1005, 1006, 1015, 1999, 2999, 5000, 1 << 16, None)),
            (1000, "x" * 124),
            (1000, "\u20ac" * 42),
            (1000, "\ud800"),
        ):
            self.assertRaises(ValueError, talk.socket.close, code, reason)
        self.assertEqual(talk.said(), [])
        for code in (1000, 1001, 1011, 1012, 1013, 3000, 4999):
            checkClose(code, "x" * 123)

    def test_slowClient(self) -> None:
        """
        Who sends is told when the client takes more, or never will; it is listened to meanwhile.
        """
        talk = Conversation()
        told: list[str] = []
        talk.socket.whenTaking(lambda: told.append("at once"))
        talk.socket.pauseProducing()
        talk.socket.whenTaking(lambda: told.append("first"))
        talk.socket.whenTaking(lambda: told.append("second"))
        talk.says(frame(TEXT, b"heard"))
        self.assertEqual((told, talk.heard), (["at once"], ["heard"]))
        talk.socket.resumeProducing()
        self.assertEqual(told, ["at once", "first", "second"])
        talk.socket.pauseProducing()
        talk.socket.whenTaking(lambda: told.append("third"))
        talk.socket.connectionLost(Failure(ConnectionLost()))  # type: ignore[no-untyped-call]
        talk.socket.whenTaking(lambda: told.append("fourth"))
        self.assertEqual(told[3:], ["third", "fourth"])

    def test_pesters(self) -> None:
        """
        One that pings and takes no answer is not read until it does.
        """
        talk = Conversation()
        talk.socket.pauseProducing()
        for number in range(100):
            talk.says(frame(PING, b"%d" % number) * 200)
        self.assertEqual(talk.transport.producerState, "paused")
        self.assertLess(len(talk.said()), 2000)
        talk.socket.resumeProducing()
        talk.clock.pump([0.01] * 100)
        self.assertEqual(talk.transport.producerState, "producing")
        self.assertEqual(talk.said()[-1], (PONG, b"99"))

    def test_pause(self) -> None:
        """
        A listener that wants no more for now gets no more than what is being looked at, and all of it in
        order later, also when it changes its mind in the middle of a message.
        """
        talk = Conversation()
        talk.socket.pause()
        self.assertEqual(talk.transport.producerState, "paused")
        talk.says(*(frame(TEXT, b"%d" % number) for number in range(1000)))
        self.assertEqual(talk.heard, [])
        keep = talk.received

        def received(message: str | bytes) -> None:
            keep(message)
            talk.socket.pause()
            talk.socket.resume()

        self.patch(talk, "received", received)
        talk.socket.resume()
        talk.clock.pump([0.01] * 100)
        self.assertEqual(talk.heard, [str(number) for number in range(1000)])
        self.assertEqual(talk.transport.producerState, "producing")

    def test_turns(self) -> None:
        """
        Many small frames that come at once are looked at in turns.
        """
        talk = Conversation()
        talk.says(frame(TEXT, b"x") * 9000)
        self.assertLess(len(talk.heard), 2000)
        self.assertEqual(talk.transport.producerState, "paused")
        talk.clock.pump([0.01] * 100)
        self.assertEqual((len(talk.heard), talk.transport.producerState), (9000, "producing"))
        talk.says(frame(TEXT, b"x") * 9000)
        talk.socket.connectionLost(Failure(ConnectionLost()))  # type: ignore[no-untyped-call]
        self.assertEqual(talk.clock.getDelayedCalls(), [])

    def test_held(self) -> None:
        """
        What is kept is counted: of a message that has not come whole, and what the listener keeps; where
        there is no room it ends with 1013.
        """
        talk = Conversation(100000)
        talk.says(frame(BINARY, bytes(30000), False), frame(CONT, bytes(30000))[:20000])
        self.assertTrue(49000 < talk.transport.held < 51000, talk.transport.held)
        talk.says(frame(CONT, bytes(30000))[20000:])
        self.assertEqual((talk.transport.held, len(talk.heard[0])), (0, 60000))
        talk.socket.keep(60000)
        self.assertEqual(talk.transport.held, 60000)
        talk.socket.keep(0)
        talk.transport.room = 20000
        talk.says(frame(BINARY, bytes(30000))[:25000])
        self.assertEqual((talk.ends[0][0], talk.transport.held), (1013, 0))
        self.assertEqual(talk.said()[0][1][:2], struct.pack("!H", 1013))

    def test_emptyFragments(self) -> None:
        """
        Fragments without anything in them take no room.
        """
        talk = Conversation().says(frame(TEXT, b"", False))
        for _ in range(100):
            talk.says(frame(CONT, b"", False) * 200)
            talk.clock.pump([0.01] * 20)
        talk.says(frame(CONT, b"x"))
        self.assertEqual((talk.heard, talk.transport.most), (["x"], 0))

    @examples()
    @given(st.lists(st.binary(max_size=40), max_size=8))
    def test_anything(self, pieces: list[bytes]) -> None:
        """
        Whatever comes, nothing is raised, and it ends once at most, with one word.
        """
        talk = Conversation().says(*pieces)
        self.assertLessEqual(len(talk.ends), 1)
        self.assertLessEqual(sum(opcode is CLOSE for opcode, _ in talk.said()), 1)

    @examples()
    @given(st.lists(st.one_of(anyText(60), st.binary(max_size=300)), max_size=6), st.data())
    def test_anyMessages(self, messages: list[str | bytes], data: Any) -> None:
        """
        Whatever a client of the library says, in whatever fragments and pieces, is heard.
        """
        client = Protocol(Side.CLIENT)
        for message in messages:
            payload = message.encode() if isinstance(message, str) else message
            at = data.draw(st.integers(0, len(payload)))
            isWhole = data.draw(st.booleans())
            first = payload if isWhole else payload[:at]
            if isinstance(message, str):
                client.send_text(first, fin=isWhole)
            else:
                client.send_binary(first, fin=isWhole)
            if not isWhole:
                client.send_continuation(payload[at:], fin=True)
        said = b"".join(client.data_to_send())
        at = data.draw(st.integers(0, len(said)))
        talk = Conversation(5000).says(said[:at], said[at:])
        self.assertEqual((talk.heard, talk.ends), (messages, []))
