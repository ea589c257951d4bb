"""
Tests for L{smartproxy_tw.service.life}: the order of things, and what becomes of it when one of
them fails.  Whole proxies begin and end in L{tests.service.test_tree}.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Admin, Balance, Block, Config, Forward, Route, Sticky, Target, Timeouts
from smartproxy_tw.control.errors import PlaneLost
from smartproxy_tw.interfaces import IPlane
from smartproxy_tw.service import life as module
from smartproxy_tw.service.errors import (
    ChangeRefused,
    ListenError,
    StartError,
    StoppedError,
    UpgradeRefused,
)
from smartproxy_tw.service.events import Events
from smartproxy_tw.service.life import Life
from smartproxy_tw.service.listeners import Listeners
from smartproxy_tw.store.directory import StateError
from smartproxy_tw.testing.fakes import FakeListen, FakePlane, Story

from .parts import Part

STICKY = Balance(sticky=Sticky())


class Taken(Part):
    """
    A part of which the test knows with what it was called.
    """

    def __init__(self, name: str, story: list[str]) -> None:
        super().__init__(name, story)
        self.drained: dict[str, float] = {}
        self.given_: Deferred[int] = Deferred()

    def open(self, lock: int | None = None) -> None:
        """
        The state directory.
        """
        self._story.append(f"{self._name}: open" + (f" with lock {lock}" if lock is not None else ""))
        if "open" in self.broken:
            raise self.broken["open"]

    def cookieSecret(self) -> bytes:
        """
        Of cookies.
        """
        return bytes(32)

    def given(self) -> Deferred[int]:
        """
        The lock of the process before.
        """
        self._story.append(f"{self._name}: given")
        return self.given_


class LifeTests(SynchronousTestCase):
    """
    L{Life}.
    """

    def setUp(self) -> None:
        self.story = Story()
        self.listen = FakeListen(self.story)
        self.plane = FakePlane(self.story)
        self.storage: Any = Taken("storage", self.story.lines)
        self.certificates: Any = Part("certificates", self.story.lines)
        self.door: Any = Part("door", self.story.lines)
        self.names: Any = Part("names", self.story.lines)
        self.clock = Clock()
        self.gates: list[Deferred[None]] = []
        self.config = Config(
            (Route("a", (80, 443), Block(), "http"),), "/state", admin=None, timeouts=Timeouts(drain=7.0)
        )
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def life(self, **more: Any) -> Life:
        """
        One that has not begun.
        """
        self.listeners = Listeners(self.listen, ("127.0.0.1",))  # type: ignore[arg-type]
        self.certificates.config = self.certificates.shown = self.config
        return Life(
            self.config,
            self.listeners,
            self.storage,
            self.makePlane,
            self.makeCertificates,
            self.clock,
            self.names,
            makeAdmin=lambda *_: self.door,
            **more,
        )

    def makePlane(self) -> IPlane:
        """
        The data path is made.
        """
        self.story.tell("plane: made")
        return self.plane

    def makeCertificates(self, plane: Any, gate: Any, _: Any) -> Any:
        """
        The certificates are made, and ask for the gate.
        """
        self.assertIs(plane, self.plane)
        self.gates.append(gate())
        return self.certificates

    def begun(self, **more: Any) -> Life:
        """
        One that is served.
        """
        life = self.life(**more)
        life.begin()
        self.successResultOf(life.whenReady())
        return life

    def told(self) -> list[str]:
        """
        What has happened since one asked last.
        """
        lines, self.story.lines[:] = list(self.story.lines), []
        return lines

    def fails(self, life: Life, kind: type[BaseException]) -> str:
        """
        It has not become ready, and never will; what it had begun is stopped, and nothing was
        ordered.

        @return: Why.
        """
        failure = self.failureResultOf(life.whenReady(), kind)
        self.assertIs(life.error, failure.value)
        self.assertTrue(life.isOver)
        self.assertIsNone(life.plane)
        self.assertEqual(self.listen.open, [])
        self.assertFalse(self.story.has("certificates: provisionAll"), self.story.lines)
        self.assertEqual(self.story.lines[-1], "storage: close")
        for gate in self.gates:
            self.failureResultOf(gate, StoppedError)
        return str(failure.value)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """
        What the log has of a kind.
        """
        return [each for each in self.events if each.get("event") == event]

    def test_order(self) -> None:
        """
        Ports, storage, data path, routes, certificates, adoption, and only then orders, and an
        admin door.
        """
        life = self.begun()
        self.assertEqual(
            self.told(),
            [
                "bound 80",
                "bound 443",
                "names: bind",
                "storage: open",
                "plane: made",
                "started",
                "routed",
                "certificates: load",
                "names: begin",
                "adopted 80",
                "adopted 443",
                "certificates: provisionAll",
                "door: open",
            ],
        )
        (gate,) = self.gates
        self.successResultOf(gate)
        self.assertEqual(list(life.milestones.reached), ["bound", "adopted"])
        self.assertFalse(life.isOver)
        self.assertIsNone(life.error)
        self.assertIs(life.plane, self.plane)
        self.assertIs(life.certificates, self.certificates)
        (line,) = self.logged("listening")
        self.assertEqual(line["addresses"], "127.0.0.1:80, 127.0.0.1:443")

    def test_bind(self) -> None:
        """
        To bind is a step of its own, which is not done twice.
        """
        life = self.life()
        self.assertFalse(life.hasBegun)
        life.bind()
        self.assertTrue(life.hasBegun)
        self.assertEqual(self.told(), ["bound 80", "bound 443", "names: bind"])
        life.begin()
        self.assertNotIn("bound 80", self.told())

    def test_boundLate(self) -> None:
        """
        A port that takes its time holds up what comes after the ports, and nothing that comes
        before: nobody is accepted, and nothing ordered.
        """
        self.listen.hesitates(443)
        life = self.life()
        life.begin()
        self.assertIn("certificates: load", self.told())
        self.assertNoResult(life.whenReady())
        self.assertEqual(life.milestones.reached, {})
        self.assertNoResult(self.gates[0])
        self.listen.opens(443)
        self.successResultOf(life.whenReady())
        self.assertEqual(
            self.told(),
            ["bound 443", "adopted 80", "adopted 443", "certificates: provisionAll", "door: open"],
        )

    def test_slowSteps(self) -> None:
        """
        The data path, its routes, the certificates and the adoption: as long as one of them takes
        its time the gate stays closed.
        """
        for verb in ("start", "useTable", "adopt"):
            self.setUp()
            self.plane.holds(verb)
            life = self.life()
            life.begin()
            self.assertNoResult(self.gates[0])
            self.assertFalse(self.story.has("certificates: provisionAll"), verb)
            self.plane.finishes(verb)
            self.successResultOf(self.gates[0])
            self.successResultOf(life.whenReady())
        self.setUp()
        loaded = self.certificates.slow["load"] = Deferred()
        life = self.life()
        life.begin()
        self.assertFalse(self.story.has("adopted"))
        loaded.callback(None)
        self.successResultOf(life.whenReady())

    def test_shown(self) -> None:
        """
        What certificates know better than the configuration is routed by before anybody is
        accepted.
        """
        life = self.life()
        shown = self.certificates.shown = replace(self.config, routes=())
        life.begin()
        self.assertEqual(self.told().count("routed"), 2)
        self.assertIs(self.plane.config, shown)

    def test_refusedAtOnce(self) -> None:
        """
        A port that cannot be bound is told at once, and nothing else is begun.
        """
        self.listen.refuses(443)
        life = self.life()
        refused = self.assertRaises(ListenError, life.begin)
        self.assertIs(life.error, refused)
        self.assertTrue(life.isOver)
        self.assertFalse(self.story.has("storage: open"))
        self.assertEqual(self.listen.open, [])
        self.assertIs(self.failureResultOf(life.whenReady()).value, refused)

    def test_refusedLate(self) -> None:
        """
        One that turns out to be taken while the rest goes on ends the life, with no order.
        """
        self.listen.hesitates(443)
        life = self.life()
        life.begin()
        self.assertNoResult(self.gates[0])
        self.listen.refusesNow(443, errno.EACCES)
        self.assertIn("443", self.fails(life, ListenError))

    def test_refusals(self) -> None:
        """
        What an operator can mend is told in one sentence, wherever it happens.
        """
        unusable = "The configuration cannot be put to use"
        for part, verb, why, said in (
            ("storage", "open", StateError("/state is somebody else's"), "/state is somebody else's"),
            ("certificates", "load", StartError("no such file"), "no such file"),
            ("plane", "start", PlaneLost("no worker can be had"), "no worker can be had"),
            (
                "plane",
                "useTable",
                ValueError("a bad glob"),
                "The configuration cannot be put to use: a bad glob",
            ),
            ("plane", "start", OSError("no epoll"), f"{unusable}: no epoll"),
            ("plane", "adopt", PlaneLost("they have all gone"), "they have all gone"),
        ):
            self.setUp()
            if part == "plane":
                self.plane.breaks(verb, why)
            else:
                getattr(self, part).broken[verb] = why
            life = self.life()
            life.begin()
            self.assertEqual(self.fails(life, StartError), said)
        self.setUp()
        self.certificates.broken["load"] = ImportError("No module named 'treq'")
        life = self.life()
        life.begin()
        self.assertIn("No module named 'treq': it cannot be imported by user", self.fails(life, StartError))

    def test_unreadable(self) -> None:
        """
        A user who could not import what comes later is told so before anything is opened.
        """

        def require() -> None:
            raise StartError("the environment cannot be read")

        self.patch(module, "requireReadable", require)
        life = self.life()
        life.begin()
        self.assertEqual(self.fails(life, StartError), "the environment cannot be read")
        self.assertFalse(self.story.has("storage: open"))

    def test_endWhileFailing(self) -> None:
        """
        Whoever ends one that has failed, and is on its way back, waits for the end of that.
        """
        self.plane.breaks("adopt", PlaneLost("they have all gone"))
        self.plane.holds("drain")
        life = self.life()
        life.begin()
        waiting, ended = life.whenReady(), life.end()
        self.assertNoResult(waiting)
        self.assertNoResult(ended)
        self.plane.finishes("drain")
        self.successResultOf(ended)
        self.assertEqual(str(self.failureResultOf(waiting, StartError).value), "they have all gone")
        self.assertEqual(self.story.lines.count("storage: close"), 1)
        self.failureResultOf(self.gates[0], StoppedError)

    def test_defect(self) -> None:
        """
        A bug ends it too, and is logged as one.
        """
        self.plane.breaks("adopt", ZeroDivisionError("a bug"))
        life = self.life()
        life.begin()
        self.assertEqual(self.fails(life, ZeroDivisionError), "a bug")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.logged("start-failed")), 1)

    def test_end(self) -> None:
        """
        The end is the way back: nobody is answered, nothing ordered, no port open, and the data
        path has the time that requests have; the state directory comes last.
        """
        life = self.begun()
        self.told()
        self.plane.holds("drain")
        ended = life.end()
        self.assertTrue(life.isOver)
        self.assertIsNone(life.plane)
        self.assertNoResult(ended)
        self.plane.finishes("drain")
        self.successResultOf(ended)
        self.assertEqual(
            self.told(),
            [
                "door: close",
                "certificates: stop",
                "released 443",
                "closed 443",
                "released 80",
                "closed 80",
                "names: close",
                "drained within 7 s",
                "storage: close",
            ],
        )
        self.successResultOf(life.end())
        self.assertEqual(self.told(), [])
        # It was ready once.
        self.successResultOf(life.whenReady())

    def test_endInSpite(self) -> None:
        """
        What cannot be stopped well is logged, and the rest is stopped all the same.
        """
        life = self.begun()
        self.certificates.broken["stop"] = RuntimeError("a bug")
        self.plane.breaks("drain", RuntimeError("a bug"))
        self.successResultOf(life.end())
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual(self.listen.open, [])
        self.assertEqual(self.story.lines[-1], "storage: close")

    def test_endAtEachStep(self) -> None:
        """
        Whoever stops it while it begins has everything closed again, and no order; whoever waited
        is told that it was stopped.
        """
        for verb in ("start", "useTable", "adopt"):
            self.setUp()
            self.plane.holds(verb)
            life = self.life()
            life.begin()
            waiting = life.whenReady()
            self.successResultOf(life.end())
            self.failureResultOf(waiting, StoppedError)
            self.assertIsNone(life.error)
            self.assertEqual(self.listen.open, [], verb)
            self.assertFalse(self.story.has("certificates: provisionAll"), verb)
            self.failureResultOf(self.gates[0], StoppedError)
        self.setUp()
        self.listen.hesitates(443)
        life = self.life()
        life.begin()
        self.successResultOf(life.end())
        self.failureResultOf(life.whenReady(), StoppedError)
        self.failureResultOf(self.gates[0], StoppedError)
        self.assertEqual(self.listen.open, [])

    def test_endBefore(self) -> None:
        """
        One that never began can be ended.
        """
        life = self.life()
        self.successResultOf(life.end())
        self.failureResultOf(life.whenReady(), StoppedError)
        self.assertEqual(self.listen.ports, [])

    def test_checkups(self) -> None:
        """
        Targets are looked at once there are routes to them, by the configuration that is in use,
        until the end.
        """
        checkups: Any = Part("checkups", self.story.lines)

        def make(plane: IPlane) -> Any:
            self.assertIs(plane, self.plane)
            return checkups

        life = self.life(makeCheckups=make)
        self.assertIsNone(life.checkups)
        life.begin()
        told = self.told()
        self.assertEqual(told[told.index("routed") + 1], "checkups: use")
        self.change(life, replace(self.config, timeouts=Timeouts(drain=1.0)))
        self.assertEqual(self.told().count("checkups: use"), 1)
        self.successResultOf(life.end())
        self.assertIn("checkups: stop", self.told())

    def test_checkupsElsewhere(self) -> None:
        """
        The process that takes its place looks at targets then, and this one does not.
        """
        checkups: Any = Part("checkups", self.story.lines)
        life = self.begun(makeCheckups=lambda _: checkups)
        self.successResultOf(Deferred.fromCoroutine(life.departure.rest()))
        self.told()
        self.successResultOf(Deferred.fromCoroutine(life.departure.depart()))
        self.assertEqual(self.told().count("checkups: stop"), 1)

    def test_hooks(self) -> None:
        """
        The operator's programs hear of certificates before any is ordered, and as long as there
        is anything to hear.
        """
        hooks: Any = Part("hooks", self.story.lines)
        life = self.life(makeHooks=lambda: hooks, events=Events())
        self.assertIsNone(life.hooks)
        life.begin()
        self.assertIs(life.hooks, hooks)
        told = self.told()
        self.assertLess(told.index("hooks: begin"), told.index("certificates: provisionAll"))
        self.successResultOf(life.end())
        self.assertIn("hooks: stop", self.told())

    def change(self, life: Life, config: Config) -> None:
        """
        Another configuration is gone by, whose certificates are the same.
        """
        succession: Any = Part("succession", [])
        succession.shown = config
        self.certificates.slow["prepare"] = ready = Deferred()
        changed = life.change(config)
        self.assertNoResult(changed)
        ready.callback(succession)
        self.successResultOf(changed)

    def test_change(self) -> None:
        """
        What it goes by, and for how long, is the new configuration once that is in use.
        """
        life = self.begun()
        self.clock.advance(60)
        self.assertEqual(life.age, 60.0)
        other = replace(self.config, timeouts=Timeouts(drain=1.0))
        self.change(life, other)
        self.assertIs(life.config, other)
        self.assertEqual(life.age, 0.0)
        self.successResultOf(life.end())
        self.assertIn("drained within 1 s", self.told())

    def test_changeSigns(self) -> None:
        """
        The first route with cookies that comes by a change has its secret before it is there.
        """
        life = self.begun()
        self.told()
        forward = Forward((Target("127.0.0.1", 3000),), balance=STICKY)
        self.change(life, replace(self.config, routes=(Route("a", (80, 443), forward, "http"),)))
        told = self.told()
        self.assertLess(told.index("signs with 32 bytes"), told.index("routed"))

    def test_changeRefused(self) -> None:
        """
        One that the data path refuses is not gone by.
        """
        life = self.begun()
        self.clock.advance(60)
        self.certificates.broken["prepare"] = ValueError("a bad glob")
        failure = self.failureResultOf(life.change(replace(self.config, routes=())), ChangeRefused)
        self.assertEqual(str(failure.value), "The configuration cannot be put to use: a bad glob")
        self.assertIs(life.config, self.config)
        self.assertEqual(life.age, 60.0)

    def test_changeEarly(self) -> None:
        """
        One that is wanted while it begins has its turn when that is over.
        """
        self.plane.holds("adopt")
        life = self.life()
        life.begin()
        self.certificates.slow["prepare"] = Deferred()
        changed = life.change(replace(self.config, timeouts=Timeouts(drain=1.0)))
        self.assertFalse(self.story.has("certificates: prepare"))
        self.plane.finishes("adopt")
        self.successResultOf(life.whenReady())
        self.assertTrue(self.story.has("certificates: prepare"))
        self.assertNoResult(changed)
        self.successResultOf(life.end())
        self.failureResultOf(changed, StoppedError)

    def test_changeEnded(self) -> None:
        """
        An end does not wait for one that can still be taken back.
        """
        life = self.begun()
        self.certificates.slow["prepare"] = Deferred()
        changed = life.change(replace(self.config, timeouts=Timeouts(drain=1.0)))
        self.assertNoResult(changed)
        self.successResultOf(life.end())
        self.failureResultOf(changed, StoppedError)
        self.assertIs(life.config, self.config)

    def test_changeTooLate(self) -> None:
        """
        Nothing is changed in one that ends, or that another process is about to replace.
        """
        life = self.begun()
        self.successResultOf(Deferred.fromCoroutine(life.departure.rest()))
        self.assertTrue(life.isResting)
        self.failureResultOf(life.change(self.config), ChangeRefused)
        self.successResultOf(life.end())
        self.failureResultOf(life.change(self.config), StoppedError)

    def test_estate(self) -> None:
        """
        Only what is served, and goes on, can be handed over.
        """
        life = self.life()
        self.assertRaises(UpgradeRefused, life.departure.estate)
        life.begin()
        self.storage.lock = 9
        self.patch(self.listeners, "bequest", lambda: ())
        self.assertEqual(life.departure.estate().lock, 9)
        life.end()
        self.assertRaises(UpgradeRefused, life.departure.estate)

    def test_resumedTooLate(self) -> None:
        """
        What has ended does not go on.
        """
        life = self.begun()
        self.successResultOf(Deferred.fromCoroutine(life.departure.rest()))
        self.successResultOf(life.end())
        self.told()
        self.successResultOf(Deferred.fromCoroutine(life.departure.resume()))
        self.assertEqual(self.told(), [])

    def test_replaced(self) -> None:
        """
        It rests, gives way and departs: it is told which process serves, its ports close, and the
        data path stays until the end, with as long for tunnels as these have.
        """
        life = self.begun()
        self.told()
        self.successResultOf(Deferred.fromCoroutine(life.departure.rest()))
        self.assertEqual(self.told(), ["certificates: stop", "names: close"])
        self.assertEqual(self.listen.open, [80, 443])
        self.assertIsNone(life.successor)
        life.departure.giveWay(4321)
        self.assertEqual((life.successor, life.hasDeparted), (4321, False))
        self.successResultOf(Deferred.fromCoroutine(life.departure.depart()))
        self.assertTrue(life.hasDeparted)
        told = self.told()
        self.assertEqual(told[0], "door: giveWay")
        self.assertEqual(self.listen.open, [])
        self.assertIs(life.plane, self.plane)
        self.plane.holds("drain")
        ended = life.end()
        self.assertIs(life.plane, self.plane)
        self.plane.finishes("drain")
        self.successResultOf(ended)
        self.assertIsNone(life.plane)
        told = self.told()
        self.assertEqual(told[-1], "storage: close")
        self.assertNotIn("certificates: stop", told)
        (drained,) = [each for each in told if each.startswith("drained")]
        self.assertEqual(drained, f"drained within 7 s, streams within {Timeouts().drainStreams:g} s")
        self.assertLess(told.index(drained), told.index("door: close"))

    def test_resumed(self) -> None:
        """
        If nothing comes of that it goes on, and nobody takes its place.
        """
        life = self.begun()
        self.successResultOf(Deferred.fromCoroutine(life.departure.rest()))
        life.departure.giveWay(4321)
        self.told()
        self.successResultOf(Deferred.fromCoroutine(life.departure.resume()))
        self.assertIsNone(life.successor)
        self.assertFalse(life.isResting)
        self.assertIn("certificates: provisionAll", self.told())

    def heir(self) -> Any:
        """
        Speaks to the process before.
        """
        self.before: Any = Taken("before", self.story.lines)
        return self.before

    def test_heir(self) -> None:
        """
        The next process waits for the lock of the one before, and answers for names once that one
        does not; it orders nothing before it is alone.
        """
        life = self.life(heir=self.heir())
        alone = self.before.slow["alone"] = Deferred()
        life.begin()
        self.assertEqual(self.told(), ["before: begin", "bound 80", "bound 443", "before: given"])
        self.before.given_.callback(5)
        told = self.told()
        self.assertEqual(told[:2], ["names: bind", "storage: open with lock 5"])
        self.assertEqual(told[-1], "before: alone")
        self.assertEqual(self.plane.adopted, [80, 443])
        self.assertNoResult(self.gates[0])
        alone.callback(None)
        self.successResultOf(life.whenReady())
        self.successResultOf(self.gates[0])

    def test_drainedBefore(self) -> None:
        """
        Targets that were drained in the process before are so here, before anything is routed,
        and not once more when the proxy is stopped and started.
        """
        self.config = replace(self.config, admin=Admin("/run/x.sock"))
        life = self.life(heir=self.heir())
        self.before.drained = {"10.0.0.1:80": 5.0}
        self.before.given_.callback(5)
        life.begin()
        told = self.told()
        self.assertLess(told.index("diverted from 10.0.0.1:80"), told.index("routed"))
        self.assertEqual(life.diverted, {"10.0.0.1:80": 5.0})
        self.assertEqual(self.before.drained, {})
