"""
Who may deal with a name: one at a time.

Two orders at once may share a name; an authority then may hand both the same
authorization, and the data path holds one tls-alpn-01 answer for a name.  So
the second waits until the first has finished with all of its names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from twisted.internet.defer import DeferredLock

__all__ = ["Turns"]


class Turns:
    """
    A lock for each name that somebody deals with, and for no other.
    """

    def __init__(self) -> None:
        self._locks: dict[str, tuple[DeferredLock, int]] = {}

    @asynccontextmanager
    async def of(self, names: Iterable[str]) -> AsyncIterator[None]:
        """
        Wait for all of these names, and hold them within C{async with}.

        @param names: In any order: they are taken in one that is the same for
            all, so that no two wait for each other.
        """
        held: list[str] = []
        try:
            for name in sorted(set(names)):
                lock, users = self._locks.get(name, (DeferredLock(), 0))
                self._locks[name] = lock, users + 1
                try:
                    await lock.acquire()
                except BaseException:
                    self._leave(name)
                    raise
                held.append(name)
            yield
        finally:
            for name in reversed(held):
                lock = self._locks[name][0]
                self._leave(name)
                lock.release()

    def _leave(self, name: str) -> None:
        lock, users = self._locks.pop(name)
        if users > 1:
            self._locks[name] = lock, users - 1
