"""
Header fields of answers: removed, set and added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import ILens
from ..wire.lines import without
from .fieldlines import Changes

if TYPE_CHECKING:
    from ..config.revision import FieldChanges
    from ..facts import AnswerHead, RequestFacts
    from ..routing.filling import Words

__all__ = ["Headings"]


class Headings:
    """
    Made once for a route.
    """

    def __init__(self, settings: FieldChanges) -> None:
        """
        @raise ValueError: A text is none, which the loader does not let through.
        """
        self._changes = Changes(settings, isRequest=False)
        fixed = self._changes.lines.fixed
        # Where nothing depends on the request one lens serves all of them.
        self._only = None if fixed is None else _Heading(self._changes, fixed)

    def lens(self, words: Words) -> ILens:
        """
        See L{Glass<smartproxy_tw.actions.seen.Glass>}.
        """
        return self._only or _Heading(self._changes, self._changes.lines.fill(words))


@implementer(ILens)
class _Heading:
    """
    Changes the fields of answers.
    """

    def __init__(self, changes: Changes, lines: bytes) -> None:
        self._changes = changes
        self._lines = lines

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        changes = self._changes
        if not (changes.names or changes.globs):
            return head._replace(fields=head.fields + self._lines)
        fields = without(head.fields, changes.takes) + self._lines
        return head._replace(fields=fields, barred=(*head.barred, changes.takes))
