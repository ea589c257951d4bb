"""
Who goes next: the certificates that are to be ordered, in the order in which
they matter, and those of them that the authority's budget lets through.

What is missing goes before what is merely to be renewed, and an expired
certificate is missing.  Of those that are missing, the names that clients ask
for go first, the ones asked for last before the others; then who has waited
longest.  Of renewals, the one that ends next.

Nothing here waits or knows the time; L{Agenda.next} is asked whenever something
has changed, and says when it is to be asked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf

from .budget import Budget, Kind, Wait
from .schedule import LONGEST_WAIT

__all__ = ["Agenda", "Wish"]

_Rank = tuple[bool, float, float, int]


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """
    An order that somebody wants to place.  Each is one of its own, whatever it
    is for.

    @ivar names: What the certificate is to be for.
    @ivar kind: How it counts.
    @ivar ends: When the certificate that is served now ends, POSIX seconds; 0
        while there is none.
    @ivar asked: When a client last asked for it, POSIX seconds; 0: nobody did.
    """

    names: tuple[str, ...]
    kind: Kind = "new"
    ends: float = 0.0
    asked: float = 0.0


class Agenda:
    """
    Those who wait for their turn.
    """

    def __init__(self, budget: Budget, atOnce: int) -> None:
        """
        @param budget: Says who may.
        @param atOnce: So many orders may be under way.
        """
        self._budget = budget
        self._atOnce = atOnce
        self._numbers: dict[Wish, int] = {}
        self._count = 0
        self._underWay: set[Wish] = set()
        # Those who may go as far as it depends on them alone, by kind; and those
        # whose own names have to wait, by when that ends.
        self._lanes: dict[Kind, list[tuple[_Rank, Wish]]] = {"new": [], "renewal": [], "suggested": []}
        self._later: list[tuple[float, int, Wish]] = []
        self._waits: dict[Wish, Wait] = {}

    def __len__(self) -> int:
        """
        How many wait.
        """
        return len(self._numbers)

    @property
    def waiting(self) -> tuple[Wish, ...]:
        """
        Those who wait, as they came.
        """
        return tuple(self._numbers)

    def add(self, wish: Wish, now: float) -> None:
        """
        One more.
        """
        self._count += 1
        self._numbers[wish] = self._count
        self._line(wish, now)

    def remove(self, wish: Wish) -> None:
        """
        One who waits has changed its mind.
        """
        self._numbers.pop(wish, None)
        self._waits.pop(wish, None)

    def next(self, now: float) -> Wish | None:
        """
        Let the next one go, if there is one that may; it is taken from the
        budget and is under way until L{settle}.

        @return: L{None}: nobody may now; see L{wakeAt}.
        """
        if len(self._underWay) >= self._atOnce:
            return None
        self._recall(now)
        open = [lane for kind, lane in self._lanes.items() if lane and self._budget.opens(kind, now) is None]
        while open:
            lane = min(open, key=lambda each: each[0][0])
            wish = heappop(lane)[1]
            if not lane:
                open.remove(lane)
            if wish not in self._numbers:
                continue
            held = self._budget.wait(wish.names, wish.kind, now)
            if held is not None:
                self._waits[wish] = held
                heappush(self._later, (held.until, self._numbers[wish], wish))
                continue
            del self._numbers[wish]
            self._waits.pop(wish, None)
            self._underWay.add(wish)
            self._budget.take(wish.names, wish.kind, now)
            return wish
        return None

    def settle(self, wish: Wish, now: float, *, isPlaced: bool, isIssued: bool) -> None:
        """
        One that was under way has ended.

        @param isPlaced: As for L{Budget.settle}.
        @param isIssued: Likewise.
        """
        self._underWay.discard(wish)
        self._budget.settle(wish.names, wish.kind, isPlaced=isPlaced, isIssued=isIssued)
        # Those who waited for the end of another order look again.
        again = [each for each in self._later if each[0] == inf]
        if again:
            self._later = [each for each in self._later if each[0] != inf]
            self._later.sort()
            for _, _, each in again:
                self._line(each, now)

    def wakeAt(self, now: float) -> float | None:
        """
        When L{next} may have another answer without anything else happening,
        POSIX seconds; L{None}: not before something happens.
        """
        if len(self._underWay) >= self._atOnce:
            return None
        times = [self._later[0][0]] if self._later else []
        for kind, lane in self._lanes.items():
            held = self._budget.opens(kind, now) if lane else None
            if held is not None:
                times.append(held.until)
        soonest = min(times, default=inf)
        return None if soonest == inf else soonest

    def waitOf(self, wish: Wish, now: float) -> Wait | None:
        """
        Why one still waits, and until when as far as that is known; L{None}:
        just for its turn.
        """
        return self._budget.opens(wish.kind, now) or self._waits.get(wish)

    def _line(self, wish: Wish, now: float) -> None:
        number = self._numbers.get(wish)
        if number is None:
            return
        self._waits.pop(wish, None)
        if wish.ends <= now:
            rank = (False, -wish.asked, 0.0, number)
        else:
            rank = (True, wish.ends, -wish.asked, number)
        heappush(self._lanes[wish.kind], (rank, wish))

    def _recall(self, now: float) -> None:
        while self._later and not now < self._later[0][0] <= now + LONGEST_WAIT:
            if self._later[0][0] == inf:
                break
            # Its time has come, or the clock went back.
            self._line(heappop(self._later)[2], now)
