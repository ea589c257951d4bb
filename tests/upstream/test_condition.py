"""
Tests for L{smartproxy_tw.upstream.condition}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.condition import Condition

from ..examples import examples


class ConditionTests(SynchronousTestCase):
    """
    What looks come to.
    """

    def after(self, looks: str, rise: int = 2, fall: int = 3) -> Condition:
        """
        After some that went well (C{+}) or not.
        """
        condition = Condition()
        for each in looks:
            condition = condition.after(each == "+", rise, fall)
        return condition

    def test_story(self) -> None:
        """
        The first one decides alone; then it takes as many as was said, in a row.
        """
        self.assertTrue(Condition().isHealthy)
        for looks, isHealthy in (
            ("+", True),
            ("-", False),
            ("-+", False),
            ("-++", True),
            ("-+-+", False),
            ("+--", True),
            ("+---", False),
            ("+--+--", True),
            ("+--+---", False),
        ):
            self.assertIs(self.after(looks).isHealthy, isHealthy, looks)

    @examples()
    @given(st.text("+-", min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 5))
    def test_changesOnlyByRuns(self, looks: str, rise: int, fall: int) -> None:
        """
        After the first look a change comes only with so many of one kind in a row, and
        always comes then.
        """
        for end in range(2, len(looks) + 1):
            before, now = self.after(looks[: end - 1], rise, fall), self.after(looks[:end], rise, fall)
            run = len(looks[:end]) - len(looks[:end].rstrip(looks[end - 1]))
            isWell = looks[end - 1] == "+"
            if now.isHealthy is not before.isHealthy:
                self.assertIs(now.isHealthy, isWell)
                self.assertGreaterEqual(run, rise if isWell else fall)
            if run >= max(rise, fall):
                self.assertIs(now.isHealthy, isWell)
