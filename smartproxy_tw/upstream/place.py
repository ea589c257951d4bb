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

from ..config.model import Ejection
from ..plane.link import Link
from ..plane.poller import ARRIVALS, unheard
from ..plane.wires import PlainWire
from .resolve import isLiteral

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.model import Target
    from ..plane.half import TargetHalf
    from ..plane.poller import Poller
    from ..plane.wires import Wire
    from .breaker import Breaker
    from .cohort import Cohort

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
_USUAL = Ejection()

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
    @ivar isPrompt: Whether a connection to it may be there L{at once<atOnce>}: it is on this
        machine, nothing is to be said to it first, and nobody counts.
    @ivar family: That of the address that won the last race: the next one
        begins with it.  C{localhost} would otherwise cost a refusal each time,
        where a server listens on just one of its two addresses.
    @ivar idle: The links that are kept.
    @ivar isClosed: Whether nothing is kept any more.
    @ivar breaker: L{None} for as long as it does what it should.
    @ivar weight: Its share when all is well.
    @ivar share: Its share just now.
    @ivar credit: For whoever chooses among places.
    @ivar tier: Whoever is in the lowest one that can be had is chosen.
    @ivar isHalted: Whether nothing new is to go there: it is drained, or known to be
        unhealthy.
    @ivar freshAt: When it could be had again, on the poller's clock.
    @ivar label: What it is counted by.
    @ivar isCounted: Whether it has to be told of every connection.
    @ivar hasRoom: Whether another connection to it may be made.
    @ivar requests: How many were sent to it, since that was last taken.
    @ivar failures: How often it could not be connected to, or did not answer as it
        should, likewise.
    """

    __slots__ = (
        "_cohort",
        "_hasErred",
        "_isTold",
        "_kept",
        "_past",
        "_poller",
        "_terms",
        "_toldAt",
        "breaker",
        "credit",
        "failures",
        "family",
        "freshAt",
        "idle",
        "isClosed",
        "isHalted",
        "isPrompt",
        "label",
        "name",
        "port",
        "requests",
        "share",
        "target",
        "tier",
        "weight",
        "where",
    )

    isCounted = False

    def __init__(
        self,
        poller: Poller,
        target: Target,
        port: int,
        terms: Ejection = _USUAL,
        cohort: Cohort | None = None,
    ) -> None:
        """
        @param port: The local port, for a target without one of its own.
        @param terms: When it is passed over.
        @param cohort: The alternatives to it.
        """
        self._poller = poller
        self.target = target
        self.port = port if target.port is None else target.port
        self.name = str(target)
        isAddress = self.port == 0 or isLiteral(target.host)
        self.where = where(target.host, self.port) if isAddress else None
        isHere = isAddress and (self.port == 0 or target.host.startswith("127.") or target.host == "::1")
        self.isPrompt = isHere and not self.isCounted and target.proxyHeader is None
        self.idle: list[TargetHalf] = []
        # What one client was introduced on is never lent for another.
        self._kept = _KEPT if target.proxyHeader is None else 0
        self.isClosed = False
        self.breaker: Breaker | None = None
        self._terms = terms
        self._cohort = cohort
        # How often it was passed over of late, and when that ended.
        self._past = 0, -_NEVER
        self.label = self.name
        self.weight = self.share = float(target.weight)
        self.credit = 0.0
        self.tier = 0
        self.isHalted = False
        self.freshAt = -_NEVER
        self.requests = self.failures = 0
        self.family = 0
        self._isTold = self._hasErred = False
        self._toldAt = -_QUIET

    @property
    def hasRoom(self) -> bool:
        """
        See above.
        """
        return True

    # What a lender does: see L{Lender<smartproxy_tw.plane.link.Lender>}.

    def giveBack(self, link: TargetHalf) -> None:
        """
        It has given a whole answer, and can carry another.
        """
        if self._hasErred:
            self._hasErred = False
        elif self.breaker is not None:
            self.answered()
        self.keep(link)

    def keep(self, link: TargetHalf) -> None:
        """
        Keep it for who comes next, if it is wanted.
        """
        if len(self.idle) >= self._kept or self.isClosed or self.isHalted:
            link.close()
            return
        link.deadline = self._poller.now + _KEPT_SECONDS
        self.idle.append(link)

    def retire(self, link: TargetHalf) -> None:
        """
        It has given a whole answer, and is to be closed.
        """
        if self._hasErred:
            self._hasErred = False
        elif self.breaker is not None:
            self.answered()
        link.close()

    def lost(self, link: TargetHalf) -> None:
        """
        It has been closed.
        """
        if link in self.idle:
            self.idle.remove(link)

    def released(self, link: TargetHalf) -> Callable[[], None] | None:
        """
        It goes on as a tunnel.

        @return: What is to be called when that has ended, if anything.
        """
        if self.breaker is not None:
            self.answered()
        return None

    # How well it does.

    def erred(self, status: int) -> None:
        """
        See L{Lender<smartproxy_tw.plane.link.Lender>}: whether that is a failure is said by the terms.
        """
        if status in self._terms.statuses:
            self.failed(f"it answers with {status}")
            self._hasErred = True

    def failed(self, reason: str) -> None:
        """
        It could not be connected to, or did not answer as it should.

        @param reason: Why; nothing happens when that is this machine's own.
        """
        if reason in _OUR_OWN:
            return
        self.failures += 1
        now = self._poller.now
        breaker = self.breaker
        if breaker is None:
            openings, since = self._past
            isRecent = now - since < max(self._terms.longest, self._terms.seconds)
            from .breaker import Breaker

            breaker = self.breaker = Breaker(self._terms, self._cohort, openings if isRecent else 0)
        if breaker.failed(now):
            self._drop()
            # One that only connects, or comes and goes, would say both again and again.
            if not self._isTold and now - self._toldAt >= _QUIET:
                self._isTold = True
                self._toldAt = now
                _log.warn(
                    "Target {target} is passed over: {count} failures in a row, the last one: {reason}; "
                    "it is tried again after {pause:g} s, or when there is no other",
                    target=self.name,
                    count=self._terms.failures,
                    reason=reason,
                    pause=breaker.until - now,
                )

    def reached(self) -> None:
        """
        It is connected, which does not say that it will answer.
        """
        if self.breaker is not None:
            if self.breaker.state != "closed":
                self.freshAt = self._poller.now
            self.breaker.reached()

    def answered(self) -> None:
        """
        It has done what it should.
        """
        if self._isTold:
            self._isTold = False
            _log.info("Target {target} can be had again", target=self.name)
        breaker, self.breaker = self.breaker, None
        if breaker is not None:
            if breaker.state != "closed":
                self.freshAt = self._poller.now
            breaker.answered()
            self._past = breaker.openings, self._poller.now

    def probed(self) -> None:
        """
        Somebody tries it although its breaker is open.
        """
        if self.breaker is not None:
            self.breaker.probed(self._poller.now)

    def abandoned(self) -> None:
        """
        Whoever tried it has lost interest.
        """
        if self.breaker is not None:
            self.breaker.abandoned(self._poller.now)

    @property
    def isAway(self) -> bool:
        """
        Whether it is passed over.
        """
        return self.breaker is not None and self.breaker.state != "closed"

    def halt(self, isHalted: bool) -> None:
        """
        Send nothing new there; or do so again.
        """
        if isHalted is not self.isHalted:
            self.isHalted = isHalted
            if isHalted:
                self._drop()
            else:
                self.freshAt = self._poller.now

    def _drop(self) -> None:
        idle, self.idle = self.idle, []
        for link in idle:
            link.close()

    # Links and connections.

    def atOnce(self) -> PlainWire | None:
        """
        Connect to one that is L{isPrompt}, and wait for nothing.

        @return: Registered with the poller; L{None} where there is more to it: whoever waits will know.
        """
        assert self.where is not None
        family, address = self.where
        sock = reach(family, address)
        if isinstance(sock, str):
            return None
        # On the loopback interface both sides have done their part by now, which only a second call is told.
        if family != socket.AF_UNIX and sock.connect_ex(address):
            sock.close()
            return None
        wire = PlainWire(sock, False, self._poller)
        self._poller.add(wire.fd, unheard, ARRIVALS)
        return wire

    def lend(self, isFresh: bool = False) -> TargetHalf | None:
        """
        @param isFresh: As for L{canLend}.
        @return: A kept link, if there is one.
        """
        if not self.canLend(isFresh):
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

    def linked(self, wire: Wire, isHot: bool) -> TargetHalf:
        """
        A connection is made: make it a link.

        @param isHot: Whether it may have something to read already.
        """
        return self.linkedAlone(wire, isHot)

    def linkedAlone(self, wire: Wire, isHot: bool) -> Link:
        """
        Likewise, for one that is to carry one exchange at a time.
        """
        return Link(self._poller, wire, self, self.name, isHot)

    def canLend(self, isFresh: bool) -> bool:
        """
        Whether there is something for L{lend} to give.

        @param isFresh: Whether it has to be one that its target cannot have closed.
        """
        return bool(self.idle) and not isFresh

    def welcome(self, link: TargetHalf) -> None:
        """
        A connection has become a link (where they are counted).
        """

    def close(self) -> None:
        """
        Keep nothing any more.
        """
        self.isClosed = True
        if self.breaker is not None:
            # It counts no more among those that are passed over.
            self.breaker.answered()
        self._drop()
