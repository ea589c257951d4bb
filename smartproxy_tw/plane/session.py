"""
A session is a client connection that speaks HTTP/1.

It reads one head at a time, has it routed, and makes an exchange of it.  While
the exchange is under way it reads no further than the end of that request's
body, so pipelined requests wait in the kernel and are answered in order.
Everything that was refused is answered before the connection closes, and the
close lingers (L{Lingering<smartproxy_tw.plane.lingering.Lingering>}).

One deadline at a time governs it: the head's (absolute), an exchange's (moved by
progress in either direction), or that of waiting for the next request.  While the
client has not taken what was written to it, none of these holds: then it has a pace
to keep (L{Pace<smartproxy_tw.plane.pace.Pace>}), which begins when this has lasted for
a second, so that those who are just not the fastest cost nothing.

This is hot.  A head that was seen before, byte for byte, is not parsed again:
the door keeps a bounded memo of what heads without cookies and credentials came
to (clients that keep a connection alive mostly repeat themselves).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.frames import PREFACE
from ..wire.http1 import BadMessage
from .alerts import ALERT_UNKNOWN_NAME
from .answers import plainAnswer, statusLine
from .exchange import Exchange
from .forwarding import plainMarks
from .lingering import Lingering
from .outlet import Outlet, PlainOutlet
from .pace import Pace, taken
from .poller import BROKEN, ENDED, READABLE, WRITABLE
from .served import Served
from .tunnel import Tunnel
from .wires import READ

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IProtocolFactory

    from ..facts import AnswerHead, ConnectionFacts
    from ..wire.http1 import Response
    from .door import Door, Prepared
    from .spell import Spell
    from .wires import Wire

__all__ = ["Session"]

# How a TLS record begins that has a ClientHello, and the type of that message (RFC 8446 sections 5.1 and 4).
_HANDSHAKE = b"\x16\x03"
_CLIENT_HELLO = b"\x01"

# What a connection of HTTP/2 begins with, so far as it is a head of HTTP/1.
_BEGINS_HTTP2 = PREFACE[:18]

# The life of a session.
_READING, _ANSWERING, _CLOSING, _GONE = range(4)

# Pipelined requests answered at a time before others have their turn.
_ROUNDS = 16
# An answer is looked after when it could not be sent for so long, in seconds.
_LOOK = 1.0


class Session:
    """
    @ivar door: Where it came in.
    @ivar wire: The client's connection; owned.
    @ivar connection: What is known of it.
    @ivar buffer: What was read and not used.
    @ivar isHot: Whether there may be something to read for which no event will
        come.
    @ivar marks: The forwarding fields that are the same for each request;
        empty until they were needed, and with a trusted peer.
    @ivar deadline: For the poller.
    """

    isFramed = False
    __slots__ = (
        "_exchange",
        "_idle",
        "_isHungry",
        "_isLooping",
        "_mayHand",
        "_reading",
        "_state",
        "buffer",
        "connection",
        "deadline",
        "door",
        "isHot",
        "marks",
        "wire",
    )

    def __init__(
        self, door: Door, wire: Wire, connection: ConnectionFacts, early: bytes = b"", isHot: bool = True
    ) -> None:
        """
        Take over a wire that is registered with the poller, and read.

        @param early: What was read of it already.
        @param isHot: See above.
        """
        self.door = door
        self.wire = wire
        self.connection = connection
        self.buffer = early
        self.isHot = isHot
        self.marks = b""
        self._isHungry = not early
        self._isLooping = False
        self._state = _READING
        self._exchange: Exchange | None = None
        self._reading: Pace | None = None
        engine = door.engine
        # Nothing but the first words can be those of HTTP/2.
        self._mayHand = engine.takesFrames and not connection.isTLS
        self._idle = engine.timeouts.idle
        self.deadline = engine.poller.now + engine.timeouts.head
        engine.enter(self)
        engine.poller.handlers[wire.fd] = self.ready
        self.pump()

    # What the poller says.

    def ready(self, event: int) -> None:
        """
        Something has come, or can be sent.
        """
        if event & READABLE:
            self.isHot = True
            if event & ENDED:
                self.wire.isEnding = True
            if event & BROKEN and self._exchange is not None:
                self._exchange.lookForReset()
        wire = self.wire
        if wire.pending:
            if wire.flush():
                self._flushed()
            elif event & WRITABLE:
                self.progress()
        if self.isHot or self.buffer:
            self.pump()

    def pump(self) -> None:
        """
        Go on with whatever there is to read for.
        """
        state = self._state
        if state is _READING:
            if not self.wire.pending:
                self._readHeads()
        elif state is _ANSWERING:
            exchange = self._exchange
            if exchange is not None and exchange.left:
                exchange.upload()

    def expire(self) -> None:
        """
        The deadline has passed.
        """
        if self.wire.pending:
            self._watch()
        elif self._exchange is not None:
            self._exchange.stalled()
        elif self._state is _READING and self.buffer:
            self._refuse(408, "the request head did not arrive in time")
        else:
            self.close()

    def crash(self) -> None:
        """
        A bug: end the connection.
        """
        self.drop()

    def _watch(self) -> None:
        """
        The client has not taken all that was written to it: from now on it has
        a pace to keep.
        """
        engine = self.door.engine
        seconds = engine.timeouts.write
        self.deadline = engine.poller.now + self._idle
        if self._reading is None:
            sock = self.wire.sock
            rate = engine.limits.minRate
            self._reading = Pace(engine.poller, seconds, seconds, rate, lambda: taken(sock), self._unread)

    def _unread(self) -> None:
        """
        It does not take it.  An end would look like that of the answer.
        """
        self._reading = None
        self.door.engine.gaveUp(self.connection)
        self.drop()

    def _flushed(self) -> None:
        self._endPace()
        if self._state is not _READING:
            self.progress()
        elif not self._isHungry:
            self.deadline = self.door.engine.poller.now + self.door.engine.timeouts.keepAlive
        if self._exchange is not None:
            self._exchange.flushed()
        elif self._state is _CLOSING:
            self._linger()

    def _endPace(self) -> None:
        if self._reading is not None:
            self._reading.end()
            self._reading = None

    # Reading.

    def hear(self) -> bytes | None:
        """
        Read once.

        @return: What came, nothing when nothing has come, L{None} at the end
            of the stream, be it clean or not.
        """
        if not self.isHot:
            return b""
        try:
            data = self.wire.recv(READ)
        except BlockingIOError:
            self.isHot = False
            return b""
        except OSError:
            return None
        if not data:
            self.isHot = False
            return None
        if len(data) < READ and self.wire.isShort and not self.wire.isEnding:
            self.isHot = False
        return data

    def _readHeads(self) -> None:
        """
        Answer requests until one takes its time or nothing more has come.
        """
        self._isLooping = True
        for _ in range(_ROUNDS):
            data = self.buffer
            if self._isHungry or not data:
                more = self.hear()
                if not more:
                    if more is None:
                        self.close()
                    break
                data = data + more if data else more
            prepared = self.door.memo.get(data)
            if prepared is None or prepared.serverName != self.connection.serverName:
                prepared = self._understand(data)
                if prepared is None:
                    if self._state is _READING and self._isHungry and self.isHot:
                        continue
                    break
            else:
                self.buffer = b""
            self._isHungry = False
            self._begin(prepared)
            if self._state is not _READING or self.wire.pending:
                break
        else:
            self.door.engine.poller.later(self.pump)
        self._isLooping = False

    def _understand(self, data: bytes) -> Prepared | None:
        """
        Parse and route a head.

        @return: What is to be done; L{None} when it is not complete, or has
            been refused.
        """
        if data[:2] == b"\r\n":
            # RFC 9112 section 2.2: an empty line in front is to be forgiven.
            data = data[2:]
        door = self.door
        try:
            prepared = door.understand(data, self.connection, self.wire)
        except BadMessage as bad:
            self.buffer = data
            if self._mayHand and data.startswith(_BEGINS_HTTP2):
                self._hand(data)
            else:
                self._refuse(bad.status, bad.reason)
            return None
        if prepared is None:
            if not self._isHungry:
                # Absolute: from the head's first bytes, and of the first one from the beginning.
                self._isHungry = True
                self.deadline = door.engine.poller.now + door.engine.timeouts.head
            self.buffer = data
            return None
        self.buffer = data[len(prepared.request.raw) :]
        return prepared

    def _hand(self, data: bytes) -> None:
        """
        It is HTTP/2, begun with prior knowledge (RFC 9113 section 3.3).
        """
        self._state = _GONE
        self._endPace()
        door = self.door
        door.engine.leave(self)
        door.openFrames(self.wire, self.connection, data)

    def _begin(self, prepared: Prepared) -> None:
        engine = self.door.engine
        self._state = _ANSWERING
        self._mayHand = False
        self._exchange = exchange = Exchange(self, prepared)
        self._idle = idle = prepared.idle
        self.deadline = engine.poller.now + idle
        try:
            prepared.action.request(exchange)
        except BaseException:
            engine.poller.crashed(prepared.action.request, self)

    # What the exchange says.

    def mark(self, prepared: Prepared) -> bytes:
        """
        The forwarding fields to send along with a request.

        @return: Whole lines; also in L{marks} where they are the same for each
            request on this connection.
        """
        connection = self.connection
        if self.door.engine.trusts(connection.client.host):
            return prepared.trustedMarks(connection)
        self.marks = marks = plainMarks(connection)
        return marks

    @property
    def allowance(self) -> float:
        """
        See L{ClientHalf}: nothing comes instead of a body here.
        """
        return 0.0

    @property
    def holder(self) -> Session:
        """
        See L{ClientHalf}.
        """
        return self

    def progress(self) -> None:
        """
        Something moved.
        """
        now = self.door.engine.poller.now
        if not self.wire.pending:
            self.deadline = now + self._idle
        elif self._reading is None and self.deadline > now + _LOOK:
            # Only ever nearer: bytes of a request do not make up for those of an answer.
            self.deadline = now + _LOOK

    def exchanged(self, isKept: bool) -> None:
        """
        The exchange has ended.

        @param isKept: Whether another request may follow.
        """
        self._exchange = None
        engine = self.door.engine
        if not isKept or engine.isDraining or self.door.isClosing:
            self._closeSoon()
            return
        self._state = _READING
        if self.wire.pending:
            self.progress()
        else:
            self.deadline = engine.poller.now + engine.timeouts.keepAlive
        if not self._isLooping and (self.buffer or self.isHot) and not self.wire.pending:
            self._readHeads()

    def inform(self, head: bytes) -> None:
        """
        See L{ClientHalf}.
        """
        self.wire.write(head + b"\r\n")

    def outlet(self, exchange: Exchange, head: AnswerHead) -> Outlet:
        """
        See L{ClientHalf}.
        """
        return PlainOutlet(exchange, head)

    def whole(self, response: Response, body: bytes) -> None:
        """
        Answers go on as they came here; see L{ClientHalf}.
        """
        raise NotImplementedError

    def tunnel(
        self,
        target: Wire,
        head: bytes,
        data: bytes,
        isHot: bool,
        done: Callable[[int, int], None],
        spell: Spell,
    ) -> None:
        """
        See L{ClientHalf}.
        """
        early = self._yield(head + data)
        Tunnel(self.door.engine, self.wire, target, early, self.isHot, isHot, done, spell)

    def serve(
        self, head: bytes, factory: IProtocolFactory, done: Callable[[int, int], None], spell: Spell
    ) -> None:
        """
        See L{ClientHalf}.
        """
        early = self._yield(head)
        engine = self.door.engine
        Served(engine, self.wire, self.connection, self.isHot, done, spell, early).begin(factory)

    def _yield(self, data: bytes) -> bytes:
        """
        Leave the wire to somebody else.

        @param data: What is still said.
        @return: What was read already and belongs to whoever follows.
        """
        self.wire.write(data)
        early, self.buffer = self.buffer, b""
        self._state = _GONE
        self._exchange = None
        self._endPace()
        self.door.engine.leave(self)
        return early

    def writeRefusal(self, status: int, more: bytes = b"") -> int:
        """
        Answer what cannot be served; the connection is to be closed after it.

        @param more: Further header lines.
        @return: The size of the answer's body.
        """
        code, fields, body = plainAnswer(status)
        end = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
        self.wire.write(statusLine(code) + self.door.engine.dateLine() + fields + more + end + body)
        return len(body)

    # Endings.

    def _refuse(self, status: int, reason: str) -> None:
        """
        Answer what is not a request, and close.
        """
        engine = self.door.engine
        if self.buffer[:2] == _HANDSHAKE and self.buffer[5:6] == _CLIENT_HELLO and not self.connection.isTLS:
            # Whoever speaks TLS to a port without any would only be puzzled by words of HTTP.
            engine.missed(self.door.number, f"no route for TLS on port {self.door.number}", self.connection)
            self.wire.write(ALERT_UNKNOWN_NAME)
            self._closeSoon()
            return
        engine.refused(status, reason, self.connection)
        size = self.writeRefusal(status)
        engine.recordRefusal(self.connection.client.host, self.buffer, status, size)
        self._closeSoon()

    def _closeSoon(self) -> None:
        self._state = _CLOSING
        if self.wire.pending:
            self.progress()
        else:
            self._linger()

    def _linger(self) -> None:
        """
        Everything has gone to the kernel; wait until the client has had it.
        """
        self._state = _GONE
        engine = self.door.engine
        engine.leave(self)
        Lingering(engine, self.wire, self.isHot)

    def close(self) -> None:
        """
        Close an idle or answered connection.
        """
        if self._state is not _GONE:
            self._leave()
            self.wire.close()

    def drop(self) -> None:
        """
        Break the connection, and everything that hangs on it.
        """
        if self._state is not _GONE:
            self._leave()
            self.wire.reset()

    def _leave(self) -> None:
        self._state = _GONE
        self._endPace()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abandon()
        engine = self.door.engine
        engine.leave(self)
        engine.poller.forget(self.wire.fd)

    def retire(self) -> None:
        """
        The port goes: answer what has come, whoever has just connected included,
        and close then; what is idle closes now.
        """
        if self._state is _READING:
            self.isHot = True
            self.pump()
        if self._exchange is not None:
            self._exchange.closeAfter()
        elif self._state is _READING and not self._isHungry:
            self._closeSoon() if self.wire.pending else self.close()

    def drain(self) -> None:
        """
        Take no further request but the first of who has just come; what is idle
        closes now.
        """
        if self._exchange is not None:
            self._exchange.closeAfter()
        elif self._state is _READING and self._isHungry and not self.buffer:
            self.deadline = self.door.engine.lastCall(self.deadline)
        elif self._state is _READING and not self.buffer:
            self._closeSoon() if self.wire.pending else self.close()
