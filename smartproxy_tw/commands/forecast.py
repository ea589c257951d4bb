"""
What would be ordered, in which order and when: the scheduler's own rules, played
through with a clock that is moved and an authority that gives all it is asked for.

Nothing is asked of anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..acme.agenda import Agenda, Wish
from ..config.model import Auto
from ..values import dataclass

if TYPE_CHECKING:
    from ..acme.budget import Budget, Kind
    from .survey import Record

__all__ = ["Step", "forecast"]

#: As many orders as a proxy places at once may be under way: each ends at once here.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Step:
    """
    One order.

    @ivar record: For what.
    @ivar at: When it is placed, POSIX seconds.
    @ivar kind: How it counts.
    @ivar why: Why then and not before, for people.
    """

    record: Record
    at: float
    kind: Kind
    why: str


def forecast(records: Iterable[Record], budget: Budget, now: float) -> tuple[Step, ...]:
    """
    The next order for each certificate by ACME, the first one first.

    @param records: What is wanted.
    @param budget: Of the preferred authority; used up by this.
    @param now: POSIX seconds.
    """
    coming = sorted(
        ((each.next, number, each) for number, each in enumerate(records) if isinstance(each.source, Auto)),
        key=lambda entry: (entry[0] or 0.0, entry[1]),
    )
    agenda = Agenda(budget, _AT_ONCE)
    known: dict[Wish, Record] = {}
    held: dict[Wish, str] = {}
    steps: list[Step] = []
    while coming or len(agenda):
        while coming and (coming[0][0] or 0.0) <= now:
            record = coming.pop(0)[2]
            wish = _wish(record)
            known[wish] = record
            agenda.add(wish, now)
        while (wish_ := agenda.next(now)) is not None:
            agenda.settle(wish_, now, isPlaced=True, isIssued=True)
            record = known[wish_]
            steps.append(Step(record, now, wish_.kind, held.get(wish_) or record.why or ""))
        for wish in agenda.waiting:
            wait = agenda.waitOf(wish, now)
            if wait is not None:
                held[wish] = wait.why
        times = [at for at in (agenda.wakeAt(now), coming[0][0] if coming else None) if at is not None]
        if not times:
            break
        now = max(now + 0.001, min(times))
    return tuple(steps)


def _wish(record: Record) -> Wish:
    facts = record.facts
    if facts is None or record.state in ("missing", "partial"):
        return Wish(record.names)
    kind: Kind = "renewal" if set(facts.names) == set(record.names) else "new"
    return Wish(record.names, kind, ends=facts.notAfter)
