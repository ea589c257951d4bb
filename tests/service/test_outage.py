"""
Tests for L{smartproxy_tw.service.outage}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.alarm import Timetable
from smartproxy_tw.service.outage import Outage


class Away:
    """
    Authorities that are away, as L{smartproxy_tw.service.ways.Ways} tells of them.
    """

    def __init__(self) -> None:
        self.back: Deferred[None] = Deferred()
        self.at: float | None = None

    def whenBack(self) -> Deferred[None]:
        return self.back

    def passesOnAt(self, urgentAt: float) -> float | None:
        return self.at


class OutageTests(SynchronousTestCase):
    """
    Waiting for authorities.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.away = Away()
        self.ends = 0
        self.outage = Outage(self.away, Timetable(self.clock), self.over)  # type: ignore[arg-type]

    def over(self) -> None:
        """
        There is somebody.
        """
        self.assertFalse(self.outage.isOn)
        self.ends += 1

    def test_back(self) -> None:
        """
        It is over when one is back, once.
        """
        self.away.at = 60.0
        self.outage.wait(0.0)
        self.assertTrue(self.outage.isOn)
        self.away.back.callback(None)
        self.clock.advance(60.0)
        self.assertEqual(self.ends, 1)

    def test_backAlready(self) -> None:
        """
        It may be over before it began.
        """
        self.away.back, self.away.at = succeed(None), 60.0
        self.outage.wait(0.0)
        self.assertEqual(self.ends, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_patienceEnds(self) -> None:
        """
        It is over when another is to be asked.
        """
        self.away.at = 60.0
        self.outage.wait(0.0)
        self.clock.advance(60.0)
        self.assertEqual(self.ends, 1)
        self.assertTrue(self.away.back.called)

    def test_stop(self) -> None:
        """
        Who stops is told of nothing.
        """
        self.away.at = 60.0
        self.outage.wait(0.0)
        self.outage.stop()
        self.outage.stop()
        self.clock.advance(60.0)
        self.assertEqual((self.ends, self.outage.isOn), (0, False))
