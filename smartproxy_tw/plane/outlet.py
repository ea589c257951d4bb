"""
An outlet is where the body of an answer goes in pieces
(L{IOutlet<smartproxy_tw.interfaces.IOutlet>}): one that is made here, or one of a
target that somebody wants to see on its way.

It puts the body through the filters of its head, keeps to the length that was
promised, and frames it as the client can read it.  Answers that nobody looks at
do not come by here: they go on as they are (L{smartproxy_tw.plane.link}).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import IOutlet
from ..wire.http1 import CHUNKED, UNTIL_CLOSE
from ..wire.lines import without
from .answers import statusLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..facts import AnswerHead
    from .exchange import Exchange

__all__ = ["LateOutlet", "Outlet", "PlainOutlet"]


@implementer(IOutlet)
class Outlet:
    """
    What there is in common, whatever the client speaks.

    @ivar sent: Bytes of the body that went to the client, without their framing.
    @ivar trailers: Lines that go behind the body, where that is possible.
    """

    __slots__ = (
        "_barred",
        "_exchange",
        "_filters",
        "_isBodiless",
        "_isDone",
        "_left",
        "_then",
        "sent",
        "trailers",
    )

    def __init__(self, exchange: Exchange, head: AnswerHead) -> None:
        """
        Begin the answer.
        """
        self._exchange = exchange
        self._barred = head.barred
        self._isBodiless = exchange.request.method == b"HEAD" or head.status in (204, 304)
        self._filters = () if self._isBodiless else head.filters
        self._left = 0 if self._isBodiless else -1 if head.length is None else head.length
        self._isDone = False
        self._then: Callable[[], None] | None = None
        self.sent = 0
        self.trailers = b""
        exchange.answered(head.status)
        self._begin(head)

    def _begin(self, head: AnswerHead) -> None:
        """
        Send the head, or have it sent at the end of this moment.
        """
        raise NotImplementedError

    def _send(self, data: bytes, isLast: bool) -> None:
        """
        Send a piece.

        @param isLast: Whether the body ends with it.  Then it may be empty.
        """
        raise NotImplementedError

    @property
    def isTaking(self) -> bool:
        """
        See L{IOutlet}.
        """
        return not self._exchange.session.wire.pending

    def write(self, data: bytes) -> None:
        """
        See L{IOutlet}.
        """
        if self._isBodiless or self._isDone or self._exchange.isOver:
            return
        for each in self._filters:
            if data:
                data = each.data(data)
        self._put(data, False)

    def _put(self, data: bytes, isLast: bool) -> None:
        if self._left >= 0:
            data = data[: self._left]
            self._left -= len(data)
        self.sent += len(data)
        if data or isLast:
            self._send(data, isLast)

    def follow(self, trailers: bytes) -> None:
        """
        Have these stand behind the body, but for what the head wants to know nothing of.

        @param trailers: Whole lines, each with its CR LF, as a target has sent them.
        """
        for isBarred in self._barred:
            trailers = without(trailers, isBarred)
        self.trailers = trailers

    def whenTaking(self, then: Callable[[], None]) -> None:
        """
        See L{IOutlet}.
        """
        self._then = then

    def flushed(self) -> None:
        """
        The client has taken what was pending.
        """
        then, self._then = self._then, None
        if then is not None:
            self._exchange.session.progress()
            then()

    def finish(self) -> None:
        """
        See L{IOutlet}.
        """
        exchange = self._exchange
        if self._isDone or exchange.isOver:
            return
        rest = b""
        for each in self._filters:
            rest = (each.data(rest) if rest else b"") + each.end()
        if self._left > len(rest):
            self.abort()
            return
        self._put(rest, True)
        self._isDone = True
        exchange.complete(self.sent)

    def abort(self) -> None:
        """
        See L{IOutlet}.
        """
        if not self._isDone and not self._exchange.isOver:
            self._isDone = True
            self._exchange.breakOff()


class PlainOutlet(Outlet):
    """
    One for a client that speaks HTTP/1.  The head goes out with the first piece of the
    body, or at the end of this moment.
    """

    __slots__ = ("_held", "_isChunked")

    def _begin(self, head: AnswerHead) -> None:
        exchange = self._exchange
        start = statusLine(head.status) + head.fields
        self._isChunked = False
        if head.length is not None and head.status != 204:
            start += b"Content-Length: %d\r\n" % head.length
        if head.length is not None or self._isBodiless:
            start += exchange.connectionField(0)
        elif exchange.request.minor:
            self._isChunked = True
            start += b"Transfer-Encoding: chunked\r\n" + exchange.connectionField(CHUNKED)
        else:
            start += exchange.connectionField(UNTIL_CLOSE)
        self._held = start
        exchange.session.door.engine.poller.later(self._flushHead)

    def _send(self, data: bytes, isLast: bool) -> None:
        if self._isChunked:
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            if isLast:
                data += b"0\r\n%b\r\n" % self.trailers
        if data or self._held:
            self._write(data)

    def _write(self, data: bytes) -> None:
        held, self._held = self._held, b""
        session = self._exchange.session
        session.wire.write(held + data)
        session.progress()

    def _flushHead(self) -> None:
        if self._held and not self._exchange.isOver:
            self._write(b"")


@implementer(IOutlet)
class LateOutlet:
    """
    For who answers after the exchange has ended: nothing comes of it.
    """

    isTaking = True

    def write(self, data: bytes) -> None:
        """
        See L{IOutlet}.
        """

    def whenTaking(self, then: Callable[[], None]) -> None:
        """
        See L{IOutlet}.
        """

    def finish(self) -> None:
        """
        See L{IOutlet}.
        """

    def abort(self) -> None:
        """
        See L{IOutlet}.
        """
