"""
Tests for L{smartproxy_tw.acme.turns}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.turns import Turns


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.turns = Turns()
        self.story: list[str] = []

    def deal(self, who: str, *names: str) -> tuple[Deferred[None], Deferred[None]]:
        """
        Have somebody deal with names until the first Deferred is fired; the
        second is their end.
        """
        leave: Deferred[None] = Deferred()

        async def dealing() -> None:
            async with self.turns.of(names):
                self.story.append(f"{who} has")
                await leave
            self.story.append(f"{who} had")

        return leave, Deferred.fromCoroutine(dealing())

    def test_apart(self) -> None:
        """
        Different names are dealt with at the same time.
        """
        self.deal("one", "a")
        self.deal("two", "b")
        self.assertEqual(self.story, ["one has", "two has"])

    def test_sharedName(self) -> None:
        """
        Who shares one name of several waits for its turn.
        """
        leaveOne, _ = self.deal("one", "a", "b")
        leaveTwo, two = self.deal("two", "b", "c")
        self.assertEqual(self.story, ["one has"])
        leaveOne.callback(None)
        self.assertEqual(sorted(self.story[1:]), ["one had", "two has"])
        leaveTwo.callback(None)
        self.successResultOf(two)

    def test_noEmbrace(self) -> None:
        """
        Names given in opposite order do not make two wait for each other.
        """
        ways = [self.deal("one", "a", "b"), self.deal("two", "b", "a"), self.deal("three", "a", "b")]
        for leave, _ in ways:
            leave.callback(None)
        for _, end in ways:
            self.successResultOf(end)

    def test_givenUp(self) -> None:
        """
        Who gives up waiting leaves no trace, and holds nobody up.
        """
        leaveOne, _ = self.deal("one", "b")
        _, two = self.deal("two", "a", "b")
        leaveThree, three = self.deal("three", "a")
        self.assertEqual(self.story, ["one has"])
        two.cancel()
        self.failureResultOf(two, CancelledError)
        self.assertEqual(self.story, ["one has", "three has"])
        leaveThree.callback(None)
        leaveOne.callback(None)
        self.successResultOf(three)

    def test_failure(self) -> None:
        """
        A failure gives the turn on.
        """
        leaveOne, one = self.deal("one", "a")
        leaveTwo, two = self.deal("two", "a")
        leaveOne.errback(KeyError("no"))
        self.failureResultOf(one, KeyError)
        leaveTwo.callback(None)
        self.successResultOf(two)
        self.assertEqual(self.story, ["one has", "two has", "two had"])

    def test_nothingKept(self) -> None:
        """
        A name that nobody deals with takes no memory.
        """
        for number in range(5):
            leave, end = self.deal("one", f"{number}.example", "a")
            leave.callback(None)
            self.successResultOf(end)
        self.assertEqual(vars(self.turns)["_locks"], {})
