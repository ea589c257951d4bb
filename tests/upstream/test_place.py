"""
What is said of a target that fails.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Ejection, Target
from smartproxy_tw.upstream.place import Place

FAILURES, PAUSE = Ejection().failures, Ejection().seconds


class Hand:
    """
    A poller that only tells the time.
    """

    now = 1000.0


class Link:
    """
    A link that has given an answer.
    """

    deadline = 0.0

    def close(self) -> None:
        """Closed."""


class TellingTests(SynchronousTestCase):
    """
    A diary is not flooded by a target that comes and goes.
    """

    def setUp(self) -> None:
        self.hand = Hand()
        self.place = Place(cast(Any, self.hand), Target("127.0.0.1", 80), 0)

    def told(self, *deeds: str) -> list[str]:
        """
        What is said while this happens to it.
        """
        with capturedLogs() as events:
            for deed in deeds:
                if deed == "failed":
                    self.place.failed("it left")
                else:
                    getattr(self.place, deed)()
        return [event["log_level"].name for event in events]

    def test_goneAndBack(self) -> None:
        """
        Once when it is passed over, and once when it answers again.
        """
        self.assertEqual(self.told(*["failed"] * FAILURES), ["warn"])
        self.hand.now += PAUSE
        self.assertEqual(self.told("probed", "reached"), [])
        self.assertEqual(self.told("answered"), ["info"])

    def test_statuses(self) -> None:
        """
        Answers are failures where their statuses are said to be, and do not speak for their target
        then; any other answer does.
        """
        link = cast(Any, Link())
        for statuses, opens in ((frozenset({502, 503}), True), (frozenset(), False)):
            place = Place(cast(Any, self.hand), Target("127.0.0.1", 80), 0, Ejection(2, statuses=statuses))
            for status in (503, 404, 502, 200, 503, 502):
                with capturedLogs() as events:
                    if status >= 400:
                        place.erred(status)
                    (place.giveBack if status % 2 else place.retire)(link)
            self.assertEqual(place.isAway, opens)
            self.assertEqual(place.failures, 4 * opens)
        self.assertEqual(events, [])

    def test_connectsOnly(self) -> None:
        """
        One that is reached each time and never answers is spoken of once.
        """
        deeds = ["failed"] * FAILURES + ["probed", "reached", "failed"] * 50
        self.assertEqual(self.told(*deeds), ["warn"])

    def test_comesAndGoes(self) -> None:
        """
        One that answers now and then, no more than once in a minute.
        """
        round = [*["failed"] * FAILURES, "probed", "answered"]
        self.assertEqual(self.told(*round * 20), ["warn", "info"])
        self.hand.now += 61
        self.assertEqual(self.told(*round), ["warn", "info"])
