"""
Begins worker processes, and listens to what they say besides the line.

What a worker is given: the line (descriptor 3), a pipe for its log (4), the
standard output of this process, where access records may go, and a pipe for its
standard error.  It inherits no other descriptor.  Its environment holds what the
interpreter, the resolver and OpenSSL go by, and nothing else: whatever secret the
supervisor was started with stays there.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import events
from .line import Line

if TYPE_CHECKING:
    from .hand import Hand

__all__ = ["EVENTS", "LINE", "Processes", "Spawn", "environment"]

#: The descriptors of a worker.
LINE, EVENTS = 3, 4

_log = Logger()

#: What a worker may know of the environment.
_KEPT = frozenset(
    (
        *("LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "LD_PRELOAD", "GLIBC_TUNABLES"),
        *("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_CONF"),
        *("OPENSSL_CONF", "OPENSSL_MODULES", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES", "TMPDIR"),
        *("PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONMALLOC", "PYTHONUTF8"),
        *("PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONDEVMODE", "PYTHONWARNINGS", "PYTHONTRACEMALLOC"),
    )
)


class Spawn(Protocol):
    """
    How a worker comes to be.
    """

    def __call__(self, hand: Hand) -> None:
        """
        Begin one, and give the hand its line and its process.

        @raise OSError: There can be no more processes or descriptors.
        """


def environment(environ: Mapping[str, str] = os.environ, path: Sequence[str] | None = None) -> dict[str, str]:
    """
    The environment of a worker.

    @param environ: That of this process.
    @param path: Where this process finds modules; a worker finds the same.
    """
    kept = {name: value for name, value in environ.items() if name in _KEPT or name.startswith("LC_")}
    places = [os.path.abspath(place) for place in (sys.path if path is None else path)]
    kept["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(places))
    return kept


class Processes:
    """
    Begins them with a reactor.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: Runs processes and adopts sockets, as Twisted's do on
            Linux.
        """
        self._reactor = reactor

    def __call__(self, hand: Hand) -> None:
        """
        See L{Spawn}.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ours, theirs, open(os.devnull, "rb+", buffering=0) as nothing:
            output = 1 if _isOpen(1) else nothing.fileno()
            watched = _Watched(hand)
            self._reactor.spawnProcess(
                watched,
                sys.executable,
                [sys.executable, "-P", "-m", "smartproxy_tw.control.worker", str(hand.number)],
                env=environment(),
                childFDs={0: nothing.fileno(), 1: output, 2: "r", LINE: theirs.fileno(), EVENTS: "r"},
            )
            hand.process = watched
            hand.line = lineOver(self._reactor, ours, hand)


def lineOver(reactor: Any, ours: socket.socket, hand: Hand) -> Line:
    """
    The supervisor's end of a line.

    @param ours: One socket of the pair; a duplicate is used.
    @param hand: Hears what is said.
    """
    line = Line(hand)
    ours.setblocking(False)
    reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, Factory.forProtocol(lambda: line))
    return line


def _isOpen(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


class _Watched(ProcessProtocol):
    """
    A process, and what it writes.
    """

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._events = events.Lines()
        self._outcry = events.Outcry()
        self.pid: int | None = None

    def makeConnection(self, transport: Any) -> None:
        self.pid = transport.pid
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def kill(self) -> None:
        try:
            self.transport.signalProcess("KILL")  # type: ignore[union-attr]
        except ProcessExitedAlready:
            return

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == EVENTS:
            for line in self._events.feed(data):
                events.tell(self._hand.number, line)
        else:
            self._cry(self._outcry.feed(data))

    def processEnded(self, reason: Failure) -> None:
        self._cry(self._outcry.end())
        how = _how(reason.value)
        self._hand.ended(f"{how} ({self._outcry.last})" if self._outcry.last else how)

    def _cry(self, lines: Sequence[str]) -> None:
        for line in lines:
            _log.warn(
                "Worker {worker} wrote: {line}", event="worker-wrote", worker=self._hand.number, line=line
            )


def _how(why: BaseException | None) -> str:
    if isinstance(why, ProcessTerminated) and why.signal is not None:
        return f"ended by signal {why.signal}"
    if isinstance(why, ProcessDone):
        return "ended"
    return f"ended with status {getattr(why, 'exitCode', None)}"
