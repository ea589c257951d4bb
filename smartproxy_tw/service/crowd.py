"""
What clients ask for while orders wait for their turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from .alarm import every

if TYPE_CHECKING:
    from ..interfaces import IPlane

__all__ = ["Crowd"]

#: The data path is asked this often, in seconds, and only while orders wait.
_EVERY = 15.0

#: Who was asked for before somebody else counts as asked for so many seconds
#: earlier: the data path tells the order and not the time.
_APART = 0.001


class Crowd:
    """
    Those at the door of one data path.
    """

    _log = Logger()

    def __init__(
        self,
        plane: IPlane,
        clock: IReactorTime,
        isWanted: Callable[[], bool],
        touch: Callable[[str, float], object],
    ) -> None:
        """
        @param plane: Knows.
        @param clock: The time, POSIX seconds.
        @param isWanted: Whether anybody waits.
        @param touch: Told of the key of each certificate that was asked for, and
            of about when.
        """
        self._plane = plane
        self._clock = clock
        self._isWanted = isWanted
        self._touch = touch
        self._before: tuple[str, ...] = ()
        self._looking: LoopingCall | None = None
        self._asking: Deferred[None] | None = None

    def watch(self) -> None:
        """
        Begin; without effect when it has begun.
        """
        if self._looking is None:
            self._looking = every(self._clock, _EVERY, self._look)

    def stop(self) -> None:
        """
        End.
        """
        if self._looking is not None:
            self._looking.stop()
            self._looking = None
        if self._asking is not None:
            self._asking.cancel()

    def _look(self) -> None:
        if self._asking is None and self._isWanted():
            self._asking = asking = Deferred.fromCoroutine(self._ask())
            if asking.called:
                self._asking = None

    async def _ask(self) -> None:
        try:
            recent = await self._plane.recent()
        except Exception as why:
            self._log.debug("What clients ask for is not known: {why}", why=str(why))
            return
        finally:
            self._asking = None
        if recent != self._before:
            self._before, now = recent, self._clock.seconds()
            for place, key in enumerate(recent):
                self._touch(key, now - _APART * place)
