"""
An attempt is the way to a connection to any target of a group: the places are
dialled in turn until one answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plane.link import Link, UpstreamFailure
from .dial import Dial

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plane.wires import Wire
    from .dial import Means
    from .place import Place

__all__ = ["Attempt", "LinkAttempt"]


class Attempt(Dial):
    """
    Ends in a bare connection.
    """

    __slots__ = ("_failures", "_places", "_then")

    def __init__(
        self,
        means: Means,
        places: list[Place],
        then: Callable[[Wire | UpstreamFailure, bool, Callable[[], None] | None], None],
    ) -> None:
        """
        Begin.

        @param places: In the order to be tried, at least one; the list becomes
            the attempt's.
        @param then: See L{IUpstream.dial<smartproxy_tw.interfaces.IUpstream.dial>}.
        """
        super().__init__(means)
        self._places = places
        self._then = then
        self._failures: list[str] = []
        self.begin(places.pop(0))

    def arrived(self, wire: Wire, isHot: bool) -> None:
        """
        See L{Dial}.
        """
        self._then(wire, isHot, None)

    def failed(self, reason: str, isTimeout: bool) -> None:
        """
        See L{Dial}.  The next place has its chance.
        """
        self._failures.append(f"{self._place.name}: {reason}")
        if self._places:
            self.begin(self._places.pop(0))
        else:
            self.giveUp(UpstreamFailure("; ".join(self._failures), isTimeout))

    def giveUp(self, failure: UpstreamFailure) -> None:
        """
        Tell whoever waits.
        """
        self._then(failure, False, None)


class LinkAttempt(Attempt):
    """
    Ends in a link, for HTTP.
    """

    __slots__ = ("_whenLinked",)

    def __init__(
        self, means: Means, places: list[Place], then: Callable[[Link | UpstreamFailure], None]
    ) -> None:
        """
        Begin.

        @param places: As for an L{Attempt}.
        @param then: See L{IUpstream.connect<smartproxy_tw.interfaces.IUpstream.connect>}.
        """
        self._whenLinked = then
        super().__init__(means, places, self._linked)

    def _linked(self, outcome: Wire | UpstreamFailure, isHot: bool, ended: Callable[[], None] | None) -> None:
        if isinstance(outcome, UpstreamFailure):
            self._whenLinked(outcome)
        else:
            place = self._place
            self._whenLinked(Link(self._means.poller, outcome, place, place.name, isHot))
