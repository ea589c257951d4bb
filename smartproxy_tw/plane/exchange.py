"""
An exchange is one request and its answer: what an action acts on
(L{IExchange<smartproxy_tw.interfaces.IExchange>}), and what lies between the
client's half, its session, and the upstream half, a link.

It passes the request's body on while the target takes it, repeats a request
once that met a connection the target closed without an answer, and sees to it that every
request ends in exactly one way: an answer, an error of ours, or a broken
connection where an answer had begun that will not be whole.  One access record
is made of it, however it ends.

A body that does not come whole with its head has a pace to keep
(L{Pace<smartproxy_tw.plane.pace.Pace>}), until an answer has begun.  While the
target takes nothing, or has not yet invited the body (C{Expect: 100-continue}),
the client is not to blame.

This is hot: one is made for each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from zope.interface import implementer

from ..facts import RequestFacts
from ..interfaces import IExchange, IUpstream
from ..wire.http1 import CHUNKED, UNTIL_CLOSE, BadMessage, Chunks
from .answers import plainAnswer, statusLine
from .link import BULK, Link, UpstreamFailure
from .pace import Pace
from .tunnel import Tunnel
from .wires import PlainWire, isConnected

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.http1 import Request
    from .door import Prepared
    from .session import Session
    from .wires import Wire

__all__ = ["Exchange"]

# Pieces of a body passed on at a time before others have their turn.
_ROUNDS = 16
# Those that may be sent twice (RFC 9110 section 9.2.2).
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
# A body that was faster than it has to be may pause for so long, in seconds.
_SAVED = 30.0
# What the access log says of a request whose client did not wait for the answer (nginx's number).
_CLIENT_LEFT = 499


class _Attempt(Protocol):
    """
    A connection that is being made.
    """

    def cancel(self) -> None:
        """
        Nobody wants it any more.
        """


@implementer(IExchange)
class Exchange:
    """
    @ivar session: The client's half.
    @ivar request: The request's head.
    @ivar left: Of its body, what has not been read: bytes, or
        L{CHUNKED<smartproxy_tw.wire.http1.CHUNKED>}.
    @ivar received: Bytes of its body that were read, chunks and all.
    """

    __slots__ = (
        "_attempt",
        "_chunks",
        "_ended",
        "_hasRetried",
        "_isInvited",
        "_isKept",
        "_link",
        "_number",
        "_outgoing",
        "_pace",
        "_prepared",
        "_sent",
        "_started",
        "_status",
        "_upstream",
        "left",
        "received",
        "request",
        "session",
    )

    def __init__(self, session: Session, prepared: Prepared) -> None:
        """
        @param session: Has read the head, and nothing of the body but what is
            in its buffer.
        @param prepared: The request, and what is to become of it.
        """
        self.session = session
        self._prepared = prepared
        self.request: Request = prepared.request
        self.left = prepared.request.length
        self.received = 0
        door = session.door
        engine = door.engine
        self._chunks = Chunks(engine.limits.bodyBytes) if self.left == CHUNKED else None
        self._number = next(engine.numbers.next)
        self._pace: Pace | None = None
        self._isInvited = not prepared.request.expectsContinue
        self._sent = 0
        self._isKept = prepared.request.keepAlive and not (engine.isDraining or door.isClosing)
        self._hasRetried = False
        self._started = engine.poller.now
        self._status = 0
        self._link: Link | None = None
        self._attempt: _Attempt | None = None
        self._upstream: IUpstream | None = None
        self._outgoing = b""

    # What an action asks for: IExchange.

    def facts(self) -> RequestFacts:
        """
        See L{IExchange}.
        """
        return self._prepared.facts(self.session.connection)

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """
        See L{IExchange}.
        """
        self._skipBody()
        head = statusLine(status) + self.session.door.engine.dateLine() + fields
        if status != 204 and status != 304:
            head += b"Content-Length: %d\r\n" % len(body)
        else:
            body = b""
        if self.request.method == b"HEAD":
            body = b""
        self._status = status
        self.session.wire.write(head + self.connectionField(0) + body)
        self.complete(len(body))

    def forward(self, upstream: IUpstream) -> None:
        """
        See L{IExchange}.
        """
        session = self.session
        self._upstream = upstream
        try:
            body = self._takeBody() if self.left and session.buffer else b""
        except BadMessage as bad:
            self._refuse(bad.status, bad.reason)
            return
        prepared = self._prepared
        outgoing = prepared.head + (session.marks or session.mark(prepared))
        outgoing += session.door.engine.numbers.line % self._number if prepared.isNumbered else b"\r\n"
        self._outgoing = outgoing + body if body else outgoing
        if self.left:
            self._watch()
        port = session.connection.port
        link = upstream.borrow(port)
        if link is None:
            if self._pace is not None:
                self._pace.hold()
            self._attempt = upstream.connect(port, self._connected, session)
        else:
            self._link = link
            link.begin(self, self._outgoing)
            if self.left and session.isHot:
                self.upload()

    def abort(self) -> None:
        """
        See L{IExchange}.
        """
        self.session.drop()

    # What the upstream half says.

    def connectionField(self, length: int) -> bytes:
        """
        The end of an answer's head.

        @param length: Of its body.
        @return: The Connection field, if one is needed, and the empty line.
        """
        if length == UNTIL_CLOSE or self.left or not self._isKept:
            self._isKept = False
            return b"Connection: close\r\n\r\n"
        return b"\r\n" if self.request.minor else b"Connection: keep-alive\r\n\r\n"

    def inform(self, head: bytes) -> None:
        """
        Pass on an interim answer (RFC 9110 section 15.2).
        """
        # The client has been told something: the request cannot begin again.
        self._hasRetried = True
        if head[9:12] == b"100":
            self._isInvited = True
            if self._pace is not None and self._link is not None and not self._link.wire.pending:
                self._pace.go()
        if self.request.minor:
            self.session.wire.write(head + b"\r\n")
        self.session.progress()

    def answered(self, status: int) -> None:
        """
        The final answer has begun.
        """
        self._status = status
        if self._pace is not None:
            # A client may now stop sending (RFC 9112 section 9.5), and is not to lose the answer for it.
            self._endPace()

    def complete(self, size: int) -> None:
        """
        The answer has ended.

        @param size: Of its body, in bytes.
        """
        self._record(size)
        self._link = None
        self.session.exchanged(self._isKept and not self.left)

    def upstreamBroke(self, failure: UpstreamFailure, link: Link, isUntouched: bool) -> None:
        """
        There will be no answer, or no more of it.

        A request without a body that may be sent twice is, once: when it met a
        kept connection that the target most likely closed before it came, and
        else as far as the budget of its upstream allows.

        @param link: That broke; closed.
        @param isUntouched: Whether it had not said a word in answer.
        """
        self._sent = link.moved
        self._link = None
        upstream = self._upstream
        request = self.request
        if (
            isUntouched
            and not self._hasRetried
            and upstream is not None
            and request.length == 0
            and request.method in _IDEMPOTENT
        ):
            self._hasRetried = True
            session = self.session
            port = session.connection.port
            self._attempt = upstream.repeat(port, link.target, link.isReused, self._connected, session)
            if self._attempt is not None:
                self.session.door.engine.repeated(link.target)
                return
        self._giveUp(failure)

    def becomeTunnel(
        self, target: Wire, head: bytes, data: bytes, isHot: bool, ended: Callable[[], None] | None
    ) -> None:
        """
        The target agreed to speak another protocol: pass bytes from now on.

        @param target: Its wire.
        @param head: The answer that says so.
        @param data: What it has said already.
        @param isHot: Whether it may have said more.
        @param ended: Called when its connection has ended.
        """
        self._status = 101
        self._link = None
        session = self.session
        engine = session.door.engine
        session.wire.write(head + data)
        early, isClientHot = session.release()
        self._ended = ended
        Tunnel(engine, session.wire, target, early, isClientHot, isHot, self._tunnelled)

    def _tunnelled(self, sent: int, received: int) -> None:
        if self._ended is not None:
            self._ended()
        self.received += sent
        self._record(received)

    # What the session says.

    def flushed(self) -> None:
        """
        The client has taken what was pending.
        """
        if self._link is not None:
            self.session.progress()
            self._link.download()

    def stalled(self) -> None:
        """
        Nothing has moved for too long.
        """
        link = self._link
        if self._status:
            self._breakOff()
        elif self.left and self._isInvited and link is not None and not link.wire.pending:
            self.unlink()
            self._refuse(408, "the request body did not arrive in time")
        else:
            if link is not None:
                link.blame("no answer in time")
            self.unlink()
            self._giveUp(UpstreamFailure("no answer in time", True))

    def lookForReset(self) -> None:
        """
        The kernel says that the client's connection broke.  Reading would not
        tell where an end was read before it, or a write has had the error.
        """
        if not isConnected(self.session.wire.sock):
            self._breakOff(_CLIENT_LEFT)

    def closeAfter(self) -> None:
        """
        No request is to follow this one.
        """
        self._isKept = False

    def crash(self) -> None:
        """
        A bug: end the connection.
        """
        self.session.crash()

    def unlink(self) -> None:
        """
        Let go of the upstream half.
        """
        link, self._link = self._link, None
        attempt, self._attempt = self._attempt, None
        if link is not None:
            self._sent = link.moved
            link.close()
        if attempt is not None:
            attempt.cancel()

    def abandon(self) -> None:
        """
        The client's connection is gone, or about to be broken.
        """
        self.unlink()
        self._record(self._sent)

    # The request's body.

    def _watch(self) -> None:
        """
        From now on the body has to keep its pace.
        """
        engine = self.session.door.engine
        rate = engine.limits.minRate
        if rate:
            seconds = engine.timeouts.body
            most = max(seconds, _SAVED)
            self._pace = Pace(engine.poller, seconds, most, rate, lambda: self.received, self._tooSlow)
            if not self._isInvited:
                self._pace.hold()

    def _endPace(self) -> None:
        pace, self._pace = self._pace, None
        if pace is not None:
            pace.end()

    def _tooSlow(self) -> None:
        self._pace = None
        self.unlink()
        rate = self.session.door.engine.limits.minRate
        self._refuse(408, f"the request body came with less than {rate} bytes a second")

    def upload(self) -> None:
        """
        Pass on more of the request's body while the target takes it.
        """
        link = self._link
        session = self.session
        for _ in range(_ROUNDS):
            if not self.left or link is None or self._link is not link:
                return
            pace = self._pace
            if link.wire.pending:
                if pace is not None:
                    pace.hold()
                return
            if pace is not None and pace.isHeld and self._isInvited:
                pace.go()
            if not session.buffer:
                if self.left > BULK and session.isHot:
                    moved = self._splice(link)
                    if moved > 0:
                        continue
                    if moved == 0:
                        return
                data = session.hear()
                if data is None:
                    self._breakOff(_CLIENT_LEFT)
                    return
                if not data:
                    return
                session.buffer = data
            try:
                data = self._takeBody()
            except BadMessage as bad:
                self.unlink()
                self._refuse(bad.status, bad.reason)
                return
            self._isInvited = True
            link.wire.write(data)
            session.progress()
        session.door.engine.poller.later(self.upload)

    def _splice(self, link: Link) -> int:
        """
        Pass on a piece of a long body, without looking at it.

        @return: How much; 0 when there is no more for now; -1 when it has to
            be copied.
        """
        session = self.session
        sink = link.wire
        if not (isinstance(sink, PlainWire) and isinstance(session.wire, PlainWire)):
            return -1
        try:
            moved = sink.take(session.wire.fd, session.door.engine.pipes, self.left - 1)
        except BlockingIOError:
            session.isHot = False
            return 0
        except OSError:
            moved = 0
        if moved > 0:
            self.left -= moved
            self.received += moved
            self._isInvited = True
            session.progress()
        elif moved == 0:
            self._breakOff(_CLIENT_LEFT)
        return moved

    def _takeBody(self) -> bytes:
        """
        Cut what belongs to the body off what was read.
        """
        session = self.session
        data = session.buffer
        if self._chunks is not None:
            used = self._chunks.feed(data)
            if self._chunks.isDone:
                self.left = 0
        else:
            used = min(self.left, len(data))
            self.left -= used
        self.received += used
        if not self.left and self._pace is not None:
            self._endPace()
        session.buffer = data[used:]
        return data[:used]

    def _skipBody(self) -> None:
        """
        Drop what has come of a body that nobody wants.
        """
        if self.left and self.session.buffer:
            try:
                self._takeBody()
            except BadMessage:
                self.session.buffer = b""

    # Connecting.

    def _connected(self, outcome: Link | UpstreamFailure) -> None:
        self._attempt = None
        if isinstance(outcome, UpstreamFailure):
            self._giveUp(outcome)
            return
        self._link = outcome
        self.session.progress()
        outcome.begin(self, self._outgoing)
        self.upload()

    # Endings.

    def _giveUp(self, failure: UpstreamFailure) -> None:
        self.session.door.engine.upstreamFailed(self._prepared.route, failure)
        if self._status:
            # The answer has begun: only a broken connection can say that it is not whole.
            self._breakOff()
        else:
            status, fields, body = plainAnswer(503 if failure.isBusy else 504 if failure.isTimeout else 502)
            self.respond(status, fields + self._identity(), body)

    def _identity(self) -> bytes:
        """
        For an answer that somebody may want to look into: the field with the
        number of the request.
        """
        prepared = self._prepared
        if prepared.isNumbered:
            line: bytes = self.session.door.engine.numbers.line % self._number
            return line[:-2]
        return b"X-Request-ID: " + prepared.number + b"\r\n" if prepared.number else b""

    def _refuse(self, status: int, reason: str) -> None:
        """
        Answer a request that turned out bad, and close.
        """
        session = self.session
        session.door.engine.refused(status, reason, session.connection)
        if self._status:
            self._breakOff()
            return
        self._status = status
        self._record(session.writeRefusal(status, self._identity()))
        session.exchanged(False)

    def _breakOff(self, status: int = 0) -> None:
        """
        @param status: What the access record is to say, if not the status of
            the answer that had begun.
        """
        if status:
            self._status = status
        self.session.drop()

    def _record(self, size: int) -> None:
        if self._pace is not None:
            self._endPace()
        session = self.session
        session.door.engine.record(
            self._prepared,
            session.connection.client.host,
            self._started,
            self._status,
            size,
            self.received,
            self._number,
        )
