"""
Tests for L{smartproxy_tw.service.readiness} and
L{smartproxy_tw.service.gathering}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.gathering import gathered
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


class GatheredTests(SynchronousTestCase):
    """
    Several things at once.
    """

    def test_results(self) -> None:
        """
        All results, in order.
        """
        self.assertEqual(self.successResultOf(gathered(iter([succeed(1), succeed(2)]))), [1, 2])

    def test_failure(self) -> None:
        """
        It fails with what the first one failed with, not with a wrapper.
        """
        self.failureResultOf(gathered([succeed(1), fail(KeyError("x"))]), KeyError)

    def test_cancelling(self) -> None:
        """
        Losing interest in all is losing interest in each.
        """
        one: Deferred[None] = Deferred()
        both = gathered([one, Deferred()])
        both.cancel()
        self.failureResultOf(both, CancelledError)
        self.assertTrue(one.called)
