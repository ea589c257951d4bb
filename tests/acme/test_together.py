"""
Tests for L{smartproxy_tw.acme.together}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.together import together


class TogetherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.waiting: list[Deferred[int]] = []
        self.ended: list[str] = []

    async def one(self) -> int:
        waiting: Deferred[int] = Deferred()
        self.waiting.append(waiting)
        try:
            return await waiting
        except BaseException as why:
            self.ended.append(type(why).__name__)
            raise

    def begin(self, count: int = 3) -> Deferred[list[int]]:
        return Deferred.fromCoroutine(together([self.one() for _ in range(count)]))

    def test_results(self) -> None:
        """
        The results come in the order given, not in that of the ends.
        """
        end = self.begin()
        for number in (2, 0, 1):
            self.assertNoResult(end)
            self.waiting[number].callback(number)
        self.assertEqual(self.successResultOf(end), [0, 1, 2])

    def test_failure(self) -> None:
        """
        The first failure ends the others, and is what comes out.
        """
        end = self.begin()
        self.waiting[1].errback(KeyError("no"))
        self.failureResultOf(end, KeyError)
        self.assertEqual(self.ended, ["KeyError", "CancelledError", "CancelledError"])

    def test_slowToEnd(self) -> None:
        """
        It does not end before each has.
        """
        ending: Deferred[None] = Deferred()

        async def slow() -> int:
            try:
                return await self.one()
            finally:
                await ending

        end = Deferred.fromCoroutine(together([slow(), self.one()]))
        self.waiting[1].errback(KeyError("no"))
        self.assertNoResult(end)
        ending.callback(None)
        self.failureResultOf(end, KeyError)

    def test_cancelled(self) -> None:
        """
        Cancelling it cancels them all.
        """
        end = self.begin(2)
        end.cancel()
        self.failureResultOf(end, CancelledError)
        self.assertEqual(self.ended, ["CancelledError"] * 2)

    def test_none(self) -> None:
        """
        Nothing to do is done.
        """
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(together([]))), [])
