"""
Tests for L{smartproxy_tw.programs.running}.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.internet.error import ProcessDone
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.programs.running import ProgramFailed, Programs

from .processes import noneLeft
from .spawning import Spawning

reactor: Any = _reactor


def isAlive(pid: int) -> bool:
    """
    Whether a process runs; one that is dead and not yet collected does not.
    """
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


class ProcessTests(TestCase):
    """
    A shell stands for any program.
    """

    timeout = 300

    def setUp(self) -> None:
        self.addCleanup(lambda: Deferred.fromCoroutine(noneLeft()))
        self.programs = Programs(reactor)
        self.file = Path(self.mktemp()).absolute()

    def run_(self, script: str, *arguments: str, timeout: float = 10.0, sent: bytes = b"") -> Deferred[bytes]:
        """
        Run a script.
        """
        environment = {"PATH": os.environ["PATH"], "FILE": str(self.file)}
        return self.programs.run(("sh", "-c", script, "sh", *arguments), environment, timeout, sent)

    async def pids(self, count: int) -> list[int]:
        """
        The numbers that a script wrote.
        """
        while not self.file.exists() or len(found := self.file.read_text().split()) < count:
            await deferLater(reactor, 0.01)
        return [int(each) for each in found]

    async def gone(self, pid: int) -> None:
        """
        Wait for the end of somebody else's child.
        """
        while isAlive(pid):
            await deferLater(reactor, 0.01)

    @inlineCallbacks
    def test_given(self) -> Any:
        """
        It gets its arguments as they are, its environment, its standard input, the
        root directory, and none of the signals ignored that Python ignores; what it wrote
        is handed back.
        """
        script = 'cat; echo " $1 $(pwd) $FILE"; grep SigIgn /proc/self/status'
        said = yield self.run_(script, "$HOME; *", sent=b"<sent>")
        first, second = said.decode().splitlines()
        self.assertEqual(first, f"<sent> $HOME; * / {self.file}")
        ignored = int(second.split()[1], 16)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            self.assertFalse(ignored & 1 << (number - 1))

    @inlineCallbacks
    def test_unread(self) -> Any:
        """
        One that does not read its standard input ends all the same.
        """
        yield self.run_("exit 0", sent=b"x" * 200_000)

    @inlineCallbacks
    def test_failed(self) -> Any:
        """
        The end of what it wrote is told with how it ended.
        """
        for script, told in (
            ("echo one >&2; exit 3", "ended with status 3, and wrote: one"),
            ("kill -9 $$", "ended by SIGKILL, and wrote nothing"),
            ("kill -40 $$", "ended by signal 40, and wrote nothing"),
        ):
            why = yield self.assertFailure(self.run_(script), ProgramFailed)
            self.assertEqual(str(why), told)

    @inlineCallbacks
    def test_impossible(self) -> Any:
        """
        What cannot be run is told like any failure.
        """
        self.file.write_text("")
        for command, told in (
            ("/nowhere/program", "wrote: /nowhere/program cannot be run (No such file or directory)"),
            (str(self.file), "cannot be run (Permission denied)"),
            ("a\0b", "embedded null byte"),
        ):
            running = self.programs.run((command,), {}, 10.0)
            why = yield self.assertFailure(running, ProgramFailed)
            self.assertIn(told, str(why))

    @inlineCallbacks
    def test_children(self) -> Any:
        """
        When its time is over all that it has started goes with it.
        """
        # A busy machine may need longer to come to the first word.
        for seconds in (0.4, 4.0, 40.0):
            running = self.run_('sleep 60 & echo $! $$ >"$FILE"; wait', timeout=seconds)
            why = yield self.assertFailure(running, ProgramFailed)
            self.assertEqual(str(why), f"was ended after {seconds:g} s, and wrote nothing")
            if self.file.exists() and self.file.read_text():
                break
        pids = yield Deferred.fromCoroutine(self.pids(2))
        for pid in pids:
            yield Deferred.fromCoroutine(self.gone(pid))

    @inlineCallbacks
    def test_cancelled(self) -> Any:
        """
        Nor does it outlive whoever waits for it, however soon.
        """
        running = self.run_('sleep 60 & echo $! $$ >"$FILE"; wait')
        pids = yield Deferred.fromCoroutine(self.pids(2))
        running.cancel()
        yield self.assertFailure(running, CancelledError)
        for pid in pids:
            yield Deferred.fromCoroutine(self.gone(pid))
        self.file.unlink()
        running = self.run_('echo $$ >"$FILE"; sleep 60')
        running.cancel()
        yield self.assertFailure(running, CancelledError)
        yield deferLater(reactor, 0.1)
        self.assertFalse(self.file.exists())

    @inlineCallbacks
    def test_leftBehind(self) -> Any:
        """
        It has ended with its own process: a daemon that it started, and that keeps our
        pipes, is neither waited for nor killed.
        """
        began = time.monotonic()
        said = yield self.run_('sleep 60 & echo $! >"$FILE"; echo done')
        self.assertEqual(said, b"done\n")
        self.assertLess(time.monotonic() - began, 10)
        (pid,) = yield Deferred.fromCoroutine(self.pids(1))
        self.assertTrue(isAlive(pid))
        os.kill(pid, signal.SIGKILL)

    @inlineCallbacks
    def test_signal(self) -> Any:
        """
        All that run can be told to end, and may do so in their own way.
        """
        script = 'trap "exit 7" TERM; echo $$ >>"$FILE"; while :; do sleep 0.05; done'
        running = [self.run_(script), self.run_(script)]
        yield Deferred.fromCoroutine(self.pids(2))
        self.programs.signal(signal.SIGTERM)
        for each in running:
            why = yield self.assertFailure(each, ProgramFailed)
            self.assertIn("ended with status 7", str(why))
        self.programs.signal(signal.SIGTERM)


class OrderTests(SynchronousTestCase):
    """
    In which order things happen that a real process leaves to chance.
    """

    def setUp(self) -> None:
        self.reactor = Spawning()
        self.clock: Clock = self.reactor
        self.programs = Programs(self.reactor)

    def test_noProcess(self) -> None:
        """
        Where there can be no more processes, that is told.
        """
        self.reactor.refusal = BlockingIOError(11, "Resource temporarily unavailable")
        why = self.failureResultOf(self.programs.run(("a",), {}, 1.0), ProgramFailed)
        self.assertIn("cannot be run ([Errno 11]", str(why.value))

    def test_lateOutput(self) -> None:
        """
        Output that comes after the exit counts, as long as it comes at once; the time
        that was allowed has no part in that.
        """
        running = self.programs.run(("a",), {}, 10.0)
        (process,) = self.reactor.started
        process.processExited(Failure(ProcessDone(0)))
        process.childDataReceived(1, b"late")
        self.assertNoResult(running)
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(running), b"late")
        self.assertEqual(self.reactor.closed, 1)
        process.processEnded(Failure(ProcessDone(0)))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_allClosed(self) -> None:
        """
        With all pipes closed nothing more is waited for.
        """
        running = self.programs.run(("a",), {}, 10.0)
        (process,) = self.reactor.started
        process.processExited(Failure(ProcessDone(0)))
        process.processEnded(Failure(ProcessDone(0)))
        self.assertEqual(self.successResultOf(running), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_numberOfAnother(self) -> None:
        """
        Once it has exited its number is nobody's to kill.
        """
        self.patch(os, "kill", self.fail)
        self.patch(os, "killpg", self.fail)
        running = self.programs.run(("a",), {}, 10.0)
        (process,) = self.reactor.started
        process.processExited(Failure(ProcessDone(0)))
        self.programs.signal(signal.SIGKILL)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.clock.advance(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobodyElse(self) -> None:
        """
        What no child can be is never sent anything: no process yet, all of them, init.
        """
        self.patch(os, "kill", self.fail)
        self.patch(os, "killpg", self.fail)
        for pid in (None, -1, 0, 1):
            self.reactor.pid = pid
            running = self.programs.run(("a",), {}, 10.0)
            self.programs.signal(signal.SIGTERM)
            running.cancel()
            self.failureResultOf(running, CancelledError)
