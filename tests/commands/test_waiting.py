"""
Tests for L{smartproxy_tw.commands.waiting}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.waiting import result


class ResultTests(SynchronousTestCase):
    """
    L{result}.
    """

    def test_fired(self) -> None:
        """
        What it has fired with is there, be it nothing; so is what a coroutine returns that never
        waits.
        """
        self.assertEqual(result(succeed(5)), 5)
        self.assertIsNone(result(succeed(None)))

        async def work() -> int:
            return await succeed(2) + 1

        self.assertEqual(result(Deferred.fromCoroutine(work())), 3)

    def test_failed(self) -> None:
        """
        What it has failed with is raised, and nobody else is told.
        """
        why = OSError(28, "No space left on device")
        self.assertIs(self.assertRaises(OSError, result, fail(why)), why)

    def test_waits(self) -> None:
        """
        One that waits for something is a defect here, and not taken for an answer.
        """
        self.assertRaises(ValueError, result, Deferred())
