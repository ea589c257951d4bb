"""
A denial is what becomes of an attempt where there is no target that anything may be
sent to: all are drained, or known to be unhealthy.  It is told as an attempt would tell
it, after whoever asked knows whom he asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..plane.link import UpstreamFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plane.poller import Poller

__all__ = ["Denial", "Pending"]


class Pending(Protocol):
    """
    What somebody waits for.
    """

    def cancel(self) -> None:
        """
        Nobody waits for it any more.
        """


class Denial:
    """
    Told once, unless it is cancelled before.
    """

    __slots__ = ("_reason", "_then")

    def __init__(self, poller: Poller, reason: str, then: Callable[[UpstreamFailure], None]) -> None:
        """
        @param reason: For the log.
        @param then: Is told: 503 for HTTP.
        """
        self._reason = reason
        self._then: Callable[[UpstreamFailure], None] | None = then
        poller.later(self._tell)

    def _tell(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then(UpstreamFailure(self._reason, isBusy=True))

    def cancel(self) -> None:
        """
        Nobody wants to know any more.
        """
        self._then = None
