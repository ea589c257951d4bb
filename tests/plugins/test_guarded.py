"""
Somebody else's condition.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plugins.guarded import GuardedCondition
from smartproxy_tw.routing.sight import Sight


class _Condition:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def holds(self, sight: Sight) -> Any:
        """As it was made."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    objection = holds


class GuardedTests(SynchronousTestCase):
    """
    L{GuardedCondition}.
    """

    def test_decides(self) -> None:
        """
        As the plug-in says, and for this client alone.
        """
        for answer, holds in ((True, True), (0, False), ("yes", True)):
            sight = Sight("127.0.0.1")
            self.assertIs(GuardedCondition("x", _Condition(answer)).holds(sight), holds)
            self.assertTrue(sight.isPersonal)
        self.assertEqual(GuardedCondition("x", _Condition("no")).objection(Sight("")), "x: no")

    def test_fails(self) -> None:
        """
        One that raises does not hold, which is logged once.
        """
        condition = GuardedCondition("x", _Condition(KeyError("a")))
        self.assertFalse(condition.holds(Sight("")))
        self.assertFalse(condition.holds(Sight("")))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(condition.objection(Sight("")), "x: it fails with KeyError")
