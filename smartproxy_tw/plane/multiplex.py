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

# Reads at a time before others have their turn.
_ROUNDS = 8
# In so many seconds a connection is forgiven so much of what is beside the point: PINGs that keep it open are
# never too many.
_FORGIVE = 60.0
_FORGIVEN = 20


class Multiplex(Carrier):
    """
    One of them.
    """

    __slots__ = ("_forgivenAt", "_isHot", "_recognition")

    def __init__(self, door: Door, wire: Wire, connection: ConnectionFacts, early: bytes = b"") -> None:
        """
        Take over a wire that is registered with the poller, and read.

        @param early: What was read of it already.
        """
        super().__init__(door, wire, connection)
        engine = door.engine
        self._recognition = Recognition(door, connection, wire)
        self._isHot = True
        self._forgivenAt = engine.poller.now
        engine.poller.handlers[wire.fd] = self.ready
        if early:
            self._take(early)
        if engine.isDraining or door.isClosing:
            self.drain()
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
        if self._isHot:
            self.pump()

    def pump(self) -> None:
        """
        Read what there is.
        """
        recv = self.wire.recv
        outflow = self.outflow
        outflow.isHeld = True
        for _ in range(_ROUNDS):
            if self.isGone or not self._isHot:
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
                # Without its side there is nobody who opens windows: answers that are not here could not go
                # on.
                outflow.flush()
                self.close()
                break
            if len(data) < READ and self.wire.isShort and not self.wire.isEnding:
                self._isHot = False
            if self.isOpen:
                self._take(data)
        else:
            self.door.engine.poller.later(self.pump)
        outflow.isHeld = False
        outflow.flush()

    def _take(self, data: bytes) -> None:
        channels = self.channels
        self.allowance += len(data) / (len(channels) or 1)
        for event in self.session.receive(data):
            kind = type(event)
            try:
                if kind is RequestBegan:
                    self._request(event.stream, event.fields, event.isEnded)  # type: ignore[union-attr]
                elif kind is Data:
                    channel = channels.get(event.stream)  # type: ignore[union-attr]
                    if channel is not None:
                        channel.receive(event.data, event.credit, event.isEnded)  # type: ignore[union-attr]
                    elif self.remnants is not None:
                        self.remnants.receive(event.stream, event.isEnded)  # type: ignore[union-attr]
                else:
                    self._other(event)
            except BaseException:
                self._crashed(getattr(event, "stream", 0))
            if not self.isOpen:
                return
        poller = self.door.engine.poller
        now = poller.now
        if now > self._forgivenAt + _FORGIVE:
            self.session.rest(int((now - self._forgivenAt) / _FORGIVE) * _FORGIVEN)
            self._forgivenAt = now
        if not channels and self.session.isAmidst:
            # What has begun, such as a head, has to be there in the time of a head.
            self.deadline = min(self.deadline, now + self.door.engine.timeouts.head)

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
        self.deadline = float("inf")
        channel = self.channels[stream] = Channel(self, stream, isEnded)
        channel.begin(prepared)

    def _refuse(self, stream: int, fields: Fields, isEnded: bool, status: int, reason: str) -> None:
        """
        Answer what is not a request that can be served.

        @param fields: As they came, as far as they are known.
        """
        engine = self.door.engine
        engine.refused(status, reason, self.connection)
        known = dict(fields)
        method = known.get(b":method", b"-")
        code, lines, body = plainAnswer(status)
        lines += b"Content-Length: %d\r\n" % len(body)
        block = encodeStatus(code) + encodeLines(engine.dateLine() + lines)
        if method == b"HEAD":
            body = b""
        self.session.head(stream, block, not body)
        self.session.data(stream, body, True)
        first = method + b" " + known.get(b":path", b"-") + b" HTTP/2.0"
        engine.recordRefusal(self.connection.client.host, first, status, len(body))
        engine.counts["http2_requests"] += 1
        if not isEnded:
            self.dismiss(stream, True)
