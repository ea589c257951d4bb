"""
A client connection that speaks HTTP/2: many requests at a time, each of them a
L{Channel<smartproxy_tw.plane.channel.Channel>}.

What the protocol asks for is the business of a
L{ServerSession<smartproxy_tw.wire.http2.ServerSession>}; here it meets the socket, the
door and the clock.  Whatever the session has to say after a batch of events goes out by
one C{send}.

A request is parsed and routed once for a block of fields that comes again on the
connection, as those of browsers and of most programs do.  What is remembered dies with
the connection: it has cookies.

This is hot: everything here runs once for each request, or for each batch of them.
"""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING

from ..wire.downgrade import Malformed, requestOf, trailersOf
from ..wire.events import Closed, Data, Fields, HeadTooLarge, RequestBegan, Reset, Trailers
from ..wire.flow import ENDED as SENT
from ..wire.frames import NO_ERROR, PROTOCOL_ERROR
from ..wire.hpack import Decoder, encodeLines, encodeStatus
from ..wire.http1 import MAX_FIELDS, BadMessage
from ..wire.http2 import ServerSession
from .answers import plainAnswer
from .channel import Channel
from .forwarding import plainMarks
from .pace import Pace, taken
from .poller import BROKEN, ENDED, READABLE
from .wires import READ, isConnected

if TYPE_CHECKING:
    from ..facts import ConnectionFacts
    from ..wire.events import Event
    from .door import Door, Prepared
    from .wires import Wire

__all__ = ["Multiplex"]

# The life of a connection.
_OPEN, _CLOSING, _LINGERING, _GONE = range(4)

# Reads at a time before others have their turn.
_ROUNDS = 8
# What is remembered of a connection.
_MEMO = 64
# How long a close lingers for what is still on its way, in seconds.
_LINGER = 2.0
# In so many seconds a connection is forgiven so much of what is beside the point: PINGs that keep it open are
# never too many.
_FORGIVE = 60.0
_FORGIVEN = 20


class Multiplex:
    """
    @ivar door: Where it came in.
    @ivar wire: The client's connection; owned.
    @ivar connection: What is known of it.
    @ivar session: Speaks the protocol.
    @ivar marks: The forwarding fields that are the same for each request; empty until
        they were needed, and with a trusted peer.
    @ivar deadline: For the poller.
    """

    __slots__ = (
        "_channels",
        "_dismissed",
        "_forgivenAt",
        "_isBusy",
        "_isHot",
        "_isTouched",
        "_memo",
        "_memoOf",
        "_pace",
        "_state",
        "connection",
        "deadline",
        "door",
        "marks",
        "session",
        "wire",
    )

    def __init__(self, door: Door, wire: Wire, connection: ConnectionFacts, early: bytes = b"") -> None:
        """
        Take over a wire that is registered with the poller, and read.

        @param early: What was read of it already.
        """
        self.door = door
        self.wire = wire
        self.connection = connection
        engine = door.engine
        limits = engine.limits
        decoder = Decoder(mostBytes=limits.headBytes, mostFields=MAX_FIELDS)
        self.session = ServerSession(decoder, headBytes=limits.headBytes)
        self.marks = b""
        self._channels: dict[int, Channel] = {}
        self._dismissed: list[int] = []
        # By the identity of the fields, which are kept for that.
        self._memo: dict[int, tuple[Fields, Prepared]] = {}
        self._memoOf = door.memo
        self._isHot = True
        self._isBusy = self._isTouched = False
        self._state = _OPEN
        self._pace: Pace | None = None
        self._forgivenAt = engine.poller.now
        self.deadline = engine.poller.now + engine.timeouts.head
        engine.enter(self)
        engine.poller.handlers[wire.fd] = self.ready
        if early:
            self._take(early)
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
            self._endPace()
            self.touch()
        if self._isHot:
            self.pump()

    def pump(self) -> None:
        """
        Read what there is.
        """
        recv = self.wire.recv
        self._isBusy = True
        for _ in range(_ROUNDS):
            if self._state is _GONE or not self._isHot:
                break
            try:
                data = recv(READ)
            except BlockingIOError:
                self._isHot = False
                break
            except OSError:
                self.drop()
                break
            if not data:
                # Without its side there is nobody who opens windows: answers could not go on.
                self.close()
                break
            if len(data) < READ and self.wire.isShort and not self.wire.isEnding:
                self._isHot = False
            if self._state is _OPEN:
                self._take(data)
        else:
            self.door.engine.poller.later(self.pump)
        self._isBusy = False
        self._flush()

    def _take(self, data: bytes) -> None:
        for event in self.session.receive(data):
            kind = type(event)
            if kind is RequestBegan:
                self._request(event.stream, event.fields, event.isEnded)  # type: ignore[union-attr]
            elif kind is Data:
                self._data(event)  # type: ignore[arg-type]
            else:
                self._other(event)
            if self._state is not _OPEN:
                return

    def _data(self, event: Data) -> None:
        channel = self._channels.get(event.stream)
        if channel is not None:
            channel.receive(event.data, event.credit, event.isEnded)
        elif event.credit:
            # Whoever was to have it has answered already.
            self.session.credit(event.stream, event.credit)

    def _other(self, event: Event) -> None:
        if isinstance(event, Trailers):
            self._trailers(event)
        elif isinstance(event, Reset):
            channel = self._channels.get(event.stream)
            if channel is not None:
                channel.cancelled()
        elif isinstance(event, HeadTooLarge):
            why = "the head has too many or too long fields"
            self._refuse(event.stream, b"- -", event.isEnded, 431, why)
        elif isinstance(event, Closed):
            self.door.engine.unwelcome(f"HTTP/2: {event.reason}", self.connection.client.host)
            self._abandon()
            self._end()

    def _trailers(self, event: Trailers) -> None:
        channel = self._channels.get(event.stream)
        if channel is None:
            return
        try:
            lines = trailersOf(event.fields)
        except (Malformed, BadMessage):
            self.session.reset(event.stream, PROTOCOL_ERROR)
            channel.cancelled()
            return
        channel.trailers(lines)

    # Requests.

    def _request(self, stream: int, fields: Fields, isEnded: bool) -> None:
        door = self.door
        if self._memoOf is not door.memo:
            # There is another table.
            self._memo.clear()
            self._memoOf = door.memo
        known = self._memo.get(id(fields)) if isEnded else None
        if known is not None:
            prepared = known[1]
        else:
            found = self._understand(stream, fields, isEnded)
            if found is None:
                return
            prepared = found
        now = door.engine.poller.now
        if now > self._forgivenAt + _FORGIVE:
            self._forgivenAt = now
            self.session.rest(_FORGIVEN)
        self.deadline = float("inf")
        channel = self._channels[stream] = Channel(self, stream, isEnded)
        channel.begin(prepared)

    def _understand(self, stream: int, fields: Fields, isEnded: bool) -> Prepared | None:
        door = self.door
        engine = door.engine
        limits = engine.limits
        connection = self.connection
        scheme = None
        if not engine.trusts(connection.client.host):
            scheme = b"https" if connection.isTLS else b"http"
        try:
            request = requestOf(fields, limits.headBytes, limits.urlBytes, isEnded, _key, scheme)
        except Malformed as why:
            engine.refused(400, why.reason, connection)
            self.session.reset(stream, PROTOCOL_ERROR)
            return None
        except BadMessage as bad:
            known = dict(fields)
            first = known.get(b":method", b"-") + b" " + known.get(b":path", b"-")
            self._refuse(stream, first, isEnded, bad.status, bad.reason)
            return None
        prepared = door.decide(request, connection, self.wire)
        if isEnded and prepared.isLasting and not request.upgrade:
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[id(fields)] = (fields, prepared)
        return prepared

    def _refuse(self, stream: int, first: bytes, isEnded: bool, status: int, reason: str) -> None:
        """
        Answer what is not a request that can be served.

        @param first: How it begins, for the log.
        """
        engine = self.door.engine
        engine.refused(status, reason, self.connection)
        code, lines, body = plainAnswer(status)
        lines += b"Content-Length: %d\r\n" % len(body)
        block = encodeStatus(code) + encodeLines(engine.dateLine() + lines)
        self.session.head(stream, block)
        self.session.data(stream, body, True)
        engine.recordRefusal(self.connection.client.host, first + b" HTTP/2.0", status, len(body))
        if not isEnded:
            self.dismiss(stream)

    # What channels say.

    def mark(self, prepared: Prepared) -> bytes:
        """
        The forwarding fields to send along with a request.
        """
        connection = self.connection
        if self.door.engine.trusts(connection.client.host):
            return prepared.trustedMarks(connection)
        self.marks = marks = plainMarks(connection)
        return marks

    def credit(self, stream: int, size: int) -> None:
        """
        Let the client send more of a body.
        """
        self.session.credit(stream, size)
        self.touch()

    def touch(self) -> None:
        """
        There is something to be sent, when this moment is over.
        """
        if not (self._isBusy or self._isTouched):
            self._isTouched = True
            self.door.engine.poller.last(self._flush)

    def dismiss(self, stream: int) -> None:
        """
        What is still to come of a request is not wanted, once its answer has gone (RFC 9113
        section 8.1).
        """
        self._dismissed.append(stream)
        self.touch()

    def markOf(self, stream: int) -> int:
        """
        Something that differs when something of an answer has gone out meanwhile.
        """
        return next((each.mark for each in self.session.waiting() if each.stream == stream), -1)

    def left(self, channel: Channel) -> None:
        """
        A channel has ended.
        """
        self._channels.pop(channel.number, None)
        if not self._channels and self._state is _OPEN:
            engine = self.door.engine
            self.deadline = engine.poller.now + engine.timeouts.keepAlive
            self.touch()

    # Sending.

    def _flush(self) -> None:
        """
        Send what there is to be sent, as much as the kernel takes.
        """
        self._isTouched = False
        if self._state is _GONE:
            return
        session = self.session
        wire = self.wire
        self._isBusy = True
        for _ in range(_ROUNDS):
            if wire.pending:
                break
            if self._dismissed:
                self._endDismissed()
            data = session.outgoing()
            if not data:
                break
            wire.write(data)
            for stream in session.taking():
                channel = self._channels.get(stream)
                if channel is not None:
                    channel.flushed()
        else:
            self.door.engine.poller.later(self._flush)
        self._isBusy = False
        if self._state is _GONE:
            return
        if wire.pending:
            self._watch()
        elif not session.isPending and (
            self._state is _CLOSING or (self._state is _OPEN and session.isDrained and not self._channels)
        ):
            self._linger()

    def _endDismissed(self) -> None:
        """
        Tell the client to stop, where its answer is out.
        """
        session = self.session
        left = []
        for stream in self._dismissed:
            found = session.streams.get(stream)
            if found is not None:
                if found.sending == SENT:
                    session.reset(stream, NO_ERROR)
                else:
                    left.append(stream)
        self._dismissed = left

    def _watch(self) -> None:
        """
        The client has not taken all that was written to it: it has a pace to keep.
        """
        if self._pace is None:
            engine = self.door.engine
            sock = self.wire.sock
            seconds = engine.timeouts.write
            self._pace = Pace(
                engine.poller, seconds, seconds, engine.limits.minRate, lambda: taken(sock), self._unread
            )

    def _unread(self) -> None:
        self._pace = None
        self.door.engine.gaveUp(self.connection)
        self.drop()

    def _endPace(self) -> None:
        if self._pace is not None:
            self._pace.end()
            self._pace = None

    # Endings.

    def expire(self) -> None:
        """
        The deadline has passed: nothing was asked for long enough.
        """
        if self._state is not _OPEN:
            self.close()
        elif self._channels:
            self.deadline = float("inf")
        else:
            self.session.goAway()
            self._end()

    def drain(self) -> None:
        """
        Take no further requests than those on their way; answer these.
        """
        if self._state is _OPEN:
            self.session.drain()
            if not self._channels:
                self.deadline = self.door.engine.lastCall(self.deadline)
            self.touch()

    def retire(self) -> None:
        """
        The port goes; see L{drain}.
        """
        self.drain()

    def crash(self) -> None:
        """
        A bug: end the connection.
        """
        self.drop()

    def _end(self) -> None:
        """
        Send what there is, and nothing more.
        """
        self._state = _CLOSING
        engine = self.door.engine
        self.deadline = engine.poller.now + engine.timeouts.write
        self.touch()

    def _linger(self) -> None:
        """
        Everything has gone to the kernel; wait until the client has had it.
        """
        self._state = _LINGERING
        self.deadline = self.door.engine.poller.now + _LINGER
        self.wire.finish()

    def _abandon(self) -> None:
        for channel in list(self._channels.values()):
            channel.cancelled()

    def close(self) -> None:
        """
        Close what is idle or has ended.
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
        self._abandon()
        engine = self.door.engine
        engine.leave(self)
        engine.poller.forget(self.wire.fd)


def _key() -> bytes:
    """
    A key for a handshake of our own (RFC 6455 section 4.1).
    """
    return b64encode(os.urandom(16))
