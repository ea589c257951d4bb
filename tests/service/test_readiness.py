"""
Tests for L{smartproxy_tw.service.readiness}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.readiness import Readiness


class ReadinessTests(SynchronousTestCase):
    """
    Something that many wait for.
    """

    def test_beforeAndAfter(self) -> None:
        """
        Who asks before and who asks after are both told.
        """
        readiness = Readiness()
        before = readiness.when()
        self.assertNoResult(before)
        self.assertFalse(readiness.isSettled)
        readiness.happen()
        self.successResultOf(before)
        self.successResultOf(readiness.when())
        self.assertTrue(readiness.isReady)

    def test_failure(self) -> None:
        """
        A failure reaches everybody, each with a result of their own.
        """
        readiness = Readiness()
        before = readiness.when()
        why = RuntimeError("no")
        readiness.fail(why)
        for each in (before, readiness.when(), readiness.when()):
            self.assertIs(self.failureResultOf(each, RuntimeError).value, why)
        self.assertIs(readiness.error, why)

    def test_firstWins(self) -> None:
        """
        What was settled stays.
        """
        ready, failed = Readiness(), Readiness()
        ready.happen()
        ready.fail(RuntimeError())
        failed.fail(RuntimeError())
        failed.happen()
        self.assertTrue(ready.isReady)
        self.assertFalse(failed.isReady)

    def test_cancelling(self) -> None:
        """
        One who loses interest concerns nobody else.
        """
        readiness = Readiness()
        first, second = readiness.when(), readiness.when()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        readiness.happen()
        self.successResultOf(second)
