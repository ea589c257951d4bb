"""
A pace is how fast a client has to be: with the body of its request, and in
taking its answer.

It is an account of seconds.  So many are there at the beginning; they run out,
and every so many bytes buy another one, up to a bound, so that a burst pays for a
pause but not for a long silence.  Whoever has none left is too slow.

It is looked at when its seconds would be used up if nothing had come, so that a
client that is quick enough costs one look in half a minute, and the bytes cost
nothing at all: they were counted anyway.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .poller import Poller

__all__ = ["Pace", "taken"]

_NEVER = float("inf")

# Where struct tcp_info of linux/tcp.h has the 64 bits of tcpi_bytes_acked.
_ACKED = 120
_TCP_INFO_BYTES = _ACKED + 8


def taken(sock: socket.socket) -> int:
    """
    How much the other side's kernel has acknowledged.  What was given to ours
    says little: it takes megabytes at once, and asks for more only when a third of
    them is gone.

    @return: Bytes since the beginning; 0 where that cannot be known.
    """
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return 0
    if len(info) < _TCP_INFO_BYTES:
        return 0
    acknowledged: int = struct.unpack_from("=Q", info, _ACKED)[0]
    return acknowledged


class Pace:
    """
    @ivar deadline: For the poller.
    @ivar isHeld: Whether its seconds do not count, because the client has
        nothing to do.
    """

    __slots__ = (
        "_at",
        "_count",
        "_most",
        "_poller",
        "_rate",
        "_seconds",
        "_tooSlow",
        "_total",
        "deadline",
        "isHeld",
    )

    def __init__(
        self,
        poller: Poller,
        seconds: float,
        most: float,
        rate: int,
        count: Callable[[], int],
        tooSlow: Callable[[], None],
    ) -> None:
        """
        Begin, with the poller's clock.

        @param seconds: What there is at the beginning.
        @param most: What can be saved.
        @param rate: So many bytes buy a second; 0: any byte buys all of them.
        @param count: How many bytes have moved so far.
        @param tooSlow: Called once, when no second is left.
        """
        self._poller = poller
        self._seconds = seconds
        self._most = most
        self._rate = rate
        self._count = count
        self._tooSlow = tooSlow
        self._total = count()
        self._at = poller.now
        self.isHeld = False
        self.deadline = self._at + seconds
        poller.mortals[self] = None

    def hold(self) -> None:
        """
        From now on it is not the client that is waited for.
        """
        if not self.isHeld:
            self.isHeld = True
            self._settle()
            self.deadline = _NEVER

    def go(self) -> None:
        """
        Now it is.
        """
        if self.isHeld:
            self.isHeld = False
            self._at = self._poller.now
            self.deadline = self._at + self._seconds

    def _settle(self) -> None:
        now = self._poller.now
        total = self._count()
        moved, self._total = total - self._total, total
        passed, self._at = now - self._at, now
        if self._rate:
            self._seconds += moved / self._rate - passed
        elif moved:
            self._seconds = self._most
        else:
            self._seconds -= passed
        if self._seconds > self._most:
            self._seconds = self._most

    def expire(self) -> None:
        """
        Its seconds would be used up, if nothing had moved.
        """
        self._settle()
        if self._seconds > 0:
            self.deadline = self._at + self._seconds
        else:
            self.end()
            self._tooSlow()

    def end(self) -> None:
        """
        It matters no more.
        """
        self._poller.mortals.pop(self, None)

    def crash(self) -> None:
        """
        A bug: end whom it was for.
        """
        self.end()
        self._tooSlow()
