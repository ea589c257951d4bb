"""
Tests for L{smartproxy_tw.service.milestones}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.milestones import Milestones


class MilestonesTests(SynchronousTestCase):
    """
    How long it took.
    """

    def test_firstTimeCounts(self) -> None:
        """
        Seconds from the beginning, the first time of each, in their order.
        """
        clock = Clock()
        clock.advance(1_800_000_000)
        milestones = Milestones(clock.seconds)
        clock.advance(0.5)
        milestones.reach("bound")
        clock.advance(0.25)
        milestones.reach("adopted")
        milestones.reach("bound")
        self.assertEqual(milestones.reached, {"bound": 0.5, "adopted": 0.75})
        self.assertEqual(list(milestones.reached), ["bound", "adopted"])
        clock.advance(1)
        self.assertEqual(milestones.elapsed, 1.75)
