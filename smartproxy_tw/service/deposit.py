"""
Listening sockets that are left with the service manager, so that they outlive this
process: systemd's store of descriptors, C{FDSTORE=1} of C{sd_notify(3)}.

Whoever connects after a crash, or while the proxy is restarted, waits in the kernel for
the next process, which is handed the sockets as if a socket unit had opened them.  They
are known by their names: what begins with L{PREFIX} was put there by a proxy, is the
proxy's own, and is taken out again when no port wants it any more.

A process that ends takes nothing out, as it cannot know whether another one follows; the
manager closes what it has when none does.  Nothing here can disturb the proxy: what
cannot be told now is told later, and nobody waits for it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from twisted.logger import Logger

from . import notices

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from ..facts import Address

__all__ = ["PREFIX", "Deposit", "isOurs", "nameOf"]

#: What the names of our sockets begin with.
PREFIX = "smartproxy_tw/"

# How soon it is tried again where the manager has no room for a message, in seconds.
_AGAIN = 0.5


def nameOf(address: Address, *, isUDP: bool = False) -> str:
    """
    What the socket of an address is called: printable ASCII, and without the colon, which
    separates names from one another.
    """
    return f"{PREFIX}{'udp' if isUDP else 'tcp'}/{address.host.replace(':', '_')}/{address.port}"


def isOurs(name: str) -> bool:
    """
    Whether a name is one of these, and not that of a socket unit.
    """
    return name.startswith(PREFIX)


class Deposit:
    """
    What this process has there, and is to have.
    """

    _log = Logger()

    def __init__(
        self,
        send: Callable[[bytes, Sequence[int]], bool],
        clock: IReactorTime,
        room: int,
        names: Iterable[str] = (),
    ) -> None:
        """
        @param send: As L{Notifier.send<smartproxy_tw.service.announcer.Notifier.send>}.
        @param clock: Measures the time until something is said again.
        @param room: How many the manager keeps.
        @param names: What it has already.
        """
        self._send = send
        self._clock = clock
        self._room = room
        self._there = set(names)
        self._wanted: dict[str, socket.socket] = {}
        self._unwanted: set[str] = set()
        self._again: IDelayedCall | None = None
        self._speaks = False
        self._hasComplained = False

    def begin(self) -> None:
        """
        This process is the one that the manager listens to: say what is to be said.
        """
        self._speaks = True
        self._tell()

    def end(self) -> None:
        """
        Say nothing any more: another process is the one, or this one ends.
        """
        self._speaks = False
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def add(self, name: str, sock: socket.socket) -> None:
        """
        Leave a socket.

        @param name: As of L{nameOf}.
        @param sock: It listens.  Not to be shut down from now on, since that concerns all
            who have it.
        """
        self._unwanted.discard(name)
        self._wanted[name] = sock
        self._tell()

    def remove(self, name: str) -> None:
        """
        Have a socket closed that was left.
        """
        self._wanted.pop(name, None)
        self._unwanted.add(name)
        self._tell()

    def _tell(self) -> None:
        if not self._speaks or self._again is not None:
            return
        if not (self._withdrawAll() and self._leaveAll()):
            self._again = self._clock.callLater(_AGAIN, self._tellAgain)

    def _tellAgain(self) -> None:
        self._again = None
        self._tell()

    def _withdrawAll(self) -> bool:
        for name in sorted(self._unwanted):
            if not self._send(notices.removed(name), ()):
                return False
            self._unwanted.discard(name)
            self._there.discard(name)
        return True

    def _leaveAll(self) -> bool:
        for name, sock in self._wanted.items():
            if name in self._there or sock.fileno() < 0:
                continue
            if len(self._there) >= self._room:
                self._complain()
                return True
            isUDP = sock.type == socket.SOCK_DGRAM
            with suppress(OSError):
                if not self._send(notices.stored(name, isPolled=not isUDP), (sock.fileno(),)):
                    return False
            self._there.add(name)
        return True

    def _complain(self) -> None:
        if not self._hasComplained:
            self._hasComplained = True
            self._log.warn(
                "The service manager keeps {room} sockets of {wanted}: a restart refuses connections to the"
                " others. Say so many with FileDescriptorStoreMax= in the unit",
                event="deposit-full",
                room=self._room,
                wanted=len(self._wanted),
            )
