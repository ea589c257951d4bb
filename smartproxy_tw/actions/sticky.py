"""
Sticky: forward to the target that a client had before, and tell it which one it has now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from zope.interface import implementer

from ..interfaces import IAction, IExchange, ILens, IStream, IUpstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..facts import AnswerHead, RequestFacts
    from ..upstream.crumbs import Crumbs

__all__ = ["StickyAction", "Trail"]


class _Answered(Protocol):
    """
    An exchange that knows who answers.
    """

    @property
    def target(self) -> str:
        """The name of the target; empty: nobody."""


@implementer(ILens)
class Trail:
    """
    Sees one answer, and adds the cookie where the client does not have it yet.
    """

    __slots__ = ("_crumbs", "_exchange", "_shown")

    def __init__(self, exchange: _Answered, crumbs: Crumbs, shown: str) -> None:
        """
        @param exchange: Whose answer it is.
        @param crumbs: Makes the cookie.
        @param shown: The one that the client has.
        """
        self._exchange = exchange
        self._crumbs = crumbs
        self._shown = shown

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        target = self._exchange.target
        if not target or self._crumbs.crumb(target) in ("", self._shown):
            return head
        line = self._crumbs.line(target, isSecure=facts().connection.isTLS)
        return head._replace(fields=head.fields + line)


@implementer(IAction)
class StickyAction:
    """
    Hands on what comes.
    """

    def __init__(self, upstream: IUpstream) -> None:
        """
        @param upstream: Where to; has crumbs.
        """
        self.upstream = upstream

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        crumbs: Crumbs = self.upstream.crumbs
        exchange.through(Trail(exchange, crumbs, crumbs.shown(exchange.fields())))  # type: ignore[arg-type]
        exchange.forward(self.upstream)

    def stream(self, stream: IStream) -> None:
        """
        Only requests have cookies; the loader sees to it.
        """
        stream.forward(self.upstream)
