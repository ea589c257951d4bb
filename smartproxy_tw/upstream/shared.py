"""
A shared place is a target whose connections carry many exchanges at a time (HTTP/2), or
may turn out to: what it keeps for lending are strands of them.

A connection that is being made may be for everybody who waits.  So there is no room for
another one until it is known whether it is, and for how many; whoever comes meanwhile
waits in the queue of the group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plane.strand import Strand
from ..plane.trunk import Trunk
from .attempt import DetourAttempt
from .counted import CountedPlace
from .place import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..config.model import Target
    from ..plane.half import TargetHalf
    from ..plane.link import Link, UpstreamFailure
    from ..plane.wires import Wire
    from .dial import Means
    from .introduction import Client

__all__ = ["SharedPlace"]


class SharedPlace(CountedPlace):
    """
    One of them; see L{Keeper<smartproxy_tw.plane.trunk.Keeper>} too.
    """

    __slots__ = ("_dialled", "_isShared", "_means", "_scheme", "_trunks", "_unsettled")

    def __init__(
        self, means: Means, target: Target, port: int, most: float, freed: Callable[[], None], *others: Any
    ) -> None:
        """
        @param most: As for a L{CountedPlace}, of connections.
        @param freed: Likewise.
        @param others: Likewise.
        """
        super().__init__(means.poller, means.resolver, target, port, most, freed, *others)
        self._means = means
        self._scheme = b"http" if means.secrecy is None else b"https"
        # Whether the target shares its connections; None where that is its to say and it has not yet.
        self._isShared: bool | None = target.protocol != "auto" or None
        if target.protocol == "auto" and means.secrecy is None:
            self._isShared = False
        # Connections that are being made, and those of which it is not known for how many they are.
        self._dialled = 0
        self._unsettled: set[Trunk] = set()
        self._trunks: set[Trunk] = set()

    @property
    def hasRoom(self) -> bool:
        """
        See L{Place}.
        """
        if self._isShared is not False and (self._dialled or self._unsettled):
            return False
        return self.open < self._most

    @property
    def busy(self) -> int:
        """
        Exchanges that are carried, and connections that are being made or carry one alone.
        """
        kept = sum(not isinstance(link, Strand) for link in self.idle)
        return sum(trunk.busy for trunk in self._trunks) + self.open - len(self._trunks) - kept

    # Connections that are made.

    def taken(self) -> None:
        """
        See L{Place}.
        """
        self._dialled += 1
        super().taken()

    def left(self) -> None:
        """
        See L{Place}.  One that was being made came to nothing.
        """
        self._dialled -= 1
        super().left()

    def linked(self, wire: Wire, isHot: bool) -> TargetHalf:
        """
        See L{Place}.
        """
        if self.target.protocol == "auto":
            secured = getattr(wire, "connection", None)
            self._isShared = secured is not None and secured.get_alpn_proto_negotiated() == b"h2"
        if not self._isShared:
            return self.linkedAlone(wire, isHot)
        self._dialled -= 1
        trunk = Trunk(self._poller, wire, self, self.name, isHot, self._scheme, self._means.seconds)
        self._unsettled.add(trunk)
        self._trunks.add(trunk)
        return trunk.first()

    def linkedAlone(self, wire: Wire, isHot: bool) -> Link:
        """
        See L{Place}.
        """
        self._dialled -= 1
        self._freed()
        return super().linkedAlone(wire, isHot)

    def welcome(self, link: Any) -> None:
        """
        See L{Place}.
        """
        whole: Any = link.trunk if isinstance(link, Strand) else link
        super().welcome(whole)

    def settled(self, trunk: Trunk) -> None:
        """
        See L{Keeper<smartproxy_tw.plane.trunk.Keeper>}.
        """
        self._unsettled.discard(trunk)
        self._freed()

    def detour(self, then: Callable[[TargetHalf | UpstreamFailure], None], whose: Client) -> DetourAttempt:
        """
        See L{Keeper<smartproxy_tw.plane.trunk.Keeper>}.
        """
        return DetourAttempt(self._means, [self], then, True, whose)

    # What is kept.

    def keep(self, link: TargetHalf) -> None:
        """
        See L{Place}.
        """
        if isinstance(link, Strand):
            if link.trunk in self._condemned:
                link.close()
                return
        elif self._isShared:
            # It was for something that a shared connection could not do.
            link.close()
            return
        super().keep(link)
        self._freed()

    def withdraw(self, strand: TargetHalf) -> None:
        """
        See L{Keeper<smartproxy_tw.plane.trunk.Keeper>}.
        """
        if strand in self.idle:
            self.idle.remove(strand)

    def canLend(self, isFresh: bool) -> bool:
        """
        See L{Place}.  Of a shared connection it is known soon when it is gone: they need
        not be fresh.
        """
        return bool(self.idle) and not (isFresh and not isinstance(self.idle[-1], Strand))

    def evict(self) -> None:
        """
        See L{Place}.
        """
        for link in self.idle:
            if not isinstance(link, Strand) or link.trunk.isIdle:
                link.close()
                return

    def moved(self, addresses: Any) -> None:
        """
        See L{Watcher<smartproxy_tw.upstream.resolve.Watcher>}.
        """
        super().moved(addresses)
        for each in list(self._condemned):
            if isinstance(each, Trunk):
                each.retire()

    # What becomes of them.

    def done(self) -> None:
        """
        See L{Keeper<smartproxy_tw.plane.trunk.Keeper>}.
        """
        if self._hasErred:
            self._hasErred = False
        elif self.breaker is not None:
            self.answered()

    def lost(self, link: Any) -> None:
        """
        See L{Place}.
        """
        self._unsettled.discard(link)
        self._trunks.discard(link)
        Place.lost(self, link)
        self._forget(link)
        self._ended()

    def released(self, link: TargetHalf) -> Callable[[], None]:
        """
        See L{Place}.
        """
        super().released(link)
        return self._ended

    def _ended(self) -> None:
        """
        A connection that was made has ended.
        """
        super().left()

    def close(self) -> None:
        """
        See L{Place}.
        """
        super().close()
        for trunk in list(self._trunks):
            trunk.retire()
