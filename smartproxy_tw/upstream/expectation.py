"""
An expectation is what becomes of an attempt while it is not known yet what a service
has: it goes on as an attempt when that is told, or ends with its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plane.link import UpstreamFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plane.poller import Poller
    from .denial import Pending

__all__ = ["Expectation"]


class Expectation:
    """
    @ivar deadline: For the poller.
    @ivar isOver: Whether it waits no more.
    """

    __slots__ = ("_attempt", "_begin", "_ended", "_giveUp", "_poller", "deadline", "isOver")

    def __init__(
        self,
        poller: Poller,
        seconds: float,
        begin: Callable[[], Pending],
        giveUp: Callable[[UpstreamFailure], None],
        ended: Callable[[Expectation], object],
    ) -> None:
        """
        @param seconds: How long to wait.
        @param begin: Begins the attempt.
        @param giveUp: Is told when the time is over.
        @param ended: Is told once when it waits no more, for whatever reason.
        """
        self._poller = poller
        self._begin = begin
        self._giveUp = giveUp
        self._ended = ended
        self._attempt: Pending | None = None
        self.isOver = False
        self.deadline = poller.now + seconds
        poller.mortals[self] = None

    def go(self) -> None:
        """
        It is known now.
        """
        if not self.isOver:
            self._end()
            self._attempt = self._begin()

    def expire(self) -> None:
        """
        It took too long.
        """
        if not self.isOver:
            self._end()
            self._giveUp(UpstreamFailure("it could not be learnt in time what its services have", True))

    def crash(self) -> None:
        """
        A bug: end this one.
        """
        self.expire()

    def cancel(self) -> None:
        """
        Nobody wants it any more.
        """
        self._end()
        if self._attempt is not None:
            self._attempt.cancel()

    def _end(self) -> None:
        if not self.isOver:
            self.isOver = True
            self._poller.mortals.pop(self, None)
            self._ended(self)
