"""
Targets among which one may be passed over for another.
"""

from __future__ import annotations

from ..values import dataclass

__all__ = ["Cohort"]


@dataclass(slots=True)
class Cohort:
    """
    The targets that are alternatives to one another, of which half at most are passed
    over at a time; numbers only, so that nobody is kept alive by it.

    @ivar size: How many there are.
    @ivar absent: How many of them are passed over.
    """

    size: int = 0
    absent: int = 0

    @property
    def hasRoom(self) -> bool:
        """
        Whether one more may be.
        """
        return self.absent + 1 <= self.size // 2
