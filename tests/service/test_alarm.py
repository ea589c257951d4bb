"""
Tests for L{smartproxy_tw.service.alarm}.
"""

from __future__ import annotations

from functools import partial

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.alarm import Alarm, Bell, Timetable, every

from ..acme.test_clocks import DAY, NOW, World


class AlarmTests(SynchronousTestCase):
    """
    One thing at a time of day.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.rung: list[float] = []
        self.alarm = Alarm(self.clock, lambda: self.rung.append(self.clock.seconds()))

    def test_days(self) -> None:
        """
        It rings at its time, also when that is far away, and once.
        """
        at = self.clock.seconds() + 60 * 86400
        self.alarm.set(at)
        self.assertEqual(self.alarm.at, at)
        for _ in range(61 * 24 * 12):
            self.clock.advance(300)
        self.assertEqual(self.rung, [at])
        self.assertIsNone(self.alarm.at)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_past(self) -> None:
        """
        A time that has passed rings at the next turn of the reactor, not from
        inside of the call.
        """
        self.alarm.set(0.0)
        self.assertEqual(self.rung, [])
        self.clock.advance(0)
        self.assertEqual(len(self.rung), 1)

    def test_clockSetForward(self) -> None:
        """
        A machine that slept, or whose clock was set forward, is late by a minute at
        most.
        """
        world = World()
        alarm = Alarm(world.clock, lambda: self.rung.append(world.wall))
        alarm.set(NOW + 30 * DAY)
        world.passes(10.0)
        world.wall += 31 * DAY
        world.passes(60.0)
        self.assertEqual(len(self.rung), 1)

    def test_clockSetBack(self) -> None:
        """
        When the clock is set back, what was to ring in an hour rings in an hour, and
        not in an hour and a year.
        """
        world = World()
        alarm = Alarm(world.clock, lambda: self.rung.append(world.reactor.seconds()))
        alarm.set(NOW + 3600.0)
        world.wall -= 365 * DAY
        for _ in range(70):
            world.passes(60.0)
        self.assertEqual(self.rung, [3600.0])

    def test_setAgain(self) -> None:
        """
        Setting it moves it; clearing it silences it.
        """
        self.alarm.set(self.clock.seconds() + 10)
        self.alarm.set(self.clock.seconds() + 20)
        self.clock.advance(10)
        self.assertEqual(self.rung, [])
        self.clock.advance(10)
        self.assertEqual(len(self.rung), 1)
        self.alarm.set(self.clock.seconds() + 10)
        self.alarm.clear()
        self.alarm.clear()
        self.clock.advance(20)
        self.assertEqual(len(self.rung), 1)

    def test_every(self) -> None:
        """
        Something can be done at each interval until it is stopped, from one
        interval on.
        """
        seen: list[int] = []
        call = every(self.clock, 5.0, lambda: seen.append(1))
        self.assertEqual(seen, [])
        self.clock.pump([5.0, 5.0])
        call.stop()
        self.clock.advance(10.0)
        self.assertEqual(seen, [1, 1])


class TimetableTests(SynchronousTestCase):
    """
    Many things at times of day.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.rung: list[str] = []
        self.timetable = Timetable(self.clock)
        self.one, self.two = (self.timetable.bell(partial(self.rung.append, name)) for name in ("one", "two"))

    def test_each(self) -> None:
        """
        Each rings at its own time, once, and the reactor knows of one.
        """
        self.two.set(20.0)
        self.one.set(10.0)
        self.assertEqual((self.one.at, self.two.at), (10.0, 20.0))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(10)
        self.assertEqual((self.rung, self.one.at), (["one"], None))
        self.clock.advance(10)
        self.assertEqual(self.rung, ["one", "two"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_setAgain(self) -> None:
        """
        Setting moves, earlier or later, and clearing silences.
        """
        self.one.set(10.0)
        self.two.set(10.0)
        self.one.set(30.0)
        self.two.clear()
        self.two.clear()
        self.clock.advance(10)
        self.assertEqual(self.rung, [])
        self.one.set(20.0)
        self.clock.advance(10)
        self.assertEqual(self.rung, ["one"])
        self.one.set(90.0)
        self.one.clear()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_past(self) -> None:
        """
        A time that has passed rings at the next turn, also when it is set while
        another rings; one that is cleared then does not ring.
        """
        again = self.timetable.bell(lambda: (self.one.clear(), self.two.set(0.0)))
        again.set(5.0)
        self.one.set(5.0)
        self.clock.advance(5)
        self.assertEqual(self.rung, ["two"])

    def test_manyChanges(self) -> None:
        """
        What was moved ten thousand times is not remembered ten thousand times.
        """
        self.two.set(5.0)
        for number in range(10_000):
            self.one.set(10.0 + number)
        self.assertLess(len(self.timetable), 200)
        self.clock.advance(10_009)
        self.assertEqual(self.rung, ["two", "one"])

    def test_clockSetBack(self) -> None:
        """
        When the clock is set back, every bell rings after as long as it was to, those
        that are set afterwards too.
        """
        world = World()
        rung: list[tuple[str, float]] = []
        timetable = Timetable(world.clock)

        def bell(name: str) -> Bell:
            return timetable.bell(lambda: rung.append((name, world.reactor.seconds())))

        first, second, third = map(bell, ("first", "second", "third"))
        first.set(NOW + 600.0)
        second.set(NOW + 1200.0)
        world.wall -= 365 * DAY
        third.set(world.wall + 900.0)
        self.assertEqual(third.at, world.wall + 900.0)
        for _ in range(130):
            world.passes(10.0)
        self.assertEqual(rung, [("first", 600.0), ("third", 900.0), ("second", 1200.0)])

    def test_clockSetForward(self) -> None:
        """
        When it is set forward, what is over rings within a minute.
        """
        world = World()
        rung: list[float] = []
        timetable = Timetable(world.clock)
        bells = [timetable.bell(lambda: rung.append(world.reactor.seconds())) for _ in range(3)]
        for number, each in enumerate(bells):
            each.set(NOW + (number + 1) * DAY)
        world.passes(5.0)
        world.wall += 2.5 * DAY
        world.passes(60.0)
        self.assertEqual(len(rung), 2)
