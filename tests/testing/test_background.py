"""
Tests for L{smartproxy_tw.testing.background}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.testing.background import Background


class BackgroundTests(SynchronousTestCase):
    def test_interrupted(self) -> None:
        """
        What was interrupted is done when it goes on, at once; what fails is
        logged and hurts nothing else.
        """
        clock = Clock()
        behind = Background(clock)
        done: list[str] = []

        async def does() -> None:
            done.append("it")

        async def fails() -> None:
            raise ValueError("a defect")

        behind.later(3.0, does)
        behind.later(1.0, fails)
        clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.successResultOf(behind.stop())
        clock.advance(5)
        self.assertEqual(done, [])
        behind.resume()
        clock.advance(0)
        self.assertEqual(done, ["it"])
