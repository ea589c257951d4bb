"""
Tests for L{smartproxy_tw.service.testator}.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.errors import UpgradeRefused
from smartproxy_tw.service.testator import Testator

from .parts import Part


class Life:
    """
    One of several.
    """

    def __init__(self, name: str, story: list[str]) -> None:
        self.departure: Any = Part(name, story)
        self.departure.rest = self.departs("rest")
        self.departure.resume = self.departs("resume")
        self.departure.depart = self.departs("depart")
        self.diverted = {name: 1.0}
        self.waiting: Deferred[None] = Deferred()
        self._name = name
        self._story = story

    def departs(self, step: str) -> Any:
        """
        A step that takes its time.
        """

        async def do() -> None:
            self._story.append(f"{self._name}: {step}")
            await self.waiting

        return do

    def whenReady(self) -> Deferred[None]:
        """
        It begins.
        """
        return self.waiting


class TestatorTests(SynchronousTestCase):
    """
    L{Testator}.
    """

    def setUp(self) -> None:
        self.story: list[str] = []
        self.first, self.second = Life("first", self.story), Life("second", self.story)
        self.lives: Any = SimpleNamespace(current=self.first)
        following: Any = Part("following", self.story)
        self.testator = Testator(self.lives, following)

    def test_current(self) -> None:
        """
        It is the life that goes on which everything concerns, whichever that is by then.
        """
        for life, name in ((self.first, "first"), (self.second, "second")):
            self.story.clear()
            self.lives.current = life
            self.assertEqual(self.testator.diverted, {name: 1.0})
            self.assertIs(self.testator.whenReady(), life.waiting)
            self.testator.estate()
            self.testator.giveWay(4321)
            self.assertEqual(self.story, [f"{name}: estate", f"{name}: giveWay"])

    def test_steps(self) -> None:
        """
        A step is over when it is in that life; only with the last one no file is watched any more.
        """
        for step, told in (
            (self.testator.rest, ["first: rest"]),
            (self.testator.resume, ["first: resume"]),
            (self.testator.depart, ["following: stop", "first: depart"]),
        ):
            self.story.clear()
            self.first.waiting = Deferred()
            doing = step()
            self.assertNoResult(doing)
            self.assertEqual(self.story, told)
            self.first.waiting.callback(None)
            self.successResultOf(doing)

    def test_faults(self) -> None:
        """
        What cannot be handed over is told at once, and what goes wrong in a step to whoever asked for
        it.
        """
        self.first.departure.broken["estate"] = UpgradeRefused("It is stopping.")
        self.assertRaises(UpgradeRefused, self.testator.estate)
        self.first.waiting = fail(ZeroDivisionError())
        self.failureResultOf(self.testator.rest(), ZeroDivisionError)
