"""
Tests for L{smartproxy_tw.service.hooks}.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import CertificateHook
from smartproxy_tw.programs.running import ProgramFailed
from smartproxy_tw.service.events import CertificateEvent, Events
from smartproxy_tw.service.hooks import CertificateHooks
from smartproxy_tw.store.deliveries import DirectoryDeliveries
from smartproxy_tw.store.directory import SecureDirectory

NOW = 1_800_000_000.0
DEPLOY = CertificateHook(("/bin/deploy", "secret"))


def certificate(serial: str, name: str = "a.test", kind: Any = "issued") -> CertificateEvent:
    """
    One that is there.
    """
    file = f"/state/{name}.pem"
    return CertificateEvent(
        kind, f"auto:{name}", (name,), NOW, file, NOW + 86400, None, NOW + 3600, serial=serial
    )


def failure(name: str = "a.test", problem: str = "no") -> CertificateEvent:
    """
    An order that came to nothing.
    """
    return CertificateEvent("failed", f"auto:{name}", (name,), NOW, problem=problem, nextAttempt=NOW + 60)


def expiring(serial: str, name: str = "a.test") -> CertificateEvent:
    """
    One that ends soon, and its successor cannot be had.
    """
    return replace(failure(name), kind="expiring", serial=serial, expires=NOW + 86400)


class FakePrograms:
    """
    Programs that end when the test says so.
    """

    def __init__(self) -> None:
        self.running: list[tuple[tuple[str, ...], dict[str, str], bytes, Deferred[bytes]]] = []
        self.signals: list[int] = []
        self.timeouts: list[float] = []
        self.cannot: ProgramFailed | None = None
        self.ran = 0

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], timeout: float, sent: bytes = b""
    ) -> Deferred[bytes]:
        """
        Start one.
        """
        self.ran += 1
        self.timeouts.append(timeout)
        if self.cannot is not None:
            return fail(self.cannot)
        ended: Deferred[bytes] = Deferred()
        self.running.append((tuple(command), dict(environment), sent, ended))
        return ended

    def signal(self, number: int) -> None:
        """
        To all.
        """
        self.signals.append(number)

    def told(self, name: str) -> list[str | None]:
        """
        What those that run have in one variable.
        """
        return [environment.get(f"SMARTPROXY_{name}") for _, environment, _, _ in self.running]

    def ends(self, why: str | None = None) -> None:
        """
        The first that runs ends.
        """
        _, _, _, ended = self.running.pop(0)
        if why is None:
            ended.callback(b"")
        else:
            ended.errback(ProgramFailed(why))


class HooksTests(SynchronousTestCase):
    """
    What is run after what.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.events = Events()
        self.programs = FakePrograms()
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.logged: list[Any] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def hooks(
        self,
        *hooks: CertificateHook,
        kept: Iterable[CertificateEvent] = (),
        environment: Mapping[str, str] | None = None,
        directory: Any = None,
    ) -> CertificateHooks:
        """
        A process begins.
        """
        made = CertificateHooks(
            hooks or (DEPLOY,),
            self.programs,
            self.clock,
            DirectoryDeliveries(directory or self.directory),
            maybeDeferred,
            Random(1),
            environment or {},
        )
        made.begin(kept, self.events)
        return made

    def dies(self, after: float = 1.0) -> None:
        """
        The process is no more, and nobody had the time to say so.

        @param after: So many seconds after whatever was last.
        """
        self.clock.advance(after)
        self.clock = Clock()
        self.clock.advance(NOW)
        self.events = Events()
        self.programs = FakePrograms()

    def test_told(self) -> None:
        """
        A program has its arguments, and what happened in its environment and on its
        standard input; what is not known is not there, whatever this process has.
        """
        given = {"PATH": "/bin", "SMARTPROXY_PROBLEM": "old", "NOTIFY_SOCKET": "@x", "LISTEN_FDS": "1"}
        self.hooks(DEPLOY, environment=given)
        self.events.tell(certificate("1f"))
        ((command, environment, sent, _),) = self.programs.running
        self.assertEqual(command, DEPLOY.command)
        self.assertEqual(
            environment,
            {
                "PATH": "/bin",
                "SMARTPROXY_EVENT": "issued",
                "SMARTPROXY_NAMES": "a.test",
                "SMARTPROXY_FILE": "/state/a.test.pem",
                "SMARTPROXY_EXPIRES": "2027-01-16T08:00:00Z",
                "SMARTPROXY_SERIAL": "1f",
                "SMARTPROXY_NEXT_ATTEMPT": "2027-01-15T09:00:00Z",
            },
        )
        self.assertEqual(
            json.loads(sent),
            {
                "event": "issued",
                "names": ["a.test"],
                "file": "/state/a.test.pem",
                "expires": "2027-01-16T08:00:00Z",
                "serial": "1f",
                "next_attempt": "2027-01-15T09:00:00Z",
            },
        )
        self.assertEqual(self.programs.timeouts, [120.0])

    def test_failure(self) -> None:
        """
        Of an order that failed those are told that want to be, in words that no
        environment refuses and of a bounded length.
        """
        self.hooks(DEPLOY, CertificateHook(("alert",), ("failed",), timeout=5.0))
        self.events.tell(failure(problem="a\0b\n\x1b[31m \ud800é " + "x" * 9000))
        ((command, environment, sent, _),) = self.programs.running
        self.assertEqual(command, ("alert",))
        problem = environment["SMARTPROXY_PROBLEM"]
        self.assertTrue(problem.startswith("a?b ?[31m ?é xxx"))
        self.assertEqual(len(problem), 2000)
        self.assertEqual(json.loads(sent)["problem"], problem)
        self.assertNotIn("SMARTPROXY_FILE", environment)
        self.assertEqual(self.programs.timeouts, [5.0])
        self.programs.ends("ended with status 1, and wrote nothing")
        self.clock.advance(1e6)
        self.assertEqual(self.programs.running, [])
        self.assertIn("It is not run again for this", self.logged[-1]["then"])

    def test_order(self) -> None:
        """
        Several are run one after another, in their order, also when one fails.
        """
        self.hooks(CertificateHook(("a",)), CertificateHook(("b",)), CertificateHook(("c",), ("failed",)))
        self.events.tell(certificate("1"))
        self.assertEqual([each[0] for each in self.programs.running], [("a",)])
        self.programs.ends("ended with status 1, and wrote nothing")
        self.assertEqual([each[0] for each in self.programs.running], [("b",)])
        self.programs.ends()
        self.assertEqual(self.programs.running, [])

    def test_names(self) -> None:
        """
        One that is for some names hears of certificates for these only.
        """
        self.hooks(replace(DEPLOY, names=("b.test", "c.test")))
        self.events.tell(certificate("1"))
        self.events.tell(certificate("2", "b.test"))
        self.events.tell(failure())
        self.assertEqual(self.programs.told("NAMES"), ["b.test"])

    def test_kinds(self) -> None:
        """
        Who wants renewals only is not told of the first one, nor who wants the first
        one of renewals.
        """
        first, later = CertificateHook(("first",), ("issued",)), CertificateHook(("later",), ("renewed",))
        self.hooks(first, later)
        self.events.tell(certificate("1"))
        self.assertEqual([each[0] for each in self.programs.running], [("first",)])
        self.programs.ends()
        self.events.tell(certificate("2", kind="renewed"))
        self.assertEqual([each[0] for each in self.programs.running], [("later",)])
        self.assertEqual(self.programs.told("EVENT"), ["renewed"])

    def test_revoked(self) -> None:
        """
        Of a certificate that is revoked nothing is run, of its successor what is run
        of any.
        """
        self.hooks(DEPLOY)
        self.events.tell(certificate("1"))
        self.programs.ends()
        self.events.tell(certificate("1", kind="revoked"))
        self.events.tell(certificate("9", kind="revoked"))
        self.events.tell(expiring("1"))
        self.assertEqual(self.programs.running, [])
        self.events.tell(certificate("2", kind="renewed"))
        self.assertEqual(self.programs.told("EVENT"), ["renewed"])

    def test_expiring(self) -> None:
        """
        Of a certificate that ends soon without a successor those are told that want to be, once, with its
        end, its number and the reason; no failure that comes meanwhile takes the place of it.
        """
        self.hooks(DEPLOY, CertificateHook(("alert",), ("expiring", "failed")))
        self.events.tell(certificate("1"))
        self.events.tell(failure())
        self.events.tell(expiring("1"))
        self.events.tell(failure(problem="again"))
        self.programs.ends()
        ((command, environment, sent, _),) = self.programs.running
        self.assertEqual(command, ("alert",))
        known = {name: value for name, value in environment.items() if name.startswith("SMARTPROXY_")}
        self.assertEqual(
            known,
            {
                "SMARTPROXY_EVENT": "expiring",
                "SMARTPROXY_NAMES": "a.test",
                "SMARTPROXY_EXPIRES": "2027-01-16T08:00:00Z",
                "SMARTPROXY_SERIAL": "1",
                "SMARTPROXY_PROBLEM": "no",
                "SMARTPROXY_NEXT_ATTEMPT": "2027-01-15T08:01:00Z",
            },
        )
        self.assertEqual(json.loads(sent)["event"], "expiring")
        self.programs.ends("ended with status 1, and wrote nothing")
        self.assertIn("It is not run again for this", self.logged[-1]["then"])
        self.assertIn("is expiring", formatEvent(self.logged[-1]))
        self.assertEqual(
            (self.programs.told("EVENT"), self.programs.told("PROBLEM")), (["failed"], ["again"])
        )
        self.programs.ends()
        self.clock.advance(1e6)
        self.assertEqual(self.programs.running, [])

    def test_expiringIsNoDelivery(self) -> None:
        """
        Who was told that a certificate ends, and failed when it was told of the certificate itself, is still
        told of that, by the next process too.
        """
        both = CertificateHook(("both",), ("issued", "renewed", "expiring"))
        hooks = self.hooks(both)
        self.events.tell(certificate("1"))
        self.programs.ends("ended with status 1, and wrote nothing")
        self.events.tell(expiring("1"))
        self.assertEqual(self.programs.told("EVENT"), ["expiring"])
        self.programs.ends()
        self.assertIn("ended with status 1", hooks.problemOf("auto:a.test") or "")
        self.clock.advance(80)
        self.assertEqual(self.programs.told("EVENT"), ["issued"])
        self.dies()
        self.hooks(both, kept=[certificate("1", kind="renewed")])
        self.assertEqual(self.programs.told("EVENT"), ["issued"])

    def test_renewedBeforeTold(self) -> None:
        """
        Who had no chance to hear of the first one takes its successor for the first.
        """
        self.hooks(CertificateHook(("first",), ("issued",)), CertificateHook(("both",)))
        self.events.tell(certificate("1"))
        self.events.tell(certificate("2", kind="renewed"))
        self.programs.ends()
        self.assertEqual([each[0] for each in self.programs.running], [("both",)])
        self.assertEqual((self.programs.told("EVENT"), self.programs.told("SERIAL")), (["issued"], ["2"]))

    def test_again(self) -> None:
        """
        One that failed is run again, later and later, until it ends well; meanwhile
        the status says so, and each failure is told.
        """
        hooks = self.hooks()
        self.events.tell(certificate("1"))
        self.programs.ends("ended with status 3, and wrote: no disk")
        told = "the hook /bin/deploy ended with status 3, and wrote: no disk"
        self.assertEqual(hooks.problemOf("auto:a.test"), told)
        self.assertIsNone(hooks.problemOf("auto:b.test"))
        self.assertEqual(self.logged[-1]["event"], "hook-failed")
        self.assertNotIn("secret", str(self.logged[-1]))
        self.clock.advance(59)
        self.assertEqual(self.programs.running, [])
        self.clock.advance(20)
        self.programs.ends("was ended after 120 s, and wrote nothing")
        self.clock.advance(590)
        self.assertEqual(self.programs.running, [])
        self.clock.advance(200)
        self.programs.ends()
        self.assertIsNone(hooks.problemOf("auto:a.test"))
        self.clock.advance(1e6)
        self.assertEqual(self.programs.running, [])

    def test_newerThanFailed(self) -> None:
        """
        A newer certificate takes the place of what was to be run again.
        """
        hooks = self.hooks()
        self.events.tell(certificate("1"))
        self.programs.ends("ended with status 1, and wrote nothing")
        self.events.tell(certificate("2", kind="renewed"))
        self.assertIsNone(hooks.problemOf("auto:a.test"))
        self.assertEqual(self.programs.told("SERIAL"), ["2"])
        self.programs.ends()
        self.clock.advance(1e6)
        self.assertEqual(self.programs.running, [])

    def test_newerWhileRunning(self) -> None:
        """
        One that fails while something newer waits for it is told of that instead.
        """
        hooks = self.hooks()
        self.events.tell(certificate("1"))
        self.events.tell(certificate("2", kind="renewed"))
        self.assertEqual(self.programs.told("SERIAL"), ["1"])
        self.programs.ends("ended with status 1, and wrote nothing")
        self.assertIsNone(hooks.problemOf("auto:a.test"))
        self.assertEqual(self.programs.told("SERIAL"), ["2"])

    def test_storm(self) -> None:
        """
        A thousand certificates are four programs at a time, and all of them in the
        end; a thousand failures are few programs, and those that ended well never.
        """
        self.hooks(DEPLOY, CertificateHook(("alert",), ("failed",)))
        for number in range(1000):
            self.events.tell(failure(f"n{number}.test"))
            self.events.tell(certificate("1", f"n{number}.test"))
        most = 0
        while self.programs.running:
            most = max(most, len(self.programs.running))
            self.programs.ends()
        self.assertEqual((most, self.programs.ran), (4, 1004))
        for number in range(1000):
            self.events.tell(failure(f"n{number}.test"))
        while self.programs.running:
            self.programs.ends()
        self.assertLess(self.programs.ran, 1020)

    def test_none(self) -> None:
        """
        Where no process can be had, however many wait, nothing else is disturbed and
        it is tried again.
        """
        self.programs.cannot = ProgramFailed("cannot be run ([Errno 11] no)")
        self.hooks(kept=[certificate(str(number), f"n{number}.test") for number in range(2000)])
        self.assertEqual(self.programs.ran, 2000)
        self.programs.cannot = None
        self.clock.advance(80)
        self.assertEqual(len(self.programs.running), 4)

    def test_defect(self) -> None:
        """
        A defect of ours while running one is logged, and the others are run.
        """
        self.hooks(CertificateHook(("a",)), CertificateHook(("b",)))
        self.events.tell(replace(certificate("1"), expires=float("inf")))
        self.assertEqual(len(self.flushLoggedErrors(OverflowError)), 2)
        self.events.tell(certificate("2"))
        self.assertEqual(len(self.programs.running), 1)

    def test_crash(self) -> None:
        """
        What a process that died had not told, or had not seen the end of, the next one
        tells; what was told is told once.
        """
        self.hooks()
        for name in ("told.test", "running.test"):
            self.events.tell(certificate("1", name))
        self.programs.ends()
        self.dies()
        kept = [certificate("1", f"{name}.test", kind="renewed") for name in ("told", "running", "silent")]
        self.hooks(kept=kept)
        self.assertEqual(self.programs.told("NAMES"), ["running.test", "silent.test"])
        self.assertEqual(self.programs.told("EVENT"), ["issued", "issued"])
        self.programs.ends()
        self.programs.ends()
        self.dies()
        self.hooks(kept=[certificate("2", "told.test", kind="renewed"), *kept[1:]])
        self.assertEqual(self.programs.told("EVENT"), ["renewed"])

    def test_crashAtOnce(self) -> None:
        """
        What was told in the last moment may be told twice.
        """
        self.hooks()
        self.events.tell(certificate("1"))
        self.programs.ends()
        self.dies(after=0.9)
        self.hooks(kept=[certificate("1", kind="renewed")])
        self.assertEqual(self.programs.told("EVENT"), ["issued"])

    def test_newHook(self) -> None:
        """
        A program that is new is told of the certificates that are there, those that
        are not new are not told again, and what is not wanted any more is forgotten.
        """
        self.hooks()
        for name in ("a.test", "b.test"):
            self.events.tell(certificate("1", name))
        self.programs.ends()
        self.programs.ends()
        self.dies()
        kept = [certificate("1", kind="renewed")]
        self.hooks(CertificateHook(("new",)), DEPLOY, DEPLOY, kept=kept)
        self.assertEqual([each[0] for each in self.programs.running], [("new",)])
        self.programs.ends()
        self.assertEqual([each[0] for each in self.programs.running], [DEPLOY.command])
        self.programs.ends()
        self.assertEqual(self.programs.running, [])
        self.clock.advance(1)
        self.assertEqual(list(DirectoryDeliveries(self.directory).load()), ["auto:a.test"])
        self.assertNotIn("deploy", self.directory.read("hooks.json").decode())  # type: ignore[union-attr]

    def test_fullDisk(self) -> None:
        """
        Where it cannot be written what was told, programs are run all the same, and
        the log says what that means.
        """

        class Full:
            read = self.directory.read
            pathOf = self.directory.pathOf

            def write(self, name: str, content: bytes) -> None:
                raise OSError(28, "No space left on device")

        self.hooks(directory=Full())
        self.events.tell(certificate("1"))
        self.programs.ends()
        self.clock.advance(1)
        self.assertIn("hooks-unsaved", [each.get("event") for each in self.logged])
        self.events.tell(certificate("2", kind="renewed"))
        self.assertEqual(self.programs.told("SERIAL"), ["2"])

    def test_stop(self) -> None:
        """
        At the end those that run are told to end, and killed when they do not; nothing
        more is run, and the next process tells what was cut short.
        """
        hooks = self.hooks(CertificateHook(("a",)), CertificateHook(("b",)))
        self.events.tell(certificate("1"))
        stopping = hooks.stop()
        self.assertEqual(self.programs.signals, [signal.SIGTERM])
        self.events.tell(certificate("1", "b.test"))
        self.clock.advance(2)
        self.assertEqual(self.programs.signals, [signal.SIGTERM, signal.SIGKILL])
        self.assertNoResult(stopping)
        self.programs.ends("ended by SIGKILL, and wrote nothing")
        self.successResultOf(stopping)
        self.assertEqual(self.programs.running, [])
        self.assertIn("cut short", self.logged[-1]["then"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.dies()
        self.hooks(CertificateHook(("a",)), CertificateHook(("b",)), kept=[certificate("1", kind="renewed")])
        self.assertEqual([each[0] for each in self.programs.running], [("a",)])

    def test_stopInTime(self) -> None:
        """
        One that ends well when it is told to end counts; with none that runs there is
        nothing to wait for, and nothing to be run again stays behind.
        """
        hooks = self.hooks()
        self.events.tell(certificate("1"))
        stopping = hooks.stop()
        self.programs.ends()
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.dies()
        hooks = self.hooks(kept=[certificate("1", kind="renewed")])
        self.assertEqual(self.programs.running, [])
        self.events.tell(certificate("2", kind="renewed"))
        self.programs.ends("ended with status 1, and wrote nothing")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.successResultOf(hooks.stop())
        self.assertEqual((self.programs.signals, self.clock.getDelayedCalls()), ([], []))
