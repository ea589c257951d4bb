"""
What stands in for a certificate until it is there: names that come together, since one
went and two parts fit into one, or since routes were put together, were served by
several certificates before.  Each goes on being served by a valid one, as long as there
is none for all of them.

The certificate that covers most is shown for all that it covers by
L{AutoCertificate<smartproxy_tw.service.automatic.AutoCertificate>} itself; here is the
rest.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from ..config.model import Auto, Config, Route, Several

if TYPE_CHECKING:
    from ..interfaces import IPlane
    from .automatic import AutoCertificate
    from .stock import Stock

__all__ = ["StandIns"]


class StandIns:
    """
    Those of one proxy.
    """

    def __init__(self, plane: IPlane, clock: IReactorTime) -> None:
        """
        @param plane: What serves.
        @param clock: The time, POSIX seconds.
        """
        self._plane = plane
        self._clock = clock
        self._parts: dict[str, tuple[Auto, ...]] = {}

    async def find(
        self, certificates: Iterable[AutoCertificate], stored: Stock, served: Container[str] = ()
    ) -> None:
        """
        Have the data path know what there is for the names that have to do without.
        They are shown once it uses what L{into} makes of its routes.

        @param certificates: Loaded.
        @param stored: What rests in the store.
        @param served: The identities that somebody sees to already.
        """
        for each in certificates:
            missing = each.standing.uncovered
            if not missing:
                continue
            parts = []
            for names, credential in stored.standIns(missing, self._clock.seconds()):
                part = Auto(names)
                try:
                    if part.key not in served:
                        await self._plane.install(part.key, credential)
                except ValueError:
                    # Whoever loads it for itself has told it.
                    continue
                parts.append(part)
            if parts:
                self._parts[each.auto.key] = tuple(parts)

    def has(self, key: str) -> bool:
        """
        Whether anything stands in for a certificate.

        @param key: Its identity.
        """
        return key in self._parts

    def needs(self, key: str) -> bool:
        """
        Whether a certificate stands in for another one.

        @param key: Its identity.
        """
        return any(part.key == key for parts in self._parts.values() for part in parts)

    def drop(self, key: str) -> tuple[str, ...]:
        """
        The certificate is there, or is not needed any more.

        @param key: Its identity.
        @return: The identities of those that stood in for it.
        """
        return tuple(part.key for part in self._parts.pop(key, ()))

    def into(self, config: Config) -> Config:
        """
        A configuration whose routes show what stands in.

        @return: The same, where nothing does.
        """
        if not self._parts:
            return config
        return replace(config, routes=tuple(map(self._route, config.routes)))

    def _route(self, route: Route) -> Route:
        tls = route.tls
        if tls is None or not isinstance(tls.certificate, Auto | Several):
            return route
        whole = [each for each in tls.sources if isinstance(each, Auto)]
        parts = [part for each in whole for part in self._parts.get(each.key, ())]
        if not parts:
            return route
        # For each name the last one counts.
        several = Several(tls.certificate.names, (*whole, *parts))
        return replace(route, tls=replace(tls, certificate=several))
