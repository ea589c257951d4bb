"""
An exchange is one request and its answer: what an action acts on
(L{IExchange<smartproxy_tw.interfaces.IExchange>}), and what lies between the
client's half, its session, and the upstream half, a link.

It repeats a request once that met a connection the target closed without an answer, and sees to it that every
request ends in exactly one way: an answer, an error of ours, or a broken
connection where an answer had begun that will not be whole.  One access record
is made of it, however it ends.

The body of a request is an L{Intake<smartproxy_tw.plane.intake.Intake>}, and an answer
that is made here in pieces, or that somebody looks at on its way, has an
L{Outlet<smartproxy_tw.plane.outlet.Outlet>}.  Most exchanges have neither.

This is hot: one is made for each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from zope.interface import implementer

from ..facts import Amendment, AnswerHead, RequestFacts
from ..interfaces import IExchange, ILens, IOutlet, IUpstream
from ..wire.downgrade import acceptLine
from ..wire.http1 import UNTIL_CLOSE
from ..wire.lines import pairs
from .amending import amendedFields, amendedHead
from .answers import plainAnswer, statusLine
from .forwarding import believedLines
from .intake import Intake
from .link import UpstreamFailure
from .outlet import LateOutlet, Outlet
from .spell import Spell, spellOf
from .wires import isConnected

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IProtocolFactory

    from ..facts import ConnectionFacts
    from ..wire.http1 import Request, Response
    from .door import Prepared
    from .half import ClientHalf, TargetHalf
    from .wires import Wire

__all__ = ["Exchange"]

# Those that may be sent twice (RFC 9110 section 9.2.2).
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
# How often a request may be sent again that a target has not acted on.
_REFUSALS = 3
_SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n"
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
    @ivar link: The upstream half, while there is one.
    @ivar isSeen: Whether an answer is to go by an outlet, since somebody looks at it.
    @ivar isOver: Whether it has ended.
    """

    __slots__ = (
        "_amendments",
        "_attempt",
        "_ended",
        "_hasRetried",
        "_intake",
        "_isKept",
        "_lenses",
        "_number",
        "_onEnd",
        "_outgoing",
        "_outlet",
        "_prepared",
        "_refusals",
        "_sent",
        "_started",
        "_status",
        "_upstream",
        "isOver",
        "isSeen",
        "left",
        "link",
        "received",
        "request",
        "session",
    )

    def __init__(self, session: ClientHalf, prepared: Prepared) -> None:
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
        self._number = next(engine.numbers.next)
        self._intake = Intake(self, door.bodyBytes(prepared.route)) if self.left else None
        self._sent = 0
        self._isKept = prepared.request.keepAlive and not (engine.isDraining or door.isClosing)
        self._hasRetried = False
        self._refusals = 0
        self._started = engine.poller.now
        self._status = 0
        self.link: TargetHalf | None = None
        self._attempt: _Attempt | None = None
        self._upstream: IUpstream | None = None
        self._outgoing = b""
        self.isOver = False
        self.isSeen = session.isFramed
        self._outlet: Outlet | None = None
        self._lenses: list[ILens] | None = None
        self._amendments: list[Amendment] | None = None
        self._onEnd: list[Callable[[], None]] | None = None

    # What an action asks for: IExchange.

    def facts(self) -> RequestFacts:
        """
        See L{IExchange}.
        """
        prepared = self._prepared
        if prepared.isNumbered:
            number = self.session.door.engine.numbers.text(self._number)
        else:
            number = prepared.number.decode("ascii")
        return prepared.facts(self.session.connection, number)

    def fields(self) -> list[tuple[str, str]]:
        """
        See L{IExchange}.
        """
        request = self.request
        isTrusted = bool(self._prepared.client)
        fields = request.fields + (believedLines(request) if isTrusted else b"")
        return pairs(fields if self._amendments is None else amendedFields(fields, self._amendments))

    def onEnd(self, then: Callable[[], None]) -> None:
        """
        See L{IExchange}.
        """
        if self.isOver:
            then()
            return
        if self._onEnd is None:
            self._onEnd = []
        self._onEnd.append(then)

    def amend(self, amendment: Amendment) -> None:
        """
        See L{IExchange}.
        """
        if self._amendments is None:
            self._amendments = []
        self._amendments.append(amendment)
        if self._intake is not None and (amendment.removed or amendment.isBarred is not None):
            self._intake.bar(amendment.removed, amendment.isBarred)

    def through(self, lens: ILens) -> None:
        """
        See L{IExchange}.
        """
        if self._lenses is None:
            self._lenses = []
        self._lenses.append(lens)
        self.isSeen = True

    def collect(self, most: int, then: Callable[[bytes | None], None]) -> None:
        """
        See L{IExchange}.
        """
        if self.isOver:
            return
        if self._intake is None:
            then(b"")
        else:
            self._intake.collect(most, then)

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """
        See L{IExchange}.
        """
        if self._isAnswered():
            return
        if self.isSeen:
            # Where there is no body, a length would be taken for that of what the client has.
            outlet = self.begin(status, fields, None if status in (204, 304) else len(body))
            outlet.write(body)
            outlet.finish()
            return
        if self._intake is not None:
            self._intake.skip()
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

    def begin(self, status: int, fields: bytes, length: int | None) -> IOutlet:
        """
        See L{IExchange}.
        """
        if self._isAnswered():
            return LateOutlet()
        if status < 300 and self.awaitsConsent:
            # As for a protocol that is not known (RFC 9220 section 3).
            self.respond(*plainAnswer(501))
            return LateOutlet()
        if self._intake is not None:
            self._intake.skip()
        fields = self.session.door.engine.dateLine() + fields
        return self.open(AnswerHead(status, fields, length, isOurs=True))

    def _isAnswered(self) -> bool:
        """
        Whether it is too late for an answer from here; otherwise a target that is asked has
        nothing more to say.
        """
        if self.isOver or self._status:
            return True
        if self.link is not None or self._attempt is not None:
            self.unlink()
        return False

    def open(self, head: AnswerHead) -> Outlet:
        """
        Begin an answer that does not go on as it came.

        @param head: Before anybody has seen it.
        @return: Where its body goes.
        """
        for lens in reversed(self._lenses or ()):
            head = lens.look(self.facts, head)
        self._outlet = outlet = self.session.outlet(self, head)
        return outlet

    def accept(self, fields: bytes, factory: IProtocolFactory) -> None:
        """
        See L{IExchange}.
        """
        request = self.request
        if not request.upgrade:
            raise ValueError("the request asks for no other protocol")
        if self._isAnswered():
            return
        self._ended: Callable[[], None] | None = None
        head = _SWITCHING + self.session.door.engine.dateLine() + fields
        head += b"Connection: Upgrade\r\nUpgrade: " + request.upgrade + b"\r\n"
        if self._isWebSocket:
            head += acceptLine(request.fields)
        self._status = 101
        try:
            self.session.serve(head + b"\r\n", factory, self._tunnelled, self._spell())
        except OSError:
            # There are no sockets to be had, and nothing has been said yet.
            self._status = 0
            self.respond(*plainAnswer(503))

    def forward(self, upstream: IUpstream) -> None:
        """
        See L{IExchange}.
        """
        if self.isOver or self._upstream is not None or self._status:
            return
        session = self.session
        self._upstream = upstream
        intake = self._intake
        body: bytes | None = b""
        if self.left and session.buffer and intake is not None:
            body = intake.take()
            if body is None:
                return
        prepared = self._prepared
        head = prepared.head if self._amendments is None else amendedHead(prepared, self._amendments)
        outgoing = head + (session.marks or session.mark(prepared))
        outgoing += session.door.engine.numbers.line % self._number if prepared.isNumbered else b"\r\n"
        self._outgoing = outgoing + body if body else outgoing
        if self.left and intake is not None:
            intake.watch()
        port = session.connection.port
        link = upstream.borrow(port, self)
        if link is None:
            if intake is not None:
                intake.hold()
            self._attempt = upstream.connect(port, self._connected, self)
        else:
            self.link = link
            link.begin(self, self._outgoing)
            if self.left and session.isHot:
                self.upload()

    def abort(self) -> None:
        """
        See L{IExchange}.
        """
        self.session.drop()

    # What an upstream asks for.

    @property
    def connection(self) -> ConnectionFacts:
        """
        What is known of the client's connection.
        """
        return self.session.connection

    @property
    def wire(self) -> Wire:
        """
        The client's connection.
        """
        wire: Wire = self.session.holder.wire
        return wire

    @property
    def awaitsConsent(self) -> bool:
        """
        Whether any 2xx would say that the client may speak another protocol, and not only a 101: it
        asks by HTTP/2 (RFC 8441 section 5, RFC 9110 section 9.3.6).
        """
        return self.session.isFramed and bool(self.request.upgrade)

    @property
    def isRefused(self) -> bool:
        """
        Whether the answer says that the request has failed.
        """
        return self._status >= 400

    @property
    def target(self) -> str:
        """
        Who answers, by the name of the target; empty: nobody just now.
        """
        return "" if self.link is None else self.link.target

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
        self._refusals = _REFUSALS
        if head[9:12] == b"100" and self._intake is not None:
            self._intake.invite()
        if self.request.minor:
            self.session.inform(head)
        self.session.progress()

    def answered(self, status: int) -> None:
        """
        The final answer has begun.
        """
        self._status = status
        if self._intake is not None:
            # A client may now stop sending (RFC 9112 section 9.5), and is not to lose the answer for it.
            self._intake.endPace()

    def answerWhole(self, response: Response, body: bytes) -> bool:
        """
        Answer a client that wants frames with what is here as a whole, as most answers are.

        @return: Whether that was all; otherwise somebody wants to see it, and it goes by an
            outlet.
        """
        if self._lenses is not None:
            return False
        self.answered(response.status)
        self.session.whole(response, body)
        return True

    def complete(self, size: int) -> None:
        """
        The answer has ended.

        @param size: Of its body, in bytes.
        """
        self._record(size)
        self.link = None
        self.session.exchanged(self._isKept and not self.left)

    def upstreamBroke(
        self, failure: UpstreamFailure, link: TargetHalf, isUntouched: bool, refused: bytes | None = None
    ) -> None:
        """
        There will be no answer, or no more of it.

        A request without a body that may be sent twice is, once: when it met a
        kept connection that the target most likely closed before it came, and
        else as far as the budget of its upstream allows.  Any request is, that the
        target has certainly not acted on, a few times: one that leaves, or whose connections carry so
        many requests each, refuses what comes too late, and the next connection may be just as late.

        @param link: That broke; closed.
        @param isUntouched: Whether it had not said a word in answer.
        @param refused: All that was sent, where the target said that it did not act on
            it.
        """
        self._sent = link.moved
        self.link = None
        upstream = self._upstream
        request = self.request
        isSafe = isUntouched and request.length == 0 and request.method in _IDEMPOTENT
        if refused is not None:
            self._refusals += 1
            mayRepeat = self._refusals <= _REFUSALS
            self._outgoing = refused
        else:
            mayRepeat = isSafe and not self._hasRetried
            self._hasRetried = True
        if mayRepeat and upstream is not None:
            session = self.session
            port = session.connection.port
            isStale = link.isReused or refused is not None
            self._attempt = upstream.repeat(port, link.target, isStale, self._connected, self)
            if self._attempt is not None:
                self.session.door.engine.repeated(link.target)
                return
        self._giveUp(failure)

    def detour(self, connect: Callable[[Callable[[TargetHalf | UpstreamFailure], None], Any], Any]) -> None:
        """
        The link cannot carry what is asked for, another protocol than HTTP.

        @param connect: Makes a connection to the same target that can; given what is to be
            called with it, and on whose behalf.
        """
        self.link = None
        self._attempt = connect(self._connected, self)

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
        self.link = None
        self._ended = ended
        self.session.tunnel(target, head, data, isHot, self._tunnelled, self._spell())

    @property
    def _isWebSocket(self) -> bool:
        return self.request.upgrade.lower() == b"websocket"

    def _spell(self) -> Spell:
        timeouts = self.session.door.engine.timeouts
        return spellOf(self._prepared.route, timeouts, isWebSocket=self._isWebSocket)

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
        if self.link is not None:
            self.session.progress()
            self.link.download()
        elif self._outlet is not None:
            self._outlet.flushed()

    def stalled(self) -> None:
        """
        Nothing has moved for too long.
        """
        link = self.link
        if self._status:
            self.breakOff()
        elif self._intake is not None and self._intake.isDue:
            self.unlink()
            self.refuse(408, "the request body did not arrive in time")
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
            self.clientLeft()

    def clientLeft(self) -> None:
        """
        The client's connection has ended where it must not.
        """
        self.breakOff(_CLIENT_LEFT)

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
        link, self.link = self.link, None
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

    def upload(self) -> None:
        """
        Pass on more of the request's body while the target takes it.
        """
        if self._intake is not None:
            self._intake.upload()

    # Connecting.

    def _connected(self, outcome: TargetHalf | UpstreamFailure) -> None:
        self._attempt = None
        if isinstance(outcome, UpstreamFailure):
            self._giveUp(outcome)
            return
        self.link = outcome
        self.session.progress()
        outcome.begin(self, self._outgoing)
        self.upload()

    # Endings.

    def _giveUp(self, failure: UpstreamFailure) -> None:
        self.session.door.engine.upstreamFailed(self._prepared.route, failure)
        if self._status:
            # The answer has begun: only a broken connection can say that it is not whole.
            self.breakOff()
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

    def refuse(self, status: int, reason: str) -> None:
        """
        Answer a request that turned out bad, and close.
        """
        session = self.session
        session.door.engine.refused(status, reason, session.connection)
        if self._status:
            self.breakOff()
            return
        if self._lenses is not None:
            self._isKept = False
            code, fields, body = plainAnswer(status)
            self.respond(code, fields + self._identity(), body)
            return
        self._status = status
        self._record(session.writeRefusal(status, self._identity()))
        session.exchanged(False)

    def breakOff(self, status: int = 0) -> None:
        """
        Break the connection: the answer will not be whole.

        @param status: What the access record is to say, if not the status of
            the answer that had begun.
        """
        if status:
            self._status = status
        self.session.drop()

    def _record(self, size: int) -> None:
        if self.isOver:
            return
        self.isOver = True
        if self._intake is not None:
            self._intake.end()
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
        if self._onEnd is not None:
            guard = session.door.engine.poller.guard
            for then in self._onEnd:
                guard(then, None)
