"""
Tests for L{smartproxy_tw.service.gathering}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.gathering import gathered


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
