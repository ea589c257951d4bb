"""
A proxy as another process sees it that is to take its place: what it leaves, and the steps
by which it makes room.

They concern the life that goes on (L{smartproxy_tw.service.departure}).  In which order they come
is known to L{smartproxy_tw.service.upgrading}, which asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from .following import Following
    from .handover import Estate
    from .lives import Lives

__all__ = ["Testator"]


class Testator:
    """
    Through all lives of one proxy; it provides L{smartproxy_tw.service.upgrading.Subject}, where the
    steps are described.
    """

    def __init__(self, lives: Lives, following: Following) -> None:
        """
        @param lives: Those of the proxy.
        @param following: Has its files watched, until it departs.
        """
        self._lives = lives
        self._following = following

    @property
    def diverted(self) -> Mapping[str, float]:
        """
        Since when which targets are drained.
        """
        return self._lives.current.diverted

    def whenReady(self) -> Deferred[None]:
        """
        Wait until everything is served.
        """
        return self._lives.current.whenReady()

    def estate(self) -> Estate:
        """
        What another process needs to take the place of this one.

        @raise UpgradeRefused: It cannot be handed over.
        """
        return self._lives.current.departure.estate()

    def rest(self) -> Deferred[None]:
        """
        Order nothing and change nothing any more.
        """
        return Deferred.fromCoroutine(self._lives.current.departure.rest())

    def resume(self) -> Deferred[None]:
        """
        Go on after L{rest}.
        """
        return Deferred.fromCoroutine(self._lives.current.departure.resume())

    def giveWay(self, process: int) -> None:
        """
        Say that this one is not ready, as another process serves as well.
        """
        self._lives.current.departure.giveWay(process)

    def depart(self) -> Deferred[None]:
        """
        Close the ports here, where another process serves.
        """
        self._following.stop()
        return Deferred.fromCoroutine(self._lives.current.departure.depart())
