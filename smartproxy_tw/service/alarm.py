"""
One thing to be done at a time of day.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall

__all__ = ["Alarm", "every"]

#: The wall clock is looked at this often, in seconds: a machine that slept, or
#: whose clock was set, is late by no more than that.
_NAP = 600.0


class Alarm:
    """
    Calls one function when a time has come, once for each time it is set.
    """

    def __init__(self, clock: IReactorTime, ring: Callable[[], object]) -> None:
        """
        @param clock: Tells the time, POSIX seconds, and wakes us.
        @param ring: What to call.  It returns at once and never raises.
        """
        self._clock = clock
        self._ring = ring
        self._at: float | None = None
        self._call: IDelayedCall | None = None

    @property
    def at(self) -> float | None:
        """
        When it rings, POSIX seconds, or L{None}.
        """
        return self._at

    def set(self, at: float) -> None:
        """
        Ring at this time and no other; at the next turn of the reactor when it
        has passed.

        @param at: POSIX seconds.
        """
        self.clear()
        self._at = at
        self._sleep()

    def clear(self) -> None:
        """
        Do not ring.
        """
        self._at = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _sleep(self) -> None:
        assert self._at is not None
        rest = self._at - self._clock.seconds()
        self._call = self._clock.callLater(max(0.0, min(rest, _NAP)), self._wake)

    def _wake(self) -> None:
        self._call = None
        if self._at is not None and self._clock.seconds() < self._at:
            self._sleep()
            return
        self._at = None
        self._ring()


def every(clock: IReactorTime, seconds: float, look: Callable[[], object]) -> LoopingCall:
    """
    Call something again and again, beginning one interval from now.

    @param look: Never raises.
    @return: Has C{stop()}.
    """
    call = LoopingCall(look)
    call.clock = clock
    call.start(seconds, now=False)
    return call
