"""
The minute for which those who tell of a flood count: it begins with the first event, and when it is
over they say how many there were.  Nobody waits where nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["PERIOD", "Minute"]

#: In seconds.
PERIOD = 60.0


class Minute:
    """
    One at a time.

    @ivar isOn: Whether it goes on.
    """

    __slots__ = ("_after", "_timer", "isOn")

    def __init__(self, after: Callable[[float, Callable[[], None]], Any]) -> None:
        """
        @param after: Calls something once, in so many seconds.  What it returns, if that can be, is
            cancelled by L{end}.
        """
        self._after = after
        self._timer: Any = None
        self.isOn = False

    def begin(self, over: Callable[[], object]) -> None:
        """
        Begin one, unless one goes on.  To be called where C{after} may be.

        @param over: Called when it is over; another one may begin then.  Whoever has the minute is in
            no circle with it as long as none goes on.
        """
        if not self.isOn:
            self.isOn = True
            self._timer = self._after(PERIOD, partial(self._end, over))

    def end(self) -> None:
        """
        End the one that goes on before its time, and tell nobody; where that cannot be done it ends by
        itself, and tells.
        """
        timer, self._timer = self._timer, None
        cancel = getattr(timer, "cancel", None)
        if cancel is not None:
            cancel()
            self.isOn = False

    def _end(self, over: Callable[[], object]) -> None:
        self._timer = None
        self.isOn = False
        over()
