"""
Which of a route's targets are for a request: see
L{Branch<smartproxy_tw.config.selection.Branch>}.

The rules are here alone: who forwards goes by them, and who explains tells them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .conditions import Condition, holds, readConditions
from .patterns import PathPattern, pathPattern

if TYPE_CHECKING:
    from ..config.selection import Branch
    from .sight import Sight

__all__ = ["Tier", "judged", "tiers"]


class Tier(NamedTuple):
    """
    Branches with the same conditions.

    @ivar path: L{None}: any, and also where there is none.
    @ivar conditions: All of which have to hold.
    @ivar places: Of the branches, in the order in which they were given.
    """

    path: PathPattern | None
    conditions: tuple[Condition, ...]
    places: tuple[int, ...]

    def holds(self, path: str | None, sight: Sight) -> bool:
        """
        Whether they are for this.

        @param path: L{None} of what is not HTTP.
        """
        if self.path is not None and (path is None or self.path.match(path) is None):
            return False
        return holds(self.conditions, sight)

    def objection(self, path: str | None, sight: Sight) -> str | None:
        """
        Why they are not, or L{None} if they are.
        """
        if self.path is not None and (path is None or self.path.match(path) is None):
            return f"path: {path} is not {self.path.text}"
        for each in self.conditions:
            if not each.holds(sight):
                return each.objection(sight)
        return None


def tiers(branches: Sequence[Branch]) -> list[Tier]:
    """
    In the order in which they are asked; the first one that holds is chosen.

    @raise ValueError: A condition is none.
    """
    found: dict[tuple[object, ...], list[int]] = {}
    order: dict[tuple[object, ...], tuple[int, bool]] = {}
    for place, branch in enumerate(branches):
        key = (branch.priority, branch.path, branch.conditions)
        found.setdefault(key, []).append(place)
        order[key] = (-branch.priority, branch.isDefault)
    return [_tier(branches[found[key][0]], found[key]) for key in sorted(found, key=lambda key: order[key])]


def _tier(branch: Branch, places: Iterable[int]) -> Tier:
    path = None if branch.path is None else pathPattern(branch.path)
    conditions = () if branch.conditions is None else readConditions(branch.conditions)
    return Tier(path, conditions, tuple(places))


def judged(
    branches: Sequence[Branch], path: str | None, sight: Sight
) -> Iterator[tuple[Branch, tuple[int, ...], str | None]]:
    """
    Each branch, in the order in which they are asked.

    @param path: L{None} of what is not HTTP.
    @return: With those that it takes turns with, and why it is not for this; L{None} if
        it is.
    """
    for tier in tiers(branches):
        for place in tier.places:
            yield branches[place], tier.places, tier.objection(path, sight)
