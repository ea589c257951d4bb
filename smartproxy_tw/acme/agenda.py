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

from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING

from ..values import dataclass
from .schedule import LONGEST_WAIT

if TYPE_CHECKING:
    from .budget import Budget, Kind, Wait

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

    @ivar atOnce: So many orders may be under way.
    """

    def __init__(self, budget: Budget, atOnce: int) -> None:
        """
        @param budget: Says who may.
        @param atOnce: So many orders may be under way.
        """
        self._budget = budget
        self.atOnce = atOnce
        self._numbers: dict[Wish, int] = {}
        self._count = 0
        self._underWay: set[Wish] = set()
        # Those who may go as far as it depends on them alone, by kind; and those
        # whose own names have to wait, by when that ends.
        self._lanes: dict[Kind, list[tuple[_Rank, Wish]]] = {"new": [], "renewal": [], "suggested": []}
        self._later: list[tuple[float, int, Wish]] = []
        self._waits: dict[Wish, Wait] = {}
        self._asked: dict[Wish, float] = {}
        # Where each stands in its lane: older entries there count no more.
        self._ranks: dict[Wish, _Rank] = {}

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
        if wish.asked:
            self._asked[wish] = wish.asked
        self._line(wish, now)

    def remove(self, wish: Wish) -> None:
        """
        One who waits has changed its mind.
        """
        self._forget(wish)

    def touch(self, wish: Wish, asked: float, now: float) -> None:
        """
        A client has asked for what somebody waits for.

        @param asked: When, POSIX seconds; what was known before counts where it
            was later.
        """
        if wish in self._numbers and asked > self._asked.get(wish, 0.0):
            self._asked[wish] = asked
            if wish not in self._waits:
                self._line(wish, now)

    def next(self, now: float) -> Wish | None:
        """
        Let the next one go, if there is one that may; it is taken from the
        budget and is under way until L{settle}.

        @return: L{None}: nobody may now; see L{wakeAt}.
        """
        if len(self._underWay) >= self.atOnce:
            return None
        self._recall(now)
        open = [lane for kind, lane in self._lanes.items() if lane and self._budget.opens(kind, now) is None]
        while open:
            lane = min(open, key=lambda each: each[0][0])
            rank, wish = heappop(lane)
            if not lane:
                open.remove(lane)
            if self._ranks.get(wish) != rank:
                continue  # it does not wait any more, or elsewhere in the line
            del self._ranks[wish]
            held = self._budget.wait(wish.names, wish.kind, now)
            if held is not None:
                self._waits[wish] = held
                heappush(self._later, (held.until, self._numbers[wish], wish))
                continue
            self._forget(wish)
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
        if len(self._underWay) >= self.atOnce:
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
        asked = self._asked.get(wish, 0.0)
        rank = (False, -asked, 0.0, number) if wish.ends <= now else (True, wish.ends, -asked, number)
        self._ranks[wish] = rank
        lane = self._lanes[wish.kind]
        heappush(lane, (rank, wish))
        if len(lane) > 2 * len(self._numbers) + 64:
            lane[:] = [entry for entry in lane if self._ranks.get(entry[1]) == entry[0]]
            heapify(lane)

    def _forget(self, wish: Wish) -> None:
        for known in (self._numbers, self._waits, self._asked, self._ranks):
            known.pop(wish, None)

    def _recall(self, now: float) -> None:
        while self._later and not now < self._later[0][0] <= now + LONGEST_WAIT:
            if self._later[0][0] == inf:
                break
            # Its time has come, or the clock went back.
            self._line(heappop(self._later)[2], now)
