"""
Tests for L{smartproxy_tw.acme.clocks}.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.acme.clocks import Onward, WallClock, steady, wallClock

NOW = 1_800_000_000.0
DAY = 86400.0


class World:
    """
    A reactor that counts seconds since the machine began, and a clock on the wall.
    """

    def __init__(self) -> None:
        self.reactor = Clock()
        self.wall = NOW
        self.clock = WallClock(self.reactor, lambda: self.wall)

    def passes(self, seconds: float) -> None:
        """
        Time passes, by both.
        """
        self.wall += seconds
        self.reactor.advance(seconds)


class SteadyTests(SynchronousTestCase):
    """
    A reactor whose seconds nobody sets.
    """

    def reactor(self) -> Any:
        """
        One of Twisted's, of which only the timers are used.
        """
        return type("Timers", (ReactorBase,), {"installWaker": lambda self: None})()

    def test_timers(self) -> None:
        """
        Calls come after as many seconds as they were to, though the time was set back
        meanwhile.
        """
        reactor = self.reactor()
        steady(reactor)
        self.patch(time, "time", lambda: NOW - DAY)
        called: list[bool] = []
        reactor.callLater(0.0, called.append, True)
        reactor.runUntilCurrent()
        self.assertEqual(called, [True])
        self.assertIsInstance(wallClock(reactor), WallClock)

    def test_begun(self) -> None:
        """
        A reactor with calls under way stays as it is, and tells the time of day.
        """
        reactor = self.reactor()
        reactor.callLater(60.0, lambda: None)
        steady(reactor)
        self.assertLess(abs(reactor.seconds() - time.time()), 60.0)
        self.assertIs(wallClock(reactor), reactor)


class WallClockTests(SynchronousTestCase):
    """
    The time of day.
    """

    def test_interface(self) -> None:
        """
        It makes calls as the reactor does, and tells the time as the wall does.
        """
        world = World()
        self.assertTrue(verifyObject(IReactorTime, world.clock))
        called: list[int] = []
        call = world.clock.callLater(10.0, called.append, 1)
        self.assertEqual(list(world.clock.getDelayedCalls()), [call])
        world.wall -= DAY
        self.assertEqual(world.clock.seconds(), NOW - DAY)
        world.passes(10.0)
        self.assertEqual(called, [1])


class OnwardTests(SynchronousTestCase):
    """
    The time of day that is never set back.
    """

    def test_back(self) -> None:
        """
        Set back, it goes on; and so does a time of day that is spoken of after that.
        """
        world = World()
        onward = Onward(world.clock)
        self.assertEqual(onward.seconds(), NOW)
        world.wall -= DAY
        self.assertEqual(onward.seconds(), NOW)
        world.passes(60.0)
        self.assertEqual(onward.seconds(), NOW + 60.0)
        self.assertEqual(onward.of(world.wall + 5.0), NOW + 65.0)

    def test_forward(self) -> None:
        """
        Set forward, it follows, and is not set back by what comes after.
        """
        world = World()
        onward = Onward(world.clock)
        onward.seconds()
        world.wall += DAY
        self.assertEqual(onward.seconds(), NOW + DAY)
        world.wall -= DAY
        self.assertEqual(onward.seconds(), NOW + DAY)

    def test_plain(self) -> None:
        """
        With a clock that knows one time only it is that.
        """
        clock = Clock()
        clock.advance(NOW)
        onward = Onward(clock)
        self.assertEqual((onward.seconds(), onward.of(NOW + 5.0)), (NOW, NOW + 5.0))
