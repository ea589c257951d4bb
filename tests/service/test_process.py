"""
Tests for L{smartproxy_tw.service.process}; how whole processes end is told by
L{tests.live.test_process}.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import Any

from twisted.application.service import Application, MultiService
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ReactorNotRunning
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from smartproxy_tw.service.errors import StartError, StoppedError
from smartproxy_tw.service.process import ExitStatus, NotStarted, Process, Terminal
from smartproxy_tw.service.readiness import Readiness


class FakeSubject(MultiService):
    """
    Something that starts as it is told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.error: BaseException | None = None
        self.refusal: StartError | None = None
        self.readiness = Readiness()
        self.reloads: list[str] = []

    def whenReady(self) -> Deferred[None]:
        return self.readiness.when()

    def reload(self, asker: str) -> Deferred[Any]:
        self.reloads.append(asker)
        return fail(StoppedError("no"))

    def startService(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        super().startService()


class FakeStatus(ExitStatus):
    """
    Ends no process.
    """

    def __init__(self) -> None:
        self.failed = False

    def fail(self) -> None:
        self.failed = True


class Told:
    """
    A service manager's ear.
    """

    def __init__(self) -> None:
        self.words: list[str] = []

    def failed(self, why: str) -> None:
        self.words.append(f"failed: {why}")

    def __getattr__(self, name: str) -> Any:
        return lambda: self.words.append(name)


class ProcessTests(SynchronousTestCase):
    """
    A subject and the process around it.
    """

    def setUp(self) -> None:
        self.addCleanup(gc.enable)
        self.addCleanup(gc.unfreeze)
        self.read, out = os.pipe()
        self.addCleanup(os.close, self.read)
        self.terminal = Terminal(out, out)
        os.close(out)
        self.subject = FakeSubject()
        self.status = FakeStatus()
        self.stops = 0
        self.process = self.make()
        self.patch(sys, "excepthook", self.hook)
        self.hooked: list[BaseException] = []
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def hook(self, kind: Any, why: BaseException, traceback: Any) -> None:
        """
        What would print a traceback.
        """
        self.hooked.append(why)

    def observe(self, event: dict[str, Any]) -> None:
        """
        The log.
        """
        if event.get("event") == "not-started":
            self.logged.append(event["why"])

    def make(self, **parts: Any) -> Process:
        """
        A process around the subject.
        """
        return Process(self.subject, self.stop, self.terminal, self.status, **parts)

    def stop(self) -> None:
        """
        The reactor's.
        """
        self.stops += 1

    def complaints(self) -> str:
        """
        All that was written; there is an end of it only when the terminal was
        let go.
        """
        text = b""
        while part := os.read(self.read, 65536):
            text += part
        return text.decode()

    def test_ready(self) -> None:
        """
        When it is ready, the terminal is let go and nothing was said.
        """
        self.process.startService()
        self.subject.readiness.happen()
        self.assertEqual(self.complaints(), "")
        self.successResultOf(self.process.stopService())
        self.assertFalse(self.subject.running)

    def hearing(self, *hasTerminal: bool) -> Any:
        """
        A process that hears of hangups: what calls it.

        @param hasTerminal: What is found whenever somebody looks.
        """
        acts: list[Any] = []
        looks = iter(hasTerminal)
        process = self.make(onHangup=acts.append, hasTerminal=lambda: next(looks))
        process.privilegedStartService()
        process.startService()
        (act,) = acts
        return act

    def test_upgrade(self) -> None:
        """
        A process that hears of it has another one take its place; what comes of that is
        told elsewhere.
        """
        acts: list[Any] = []
        askers: list[str] = []

        def upgrade(asker: str) -> Deferred[Any]:
            askers.append(asker)
            return fail(StoppedError("no"))

        process = self.make(onUpgrade=acts.append, upgrade=upgrade)
        process.privilegedStartService()
        process.startService()
        (act,) = acts
        act()
        self.assertEqual(askers, ["SIGUSR2"])

    def test_refusalIsTold(self) -> None:
        """
        Whoever is to be replaced is told why that cannot be.
        """
        told: list[str] = []
        process = self.make(onRefusal=told.append)
        process.startService()
        self.subject.readiness.fail(StartError("The port is taken."))
        self.assertEqual(told, ["The port is taken."])

    def test_hangup(self) -> None:
        """
        A SIGHUP has the subject reload, also before it is ready; that it may be refused
        is no affair of the process.
        """
        act = self.hearing(False)
        act()
        self.subject.readiness.happen()
        act()
        self.assertEqual((self.subject.reloads, self.stops), (["SIGHUP"] * 2, 0))

    def test_hangupOnATerminal(self) -> None:
        """
        On a terminal too, as long as that is there; with its end the process ends.
        """
        act = self.hearing(True, True, False)
        act()
        self.assertEqual((self.subject.reloads, self.stops), (["SIGHUP"], 0))
        act()
        self.assertEqual((self.subject.reloads, self.stops), (["SIGHUP"], 1))

    def test_garbage(self) -> None:
        """
        Garbage is not collected during the start; after it, but for what was
        there by then.
        """
        before = gc.get_freeze_count()
        self.process.startService()
        self.assertFalse(gc.isenabled())
        self.subject.readiness.happen()
        self.assertTrue(gc.isenabled())
        self.assertGreater(gc.get_freeze_count(), before)

    def test_refusedAtOnce(self) -> None:
        """
        A refusal is told, logged, and raised as something that prints no
        traceback; other exceptions still do.
        """
        self.subject.refusal = StartError("no port")
        raised = self.assertRaises(NotStarted, self.process.startService)
        self.assertEqual(self.complaints(), "smartproxy: no port\n")
        self.assertEqual(self.logged, ["no port"])
        sys.excepthook(NotStarted, raised, None)
        self.assertEqual(self.hooked, [])
        other = ValueError()
        sys.excepthook(ValueError, other, None)
        self.assertEqual(self.hooked, [other])
        self.assertEqual(self.stops, 0)
        self.assertTrue(gc.isenabled())

    def test_interrupted(self) -> None:
        """
        An interrupt during either phase ends the process, however deep inside
        of Deferreds it came; and interrupts work as before afterwards.
        """
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        signal.signal(signal.SIGINT, signal.default_int_handler)

        async def deep() -> None:
            os.kill(os.getpid(), signal.SIGINT)

        for phase in ("privilegedStartService", "startService"):
            self.patch(self.subject, phase, lambda: Deferred.fromCoroutine(deep()))
            self.assertRaises(NotStarted, getattr(self.process, phase))
            self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)
            self.process = self.make()
        self.assertEqual(self.complaints(), "smartproxy: Interrupted before it had started.\n")

    def test_failedAtOnce(self) -> None:
        """
        A start that has failed when it returns is refused likewise.
        """
        self.subject.error = StartError("locked")
        self.assertRaises(NotStarted, self.process.startService)
        self.assertEqual(self.complaints(), "smartproxy: locked\n")

    def test_failedLater(self) -> None:
        """
        A failure later is told, sets the status, and stops the process in good
        order.
        """
        self.process.startService()
        self.subject.readiness.fail(StartError("late"))
        self.assertEqual(self.complaints(), "smartproxy: late\n")
        self.assertTrue(self.status.failed)
        self.assertEqual(self.stops, 1)

    def test_failedWhileEnding(self) -> None:
        """
        Also when the process is ending already.
        """

        def stop() -> None:
            raise ReactorNotRunning

        process = Process(self.subject, stop, self.terminal, self.status)
        process.startService()
        self.subject.readiness.fail(StartError("late"))
        self.assertTrue(self.status.failed)

    def test_stoppedBefore(self) -> None:
        """
        Who stops it before it was ready gets no complaint and no failure.
        """
        self.process.startService()
        self.subject.readiness.fail(StoppedError())
        self.assertEqual(self.complaints(), "")
        self.assertFalse(self.status.failed)
        self.assertEqual(self.stops, 0)

    def test_defect(self) -> None:
        """
        A defect is called one, and points to the log.
        """
        self.process.startService()
        self.subject.readiness.fail(ZeroDivisionError("oops"))
        self.assertEqual(
            self.complaints(), "smartproxy: A defect: ZeroDivisionError: oops. The log has its traceback.\n"
        )
        self.assertTrue(self.status.failed)

    def test_logOnTheTerminal(self) -> None:
        """
        Where the log is on the terminal, a complaint is not told twice.
        """
        process = self.make(isLogApart=False)
        process.startService()
        self.subject.readiness.fail(StartError("late"))
        self.assertEqual(self.logged, [])
        self.assertEqual(self.complaints(), "smartproxy: late\n")

    def test_announced(self) -> None:
        """
        A service manager hears of the start, of everything being served and not
        before, and of the stop before it begins.
        """
        told = Told()
        process = self.make(announcer=told)
        process.startService()
        self.assertEqual(told.words, ["begin"])
        self.subject.readiness.happen()
        self.assertEqual(told.words, ["begin", "ready"])
        waiting: Deferred[None] = Deferred()
        self.patch(self.subject, "stopService", lambda: waiting)
        stopped = process.stopService()
        self.assertEqual(told.words[2:], ["stopping"])
        waiting.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(told.words[2:], ["stopping", "end"])

    def test_announcedRefusal(self) -> None:
        """
        It hears why there was no start, now or later.
        """
        told = Told()
        process = self.make(announcer=told)
        self.subject.refusal = StartError("no port")
        self.assertRaises(NotStarted, process.startService)
        self.assertEqual(told.words, ["begin", "failed: no port"])
        self.subject.refusal = None
        process.startService()
        self.subject.readiness.fail(StartError("late"))
        self.assertEqual(told.words[2:], ["begin", "failed: late"])

    def test_observer(self) -> None:
        """
        The log that was asked for is the application's.
        """

        def observer(event: Any) -> None:
            pass

        directlyProvides(observer, ILogObserver)
        application: Any = Application("x")
        self.make(observer=observer).setServiceParent(application)
        self.assertIs(application.getComponent(ILogObserver), observer)
        application = Application("y")
        self.make().setServiceParent(application)
        self.assertIsNone(application.getComponent(ILogObserver, None))
        self.make(observer=observer).setServiceParent(MultiService())


class TerminalTests(SynchronousTestCase):
    """
    Where the process was started from.
    """

    def test_gone(self) -> None:
        """
        A terminal that is gone, or never was, stops nothing.
        """
        read, write = os.pipe()
        terminal = Terminal(write, write)
        os.close(read)
        os.close(write)
        terminal.say("to nobody")
        terminal.close()
        terminal.close()
        terminal.complain("to nobody")
        none = Terminal(write, write)
        none.say("to nobody")
        none.close()
