"""
Who is next: the rules by which targets are chosen; pure but for what chance decides,
which is handed in.

Each puts candidates into the order in which they are to be tried: the first is chosen,
and the others are there in case it cannot be had.  A candidate has a share of what there
is to do, above 0, which may be less than its weight for a while.
"""

from __future__ import annotations

from hashlib import blake2b
from math import log
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Candidate", "IPHash", "LeastConnections", "Rule", "SmoothTurns", "TwoChoices", "score"]

#: One more than the largest number that a digest gives.
_ALL = 2**64


class Candidate(Protocol):
    """
    Who can be chosen.

    @ivar name: What it is known by; does not change.
    @ivar share: Of what there is to do.
    @ivar credit: For the rule to keep, 0 at first.
    """

    name: str
    share: float
    credit: float

    @property
    def busy(self) -> int:
        """
        How much it has to do just now.
        """


class Rule(Protocol):
    """
    Chooses.
    """

    isByClient: bool

    def order(self, candidates: Sequence[Candidate], client: str) -> list[Candidate]:
        """
        @param candidates: At least one.
        @param client: An address; empty where the rule does not need it.
        @return: All of them.
        """


class SmoothTurns:
    """
    Turns by weight, spread evenly: with 5, 1 and 1 the heavy one is not chosen five
    times in a row (as nginx has it since 1.3.1: everybody gains its share, who has most
    is chosen and pays for all).
    """

    isByClient = False

    def order(self, candidates: Sequence[Candidate], client: str) -> list[Candidate]:
        """
        See L{Rule}.
        """
        total = 0.0
        for each in candidates:
            each.credit += each.share
            total += each.share
        found = sorted(candidates, key=_owed)
        found[0].credit -= total
        return found


class LeastConnections:
    """
    The one that has least to do for its share; among equals they take turns by weight.
    """

    isByClient = False

    def __init__(self) -> None:
        """
        Nobody has had his turn.
        """
        self._turns = SmoothTurns()

    def order(self, candidates: Sequence[Candidate], client: str) -> list[Candidate]:
        """
        See L{Rule}.
        """
        found = sorted(candidates, key=_load)
        least = _load(found[0])
        idle = [each for each in found if _load(each) == least]
        return [*self._turns.order(idle, client), *found[len(idle) :]]


class IPHash:
    """
    The same one for the same client: whoever draws most for it, by a digest of both
    (rendezvous hashing, with shares as Schindelhauer and Schomaker weigh them).  When
    one goes only its clients move, and when it is back just those come back.
    """

    isByClient = True

    def order(self, candidates: Sequence[Candidate], client: str) -> list[Candidate]:
        """
        See L{Rule}.
        """
        return sorted(candidates, key=lambda each: -score(each, client))


class TwoChoices:
    """
    Chance picks two, by weight, and of these the one that has less to do for its share
    is chosen.
    """

    isByClient = False

    def __init__(self, chance: Callable[[], float]) -> None:
        """
        @param chance: A number from 0 to 1, which it is not itself.
        """
        self._chance = chance

    def order(self, candidates: Sequence[Candidate], client: str) -> list[Candidate]:
        """
        See L{Rule}.
        """
        left = list(candidates)
        if len(left) == 1:
            return left
        one, other = self._take(left), self._take(left)
        return [other, one, *left] if _load(other) < _load(one) else [one, other, *left]

    def _take(self, left: list[Candidate]) -> Candidate:
        at = self._chance() * sum(each.share for each in left)
        for number, each in enumerate(left):
            at -= each.share
            if at < 0:
                return left.pop(number)
        return left.pop()


def score(candidate: Candidate, client: str) -> float:
    """
    How much somebody draws for a client; who draws most is chosen.
    """
    digest = blake2b(f"{client}\0{candidate.name}".encode("utf-8", "surrogateescape"), digest_size=8)
    # Above 0 and below 1, so that there is a logarithm, and not 0.
    drawn = (int.from_bytes(digest.digest(), "big") + 0.5) / _ALL
    return -candidate.share / log(min(drawn, 1 - 1e-16))


def _owed(candidate: Candidate) -> float:
    return -candidate.credit


def _load(candidate: Candidate) -> float:
    return candidate.busy / candidate.share
