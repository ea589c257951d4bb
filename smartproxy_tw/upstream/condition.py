"""
What several looks at a target come to: healthy or not.  Pure: a value, and what each look
makes of it.

The first look decides alone, so that a target that is away when the proxy starts has
nothing sent to it; after that it takes so many in a row to change anything.
"""

from __future__ import annotations

from ..values import dataclass

__all__ = ["Condition"]


@dataclass(frozen=True, slots=True)
class Condition:
    """
    @ivar isHealthy: Whether it may be sent something.
    @ivar against: How many looks in a row have said otherwise.
    @ivar isKnown: Whether there was a look at all; until then it is taken for healthy.
    """

    isHealthy: bool = True
    against: int = 0
    isKnown: bool = False

    def after(self, isWell: bool, rise: int, fall: int) -> Condition:
        """
        There was another look.

        @param isWell: What it has seen.
        @param rise: So many in a row make it healthy.
        @param fall: So many in a row make it unhealthy.
        """
        if not self.isKnown:
            return Condition(isWell, 0, True)
        if isWell is self.isHealthy:
            return Condition(self.isHealthy, 0, True)
        against = self.against + 1
        if against >= (rise if isWell else fall):
            return Condition(isWell, 0, True)
        return Condition(self.isHealthy, against, True)
