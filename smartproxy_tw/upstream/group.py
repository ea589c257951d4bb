"""
A group is the targets of one action: they take turns, connections to them are
kept, and a target that cannot be connected to is passed over for the next.  One that is
drained, or known to be unhealthy, has no turns; where all are, nobody is served.

What it counts and bounds is that of this process.  This is the group whose targets
simply take turns; where a configuration says more there is a
L{BalancedGroup<smartproxy_tw.upstream.balanced.BalancedGroup>}.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

from zope.interface import implementer

from ..interfaces import IUpstream
from ..plane.census import cell
from ..plane.contexts import clientContext
from .attempt import Attempt, LinkAttempt
from .budget import Budget
from .cohort import Cohort
from .counted import CountedPlace
from .denial import Denial
from .dial import Means, Secrecy, offered
from .place import Place
from .resolve import isLiteral
from .standings import Standings
from .waiting import Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ..config.model import Forward, Target, UpstreamTLS
    from ..plane.half import TargetHalf
    from ..plane.link import UpstreamFailure
    from ..plane.poller import Poller
    from ..plane.wires import Wire
    from .crumbs import Crumbs
    from .denial import Pending
    from .introduction import Client
    from .resolve import Resolver

__all__ = ["Group"]

_NEVER = float("inf")


@implementer(IUpstream)
class Group:
    """
    @ivar tls: As configured.
    @ivar crumbs: See L{IUpstream}.
    """

    #: Whether every place has to be told of every connection.
    isCounting = False

    def __init__(
        self,
        reactor: Any,
        poller: Poller,
        resolver: Resolver,
        forward: Forward,
        connectSeconds: float,
        standings: Standings | None = None,
    ) -> None:
        """
        @param reactor: For delays.
        @param forward: The targets, at least one.
        @param connectSeconds: How long one attempt may take.
        @param standings: What is known of targets.
        @raise ValueError: The file of trusted certificates cannot be read.
        """
        self.tls: UpstreamTLS | None = forward.tls
        self.crumbs: Crumbs | None = None
        secrecy = Secrecy(forward.tls, clientContext(forward.tls)) if forward.tls is not None else None
        if secrecy is not None:
            for target in forward.targets:
                secrecy.offer(offered(target))
                secrecy.offer(offered(target, True))
        pool = forward.pool
        self._most = _NEVER if pool.connections is None else pool.connections
        self._queue = None
        # By port: all of them, and those that may be chosen.
        self._all: dict[int, list[Place]] = {}
        self._places: dict[int, list[Place]] = {}
        self._forward = forward
        self._standings = standings or Standings()
        self._cohort = Cohort()
        if pool.connections is not None:
            self._queue = Queue(poller, pool.queue, pool.wait, partial(_isAnyFree, self._all))
        elif any(target.protocol != "http/1.1" for target in forward.targets):
            # They wait for a connection that is being made, and may be for all of them.
            self._queue = Queue(poller, _NEVER, connectSeconds, partial(_isAnyFree, self._all))
        self._freed = _waking(self._queue)
        self._means = Means(reactor, poller, resolver, connectSeconds, secrecy, self._queue)
        self._targets = forward.targets
        self._turn = 0
        self._requests = 0
        self._budget = Budget(poller.now)

    def _placesFor(self, port: int) -> list[Place]:
        """
        Those that may be chosen.
        """
        if port not in self._all:
            self._all[port] = self._newPlaces(port)
            self._admit(port)
        return self._places[port]

    def _newPlaces(self, port: int) -> list[Place]:
        shared = next(iter(self._all.values()), None)
        places = []
        for index, target in enumerate(self._targets):
            if shared is None or target.port is None:
                places.append(self._place(target, port))
            else:
                places.append(shared[index])
        return places

    def _place(self, target: Target, port: int) -> Place:
        means, terms = self._means, self._forward.health.passive
        self._cohort.size += 1
        if target.protocol != "http/1.1":
            from .shared import SharedPlace

            return SharedPlace(means, target, port, self._most, self._freed, terms, self._cohort)
        if not self.isCounting and self._queue is None and (target.port == 0 or isLiteral(target.host)):
            return Place(means.poller, target, port, terms, self._cohort)
        return CountedPlace(
            means.poller, means.resolver, target, port, self._most, self._freed, terms, self._cohort
        )

    def heed(self) -> None:
        """
        What is known of targets has changed: look again.
        """
        for port in self._all:
            self._admit(port)
        self._freed()

    def _admit(self, port: int) -> None:
        for place in self._all[port]:
            place.halt(self._objection(place) is not None)
        self._places[port] = [place for place in self._all[port] if not place.isHalted]

    def _objection(self, place: Place) -> str | None:
        return self._standings.objection(self._forward, place.target, place.label)

    def _denial(self, then: Callable[[UpstreamFailure], None]) -> Denial:
        told = {place.name: self._objection(place) for places in self._all.values() for place in places}
        reason = "; ".join(f"{name}: {why}" for name, why in told.items() if why)
        return Denial(self._means.poller, f"no target can be had: {reason or 'there is none'}", then)

    def borrow(self, port: int, whose: Client | None = None) -> TargetHalf | None:
        """
        See L{IUpstream}.
        """
        self._requests += 1
        if self._queue:
            # Others were here before.
            return None
        places = self._places.get(port) or self._placesFor(port)
        if len(places) > 1:
            self._turn = turn = (self._turn + 1) % len(places)
            idle = places[turn].idle
        elif places:
            idle = places[0].idle
        else:
            return None
        if idle:
            link = idle.pop()
            link.deadline = _NEVER
            return link
        return None

    def connect(
        self, port: int, then: Callable[[TargetHalf | UpstreamFailure], None], whose: Client | None = None
    ) -> Pending:
        """
        See L{IUpstream}.  The target whose turn it was at the last L{borrow}
        is the first to be tried.
        """
        places = self._placesFor(port)
        if not places:
            return self._denial(then)
        turn = self._turn
        return LinkAttempt(self._means, [*places[turn:], *places[:turn]], then, False, whose)

    def repeat(
        self,
        port: int,
        target: str,
        isStale: bool,
        then: Callable[[TargetHalf | UpstreamFailure], None],
        whose: Client | None = None,
    ) -> Pending | None:
        """
        See L{IUpstream}.
        """
        if not isStale and not self._budget.spend(self._means.poller.now, self._requests):
            return None
        places = self._placesFor(port)
        if not places:
            return self._denial(then)
        turn = self._turn
        order = [*places[turn:], *places[:turn]]
        order.sort(key=lambda place: place.name == target)
        return LinkAttempt(self._means, order, then, True, whose)

    def dial(
        self,
        port: int,
        then: Callable[[Wire | UpstreamFailure, bool, Callable[[], None] | None], None],
        whose: Client | None = None,
    ) -> Pending | None:
        """
        See L{IUpstream}.
        """
        places = self._places.get(port) or self._placesFor(port)
        if not places:
            return self._denial(lambda failure: then(failure, False, None))
        turn = 0
        if len(places) > 1:
            self._turn = turn = (self._turn + 1) % len(places)
        place = places[turn]
        if place.isPrompt and place.breaker is None and self._means.secrecy is None:
            wire = place.atOnce()
            if wire is not None:
                then(wire, False, None)
                return None
        return Attempt(self._means, [*places[turn:], *places[:turn]], then, whose)

    @property
    def names(self) -> tuple[str, ...]:
        """
        Those of the targets.
        """
        return tuple(map(str, self._forward.targets))

    def tell(self, counts: dict[str, int], standing: dict[str, int], now: float = 0.0) -> None:
        """
        Tell of each target, by the names that
        L{cell<smartproxy_tw.plane.census.cell>} makes.

        @param counts: What has happened since this was last called is added there.
        @param standing: How it stands, likewise; what is not there is nothing.
        @param now: The time of day, in seconds since 1970.
        """
        # What several ports have in common is told once.
        for place in {place: None for places in self._all.values() for place in places}:
            requests, place.requests = place.requests, 0
            failures, place.failures = place.failures, 0
            for told, what, number in (
                (counts, "target_requests", requests),
                (counts, "target_failures", failures),
                (standing, "target_idle", len(place.idle)),
                (standing, "target_away", int(place.isAway)),
            ):
                if number:
                    name = cell(what, "-", place.label)
                    told[name] = told.get(name, 0) + number
            if place.isAway:
                name = cell("target_until", "-", place.label)
                standing[name] = max(standing.get(name, 0), self._until(place, now))

    def _until(self, place: Place, now: float) -> int:
        """
        Until when one that is passed over is, in seconds since 1970; now, where it is tried already.
        """
        left = 0.0 if place.breaker is None else place.breaker.until - self._means.poller.now
        return int(now + max(0.0, left))

    def close(self) -> None:
        """
        Keep no connection any more; those in use are closed when they end.
        """
        for places in self._all.values():
            for place in places:
                place.close()


# A group is dropped with its table.  So that nothing of it waits for a collection of
# garbage then, who frees a place does not keep the queue alive, nor the queue its group:
# those who wait keep the queue.


def _isAnyFree(known: Mapping[int, list[Place]]) -> bool:
    return any(
        (place.hasRoom or place.idle) and not place.isHalted for places in known.values() for place in places
    )


def _waking(queue: Queue | None) -> Callable[[], None]:
    known = None if queue is None else ref(queue)

    def wake() -> None:
        found = None if known is None else known()
        if found is not None:
            found.wake()

    return wake
