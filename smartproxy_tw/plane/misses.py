"""
A digest of what strangers do wrong, so that a flood of it cannot flood the log.

The first few of a kind within a minute are logged at once, at info; those that
follow are counted, and the count is logged when the minute is over.
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
        self._counts: dict[str, int] = {}

    def add(self, text: str, reason: str, client: str) -> None:
        """
        Something happened.

        @param text: The kind: a format with C{reason} and C{client}.
        @param reason: What happened.
        @param client: Who did it.
        """
        if not self._counts:
            self._poller.after(_PERIOD, self._report)
        if text not in self._counts and len(self._counts) >= _KINDS:
            return
        count = self._counts[text] = self._counts.get(text, 0) + 1
        if count <= _WHOLE:
            _log.info(text, reason=printable(reason), client=printable(client))

    def _report(self) -> None:
        counts, self._counts = self._counts, {}
        for text, count in counts.items():
            if count > _WHOLE:
                more = count - _WHOLE
                _log.info("{more} more in {period} s like: {like}", more=more, period=int(_PERIOD), like=text)


def printable(text: str) -> str:
    """
    @return: The text with everything that is not printable ASCII escaped, and
        cut after 300 characters.
    """
    return text[:300].encode("unicode_escape").decode("ascii")
