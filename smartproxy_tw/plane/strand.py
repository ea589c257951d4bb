"""
A strand is one stream of a connection to a target that carries many (HTTP/2): for an
exchange what a L{Link<smartproxy_tw.plane.link.Link>} is, which has a connection of its
own.

The request goes out by a L{Dispatch<smartproxy_tw.plane.dispatch.Dispatch>}.  An answer goes
to the client as a whole where it is there as a whole, as most are, and otherwise by an
outlet.  The target is given credit for what the client has taken, so it waits for a slow
client, and no other strand waits with it: what is held here is at most the window of one
stream.

This is hot: one is made for each exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts import AnswerHead
from ..wire.downgrade import Malformed, trailersOf
from ..wire.frames import CANCEL, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, nameOf
from ..wire.http1 import UNTIL_CLOSE, BadMessage, unframed
from .bridge import Bridge
from .dispatch import Dispatch
from .link import UpstreamFailure

if TYPE_CHECKING:
    import socket

    from ..wire.events import Fields
    from ..wire.http1 import Response
    from .exchange import Exchange
    from .outlet import Outlet
    from .trunk import Trunk

__all__ = ["Strand"]


class Strand:
    """
    @ivar trunk: The connection.
    @ivar number: Of its stream; 0 before there is one.
    @ivar exchange: Whose request it carries.
    @ivar pending: Whether a request's body has to wait for the target.
    @ivar target: See L{TargetHalf<smartproxy_tw.plane.half.TargetHalf>}; as the others.
    """

    __slots__ = (
        "_bridge",
        "_dispatch",
        "_hasEnded",
        "_hasInformed",
        "_outlet",
        "_owed",
        "_queue",
        "_response",
        "_trailers",
        "deadline",
        "exchange",
        "isReused",
        "moved",
        "number",
        "pending",
        "target",
        "trunk",
    )

    def __init__(self, trunk: Trunk, target: str) -> None:
        self.trunk = trunk
        self.target = target
        self.number = 0
        self.exchange: Exchange | None = None
        self.pending = self.isReused = False
        self.moved = 0
        self.deadline = float("inf")
        self._dispatch: Dispatch | None = None
        # Of the answer: its head, where it goes, what waits for the client, what of that the target is owed.
        self._response: Response | None = None
        self._outlet: Outlet | None = None
        self._queue: list[bytes] = []
        self._owed = 0
        self._trailers = b""
        self._hasEnded = self._hasInformed = False
        self._bridge: Bridge | None = None

    @property
    def isStale(self) -> bool:
        """
        Whether the target most likely closed its connection before the request came.
        """
        return self.isReused and self._response is None and not self._hasInformed

    @property
    def hasEnded(self) -> bool:
        """
        Whether the target has said everything.
        """
        return self._hasEnded

    # What the exchange says.

    @property
    def wire(self) -> Strand:
        """
        What stands for the connection.
        """
        return self

    @property
    def sock(self) -> socket.socket:
        """
        That of the connection.
        """
        return self.trunk.wire.sock

    def begin(self, exchange: Exchange, data: bytes) -> None:
        """
        See L{TargetHalf<smartproxy_tw.plane.half.TargetHalf>}.
        """
        self.exchange = exchange
        self._dispatch = dispatch = Dispatch(self, data)
        if exchange.request.upgrade:
            self.trunk.whenSettled(self)
        else:
            dispatch.begin(data, exchange.request)

    def settled(self) -> None:
        """
        Now it is known whether the target takes what is no request of HTTP.
        """
        exchange = self.exchange
        if exchange is None:
            return
        trunk = self.trunk
        upgrade = exchange.request.upgrade
        if not trunk.session.allowsConnect or upgrade.lower() != b"websocket" or exchange.request.length:
            self.exchange = None
            trunk.departed(self)
            exchange.detour(trunk.keeper.detour)
            return
        assert self._dispatch is not None
        self._bridge = Bridge(self, exchange)
        self._dispatch.change(upgrade)

    def write(self, data: bytes) -> bool:
        """
        Send more of the request's body.

        @param data: As HTTP/1 has it.
        @return: Whether more may follow at once.
        """
        assert self._dispatch is not None
        self._dispatch.write(data)
        return not self.pending

    def say(self, data: bytes, isEnd: bool) -> None:
        """
        Send bytes of a tunnel.
        """
        trunk = self.trunk
        if not trunk.session.data(self.number, data, isEnd):
            self.pending = True
        trunk.touch()

    def download(self) -> None:
        """
        See L{TargetHalf<smartproxy_tw.plane.half.TargetHalf>}.
        """
        exchange = self.exchange
        if exchange is None:
            return
        if self._queue:
            data = b"".join(self._queue)
            self._queue.clear()
            self._pass(exchange, data, self._hasEnded)
        self.repay()

    def blame(self, reason: str) -> None:
        """
        See L{TargetHalf<smartproxy_tw.plane.half.TargetHalf>}.
        """
        self.trunk.keeper.failed(reason)

    def close(self) -> None:
        """
        See L{TargetHalf<smartproxy_tw.plane.half.TargetHalf>}.  One that has not begun
        takes its connection along, as soon as that carries nothing any more.
        """
        if self.number or self.exchange is not None:
            self._leave(CANCEL)
        else:
            self.trunk.retire()

    def crash(self) -> None:
        """
        A bug: end this one.
        """
        exchange = self.exchange
        self._leave(CANCEL)
        if exchange is not None:
            exchange.session.crash()

    # What the trunk says.

    def flushed(self) -> None:
        """
        The target has room again.
        """
        self.pending = False
        if self._bridge is not None:
            self._bridge.flushed()
        elif self.exchange is not None:
            self.exchange.upload()

    def answered(self, fields: Fields, isEnded: bool, isInterim: bool) -> None:
        """
        A head has come.
        """
        exchange = self.exchange
        if exchange is None:
            return
        try:
            response = self.trunk.understand(fields, exchange.request.method)
        except (Malformed, BadMessage) as why:
            self.trunk.session.reset(self.number, PROTOCOL_ERROR)
            self._broke(why.reason, True)
            return
        if isInterim:
            self._hasInformed = True
            exchange.inform(response.head)
            return
        if self._dispatch is not None:
            self._dispatch.kept = None
        self._response = response
        if self._bridge is not None and response.status < 300:
            self._cross(self._bridge, response, isEnded)
            return
        self._bridge = None
        if isEnded:
            self._hasEnded = True
            self._pass(exchange, b"", True)
        else:
            self.trunk.hold(self)

    def _cross(self, bridge: Bridge, response: Response, isEnded: bool) -> None:
        """
        The target has agreed to another protocol.
        """
        try:
            bridge.agreed(response)
        except OSError as error:
            self._bridge = self._response = None
            self._broke(error.strerror or "no sockets", False)
            return
        if isEnded:
            self._hasEnded = True
            bridge.take(b"", True)

    def data(self, data: bytes, credit: int, isEnded: bool) -> None:
        """
        A part of the answer's body has come.
        """
        self._hasEnded = isEnded
        self._owed += credit
        if self._bridge is not None:
            self._bridge.take(data, isEnded)
            return
        exchange = self.exchange
        if exchange is None:
            self.repay()
        elif self._queue or exchange.session.wire.pending:
            self._queue.append(data)
        else:
            self._pass(exchange, data, isEnded)
            self.repay()

    def ended(self, fields: Fields) -> None:
        """
        The answer has ended, with trailers.
        """
        exchange = self.exchange
        try:
            self._trailers = trailersOf(fields)
        except (Malformed, BadMessage) as why:
            self._broke(f"in its trailers: {why.reason}", True)
            return
        self._hasEnded = True
        if self._bridge is not None:
            self._bridge.take(b"", True)
        elif exchange is not None and not self._queue:
            self._pass(exchange, b"", True)

    def settle(self) -> None:
        """
        Nothing more has come along with the head.
        """
        exchange = self.exchange
        if exchange is not None and self._outlet is None and not self._queue:
            self._pass(exchange, b"", False)

    def broken(self, code: int, isOurs: bool) -> None:
        """
        The stream is over before its time.

        @param isOurs: Whether the target broke a rule on it.
        """
        if self._hasEnded and self._bridge is None:
            # What there is of the answer is all of it.
            return
        if code == REFUSED_STREAM and not isOurs and self._response is None and not self._hasInformed:
            kept = None if self._dispatch is None else self._dispatch.kept
            self._broke("it did not take the request", False, kept)
        elif isOurs:
            self._broke(f"it broke a rule of HTTP/2 ({nameOf(code)})", True)
        elif code == NO_ERROR:
            self._broke("it ended the stream before the answer had ended", True)
        else:
            self._broke(f"it reset the stream ({nameOf(code)})", True)

    def cut(self, reason: str) -> None:
        """
        The connection is gone.
        """
        if not self._hasEnded:
            self._broke(reason, False)
        elif self._bridge is not None:
            self._bridge.lose()

    # Passing it on.

    def _pass(self, exchange: Exchange, data: bytes, isEnded: bool) -> None:
        """
        Pass on a piece of the answer, and its head before the first one.
        """
        outlet = self._outlet
        if outlet is None:
            response = self._response
            assert response is not None
            if isEnded and not self._trailers and self._passWhole(exchange, response, data):
                return
            fields, length = unframed(response.head)
            self._outlet = outlet = exchange.open(AnswerHead(response.status, fields, length))
        self.moved += len(data)
        if data:
            outlet.write(data)
            if self.exchange is not exchange:
                return
        if isEnded:
            if self._trailers:
                outlet.follow(self._trailers)
            self._done()
            outlet.finish()
        else:
            exchange.session.progress()

    def _passWhole(self, exchange: Exchange, response: Response, data: bytes) -> bool:
        """
        Pass on an answer that is here as a whole.

        @return: Whether that was all; otherwise it goes by an outlet.
        """
        if not exchange.isSeen:
            head = response.head
            if response.length == UNTIL_CLOSE:
                head += b"Content-Length: %d\r\n" % len(data)
            exchange.answered(response.status)
            exchange.session.wire.write(head + exchange.connectionField(0) + data)
        elif not exchange.answerWhole(response, data):
            return False
        self.moved = len(data)
        self._done()
        exchange.complete(self.moved)
        return True

    def _done(self) -> None:
        """
        The answer has ended; what the target has not had of the request it does not want.
        """
        keeper = self.trunk.keeper
        if self._response is not None and self._response.status >= 400:
            keeper.erred(self._response.status)
        keeper.done()
        self._leave(CANCEL)

    def repay(self) -> None:
        """
        Give the target credit, if the client has taken what there is.
        """
        exchange = self.exchange
        if self._owed and (exchange is None or not exchange.session.wire.pending):
            owed, self._owed = self._owed, 0
            self.trunk.credit(self.number, owed)

    def _leave(self, code: int) -> None:
        self.exchange = None
        bridge, self._bridge = self._bridge, None
        if bridge is not None:
            bridge.lose()
        self._queue.clear()
        self._dispatch = None
        self.trunk.departed(self, code)

    def _broke(self, reason: str, isFault: bool, refused: list[bytes] | None = None) -> None:
        """
        There will be no answer, or no more of it.

        @param isFault: Whether that is this exchange's own, and not the connection's.
        @param refused: What was sent, when the target did not act on it.
        """
        exchange = self.exchange
        isUntouched = self._response is None and not self._hasInformed
        sent = b"".join(refused) if refused is not None else None
        isTunnel = self._bridge is not None and self._response is not None
        self._leave(CANCEL)
        if isFault:
            self.trunk.keeper.failed(reason)
        if exchange is not None and not isTunnel:
            failure = UpstreamFailure(f"{self.target}: {reason}")
            exchange.upstreamBroke(failure, self, isUntouched and not isFault, sent)
