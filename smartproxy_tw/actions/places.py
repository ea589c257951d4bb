"""
Places that targets name (Location, Content-Location), as clients can ask for them, where a
prefix was taken off or put in front.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import ILens
from ..routing.rewriting import mapBack

if TYPE_CHECKING:
    from ..config.revision import Rewrite
    from ..facts import AnswerHead, RequestFacts
    from ..routing.filling import Words

__all__ = ["Places"]

_LINE = re.compile(rb"(?im)^((?:content-)?location:[\t ]*)([^\r\n]*?)[\t ]*\r\n")


@implementer(ILens)
class Places:
    """
    Made once for a route; the glass is its own lens.
    """

    def __init__(self, settings: Rewrite) -> None:
        self._settings = settings

    def lens(self, words: Words) -> ILens:
        """
        See L{Glass<smartproxy_tw.actions.seen.Glass>}.
        """
        return self

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        if head.isOurs:
            return head

        def mapped(found: re.Match[bytes]) -> bytes:
            place = mapBack(found[2].decode("latin-1"), self._settings, facts().host)
            return found[1] + place.encode("latin-1") + b"\r\n"

        return head._replace(fields=_LINE.sub(mapped, head.fields))
