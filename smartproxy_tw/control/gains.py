"""
How counts travel: as what has been gained since they were told, in pieces that AMP takes;
pure.

So the line carries what has happened, and not what there is: the counts of ten thousand
routes go over it once, and then those that have changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from .state import isGauge

__all__ = ["Gains", "gained"]

#: What is added to the name of a count, in bytes: quotes, a number, what is between.
_MORE = 30


class Gains:
    """
    What one end has told the other.
    """

    def __init__(self, most: int) -> None:
        """
        @param most: Bytes of a piece, unless a single count takes more.
        """
        self._most = most
        self._told: dict[str, int] = {}

    def take(self, tally: Mapping[str, int]) -> tuple[dict[str, int], bool]:
        """
        The next piece.  It counts as told.

        @param tally: The counts of now.
        @return: What has been gained, and whether there is more.
        """
        told = self._told
        piece: dict[str, int] = {}
        size = 0
        for name in [name for name in told if name not in tally]:
            if isGauge(name):
                # It stands at nothing.
                size += len(json.dumps(name)) + _MORE
                if piece and size > self._most:
                    return piece, True
                piece[name] = -told[name]
            # The count of something that is not there any more stays where it was told.
            del told[name]
        for name, value in tally.items():
            if value == told.get(name):
                continue
            size += len(json.dumps(name)) + _MORE
            if piece and size > self._most:
                return piece, True
            piece[name] = value - told.get(name, 0)
            told[name] = value
        return piece, False


def gained(counts: dict[str, int], piece: Mapping[str, int]) -> None:
    """
    Add a piece.

    @param counts: What was told before; changed.
    @param piece: Of L{Gains.take}.
    """
    for name, gain in piece.items():
        counts[name] = counts.get(name, 0) + gain
