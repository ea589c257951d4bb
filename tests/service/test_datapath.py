"""
Tests for L{smartproxy_tw.service.datapath}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Admin, Balance, Block, Config, Forward, Route, Sticky, Target, Timeouts
from smartproxy_tw.control.errors import PlaneLost
from smartproxy_tw.interfaces import IPlane
from smartproxy_tw.service.datapath import DataPath
from smartproxy_tw.service.errors import StartError
from smartproxy_tw.testing.fakes import FakePlane, Story

from .parts import Part

STICKY = Balance(sticky=Sticky())
TIMEOUTS = Timeouts(drain=7.0, drainStreams=90.0)


class DataPathTests(SynchronousTestCase):
    """
    L{DataPath}.
    """

    def setUp(self) -> None:
        self.story = Story()
        self.plane = FakePlane(self.story)
        self.checkups: Any = Part("checkups", self.story.lines)
        self.path = DataPath(lambda: self.plane, self.secret, self.lookingAt)
        self.config = Config((Route("a", (80,), Block(), "http"),), "/state", admin=Admin("/run/x.sock"))
        self.drained: dict[str, float] = {}
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def secret(self) -> bytes:
        """
        Of cookies.
        """
        self.story.tell("secret read")
        return bytes(32)

    def lookingAt(self, plane: IPlane) -> Any:
        """
        What looks at targets is made.
        """
        self.assertIs(plane, self.plane)
        return self.checkups

    def begin(self) -> Deferred[None]:
        """
        It is made and begins.
        """
        return Deferred.fromCoroutine(self.path.begin(self.path.make(), self.config, lambda: self.drained))

    def stop(self, *, hasDeparted: bool = False) -> Deferred[None]:
        """
        It ends.
        """
        return Deferred.fromCoroutine(self.path.stop(TIMEOUTS, hasDeparted=hasDeparted))

    def told(self) -> list[str]:
        """
        What has happened since one asked last.
        """
        lines, self.story.lines[:] = list(self.story.lines), []
        return lines

    def logged(self, event: str) -> list[dict[str, Any]]:
        """
        What the log has of a kind.
        """
        return [each for each in self.events if each.get("event") == event]

    def test_begin(self) -> None:
        """
        It starts, has its routes, and then its targets are looked at.
        """
        self.assertIsNone(self.path.plane)
        self.plane.holds("useTable")
        beginning = self.begin()
        self.assertIs(self.path.plane, self.plane)
        self.assertEqual(self.told(), ["started"])
        self.assertIsNone(self.path.checkups)
        self.plane.finishes("useTable")
        self.successResultOf(beginning)
        self.assertEqual(self.told(), ["routed", "checkups: use"])
        self.assertIs(self.path.checkups, self.checkups)

    def test_nobodyLooks(self) -> None:
        """
        Where nobody looks at targets nobody is told of a change, and nothing ends.
        """
        self.path = DataPath(lambda: self.plane, self.secret)
        self.successResultOf(self.begin())
        self.path.follow(self.config)
        self.path.lookAway()
        self.assertEqual((self.path.checkups, self.told()), (None, ["started", "routed"]))

    def test_cookies(self) -> None:
        """
        The secret of cookies comes before the routes that use it, and not where a route has its
        own, or none has any.
        """
        target = Target("127.0.0.1", 3000)
        for balance, isSigned in (
            (STICKY, True),
            (Balance(sticky=Sticky(secret="0123456789abcdef")), False),
            (Balance(), False),
        ):
            forward = Forward((target,), balance=balance)
            self.config = Config((Route("a", (80,), forward, "http"),), "/state")
            self.successResultOf(self.begin())
            told = self.told()
            signed = ["secret read", "signs with 32 bytes"] if isSigned else []
            self.assertEqual(told, ["started", *signed, "routed", "checkups: use"])
            # There is no admin socket here, which matters only where something is drained.
            self.assertEqual(self.logged("drains-dropped"), [])

    def test_drained(self) -> None:
        """
        Targets that were drained before are so before anything is routed; which ones is asked
        for no earlier than it has started.
        """
        self.drained = {"10.0.0.1:80": 5.0}
        self.plane.holds("start")
        beginning = self.begin()
        self.drained = {"10.0.0.1:80": 5.0, "10.0.0.2:80": 6.0}
        self.plane.finishes("start")
        self.successResultOf(beginning)
        self.assertEqual(
            self.told(),
            ["started", "diverted from 10.0.0.1:80", "diverted from 10.0.0.2:80", "routed", "checkups: use"],
        )
        self.assertEqual(self.path.diverted, self.drained)

    def test_drainedForEver(self) -> None:
        """
        Where nobody could undo that they have their turns again, and the log says so.
        """
        self.config = Config(self.config.routes, "/state", admin=None)
        self.drained = {"10.0.0.1:80": 5.0, "10.0.0.2:80": 6.0}
        self.successResultOf(self.begin())
        self.assertFalse(self.story.has("diverted"))
        self.assertEqual(self.path.diverted, {})
        (line,) = self.logged("drains-dropped")
        self.assertEqual(line["targets"], "10.0.0.1:80, 10.0.0.2:80")

    def test_unusable(self) -> None:
        """
        What the configuration, or the system, is to blame for is told to the operator; what else goes
        wrong is passed on as it is.
        """
        for verb, why, kind, said in (
            ("useTable", ValueError("a bad glob"), StartError, "cannot be put to use: a bad glob"),
            ("start", OSError("no epoll"), StartError, "cannot be put to use: no epoll"),
            ("divert", OSError("no memory"), StartError, "cannot be put to use: no memory"),
            ("start", PlaneLost("no worker can be had"), PlaneLost, "no worker can be had"),
            ("useTable", ZeroDivisionError("a bug"), ZeroDivisionError, "a bug"),
        ):
            self.setUp()
            self.drained = {"10.0.0.1:80": 5.0}
            self.plane.breaks(verb, why)
            failure = self.failureResultOf(self.begin(), kind)
            self.assertIn(said, str(failure.value))
            self.assertIsNone(self.path.checkups)
            # There is something to be stopped all the same.
            self.assertIs(self.path.plane, self.plane)

    def test_follow(self) -> None:
        """
        The targets of another configuration are looked at in place of those of the one before, until
        nobody is to look any more.
        """
        self.successResultOf(self.begin())
        self.told()
        self.path.follow(self.config)
        self.path.lookAway()
        self.assertEqual(self.told(), ["checkups: use", "checkups: stop"])

    def test_stop(self) -> None:
        """
        Targets are looked at no more, and what is under way has its time; nobody is to ask it anything
        meanwhile.
        """
        self.successResultOf(self.begin())
        self.told()
        self.plane.holds("drain")
        stopped = self.stop()
        self.assertIsNone(self.path.plane)
        self.assertNoResult(stopped)
        self.plane.finishes("drain")
        self.successResultOf(stopped)
        self.assertEqual(self.told(), ["checkups: stop", "drained within 7 s"])
        self.assertEqual(self.logged("drained"), [])

    def test_stopDeparted(self) -> None:
        """
        Where another process serves tunnels have longer, and it can be asked until the end.
        """
        self.successResultOf(self.begin())
        self.told()
        self.plane.holds("drain")
        stopped = self.stop(hasDeparted=True)
        self.assertIs(self.path.plane, self.plane)
        self.plane.finishes("drain")
        self.successResultOf(stopped)
        self.assertIsNone(self.path.plane)
        self.assertEqual(self.told()[-1], "drained within 7 s, streams within 90 s")

    def test_stopUnmade(self) -> None:
        """
        What was never made need not be drained.
        """
        self.successResultOf(self.stop())
        self.assertEqual(self.told(), [])

    def test_stopInSpite(self) -> None:
        """
        A data path that cannot be drained well is logged, and gone.
        """
        for hasDeparted in (False, True):
            self.setUp()
            self.successResultOf(self.begin())
            self.plane.breaks("drain", RuntimeError("a bug"))
            self.successResultOf(self.stop(hasDeparted=hasDeparted))
            self.assertIsNone(self.path.plane)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_cut(self) -> None:
        """
        How many connections had to be cut is in the log, and after how long.
        """
        self.patch(self.plane, "drain", lambda *_: succeed(3))
        for hasDeparted, seconds in ((False, 7.0), (True, "7.0 s, tunnels after 90.0")):
            self.events.clear()
            self.successResultOf(self.begin())
            self.successResultOf(self.stop(hasDeparted=hasDeparted))
            (line,) = self.logged("drained")
            self.assertEqual((line["cut"], line["seconds"]), (3, seconds))

    def test_reopenLogs(self) -> None:
        """
        The access log is opened anew where there is a data path; what fails there is logged.
        """
        self.path.reopenLogs()
        self.assertEqual(self.told(), [])
        self.successResultOf(self.begin())
        self.told()
        self.path.reopenLogs()
        self.assertEqual(self.told(), ["reopened"])
        self.plane.breaks("reopen", RuntimeError("a bug"))
        self.path.reopenLogs()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
