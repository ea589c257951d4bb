"""
A group is the targets of one action: they take turns, connections to them are
kept, and a target that cannot be connected to is passed over for the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from ..interfaces import IUpstream
from ..plane.contexts import clientContext
from .attempt import Attempt, LinkAttempt
from .dial import Means, Secrecy
from .place import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..config.model import Forward, UpstreamTLS
    from ..plane.link import Link, UpstreamFailure
    from ..plane.poller import Poller
    from ..plane.wires import Wire
    from .resolve import Resolver

__all__ = ["Group"]

_NEVER = float("inf")


@implementer(IUpstream)
class Group:
    """
    @ivar tls: As configured.
    """

    def __init__(
        self, reactor: Any, poller: Poller, resolver: Resolver, forward: Forward, connectSeconds: float
    ) -> None:
        """
        @param reactor: For delays.
        @param forward: The targets, at least one.
        @param connectSeconds: How long one attempt may take.
        @raise ValueError: The file of trusted certificates cannot be read.
        """
        self.tls: UpstreamTLS | None = forward.tls
        secrecy = Secrecy(forward.tls, clientContext(forward.tls)) if forward.tls is not None else None
        self._means = Means(reactor, poller, resolver, connectSeconds, secrecy)
        self._targets = forward.targets
        self._places: dict[int, list[Place]] = {}
        self._turn = 0

    def _placesFor(self, port: int) -> list[Place]:
        places = self._places.get(port)
        if places is None:
            shared = next(iter(self._places.values()), None)
            self._places[port] = places = []
            for index, target in enumerate(self._targets):
                if shared is None or target.port is None:
                    places.append(Place(self._means.poller, target, port))
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

    def connect(self, port: int, then: Callable[[Link | UpstreamFailure], None]) -> LinkAttempt:
        """
        See L{IUpstream}.  The target whose turn it was at the last L{borrow}
        is the first to be tried.
        """
        places = self._placesFor(port)
        turn = self._turn
        return LinkAttempt(self._means, [*places[turn:], *places[:turn]], then)

    def dial(
        self, port: int, then: Callable[[Wire | UpstreamFailure, bool, Callable[[], None] | None], None]
    ) -> Attempt:
        """
        See L{IUpstream}.
        """
        places = self._places.get(port) or self._placesFor(port)
        if len(places) == 1:
            return Attempt(self._means, [*places], then)
        self._turn = turn = (self._turn + 1) % len(places)
        return Attempt(self._means, [*places[turn:], *places[:turn]], then)

    def advance(self) -> None:
        """
        It is the next target's turn (for those who do not borrow).
        """
        self._turn = (self._turn + 1) % len(self._targets)

    def close(self) -> None:
        """
        Keep no connection any more; those in use are closed when they end.
        """
        for places in self._places.values():
            for place in places:
                place.close()
