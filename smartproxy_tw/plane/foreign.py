"""
Answers that go out from here and are somebody else's: of code in this process, of a server that
was asked about a request, of a file that the operator has written for the purpose.  Those who put
pages in place of what the proxy says leave these alone, as they do what targets say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import IExchange, ILens

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..facts import AnswerHead, RequestFacts

__all__ = ["ascribe"]


@implementer(ILens)
class _Foreign:
    """
    Says that it is not ours.
    """

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        return head._replace(isOurs=False)


_FOREIGN = _Foreign()


def ascribe(exchange: IExchange, status: int) -> None:
    """
    Say of the answer that is about to be given that somebody else has made it.

    @param status: Of it; nothing is done where nobody would put anything in its place.
    """
    if status >= 400:
        exchange.through(_FOREIGN)
