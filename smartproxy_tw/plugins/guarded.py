"""
Somebody else's condition, which decides with all others while a request is routed: one
that raises does not hold.

What it came to is never remembered for other clients, since nobody knows what it goes by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

if TYPE_CHECKING:
    from ..routing.sight import Sight

__all__ = ["GuardedCondition"]

_log = Logger()


class GuardedCondition:
    """
    A L{Condition<smartproxy_tw.routing.conditions.Condition>}.

    @ivar fact: What it is called in the configuration.
    """

    def __init__(self, name: str, condition: Any) -> None:
        """
        @param condition: Provides L{ICondition<smartproxy_tw.interfaces.ICondition>}.
        """
        self.fact = name
        self._condition = condition
        self._hasFailed = False

    def holds(self, sight: Sight) -> bool:
        """
        Whether it does.
        """
        sight.isPersonal = True
        try:
            return bool(self._condition.holds(sight))
        except Exception:
            if not self._hasFailed:
                # Once: it is asked with each request.
                self._hasFailed = True
                _log.failure(
                    "The condition {plugin} failed, and does not hold for whom it fails",
                    event="plugin-failed",
                    plugin=self.fact,
                )
            return False

    def objection(self, sight: Sight) -> str:
        """
        Why it does not.
        """
        try:
            return f"{self.fact}: {self._condition.objection(sight)}"
        except Exception as why:
            return f"{self.fact}: it fails with {type(why).__name__}"
