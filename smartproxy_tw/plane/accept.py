"""
Accepting, on ports that Twisted has bound.

The port is a real L{IListeningPort<twisted.internet.interfaces.IListeningPort>};
its own reactor does not read from it.  The socket is registered with the nested
poller, level-triggered but exclusive, so that of several processes one wakes up.
The kernel wakes the one that has watched for longest, always the same: whoever
shares the port steps back after a few connections and lets the next one go first.
A burst is taken in bounded batches.
When descriptors run out the port rests for a moment instead of spinning.
"""

from __future__ import annotations

import errno
import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from twisted.logger import Logger

from ..facts import Address, made
from .announcement import Announcement
from .answers import statusLine
from .greeting import greet

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .engine import Entrance
    from .poller import Poller

__all__ = ["Acceptor", "addressOf"]

_log = Logger()

# So many at a time, if there is time for them, which is looked at after every few.
_BATCH = 64
_FEW = 4
# To ask whether there is another one costs a call that mostly fails, and the poller says it if there is: so
# often one is taken without that question, and then it is asked, so that a crowd is taken as one.
_ALONE = 4
# So many batches are taken of a port that goes: somebody who connects faster than that does it on purpose.
_LAST = 256
# How many connections one of several processes takes before it steps back.  Two workers with 200 kept
# connections had 185 and 15 of them without that, 102 and 98 with it; so it costs half a system call each.
_TURN = 4
# How long to rest when there are no descriptors, in seconds.
_REST = 0.25
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_EXCLUSIVE = 1 << 28
_FULL = statusLine(503) + b"Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Acceptor:
    """
    One listening socket of one entrance.
    """

    def __init__(self, entrance: Entrance, sock: socket.socket) -> None:
        """
        Begin to accept.

        @param sock: Listening and non-blocking; stays the caller's.
        """
        self._entrance = entrance
        entrance.acceptors += 1
        self._sock = sock
        self._accept = _accepting(sock)
        self._family = int(sock.family)
        self._isOpen = True
        self._hasComplained = False
        # How many were taken without that question.
        self._alone = 0
        # Less than nothing where nobody else waits.
        self._turn = _TURN if entrance.engine.sharesPorts else -1
        # Accepted sockets inherit it: a call less for each of them.
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch()

    def _watch(self) -> None:
        if self._isOpen:
            self._entrance.engine.poller.add(self._sock.fileno(), self.ready, select.EPOLLIN | _EXCLUSIVE)

    def close(self) -> None:
        """
        Accept no more; the socket itself stays open.
        """
        if self._isOpen:
            self._isOpen = False
            self._entrance.engine.poller.remove(self._sock.fileno())
            self._entrance.acceptors -= 1
            self._entrance.engine.left(self._entrance)

    def finish(self) -> None:
        """
        Take those that the kernel has taken already, and L{close} then: they would
        be reset with the socket.  Who comes from now on wakes others who watch it.
        """
        if not self._isOpen:
            return
        self._turn = -1
        self._entrance.engine.poller.remove(self._sock.fileno())
        for _ in range(_LAST):
            if not self._take(_BATCH):
                break
        self.close()

    def ready(self, event: int) -> None:
        """
        Somebody has connected.
        """
        if self._alone < _ALONE:
            self._alone += 1
            self._take(1)
        else:
            self._take(_BATCH, self._entrance.engine.poller)

    def _take(self, most: int, poller: Poller | None = None) -> bool:
        """
        @param most: How many at most.
        @param poller: Says when it is the turn of others.
        @return: Whether there may be more.
        """
        engine = self._entrance.engine
        accept = self._accept
        isIPv4 = self._family == socket.AF_INET
        for number in range(1, most + 1):
            try:
                descriptor, address = accept()
            except BlockingIOError:
                if number <= 2:
                    self._alone = 0
                return False
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._rest(error)
                    return False
                # The peer was gone before it was accepted; accept(2).
                continue
            sock: socket.socket = socket.SocketType(  # type: ignore[assignment]
                self._family, socket.SOCK_STREAM, 0, descriptor
            )
            sock.setblocking(False)
            engine.counts["connections"] += 1
            self._turn -= 1
            if not self._turn:
                self._stepBack()
            if engine.isFull:
                self._turnAway(sock)
            else:
                client = made(Address, address) if isIPv4 else addressOf(address)
                heralds = self._entrance.heralds
                if heralds is not None and heralds.trusts(client.host):
                    Announcement(self._entrance, sock, client, heralds)
                else:
                    greet(self._entrance, sock, client)
            if number % _FEW == 0 and poller is not None and poller.isSpent:
                break
        return True

    def _stepBack(self) -> None:
        self._turn = _TURN
        self._entrance.engine.poller.remove(self._sock.fileno())
        self._watch()

    def _turnAway(self, sock: socket.socket) -> None:
        engine = self._entrance.engine
        engine.overflowed(self._entrance.number)
        table = self._entrance.table
        if table is not None and table.takesHTTP and not table.takesTLS:
            # A close with unread bytes would destroy the answer.
            with suppress(OSError):
                sock.recv(65536)
            with suppress(OSError):
                sock.send(_FULL)
        sock.close()

    def _rest(self, error: OSError) -> None:
        poller = self._entrance.engine.poller
        if not self._hasComplained:
            self._hasComplained = True
            _log.error(
                "Port {port} cannot accept: {reason}. Connections wait in the kernel until others have "
                "ended; raise the limit of open files (ulimit -n, LimitNOFILE=) if this goes on.",
                port=self._entrance.number,
                reason=error.strerror,
            )
        poller.remove(self._sock.fileno())
        poller.after(_REST, self._watch)


def _accepting(sock: socket.socket) -> Callable[[], tuple[int, Any]]:
    """
    What C{sock.accept} is made of.  It and the socket object that it makes take
    five microseconds longer than the system call; a plain L{socket.SocketType}
    has all that a wire needs.
    """
    bare: Callable[[], tuple[int, Any]] | None = getattr(sock, "_accept", None)
    if bare is not None:
        return bare

    def accept() -> tuple[int, Any]:
        client, address = sock.accept()
        return client.detach(), address

    return accept


def addressOf(address: tuple[object, ...] | str) -> Address:
    """
    @param address: As C{accept} gives it.
    @return: The same in our normal form.
    """
    if isinstance(address, str) or not address:
        return Address(str(address or "unix"), 0)
    host = str(address[0])
    if host.startswith("::ffff:") and "." in host:
        host = host[7:]
    return Address(host.partition("%")[0], int(str(address[1])))
