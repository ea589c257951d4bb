"""
Tests for L{smartproxy_tw.bounds.within}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.bounds.within import within


class WithinTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.story: list[str] = []

        def cancelled(doing: Deferred[str]) -> None:
            self.story.append("cancelled")
            doing.errback(KeyError("in its own words"))

        self.doing: Deferred[str] = Deferred(cancelled)
        self.waiting = within(3.0, self.clock, self.doing)

    def done(self) -> None:
        """
        Nothing is left of it.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_inTime(self) -> None:
        """
        What ends in time ends as it does.
        """
        self.clock.advance(2.9)
        self.doing.callback("done")
        self.assertEqual(self.successResultOf(self.waiting), "done")
        self.done()

    def test_failure(self) -> None:
        """
        A failure is its own.
        """
        self.doing.errback(OSError("no"))
        self.failureResultOf(self.waiting, OSError)
        self.done()

    def test_late(self) -> None:
        """
        What takes too long is cancelled, and told as late.
        """
        self.clock.advance(3.0)
        self.failureResultOf(self.waiting, TimeoutError)
        self.assertEqual(self.story, ["cancelled"])
        self.done()

    def test_cancelled(self) -> None:
        """
        What is cancelled is told as cancelled.
        """
        self.waiting.cancel()
        self.failureResultOf(self.waiting, CancelledError)
        self.assertEqual(self.story, ["cancelled"])
        self.done()

    def test_already(self) -> None:
        """
        What has ended already is no trouble.
        """
        done: Deferred[str] = Deferred()
        done.callback("done")
        self.assertEqual(self.successResultOf(within(3.0, self.clock, done)), "done")
