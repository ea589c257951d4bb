"""
A link is a connection to a target that carries one HTTP exchange after the
other: the upstream half of every forwarded request.

It sends what its exchange hands over, reads the answer's head strictly, follows
the framing of the body to its last byte, and passes everything on as it came
but for hop-by-hop fields; long bodies of known length are spliced.  It reads
only while the client has taken what it was given before.  When an answer ends
cleanly the link goes back to where it was borrowed; when anything is doubtful (a
byte too many, an end too early, a body that was not fully sent) it is closed.

This is hot: C{ready} runs once for each answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..facts import AnswerHead
from ..values import dataclass
from ..wire.downgrade import isAcceptedBy
from ..wire.http1 import CHUNKED, UNTIL_CLOSE, BadMessage, Chunks, Response, unframed, withoutChunks
from .patience import MUCH, Patient
from .poller import ENDED, READABLE
from .wires import READ, PlainWire

if TYPE_CHECKING:
    from collections.abc import Callable

    from .exchange import Exchange
    from .outlet import Outlet
    from .poller import Poller
    from .wires import Wire

__all__ = ["BULK", "Lender", "Link", "UpstreamFailure"]

#: With more than this to come of a body of known length it is spliced, in bytes.
BULK = 1 << 18
# With less to come it is not waited for until much has come.
_ENOUGH = BULK + 2 * MUCH
# So many reads at a time before the other connections have their turn.
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class UpstreamFailure:
    """
    Why there is no link, or no answer.

    @ivar reason: For the log: which target, and what it did.
    @ivar isTimeout: It did nothing in time (504 rather than 502).
    @ivar isBusy: It has as many connections as it may have (503).
    """

    reason: str
    isTimeout: bool = False
    isBusy: bool = False


class Lender(Protocol):
    """
    Where a link was borrowed.

    @ivar requests: How many were sent there.
    """

    requests: int

    def giveBack(self, link: Link) -> None:
        """
        Take back a link that is good for another request.
        """

    def retire(self, link: Link) -> None:
        """
        Close a link that has given a whole answer, but is good for no other.
        """

    def erred(self, status: int) -> None:
        """
        Called before L{giveBack} or L{retire} where the whole answer was an error of the target's.

        @param status: 400..599.
        """

    def failed(self, reason: str) -> None:
        """
        A link did not give the answer that it should.
        """

    def lost(self, link: Link) -> None:
        """
        A link has been closed, whether it was lent or kept.
        """

    def released(self, link: Link) -> Callable[[], None] | None:
        """
        A link has given up its wire, which goes on as a tunnel.

        @return: What is to be called when that has ended, if anything.
        """


class Link:
    """
    @ivar wire: The connection; owned.
    @ivar target: Which target this is, for logs and for the lender.
    @ivar exchange: Whose request it carries; L{None} while it is kept.
    @ivar isHot: Whether there may be something to read for which no event will
        come.
    @ivar moved: Bytes of the present answer's body that were passed on.
    @ivar isReused: Whether it has carried a request before this one.
    @ivar deadline: Of being kept, for the poller; that of an exchange is its
        session's.
    """

    __slots__ = (
        "_chunks",
        "_hasSurplus",
        "_head",
        "_left",
        "_lender",
        "_outlet",
        "_patient",
        "_payload",
        "_poller",
        "_response",
        "deadline",
        "exchange",
        "isHot",
        "isReused",
        "moved",
        "target",
        "wire",
    )

    def __init__(self, poller: Poller, wire: Wire, lender: Lender, target: str, isHot: bool) -> None:
        """
        @param wire: Registered with the poller; its events come here from now
            on.
        @param isHot: Whether it may have something to read for which no event
            will come.
        """
        self._poller = poller
        self._lender = lender
        self.wire = wire
        self.target = target
        self.exchange: Exchange | None = None
        self.isReused = False
        self.deadline = float("inf")
        self._head = b""
        self._response: Response | None = None
        self._left = 0
        self.moved = 0
        self._chunks: Chunks | None = None
        # For a client that knows no chunks: what they contain.
        self._payload: list[bytes] | None = None
        # Where the body goes when somebody looks at it on its way.
        self._outlet: Outlet | None = None
        self._patient: Patient | None = None
        self.isHot = isHot
        self._hasSurplus = False
        poller.handlers[wire.fd] = self.ready
        poller.mortals[self] = None

    @property
    def busy(self) -> int:
        """
        How many exchanges it carries.
        """
        return int(self.exchange is not None)

    def begin(self, exchange: Exchange, data: bytes) -> None:
        """
        Carry an exchange.

        @param exchange: Whom the answer is for.
        @param data: The request's head, and as much of its body as there is.
        """
        self.exchange = exchange
        self._response = None
        self._head = b""
        self._outlet = None
        self.moved = 0
        self._lender.requests += 1
        self.wire.write(data)

    def release(self) -> Wire:
        """
        Give up the wire, to be used for something other than HTTP.  Its
        handler at the poller is the caller's to replace.
        """
        self.exchange = None
        self._poller.mortals.pop(self, None)
        return self.wire

    def ready(self, event: int) -> None:
        """
        Something has come, or can be sent.
        """
        if event & READABLE:
            self.isHot = True
            if event & ENDED:
                self.wire.isEnding = True
        exchange = self.exchange
        wire = self.wire
        if exchange is None:
            if self.isHot:
                self._idleEvent()
            return
        if wire.pending and wire.flush():
            exchange.upload()
        if self.isHot and self.exchange is exchange:
            self.download()

    def _idleEvent(self) -> None:
        """
        A kept link has nothing to say: this is its end, or an answer to a
        question that was never asked.
        """
        try:
            self.wire.recv(READ)
        except BlockingIOError:
            self.isHot = False
            return
        except OSError:
            pass
        self.close()

    def expire(self) -> None:
        """
        It was kept for long enough.
        """
        self.close()

    def download(self) -> None:
        """
        Pass on the answer while there is one and the client takes it.
        """
        exchange = self.exchange
        if exchange is None:
            return
        client = exchange.session.wire
        recv = self.wire.recv
        for _ in range(_ROUNDS):
            if client.pending or not self.isHot:
                return
            if (
                self._left > BULK
                and self._outlet is None
                and isinstance(client, PlainWire)
                and isinstance(self.wire, PlainWire)
            ):
                moved = self._splice(exchange, client)
                if not moved:
                    return
                if moved > 0:
                    continue
            try:
                data = recv(READ)
            except BlockingIOError:
                self.isHot = False
                return
            except OSError as error:
                self._broke(error.strerror or "the connection broke")
                return
            if not data:
                self.isHot = False
                self._ended()
                return
            if len(data) < READ and self.wire.isShort and not self.wire.isEnding:
                self.isHot = False
            if self._response is None:
                self._readHead(data)
            else:
                self._passBody(data)
            if self.exchange is not exchange:
                return
        self._poller.later(self.download)

    def _splice(self, exchange: Exchange, client: PlainWire) -> int:
        """
        Pass on a piece of a long body, without looking at it.

        @return: How much; 0 when there is no more for now; -1 when it has to
            be copied.
        """
        try:
            moved = client.take(self.wire.fd, exchange.session.door.engine.pipes, self._left - 1)
        except BlockingIOError:
            self.isHot = False
            return 0
        except OSError as error:
            self._broke(error.strerror or "the connection broke")
            return 0
        if moved > 0:
            self._left -= moved
            self.moved += moved
            exchange.session.progress()
            patient = self._patient
            if patient is None:
                patience = exchange.session.door.engine.patience
                patient = self._patient = Patient(patience, self.wire.sock, self.look, self)
            if client.pending:
                patient.rest()
            elif self._left < _ENOUGH:
                patient.end()
            elif moved >= READ:
                patient.flow()
        elif moved == 0:
            self.isHot = False
            self._ended()
        return moved

    def look(self) -> bool:
        """
        See L{Patient}.
        """
        exchange = self.exchange
        if self.isHot or exchange is None or exchange.session.wire.pending:
            return True
        before = self.moved
        self.isHot = True
        self.download()
        return self.exchange is not exchange or self.moved > before

    def _readHead(self, data: bytes) -> None:
        exchange = self.exchange
        assert exchange is not None
        if self._head:
            data = self._head + data
            self._head = b""
        while True:
            try:
                parsed = exchange.session.door.engine.recall.read(data, exchange.request.method)
            except BadMessage as bad:
                self._fail(bad.reason)
                return
            if parsed is None:
                self._head = data
                return
            response, end = parsed
            data = data[end:] if end < len(data) else b""
            if response.status >= 200:
                break
            if response.status == 101:
                self._upgrade(response, data)
                return
            exchange.inform(response.head)
            if not data:
                return
        self._response = response
        self._beginBody(exchange, response, data)

    def _beginBody(self, exchange: Exchange, response: Response, data: bytes) -> None:
        length = response.length
        size = len(data)
        self._hasSurplus = False
        if exchange.isSeen:
            self._beginOutlet(exchange, response, data)
            return
        if length == CHUNKED:
            self._beginChunks(exchange, response, data)
            return
        head = response.head + exchange.connectionField(length)
        if 0 <= length <= size:
            # The whole answer is here, as most are.
            if size > length:
                self._hasSurplus = True
                data = data[:length]
            exchange.answered(response.status)
            exchange.session.wire.write(head + data)
            self.moved = length
            self._complete()
            return
        exchange.answered(response.status)
        self._beginRest(exchange, length, head, data)

    def _beginChunks(self, exchange: Exchange, response: Response, data: bytes) -> None:
        self._chunks = Chunks()
        if exchange.request.minor:
            self._payload = None
            head = response.head + exchange.connectionField(CHUNKED)
        else:
            # HTTP/1.0 knows no chunks (RFC 9112 section 6.1): the body goes on without, and ends with the
            # connection.
            self._payload = []
            head = withoutChunks(response.head) + exchange.connectionField(UNTIL_CLOSE)
        exchange.answered(response.status)
        self._beginRest(exchange, CHUNKED, head, data)

    def _beginOutlet(self, exchange: Exchange, response: Response, data: bytes) -> None:
        """
        Let somebody look at the answer on its way, which is without chunks there.
        """
        if response.status < 300 and exchange.awaitsConsent:
            self._disregard(exchange, response)
            return
        length = response.length
        if 0 <= length <= len(data):
            if len(data) > length:
                self._hasSurplus = True
                data = data[:length]
            if exchange.answerWhole(response, data):
                self.moved = length
                self._complete()
                return
        fields, announced = unframed(response.head)
        if length == CHUNKED:
            self._chunks = Chunks()
            self._payload = []
            announced = None
        self._outlet = exchange.open(AnswerHead(response.status, fields, announced))
        self._left = length
        if data or not length:
            self._passBody(data)

    def _beginRest(self, exchange: Exchange, length: int, head: bytes, data: bytes) -> None:
        """
        Pass on the head of an answer that is not here as a whole.
        """
        self._left = length
        if data:
            self._passBody(data, head)
        else:
            exchange.session.wire.write(head)
            exchange.session.progress()

    def _passBody(self, data: bytes, head: bytes = b"") -> None:
        exchange = self.exchange
        assert exchange is not None
        left = self._left
        if left > 0:
            if len(data) > left:
                self._hasSurplus = True
                data = data[:left]
            self._left = left = left - len(data)
        elif left == CHUNKED:
            assert self._chunks is not None
            try:
                used = self._chunks.feed(data, self._payload)
            except BadMessage as bad:
                self._fail("in its body: " + bad.reason)
                return
            if self._chunks.isDone:
                if used < len(data):
                    self._hasSurplus = True
                    data = data[:used]
                left = 0
            if self._payload is not None:
                data = b"".join(self._payload)
                self._payload.clear()
        self.moved += len(data)
        if self._outlet is None:
            exchange.session.wire.write(head + data if head else data)
        else:
            self._outlet.write(data)
            if self.exchange is not exchange:
                return
        if left == 0:
            self._complete()
        else:
            exchange.session.progress()

    def _complete(self) -> None:
        """
        The answer has ended; go home, or close.
        """
        exchange = self.exchange
        response = self._response
        assert exchange is not None and response is not None
        outlet = self._outlet
        chunks = self._chunks
        self.exchange = self._response = self._chunks = self._payload = self._outlet = None
        if response.status >= 400:
            self._lender.erred(response.status)
        if (
            response.keepAlive
            and exchange.request.minor  # a target that was asked in HTTP/1.0 is about to close
            and not self._hasSurplus
            and not self.wire.isEnding
            and not exchange.left
            and not self.wire.pending
            and not self.wire.isBroken
        ):
            self.isReused = True
            self._lender.giveBack(self)
        else:
            self._lender.retire(self)
        if outlet is None:
            exchange.complete(self.moved)
        else:
            if chunks is not None and chunks.trailers:
                outlet.follow(chunks.trailers)
            outlet.finish()

    def _upgrade(self, response: Response, data: bytes) -> None:
        exchange = self.exchange
        assert exchange is not None
        wanted = exchange.request.upgrade
        if not wanted or response.upgrade.lower() != wanted.lower():
            self._fail("it changed to a protocol that was not asked for")
            return
        if exchange.awaitsConsent and not isAcceptedBy(exchange.request.fields, response.head):
            # The handshake is ours (RFC 8441 section 5), so it is for nobody else to see that it fits.
            self._fail("it agreed to a WebSocket by another key than it was sent")
            return
        head = response.head + b"Connection: Upgrade\r\nUpgrade: " + response.upgrade + b"\r\n\r\n"
        exchange.becomeTunnel(self.release(), head, data, self.isHot, self._lender.released(self))

    def _disregard(self, exchange: Exchange, response: Response) -> None:
        """
        The target has answered as if it had not been asked for another protocol, which is right by
        HTTP/1.1 (RFC 9110 section 7.8) and no fault of its own; but the client would take it for
        agreement, and the body for words of that protocol.
        """
        self.exchange = self._response = None
        self._lender.retire(self)
        reason = f"{self.target}: it answered {response.status}, and did not change the protocol"
        exchange.upstreamBroke(UpstreamFailure(reason), self, False)

    def _ended(self) -> None:
        """
        The target has closed its side.
        """
        if self._response is not None and self._left == UNTIL_CLOSE and not self.wire.isTruncated:
            self._complete()
        else:
            self._broke("the connection was closed before the answer had ended")

    def _broke(self, reason: str) -> None:
        exchange = self.exchange
        assert exchange is not None
        isUntouched = self._response is None and not self._head
        self.exchange = None
        self.close()
        if not (self.isReused and isUntouched):
            self._lender.failed(reason)
        exchange.upstreamBroke(UpstreamFailure(f"{self.target}: {reason}"), self, isUntouched)

    def _fail(self, reason: str) -> None:
        """
        The answer is not one that may be handed on.
        """
        exchange = self.exchange
        assert exchange is not None
        self.exchange = None
        self.close()
        self._lender.failed(reason)
        exchange.upstreamBroke(UpstreamFailure(f"{self.target}: {reason}"), self, False)

    def blame(self, reason: str) -> None:
        """
        Whoever waits for the answer has given up.
        """
        self._lender.failed(reason)

    def close(self) -> None:
        """
        Close the connection.  The exchange, if any, is not told.
        """
        self.exchange = None
        if self._patient is not None:
            self._patient.rest()
        if self in self._poller.mortals:
            del self._poller.mortals[self]
            self._poller.forget(self.wire.fd)
            self.wire.close()
            self._lender.lost(self)

    def crash(self) -> None:
        """
        A bug: end the exchange too.
        """
        exchange, self.exchange = self.exchange, None
        self.close()
        if exchange is not None:
            exchange.session.crash()
