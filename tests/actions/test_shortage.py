"""
Tests for L{smartproxy_tw.actions.shortage}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.shortage import Shortage


class ShortageTests(SynchronousTestCase):
    """
    L{Shortage}.
    """

    def test_told(self) -> None:
        """
        It is told at once, then once a minute with the number of requests, and not when it is over;
        when it comes again it is told at once.
        """
        told: list[str] = []

        def see(event: dict[str, Any]) -> None:
            if event.get("event") == "files-exhausted":
                told.append(formatEvent(event) or "")

        globalLogPublisher.addObserver(see)
        self.addCleanup(globalLogPublisher.removeObserver, see)
        clock = Clock()
        shortage = Shortage(clock, "/srv/www")
        shortage.add("Too many open files")
        [first] = told
        self.assertIn("below /srv/www", first)
        self.assertIn("Too many open files. Raise the limit", first)
        for _ in range(1000):
            shortage.add("Too many open files in system")
        self.assertEqual(len(told), 1)
        clock.advance(60.0)
        self.assertEqual(
            told[1:], ["1000 more requests for files below /srv/www met this: Too many open files in system"]
        )
        clock.advance(60.0)
        self.assertEqual(clock.getDelayedCalls(), [])
        self.assertEqual(len(told), 2)
        shortage.add("Too many open files")
        self.assertEqual(told[2:], [first])
