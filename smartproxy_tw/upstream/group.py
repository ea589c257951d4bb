"""
A group is the targets of one action: they take turns, connections to them are
kept, and a target that cannot be connected to is passed over for the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import IUpstream
from ..plane.contexts import clientContext
from ..plane.link import Link, UpstreamFailure
from .dial import Dial, Secrecy

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.model import Forward, Target, UpstreamTLS
    from ..plane.poller import Poller
    from ..plane.wires import Wire
    from .resolve import Resolver

__all__ = ["Group"]

# Kept connections for each target and port, and how long they are kept, in seconds.
_KEPT = 256
_KEPT_SECONDS = 60.0


class _Place:
    """
    A target as a port sees it, with its kept connections: the last one given
    back is the first one lent, so that those not needed grow old.
    """

    __slots__ = ("group", "idle", "name", "port", "target")

    def __init__(self, group: Group, target: Target, port: int) -> None:
        self.group = group
        self.target = target
        self.port = port
        self.name = str(target)
        self.idle: list[Link] = []

    def giveBack(self, link: Link) -> None:
        """
        See L{Lender<smartproxy_tw.plane.link.Lender>}.
        """
        if len(self.idle) >= _KEPT or self.group.isClosed:
            link.close()
            return
        link.deadline = self.group.poller.now + _KEPT_SECONDS
        self.idle.append(link)

    def lost(self, link: Link) -> None:
        """
        See L{Lender<smartproxy_tw.plane.link.Lender>}.
        """
        if link in self.idle:
            self.idle.remove(link)


@implementer(IUpstream)
class Group:
    """
    @ivar poller: Of its connections.
    @ivar tls: As configured.
    @ivar isClosed: Whether its routes are gone: it keeps no connection then.
    """

    def __init__(self, poller: Poller, resolver: Resolver, forward: Forward, connectSeconds: float) -> None:
        """
        @param forward: The targets, at least one.
        @param connectSeconds: How long one attempt may take.
        @raise ValueError: The file of trusted certificates cannot be read.
        """
        self.poller = poller
        self.isClosed = False
        self.tls: UpstreamTLS | None = forward.tls
        self._resolver = resolver
        self._seconds = connectSeconds
        self._secrecy = Secrecy(forward.tls, clientContext(forward.tls)) if forward.tls is not None else None
        self._targets = forward.targets
        self._places: dict[int, list[_Place]] = {}
        self._turn = 0

    def _placesFor(self, port: int) -> list[_Place]:
        places = self._places.get(port)
        if places is None:
            shared = next(iter(self._places.values()), None)
            self._places[port] = places = []
            for index, target in enumerate(self._targets):
                if shared is None or target.port is None:
                    places.append(_Place(self, target, port))
                else:
                    places.append(shared[index])
        return places

    def borrow(self, port: int) -> Link | None:
        """
        See L{IUpstream}.
        """
        places = self._places.get(port) or self._placesFor(port)
        if len(places) > 1:
            self._turn = turn = (self._turn + 1) % len(places)
            idle = places[turn].idle
        else:
            idle = places[0].idle
        if idle:
            link = idle.pop()
            link.deadline = _NEVER
            return link
        return None

    def connect(self, port: int, then: Callable[[Link | UpstreamFailure], None]) -> Connecting:
        """
        See L{IUpstream}.  The target whose turn it was at the last L{borrow}
        is the first to be tried.
        """
        places = self._placesFor(port)
        turn = self._turn
        return Connecting(self, [*places[turn:], *places[:turn]], then)

    def advance(self) -> None:
        """
        It is the next target's turn (for those who do not borrow).
        """
        self._turn = (self._turn + 1) % len(self._targets)

    def dial(
        self, place: _Place, then: Callable[[Wire, bool], None], failed: Callable[[str, bool], None]
    ) -> Dial:
        """
        Try one target.
        """
        dial = Dial(
            self.poller, self._resolver, place.target, place.port, self._seconds, self._secrecy, then, failed
        )
        dial.begin()
        return dial

    def close(self) -> None:
        """
        Keep no connection any more; those in use are closed when they end.
        """
        self.isClosed = True
        for places in self._places.values():
            for place in places:
                idle, place.idle = place.idle, []
                for link in idle:
                    link.close()


_NEVER = float("inf")


class Connecting:
    """
    An attempt at the targets in turn.
    """

    __slots__ = ("_dial", "_failures", "_group", "_isTimeout", "_places", "_then")

    def __init__(
        self, group: Group, places: list[_Place], then: Callable[[Link | UpstreamFailure], None]
    ) -> None:
        self._group = group
        self._places = places
        self._then = then
        self._failures: list[str] = []
        self._isTimeout = False
        self._next()

    def _next(self) -> None:
        place = self._places.pop(0)

        def connected(wire: Wire, isHot: bool) -> None:
            self._then(Link(self._group.poller, wire, place, place.name, isHot))

        def failed(reason: str, isTimeout: bool) -> None:
            self._failures.append(f"{place.name}: {reason}")
            self._isTimeout = isTimeout
            if self._places:
                self._next()
            else:
                self._then(UpstreamFailure("; ".join(self._failures), self._isTimeout))

        self._dial = self._group.dial(place, connected, failed)

    def cancel(self) -> None:
        """
        Nobody wants it any more.
        """
        self._dial.cancel()
