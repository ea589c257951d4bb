"""
Tests for L{smartproxy_tw.service.crowd}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.crowd import Crowd
from smartproxy_tw.testing.fakes import FakePlane, Story


class CrowdTests(SynchronousTestCase):
    """
    What clients ask for.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.plane = FakePlane(Story())
        self.isWanted = True
        self.touched: list[tuple[str, float]] = []
        self.crowd = Crowd(self.plane, self.clock, lambda: self.isWanted, self.touch)
        self.crowd.watch()
        self.crowd.watch()

    def touch(self, key: str, asked: float) -> None:
        """
        Somebody asked for it.
        """
        self.touched.append((key, asked))

    def test_told(self) -> None:
        """
        What was asked for is told in its order, and again when it has changed.
        """
        self.plane.asked = ["b", "a"]
        self.clock.pump([15.0] * 3)
        self.assertEqual([key for key, _ in self.touched], ["b", "a"])
        self.assertGreater(self.touched[0][1], self.touched[1][1])
        self.plane.asked = ["a", "b"]
        self.clock.advance(15.0)
        self.assertEqual([key for key, _ in self.touched], ["b", "a", "a", "b"])

    def test_onlyWhileSomebodyWaits(self) -> None:
        """
        When nobody waits nobody is asked.
        """
        self.isWanted = False
        self.plane.asked = ["a"]
        self.clock.advance(15.0)
        self.assertEqual(self.touched, [])

    def test_notKnown(self) -> None:
        """
        A data path that cannot tell is asked again.
        """
        waiting: list[Deferred[tuple[str, ...]]] = []

        def recent() -> Deferred[tuple[str, ...]]:
            waiting.append(Deferred())
            return waiting[-1]

        self.patch(self.plane, "recent", recent)
        self.clock.pump([15.0] * 2)
        self.assertEqual(len(waiting), 1)
        waiting[0].errback(RuntimeError("gone"))
        self.clock.advance(15.0)
        self.assertEqual(len(waiting), 2)
        self.crowd.stop()
        self.assertTrue(waiting[1].called)
        self.assertEqual((self.touched, self.clock.getDelayedCalls()), ([], []))
