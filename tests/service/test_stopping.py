"""
Tests for L{smartproxy_tw.service.stopping}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.stopping import quietly


class StoppingTests(SynchronousTestCase):
    """
    One part.
    """

    def test_waits(self) -> None:
        """
        Its end is waited for.
        """
        ending: Deferred[None] = Deferred()
        stopping = Deferred.fromCoroutine(quietly("the part", lambda: ending))
        self.assertNoResult(stopping)
        ending.callback(None)
        self.successResultOf(stopping)

    def test_defect(self) -> None:
        """
        What it raises is logged, be it at once or later, and nobody is stopped by it.
        """
        ending: Deferred[None] = Deferred()

        def never() -> Deferred[None]:
            raise ZeroDivisionError

        self.successResultOf(Deferred.fromCoroutine(quietly("the part", never)))
        stopping = Deferred.fromCoroutine(quietly("the part", lambda: ending))
        ending.errback(ZeroDivisionError())
        self.successResultOf(stopping)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
