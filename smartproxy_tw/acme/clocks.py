"""
Two kinds of time.  How long something takes is told by a clock that nobody sets; what
a certificate says is held against the time of day, which is set by people and by NTP,
by hours after a start without a battery.

Twisted's reactors measure the first by the second: set the time back by an hour, and
no timeout of theirs ends for an hour.  L{steady} mends that, in a process that is
ours.  Whoever needs the time of day takes L{wallClock} of whatever reactor it was
handed, and L{Onward} to wake up for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

__all__ = ["Onward", "WallClock", "steady", "wallClock"]


def steady(reactor: Any) -> None:
    """
    Have a reactor count the seconds since some moment, and not those since 1970.  It
    stays as it is when somebody has a call of it under way already.

    @param reactor: That of the process, before it runs.
    """
    if not reactor.getDelayedCalls():
        reactor.seconds = time.monotonic


def wallClock(reactor: Any) -> Any:
    """
    What tells the time of day where a reactor makes the calls.

    @return: An L{IReactorTime}: the reactor itself, unless it was made L{steady}.
    """
    return WallClock(reactor) if reactor.seconds is time.monotonic else reactor


@implementer(IReactorTime)
class WallClock:
    """
    The time of day, and calls after so many seconds, whatever becomes of it meanwhile.

    @ivar steady: Counts seconds as the reactor does.
    """

    def __init__(self, reactor: Any, day: Callable[[], float] = time.time) -> None:
        """
        @param reactor: Makes the calls.
        @param day: The time of day, POSIX seconds.
        """
        self._reactor = reactor
        self._day = day
        self.steady: Callable[[], float] = reactor.seconds

    def seconds(self) -> float:
        """
        POSIX seconds.
        """
        return self._day()

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kw: Any) -> IDelayedCall:
        """
        As of L{IReactorTime}.
        """
        call: IDelayedCall = self._reactor.callLater(delay, callable, *args, **kw)
        return call

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """
        As of L{IReactorTime}.
        """
        calls: Sequence[IDelayedCall] = self._reactor.getDelayedCalls()
        return calls


class Onward:
    """
    The time of day as long as nobody sets it back, and after that one that goes on as if
    nobody had: what was to be done in a minute is done in a minute.  When it is set
    forward it follows.
    """

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: Tells the time of day.
        """
        self._day: Callable[[], float] = clock.seconds
        self._steady: Callable[[], float] | None = getattr(clock, "steady", None)
        self._most = -inf

    def seconds(self) -> float:
        """
        Never less than before.
        """
        if self._steady is None:
            return self._day()
        now = self._steady()
        self._most = max(self._most, self._day() - now)
        return now + self._most

    def of(self, at: float) -> float:
        """
        When it will be a time of day.

        @param at: POSIX seconds.
        """
        return at if self._steady is None else at + (self.seconds() - self._day())
