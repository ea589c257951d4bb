"""
Tests for L{smartproxy_tw.acme.shared}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.shared import Shared


class SharedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.begun: list[Deferred[str]] = []
        self.cancelled = 0
        self.shared = Shared(self.undertake)

    async def undertake(self) -> str:
        waiting: Deferred[str] = Deferred()
        self.begun.append(waiting)
        try:
            return await waiting
        except CancelledError:
            self.cancelled += 1
            raise

    def test_oneForAll(self) -> None:
        """
        It is done once, and everyone who joined has the result.
        """
        joined = [self.shared.join() for _ in range(3)]
        self.assertEqual(len(self.begun), 1)
        self.begun[0].callback("done")
        self.assertEqual([self.successResultOf(each) for each in joined], ["done"] * 3)

    def test_failure(self) -> None:
        """
        Everyone has the failure, too; who joins later begins anew.
        """
        joined = [self.shared.join() for _ in range(2)]
        self.begun[0].errback(KeyError("no"))
        for each in joined:
            self.failureResultOf(each, KeyError)
        again = self.shared.join()
        self.begun[1].callback("done")
        self.assertEqual(self.successResultOf(again), "done")

    def test_oneLeaves(self) -> None:
        """
        Who leaves takes nothing away from the others.
        """
        leaving, staying = self.shared.join(), self.shared.join()
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.assertEqual(self.cancelled, 0)
        self.begun[0].callback("done")
        self.assertEqual(self.successResultOf(staying), "done")

    def test_allLeave(self) -> None:
        """
        When nobody waits any more, it is cancelled, and can be begun again.
        """
        joined = [self.shared.join() for _ in range(2)]
        for each in joined:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(self.cancelled, 1)
        again = self.shared.join()
        self.begun[1].callback("done")
        self.assertEqual(self.successResultOf(again), "done")

    def test_slowToEnd(self) -> None:
        """
        One that takes its time to be cancelled does not end the next.
        """
        ending: Deferred[None] = Deferred()

        async def undertake() -> str:
            waiting: Deferred[str] = Deferred()
            self.begun.append(waiting)
            try:
                return await waiting
            finally:
                if len(self.begun) == 1:
                    await ending

        shared = Shared(undertake)
        first = shared.join()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        second = shared.join()
        ending.callback(None)
        self.assertNoResult(second)
        self.begun[1].callback("second")
        self.assertEqual(self.successResultOf(second), "second")

    def test_atOnce(self) -> None:
        """
        What is done before anyone can wait is done all the same.
        """

        async def undertake() -> str:
            return "at once"

        shared = Shared(undertake)
        self.assertEqual(self.successResultOf(shared.join()), "at once")
        self.assertEqual(self.successResultOf(shared.join()), "at once")

    def test_leavingOnTheWay(self) -> None:
        """
        A result that makes another one leave is no trouble.
        """
        first, second = self.shared.join(), self.shared.join()
        first.addCallback(lambda _: second.cancel())
        self.begun[0].callback("done")
        self.successResultOf(first)
        self.failureResultOf(second, CancelledError)
