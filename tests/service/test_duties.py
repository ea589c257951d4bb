"""
Tests for L{smartproxy_tw.service.duties}: which process does what is told in
L{tests.live.test_upgrade} with real ones.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.errors import PlaneLost
from smartproxy_tw.service.duties import Duties
from smartproxy_tw.service.errors import StartError, StoppedError
from smartproxy_tw.service.milestones import Milestones
from smartproxy_tw.store.directory import StateError

from .parts import Part


class DutiesTests(SynchronousTestCase):
    """
    Those of a proxy that has all of them.
    """

    def setUp(self) -> None:
        self.story: list[str] = []
        self.storage, self.binding, self.plane = (
            self.part("storage"),
            self.part("binding"),
            self.part("plane"),
        )
        self.hooks, self.door = self.part("hooks"), self.part("door")
        self.made: list[Any] = []
        self.milestones = Milestones(lambda: 0.0)
        self.duties = self.all(hooks=lambda: self.hooks, admin=lambda *_: self.door)

    def part(self, name: str) -> Any:
        """
        One part.
        """
        return Part(name, self.story)

    def all(self, hooks: Any, admin: Any) -> Duties:
        """
        Duties with these.
        """
        events: Any = SimpleNamespace()
        return Duties(self.storage, self.binding, self.make, self.gate, hooks, events, admin)

    def make(self, plane: Any, gate: Any, milestones: Milestones) -> Any:
        """
        Certificates.
        """
        self.assertEqual((plane, gate, milestones), (self.plane, self.gate, self.milestones))
        certificates = self.part("certificates")
        certificates.shown = None
        self.made.append(certificates)
        return certificates

    def gate(self) -> Deferred[None]:
        """
        What orders wait for.
        """
        raise AssertionError("that is for certificates alone")

    def told(self) -> list[str]:
        """
        What has happened since one asked last.
        """
        lines, self.story[:] = list(self.story), []
        return lines

    def perform(self) -> Any:
        """
        They are performed.
        """
        certificates = self.duties.take(self.plane, self.milestones)
        self.assertEqual(self.told(), [])
        self.duties.perform(certificates, self.plane)
        return certificates

    def rest(self) -> Deferred[None]:
        """
        They are laid down.
        """
        return Deferred.fromCoroutine(self.duties.rest(self.part("changes").over))

    def resume(self) -> Deferred[None]:
        """
        They are taken up again.
        """
        return Deferred.fromCoroutine(self.duties.resume(self.plane, self.milestones))

    def stop(self, *, hasDeparted: bool = False) -> Deferred[None]:
        """
        They end.
        """
        rest = self.part("the rest").stop
        return Deferred.fromCoroutine(self.duties.stop(rest, hasDeparted=hasDeparted))

    def test_performed(self) -> None:
        """
        Programs hear of certificates before any can be ordered, and what is asked about them
        is answered last.
        """
        self.assertIsNone(self.duties.certificates)
        certificates = self.perform()
        self.assertIs(self.duties.certificates, certificates)
        self.assertIs(self.duties.hooks, self.hooks)
        self.assertFalse(self.duties.isResting)
        self.assertEqual(
            self.told(),
            ["certificates: kept", "hooks: begin", "certificates: provisionAll", "door: open"],
        )

    def test_few(self) -> None:
        """
        Where there is neither a program nor a door, there are certificates.
        """
        self.duties = self.all(hooks=None, admin=lambda *_: None)
        self.perform()
        self.assertEqual(self.told(), ["certificates: provisionAll"])
        self.assertIsNone(self.duties.hooks)
        self.successResultOf(self.rest())
        self.successResultOf(Deferred.fromCoroutine(self.duties.giveWay()))
        self.successResultOf(self.resume())
        self.told()
        self.successResultOf(self.stop())
        self.assertEqual(self.told(), ["certificates: stop", "the rest: stop"])

    def test_provisioning(self) -> None:
        """
        That the proxy is stopped before certificates are there is no defect; all else is.
        """
        for why in (StoppedError("early"), ZeroDivisionError()):
            certificates = self.duties.take(self.plane, self.milestones)
            outcome = self.made[-1].slow["provisionAll"] = Deferred()
            self.duties.perform(certificates, self.plane)
            outcome.errback(why)
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_rest(self) -> None:
        """
        A change of the configuration comes to its end first, while it is known already that
        none may begin; then programs, orders and answers end, and the door stays.
        """
        self.perform()
        self.told()
        before: Deferred[None] = Deferred()
        resting = Deferred.fromCoroutine(self.duties.rest(lambda: before))
        self.assertTrue(self.duties.isResting)
        self.assertEqual(self.told(), [])
        before.callback(None)
        self.successResultOf(resting)
        self.assertEqual(self.told(), ["hooks: stop", "certificates: stop", "binding: closeNames"])

    def test_restWhateverFails(self) -> None:
        """
        What cannot be stopped well is logged, and the others are stopped.
        """
        self.perform()
        for each, verb in (
            (self.hooks, "stop"),
            (self.made[0], "stop"),
            (self.binding, "closeNames"),
            (self.door, "giveWay"),
        ):
            each.broken[verb] = ZeroDivisionError()
        self.told()
        self.successResultOf(self.rest())
        self.successResultOf(Deferred.fromCoroutine(self.duties.giveWay()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 4)
        self.assertEqual(len(self.told()), 5)

    def test_resume(self) -> None:
        """
        Other certificates are made, loaded and shown before any is ordered, and before
        changes are possible again.
        """
        self.perform()
        self.successResultOf(self.rest())
        self.told()
        showing = self.plane.slow["useTable"] = Deferred()
        resuming = self.resume()
        self.assertIs(self.duties.certificates, self.made[1])
        self.assertEqual(
            self.told(),
            ["storage: open", "binding: bindNames", "binding: answerNames"]
            + ["certificates: load", "plane: useTable"],
        )
        self.assertTrue(self.duties.isResting)
        showing.callback(None)
        self.successResultOf(resuming)
        self.assertFalse(self.duties.isResting)
        self.assertEqual(
            self.told(),
            ["door: close", "certificates: kept", "hooks: begin", "certificates: provisionAll", "door: open"],
        )

    def test_resumeFails(self) -> None:
        """
        What an operator can mend is told in a line, and a defect as one; nothing is ordered.
        Everything is served still, so that whoever asks about that is answered.
        """
        lines: list[Any] = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        self.perform()
        self.successResultOf(self.rest())
        self.told()
        reasons = (StateError("a"), StartError("b"), PlaneLost("c"), OSError("d"), ValueError("e"))
        for why in (*reasons, ZeroDivisionError("f")):
            self.storage.broken["open"] = why
            self.successResultOf(self.resume())
        found = [each for each in lines if each.get("event") == "resume-failed"]
        self.assertEqual([each["why"] for each in found[:-1]], [*"abcde"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.duties.isResting)
        self.assertEqual(self.told(), ["storage: open"] * 6)

    def test_giveWay(self) -> None:
        """
        Once it was asked aside the door stays until everything else has ended.
        """
        self.perform()
        self.successResultOf(self.rest())
        self.told()
        self.successResultOf(Deferred.fromCoroutine(self.duties.giveWay()))
        self.successResultOf(self.stop(hasDeparted=True))
        self.assertEqual(self.told(), ["door: giveWay", "the rest: stop", "door: close"])

    def test_stop(self) -> None:
        """
        Nobody is answered any more, then nothing is ordered, and programs are waited for last.
        """
        self.perform()
        self.told()
        program = self.hooks.slow["stop"] = Deferred()
        self.door.broken["close"] = ZeroDivisionError()
        stopping = self.stop()
        self.assertEqual(self.told(), ["door: close", "hooks: stop", "certificates: stop", "the rest: stop"])
        self.assertNoResult(stopping)
        program.callback(None)
        self.successResultOf(stopping)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stopEarly(self) -> None:
        """
        Where nothing was taken yet, everything else is stopped.
        """
        self.successResultOf(self.stop())
        self.assertEqual(self.told(), ["the rest: stop"])

    def test_stopAtRest(self) -> None:
        """
        What was laid down is not stopped twice.
        """
        self.perform()
        self.successResultOf(self.rest())
        self.told()
        self.successResultOf(self.stop())
        self.assertEqual(self.told(), ["door: close", "the rest: stop"])

    def test_stopMeanwhile(self) -> None:
        """
        Orders that are about to end are waited for: the state directory, which is left to
        others at the end, is theirs until then.
        """
        self.perform()
        ordering = self.made[0].slow["stop"] = Deferred()
        resting = self.rest()
        self.told()
        stopping = self.stop()
        self.assertEqual(self.told(), ["door: close"])
        ordering.callback(None)
        self.successResultOf(resting)
        self.successResultOf(stopping)
        self.assertEqual(self.told(), ["binding: closeNames", "the rest: stop"])

    def test_stopBeforeResumed(self) -> None:
        """
        Where everything ends while duties are taken up again, nothing is ordered, no program is
        begun, and nobody is answered afterwards; the certificates that were made end.
        """
        self.perform()
        self.successResultOf(self.rest())
        slow = self.plane.slow["useTable"] = Deferred()
        resuming = self.resume()
        self.told()
        stopping = self.stop()
        self.assertEqual(self.told(), ["door: close"])
        slow.callback(None)
        self.successResultOf(resuming)
        self.successResultOf(stopping)
        self.assertEqual(self.told(), ["certificates: stop", "the rest: stop"])

    def test_stopAtTheDoor(self) -> None:
        """
        Likewise where it is the door of before that has yet to close.
        """
        self.perform()
        self.successResultOf(self.rest())
        slow = self.door.slow["close"] = Deferred()
        resuming = self.resume()
        self.told()
        stopping = self.stop()
        self.assertEqual(self.told(), [])
        slow.callback(None)
        self.successResultOf(resuming)
        self.successResultOf(stopping)
        self.assertEqual(self.told(), ["certificates: stop", "the rest: stop"])

    def test_stopInsteadOfResuming(self) -> None:
        """
        What could not be taken up again does not keep anything from ending.
        """
        self.perform()
        self.successResultOf(self.rest())
        slow = self.plane.slow["useTable"] = Deferred()
        resuming = self.resume()
        self.told()
        stopping = self.stop()
        slow.errback(PlaneLost("gone"))
        self.successResultOf(resuming)
        self.successResultOf(stopping)
        self.assertEqual(self.told(), ["door: close", "the rest: stop"])
