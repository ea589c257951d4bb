"""
How counts travel: as what has been gained since they were told, in pieces that AMP takes;
pure.

So the line carries what has happened, and not what there is: the counts of ten thousand
routes go over it once, and then those that have changed.  Looking for these takes long
where there are so many, and is done step by step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..routing.steps import Steps

__all__ = ["Gains", "Piece", "gained"]

#: What is added to the name of a count, in bytes: quotes, a number, what is between.
_MORE = 30

#: So many counts are looked at in one step, less one.
_STEP = 1023

#: What has been gained, by name; C{None}: there is no such count any more.
Piece = Mapping[str, int | None]


class Gains:
    """
    What one end has told the other, and what it has still to tell.
    """

    def __init__(self, most: int) -> None:
        """
        @param most: Bytes of a piece, unless a single count takes more.
        """
        self._most = most
        self._told: dict[str, int] = {}
        self._untold: dict[str, int | None] = {}

    @property
    def isMore(self) -> bool:
        """
        Whether there is something to tell.
        """
        return bool(self._untold)

    def look(self, tally: Mapping[str, int]) -> Steps[None]:
        """
        See what has been gained.

        @param tally: The counts of now; not to be changed.
        """
        told, untold = self._told, self._untold
        for number, (name, value) in enumerate(tally.items()):
            before = told.get(name)
            if value != before:
                waiting = untold.get(name, 0)
                # That the one before is gone has to be told first.
                if waiting is not None:
                    told[name] = value
                    untold[name] = value - (before or 0) + waiting
            if not number & _STEP:
                yield
        if len(told) > len(tally):
            for name in told.keys() - tally.keys():
                del told[name]
                untold[name] = None

    def take(self) -> tuple[Piece, bool]:
        """
        The next piece.  It counts as told.

        @return: It, and whether there is more.
        """
        untold = self._untold
        piece: dict[str, int | None] = {}
        size = 0
        while untold:
            name, gain = untold.popitem()
            size += len(json.dumps(name)) + _MORE
            if piece and size > self._most:
                untold[name] = gain
                break
            piece[name] = gain
        return piece, self.isMore


def gained(counts: dict[str, int], piece: Piece) -> None:
    """
    Add a piece.

    @param counts: What was told before; changed.
    @param piece: Of L{Gains.take}.
    """
    for name, gain in piece.items():
        if gain is None:
            counts.pop(name, None)
        else:
            counts[name] = counts.get(name, 0) + gain
