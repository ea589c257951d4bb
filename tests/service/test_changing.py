"""
Tests for L{smartproxy_tw.service.changing}; the steps of a change are told in
L{tests.service.test_turnover}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.errors import PlaneLost
from smartproxy_tw.service.changing import Changing
from smartproxy_tw.service.errors import ChangeRefused, StartError, StoppedError
from smartproxy_tw.store.directory import StateError


class Turnover:
    """
    One whose steps come to an end when the test says so.
    """

    def __init__(self, story: list[str]) -> None:
        self.isDecided = False
        self.ending: Deferred[None] = Deferred()
        self._story = story

    async def run(self) -> None:
        self._story.append("began")
        await self.ending
        self._story.append("done")


class ChangingTests(SynchronousTestCase):
    """
    One change.
    """

    def setUp(self) -> None:
        self.story: list[str] = []
        self.changing = Changing()
        self.first: Deferred[None] = succeed(None)
        self.problem: Exception | None = None

    def begins(self) -> tuple[Deferred[None], Turnover]:
        """
        It goes on.
        """
        turnover: Any = Turnover(self.story)
        return Deferred.fromCoroutine(self.changing.run(turnover, self.before, self.then)), turnover

    async def before(self) -> None:
        """
        What comes before its steps.
        """
        await self.first
        self.story.append("signed")

    def then(self) -> None:
        """
        It is in use.
        """
        self.story.append("in use")
        if self.problem is not None:
            raise self.problem

    def over(self) -> Deferred[None]:
        """
        Somebody waits.
        """
        return Deferred.fromCoroutine(self.changing.over())

    def end(self) -> Deferred[None]:
        """
        The life ends.
        """
        return Deferred.fromCoroutine(self.changing.end())

    def test_inUse(self) -> None:
        """
        Whoever waits hears of it once it is in use.
        """
        self.first = Deferred()
        changing, turnover = self.begins()
        waiting = self.over()
        self.assertEqual(self.story, [])
        self.first.callback(None)
        self.assertNoResult(waiting)
        turnover.ending.callback(None)
        self.successResultOf(changing)
        self.successResultOf(waiting)
        self.assertEqual(self.story, ["signed", "began", "done", "in use"])

    def test_nothingGoesOn(self) -> None:
        """
        Where there is no change nobody waits, neither before the first nor after it.
        """
        self.successResultOf(self.over())
        self.successResultOf(self.end())
        changing, turnover = self.begins()
        turnover.ending.callback(None)
        self.successResultOf(changing)
        self.successResultOf(self.over())
        self.successResultOf(self.end())

    def test_refused(self) -> None:
        """
        What an operator can mend is said as it is, or with what it means for the
        configuration; the next change begins afresh.
        """
        prefix = "The configuration cannot be put to use: "
        for why, text in (
            (StartError("a"), "a"),
            (StateError("b"), "b"),
            (PlaneLost("c"), "c"),
            (ValueError("d"), prefix + "d"),
            (OSError("e"), prefix + "e"),
        ):
            changing, turnover = self.begins()
            waiting = self.over()
            turnover.ending.errback(why)
            self.assertEqual(str(self.failureResultOf(changing, ChangeRefused).value), text)
            self.successResultOf(waiting)
        self.assertNotIn("in use", self.story)

    def test_defect(self) -> None:
        """
        A defect is told as such, and whoever waits goes on.
        """
        changing, turnover = self.begins()
        waiting = self.over()
        turnover.ending.errback(ZeroDivisionError())
        self.failureResultOf(changing, ZeroDivisionError)
        self.successResultOf(waiting)

    def test_notUsable(self) -> None:
        """
        What is found wrong when it comes into use is refused likewise.
        """
        self.problem = ValueError("d")
        changing, turnover = self.begins()
        turnover.ending.callback(None)
        self.failureResultOf(changing, ChangeRefused)

    def test_ended(self) -> None:
        """
        One that may still be refused is, at any of its steps.
        """
        for isFirst in (True, False):
            self.first = Deferred() if isFirst else succeed(None)
            changing, _ = self.begins()
            waiting = self.over()
            self.successResultOf(self.end())
            self.failureResultOf(changing, StoppedError)
            self.successResultOf(waiting)
        self.assertEqual(self.story, ["signed", "began"])

    def test_decided(self) -> None:
        """
        One that may not be refused any more is waited for.
        """
        changing, turnover = self.begins()
        turnover.isDecided = True
        ending = self.end()
        self.assertNoResult(ending)
        turnover.ending.callback(None)
        self.successResultOf(ending)
        self.successResultOf(changing)
        self.assertEqual(self.story[-1], "in use")
