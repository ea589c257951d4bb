"""
A queue of those for whom no target of a group has a free connection.

It is as fair as it can be: who came first is asked first, and whatever comes
free at any target goes to the first who can use it.  It is bounded, and nobody
waits longer than its deadline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plane.poller import Poller

__all__ = ["Queue", "Waiter"]

_ANY_NUMBER = float("inf")


class Waiter(Protocol):
    """
    Somebody who waits.
    """

    def retry(self) -> bool:
        """
        Something came free.

        @return: Whether it was of use, so that he waits no more.
        """


class Queue:
    """
    That of one group.

    @ivar seconds: How long anybody may wait.
    """

    def __init__(self, poller: Poller, most: float, seconds: float, isAnyFree: Callable[[], bool]) -> None:
        """
        @param most: How many may wait; infinity where nothing bounds connections, so that who waits
            does so for one that is being made.
        @param isAnyFree: Whether there is anything to be had at all.
        """
        self._poller = poller
        self._most = most
        self._isAnyFree = isAnyFree
        self._isWoken = False
        self._waiters: dict[Waiter, None] = {}
        self.seconds = seconds

    def __len__(self) -> int:
        """
        How many wait.
        """
        return len(self._waiters)

    @property
    def isBounded(self) -> bool:
        """
        Whether it is too many connections that are waited for, and not a slow one.
        """
        return self._most < _ANY_NUMBER

    def join(self, waiter: Waiter) -> bool:
        """
        @return: Whether there was room.
        """
        if len(self._waiters) >= self._most:
            return False
        self._waiters[waiter] = None
        return True

    def leave(self, waiter: Waiter) -> None:
        """
        Somebody waits no more.
        """
        self._waiters.pop(waiter, None)

    def wake(self) -> None:
        """
        Something may have come free: serve, after whoever freed it is done.
        """
        if self._waiters and not self._isWoken:
            self._isWoken = True
            self._poller.later(self._serve)

    def _serve(self) -> None:
        self._isWoken = False
        for waiter in list(self._waiters):
            if not self._isAnyFree():
                return
            if waiter in self._waiters and self._isServed(waiter):
                self._waiters.pop(waiter, None)

    def _isServed(self, waiter: Waiter) -> bool:
        try:
            return waiter.retry()
        except Exception:
            # The others still wait.
            self._poller.crashed(waiter.retry, waiter)
            return True
