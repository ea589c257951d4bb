"""
Takes an answer from another thread to the client.

Everything here is called on the reactor, but for C{isOver}, which may be looked at from anywhere. Who
writes is told when there is room for more, and waits for that: so of an answer that a slow client
takes one piece is in memory and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

from ..plane.foreign import ascribe
from .asked import FAILED

if TYPE_CHECKING:
    from ..interfaces import IExchange, IOutlet

__all__ = ["Delivery"]

_log = Logger()


class Delivery:
    """
    @ivar isOver: Whether nobody waits for an answer any more.
    """

    def __init__(self, exchange: IExchange, ended: Callable[[], None] | None = None) -> None:
        """
        @param ended: Called once when the exchange has ended.
        """
        self._exchange = exchange
        self._outlet: IOutlet | None = None
        self._left: int | None = None
        self._isDone = False
        self._then: Callable[[], None] | None = None
        self._onEnd = ended
        self.isOver = False
        exchange.onEnd(self._ended)

    def respond(self, status: int, fields: bytes, length: int | None, body: bytes, isHead: bool) -> None:
        """
        All of it at once.

        @param length: What the fields promise; it counts for HEAD.
        """
        if self._isDone:
            return
        self._isDone = True
        self._guarded(lambda: self._respond(status, fields, length, body, isHead))

    def _respond(self, status: int, fields: bytes, length: int | None, body: bytes, isHead: bool) -> None:
        ascribe(self._exchange, status)
        if isHead:
            self._exchange.begin(status, fields, len(body) if length is None else length).finish()
        elif length is None or length == len(body) or status in (204, 304):
            self._exchange.respond(status, fields, body)
        else:
            outlet = self._exchange.begin(status, fields, length)
            outlet.write(body[:length])
            outlet.finish()

    def piece(
        self, head: tuple[int, bytes, int | None] | None, data: bytes, then: Callable[[], None]
    ) -> None:
        """
        What an application gives next.

        @param head: As for L{begin}, with the first piece.
        @param data: As for L{write}.
        @param then: As for L{write}.
        """
        if head is not None:
            self.begin(*head)
        self.write(data, then)

    def begin(self, status: int, fields: bytes, length: int | None) -> None:
        """
        The head; pieces follow.
        """
        if not self._isDone:
            self._left = length
            self._guarded(lambda: self._begin(status, fields, length))

    def _begin(self, status: int, fields: bytes, length: int | None) -> None:
        ascribe(self._exchange, status)
        self._outlet = self._exchange.begin(status, fields, length)

    def _guarded(self, deed: Callable[[], None]) -> None:
        """
        Nobody is above who would end the exchange, and a thread may wait for it.
        """
        try:
            deed()
        except Exception:
            _log.failure("An answer met a bug on its way to the client")
            self._isDone = True
            self._exchange.abort()

    def write(self, data: bytes, then: Callable[[], None]) -> None:
        """
        A piece.

        @param then: Called once when there is room for another one, or when it is over.
        """
        outlet = self._outlet
        if self.isOver or outlet is None:
            then()
            return
        if self._left is not None:
            # What was promised is all that is sent.
            data = data[: self._left]
            self._left -= len(data)
        self._guarded(lambda: outlet.write(data))
        if self.isOver or outlet.isTaking:
            then()
        else:
            self._then = then
            outlet.whenTaking(self._taken)

    def finish(self) -> None:
        """
        That was all.
        """
        if not self._isDone and self._outlet is not None:
            self._isDone = True
            self._guarded(self._outlet.finish)

    def fail(self) -> None:
        """
        There will be no answer, or no more of it.
        """
        if self._isDone:
            return
        self._isDone = True
        if self._outlet is None:
            self._exchange.respond(*FAILED)
        else:
            self._outlet.abort()

    def _taken(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()

    def _ended(self) -> None:
        self.isOver = self._isDone = True
        self._taken()
        if self._onEnd is not None:
            self._onEnd()
