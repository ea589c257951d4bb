"""
One side of a WebSocket (RFC 6455), the server's, once the handshake is over: a protocol of Twisted's that
turns bytes into messages, and messages into bytes.

The library C{websockets} knows the rules of frames; here is what it leaves to others: messages are put
together from their fragments and bounded, text has to be UTF-8, and nothing is read that nobody takes.  What
is kept is counted with the transport (C{hold}) where that can count.  Pings are answered, and a client that
sends many small frames lets others have their turn.  No extension is spoken, least of all
compression: what is small on the wire stays small here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet import protocol
from twisted.internet.interfaces import IPushProducer
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Protocol as Frames
from websockets.protocol import Side, State
from zope.interface import implementer

from ..guards.sockets import objection

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from ..interfaces import IExchange

__all__ = ["LOST", "Listener", "WebSocket", "accept", "checkClose"]

#: The code of a WebSocket that has ended without a word (RFC 6455 section 7.1.5).
LOST = 1006
# So long may the other side take to agree to the end, in seconds.
_FAREWELL = 5.0
# So many bytes are looked at before others may have their turn, and have it when there were so many frames in
# them: a frame of six bytes costs some microseconds.
_SLICE = 8192
_FRAMES = 64
# RFC 6455 section 5.5: a control frame may come in the middle of a message, and is no part of it, in bytes.
_CONTROL = 125
# Less than this is not worth counting, in bytes.
_LITTLE = 4096


class Listener(Protocol):
    """
    Who is told what the client says.
    """

    def received(self, message: str | bytes) -> None:
        """
        A whole message.
        """

    def closed(self, code: int, reason: str) -> None:
        """
        Called once: nothing more comes, and nothing more is sent.

        @param code: That of the client; of what it did wrong; or L{LOST}.
        """


def accept(exchange: IExchange, socket: WebSocket, fields: bytes = b"") -> None:
    """
    Agree to speak WebSocket, or answer what is no opening handshake of one with 400.

    @param exchange: Not answered yet; it ends when the WebSocket does.
    @param socket: Speaks it; its listener is told nothing if there is none.
    @param fields: Further header lines, Sec-WebSocket-Protocol among them.
    """
    facts = exchange.facts()
    lines = exchange.fields()
    isAsked = facts.changesTo == "websocket"
    wrong = objection(facts.method, lambda name: [value for each, value in lines if each == name and isAsked])
    if wrong is None:
        exchange.accept(fields, _One(socket))
    else:
        exchange.respond(wrong.status, wrong.fields, wrong.body)


def checkClose(code: int, reason: str) -> None:
    """
    May a WebSocket be closed with this?

    @raise ValueError: The code is none that is sent (RFC 6455 section 7.4), or the reason is longer than
        123 bytes of UTF-8.
    """
    try:
        Frame(Opcode.CLOSE, Close(code, reason).serialize()).check()
    except Exception as why:
        raise ValueError(f"a WebSocket is not closed with {code!r} and {reason!r}: {why}") from why


@implementer(IPushProducer)
class WebSocket(protocol.Protocol):
    """
    One of them.  Everything is called on the reactor.

    @ivar isTaking: Whether more may be sent now.  What is sent nevertheless is kept.
    """

    def __init__(self, reactor: Any, listener: Listener, most: int) -> None:
        """
        @param reactor: For delays.
        @param most: So long may a message be, in bytes; a longer one ends it with 1009.
        """
        self._reactor = reactor
        self._listener = listener
        self._most = most
        self._frames = Frames(Side.SERVER, max_size=most + _CONTROL)
        self._hold: Callable[[int], bool] = _always
        self._early = b""
        self._message = bytearray()
        self._isText = False
        self._kept = self._counted = 0
        self._isPaused = self._isPestered = self._isReading = self._isOver = False
        self._waiting: list[Callable[[], None]] = []
        self._turn: Any = None
        self._farewell: Any = None
        self.isTaking = True

    # What the listener says.

    def send(self, message: str | bytes) -> None:
        """
        Send a message; nothing is sent any more after the end has begun.

        @raise UnicodeEncodeError: The text has half of a surrogate pair in it.
        """
        data = message.encode() if isinstance(message, str) else message
        if self._isOver or self._frames.state is not State.OPEN:
            return
        if isinstance(message, str):
            self._frames.send_text(data)
        else:
            self._frames.send_binary(data)
        self._write()

    def whenTaking(self, then: Callable[[], None]) -> None:
        """
        Call this once, as soon as C{isTaking} is true, or it is over.
        """
        if self.isTaking or self._isOver:
            then()
        else:
            self._waiting.append(then)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """
        Begin the end: what was sent before arrives, and the client has a moment to agree.

        @raise ValueError: See L{checkClose}.
        """
        checkClose(code, reason)
        if self._isOver or self._frames.state is not State.OPEN:
            return
        self._frames.send_close(code, reason)
        # What has come of a message is nobody's.
        self._message.clear()
        self._farewell = self._reactor.callLater(_FAREWELL, self._finish)
        self._write()
        self.resume()

    def abort(self) -> None:
        """
        Break it off without a word, if it has begun.
        """
        if self.transport is not None:
            self._transport.abortConnection()

    def keep(self, size: int) -> None:
        """
        Count what the listener keeps of messages beside what is kept here.

        @param size: In all, in bytes.
        """
        self._kept = size
        self._count()

    def pause(self) -> None:
        """
        Read no more.  Pings are not answered then either.
        """
        if not (self._isPaused or self._isOver or self._frames.state is not State.OPEN):
            self._isPaused = True
            self._transport.pauseProducing()

    def resume(self) -> None:
        """
        Read again.
        """
        if self._isPaused and not self._isOver:
            self._isPaused = False
            self._read()

    # What the transport says.

    @property
    def _transport(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        """
        See C{IProtocol}.
        """
        self._hold = getattr(self._transport, "hold", _always)
        self._transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """
        See C{IProtocol}.
        """
        self._early += data
        self._read()

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        """
        See C{IProtocol}.
        """
        self._end(LOST, "")

    def pauseProducing(self) -> None:
        """
        See C{IPushProducer}: the client takes nothing more for now.
        """
        self.isTaking = False

    def resumeProducing(self) -> None:
        """
        See C{IPushProducer}.
        """
        self.isTaking = True
        self._isPestered = False
        self._taken()
        self._read()

    def stopProducing(self) -> None:
        """
        See C{IPushProducer}: L{connectionLost} follows.
        """

    # Reading.

    @property
    def _mayRead(self) -> bool:
        return not (self._isPaused or self._isPestered or self._isOver) and self._turn is None

    def _read(self) -> None:
        """
        Look at what has come, while somebody takes it.
        """
        if self._isReading:
            # Somebody who was told of a message has made room for the next one.
            return
        self._isReading = True
        while self._early and self._mayRead:
            piece, self._early = self._early[:_SLICE], self._early[_SLICE:]
            if self._look(piece) > _FRAMES and self._early:
                self._turn = self._reactor.callLater(0, self._takeTurn)
        self._isReading = False
        if self._isOver:
            self._early = b""
            return
        self._count()
        if self._early:
            self._transport.pauseProducing()
        elif self._mayRead:
            self._transport.resumeProducing()

    def _takeTurn(self) -> None:
        self._turn = None
        self._read()

    def _look(self, piece: bytes) -> int:
        """
        Read some bytes.

        @return: How many frames that were.
        """
        frames = self._frames
        isOpen = frames.state is State.OPEN
        frames.receive_data(piece)
        found = frames.events_received()
        for frame in found:
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.CLOSE:
                received = frames.close_rcvd
                assert received is not None
                self._write()
                self._end(int(received.code), received.reason)
                return len(found)
            # After the end has begun nobody wants to know what else there was.
            if frame.opcode is Opcode.PING:
                # Answers are not heaped up for who does not take them.
                self._isPestered = not self.isTaking
            elif isOpen and not self._isOver and frame.opcode is not Opcode.PONG:
                self._fragment(frame)
        self._write()
        if frames.parser_exc is not None and not self._isOver:
            sent = frames.close_sent
            self._end(LOST if sent is None else int(sent.code), "" if sent is None else sent.reason)
        return len(found)

    def _fragment(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._isText = frame.opcode is Opcode.TEXT
        message = self._message
        message += frame.data
        if len(message) > self._most:
            self._fail(CloseCode.MESSAGE_TOO_BIG, f"longer than {self._most} bytes")
            return
        if not frame.fin:
            return
        data = bytes(message)
        message.clear()
        if not self._isText:
            self._listener.received(data)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "text that is no UTF-8")
            return
        self._listener.received(text)

    def _count(self) -> None:
        """
        Count what is kept; where there is no room for it, it is not.
        """
        size = len(self._early) + len(self._message) + len(self._frames.reader.buffer) + self._kept
        size = 0 if self._isOver or size < _LITTLE else size
        if size != self._counted:
            if self._hold(size):
                self._counted = size
            else:
                self._fail(CloseCode.TRY_AGAIN_LATER, "too much is kept already")

    # Ending.

    def _fail(self, code: int, reason: str) -> None:
        """
        RFC 6455 section 7.1.7.
        """
        self._frames.fail(code, reason)
        self._write()
        self._end(code, reason)

    def _write(self) -> None:
        pieces = self._frames.data_to_send()
        data = b"".join(pieces)
        if data:
            self._transport.write(data)
        # An empty piece stands for the end.
        if b"" in pieces:
            self._finish()

    def _finish(self) -> None:
        """
        Nothing more is said.
        """
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def _end(self, code: int, reason: str) -> None:
        if self._isOver:
            return
        self._isOver = True
        self._early = b""
        self._message.clear()
        for call in (self._turn, self._farewell):
            if call is not None and call.active():
                call.cancel()
        self._hold(0)
        self._taken()
        self._listener.closed(code, reason)

    def _taken(self) -> None:
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()


class _One(protocol.Factory):
    """
    Has one protocol.
    """

    noisy = False

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    def buildProtocol(self, addr: Any) -> WebSocket:
        """
        That one.
        """
        return self._socket


def _always(size: int) -> bool:
    return True
