"""
A session is a client connection that speaks HTTP/1: the client half of every
exchange.

It reads one head at a time, has it routed, and lends itself to the action of
the route as an exchange (L{IExchange}): answer from here, or forward.  While an
exchange is under way it reads no further than the end of that request's body,
so pipelined requests wait in the kernel and are answered in order.  Everything
that was refused is answered before the connection closes, and the close lingers
a moment, so that an answer is not destroyed by bytes that were still coming.

One deadline at a time governs it: the head's (absolute), an exchange's (moved by
progress in either direction), or that of waiting for the next request.

This is hot.  A head that was seen before, byte for byte, is not parsed again:
the door keeps a bounded memo of what heads without cookies and credentials came
to (clients that keep a connection alive mostly repeat themselves).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..facts import RequestFacts
from ..interfaces import IExchange, IUpstream
from ..wire.http1 import CHUNKED, UNTIL_CLOSE, BadMessage, Chunks
from .answers import plainAnswer, statusLine
from .link import BULK, Link, UpstreamFailure
from .poller import BROKEN, ENDED, READABLE, WRITABLE
from .tunnel import Tunnel
from .wires import READ, PlainWire, isConnected

if TYPE_CHECKING:
    from ..facts import ConnectionFacts
    from ..wire.http1 import Request
    from .door import Door, Prepared
    from .wires import Wire

__all__ = ["Session"]

# The life of a session.
_READING, _ANSWERING, _CLOSING, _LINGERING, _GONE = range(5)

# Pipelined requests answered, or pieces of a body passed on, at a time before others have their turn.
_ROUNDS = 16
# How long a close lingers, in seconds, and how much it reads and drops meanwhile, in bytes.
_LINGER = 2.0
_LINGER_BYTES = 1 << 20

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))


@implementer(IExchange)
class Session:
    """
    @ivar wire: The client's connection; owned.
    @ivar facts_: What is known of the connection.
    @ivar request: The one that is being answered, or was last.
    @ivar left: Of its body, what has not been read: bytes, or
        L{CHUNKED<smartproxy_tw.wire.http1.CHUNKED>}.
    @ivar deadline: For the poller.
    """

    __slots__ = (
        "_attempt",
        "_buffer",
        "_chunks",
        "_client",
        "_discarded",
        "_hasRetried",
        "_isEnded",
        "_isHot",
        "_isHungry",
        "_isKept",
        "_isLooping",
        "_link",
        "_marks",
        "_outgoing",
        "_port",
        "_prepared",
        "_started",
        "_state",
        "_status",
        "_upstream",
        "connection",
        "deadline",
        "door",
        "left",
        "request",
        "wire",
    )

    request: Request
    _prepared: Prepared

    def __init__(self, door: Door, wire: Wire, connection: ConnectionFacts) -> None:
        """
        Take over a wire that is registered with the poller, and read.

        @param door: Where it came in.
        """
        self.door = door
        self.wire = wire
        self.connection = connection
        self.left = 0
        self._buffer = b""
        self._isHungry = True
        self._isHot = True
        self._isEnded = self._isLooping = self._hasRetried = False
        self._isKept = True
        self._state = _READING
        self._link: Link | None = None
        self._attempt: object | None = None
        self._upstream: IUpstream | None = None
        self._chunks: Chunks | None = None
        self._client = connection.client.host
        self._marks = b""
        self._outgoing = b""
        self._status = self._discarded = 0
        engine = door.engine
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
            self._isHot = True
            if event & ENDED:
                self._isEnded = True
            if event & BROKEN and self._state is _ANSWERING:
                self._lookForReset()
        wire = self.wire
        if wire.pending:
            if wire.flush():
                self._flushed()
            elif event & WRITABLE:
                self.progress()
        if self._isHot or self._buffer:
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
            if self.left:
                self.upload()
        elif state is _LINGERING:
            self._discard()

    def expire(self) -> None:
        """
        The deadline has passed.
        """
        if self._state is _ANSWERING:
            self._stalled()
        elif self.wire.pending:
            # An answer that is not whole must not look as if it were.
            self._drop()
        elif self._state is _READING and self._buffer:
            self._refuse(408, "the request head did not arrive in time")
        else:
            self.close()

    def crash(self) -> None:
        """
        A bug: end the connection.
        """
        self._drop()

    # Reading heads.

    def _readHeads(self) -> None:
        """
        Answer requests until one takes its time or nothing more has come.
        """
        self._isLooping = True
        for _ in range(_ROUNDS):
            data = self._buffer
            if self._isHungry or not data:
                more = self._hear()
                if not more:
                    break
                data = data + more if data else more
            prepared = self.door.memo.get(data)
            if prepared is None or prepared.serverName != self.connection.serverName:
                prepared = self._understand(data)
                if prepared is None:
                    if self._state is _READING and self._isHungry and self._isHot:
                        continue
                    break
            else:
                self._buffer = b""
            self._isHungry = False
            self._begin(prepared)
            if self._state is not _READING or self.wire.pending:
                break
        else:
            self.door.engine.poller.later(self.pump)
        self._isLooping = False

    def _hear(self) -> bytes:
        """
        Read once.

        @return: What came; nothing when nothing did, or the connection is gone.
        """
        if not self._isHot:
            return b""
        try:
            data = self.wire.recv(READ)
        except BlockingIOError:
            self._isHot = False
            return b""
        except OSError:
            self._drop()
            return b""
        if not data:
            self._isHot = False
            self.close()
        elif len(data) < READ and self.wire.isShort and not self._isEnded:
            self._isHot = False
        return data

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
            prepared = door.understand(data, self.connection)
        except BadMessage as bad:
            self._buffer = data
            self._refuse(bad.status, bad.reason)
            return None
        if prepared is None:
            if not self._isHungry:
                # Absolute: from the head's first bytes, and of the first one from the beginning.
                self._isHungry = True
                self.deadline = door.engine.poller.now + door.engine.timeouts.head
            self._buffer = data
            return None
        self._buffer = data[len(prepared.request.raw) :]
        return prepared

    def _begin(self, prepared: Prepared) -> None:
        engine = self.door.engine
        self._state = _ANSWERING
        self._prepared = prepared
        self.request = request = prepared.request
        self.left = request.length
        if self.left == CHUNKED:
            self._chunks = Chunks()
        self._isKept = request.keepAlive and not engine.isDraining
        self._hasRetried = False
        self._started = now = engine.poller.now
        self.deadline = now + engine.timeouts.idle
        try:
            prepared.action.request(self)
        except Exception:
            engine.poller.crashed(prepared.action.request, self)

    # What an action asks for: IExchange.

    def facts(self) -> RequestFacts:
        """
        See L{IExchange}.
        """
        return self._prepared.facts(self.connection)

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """
        See L{IExchange}.
        """
        request = self.request
        self._skipBody()
        head = statusLine(status) + self.door.engine.dateLine() + fields
        if status != 204 and status != 304:
            head += b"Content-Length: %d\r\n" % len(body)
        else:
            body = b""
        if request.method == b"HEAD":
            body = b""
        self._status = status
        self.wire.write(head + self.connectionField(0) + body)
        self.complete(len(body))

    def forward(self, upstream: IUpstream) -> None:
        """
        See L{IExchange}.
        """
        self._upstream = upstream
        try:
            body = self._takeBody() if self.left and self._buffer else b""
        except BadMessage as bad:
            self._refuse(bad.status, bad.reason)
            return
        prepared = self._prepared
        outgoing = prepared.head + (self._marks or self._mark()) + b"\r\n"
        self._outgoing = outgoing + body if body else outgoing
        link = upstream.borrow(self.connection.port)
        if link is None:
            self._attempt = upstream.connect(self.connection.port, self._connected)
        else:
            self._link = link
            link.begin(self, self._outgoing)
            if self.left and self._isHot:
                self.upload()

    def abort(self) -> None:
        """
        See L{IExchange}.
        """
        self._record(0)
        self._drop()

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
        if self.request.minor:
            self.wire.write(head + b"\r\n")
        self.progress()

    def answered(self, status: int) -> None:
        """
        The final answer has begun.
        """
        self._status = status

    def progress(self) -> None:
        """
        Something moved.
        """
        self.deadline = self.door.engine.poller.now + self.door.engine.timeouts.idle

    def complete(self, size: int) -> None:
        """
        The answer has ended.

        @param size: Of its body, in bytes.
        """
        self._record(size)
        self._link = None
        self._upstream = None
        self._outgoing = b""
        # Whatever comes next may be refused with an answer of its own.
        self._status = 0
        if self.left or not self._isKept:
            self._closeSoon()
            return
        self._state = _READING
        self._chunks = None
        engine = self.door.engine
        self.deadline = engine.poller.now + engine.timeouts.idle
        if engine.isDraining:
            self._closeSoon()
        elif not self._isLooping and (self._buffer or self._isHot) and not self.wire.pending:
            self._readHeads()

    def upstreamBroke(self, failure: UpstreamFailure, isSafeToRepeat: bool) -> None:
        """
        There will be no answer, or no more of it.

        @param isSafeToRepeat: Whether it was a kept connection that had not
            said a word, so that the target most likely closed it before the
            request came.
        """
        self._link = None
        upstream = self._upstream
        request = self.request
        if (
            isSafeToRepeat
            and not self._hasRetried
            and upstream is not None
            and request.length == 0
            and request.method in _IDEMPOTENT
        ):
            self._hasRetried = True
            self._attempt = upstream.connect(self.connection.port, self._connected)
            return
        self._giveUp(failure)

    def becomeTunnel(self, link_: Wire, head: bytes, data: bytes, isHot: bool) -> None:
        """
        The target agreed to speak another protocol: pass bytes from now on.

        @param link_: The wire of the target.
        @param head: The answer that says so.
        @param data: What the target has said already.
        @param isHot: Whether it may have said more.
        """
        self._status = 101
        engine = self.door.engine
        wire = self.wire
        wire.write(head + data)
        early, self._buffer = self._buffer, b""
        self._state = _GONE
        self._link = None
        engine.leave(self)
        Tunnel(engine, wire, link_, early, self._isHot or self._isEnded, isHot, self._tunnelled)

    def _tunnelled(self, sent: int, received: int) -> None:
        self._record(received)

    # Bodies.

    def upload(self) -> None:
        """
        Pass on more of the request's body while the target takes it.
        """
        link = self._link
        for _ in range(_ROUNDS):
            if not self.left or link is None or self._link is not link or link.wire.pending:
                return
            if not self._buffer:
                if not self._isHot:
                    return
                if self.left > BULK:
                    moved = self._splice(link)
                    if moved > 0:
                        continue
                    if moved == 0:
                        return
                self._buffer = self._hearBody()
                if not self._buffer:
                    return
            try:
                data = self._takeBody()
            except BadMessage as bad:
                self._unlink()
                self._refuse(bad.status, bad.reason)
                return
            link.wire.write(data)
            self.progress()
        self.door.engine.poller.later(self.upload)

    def _splice(self, link: Link) -> int:
        """
        Pass on a piece of a long body, without looking at it.

        @return: How much; 0 when there is no more for now; -1 when it has to
            be copied.
        """
        sink = link.wire
        if not (isinstance(sink, PlainWire) and isinstance(self.wire, PlainWire)):
            return -1
        try:
            moved = sink.take(self.wire.fd, self.door.engine.pipes, self.left - 1)
        except BlockingIOError:
            self._isHot = False
            return 0
        except OSError:
            moved = 0
        if moved > 0:
            self.left -= moved
            self.progress()
        elif moved == 0:
            self._clientLeft()
        return moved

    def _clientLeft(self) -> None:
        """
        The client left in the middle of its body: so does the upstream half.
        """
        self._record(0, 499)
        self._drop()

    def _hearBody(self) -> bytes:
        try:
            data = self.wire.recv(READ)
        except BlockingIOError:
            self._isHot = False
            return b""
        except OSError:
            data = b""
        if not data:
            self._clientLeft()
        elif len(data) < READ and self.wire.isShort and not self._isEnded:
            self._isHot = False
        return data

    def _takeBody(self) -> bytes:
        """
        Cut what belongs to the body off what was read.
        """
        data = self._buffer
        if self.left == CHUNKED:
            assert self._chunks is not None
            used = self._chunks.feed(data)
            if self._chunks.isDone:
                self.left = 0
        else:
            used = min(self.left, len(data))
            self.left -= used
        self._buffer = data[used:]
        return data[:used]

    def _skipBody(self) -> None:
        """
        Drop what has come of a body that nobody wants.
        """
        if self.left and self._buffer:
            try:
                self._takeBody()
            except BadMessage:
                self._buffer = b""

    # Connecting.

    def _connected(self, outcome: Link | UpstreamFailure) -> None:
        self._attempt = None
        if isinstance(outcome, UpstreamFailure):
            self._giveUp(outcome)
            return
        self._link = outcome
        self.progress()
        outcome.begin(self, self._outgoing)
        self.upload()

    def _mark(self) -> bytes:
        """
        The forwarding fields that are the same for each request on this
        connection; with a trusted peer they are not.
        """
        engine = self.door.engine
        if engine.trusts(self._client):
            return self._prepared.trustedMarks(self.connection)
        connection = self.connection
        self._marks = marks = (
            f"X-Forwarded-For: {self._client}\r\nX-Real-IP: {self._client}\r\n"
            f"X-Forwarded-Proto: {'https' if connection.isTLS else 'http'}\r\n"
            f"X-Forwarded-Port: {connection.port}\r\n"
        ).encode()
        return marks

    # Endings.

    def _giveUp(self, failure: UpstreamFailure) -> None:
        engine = self.door.engine
        engine.upstreamFailed(self._prepared.route, failure)
        if self._status:
            # The answer has begun: only a broken connection can say that it is not whole.
            self._record(0)
            self._drop()
        else:
            self.respond(*plainAnswer(504 if failure.isTimeout else 502))

    def _stalled(self) -> None:
        if self.wire.pending or self._status:
            self._record(0)
            self._drop()
        elif self.left and self._link is not None and not self._link.wire.pending:
            self._unlink()
            self._refuse(408, "the request body did not arrive in time")
        else:
            self._unlink()
            self._giveUp(UpstreamFailure("no answer in time", True))

    def _refuse(self, status: int, reason: str) -> None:
        """
        Answer what cannot be served, and close.
        """
        engine = self.door.engine
        engine.refused(status, reason, self.connection)
        if self._status:
            self._record(0)
            self._drop()
            return
        self._isKept = False
        self._status = status
        code, fields, body = plainAnswer(status)
        self.wire.write(
            statusLine(code)
            + engine.dateLine()
            + fields
            + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
            + body
        )
        if self._state is _ANSWERING:
            self._record(len(body))
        else:
            engine.recordRefusal(self._client, self._buffer, status, len(body))
        self._closeSoon()

    def _record(self, size: int, status: int | None = None) -> None:
        self.door.engine.record(self._prepared, self._client, self._started, status or self._status, size)

    def _lookForReset(self) -> None:
        """
        The kernel says that the connection broke.  Reading would not tell
        where an end was read before it, or a write has had the error.
        """
        if not isConnected(self.wire.sock):
            self._record(0, 499)
            self._drop()

    def _flushed(self) -> None:
        if self._state is _ANSWERING:
            if self._link is not None:
                self.progress()
                self._link.download()
        elif self._state is _CLOSING:
            self._linger()

    def _closeSoon(self) -> None:
        self._state = _CLOSING
        self.progress()
        if not self.wire.pending:
            self._linger()

    def _linger(self) -> None:
        """
        Everything has gone to the kernel; wait until the client has had it.
        """
        self._state = _LINGERING
        self._buffer = b""
        self.deadline = self.door.engine.poller.now + _LINGER
        self.wire.finish()
        if self._isHot:
            self._discard()

    def _discard(self) -> None:
        while self._discarded < _LINGER_BYTES:
            try:
                data = self.wire.recv(READ)
            except BlockingIOError:
                self._isHot = False
                return
            except OSError:
                break
            if not data:
                break
            self._discarded += len(data)
        self.close()

    def _unlink(self) -> None:
        """
        Let go of the upstream half.
        """
        link, self._link = self._link, None
        attempt, self._attempt = self._attempt, None
        if link is not None:
            link.close()
        if attempt is not None:
            attempt.cancel()  # type: ignore[attr-defined]

    def close(self) -> None:
        """
        Close an idle or answered connection.
        """
        if self._state is not _GONE:
            self._leave()
            self.wire.close()

    def _drop(self) -> None:
        """
        Break the connection, and everything that hangs on it.
        """
        if self._state is not _GONE:
            self._leave()
            self.wire.reset()

    def _leave(self) -> None:
        self._state = _GONE
        self._unlink()
        engine = self.door.engine
        engine.leave(self)
        engine.poller.forget(self.wire.fd)

    def drain(self) -> None:
        """
        Take no further request; what is idle closes now.
        """
        if self._state is _READING and not self._buffer:
            self._closeSoon() if self.wire.pending else self.close()
        else:
            self._isKept = False

