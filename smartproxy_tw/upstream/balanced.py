"""
A balanced group is one for whose targets a configuration says more than that they take
turns: weights, another rule, clients that come back to their own, checks, ejection, or
services that tell by SRV records what there is.

Its places are in tiers: those of the lowest tier in which any can be had share what
there is to do, and the others are the last resort.
"""

from __future__ import annotations

from random import random
from typing import TYPE_CHECKING

from ..plane.census import cell
from .algorithms import IPHash, LeastConnections, SmoothTurns, TwoChoices
from .attempt import Attempt, LinkAttempt
from .counted import CountedPlace
from .crumbs import Crumbs
from .group import Group

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..config.model import Balance, Forward
    from ..plane.half import TargetHalf
    from ..plane.link import UpstreamFailure
    from ..plane.poller import Poller
    from ..plane.wires import Wire
    from .algorithms import Rule
    from .denial import Pending
    from .introduction import Client
    from .place import Place
    from .resolve import Resolver
    from .standings import Standings

__all__ = ["LAST_RESORT", "BalancedGroup", "clientOf"]

#: The tier of targets that have no weight.
LAST_RESORT = 1 << 20

#: A target that is back has at least this part of its share.
_LEAST = 0.1


def clientOf(whose: Any) -> str:
    """
    The address of a client: for HTTP the one that a trusted proxy speaks for.

    @param whose: An exchange or a stream.
    """
    if whose is None:
        return ""
    facts = whose.facts()
    connection = getattr(facts, "connection", None)
    if connection is None:
        host: str = facts.client.host
        return host
    client: str = facts.client or connection.client.host
    return client


class BalancedGroup(Group):
    """
    Chooses by a rule.
    """

    isCounting = True

    def __init__(
        self,
        reactor: Any,
        poller: Poller,
        resolver: Resolver,
        forward: Forward,
        connectSeconds: float,
        standings: Standings | None = None,
        chance: Callable[[], float] = random,
    ) -> None:
        """
        @param chance: A number from 0 to 1, which it is not itself.
        @raise ValueError: As for a L{Group}.
        """
        super().__init__(reactor, poller, resolver, forward, connectSeconds, standings)
        self._rule = _ruleOf(forward.balance, chance)
        self._slow = forward.balance.slowStart
        self._chosen: list[Place] | None = None
        sticky, known = forward.balance.sticky, self._standings
        if sticky is not None:
            self.crumbs = Crumbs(sticky, lambda: known.secret)

    def _newPlaces(self, port: int) -> list[Place]:
        places = super()._newPlaces(port)
        for place in places:
            if not place.target.weight:
                place.tier, place.weight, place.share = LAST_RESORT, 1.0, 1.0
        return places

    # Choosing.

    def _order(self, port: int, whose: Client | None) -> list[Place]:
        """
        @return: Who is to be tried, in this order.
        """
        places = self._placesFor(port)
        now = self._means.poller.now
        if self._slow:
            self._grow(places, now)
        there = [place for place in places if place.breaker is None or place.breaker.admits(now)]
        lowest = min((place.tier for place in there), default=0)
        first = [place for place in there if place.tier == lowest]
        if len(first) > 1:
            client = clientOf(whose) if self._rule.isByClient else ""
            first = self._rule.order(first, client)  # type: ignore[arg-type,assignment]
            if self.crumbs is not None and whose is not None:
                self._prefer(first, self.crumbs, whose)
        if len(first) < len(places):
            known = set(first)
            first += sorted((place for place in places if place not in known), key=_tier)
        return first

    def _isBound(self, whose: Any) -> bool:
        """
        Whether it matters to the client which target it is.
        """
        if self._rule.isByClient:
            return True
        return self.crumbs is not None and whose is not None and bool(self.crumbs.shown(whose.fields()))

    def _prefer(self, places: list[Place], crumbs: Crumbs, whose: Any) -> None:
        """
        Have the client's own target come first, if it is among these.
        """
        shown = crumbs.shown(whose.fields())
        if shown:
            for place in places:
                if crumbs.crumb(place.name) == shown:
                    places.remove(place)
                    places.insert(0, place)
                    return

    def _grow(self, places: list[Place], now: float) -> None:
        """
        Give those that are back what they may have by now.
        """
        for place in places:
            age = now - place.freshAt
            if age < self._slow:
                place.share = place.weight * max(_LEAST, age / self._slow)
            elif place.share != place.weight:
                place.share = place.weight

    def borrow(self, port: int, whose: Client | None = None) -> TargetHalf | None:
        """
        See L{Group}.
        """
        self._requests += 1
        chosen = self._chosen = self._order(port, whose)
        if self._queue or not chosen:
            return None
        place = chosen[0]
        if place.idle:
            self._chosen = None
            return place.lend()
        return None

    def connect(
        self, port: int, then: Callable[[TargetHalf | UpstreamFailure], None], whose: Client | None = None
    ) -> Pending:
        """
        See L{Group}.
        """
        order, self._chosen = self._chosen, None
        if order is None:
            order = self._order(port, whose)
        return LinkAttempt(self._means, order, then, False, whose) if order else self._denial(then)

    def repeat(
        self,
        port: int,
        target: str,
        isStale: bool,
        then: Callable[[TargetHalf | UpstreamFailure], None],
        whose: Client | None = None,
    ) -> Pending | None:
        """
        See L{Group}.
        """
        if not isStale and not self._budget.spend(self._means.poller.now, self._requests):
            return None
        order = self._order(port, whose)
        if not order:
            return self._denial(then)
        if not isStale:
            order.sort(key=lambda place: place.name == target)
        elif not self._isBound(whose):
            order.sort(key=lambda place: (place.tier, place.name == target))
        return LinkAttempt(self._means, order, then, True, whose)

    def dial(
        self,
        port: int,
        then: Callable[[Wire | UpstreamFailure, bool, Callable[[], None] | None], None],
        whose: Client | None = None,
    ) -> Pending:
        """
        See L{Group}.
        """
        order = self._order(port, whose)
        if not order:
            return self._denial(lambda failure: then(failure, False, None))
        return Attempt(self._means, order, then, whose)

    def tell(self, counts: dict[str, int], standing: dict[str, int], now: float = 0.0) -> None:
        """
        See L{Group}.
        """
        super().tell(counts, standing, now)
        for places in self._all.values():
            if self._slow:
                self._grow(places, self._means.poller.now)
        for place in {place: None for places in self._all.values() for place in places}:
            if isinstance(place, CountedPlace) and place.busy:
                name = cell("target_in_use", "-", place.label)
                standing[name] = standing.get(name, 0) + place.busy
            if place.share != place.weight:
                name = cell("target_share", "-", place.label)
                standing[name] = max(standing.get(name, 0), int(1000 * place.share / place.weight))


def _ruleOf(balance: Balance, chance: Callable[[], float]) -> Rule:
    if balance.algorithm == "least-connections":
        return LeastConnections()
    if balance.algorithm == "ip-hash":
        return IPHash()
    return TwoChoices(chance) if balance.algorithm == "random-two-choices" else SmoothTurns()


def _tier(place: Place) -> int:
    return place.tier
