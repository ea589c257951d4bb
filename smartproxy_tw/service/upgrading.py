"""
Has another process take the place of this one, begun as this one was, with what is
installed now: the same sockets, so that nobody is refused, and the same lock, so that
never two of them order certificates and never none may.

Until the next process serves on every port this one can go on as before, and does if
anything is wrong: the log says why, and the next process is ended.  See
L{smartproxy_tw.service.handover} for what they say to one another.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ProcessExitedAlready, ReactorNotRunning
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..values import dataclass
from .errors import StartError, StoppedError, UpgradeRefused
from .handover import VARIABLE, Estate, Line, drained, pair
from .readiness import Readiness

__all__ = ["Program", "Subject", "Successor", "Upgrading"]

#: So long the next process has for each of its steps, in seconds: ten thousand
#: certificates are read in one of them.
PATIENCE = 120.0
# Who has asked for it is answered before the end begins, and how the process ended is
# known so soon after its line.
_ANSWERED, _KNOWN = 0.1, 0.5


class Subject(Protocol):
    """
    What is to be handed over.
    """

    @property
    def diverted(self) -> Mapping[str, float]:
        """
        Since when which targets are drained, POSIX seconds by name; it does not change
        after L{rest}.
        """

    def whenReady(self) -> Deferred[None]:
        """
        Wait for the end of the start.
        """

    def estate(self) -> Estate:
        """
        What there is.

        @raise UpgradeRefused: It cannot be handed over.
        """

    def rest(self) -> Deferred[None]:
        """
        Order nothing any more, and change nothing.
        """

    def resume(self) -> Deferred[None]:
        """
        Go on after L{rest}.
        """

    def giveWay(self, process: int) -> None:
        """
        Another process serves as well: say that this one is not ready, until L{resume}.
        """

    def depart(self) -> Deferred[None]:
        """
        Close doors and ports, but not for others.
        """


@dataclass(frozen=True, slots=True)
class Program:
    """
    How a process was begun.

    @ivar executable: The interpreter.
    @ivar words: The command line, with the name of the program.
    @ivar directory: Where it was.
    @ivar environ: What it was told.
    """

    executable: str
    words: Sequence[str]
    directory: str
    environ: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Successor:
    """
    The process that serves from now on.

    @ivar process: Its number.
    @ivar admin: The path of the socket by which it is going to be spoken to, when this one is out
        of its way; empty: there is none.  L{None}: it has not said, being of another version.
    """

    process: int
    admin: str | None = None


class _Next(ProcessProtocol):
    """
    The next process, seen from this one.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._word: Deferred[str] | None = None
        self._wanted = ""
        self._told: dict[str, str] = {}
        self._trouble: Exception | None = None
        self._how = "it has let go of its line to this one"
        self._begun: int | None = None
        self._isLost = False
        self.ended = Readiness()
        self.pid: int | None = None

    async def says(self, word: str, seconds: float) -> str:
        """
        Wait for a word.

        @return: What comes with it.
        @raise UpgradeRefused: It does not come.
        """
        if word in self._told:
            return self._told[word]
        if self._trouble is not None:
            raise self._trouble
        self._wanted, self._word = word, Deferred()
        late = self._clock.callLater(seconds, self.fails, f"it was not ready after {seconds:g} s")
        try:
            return await self._word
        finally:
            if late.active():
                late.cancel()

    def heard(self, word: str, text: str) -> None:
        if word == "begun" and text.isdecimal():
            self.pid = int(text)
        if word == "failed":
            self.fails(text)
            return
        self._told[word] = text
        if word == self._wanted and self._word is not None:
            waiting, self._word = self._word, None
            waiting.callback(text)

    def connectionMade(self) -> None:
        transport: Any = self.transport
        self._begun = transport.pid

    def lost(self) -> None:
        self._isLost = True
        self._clock.callLater(_KNOWN, lambda: self.fails(self._how))

    def fails(self, why: str | Exception) -> None:
        if self._trouble is None:
            self._trouble = UpgradeRefused(why) if isinstance(why, str) else why
        waiting, self._word = self._word, None
        if waiting is not None:
            waiting.errback(self._trouble)

    @property
    def spoken(self) -> str | None:
        """
        See L{Successor.admin}.
        """
        return self._told.get("spoken")

    @property
    def trouble(self) -> Exception | None:
        return self._trouble

    def processEnded(self, reason: Failure) -> None:
        value: Any = reason.value
        how = f"signal {value.signal}" if value.signal else f"status {value.exitCode}"
        self._how = f"it has ended with {how}; the log, or the terminal, has more"
        self.ended.happen()

    def end(self) -> None:
        """
        At once.
        """
        transport: Any = self.transport
        with suppress(ProcessExitedAlready):
            transport.signalProcess("KILL")
        # A daemon is not the process that was begun; and who has let go of the line has ended, so that its
        # number may be another's.
        if self.pid is not None and self.pid != self._begun and not self._isLost:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)


class Upgrading:
    """
    Of one process.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        subject: Subject,
        program: Program,
        leave: Callable[[], object],
        *,
        forget: Callable[[], object] = lambda: None,
        announce: Callable[[int], object] = lambda _: None,
    ) -> None:
        """
        @param reactor: Begins processes.
        @param subject: What is to be handed over.
        @param program: How this process was begun.
        @param leave: Ends this process, in order.
        @param forget: Has the runner leave its pidfile alone at its end.
        @param announce: Is told which process is the main one from now on.
        """
        self._reactor = reactor
        self._subject = subject
        self._program = program
        self._leave = leave
        self._forget = forget
        self._announce = announce
        self._isRunning = False
        self._next: _Next | None = None
        self._departure: Any = None

    def upgrade(self, asker: str) -> Deferred[Successor]:
        """
        Do it.

        @param asker: Who wants it, for the log.
        @return: Fires with the process that serves from now on; this one ends then.
            Fails with L{UpgradeRefused}, and everything is as before.  Either is in
            the log.
        """
        why = ""
        if self._isRunning:
            why = "One is under way already"
        elif os.getpid() == 1:
            why = "This is process 1 of a container, which ends with it: replace the container"
        if why:
            self._log.error("No upgrade ({asker}): {why}", event="upgrade-refused", asker=asker, why=why)
            return fail(UpgradeRefused(f"{why}."))
        self._isRunning = True
        return Deferred.fromCoroutine(self._run(asker))

    def stop(self) -> Deferred[None]:
        """
        This process ends: the next one does too, unless it serves already.

        @return: Fires when it has.
        """
        found = self._next
        if found is not None:
            found.fails(StoppedError("The proxy is stopped"))
            # Not only when its turn has come: this process may be gone by then, and it would go on alone.
            found.end()
            return found.ended.when()
        if self._departure is not None and self._departure.active():
            # At once, since the next one waits for that.
            depart = self._departure.func
            self._departure.cancel()
            departed: Deferred[None] = depart()
            return departed
        return succeed(None)

    async def _run(self, asker: str) -> Successor:
        try:
            successor = await self._upgrade(asker)
        except (UpgradeRefused, StoppedError, StartError, OSError) as why:
            self._isRunning = False
            self._log.error(
                "No upgrade ({asker}), this process goes on as before: {why}",
                event="upgrade-refused",
                asker=asker,
                why=str(why),
            )
            raise UpgradeRefused(str(why)) from why
        except BaseException:
            self._isRunning = False
            self._log.failure("A defect while upgrading", event="upgrade-defect")
            raise
        return successor

    async def _upgrade(self, asker: str) -> Successor:
        await self._subject.whenReady()
        estate = self._subject.estate()
        self._log.info("The next process is begun ({asker})", event="upgrade", asker=asker)
        found = self._next = _Next(self._reactor)
        line = self._begin(found, estate)
        isResting = False
        try:
            await found.says("bound", PATIENCE)
            isResting = True
            await self._subject.rest()
            for targets in drained(self._subject.diverted):
                line.tell("drained", targets)
            line.tell("yours")
            pid = int(await found.says("serving", PATIENCE))
        except BaseException:
            self._next = None
            await self._back(found, line, isResting=isResting)
            raise
        self._next = None
        # Who distributes connections is to look elsewhere before nobody is accepted here.
        self._subject.giveWay(pid)
        self._departure = self._reactor.callLater(_ANSWERED, partial(self._depart, found, line, pid))
        return Successor(pid, found.spoken)

    def _begin(self, found: _Next, estate: Estate) -> Line:
        ours, theirs = pair()
        line = Line(ours, found.heard, found.lost)
        line.begin(self._reactor)
        program = self._program
        try:
            self._reactor.spawnProcess(
                found,
                program.executable,
                list(program.words),
                {**program.environ, VARIABLE: estate.text},
                program.directory,
                childFDs={0: 0, 1: 1, 2: 2, **estate.descriptors(theirs.fileno())},
            )
        except BaseException:
            line.close()
            raise
        finally:
            theirs.close()
        return line

    async def _back(self, found: _Next, line: Line, *, isResting: bool) -> None:
        line.tell("stop")
        found.end()
        line.close()
        await found.ended.when()
        if isResting:
            await self._subject.resume()

    def _depart(self, found: _Next, line: Line, pid: int) -> Deferred[None]:
        return Deferred.fromCoroutine(self._leaveTo(found, line, pid)).addErrback(
            lambda failure: self._log.failure("A defect while upgrading", failure=failure)
        )

    async def _leaveTo(self, found: _Next, line: Line, pid: int) -> None:
        if found.trouble is not None or not line.isOpen:
            await deferLater(self._reactor, _KNOWN, lambda: None)
            await self._back(found, line, isResting=True)
            self._isRunning = False
            self._log.error(
                "The next process was lost at the last moment, and this one goes on: {why}",
                event="upgrade-refused",
                why=str(found.trouble),
            )
            return
        self._announce(pid)
        self._forget()
        await self._subject.depart()
        self._log.info(
            "Process {pid} has taken over; what is under way here comes to its end",
            event="upgraded",
            pid=pid,
        )
        line.tell("alone")
        line.close()
        with suppress(ReactorNotRunning):
            self._leave()
