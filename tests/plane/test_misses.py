"""
What strangers do wrong, told without flooding the log.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.misses import Digest, printable


class Timer:
    """
    The part of a poller that a digest needs.
    """

    def __init__(self) -> None:
        self.clock: Any = Clock()
        self.after = self.clock.callLater


class DigestTests(SynchronousTestCase):
    """
    L{Digest}.
    """

    def setUp(self) -> None:
        """Nothing has happened yet."""
        self.timer: Any = Timer()
        self.digest = Digest(self.timer)

    def miss(self, reason: str) -> None:
        """
        One of the most usual kind.
        """
        self.digest.add("no-route", "No route: {reason} (from {client})", reason=reason, client="127.0.0.1")

    def test_named(self) -> None:
        """
        Each has a stable name and its fields under their own names, those
        that are only counted too.
        """
        with capturedLogs() as events:
            for _ in range(6):
                self.digest.add("target-failed", "Route {route}: {reason}", reason="refused", route="shop\n")
            self.timer.clock.advance(60)
        self.assertEqual(len(events), 6)
        for event in events:
            told = event["event"], event["route"], event["reason"]
            self.assertEqual(told, ("target-failed", "shop\\n", "refused"))

    def test_firstAndCount(self) -> None:
        """
        The first five of a kind are logged whole, the rest as a number and the
        last one at the end of the minute; then it begins anew.
        """
        with capturedLogs() as events:
            for index in range(12):
                self.miss(f"r{index}")
            self.digest.add("other", "Other: {reason} {route}", reason="x", route="y")
            told = [formatEvent(event) for event in events]
            self.assertEqual(told[:2], ["No route: r0 (from 127.0.0.1)", "No route: r1 (from 127.0.0.1)"])
            self.assertEqual(len(told), 6)
            self.timer.clock.advance(60)
            self.assertEqual(len(events), 7)
            self.assertEqual(
                formatEvent(events[-1]), "7 more in 60 s, the last one: No route: r11 (from 127.0.0.1)"
            )
            self.miss("again")
            self.assertEqual(len(events), 8)

    def test_kinds(self) -> None:
        """
        Kinds are bounded too.
        """
        with capturedLogs() as events:
            for index in range(500):
                self.digest.add("kind", f"kind {index} {{reason}} {{client}}", reason="x", client="y")
        self.assertLessEqual(len(events), 64)

    def test_printable(self) -> None:
        """
        Nothing of theirs reaches a terminal as it came.
        """
        self.assertEqual(printable("a\nb\x1b[2Jü\\"), "a\\nb\\x1b[2J\\xfc\\\\")
        self.assertEqual(len(printable("x" * 1000)), 300)
