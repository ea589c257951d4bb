"""
Writes the newest state of something: one write at a time, and however often it
changes meanwhile, the next write has all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from twisted.internet.defer import Deferred, succeed

from .readiness import Readiness

if TYPE_CHECKING:
    from ..store.certificates import Run

__all__ = ["Writing"]

T = TypeVar("T")


class Writing(Generic[T]):
    """
    Of one thing.
    """

    def __init__(
        self, run: Run, save: Callable[[T], None], state: Callable[[], T], fail: Callable[[Exception], object]
    ) -> None:
        """
        @param run: Does what waits for the disk.
        @param save: Writes it, or raises.
        @param state: Gives what is to be written, a copy of its own.
        @param fail: Told why it could not be written.
        """
        self._run = run
        self._save = save
        self._state = state
        self._fail = fail
        self._isBehind = False
        self._writing: Readiness | None = None

    def write(self) -> None:
        """
        It has changed.
        """
        self._isBehind = True
        if self._writing is None:
            self._writing = Readiness()
            Deferred.fromCoroutine(self._writeAll(self._writing))

    def whenWritten(self) -> Deferred[None]:
        """
        Wait until all is written, or could not be.
        """
        return succeed(None) if self._writing is None else self._writing.when()

    async def _writeAll(self, writing: Readiness) -> None:
        try:
            while self._isBehind:
                self._isBehind = False
                await self._run(self._save, self._state())
        except Exception as why:
            self._fail(why)
        finally:
            self._writing = None
            writing.happen()
