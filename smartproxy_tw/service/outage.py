"""
Waiting for authorities that are away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from .alarm import Timetable
    from .ways import Ways

__all__ = ["Outage"]


class Outage:
    """
    What one certificate waits for: that an authority is back, or that it has been
    away for so long that another is to be asked.
    """

    def __init__(self, ways: Ways, timetable: Timetable, over: Callable[[], object]) -> None:
        """
        @param ways: To the authorities.
        @param timetable: For the end of patience.
        @param over: Called when there is somebody to be asked.
        """
        self._ways = ways
        self._over = over
        self._impatience = timetable.bell(self._passOn)
        self._back: Deferred[None] | None = None

    @property
    def isOn(self) -> bool:
        """
        Whether it is being waited.
        """
        return self._back is not None

    def wait(self, urgentAt: float) -> None:
        """
        Begin to wait; it may be over at once.

        @param urgentAt: From when on there is need, POSIX seconds.
        """
        self._back = back = self._ways.whenBack()
        back.addCallbacks(self._ended, lambda _: None)
        at = self._ways.passesOnAt(urgentAt)
        if at is not None and self.isOn:
            self._impatience.set(at)

    def stop(self) -> None:
        """
        Wait no more; nobody is told.
        """
        self._impatience.clear()
        if self._back is not None:
            back, self._back = self._back, None
            back.cancel()

    def end(self) -> None:
        """
        Wait never again.
        """
        self.stop()
        self._impatience.end()

    def _passOn(self) -> None:
        if self.isOn:
            self.stop()
            self._over()

    def _ended(self, _: None) -> None:
        self._back = None
        self._impatience.clear()
        self._over()
