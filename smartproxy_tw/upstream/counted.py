"""
A counted place knows its connections: because there may be only so many, or
because its name may move away from the addresses that they lead to.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..config.model import Ejection
from .place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..config.model import Target
    from ..plane.half import TargetHalf
    from ..plane.poller import Poller
    from .cohort import Cohort
    from .resolve import Resolver

__all__ = ["CountedPlace"]

_USUAL = Ejection()


class CountedPlace(Place):
    """
    @ivar open: Connections that are being made, in use, or kept.
    """

    __slots__ = ("_addresses", "_condemned", "_freed", "_most", "_resolver", "open")

    isCounted = True

    def __init__(
        self,
        poller: Poller,
        resolver: Resolver,
        target: Target,
        port: int,
        most: float,
        freed: Callable[[], None],
        terms: Ejection = _USUAL,
        cohort: Cohort | None = None,
    ) -> None:
        """
        @param most: How many connections there may be; infinity for any
            number.
        @param freed: Called when somebody who waits might be served.
        @param terms: As for a L{Place}.
        @param cohort: Likewise.
        """
        super().__init__(poller, target, port, terms, cohort)
        self._resolver = resolver
        self._most = most
        self._freed = freed
        self.open = 0
        # Where each link leads, and those that lead where the name does not any more.
        self._addresses: dict[object, str] = {}
        self._condemned: set[object] = set()
        if self.where is None:
            resolver.watch(target.host, self)

    @property
    def hasRoom(self) -> bool:
        """
        See L{Place}.
        """
        return self.open < self._most

    @property
    def busy(self) -> int:
        """
        Connections that are being made or in use.
        """
        return self.open - len(self.idle)

    @property
    def isInUse(self) -> bool:
        """
        See L{Watcher<smartproxy_tw.upstream.resolve.Watcher>}.
        """
        return self.open > 0

    def moved(self, addresses: Sequence[str]) -> None:
        """
        See L{Watcher<smartproxy_tw.upstream.resolve.Watcher>}.
        """
        here = set(addresses)
        self._condemned = {link for link, address in self._addresses.items() if address not in here}
        for link in [link for link in self.idle if link in self._condemned]:
            link.close()

    def giveBack(self, link: TargetHalf) -> None:
        """
        See L{Place}.
        """
        if link in self._condemned:
            self.retire(link)
            return
        super().giveBack(link)
        self._freed()

    def lost(self, link: TargetHalf) -> None:
        """
        See L{Place}.
        """
        super().lost(link)
        self._forget(link)
        self.left()

    def released(self, link: TargetHalf) -> Callable[[], None]:
        """
        See L{Place}.
        """
        super().released(link)
        self._forget(link)
        return self.left

    def _forget(self, link: object) -> None:
        self._addresses.pop(link, None)
        self._condemned.discard(link)

    def taken(self) -> None:
        """
        See L{Place}.
        """
        self.open += 1

    def left(self) -> None:
        """
        See L{Place}.
        """
        self.open -= 1
        self._freed()

    def welcome(self, link: TargetHalf) -> None:
        """
        See L{Place}.
        """
        if self.where is None:
            with suppress(OSError):
                self._addresses[link] = link.wire.sock.getpeername()[0]

    def close(self) -> None:
        """
        See L{Place}.
        """
        super().close()
        if self.where is None:
            self._resolver.unwatch(self.target.host, self)
