"""
A breaker has a target passed over that fails again and again.

It opens at L{FAILURES} failures in a row.  After L{PAUSE} seconds one attempt
probes the target; all others pass it over until that has come to an end.  When
the probe reaches the target the breaker closes, but the next failure opens it
again; an answer closes it for good.

The states are values, and what happens to them are functions.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "FAILURES",
    "PAUSE",
    "WELL",
    "Breaker",
    "Closed",
    "Open",
    "Probing",
    "abandoned",
    "admits",
    "answered",
    "failed",
    "reached",
]

#: So many failures in a row open it.
FAILURES = 5
#: For how long a target is passed over, in seconds.
PAUSE = 10.0


@dataclass(frozen=True, slots=True)
class Closed:
    """
    The target has its turns.

    @ivar failures: In a row, up to now.
    """

    failures: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """
    The target is passed over.

    @ivar until: When it may be probed, on the poller's clock.
    """

    until: float


@dataclass(frozen=True, slots=True)
class Probing:
    """
    One attempt finds out whether the target is back.
    """


Breaker = Closed | Open | Probing

#: The state of a target that does what it should; the only one without failures.
WELL = Closed()

_ON_PROBATION = Closed(FAILURES - 1)


def admits(breaker: Breaker, now: float) -> bool:
    """
    @return: Whether the target may be tried now.  Whoever tries one that is
        open makes it L{Probing}.
    """
    return isinstance(breaker, Closed) or (isinstance(breaker, Open) and breaker.until <= now)


def failed(breaker: Breaker, now: float) -> Breaker:
    """
    The target could not be connected to, or did not answer as it should.
    """
    if isinstance(breaker, Closed) and breaker.failures + 1 < FAILURES:
        return Closed(breaker.failures + 1)
    return breaker if isinstance(breaker, Open) else Open(now + PAUSE)


def reached(breaker: Breaker) -> Breaker:
    """
    The target was connected to, which does not say that it will answer.
    """
    return breaker if isinstance(breaker, Closed) else _ON_PROBATION


def answered(breaker: Breaker) -> Breaker:
    """
    The target has done what it should.
    """
    return WELL


def abandoned(breaker: Breaker, now: float) -> Breaker:
    """
    Whoever tried it has lost interest: nothing is known, and the next may try.
    """
    return Open(now) if isinstance(breaker, Probing) else breaker
