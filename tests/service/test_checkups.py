"""
Tests for L{smartproxy_tw.service.checkups}, on a clock.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Check, Checked, Config, Forward, Health, Route, Target, checkedOf
from smartproxy_tw.control.errors import PlaneLost
from smartproxy_tw.facts import Verdict
from smartproxy_tw.service.checkups import Checkups
from smartproxy_tw.testing.fakes import FakePlane, Story
from smartproxy_tw.upstream.looking import CheckFailed
from smartproxy_tw.upstream.services import Asked, Member, Services

ONE, TWO = Target("10.0.0.1", 80), Target("10.0.0.2", 80)
CHECK = Check(interval=10.0, rise=2, fall=3)


def forward(*targets: Target, check: Check | None = CHECK) -> Forward:
    """
    An action whose targets are looked at.
    """
    return Forward(targets, health=Health(check))


def config(*actions: Forward) -> Config:
    """
    A configuration with these.
    """
    routes = [Route(f"r{number}", (80,), action, "http") for number, action in enumerate(actions)]
    return Config(tuple(routes), "/state")


class CheckupsTests(SynchronousTestCase):
    """
    Looks at targets that are as a test says.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.story = Story()
        self.plane = FakePlane(self.story)
        self.sick: dict[Target, str] = {}
        self.silent: list[Deferred[str]] = []
        self.looks: list[tuple[float, Target]] = []
        self.asked: list[Deferred[Asked]] = []
        self.checkups = Checkups(
            self.plane, self.clock, lambda: 1000.0 + self.clock.seconds(), self.look, self.services, Random(2)
        )

    def services(self) -> Services:
        """
        What knows services.
        """

        def ask(name: str) -> Deferred[Asked]:
            self.asked.append(Deferred())
            return self.asked[-1]

        return Services(ask, self.clock.callLater)

    def look(self, checked: Checked) -> Deferred[str]:
        """
        One look.
        """
        self.looks.append((self.clock.seconds(), checked.target))
        why = self.sick.get(checked.target)
        looking: Deferred[str] = Deferred()
        if why is None:
            looking.callback("it answers with status 200")
        elif why:
            looking.errback(CheckFailed(why))
        else:
            self.silent.append(looking)
        return looking

    def passes(self, seconds: float) -> None:
        """
        Time passes.
        """
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)

    def test_intervals(self) -> None:
        """
        Each is looked at soon, and then at about the interval; what is well from the
        beginning is nothing to tell.
        """
        self.checkups.use(config(forward(ONE, TWO)))
        self.passes(100)
        for target in (ONE, TWO):
            times = [at for at, each in self.looks if each == target]
            self.assertLessEqual(times[0], 1.5)
            self.assertTrue(all(8.5 <= b - a <= 11.5 for a, b in pairwise(times)), times)
        self.assertEqual(self.story.lines, [])
        self.checkups.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_thresholds(self) -> None:
        """
        It takes so many looks in a row to change what is known; each change is told and
        logged once.
        """
        self.checkups.use(config(forward(ONE)))
        self.passes(2)
        self.sick[ONE] = "it answers with status 500"
        with capturedLogs() as events:
            self.passes(18)
            self.assertEqual(self.story.lines, [])
            self.passes(40)
            self.assertEqual(self.story.lines, ["10.0.0.1:80 is unhealthy: it answers with status 500"])
            verdict = self.verdict(ONE)
            assert verdict is not None
            self.assertFalse(verdict.isHealthy)
            self.assertTrue(1025.0 <= verdict.since <= 1045.0)
            del self.sick[ONE]
            self.passes(60)
        self.assertEqual(self.story.lines[1:], ["10.0.0.1:80 is healthy"])
        self.assertEqual(
            [each["event"] for each in events if "event" in each], ["target-unhealthy", "target-healthy"]
        )

    def verdict(self, target: Target, action: Forward | None = None) -> Verdict | None:
        """
        What is known.
        """
        checked = checkedOf(action or forward(target), target)
        assert checked is not None
        return self.checkups.verdict(checked)

    def test_first(self) -> None:
        """
        One that is away from the beginning has nothing sent to it after the first look.
        """
        self.sick[ONE] = "Connection refused"
        self.checkups.use(config(forward(ONE)))
        self.assertIsNone(self.verdict(ONE))
        self.passes(1.5)
        self.assertEqual(self.story.lines, ["10.0.0.1:80 is unhealthy: Connection refused"])

    def test_once(self) -> None:
        """
        What several routes have looked at in the same way is looked at once; in another
        way, apart.
        """
        other = Check(interval=10.0, path="/other")
        self.checkups.use(config(forward(ONE), forward(ONE, TWO), forward(ONE, check=other)))
        self.passes(1.5)
        self.assertEqual(sorted(str(target) for _, target in self.looks), [str(ONE), str(ONE), str(TWO)])

    def test_nobodyAsked(self) -> None:
        """
        Where nothing is said of checks nobody looks.
        """
        self.checkups.use(config(forward(ONE, check=None)))
        self.passes(30)
        self.assertEqual((self.looks, self.clock.getDelayedCalls()), ([], []))

    def test_reload(self) -> None:
        """
        A reload goes on with what both have: no look more, and what is known stays.  Of
        what is looked at no more the verdict is taken back.
        """
        self.sick[ONE] = self.sick[TWO] = "away"
        self.checkups.use(config(forward(ONE, TWO)))
        self.passes(1.5)
        count, known = len(self.looks), self.verdict(ONE)
        self.story.lines.clear()
        self.checkups.use(config(forward(ONE)))
        self.passes(1.5)
        self.assertEqual((len(self.looks), self.verdict(ONE)), (count, known))
        self.assertEqual(self.story.lines, ["10.0.0.2:80 is healthy"])
        self.assertIsNone(self.verdict(TWO))

    def test_stopped(self) -> None:
        """
        A look that is under way is given up with the rest, and tells nothing.
        """
        self.sick[ONE] = ""
        self.checkups.use(config(forward(ONE)))
        self.passes(1.5)
        self.checkups.stop()
        [looking] = self.silent
        self.assertTrue(looking.called)
        self.assertEqual((self.clock.getDelayedCalls(), self.story.lines), ([], []))

    def test_oneAtATime(self) -> None:
        """
        While a look is under way there is no other at the same target.
        """
        self.sick[ONE] = ""
        self.checkups.use(config(forward(ONE)))
        self.passes(50)
        self.assertEqual(len(self.looks), 1)
        self.silent[0].callback("late")
        self.passes(12)
        self.assertEqual(len(self.looks), 2)

    def test_bounded(self) -> None:
        """
        No more than a hundred are under way at a time.
        """
        many = [Target("10.0.0.9", port) for port in range(1, 151)]
        self.sick = dict.fromkeys(many, "")
        self.checkups.use(config(forward(*many)))
        self.passes(3)
        self.assertEqual(len(self.looks), 100)
        self.silent[0].callback("done")
        self.assertEqual(len(self.looks), 101)

    def test_planeLost(self) -> None:
        """
        That there is nobody to be told just now is no defect; anything else is.
        """
        self.plane.breaks("judge", PlaneLost("gone"))
        self.sick[ONE] = "away"
        self.checkups.use(config(forward(ONE)))
        self.passes(1.5)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.plane.breaks("judge", RuntimeError("bug"))
        del self.sick[ONE]
        self.passes(25)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_services(self) -> None:
        """
        What a service has is looked at, and no more when it has it no more, or when no
        route has the service.
        """
        service = Target("_http._tcp.app.test", None, isService=True)
        action = forward(service)
        self.checkups.use(config(action))
        self.passes(1.5)
        self.assertEqual(self.looks, [])
        self.sick[ONE] = "away"
        self.asked[0].callback(Asked((Member(0, 1, "10.0.0.1", 80), Member(0, 1, "10.0.0.2", 80)), 60.0))
        self.passes(1.5)
        self.assertEqual({target for _, target in self.looks}, {ONE, TWO})
        self.assertEqual(self.story.lines, ["10.0.0.1:80 is unhealthy: away"])
        self.passes(54)
        self.asked[1].callback(Asked((Member(0, 1, "10.0.0.2", 80),), 60.0))
        self.assertEqual(self.story.lines[1:], ["10.0.0.1:80 is healthy"])
        self.checkups.use(config())
        self.looks.clear()
        self.passes(120)
        self.assertEqual((self.looks, len(self.asked)), ([], 2))

    def test_defect(self) -> None:
        """
        A look that ends with a defect is one that failed.
        """
        broken: Any = lambda _: fail(RuntimeError("bug"))  # noqa: E731
        self.checkups._look = broken
        self.checkups.use(config(forward(ONE)))
        self.passes(1.5)
        self.assertEqual(self.story.lines, ["10.0.0.1:80 is unhealthy: bug"])

    def test_asConfigured(self) -> None:
        """
        How often it is looked, and how many looks it takes, is what is configured for each.
        """
        for rise, fall in ((1, 2), (4, 1)):
            check = Check(interval=2.0, rise=rise, fall=fall)
            self.checkups.use(config(forward(ONE, check=check)))
            self.passes(5)
            self.story.lines.clear()
            for why, looks in (("away", fall), ("", rise)):
                self.sick = {ONE: why} if why else {}
                before = len(self.looks)
                while not self.story.lines:
                    self.passes(0.5)
                    self.assertLess(len(self.looks) - before, looks + 1)
                self.assertEqual(len(self.looks) - before, looks)
                self.story.lines.clear()
            times = [at for at, _ in self.looks]
            self.assertTrue(all(1.0 <= b - a <= 2.5 for a, b in pairwise(times)), times)
            self.looks.clear()
            self.checkups.use(config())
            self.story.lines.clear()
