"""
The route table: compiled once from a configuration, immutable, and asked for
each connection and each request.

In go facts, out comes L{Chosen} or L{Miss}; nothing is raised and nothing is
changed.  A new configuration means a new table.

It is written for speed, as this runs once per request: every pair of route and
domain gets its place in the order of precedence when the table is compiled, so
that deciding is a few dictionary look-ups (the name itself, each wildcard above
it, then the path) and comparing whole numbers.  10,000 routes cost what 10 do;
C{tests/routing/test_table.py} keeps both ends to that.  Routes with conditions are
kept beside the others of their domain, and asked one after the other where their
path matches: whoever has none pays for none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..facts import ConnectionFacts, RequestFacts
from ..values import dataclass
from .conditions import Condition, holds
from .patterns import (
    NO_DOMAIN,
    AnyPath,
    ExactPath,
    ParameterPath,
    Parameters,
    PathPattern,
    PrefixPath,
    candidates,
)
from .rule import Ask, Rule, Standing, readingRules
from .sight import Sight
from .steps import Steps, finish, paused

if TYPE_CHECKING:
    from ..config.model import TLS, CertificateSource, Config, Route

__all__ = ["Chosen", "Miss", "PortTable", "RouteTable", "compileTable", "compilingTable"]

#: What pairs are sorted by: standing and domain.
_PLACE = itemgetter(0, 1)
#: So many names of one port are remembered with what was decided about their TLS.
_MOST_KNOWN = 1024


@dataclass(frozen=True, slots=True)
class Chosen:
    """
    A route takes it.

    @ivar parameters: What the parameters of its path stand for, in the order
        of the path: pairs of name and segment.
    """

    route: Route
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Miss:
    """
    No route takes it.

    @ivar reason: Why, for the log.
    """

    reason: str


class _Entry:
    """
    One route by one of its domains.

    @ivar place: In the order of precedence, unique within an index; the
        smallest one is chosen.
    @ivar chosen: The answer, made beforehand.
    @ivar conditions: What has to hold beside its path.
    """

    __slots__ = ("chosen", "conditions", "path", "place")

    def __init__(
        self, place: int, route: Route, path: PathPattern, conditions: tuple[Condition, ...]
    ) -> None:
        self.place = place
        self.chosen = Chosen(route)
        self.path = path
        self.conditions = conditions


class _Bound:
    """
    The routes with one and the same domain that have conditions, by their paths.
    """

    __slots__ = ("_any", "_exact", "_lengths", "_open", "_parameters", "_prefixes")

    def __init__(self, entries: Iterable[_Entry]) -> None:
        """
        @param entries: By rising place.
        """
        self._any: list[_Entry] = []
        self._exact: dict[str, list[_Entry]] = {}
        self._prefixes: dict[str, list[_Entry]] = {}
        self._parameters: dict[int, list[_Entry]] = {}
        self._open: list[_Entry] = []
        for entry in entries:
            path = entry.path
            if isinstance(path, AnyPath):
                self._any.append(entry)
            elif isinstance(path, ExactPath):
                self._exact.setdefault(path.text, []).append(entry)
            elif isinstance(path, PrefixPath):
                self._prefixes.setdefault(path.prefix, []).append(entry)
            elif path.isOpen:
                self._open.append(entry)
            else:
                self._parameters.setdefault(path.length, []).append(entry)
        self._lengths = tuple(sorted({len(prefix) for prefix in self._prefixes}, reverse=True))

    def find(self, path: str, sight: Sight, best: _Entry | None) -> _Entry | None:
        """
        The first in order among those that match and whose conditions hold, unless
        C{best} is before it.
        """
        for entries in self._candidates(path):
            for entry in entries:
                if best is not None and best.place < entry.place:
                    break
                if entry.path.match(path) is not None and holds(entry.conditions, sight):
                    best = entry
                    break
        return best

    def hasPath(self, path: str) -> bool:
        """
        Whether one of them would match but for its conditions.
        """
        some = self._candidates(path)
        return any(entry.path.match(path) is not None for entries in some for entry in entries)

    def _candidates(self, path: str) -> Iterator[Sequence[_Entry]]:
        """
        Those whose paths may match, each list by rising place.
        """
        if path in self._exact:
            yield self._exact[path]
        for length in self._lengths:
            if path[:length] in self._prefixes:
                yield self._prefixes[path[:length]]
        if self._parameters:
            yield self._parameters.get(path.count("/"), ())
        yield self._open
        yield self._any


class _Paths:
    """
    All routes with one and the same domain, by their paths.
    """

    __slots__ = ("_any", "_exact", "_lengths", "_open", "_parameters", "_prefixes", "_simple", "bound")

    def __init__(self, entries: Sequence[_Entry]) -> None:
        """
        @param entries: By rising place.
        """
        conditional = [entry for entry in entries if entry.conditions]
        self.bound = _Bound(conditional) if conditional else None
        self._any: _Entry | None = None
        self._exact: dict[str, _Entry] = {}
        self._prefixes: dict[str, _Entry] = {}
        # By the number of their slashes; and those that end in /*.
        self._parameters: dict[int, list[tuple[_Entry, ParameterPath]]] = {}
        self._open: list[tuple[_Entry, ParameterPath]] = []
        for entry in entries:
            path = entry.path
            if entry.conditions:
                continue
            if isinstance(path, AnyPath):
                self._any = self._any or entry
            elif isinstance(path, ExactPath):
                self._exact.setdefault(path.text, entry)
            elif isinstance(path, PrefixPath):
                self._prefixes.setdefault(path.prefix, entry)
            elif path.isOpen:
                self._open.append((entry, path))
            else:
                self._parameters.setdefault(path.length, []).append((entry, path))
        self._lengths = tuple(sorted({len(prefix) for prefix in self._prefixes}, reverse=True))
        self._simple = not (self._exact or self._prefixes or self._open or self._parameters or self.bound)

    def find(self, path: str, sight: Sight | None) -> _Entry | None:
        """
        The first in order among those that match.

        @param sight: Without it no condition holds.
        """
        best = self._any
        if self._simple:
            return best
        entry = self._exact.get(path)
        if entry is not None and (best is None or entry.place < best.place):
            best = entry
        prefixes = self._prefixes
        for length in self._lengths:
            entry = prefixes.get(path[:length])
            if entry is not None and (best is None or entry.place < best.place):
                best = entry
        if self._parameters:
            best = self._first(self._parameters.get(path.count("/"), ()), path, best)
        if self._open:
            best = self._first(self._open, path, best)
        if self.bound is not None and sight is not None:
            best = self.bound.find(path, sight, best)
        return best

    def _first(
        self, entries: Sequence[tuple[_Entry, ParameterPath]], path: str, best: _Entry | None
    ) -> _Entry | None:
        """
        The first that matches, unless C{best} is before it.
        """
        for entry, pattern in entries:
            if best is not None and best.place < entry.place:
                break
            if pattern.match(path) is not None:
                return entry
        return best


class _Index:
    """
    All routes of a port that answer one question, by their domains.
    """

    __slots__ = ("_always", "_byDomain", "_hasWildcards", "ask", "facts")

    def __init__(self, ask: Ask, byDomain: dict[str, _Paths], facts: frozenset[str]) -> None:
        """
        @param facts: What conditions look at, as L{Condition.fact} has it.
        """
        self.ask = ask
        self.facts = facts
        self._byDomain = byDomain
        self._hasWildcards = any(text.startswith("*") and text != "*" for text in byDomain)
        # Patterns for every name, where there are any.
        self._always = [text for text in ("*", NO_DOMAIN) if text in byDomain]

    @classmethod
    def compiling(cls, rules: Iterable[Rule], ask: Ask) -> Steps[_Index]:
        """
        Make one.
        """
        pairs: list[tuple[Standing, str, Rule]] = []
        facts: set[str] = set()
        for rule, isPause in paused(rules):
            if rule.answers(ask):
                pairs += [(rule.standing(domain, ask), domain.text, rule) for domain in rule.domains]
                facts.update([each.fact for each in rule.conditionsFor(ask)])
            if isPause:
                yield
        # Equal standing have only different domains of one route, and of those
        # no two match the same name: their order is free.
        pairs.sort(key=_PLACE)
        entries: dict[str, list[_Entry]] = {}
        for (place, (_, text, rule)), isPause in paused(enumerate(pairs)):
            entry = _Entry(place, rule.route, rule.pathFor(ask), rule.conditionsFor(ask))
            entries.setdefault(text, []).append(entry)
            if isPause:
                yield
        byDomain: dict[str, _Paths] = {}
        for (text, some), isPause in paused(entries.items()):
            byDomain[text] = _Paths(some)
            if isPause:
                yield
        return cls(ask, byDomain, frozenset(facts))

    def __bool__(self) -> bool:
        """
        Whether there is any route in it.
        """
        return bool(self._byDomain)

    def find(self, name: str, path: str, sight: Sight | None) -> Chosen | None:
        """
        The route that takes it.

        @param name: Empty where none is known.
        @param path: Not looked at where the question sees none.
        @param sight: Without it no condition holds.
        """
        byDomain = self._byDomain
        best: _Entry | None = None
        for text in self._texts(name):
            paths = byDomain.get(text)
            if paths is not None:
                entry = paths.find(path, sight)
                if entry is not None and (best is None or entry.place < best.place):
                    best = entry
        if best is None:
            return None
        if type(best.path) is ParameterPath:
            return Chosen(best.chosen.route, best.path.match(path) or ())
        return best.chosen

    def knows(self, name: str) -> bool:
        """
        Whether a route has this name among its domains, by whatever pattern.
        """
        return any(text in self._byDomain for text in self._texts(name))

    def isBound(self, name: str, path: str) -> bool:
        """
        Whether a route would take it but for its conditions.
        """
        some = (self._byDomain.get(text) for text in self._texts(name))
        return any(paths and paths.bound and paths.bound.hasPath(path) for paths in some)

    def _texts(self, name: str) -> Sequence[str]:
        """
        The patterns to look up: where there are no wildcards, without them.
        """
        return candidates(name) if self._hasWildcards or not name else (name, *self._always)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PortTable:
    """
    The routes of one port.

    @ivar number: Of the port.
    @ivar takesTLS: Whether a route says what to do with TLS.
    @ivar takesHTTP: Whether a route takes requests that come in plain.
    @ivar takesTCP: Whether a route takes plain connections that are not HTTP.
    @ivar requestFactsBeyondPath: What conditions look at, beyond host and path,
        when it is decided about requests on this port, by the names that it has in the
        configuration.  Empty: no L{Sight} is needed.  Whether a decision may be
        remembered for others is said by L{Sight.isPersonal} after it was come to.
    @ivar asksClient: Whether it depends on the client what becomes of a connection.
    """

    number: int
    takesTLS: bool
    takesHTTP: bool
    takesTCP: bool
    requestFactsBeyondPath: frozenset[str]
    asksClient: bool
    _hello: _Index
    _plainRequest: _Index
    _tlsRequest: _Index
    _plainStream: _Index
    _tlsStream: _Index
    _known: dict[str | None, Chosen] = field(default_factory=dict, init=False)

    def decideHello(self, serverName: str | None, sight: Sight | None = None) -> Chosen | Miss:
        """
        Which route says what becomes of the TLS of a connection: it is passed
        through, or ends here, and with which certificate.

        Asked are all routes with TLS by their domains, also those that take
        only some paths of a name.  As no path is known yet it plays no part in
        the precedence either: priority, then domain, then order.  Routes that are not
        for HTTP can ask for clients, and are asked.

        @param serverName: As L{ConnectionFacts.serverName}.
        @param sight: Needed where L{asksClient}.
        """
        if sight is not None:
            return self._decide(self._hello, serverName or "", "", sight)
        found = self._known.get(serverName)
        if found is not None:
            return found
        answer = self._decide(self._hello, serverName or "", "", None)
        if isinstance(answer, Chosen):
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[serverName] = answer
        return answer

    def decideRequest(self, isTLS: bool, host: str, path: str, sight: Sight | None = None) -> Chosen | Miss:
        """
        Which route takes a request.

        @param isTLS: Whether it came over TLS that ended here.
        @param host: As L{RequestFacts.host}.
        @param path: As L{RequestFacts.path}.
        @param sight: Needed where L{requestFactsBeyondPath} names some; without it
            no condition holds.
        """
        return self._decide(self._tlsRequest if isTLS else self._plainRequest, host, path, sight)

    def decideStream(self, isTLS: bool, serverName: str | None, sight: Sight | None = None) -> Chosen | Miss:
        """
        Which route takes a connection that is not HTTP and not passed through.

        @param isTLS: Whether its TLS ended here.
        @param serverName: As L{ConnectionFacts.serverName}.
        @param sight: Needed where L{asksClient}.
        """
        return self._decide(self._tlsStream if isTLS else self._plainStream, serverName or "", "", sight)

    def certificateFor(self, serverName: str | None, sight: Sight | None = None) -> CertificateSource | None:
        """
        Where the certificate for a connection comes from: that of the route
        that L{decideHello} chooses.

        @return: L{None} where TLS does not end here, or no route takes it.
        """
        tls = self._tlsFor(serverName, sight)
        return None if tls is None else tls.sourceFor(serverName)

    def _tlsFor(self, serverName: str | None, sight: Sight | None) -> TLS | None:
        answer = self.decideHello(serverName, sight)
        return None if isinstance(answer, Miss) else answer.route.tls

    def isMisdirected(self, serverName: str | None, host: str, sight: Sight | None = None) -> bool:
        """
        Whether a request is on the wrong connection (RFC 9110 section
        15.5.20): a connection for the name it asks for would have been shown
        another certificate, or held to another policy, or passed through, or
        refused.

        @param serverName: Of the ClientHello that the connection began with.
        @param host: As L{RequestFacts.host}.
        @param sight: Of the connection, needed where L{asksClient}.
        """
        if host == (serverName or ""):
            return False
        asked = self._tlsFor(host or None, sight)
        if asked is None or asked.certificate is None or asked != self._tlsFor(serverName, sight):
            return True
        return asked.sourceFor(host or None) != asked.sourceFor(serverName)

    def _decide(self, index: _Index, name: str, path: str, sight: Sight | None) -> Chosen | Miss:
        """
        Find the answer, or say why there is none.
        """
        return index.find(name, path, sight) or Miss(self._why(index, name, path))

    def _why(self, index: _Index, name: str, path: str) -> str:
        """
        Why no route takes it.
        """
        what = index.ask.value
        if not index:
            return f"no route on port {self.number} takes {what}"
        if index.knows(name):
            whose = f"for {name}" if name else "without domains"
            if index.isBound(name, path):
                which = f"the path {path[:200]} and " if path else ""
                return f"no route on port {self.number} {whose} has {which}conditions that hold"
            return f"no route on port {self.number} {whose} has the path {path[:200]}"
        if name:
            return f"no route for {what} on port {self.number} has the domain {name}"
        return f"every route for {what} on port {self.number} has domains, and no name was given"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RouteTable:
    """
    All routes.

    @ivar ports: By number: every port of the configuration, also one that has
        no route and is there for a challenge.
    """

    ports: Mapping[int, PortTable]

    def decide(self, facts: ConnectionFacts | RequestFacts, sight: Sight | None = None) -> Chosen | Miss:
        """
        Which route takes this.

        For a connection with TLS that is L{PortTable.decideHello}, unless no
        route of the port has to do with TLS: then, as for one without, it is
        L{PortTable.decideStream}, and TLS is bytes like any other.  For a
        request it is L{PortTable.decideRequest}.

        @param sight: What conditions look at; otherwise it is made of the facts, which
            have no header fields and no version of TLS, and no client but the peer.
        """
        connection = facts.connection if isinstance(facts, RequestFacts) else facts
        if sight is None:
            client = connection.client.host
            if isinstance(facts, RequestFacts):
                sight = Sight(client, facts.method, facts.query)
            else:
                sight = Sight(client)
        port = self.ports.get(connection.port)
        if port is None:
            return Miss(f"no route listens on port {connection.port}")
        if isinstance(facts, RequestFacts):
            return port.decideRequest(connection.isTLS, facts.host, facts.path, sight)
        if connection.isTLS and (port.takesTLS or not port.takesTCP):
            return port.decideHello(connection.serverName, sight)
        return port.decideStream(False, None, sight)


def compileTable(config: Config) -> RouteTable:
    """
    Make the table of a configuration.

    @raise ValueError: A pattern of a route is none, which the loader does not
        let through; the message names the route.
    """
    return finish(compilingTable(config))


def compilingTable(config: Config) -> Steps[RouteTable]:
    """
    The same, step by step.
    """
    rules = yield from readingRules(config.routes)
    byPort: dict[int, list[Rule]] = {number: [] for number in config.ports}
    for rule in rules:
        for number in rule.route.ports:
            byPort[number].append(rule)
    # Ports with the same routes, as those of a range, share what is compiled.
    compiled: dict[tuple[int, ...], tuple[_Index, ...]] = {}
    ports: dict[int, PortTable] = {}
    for number, some in byPort.items():
        key = tuple([rule.order for rule in some])
        if key not in compiled:
            indexes = []
            for ask in Ask:
                indexes.append((yield from _Index.compiling(some, ask)))
            compiled[key] = tuple(indexes)
        ports[number] = _portTable(number, *compiled[key])
    return RouteTable(MappingProxyType(ports))


def _portTable(
    number: int,
    hello: _Index,
    plainRequest: _Index,
    tlsRequest: _Index,
    plainStream: _Index,
    tlsStream: _Index,
) -> PortTable:
    """
    One port, with the claims about it.  The order of the indexes is that of
    L{Ask}.
    """
    return PortTable(
        number,
        bool(hello),
        bool(plainRequest),
        bool(plainStream),
        plainRequest.facts | tlsRequest.facts,
        bool(hello.facts | plainStream.facts | tlsStream.facts),
        hello,
        plainRequest,
        tlsRequest,
        plainStream,
        tlsStream,
    )
