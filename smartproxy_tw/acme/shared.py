"""
Something that many want at once and that is done once: each gets a Deferred of
their own, and all of them the same result or the same failure.

When all who wait have gone, what is being done is cancelled.  Nothing is kept:
who joins after the end begins it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["Shared"]

T = TypeVar("T")


class Shared(Generic[T]):
    """
    One undertaking, done at most once at a time.
    """

    def __init__(self, undertake: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """
        @param undertake: What is to be done.
        """
        self._undertake = undertake
        self._waiting: list[Deferred[T]] = []
        self._running: Deferred[None] | None = None

    def join(self) -> Deferred[T]:
        """
        Begin it, or wait for the one that has begun.
        """
        mine: Deferred[T] = Deferred(self._left)
        self._waiting.append(mine)
        if self._running is None:
            waiting = self._waiting
            running = Deferred.fromCoroutine(self._run(waiting))
            if waiting is self._waiting:  # else it has ended already
                self._running = running
        return mine

    async def _run(self, waiting: list[Deferred[T]]) -> None:
        try:
            result = await self._undertake()
        except Exception as why:
            self._ended(waiting)
            for each in waiting:
                if not each.called:  # by a cancellation, meanwhile
                    each.errback(why)
        else:
            self._ended(waiting)
            for each in waiting:
                if not each.called:
                    each.callback(result)

    def _ended(self, waiting: list[Deferred[T]]) -> None:
        # One that was cancelled may end when the next has begun.
        if self._waiting is waiting:
            self._waiting, self._running = [], None

    def _left(self, one: Deferred[T]) -> None:
        if one in self._waiting:
            self._waiting.remove(one)
        if not self._waiting and self._running is not None:
            running, self._waiting, self._running = self._running, [], None
            running.cancel()
