"""
A breaker has a target passed over that fails again and again: a machine with three
states::

    closed -> open -> probing -> closed
                ^        |
                +--------+

It opens after so many failures in a row.  After a pause one attempt probes the target;
all others pass it over until that has come to an end.  When the probe reaches the
target the breaker closes, but the next failure opens it again; an answer closes it for
good.  Where the terms say so the pause grows from one opening to the next.

An attempt that has nowhere else to go may probe it before the pause is over, out of turn.  It says
what any probe says when it gets there; when it does not the pause begins anew, and grows no
longer, since otherwise every request that finds no target would make it so.

A target that does what it should has no breaker at all, so that nothing is asked of
one for each request; nor is this imported before one does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from automat import TypeMachineBuilder

from ..values import dataclass

if TYPE_CHECKING:
    from ..config.model import Ejection
    from .cohort import Cohort

__all__ = ["Breaker"]


class _Life(Protocol):
    """
    What can happen.
    """

    def lastFailed(self, now: float) -> None:
        """
        It has failed for the last time that is borne.
        """

    def reached(self) -> None:
        """
        It was connected to, which does not say that it will answer.
        """

    def answered(self) -> None:
        """
        It has done what it should.
        """

    def probed(self, now: float) -> None:
        """
        Somebody tries it although it is passed over.
        """

    def abandoned(self, now: float) -> None:
        """
        Whoever tried it has lost interest: nothing is known, and the next may try.
        """


@dataclass(slots=True)
class _Facts:
    """
    What the machine knows.
    """

    terms: Ejection
    cohort: Cohort | None
    openings: int = 0
    failures: int = 0
    until: float = 0.0
    isOutOfTurn: bool = False
    state: Literal["closed", "open", "probing"] = "closed"

    def enter(self, state: Literal["closed", "open", "probing"]) -> None:
        if self.cohort is not None:
            self.cohort.absent += (state != "closed") - (self.state != "closed")
        self.state = state


_machine = TypeMachineBuilder(_Life, _Facts)
_closed = _machine.state("closed")
_open = _machine.state("open")
_probing = _machine.state("probing")


@_closed.upon(_Life.lastFailed).to(_open)
@_probing.upon(_Life.lastFailed).to(_open)
def _pass(life: _Life, facts: _Facts, now: float) -> None:
    """
    Pass it over.
    """
    terms = facts.terms
    if not facts.isOutOfTurn:
        facts.openings += 1
    pause = terms.seconds * 2.0 ** min(facts.openings - 1, 30)
    facts.until = now + max(terms.seconds, min(pause, terms.longest))
    facts.isOutOfTurn = False
    facts.enter("open")


@_open.upon(_Life.probed).to(_probing)
def _probe(life: _Life, facts: _Facts, now: float) -> None:
    """
    One attempt finds out whether it is back.
    """
    facts.isOutOfTurn = now < facts.until
    facts.enter("probing")


@_open.upon(_Life.reached).to(_closed)
@_probing.upon(_Life.reached).to(_closed)
def _trust(life: _Life, facts: _Facts) -> None:
    """
    It has its turns, on probation.
    """
    facts.failures = facts.terms.failures - 1
    facts.isOutOfTurn = False
    facts.enter("closed")


@_closed.upon(_Life.answered).to(_closed)
@_open.upon(_Life.answered).to(_closed)
@_probing.upon(_Life.answered).to(_closed)
def _forgive(life: _Life, facts: _Facts) -> None:
    """
    It has its turns.
    """
    facts.failures = 0
    facts.isOutOfTurn = False
    facts.enter("closed")


@_probing.upon(_Life.abandoned).to(_open)
def _letNext(life: _Life, facts: _Facts, now: float) -> None:
    """
    Nothing is known.
    """
    if not facts.isOutOfTurn:
        facts.until = now
    facts.enter("open")


@_open.upon(_Life.lastFailed).to(_open)
@_open.upon(_Life.abandoned).to(_open)
@_closed.upon(_Life.abandoned).to(_closed)
def _stay(life: _Life, facts: _Facts, now: float) -> None:
    """
    Those that were under way when it opened make it no longer.
    """


@_closed.upon(_Life.reached).to(_closed)
def _rest(life: _Life, facts: _Facts) -> None:
    """
    Nothing changes.
    """


@_closed.upon(_Life.probed).to(_closed)
@_probing.upon(_Life.probed).to(_probing)
def _join(life: _Life, facts: _Facts, now: float) -> None:
    """
    It is tried by somebody already, or by everybody.
    """


_made = _machine.build()


class Breaker:
    """
    That of one target.
    """

    __slots__ = ("_facts", "_life")

    def __init__(self, terms: Ejection, cohort: Cohort | None = None, openings: int = 0) -> None:
        """
        @param terms: When it opens, and for how long.
        @param cohort: Says whether it may; L{None}: always.
        @param openings: How often it has opened of late.
        """
        self._facts = _Facts(terms, cohort if terms.isBounded else None, openings)
        self._life = _made(self._facts)

    @property
    def failures(self) -> int:
        """
        In a row, up to now.
        """
        return self._facts.failures

    @property
    def openings(self) -> int:
        """
        How often it has opened, without long times between.
        """
        return self._facts.openings

    @property
    def until(self) -> float:
        """
        Until when the target is passed over; of the past when it may be probed, or is
        not passed over.
        """
        return self._facts.until

    @property
    def state(self) -> Literal["closed", "open", "probing"]:
        """
        How it stands.
        """
        return self._facts.state

    def admits(self, now: float) -> bool:
        """
        Whether the target may be tried now.  Whoever tries one that is open tells by
        L{probed}.
        """
        facts = self._facts
        return facts.state == "closed" or (facts.state == "open" and facts.until <= now)

    def failed(self, now: float) -> bool:
        """
        The target could not be connected to, or did not answer as it should.

        @return: Whether that opened it.
        """
        facts = self._facts
        if facts.state == "closed":
            facts.failures += 1
            if facts.failures < facts.terms.failures or not (facts.cohort is None or facts.cohort.hasRoom):
                return False
        wasOpen = facts.state == "open"
        self._life.lastFailed(now)
        return not wasOpen

    def reached(self) -> None:
        """
        The target was connected to, which does not say that it will answer.
        """
        self._life.reached()

    def answered(self) -> None:
        """
        The target has done what it should.
        """
        self._life.answered()

    def probed(self, now: float) -> None:
        """
        Somebody tries it although it is passed over: in its turn when the pause is over, or
        because there is no other.
        """
        self._life.probed(now)

    def abandoned(self, now: float) -> None:
        """
        Whoever tried it has lost interest: nothing is known, and the next may try.
        """
        self._life.abandoned(now)
