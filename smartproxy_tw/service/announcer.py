"""
Tells the service manager that began this process how it stands: systemd, by
C{sd_notify(3)}, or whatever else sets C{NOTIFY_SOCKET}.

Only for a process that is the proxy's own, see L{smartproxy_tw.service.process}.
Nothing here can disturb it: nobody is waited for, and what cannot be told is not
worth a word.
"""

from __future__ import annotations

import os
import re
import socket
import time
from array import array
from collections import deque
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..control.slices import inSlices
from ..values import dataclass
from . import notices

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from ..routing.steps import Steps

__all__ = ["Announcer", "Notifier", "Wish", "wishIn"]

#: How soon after a change the status is told anew, in seconds: a thousand
#: certificates that come in a minute are not a thousand messages.
PAUSE = 2.0
#: How often it is told without one, in seconds: certificates end by themselves.
EVERY = 60.0
# How soon a message is sent again that the manager has no room for, and how many wait.
_AGAIN = 0.5
_WAITING = 16
_NUMBER = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What the service manager wants to be told.

    @ivar path: Where; one that begins with C{@} is in the abstract namespace.
    @ivar pid: The process that it has begun.
    @ivar watchdog: Seconds without a sign of life after which it ends the process;
        L{None}: it does not.
    @ivar room: How many descriptors it keeps from one process to the next.
    """

    path: str
    pid: int
    watchdog: float | None = None
    room: int = 0


def wishIn(environ: MutableMapping[str, str], pid: int) -> Wish | None:
    """
    Look for a service manager.

    @param environ: Of the process.  What it says about that is taken out, so that no
        other program speaks for this one.
    @param pid: Of the process.
    @return: L{None}: none wants to be told.
    """
    names = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "FDSTORE")
    path, microseconds, watched, room = [environ.pop(name, "") for name in names]
    if not path.startswith(("/", "@")) or len(path) < 2:
        return None
    isForUs = watched in ("", str(pid)) and _NUMBER.fullmatch(microseconds)
    interval = int(microseconds) / 1_000_000 if isForUs else 0.0
    return Wish(path, pid, interval or None, int(room) if _NUMBER.fullmatch(room) else 0)


class Notifier:
    """
    Sends messages to the socket of a service manager.
    """

    _log = Logger()

    def __init__(self, path: str) -> None:
        """
        @param path: As in L{Wish}.
        """
        name = os.fsencode(path)
        self._address = b"\0" + name[1:] if name.startswith(b"@") else name
        self._socket: socket.socket | None = None
        with suppress(OSError):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def send(self, message: bytes, descriptors: Sequence[int] = ()) -> bool:
        """
        Send one.

        @param descriptors: What comes along; duplicates of them do.
        @return: Whether it makes no sense to send it again later.
        """
        if self._socket is None:
            return True
        try:
            along = array("i", descriptors)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, along)] if along else []
            self._socket.sendmsg([message], rights, 0, self._address)
        except BlockingIOError:
            return False
        except (OSError, ValueError) as why:
            self._log.debug("The service manager cannot be told: {why}", why=why)
        return True

    def close(self) -> None:
        """
        Send no more.
        """
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Announcer:
    """
    Speaks for one process, from its start to its end.
    """

    _log = Logger()

    def __init__(
        self,
        wish: Wish,
        send: Callable[[bytes], bool],
        clock: IReactorTime,
        describe: Callable[[], Steps[str]],
        *,
        patience: float = 0.0,
        pid: Callable[[], int] = os.getpid,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """
        @param wish: What is wanted.
        @param send: As L{Notifier.send}.
        @param clock: The reactor's, which stands still when the reactor does.
        @param describe: Tells how it stands, in one line; of ten thousand certificates
            that is not done in a moment.
        @param patience: How long a stop may take, in seconds.
        @param pid: Of this process, which is another one when it has become a daemon.
        @param monotonic: C{CLOCK_MONOTONIC}, in nanoseconds.
        """
        self._wish = wish
        self._send = send
        self._clock = clock
        self._describe = describe
        self._patience = patience
        self._pid = pid
        self._monotonic = monotonic
        self._watchdog = LoopingCall(self._live)
        self._watchdog.clock = clock
        self._due: IDelayedCall | None = None
        self._describing: Deferred[None] | None = None
        self._untold: deque[bytes] = deque(maxlen=_WAITING)
        self._again: IDelayedCall | None = None
        self._told = ""
        self._isStale = False
        self._isReady = False
        self._hasDeparted = False
        self._failure = ""

    def begin(self) -> None:
        """
        The process begins.
        """
        self._tell(notices.status("Starting"))
        if self._wish.watchdog is not None and not self._watchdog.running:
            # Half of it, as sd_watchdog_enabled(3) has it.
            self._watchdog.start(self._wish.watchdog / 2).addErrback(lambda _: None)

    def ready(self) -> None:
        """
        Everything is served.
        """
        self._isReady = True
        self._tellReady()

    def changed(self, _: Any = None) -> None:
        """
        It stands otherwise, perhaps.
        """
        self._isStale = True
        if self._due is not None and self._due.getTime() > self._clock.seconds() + PAUSE:
            self._plan(PAUSE)

    def reloads(self, ended: Deferred[Any]) -> None:
        """
        The configuration is read anew, as the service manager has asked for.

        @param ended: Fires or fails when that has come to its end; whichever it does
            is left to those who come after.
        """
        if not self._isReady:
            return
        self._tell(notices.reloading(self._monotonic() // 1000))
        ended.addBoth(self._reloaded)

    def failed(self, why: str) -> None:
        """
        The process could not start.

        @param why: For people.
        """
        self._failure = why
        self._tell(notices.status(why))

    def succeeded(self, pid: int) -> None:
        """
        Another process is the main one from now on, and speaks for the service.
        """
        self._hasDeparted = True
        self._isReady = False
        self._plan(None)
        if self._watchdog.running:
            self._watchdog.stop()
        # Said again, if there is no room for it: all depends on that.
        self._untold.clear()
        self._tell(notices.main(pid))

    def stopping(self) -> None:
        """
        The process ends.
        """
        if self._hasDeparted:
            return
        self._isReady = False
        self._plan(None)
        text = self._failure or "Stopping: requests in flight come to their end"
        self._tell(notices.stopping(self._patience, text))

    def end(self) -> None:
        """
        The process has ended but for its last lines.
        """
        self._isReady = False
        self._plan(None)
        if self._watchdog.running:
            self._watchdog.stop()
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _live(self) -> None:
        # A sign of life that comes late is worth nothing.
        self._send(notices.WATCHDOG)

    def _reloaded(self, outcome: Any) -> Any:
        if self._isReady:
            self._tellReady()
        return outcome

    def _tellReady(self) -> None:
        pid = self._pid()
        self._tell(notices.ready(None if pid == self._wish.pid else pid))
        self._told = ""
        self._refresh()

    def _refresh(self) -> None:
        self._isStale = False
        self._plan(None)
        self._describing = inSlices(self._describe(), self._clock).addCallbacks(
            self._described, self._undescribed
        )

    def _described(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._tell(notices.status(text))
        self._plan(PAUSE if self._isStale else EVERY)

    def _undescribed(self, failure: Failure) -> None:
        if not isinstance(failure.value, CancelledError):
            self._log.failure("A defect while telling how it stands", failure=failure)
            self._plan(EVERY)

    def _plan(self, seconds: float | None) -> None:
        describing, self._describing = self._describing, None
        if describing is not None:
            describing.cancel()
        if self._due is not None and self._due.active():
            self._due.cancel()
        self._due = None if seconds is None else self._clock.callLater(seconds, self._refresh)

    def _tell(self, message: bytes) -> None:
        self._untold.append(message)
        if self._again is None:
            self._sendUntold()

    def _sendUntold(self) -> None:
        self._again = None
        while self._untold:
            if not self._send(self._untold[0]):
                self._again = self._clock.callLater(_AGAIN, self._sendUntold)
                return
            self._untold.popleft()
