"""
A serviced group has services among its targets, which tell by SRV records what there
is: places come and go with the records, and those that stay keep their connections.

What a service has is counted under the name of the service, so that nobody who writes
records can make up names in our figures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..plane.census import cell
from .balanced import LAST_RESORT, BalancedGroup
from .expectation import Expectation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..config.model import Forward, Target
    from ..plane.half import TargetHalf
    from ..plane.link import UpstreamFailure
    from ..plane.poller import Poller
    from ..plane.wires import Wire
    from .denial import Pending
    from .introduction import Client
    from .place import Place
    from .resolve import Resolver
    from .services import Member, Services
    from .standings import Standings

__all__ = ["ServicedGroup", "ranked"]


def ranked(members: Sequence[Member], weight: int) -> list[tuple[Member, int, float]]:
    """
    What the records say of each (RFC 2782).

    @param members: What a service has.
    @param weight: That of the service beside other targets.
    @return: Each with its tier, and with its share.
    """
    tiers = sorted({each.priority for each in members})
    found = []
    for member in members:
        peers = [each.weight for each in members if each.priority == member.priority]
        # Among others a weight of 0 has a very small chance; where all have it they share.
        own = member.weight or (0.1 if any(peers) else 1.0)
        total = sum(each or (0.1 if any(peers) else 1.0) for each in peers)
        tier = tiers.index(member.priority) + (0 if weight else LAST_RESORT)
        found.append((member, tier, max(weight, 1) * own / total))
    return found


class ServicedGroup(BalancedGroup):
    """
    Watches services.
    """

    def __init__(
        self,
        reactor: Any,
        poller: Poller,
        resolver: Resolver,
        forward: Forward,
        connectSeconds: float,
        standings: Standings | None,
        services: Services,
    ) -> None:
        """
        @param services: Knows what they have.
        @raise ValueError: As for a L{Group<smartproxy_tw.upstream.group.Group>}.
        """
        super().__init__(reactor, poller, resolver, forward, connectSeconds, standings)
        self._services = services
        self._offered = {each.host: each for each in forward.targets if each.isService}
        self._targets = tuple(each for each in forward.targets if not each.isService)
        self._members: dict[str, dict[tuple[str, int], Place]] = {}
        self._expecting: dict[Expectation, None] = {}
        for name in self._offered:
            services.watch(name, self)

    def found(self, name: str, members: Sequence[Member]) -> None:
        """
        See L{Watcher<smartproxy_tw.upstream.services.Watcher>}.
        """
        service = self._offered[name]
        known = self._members.get(name)
        before = known or {}
        now: dict[tuple[str, int], Place] = {}
        for member, tier, share in ranked(members, service.weight):
            key = member.host, member.port
            place = before.get(key)
            if place is None:
                place = self._join(service, member, isLate=known is not None)
            place.tier, place.weight, place.share = tier, share, share
            now[key] = place
        self._members[name] = now
        for key, place in before.items():
            if key not in now:
                self._cohort.size -= 1
                place.close()
        gone = set(before.values()) - set(now.values())
        fresh = [place for key, place in now.items() if key not in before]
        for port, places in self._all.items():
            self._all[port] = [*(each for each in places if each not in gone), *fresh]
            self._admit(port)
        self._chosen = None
        if self._isKnown:
            expecting, self._expecting = self._expecting, {}
            for each in expecting:
                each.go()

    def _join(self, service: Target, member: Member, isLate: bool) -> Place:
        target = replace(service, host=member.host, port=member.port, isService=False)
        place = self._place(target, 0)
        place.label = str(service)
        if isLate:
            place.freshAt = self._means.poller.now
        return place

    def _newPlaces(self, port: int) -> list[Place]:
        offered = [place for places in self._members.values() for place in places.values()]
        return [*super()._newPlaces(port), *offered]

    @property
    def _isKnown(self) -> bool:
        return len(self._members) == len(self._offered)

    def _expect(self, begin: Callable[[], Any], giveUp: Callable[[UpstreamFailure], None]) -> Expectation:
        expectation = Expectation(self._means.poller, self._means.seconds, begin, giveUp, self._expected)
        self._expecting[expectation] = None
        return expectation

    def _expected(self, expectation: Expectation) -> None:
        self._expecting.pop(expectation, None)

    def connect(
        self, port: int, then: Callable[[TargetHalf | UpstreamFailure], None], whose: Client | None = None
    ) -> Pending:
        """
        See L{BalancedGroup}.
        """
        if self._isKnown:
            return super().connect(port, then, whose)
        return self._expect(lambda: super(ServicedGroup, self).connect(port, then, whose), then)

    def dial(
        self,
        port: int,
        then: Callable[[Wire | UpstreamFailure, bool, Callable[[], None] | None], None],
        whose: Client | None = None,
    ) -> Pending:
        """
        See L{BalancedGroup}.
        """
        if self._isKnown:
            return super().dial(port, then, whose)
        return self._expect(
            lambda: super(ServicedGroup, self).dial(port, then, whose),
            lambda failure: then(failure, False, None),
        )

    def tell(self, counts: dict[str, int], standing: dict[str, int], now: float = 0.0) -> None:
        """
        See L{BalancedGroup}.  Also what its services have.
        """
        super().tell(counts, standing, now)
        for name, places in self._members.items():
            for place in places.values():
                word = "drained" if place.isHalted else "ejected" if place.isAway else "well"
                known = cell("target_member", word, f"{self._offered[name]} {place.name}")
                standing[known] = standing.get(known, 0) + 1
                if place.isAway:
                    known = cell("target_until", "member", f"{self._offered[name]} {place.name}")
                    standing[known] = max(standing.get(known, 0), self._until(place, now))

    def close(self) -> None:
        """
        See L{BalancedGroup}.
        """
        for name in self._offered:
            self._services.unwatch(name, self)
        super().close()
        for places in self._members.values():
            for place in places.values():
                place.close()
