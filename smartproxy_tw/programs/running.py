"""
Runs a program: never by a shell, in a session of its own, told what to do by its
environment and its standard input, for a bounded time.

It has ended when its own process has: whoever it leaves behind may live on, and is
not waited for, also where it keeps our pipes open.  A program whose time is over, or
that nobody waits for any more, is killed along with all that it has started.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

__all__ = ["ProgramFailed", "Programs"]

#: The end of what one wrote is told, of this many bytes.
_TOLD = 500

#: Seconds that output which is on its way has after the end of the process.
_LINGER = 0.2

#: Becomes the program.  The parent cannot do this: by the time that it learns of
#: the process, that may be running the program already.  Python ignores two signals,
#: which a program would inherit.
_LEAD = """
import os, signal, sys
os.setsid()
for each in signal.SIGPIPE, signal.SIGXFSZ:
    signal.signal(each, signal.SIG_DFL)
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as why:
    os.write(2, os.fsencode(f"{sys.argv[1]} cannot be run ({why.strerror})"))
    os._exit(126 if isinstance(why, PermissionError) else 127)
"""


class ProgramFailed(Exception):
    """
    A program did not do its work.  The text is the end of a sentence that begins
    with the program, without a full stop, fit for a log line.
    """


class _Running(ProcessProtocol):
    """
    One that runs.
    """

    def __init__(self, clock: Any, sent: bytes) -> None:
        self._clock = clock
        self._sent = sent
        self._hasExited = False
        self._why: Any = None
        self._lingering: IDelayedCall | None = None
        self.said = b""
        self.ended: Deferred[None] = Deferred(lambda _: self.signal(signal.SIGKILL))

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(self._sent)
        transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.said = (self.said + data)[-_TOLD:]

    def processExited(self, reason: Failure) -> None:
        # From now on its number may be somebody else's.
        self._hasExited = True
        self._why = reason.value
        self._lingering = self._clock.callLater(_LINGER, self._end)

    def processEnded(self, reason: Failure) -> None:
        if self._lingering is not None and self._lingering.active():
            self._lingering.cancel()
            self._end()

    def signal(self, number: int) -> None:
        if self._hasExited:
            return
        transport: Any = self.transport
        pid = transport.pid
        # Never to everybody (-1, 0), nor to init: none of these is a child of ours.
        if not isinstance(pid, int) or pid <= 1:
            return
        try:
            # Not its own session yet: it has not started anybody either.
            leads = os.getpgid(pid) == pid
            (os.killpg if leads else os.kill)(pid, number)
        except ProcessLookupError:
            return

    @property
    def status(self) -> int:
        """
        As a shell has it, negative for a signal.
        """
        found: int = -self._why.signal if self._why.exitCode is None else self._why.exitCode
        return found

    def _end(self) -> None:
        transport: Any = self.transport
        # Whoever it has started may keep these open.
        transport.loseConnection()
        if not self.ended.called:
            self.ended.callback(None)


class Programs:
    """
    Runs them, any number at a time.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: Runs processes and tells the time.
        """
        self._reactor = reactor
        self._running: set[_Running] = set()

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], timeout: float, sent: bytes = b""
    ) -> Deferred[bytes]:
        """
        Run one, in the directory C{/}.

        @param command: The program, by absolute path or found by the PATH of the
            environment, and its arguments.
        @param environment: All of it.
        @param timeout: In seconds.
        @param sent: Its standard input.
        @return: Fires with the end of what it wrote when it has ended well.  Fails
            with L{ProgramFailed} when it has not, cannot be run, or did not end in
            time.  Cancelling it kills the program.
        """
        return Deferred.fromCoroutine(self._run(command, environment, timeout, sent))

    def signal(self, number: int) -> None:
        """
        Send a signal to all that run now, and to those that they have started.
        """
        for each in tuple(self._running):
            each.signal(number)

    async def _run(
        self, command: Sequence[str], environment: Mapping[str, str], timeout: float, sent: bytes
    ) -> bytes:
        running = _Running(self._reactor, sent)
        led = [sys.executable, "-I", "-S", "-c", _LEAD, *command]
        try:
            self._reactor.spawnProcess(running, led[0], led, env=dict(environment), path="/")
        except (OSError, ValueError) as why:
            raise ProgramFailed(f"cannot be run ({why})") from why
        self._running.add(running)
        running.ended.addBoth(partial(self._forget, running))
        try:
            await running.ended.addTimeout(timeout, self._reactor)
        except TimeoutError as why:
            raise ProgramFailed(f"was ended after {timeout:g} s{_told(running.said)}") from why
        if running.status != 0:
            raise ProgramFailed(f"ended {_how(running.status)}{_told(running.said)}")
        return running.said

    def _forget(self, running: _Running, result: Any) -> Any:
        self._running.discard(running)
        return result


def _how(status: int) -> str:
    if status > 0:
        return f"with status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"


def _told(said: bytes) -> str:
    """
    What it wrote, fit for a log line.
    """
    text = " ".join(said.decode("utf-8", "replace").split())
    return f", and wrote: {text if text.isprintable() else ascii(text)}" if text else ", and wrote nothing"
