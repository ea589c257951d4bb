"""
The life of a worker's place, which outlives every worker that holds it.  Pure: the
state is a value, and what happens makes another one::

    vacant -> starting -> serving -> vacant -> ...

A worker that dies is replaced at once.  One whose predecessor died young as well
has to wait, longer each time, so that what cannot live does not cost a CPU.
"""

from __future__ import annotations

from dataclasses import replace

from ..values import dataclass

__all__ = ["Post", "Serving", "Starting", "Vacant", "pause"]

#: A worker that served so long did not die young, in seconds.
_OLD = 60.0
#: The first pause, and the longest, in seconds.
_FIRST = 0.25
_LONGEST = 30.0


@dataclass(frozen=True, slots=True)
class Vacant:
    """
    Nobody is there.

    @ivar failures: How many died young, one after the other.
    """

    failures: int = 0


@dataclass(frozen=True, slots=True)
class Starting:
    """
    Somebody is being told everything.
    """

    failures: int = 0


@dataclass(frozen=True, slots=True)
class Serving:
    """
    Somebody accepts connections.

    @ivar since: When that began, in seconds.
    """

    failures: int
    since: float


def pause(failures: int) -> float:
    """
    How long a place stays vacant, in seconds.

    @param failures: How many died young, one after the other.
    """
    return 0.0 if failures < 2 else min(_LONGEST, _FIRST * 2.0 ** min(failures - 2, 20))


@dataclass(frozen=True, slots=True)
class Post:
    """
    One place.

    @ivar number: From 1.
    @ivar state: How it stands.
    """

    number: int
    state: Vacant | Starting | Serving = Vacant()

    def filled(self) -> Post:
        """
        A worker was begun.
        """
        return replace(self, state=Starting(self.state.failures))

    def settled(self, now: float) -> Post:
        """
        It serves.
        """
        return replace(self, state=Serving(self.state.failures, now))

    def left(self) -> Post:
        """
        It was asked to leave by somebody else, and does: no failure.
        """
        return replace(self, state=Vacant(0 if isinstance(self.state, Serving) else self.state.failures))

    def died(self, now: float) -> Post:
        """
        It has ended and was not asked to.
        """
        isOld = isinstance(self.state, Serving) and now - self.state.since >= _OLD
        return replace(self, state=Vacant(1 if isOld else self.state.failures + 1))
