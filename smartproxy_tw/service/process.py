"""
The proxy as the whole of a process, under C{twistd} or C{twist}: a start that
fails ends it with status 1 and one plain message, without a traceback and
without a pidfile left behind.

How that is brought about, since neither program foresees it:

  - A failure before the reactor runs is raised, as an ordinary exception: that
    makes C{twistd} remove its pidfile, and a daemon's first process learn of it.
    The message has been written then, and the hook that would print a traceback
    is told to keep quiet about this one exception.
  - A failure while the reactor runs stops it.  Both programs then end with
    status 0, whatever happened, so the status is set by what Python calls last
    of all, when the pidfile is gone and the log is closed.

A SIGHUP has the subject read its configuration anew, unless it is the terminal that
hangs up: then a process that was started on it ends, as it always did.

A SIGUSR2 has another process take the place of this one, see
L{smartproxy_tw.service.upgrading}.

A service manager that wants to know is told what becomes of it.

None of this concerns a L{SmartProxy<smartproxy_tw.service.tree.SmartProxy>} that
is embedded in something else.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from ..plane.descriptors import allowDescriptors
from .errors import StartError, StoppedError

if TYPE_CHECKING:
    from .announcer import Announcer
    from .upgrading import Successor

__all__ = ["ExitStatus", "NotStarted", "Process", "Subject", "Terminal", "hasTerminal"]


class NotStarted(Exception):
    """
    Raised through the program that runs us, when the reason has been told.
    """


class Subject(Protocol):
    """
    What the process is there for: a L{SmartProxy}, or something like it.
    """

    @property
    def error(self) -> BaseException | None:
        """
        Why the start failed, known at once.
        """

    def whenReady(self) -> Deferred[None]:
        """
        Wait for the end of the start.
        """

    def setServiceParent(self, parent: Any) -> object:
        """
        As a Twisted service.
        """

    def reload(self, asker: str) -> Deferred[Any]:
        """
        Read the configuration anew; what comes of it is logged.
        """


class Terminal:
    """
    Where the process was started from, for what has to be seen there and not in
    the log.  It keeps descriptors of its own, since a daemon loses the usual ones
    and C{twistd} turns C{sys.stdout} into a log.
    """

    def __init__(self, out: int = 1, err: int = 2) -> None:
        """
        @param out: The descriptor for what was asked for.
        @param err: The descriptor for complaints.
        """
        self._out = _duplicate(out)
        self._err = _duplicate(err)

    def say(self, text: str) -> None:
        """
        Write a line that was asked for.
        """
        _write(self._out, text)

    def complain(self, text: str) -> None:
        """
        Write a line about what went wrong.
        """
        _write(self._err, text)

    def close(self) -> None:
        """
        Let go of it, so that a daemon does not keep a session from ending.
        """
        for descriptor in (self._out, self._err):
            if descriptor is not None:
                os.close(descriptor)
        self._out = self._err = None


def _duplicate(descriptor: int) -> int | None:
    try:
        return os.dup(descriptor)
    except OSError:
        # Started without it.
        return None


def _write(descriptor: int | None, text: str) -> None:
    if descriptor is None:
        return
    rest = text.encode("utf-8", "backslashreplace") + b"\n"
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        # Nobody reads it any more.
        pass


class ExitStatus:
    """
    The status that the process ends with, however it ends.
    """

    def __init__(self) -> None:
        """
        Success, as yet.
        """
        self._value = 0
        # The earlier it is registered, the later it is called.
        atexit.register(self._leave)

    def fail(self) -> None:
        """
        End with status 1.
        """
        self._value = 1

    def _leave(self) -> None:
        if self._value:
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except (OSError, ValueError, AttributeError):
                    continue
            os._exit(self._value)


class Process(MultiService):
    """
    Runs one L{Subject}, and answers for it towards the program that runs us.
    """

    _log = Logger()

    def __init__(
        self,
        subject: Subject,
        stop: Callable[[], object],
        terminal: Terminal,
        status: ExitStatus,
        *,
        observer: ILogObserver | None = None,
        isLogApart: bool = True,
        onHangup: Callable[[Callable[[], None]], object] = lambda _: None,
        hasTerminal: Callable[[], bool] = lambda: False,
        announcer: Announcer | None = None,
        onUpgrade: Callable[[Callable[[], None]], object] = lambda _: None,
        upgrade: Callable[[str], Deferred[Successor]] | None = None,
        onRefusal: Callable[[str], object] = lambda _: None,
    ) -> None:
        """
        @param subject: What the process is there for.
        @param stop: Ends the process in good order: C{reactor.stop}.
        @param terminal: Where complaints are written.
        @param status: What the process ends with.
        @param observer: What C{twistd} is to log to; L{None} leaves that to it.
        @param isLogApart: Whether the log goes elsewhere than to the terminal,
            so that a complaint is to be in it too.
        @param onHangup: Has something called, by the reactor, at each SIGHUP.
        @param hasTerminal: As L{hasTerminal}.
        @param announcer: Tells the service manager; L{None} where there is none.
        @param onUpgrade: As C{onHangup}, at each SIGUSR2.
        @param upgrade: Has another process take over; L{None} where none can.
        @param onRefusal: Is told why the start has failed.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._subject = subject
        self._stop = stop
        self._terminal = terminal
        self._status = status
        self._observer = observer
        self._isLogApart = isLogApart
        self._onHangup = onHangup
        self._hasTerminal = hasTerminal
        self._hadTerminal = False
        self._isHearing = False
        self._announcer = announcer
        self._onUpgrade = onUpgrade
        self._upgrade = upgrade
        self._onRefusal = onRefusal
        subject.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """
        Join an application, and choose its log: this is the moment at which
        C{twistd} lets one do that.
        """
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)  # type: ignore[no-untyped-call]
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    def privilegedStartService(self) -> None:
        """
        Bind the ports.

        @raise NotStarted: It failed, and the reason has been told.
        """
        self._hear()
        try:
            with _uninterrupted():
                super().privilegedStartService()  # type: ignore[no-untyped-call]
        except StartError as why:
            self._refuse(why)

    def startService(self) -> None:
        """
        Begin everything else, with as many open files as the process may have.
        Until it is ready no garbage is collected: a start makes none worth
        looking for, and the looking costs a twentieth of its time.

        @raise NotStarted: As in L{privilegedStartService}.
        """
        self._hear()
        gc.disable()
        allowDescriptors()
        if self._announcer is not None:
            self._announcer.begin()
        try:
            with _uninterrupted():
                super().startService()  # type: ignore[no-untyped-call]
        except StartError as why:
            self._refuse(why)
        if (error := self._subject.error) is not None:
            self._refuse(error)
        ready = self._subject.whenReady()
        ready.addCallbacks(self._ready, self._failed)

    def stopService(self) -> Deferred[None]:
        """
        End everything.
        """
        announcer = self._announcer
        if announcer is None:
            return maybeDeferred(super().stopService).addCallback(lambda _: None)
        announcer.stopping()
        return maybeDeferred(super().stopService).addCallback(lambda _: announcer.end())

    def _hear(self) -> None:
        if not self._isHearing:
            self._isHearing = True
            self._hadTerminal = self._hasTerminal()
            self._onHangup(self._hungUp)
            if self._upgrade is not None:
                self._onUpgrade(self._upgradeWanted)

    def _upgradeWanted(self) -> None:
        # What comes of it is in the log.
        if self._upgrade is not None:
            self._upgrade("SIGUSR2").addErrback(lambda _: None)

    def _hungUp(self) -> None:
        if self._hadTerminal and not self._hasTerminal():
            self._log.info("The terminal is gone, so this process ends", event="terminal-gone")
            try:
                self._stop()
            except ReactorNotRunning:
                # It is ending already.
                pass
            return
        # What comes of it is in the log.
        reloading = self._subject.reload("SIGHUP")
        if self._announcer is not None:
            self._announcer.reloads(reloading)
        reloading.addErrback(lambda _: None)

    def _ready(self, _: None) -> None:
        self._terminal.close()
        # What a start leaves stays: a hundred thousand objects that no later collection need look at.
        gc.enable()
        gc.freeze()
        if self._announcer is not None:
            self._announcer.ready()

    def _refuse(self, why: BaseException) -> None:
        gc.enable()
        self._tell(why)
        self._terminal.close()
        sys.excepthook = _quiet(sys.excepthook)
        raise NotStarted("the reason is written above.") from None

    def _failed(self, failure: Failure) -> None:
        gc.enable()
        why = failure.value
        if why is not None and not isinstance(why, StoppedError):
            self._tell(why)
            self._status.fail()
            try:
                self._stop()
            except ReactorNotRunning:
                # It is ending already.
                pass
        self._terminal.close()

    def _tell(self, why: BaseException) -> None:
        if isinstance(why, StartError):
            text = str(why)
        else:
            text = f"A defect: {type(why).__name__}: {why}. The log has its traceback."
        self._terminal.complain(f"smartproxy: {text}")
        self._onRefusal(text)
        if self._announcer is not None:
            self._announcer.failed(text)
        if self._isLogApart:
            self._log.error("Not started: {why}", event="not-started", why=text)


def hasTerminal() -> bool:
    """
    Whether there is a terminal that sends this process its signals.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """
    Have an interrupt wait for the end of a phase.  In the midst of one it would
    end a coroutine, whose Deferred would swallow it: the process would go on,
    with ports bound that nobody serves.

    @raise StartError: There was one.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        # The reactor's, or somebody else's, or not ours to change.
        yield
        return
    interrupts: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupts:
        raise StartError("Interrupted before it had started.")


_Hook = Callable[[type[BaseException], BaseException, "TracebackType | None"], object]


def _quiet(before: _Hook) -> _Hook:
    def hook(kind: type[BaseException], why: BaseException, traceback: TracebackType | None) -> None:
        if not isinstance(why, NotStarted):
            before(kind, why, traceback)

    return hook
