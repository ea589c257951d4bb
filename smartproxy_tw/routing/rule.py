"""
One route with its patterns read, the questions that it can answer, and its
standing among the others.

These are the whole of the rules of precedence.  The table is compiled from
them, and an explanation is told from them; neither has rules of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from ..config.model import Conditions, Route
from .conditions import Condition, readConditions
from .patterns import NO_DOMAIN, AnyPath, DomainPattern, PathPattern, Rank, domainPattern, pathPattern
from .steps import Steps, finish, paused

__all__ = ["Ask", "Rule", "Standing", "readRules", "readingRules"]


class Ask(Enum):
    """
    What can be asked about a port.  The value is how to say it.
    """

    #: What is to become of TLS, once the ClientHello is there: all routes with
    #: TLS, whatever they say about paths.
    hello = "TLS"
    #: Where a request goes that came in plain.
    plainRequest = "plain HTTP"
    #: Where a request goes that came over TLS which ended here.
    tlsRequest = "HTTP over TLS"
    #: Where a plain connection goes that is not HTTP.
    plainStream = "plain TCP"
    #: Where the bytes go that came over TLS which ended here.
    tlsStream = "TCP over TLS"

    @property
    def seesPath(self) -> bool:
        """
        Whether a path is known when this is asked.
        """
        return self is _PLAIN_REQUEST or self is _TLS_REQUEST


# Compiling a large table asks this very often, and members of an enum are slow to find.
_PLAIN_REQUEST, _TLS_REQUEST = Ask.plainRequest, Ask.tlsRequest


class Standing(NamedTuple):
    """
    Where a rule stands among those that match: the smallest one is chosen.

    @ivar priority: That of the route with its sign turned.
    @ivar domain: Of the pattern that matched.
    @ivar path: Likewise.
    @ivar conditions: How many there are, with its sign turned: whoever asks for more is
        before whoever asks for less.
    @ivar order: Its place in the configuration.
    """

    priority: int
    domain: Rank
    path: Rank
    conditions: int
    order: int


_ANY_PATH = AnyPath(None)
_UNCONDITIONAL = Conditions()


class Rule(NamedTuple):
    """
    A route, ready to be asked.

    @ivar order: Its place in the configuration.
    @ivar domains: Never empty: a route without domains has L{NO_DOMAIN}.
    @ivar path: Of the route.
    @ivar conditions: All of which have to hold.  Each header field and each parameter
        of the query is one.
    """

    route: Route
    order: int
    domains: tuple[DomainPattern, ...]
    path: PathPattern
    conditions: tuple[Condition, ...] = ()

    def answers(self, ask: Ask) -> bool:
        """
        Whether it is there for this question at all.
        """
        route = self.route
        if ask is Ask.hello:
            return route.tls is not None
        if route.tls is None:
            return ask is (Ask.plainRequest if route.protocol == "http" else Ask.plainStream)
        if route.tls.mode == "passthrough":
            return False
        return ask is (Ask.tlsRequest if route.protocol == "http" else Ask.tlsStream)

    def pathFor(self, ask: Ask) -> PathPattern:
        """
        Its path, where a path is known; otherwise one that matches.
        """
        return self.path if ask.seesPath else _ANY_PATH

    def conditionsFor(self, ask: Ask) -> tuple[Condition, ...]:
        """
        What is known well enough to be asked for: of a request all of it; of a
        connection who made it, which is all that routes for other things than HTTP
        can ask for.  What becomes of the TLS of a route for HTTP depends on none of it,
        as it does not on the path: whom a request is for is not known yet.
        """
        return self.conditions if ask.seesPath or self.route.protocol == "tcp" else ()

    def standing(self, domain: DomainPattern, ask: Ask) -> Standing:
        """
        Where it stands by one of its domains.
        """
        path, conditions = self.pathFor(ask).rank, -len(self.conditionsFor(ask))
        return Standing(-self.route.priority, domain.rank, path, conditions, self.order)

    def best(self, name: str) -> DomainPattern | None:
        """
        The most specific of its domains that match a name.
        """
        return min((each for each in self.domains if each.matches(name)), key=lambda d: d.rank, default=None)


def readRules(routes: Iterable[Route]) -> tuple[Rule, ...]:
    """
    Read the patterns of all routes.

    @raise ValueError: A pattern is none; the message names the route.
    """
    return finish(readingRules(routes))


def readingRules(routes: Iterable[Route]) -> Steps[tuple[Rule, ...]]:
    """
    The same, step by step.
    """
    rules: list[Rule] = []
    for route, isPause in paused(routes):
        rules.append(_readRule(len(rules), route))
        if isPause:
            yield
    return tuple(rules)


def _readRule(order: int, route: Route) -> Rule:
    """
    Read the patterns of one route.
    """
    try:
        domains = tuple(domainPattern(text) for text in dict.fromkeys(route.domains or (NO_DOMAIN,)))
        # Most routes have none, and there can be very many of them.
        isPlain = route.conditions == _UNCONDITIONAL
        conditions = () if isPlain else readConditions(route.conditions)
        return Rule(route, order, domains, pathPattern(route.path), conditions)
    except ValueError as why:
        raise ValueError(f"route {route.name!r}: {why}") from None
