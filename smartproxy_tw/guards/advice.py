"""
What browsers are told to be careful about: Strict-Transport-Security and its like, in every
answer of a route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import ILens
from ..wire.lines import has, without

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.security import SecurityHeaders
    from ..facts import AnswerHead, RequestFacts

__all__ = ["Advice"]


@implementer(ILens)
class Advice:
    """
    Tells them.
    """

    def __init__(self, settings: SecurityHeaders, isTLS: bool) -> None:
        """
        @param isTLS: Whether the route is one for TLS: Strict-Transport-Security means nothing
            elsewhere (RFC 6797 section 7.2).
        """
        pairs = list(settings.fields)
        if isTLS and settings.strict is not None:
            pairs.append(("Strict-Transport-Security", settings.strict))
        self._lines = [
            (name.lower().encode("ascii"), f"{name}: {value}\r\n".encode("ascii")) for name, value in pairs
        ]
        self._all = b"".join(line for _, line in self._lines)
        self._names = frozenset(name for name, _ in self._lines)
        self._wins = settings.wins

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        fields = head.fields
        if self._wins:
            return head._replace(fields=without(fields, self._names.__contains__) + self._all)
        for name, line in self._lines:
            if not has(head.fields, name):
                fields += line
        return head._replace(fields=fields)
