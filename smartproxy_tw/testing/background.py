"""
What an authority does behind its answers: each thing after a delay, and, when it
was interrupted, again from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger

__all__ = ["Background"]


class Background:
    """
    All that goes on.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        """
        @param clock: Tells the time.
        """
        self._clock = clock
        self._behind: set[Deferred[None]] = set()
        self._interrupted: list[Callable[[], Any]] = []

    def later(self, delay: float, does: Callable[[], Any]) -> None:
        """
        Do something.

        @param delay: Seconds until then.
        @param does: Returns what can be awaited; a failure is a defect, and
            logged.
        """
        behind = Deferred.fromCoroutine(self._one(delay, does))
        if not behind.called:
            self._behind.add(behind)
            behind.addBoth(lambda _: self._behind.discard(behind))

    def resume(self) -> None:
        """
        Begin anew with what was interrupted by L{stop}.
        """
        interrupted, self._interrupted = self._interrupted, []
        for does in interrupted:
            self.later(0.0, does)

    def stop(self) -> Deferred[None]:
        """
        Interrupt everything.

        @return: Fires when it has ended.
        """
        behind = list(self._behind)
        for each in behind:
            each.cancel()
        return DeferredList(behind, consumeErrors=True).addCallback(lambda _: None)

    async def _one(self, delay: float, does: Callable[[], Any]) -> None:
        try:
            await deferLater(self._clock, delay)
            await does()
        except CancelledError:
            self._interrupted.append(does)
        except Exception:
            self._log.failure("A defect of the testing authority")
