"""
A place is a target as one local port sees it: the connections that are kept to
it, and how well it does.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from twisted.logger import Logger

from .breaker import FAILURES, PAUSE, WELL, Open, Probing, abandoned, answered, failed, reached
from .resolve import isLiteral

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.model import Target
    from ..plane.link import Link
    from ..plane.poller import Poller
    from .breaker import Breaker

__all__ = ["Place", "Where", "reach", "where"]

_log = Logger()

#: A family of sockets, and an address as C{connect} takes it.
Where = tuple[int, tuple[str, int] | str]

# Kept connections for each target and port, and how long they are kept, in seconds.
_KEPT = 256
_KEPT_SECONDS = 60.0
# So long at least between two times that a target is said to be passed over, in seconds.
_QUIET = 60.0
_NEVER = float("inf")

# Reasons that say nothing about a target.
_OUR_OWN = frozenset(
    os.strerror(number)
    for number in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)
)

_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


def where(address: str, port: int) -> Where:
    """
    @param address: An IP address, or the path of a unix socket.
    @param port: 0 for a unix socket.
    @return: How to connect there.
    """
    if port == 0:
        return socket.AF_UNIX, address
    return socket.AF_INET6 if ":" in address else socket.AF_INET, (address, port)


def reach(family: int, address: tuple[str, int] | str) -> socket.socket | str:
    """
    Begin to connect.

    @return: A socket that is connected or about to be; or why it cannot be.
    """
    try:
        # Without the layer of Python over it, which takes four microseconds.
        sock: socket.socket = socket.SocketType(family, _KIND)  # type: ignore[assignment]
    except OSError as error:
        return error.strerror or "no socket"
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    result = sock.connect_ex(address)
    if result and result != errno.EINPROGRESS:
        sock.close()
        return os.strerror(result)
    return sock


class Place:
    """
    The last link given back is the first one lent, so that those not needed
    grow old.

    @ivar target: As configured.
    @ivar port: What to connect to; 0 for a unix socket.
    @ivar name: For logs, and to know it again.
    @ivar where: Its one address; L{None} when it has a name, which has to be
        resolved.
    @ivar family: That of the address that won the last race: the next one
        begins with it.  C{localhost} would otherwise cost a refusal each time,
        where a server listens on just one of its two addresses.
    @ivar idle: The links that are kept.
    @ivar isClosed: Whether nothing is kept any more.
    @ivar breaker: How well it does; L{WELL} is the only state that needs no
        second look.
    @ivar isCounted: Whether it has to be told of every connection.
    @ivar hasRoom: Whether another connection to it may be made.
    @ivar requests: How many were sent to it, since that was last taken.
    @ivar failures: How often it could not be connected to, or did not answer as it
        should, likewise.
    """

    __slots__ = (
        "_isTold",
        "_kept",
        "_poller",
        "_toldAt",
        "breaker",
        "failures",
        "family",
        "idle",
        "isClosed",
        "name",
        "port",
        "requests",
        "target",
        "where",
    )

    isCounted = False

    def __init__(self, poller: Poller, target: Target, port: int) -> None:
        """
        @param port: The local port, for a target without one of its own.
        """
        self._poller = poller
        self.target = target
        self.port = port if target.port is None else target.port
        self.name = str(target)
        isAddress = self.port == 0 or isLiteral(target.host)
        self.where = where(target.host, self.port) if isAddress else None
        self.idle: list[Link] = []
        # What one client was introduced on is never lent for another.
        self._kept = _KEPT if target.proxyHeader is None else 0
        self.isClosed = False
        self.breaker: Breaker = WELL
        self.requests = self.failures = 0
        self.family = 0
        self._isTold = False
        self._toldAt = -_QUIET

    @property
    def hasRoom(self) -> bool:
        """
        See above.
        """
        return True

    # What a lender does: see L{Lender<smartproxy_tw.plane.link.Lender>}.

    def giveBack(self, link: Link) -> None:
        """
        It has given a whole answer, and can carry another.
        """
        if self.breaker is not WELL:
            self.answered()
        if len(self.idle) >= self._kept or self.isClosed:
            link.close()
            return
        link.deadline = self._poller.now + _KEPT_SECONDS
        self.idle.append(link)

    def retire(self, link: Link) -> None:
        """
        It has given a whole answer, and is to be closed.
        """
        if self.breaker is not WELL:
            self.answered()
        link.close()

    def lost(self, link: Link) -> None:
        """
        It has been closed.
        """
        if link in self.idle:
            self.idle.remove(link)

    def released(self, link: Link) -> Callable[[], None] | None:
        """
        It goes on as a tunnel.

        @return: What is to be called when that has ended, if anything.
        """
        if self.breaker is not WELL:
            self.answered()
        return None

    # How well it does.

    def failed(self, reason: str) -> None:
        """
        It could not be connected to, or did not answer as it should.

        @param reason: Why; nothing happens when that is this machine's own.
        """
        if reason in _OUR_OWN:
            return
        self.failures += 1
        breaker = self.breaker = failed(before := self.breaker, self._poller.now)
        if isinstance(breaker, Open) and breaker is not before:
            idle, self.idle = self.idle, []
            for link in idle:
                link.close()
            # One that only connects, or comes and goes, would say both again and again.
            if not self._isTold and self._poller.now - self._toldAt >= _QUIET:
                self._isTold = True
                self._toldAt = self._poller.now
                _log.warn(
                    "Target {target} is passed over: {count} failures in a row, the last one: {reason}; "
                    "it is tried again after {pause:g} s, or when there is no other",
                    target=self.name,
                    count=FAILURES,
                    reason=reason,
                    pause=PAUSE,
                )

    def reached(self) -> None:
        """
        It is connected, which does not say that it will answer.
        """
        self.breaker = reached(self.breaker)

    def answered(self) -> None:
        """
        It has done what it should.
        """
        if self._isTold:
            self._isTold = False
            _log.info("Target {target} can be had again", target=self.name)
        self.breaker = answered(self.breaker)

    def probed(self) -> None:
        """
        Somebody tries it although its breaker is open.
        """
        if isinstance(self.breaker, Open):
            self.breaker = Probing()

    def abandoned(self) -> None:
        """
        Whoever tried it has lost interest.
        """
        self.breaker = abandoned(self.breaker, self._poller.now)

    # Links and connections.

    def lend(self) -> Link | None:
        """
        @return: A kept link, if there is one.
        """
        if not self.idle:
            return None
        link = self.idle.pop()
        link.deadline = _NEVER
        return link

    def evict(self) -> None:
        """
        Close the oldest kept link, to make room.
        """
        self.idle[0].close()

    def taken(self) -> None:
        """
        A connection is being made (where they are counted).
        """

    def left(self) -> None:
        """
        It has ended, or came to nothing (where they are counted).
        """

    def welcome(self, link: Link) -> None:
        """
        A connection has become a link (where they are counted).
        """

    def close(self) -> None:
        """
        Keep nothing any more.
        """
        self.isClosed = True
        idle, self.idle = self.idle, []
        for link in idle:
            link.close()
