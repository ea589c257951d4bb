"""
A digest of what strangers do wrong, so that a flood of it cannot flood the log.

The first few of a kind within a minute are logged at once, at info; those that
follow are counted, and the count and the last of them are logged when the minute
is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

if TYPE_CHECKING:
    from .poller import Poller

__all__ = ["Digest"]

_log = Logger()

# In seconds.
_PERIOD = 60.0
# So many kinds are told apart within a period, and so many lines of one kind are logged whole.
_KINDS = 64
_WHOLE = 5


class Digest:
    """
    Logs a few and counts the rest.
    """

    def __init__(self, poller: Poller) -> None:
        """
        @param poller: For the time.
        """
        self._poller = poller
        self._kinds: dict[str, _Kind] = {}

    def add(self, event: str, text: str, **fields: str) -> None:
        """
        Something happened.

        @param event: Its stable name, for machines.
        @param text: The kind: a format of the fields.
        @param fields: What happened, and who did it.
        """
        if not self._kinds:
            self._poller.after(_PERIOD, self._report)
        kind = self._kinds.get(text)
        if kind is None:
            if len(self._kinds) >= _KINDS:
                return
            kind = self._kinds[text] = _Kind(event)
        kind.count += 1
        kind.last = fields
        if kind.count <= _WHOLE:
            _log.info(text, event=event, **_shown(fields))

    def _report(self) -> None:
        kinds, self._kinds = self._kinds, {}
        for text, kind in kinds.items():
            if kind.count > _WHOLE:
                _log.info(
                    "{more} more in {period} s, the last one: " + text,
                    event=kind.event,
                    more=kind.count - _WHOLE,
                    period=int(_PERIOD),
                    **_shown(kind.last),
                )


class _Kind:
    """
    What happened within a period, of one kind.
    """

    __slots__ = ("count", "event", "last")

    def __init__(self, event: str) -> None:
        self.event = event
        self.count = 0
        self.last: dict[str, str] = {}


def _shown(fields: dict[str, str]) -> dict[str, str]:
    return {name: printable(value) for name, value in fields.items()}


def printable(text: str) -> str:
    """
    @return: The text with everything that is not printable ASCII escaped, and
        cut after 300 characters.
    """
    return text[:300].encode("unicode_escape").decode("ascii")
