"""
Tests for L{smartproxy_tw.control.slices}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.slices import inSlices
from smartproxy_tw.routing.steps import Steps


class SlicesTests(SynchronousTestCase):
    """
    L{inSlices}, with steps that take 3 ms each and slices of 10 ms.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.time = 0.0
        self.calls: list[Callable[[], None]] = []
        self.done: list[int] = []
        self.isClosed = False

    def steps(self, count: int, why: Exception | None = None) -> Steps[str]:
        """
        So many steps.
        """
        try:
            for number in range(count):
                self.time += 0.003
                self.done.append(number)
                yield
            if why is not None:
                raise why
            return "all"
        finally:
            self.isClosed = True

    def now(self) -> float:
        """
        What is measured with.
        """
        return self.time

    def test_atOnce(self) -> None:
        """
        What fits in one slice is done when the call returns.
        """
        outcome = inSlices(self.steps(3), self.clock, 0.01, self.now)
        self.assertEqual(self.successResultOf(outcome), "all")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slices(self) -> None:
        """
        Otherwise a slice ends in its time, and the reactor has a turn before the
        next one.
        """
        self.patch(self.clock, "callLater", lambda delay, call: self.calls.append(call))
        outcome = inSlices(self.steps(10), self.clock, 0.01, self.now)
        for done in (4, 8):
            self.assertNoResult(outcome)
            self.assertEqual(len(self.done), done)
            (call,) = self.calls
            self.calls = []
            call()
        self.assertEqual(self.successResultOf(outcome), "all")
        self.assertEqual(self.done, list(range(10)))

    def test_failure(self) -> None:
        """
        What the steps raise, in whichever slice, is how it fails.
        """
        for count in (2, 6):
            outcome = inSlices(self.steps(count, ValueError("no")), self.clock, 0.01, self.now)
            self.clock.advance(0)
            self.failureResultOf(outcome, ValueError)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """
        Cancelled between two slices it goes no further, and what the steps hold is
        let go of.
        """
        outcome = inSlices(self.steps(10), self.clock, 0.01, self.now)
        outcome.cancel()
        self.failureResultOf(outcome, CancelledError)
        self.assertTrue(self.isClosed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.done), 4)
