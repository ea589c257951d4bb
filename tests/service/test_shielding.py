"""
Tests for L{smartproxy_tw.service.shielding}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.shielding import shielded


class ShieldingTests(SynchronousTestCase):
    """
    Something that takes its time.
    """

    def setUp(self) -> None:
        self.ending: Deferred[str] = Deferred()
        self.ended: list[str] = []

    async def doing(self) -> str:
        """
        It is done.
        """
        self.ended.append(await self.ending)
        return self.ended[-1]

    def test_ends(self) -> None:
        """
        It has begun at once, and how it ends is told.
        """
        outcome = shielded(self.doing())
        self.assertNoResult(outcome)
        self.ending.callback("well")
        self.assertEqual(self.successResultOf(outcome), "well")

    def test_fails(self) -> None:
        """
        Likewise where it fails.
        """
        outcome = shielded(self.doing())
        self.ending.errback(ZeroDivisionError())
        self.failureResultOf(outcome, ZeroDivisionError)

    def test_uninterested(self) -> None:
        """
        Whoever waits no longer is told so, and it goes on.
        """
        outcome = shielded(self.doing())
        outcome.cancel()
        self.failureResultOf(outcome, CancelledError)
        self.ending.callback("well")
        self.assertEqual(self.ended, ["well"])
