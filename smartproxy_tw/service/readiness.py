"""
Something that happens once, or fails, and that many wait for.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed

__all__ = ["Readiness"]


class Readiness:
    """
    Whether it has happened, with a Deferred of their own for all who ask, before
    or after.
    """

    def __init__(self) -> None:
        """
        Nothing has happened yet.
        """
        self._waiting: list[Deferred[None]] = []
        self._error: BaseException | None = None
        self._happened = False

    @property
    def isSettled(self) -> bool:
        """
        Whether it has happened or failed.
        """
        return self._happened or self._error is not None

    @property
    def isReady(self) -> bool:
        """
        Whether it has happened.
        """
        return self._happened

    @property
    def error(self) -> BaseException | None:
        """
        Why it failed, or L{None}.
        """
        return self._error

    def when(self) -> Deferred[None]:
        """
        Wait for it.

        @return: Fires when it has happened, fails when it has failed.
            Cancelling it concerns nobody else.
        """
        if self._happened:
            return succeed(None)
        if self._error is not None:
            return fail(self._error)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def happen(self) -> None:
        """
        It happened.  Without effect when it was settled before.
        """
        if not self.isSettled:
            self._happened = True
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)

    def fail(self, why: BaseException) -> None:
        """
        It will not happen.  Without effect when it was settled before.
        """
        if not self.isSettled:
            self._error = why
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.errback(why)
