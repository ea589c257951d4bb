"""
How many requests may be sent a second time.

In any L{WINDOW} seconds it is a fifth of the requests of that time, and
L{FLOOR} at least, so that a quiet site may retry too.  So retries never make a
target's distress much worse.

Requests are counted by whoever has them, in one number that grows; it is looked
at only when something is to be repeated.  Where nobody looked for longer than
the window, the requests of the window are taken from the average since.
"""

from __future__ import annotations

from collections import deque

__all__ = ["FLOOR", "SHARE", "WINDOW", "Budget"]

#: Seconds that are looked back.
WINDOW = 10.0
#: Retries for each request.
SHARE = 0.2
#: Retries that are always possible in the window.
FLOOR = 10

# How far apart samples are at least, in seconds.
_APART = 1.0


class Budget:
    """
    That of one group, in this process.
    """

    def __init__(self, now: float) -> None:
        """
        @param now: On the clock that all calls will use, in seconds.
        """
        # When was it looked, and how many requests there had been.
        self._samples: deque[tuple[float, int]] = deque([(now, 0)])
        self._spent: deque[float] = deque()

    def spend(self, now: float, requests: int) -> bool:
        """
        Retry once, if that is possible.

        @param requests: How many there were since the beginning.
        @return: Whether it is.
        """
        while self._spent and self._spent[0] <= now - WINDOW:
            self._spent.popleft()
        if len(self._spent) >= max(FLOOR, SHARE * self._recent(now, requests)):
            return False
        self._spent.append(now)
        return True

    def _recent(self, now: float, requests: int) -> float:
        """
        The requests of the window.
        """
        samples = self._samples
        # The newest of those that are older than the window stays, to count from.
        while len(samples) > 1 and samples[1][0] <= now - WINDOW:
            samples.popleft()
        since, before = samples[0]
        if now - samples[-1][0] >= _APART:
            samples.append((now, requests))
        return (requests - before) * min(1.0, WINDOW / max(now - since, WINDOW))
