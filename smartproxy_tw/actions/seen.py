"""
What stands between an action and those who ask for it, for the routes that change something:
answers are seen through lenses, and requests are amended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from zope.interface import implementer

from ..interfaces import IAction, IExchange, ILens, ISeenAction, IStream
from ..routing.filling import Words

if TYPE_CHECKING:
    from ..routing.patterns import PathPattern

__all__ = ["Glass", "Seen"]


class Glass(Protocol):
    """
    What lenses are made of.  Made once for each route.
    """

    def lens(self, words: Words) -> ILens:
        """
        @param words: Of one request.
        @return: What its answer is to be seen through.
        """


@implementer(ISeenAction)
class Seen:
    """
    Has the answers of an action seen through lenses.
    """

    def __init__(self, glasses: Sequence[Glass], route: str, pattern: PathPattern, action: IAction) -> None:
        """
        @param glasses: The one that sees an answer last is first.
        @param route: The name of the route; empty: there is none.
        @param pattern: Its path.
        @param action: What is done.
        """
        self._glasses = glasses
        self._route = route
        self._pattern = pattern
        self.action = action

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        self.instead(exchange, self.action)

    def instead(self, exchange: IExchange, answer: IAction) -> None:
        """
        See L{ISeenAction}.
        """
        words = Words(exchange.facts, exchange.fields, self._route, self._pattern)
        for glass in self._glasses:
            exchange.through(glass.lens(words))
        answer.request(exchange)

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        self.action.stream(stream)
