"""
A race connects to the addresses of one name and keeps the first that answers
(RFC 8305, Happy Eyeballs).

The families take turns, beginning with that of the first address.  The next
address is tried when the one before it has failed, or has not answered for
L{DELAY} seconds; those under way go on meanwhile.  Whoever loses is closed.
The race has no deadline: whoever began it ends it with L{Race.cancel}.
"""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING, Protocol

from .place import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..plane.poller import Poller
    from .place import Where

__all__ = ["DELAY", "Race", "Racer", "TROUBLE", "interleaved"]

#: The connection attempt delay of RFC 8305 section 5, in seconds.
DELAY = 0.25
#: Events after which a socket has to be asked whether it is connected.
TROUBLE = select.EPOLLERR | select.EPOLLHUP


def interleaved(addresses: Sequence[str], family: int = 0) -> list[str]:
    """
    Put addresses into the order to be tried (RFC 8305 section 4, with a first
    address family count of one).

    @param addresses: IP addresses, the preferred first.
    @param family: The family to begin with, where it is known which of them is
        of use; 0: that of the first address.
    @return: The same, the families in turn; within a family the order stays.
    """
    isSixthFirst = family == socket.AF_INET6 if family else ":" in addresses[0]
    first = [address for address in addresses if (":" in address) is isSixthFirst]
    second = [address for address in addresses if (":" in address) is not isSixthFirst]
    turns = min(len(first), len(second))
    mixed = [address for pair in zip(first, second, strict=False) for address in pair]
    return [*mixed, *first[turns:], *second[turns:]]


class Racer(Protocol):
    """
    Whoever began a race.
    """

    def won(self, sock: socket.socket, event: int) -> None:
        """
        One is connected, all others are closed.

        @param sock: Registered with the poller; its handler there is to be
            replaced.
        @param event: The event that said so.
        """

    def lost(self, reason: str) -> None:
        """
        None is.  Never called before L{Race.begin} has returned.

        @param reason: Why the last one is not.
        """

    def crash(self) -> None:
        """
        A bug: end the race.
        """


class _Runner:
    """
    One address being tried.
    """

    __slots__ = ("_race", "sock")

    def __init__(self, race: Race, sock: socket.socket) -> None:
        self._race = race
        self.sock = sock

    def ready(self, event: int) -> None:
        """
        It is connected, or will not be.
        """
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if event & TROUBLE else 0
        if error:
            self._race.fell(self, os.strerror(error))
        else:
            self._race.arrived(self, event)

    def crash(self) -> None:
        """
        See L{Racer}.
        """
        self._race.racer.crash()


class Race:
    """
    @ivar racer: Whom it is run for.
    """

    __slots__ = ("_isOver", "_last", "_later", "_poller", "_running", "_timer", "_waiting", "racer")

    def __init__(
        self, poller: Poller, later: Callable[[float, Callable[[], None]], Any], racer: Racer
    ) -> None:
        """
        @param later: A reactor's C{callLater}: the deadlines of the poller are
            too coarse for this.
        """
        self._poller = poller
        self._later = later
        self.racer = racer
        self._waiting: list[Where] = []
        self._running: list[_Runner] = []
        self._timer: Any = None
        self._last = ""
        self._isOver = False

    def begin(self, course: Sequence[Where]) -> None:
        """
        Go.

        @param course: What to connect to, at least one, in the order to be
            tried.
        """
        self._waiting = list(course)
        self._next()

    def _next(self) -> None:
        """
        Try the next address that can be tried at all.
        """
        self._stopTimer()
        while self._waiting:
            sock = reach(*self._waiting.pop(0))
            if isinstance(sock, str):
                self._last = sock
                continue
            runner = _Runner(self, sock)
            self._running.append(runner)
            self._poller.add(sock.fileno(), runner.ready)
            if self._waiting:
                self._timer = self._later(DELAY, self._late)
            return
        if not self._running:
            self._poller.later(self._hopeless)

    def _late(self) -> None:
        self._timer = None
        if not self._isOver:
            self._next()

    def _hopeless(self) -> None:
        if not self._isOver:
            self._isOver = True
            self.racer.lost(self._last)

    def fell(self, runner: _Runner, reason: str) -> None:
        """
        One of them cannot be connected to: the next one need not wait.
        """
        self._last = reason
        self._running.remove(runner)
        self._drop(runner)
        if self._waiting or not self._running:
            self._next()

    def arrived(self, runner: _Runner, event: int) -> None:
        """
        The first of them.
        """
        self._running.remove(runner)
        self.cancel()
        self.racer.won(runner.sock, event)

    def cancel(self) -> None:
        """
        Close all that are under way.
        """
        self._isOver = True
        self._stopTimer()
        self._waiting.clear()
        running, self._running = self._running, []
        for runner in running:
            self._drop(runner)

    def _drop(self, runner: _Runner) -> None:
        self._poller.forget(runner.sock.fileno())
        runner.sock.close()

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
