"""
A client connection that speaks HTTP/2: many requests at a time, each of them a
L{Channel<smartproxy_tw.plane.channel.Channel>}.

What the protocol asks for is the business of a
L{ServerSession<smartproxy_tw.wire.http2.ServerSession>}; here its events become requests, bodies
and ends of channels.  What requests are is found by a
L{Recognition<smartproxy_tw.plane.recognition.Recognition>}; how the connection lives and ends is
said in L{smartproxy_tw.plane.carrier}.

A bug in one of its requests ends that one.

This is hot: everything here runs once for each request, or for each batch of them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..wire.downgrade import Malformed, trailersOf
from ..wire.events import Closed, Data, HeadTooLarge, RequestBegan, Reset, SettingsChanged, Trailers
from ..wire.frames import INTERNAL_ERROR, PROTOCOL_ERROR
from ..wire.hpack import encodeLines, encodeStatus
from ..wire.http1 import BadMessage
from .answers import plainAnswer
from .carrier import Carrier
from .channel import Channel
from .poller import BROKEN, ENDED, READABLE
from .recognition import Recognition
from .wires import READ, isConnected

if TYPE_CHECKING:
    from ..facts import ConnectionFacts
    from ..wire.events import Event, Fields
    from .door import Door
    from .wires import Wire

__all__ = ["Multiplex"]

# So much is done before others have their turn, and so much while there is more to do than there is time for.
# Most events count one; to read or to begin a request takes as long as many of them, a tenth of a millisecond
# or two.  It is told by number, since the clock says what the machine is busy with.
_TURN = 192
_LEAST = 40
_DEAR = 16
# So many bytes are read at a time until it shows that they are of bodies: a frame of ten bytes may ask for as
# much as one of ten thousand.
_SIP = 8192
# In so many seconds a connection is forgiven so much of what is beside the point: PINGs that keep it open are
# never too many.
_FORGIVE = 60.0
_FORGIVEN = 20
_NEVER = float("inf")


class Multiplex(Carrier):
    """
    One of them.
    """

    __slots__ = ("_early", "_events", "_forgivenAt", "_isBulky", "_isHot", "_isPostponed", "_recognition")

    def __init__(self, door: Door, wire: Wire, connection: ConnectionFacts, early: bytes = b"") -> None:
        """
        Take over a wire that is registered with the poller, and read.

        @param early: What was read of it already.
        """
        super().__init__(door, wire, connection)
        engine = door.engine
        self._recognition = Recognition(door, connection, wire)
        self._isHot = True
        self._isBulky = self._isPostponed = False
        self._early = early
        self._forgivenAt = engine.poller.now
        # What has been read and not been dealt with.
        self._events: deque[Event] = deque()
        engine.poller.handlers[wire.fd] = self.ready
        if engine.isDraining or door.isClosing:
            self.drain()
        if engine.poller.isBehind:
            # Others wait to be accepted.
            self._isPostponed = True
            engine.poller.later(self._resume)
        else:
            self.pump()

    # What the poller says.

    def ready(self, event: int) -> None:
        """
        Something has come, or can be sent.
        """
        if event & READABLE:
            self._isHot = True
            if event & ENDED:
                self.wire.isEnding = True
            if event & BROKEN and not isConnected(self.wire.sock):
                self.drop()
                return
        if self.wire.pending and self.wire.flush():
            self.outflow.touch()
        if self._isHot and not self._isPostponed:
            self.pump()

    def _resume(self) -> None:
        """
        The others have had their turn.
        """
        self._isPostponed = False
        if not self.isGone:
            self.pump()

    def pump(self) -> None:
        """
        Read what there is, and deal with it, as far as it is one's turn.
        """
        outflow = self.outflow
        outflow.isHeld = True
        poller = self.door.engine.poller
        turn = _LEAST if poller.isBehind else _TURN
        while not self.isGone:
            if self._events:
                turn = self._take(turn)
            if not (self._events or self._early or self._isHot):
                break
            if turn <= 0:
                self._isPostponed = True
                poller.whenIdle(self._resume)
                break
            data = self._hear()
            if not data:
                break
            turn -= _DEAR
            if self.isOpen:
                self._read(data)
        if self._events:
            # There are requests to come, or what belongs to some.
            self.deadline = _NEVER
        elif self.isOpen and not self.channels:
            self._rested()
        outflow.isHeld = False
        outflow.flush()

    def _hear(self) -> bytes:
        """
        Read once.

        @return: Nothing, when nothing has come or nothing will.
        """
        early = self._early
        if early:
            self._early = early[_SIP:]
            return early[:_SIP]
        wire = self.wire
        size = READ if self._isBulky else _SIP
        try:
            data = wire.recv(size)
        except BlockingIOError:
            self._isHot = False
            return b""
        except OSError:
            self.drop()
            return b""
        if not data:
            # Without its side there is nobody who opens windows: answers that are not here could not go on.
            self.outflow.flush()
            self.close()
        elif len(data) < size and wire.isShort and not wire.isEnding:
            self._isHot = False
        return data

    def _read(self, data: bytes) -> None:
        self.allowance += len(data) / (len(self.channels) or 1)
        events = self._events
        events += self.session.receive(data)
        self._isBulky = bool(events) and type(events[-1]) is Data
        now = self.door.engine.poller.now
        if now > self._forgivenAt + _FORGIVE:
            self.session.rest(int((now - self._forgivenAt) / _FORGIVE) * _FORGIVEN)
            self._forgivenAt = now

    def _rested(self) -> None:
        """
        Nothing is asked for.
        """
        if self.deadline == _NEVER:
            self.rest()
        if self.session.isAmidst:
            # What has begun, such as a head, has to be there in the time of a head.
            engine = self.door.engine
            self.deadline = min(self.deadline, engine.poller.now + engine.timeouts.head)

    def _take(self, turn: int) -> int:
        """
        Deal with what was read.

        @param turn: For how much.
        @return: What is left of that.
        """
        channels = self.channels
        streams = self.session.streams
        events = self._events
        while events:
            event = events.popleft()
            kind = type(event)
            turn -= 1
            try:
                if kind is RequestBegan:
                    if event.stream in streams:  # type: ignore[union-attr]
                        turn -= _DEAR
                        self._request(event.stream, event.fields, event.isEnded)  # type: ignore[union-attr]
                    else:
                        self._withdrawn(event.fields)  # type: ignore[union-attr]
                elif kind is Data:
                    channel = channels.get(event.stream)  # type: ignore[union-attr]
                    if channel is not None:
                        channel.receive(event.data, event.credit, event.isEnded)  # type: ignore[union-attr]
                    elif self.remnants is not None:
                        self.remnants.receive(event.stream, event.isEnded)  # type: ignore[union-attr]
                else:
                    if kind is HeadTooLarge:
                        turn -= _DEAR
                    self._other(event)
            except BaseException:
                self._crashed(getattr(event, "stream", 0))
            if not self.isOpen:
                self._forget()
            if turn <= 0:
                break
        return turn

    def _forget(self) -> None:
        """
        Nothing is to become of what was read.
        """
        while self._events:
            event = self._events.popleft()
            if type(event) is RequestBegan:
                self._withdrawn(event.fields)

    def _leave(self) -> None:
        super()._leave()
        self._forget()

    def _other(self, event: Event) -> None:
        if isinstance(event, Trailers):
            self._trailers(event)
        elif isinstance(event, Reset):
            channel = self.channels.get(event.stream)
            if channel is not None:
                channel.cancelled()
        elif isinstance(event, HeadTooLarge):
            reason = "the head has too many or too long fields"
            self._refuse(event.stream, [], event.isEnded, 431, reason)
        elif isinstance(event, SettingsChanged):
            if event.isFirst and not self.channels:
                self.rest()
        elif isinstance(event, Closed):
            self.door.engine.unruly(event.reason, self.connection)
            self.abandon()
            self.end()

    def _trailers(self, event: Trailers) -> None:
        channel = self.channels.get(event.stream)
        if channel is None:
            return
        try:
            lines = trailersOf(event.fields)
        except (Malformed, BadMessage):
            self.session.reset(event.stream, PROTOCOL_ERROR)
            channel.cancelled()
            return
        channel.trailers(lines)

    def _crashed(self, stream: int) -> None:
        """
        A bug, while its exception is handled: end just that request, where it is one's.
        """
        channel = self.channels.get(stream)
        owner = channel if channel is not None or stream else self
        self.door.engine.poller.crashed(self._take, owner)
        if stream:
            self.session.reset(stream, INTERNAL_ERROR)

    # Requests.

    def _request(self, stream: int, fields: Fields, isEnded: bool) -> None:
        try:
            prepared = self._recognition.prepare(fields, isEnded)
        except Malformed as why:
            self.door.engine.refused(400, why.reason, self.connection)
            self.session.reset(stream, PROTOCOL_ERROR)
            return
        except BadMessage as bad:
            self._refuse(stream, fields, isEnded, bad.status, bad.reason)
            return
        self.deadline = _NEVER
        channel = self.channels[stream] = Channel(self, stream, isEnded)
        channel.begin(prepared)

    def _withdrawn(self, fields: Fields) -> None:
        """
        A request was taken back before it had its turn: nothing is to become of it.
        """
        engine = self.door.engine
        engine.counts["http2_requests"] += 1
        engine.recordRefusal(self.connection.client.host, _first(fields), 499, 0)

    def _refuse(self, stream: int, fields: Fields, isEnded: bool, status: int, reason: str) -> None:
        """
        Answer what is not a request that can be served.

        @param fields: As they came, as far as they are known.
        """
        engine = self.door.engine
        engine.refused(status, reason, self.connection)
        method = dict(fields).get(b":method", b"-")
        code, lines, body = plainAnswer(status)
        lines += b"Content-Length: %d\r\n" % len(body)
        block = encodeStatus(code) + encodeLines(engine.dateLine() + lines)
        if method == b"HEAD":
            body = b""
        self.session.head(stream, block, not body)
        self.session.data(stream, body, True)
        engine.recordRefusal(self.connection.client.host, _first(fields), status, len(body))
        engine.counts["http2_requests"] += 1
        if not isEnded:
            self.dismiss(stream, True)


def _first(fields: Fields) -> bytes:
    """
    What stands for the first line of a request, as far as its fields are known.
    """
    known = dict(fields)
    return known.get(b":method", b"-") + b" " + known.get(b":path", b"-") + b" HTTP/2.0"
