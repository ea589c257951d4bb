"""
Tests for L{smartproxy_tw.upstream.expectation}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.link import UpstreamFailure
from smartproxy_tw.upstream.expectation import Expectation

from .loop import Loop


class Attempt:
    """
    What an expectation becomes.
    """

    isCancelled = False

    def cancel(self) -> None:
        """Nobody wants it."""
        self.isCancelled = True


class ExpectationTests(SynchronousTestCase):
    """
    L{Expectation}.
    """

    def setUp(self) -> None:
        """Somebody waits to learn what a service has."""
        self.poller = Loop().poller
        self.addCleanup(self.poller.stop)
        self.attempt = Attempt()
        self.begun = 0
        self.failures: list[UpstreamFailure] = []
        self.ended: list[Expectation] = []
        self.expectation = Expectation(self.poller, 5.0, self.begins, self.failures.append, self.ended.append)

    def begins(self) -> Attempt:
        """
        It is known what there is.
        """
        self.begun += 1
        return self.attempt

    def isTold(self, begun: int, failures: int) -> None:
        """
        What came of it, and that it waits no more, which was said once.
        """
        self.assertEqual((self.begun, len(self.failures)), (begun, failures))
        self.assertEqual(self.ended, [self.expectation])
        self.assertTrue(self.expectation.isOver)
        self.assertEqual(self.poller.mortals, {})

    def test_goes(self) -> None:
        """
        What is learnt begins the attempt, once; its time means nothing then, and who does not
        want it any more ends the attempt.
        """
        self.assertEqual(list(self.poller.mortals), [self.expectation])
        self.assertEqual(self.expectation.deadline, self.poller.now + 5.0)
        for _ in range(2):
            self.expectation.go()
        self.expectation.expire()
        self.isTold(1, 0)
        self.expectation.cancel()
        self.assertTrue(self.attempt.isCancelled)
        self.isTold(1, 0)

    def test_tooLate(self) -> None:
        """
        When the time is over, or after a bug, it fails as what took too long; what is learnt
        later begins nothing.
        """
        self.expectation.crash()
        self.expectation.go()
        self.isTold(0, 1)
        self.assertTrue(self.failures[0].isTimeout)

    def test_unwanted(self) -> None:
        """
        Who does not want it any more hears nothing.
        """
        self.expectation.cancel()
        self.expectation.go()
        self.expectation.expire()
        self.isTold(0, 0)
