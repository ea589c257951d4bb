"""
A group of targets on a clock, over real sockets, without requests.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from random import Random
from typing import Any

from smartproxy_tw.config.model import Balance, Forward, Health, Pool, Target, UpstreamTLS
from smartproxy_tw.plane.link import Link, UpstreamFailure
from smartproxy_tw.plane.wires import Wire
from smartproxy_tw.upstream.balanced import BalancedGroup
from smartproxy_tw.upstream.counted import CountedPlace
from smartproxy_tw.upstream.group import Group
from smartproxy_tw.upstream.place import Place
from smartproxy_tw.upstream.resolve import Resolver
from smartproxy_tw.upstream.serviced import ServicedGroup
from smartproxy_tw.upstream.services import Services
from smartproxy_tw.upstream.standings import Standings

from .loop import LoopTests
from .oracle import Sage

__all__ = ["Caller", "GroupCase", "target"]

PORT = 4711


def target(sock: socket.socket) -> Target:
    """
    A server as configurations have it.
    """
    host, port = sock.getsockname()[:2]
    return Target(host, port)


class Caller:
    """
    Somebody who wants a connection.

    @ivar got: What he was given, in order.
    """

    def __init__(self, begin: Callable[[Callable[..., None]], Any], isPrompt: bool = False) -> None:
        self.got: list[Any] = []
        self.ended: Callable[[], None] | None = None
        self._isBegun = isPrompt
        self.attempt = begin(self._then)
        self._isBegun = True

    def _then(self, outcome: Any, isHot: bool = False, ended: Callable[[], None] | None = None) -> None:
        assert self._isBegun, "he was told before he knew whom he asked"
        self.got.append(outcome)
        self.ended = ended

    @property
    def link(self) -> Link:
        """
        What he was given.
        """
        [link] = self.got
        assert isinstance(link, Link), link
        return link

    @property
    def wire(self) -> Wire:
        """
        What he was given.
        """
        [wire] = self.got
        assert not isinstance(wire, (Link, UpstreamFailure)), wire
        found: Wire = wire
        return found

    @property
    def failure(self) -> UpstreamFailure:
        """
        What he was given.
        """
        [failure] = self.got
        assert isinstance(failure, UpstreamFailure), failure
        return failure


class GroupCase(LoopTests):
    """
    Tests with one group, which is closed at the end.

    @ivar whose: On whose behalf somebody wants something.
    """

    whose: Any = None

    def setUp(self) -> None:
        """Whatever group there is then is closed in the end."""
        super().setUp()
        self.addCleanup(self._close)

    def _close(self) -> None:
        self.group.close()

    def begin(
        self,
        *targets: Target,
        most: int | None = None,
        queue: int = 3,
        wait: float = 5.0,
        tls: UpstreamTLS | None = None,
        balance: Balance | None = None,
        health: Health | None = None,
        services: Services | None = None,
    ) -> Group:
        """
        A group with these targets and nobody's names; an attempt may take
        three seconds.
        """
        self.sage = Sage()
        self.standings = Standings()
        resolver = Resolver(lambda: self.sage, self.loop.seconds, self.poller.after)
        forward = Forward(targets, tls, Pool(most, queue, wait), balance or Balance(), health or Health())
        self.forward = forward
        means = self.loop, self.poller, resolver, forward, 3.0, self.standings
        if services is not None:
            self.group = ServicedGroup(*means, services)
        else:
            self.group = Group(*means) if forward.isPlain else BalancedGroup(*means, chance=Random(5).random)
        return self.group

    def connects(self) -> Caller:
        """
        Somebody wants a link, and finds none kept.
        """
        self.assertIsNone(self.group.borrow(PORT, self.whose))
        return Caller(lambda then: self.group.connect(PORT, then, self.whose))

    def dials(self) -> Caller:
        """
        Somebody wants a bare connection.
        """
        return Caller(lambda then: self.group.dial(PORT, then, self.whose), isPrompt=True)

    def linked(self) -> Link:
        """
        Somebody has a link.
        """
        caller = self.connects()
        self.loop.turns()
        return caller.link

    def answered(self, link: Link) -> None:
        """
        A link has given an answer, and can be kept.
        """
        link._lender.giveBack(link)
        self.loop.turns()

    def places(self) -> list[Place]:
        """
        The targets.
        """
        return self.group._places.get(PORT, [])

    def open(self) -> list[int]:
        """
        How many connections each target has, where they are counted.
        """
        return [place.open for place in self.places() if isinstance(place, CountedPlace)]

    def drops(self, caller: Caller) -> None:
        """
        A bare connection ends.
        """
        self.poller.forget(caller.wire.fd)
        caller.wire.close()
        if caller.ended is not None:
            caller.ended()
        self.loop.turns()
