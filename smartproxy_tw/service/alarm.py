"""
What is to be done at a time of day: one thing, or many.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall

from ..acme.clocks import Onward

__all__ = ["Alarm", "Bell", "Timetable", "every"]

#: The wall clock is looked at this often, in seconds: a machine that slept, or
#: whose clock was set forward, is late by no more than that.
_NAP = 60.0


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
        self._onward = Onward(clock)
        self._ring: Callable[[], object] = ring
        self._at: float | None = None
        self._due = 0.0
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
        self._at, self._due = at, self._onward.of(at)
        self._sleep()

    def clear(self) -> None:
        """
        Do not ring.
        """
        self._at = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def end(self) -> None:
        """
        Never ring again, and hold on to nobody: whoever has an alarm of his own is in
        a circle with it.
        """
        self.clear()
        self._ring = _nothing

    def _sleep(self) -> None:
        rest = self._due - self._onward.seconds()
        self._call = self._clock.callLater(max(0.0, min(rest, _NAP)), self._wake)

    def _wake(self) -> None:
        self._call = None
        if self._at is not None and self._onward.seconds() < self._due:
            self._sleep()
            return
        self._at = None
        self._ring()


class Timetable:
    """
    Many alarms, of which the reactor knows as one: ten thousand certificates wake
    nobody as long as none of them is due.
    """

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: Tells the time, POSIX seconds, and wakes us.
        """
        self._alarm = Alarm(clock, self._ring)
        self._clock = clock
        # By it are the times in the heap.
        self._onward = Onward(clock)
        self._numbers = count()
        self._heap: list[tuple[float, int, Bell]] = []
        self._isRinging = False
        self._stale = 0
        self._next = 0.0

    def __len__(self) -> int:
        """
        How many entries are kept, those included that count no more.
        """
        return len(self._heap)

    def bell(self, ring: Callable[[], object]) -> Bell:
        """
        One more, not set.

        @param ring: As for L{Alarm}.
        """
        return Bell(self, ring)

    def add(self, bell: Bell, at: float) -> None:
        """
        Have a bell rung.
        """
        bell.number = next(self._numbers)
        heappush(self._heap, (self._onward.of(at), bell.number, bell))
        self._wind()

    def drop(self) -> None:
        """
        One entry counts no more.
        """
        self._stale += 1
        if self._stale > 64 and self._stale * 2 > len(self._heap):
            self._heap = [each for each in self._heap if each[2].number == each[1]]
            heapify(self._heap)
            self._stale = 0
        self._wind()

    def _wind(self) -> None:
        if self._isRinging:
            return
        while self._heap and self._heap[0][2].number != self._heap[0][1]:
            heappop(self._heap)
            self._stale -= 1
        if not self._heap:
            self._alarm.clear()
        elif self._next != self._heap[0][0] or self._alarm.at is None:
            self._next = self._heap[0][0]
            self._alarm.set(self._next - self._onward.seconds() + self._clock.seconds())

    def _ring(self) -> None:
        self._isRinging = True
        now = self._onward.seconds()
        try:
            # What is set meanwhile has its turn at the reactor's next one.
            due = []
            while self._heap and self._heap[0][0] <= now:
                due.append(heappop(self._heap))
            for _, number, bell in due:
                if bell.number == number:
                    bell.strike()
                else:
                    self._stale -= 1
        finally:
            self._isRinging = False
        self._wind()


class Bell:
    """
    One alarm of a L{Timetable}.

    @ivar at: When it rings, POSIX seconds, or L{None}.
    @ivar number: Tells the entry of the timetable that counts from earlier
        ones; L{None} when none does.
    """

    def __init__(self, timetable: Timetable, ring: Callable[[], object]) -> None:
        """
        @param timetable: Whose.
        @param ring: What to call.  It returns at once and never raises.
        """
        self._timetable = timetable
        self._ring: Callable[[], object] = ring
        self.at: float | None = None
        self.number: int | None = None

    def set(self, at: float) -> None:
        """
        As L{Alarm.set}.
        """
        self.clear()
        self.at = at
        self._timetable.add(self, at)

    def clear(self) -> None:
        """
        Do not ring.
        """
        if self.number is not None:
            self.at = self.number = None
            self._timetable.drop()

    def end(self) -> None:
        """
        As L{Alarm.end}.
        """
        self.clear()
        self._ring = _nothing

    def strike(self) -> None:
        """
        It is time.
        """
        self.at = self.number = None
        self._ring()


def _nothing() -> None:
    pass


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
