"""
A slow matcher that is obviously right, which says the rules of L{smartproxy_tw.routing} anew, and
configurations, clients and requests that get in one another's way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import parse_qsl

from hypothesis import strategies as st

from smartproxy_tw.config.model import Conditions, Config, Plugin, Route
from smartproxy_tw.routing.sight import Sight

from .routes import configure, http, https, passthrough, tcp, tlsTCP

__all__ = [
    "View",
    "conditions",
    "configurations",
    "labels",
    "pathPatterns",
    "paths",
    "slowConditions",
    "slowDecision",
    "slowPath",
    "views",
]

#: Matchers of L{tests.plugins.given}, by what they always say.
_PLUGINS = {
    isSo: Plugin.having("hours", {"when": word}) for word, isSo in (("always", True), ("never", False))
}


def slowMatch(pattern: str, name: str) -> tuple[int, ...] | None:
    """
    The rank of a domain pattern for a name, said anew.
    """
    if pattern == "*":
        return (2,) if name else None
    if pattern.startswith("**."):
        return (1, -len(pattern[3:]), 1) if re.fullmatch(r"[^.].*" + re.escape(pattern[2:]), name) else None
    if pattern.startswith("*."):
        return (1, -len(pattern[2:]), 0) if re.fullmatch(r"[^.]+" + re.escape(pattern[1:]), name) else None
    return (0,) if pattern == name else None


def slowPath(pattern: str | None, path: str) -> tuple[int, ...] | None:
    """
    The rank of a path pattern for a path, said anew.
    """
    if pattern in (None, "/*"):
        return (3,)
    assert pattern is not None
    regex = re.sub(r":\w+", "[^/]+", re.escape(pattern).replace(r"\*", ".*").replace(r"\:", ":"))
    if not re.fullmatch(regex, path):
        return None
    if ":" not in pattern:
        return (1, -len(pattern)) if pattern.endswith("*") else (0,)
    segments = pattern.removesuffix("/*").split("/")[1:]
    literal = [segment for segment in segments if segment[:1] != ":"]
    return (2, -len(segments), int(pattern.endswith("*")), -len(literal))


def slowConditions(route: Route, view: View) -> bool:
    """
    Whether all that a route asks for is so, said anew.
    """
    asked = route.conditions

    def like(text: str, value: str) -> bool:
        return re.fullmatch(".*".join(map(re.escape, text.split("*"))), value) is not None

    for name, some in asked.headers:
        if not any(like(text, value) for text in some for key, value in view.fields if key == name):
            return False
    for name, some in asked.query:
        if not any(
            like(text, value) for text in some for key, value in parse_qsl(view.query, True) if key == name
        ):
            return False
    if asked.methods and view.method not in asked.methods:
        return False
    if asked.clients and not any(ip_address(view.client) in ip_network(each) for each in asked.clients):
        return False
    if _PLUGINS[False] in asked.plugins:
        return False
    return not asked.tlsVersions or view.version in asked.tlsVersions


def slowDecision(
    routes: tuple[Route, ...], number: int, ask: str, name: str, path: str, view: View | None = None
) -> str | None:
    """
    Which route it has to be, found by asking all of them.
    """
    view = view or View()
    found: list[tuple[Any, ...]] = []
    for order, route in enumerate(routes):
        ends = route.tls is not None and route.tls.mode == "terminate"
        fits = {
            "hello": route.tls is not None,
            "plain": route.tls is None and route.protocol == "http",
            "secure": ends and route.protocol == "http",
            "stream": route.tls is None and route.protocol == "tcp",
            "inner": ends and route.protocol == "tcp",
        }[ask]
        if not fits or number not in route.ports:
            continue
        domains = [slowMatch(pattern, name) for pattern in route.domains] if route.domains else [(3,)]
        byPath = slowPath(route.path, path) if ask in ("plain", "secure") else ()
        if byPath is None:
            continue
        # Of a connection nothing is known but who made it, and what HTTP asks for is for later.
        asked = route.conditions if ask in ("plain", "secure") or route.protocol == "tcp" else Conditions()
        if not slowConditions(replace(route, conditions=asked), view):
            continue
        many = sum(map(len, (asked.headers, asked.query, asked.plugins)))
        many += sum(map(bool, (asked.methods, asked.clients, asked.tlsVersions)))
        found += [
            (-route.priority, domain, byPath, -many, order, route.name)
            for domain in domains
            if domain is not None
        ]
    return min(found)[-1] if found else None


labels = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4).map(".".join)
_patterns = st.one_of(labels, labels.map("*.{}".format), labels.map("**.{}".format), st.just("*"))
_segments = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=4)
paths = _segments.map(lambda segments: "/" + "/".join(segments))
pathPatterns = st.one_of(
    st.none(),
    st.just("/*"),
    paths,
    paths.map("{}/*".format),
    st.tuples(
        st.lists(st.sampled_from(["a", "b", "", ":x", ":y"]), min_size=1, max_size=4, unique=True),
        st.sampled_from(["", "/*"]),
    ).map(lambda pair: "/" + "/".join(pair[0]) + pair[1]),
)


@dataclass(frozen=True)
class View:
    """
    What conditions look at.
    """

    client: str = "10.0.0.1"
    method: str = "GET"
    query: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    version: str = "1.3"

    @property
    def sight(self) -> Sight:
        """
        As the table has it.
        """
        return Sight(self.client, self.method, self.query, lambda: self.fields, lambda: self.version)


_values = st.sampled_from(["a", "b", "ab", ""])
_texts = st.lists(st.sampled_from(["a", "b", "a*", "*", "*b"]), min_size=1, max_size=2, unique=True).map(
    tuple
)
_names = st.sampled_from(["x", "y"])
_asked = st.dictionaries(_names, _texts, max_size=2).map(lambda some: tuple(some.items()))
_clients = st.lists(
    st.sampled_from(["10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "0.0.0.0/0"]), max_size=2, unique=True
).map(tuple)
views = st.builds(
    View,
    st.sampled_from(["10.0.0.1", "10.9.9.9", "192.0.2.1", "2001:db8::1", "::1"]),
    st.sampled_from(["GET", "POST"]),
    st.lists(st.tuples(_names, _values), max_size=3).map(
        lambda some: "&".join("=".join(each) for each in some)
    ),
    st.lists(st.tuples(_names, _values), max_size=3).map(tuple),
    st.sampled_from(["1.2", "1.3"]),
)


# Made once, not for each route of each example: to make a strategy takes longer than to draw from it.
_kinds = st.sampled_from(["", "", "", "clients", "clients", "headers", "query", "methods", "plugins", "all"])
_plugins = st.sampled_from([(), *((each,) for each in _PLUGINS.values())])
_methods = st.sampled_from([("GET",), ("POST", "GET"), ()])
_versions = st.sampled_from([("1.2",), ("1.3",), ()])
_counts = st.integers(0, 9)
_makers = st.sampled_from([http, http, https, https, passthrough, tcp, tlsTCP])
_domains = st.lists(_patterns, max_size=3, unique=True)
_ports = st.sampled_from([(80,), (443,), (80, 443)])
_priorities = st.sampled_from([0, 0, 0, 1, -1])


def _conditions(draw: st.DrawFn, route: Route) -> Conditions:
    kind = draw(_kinds)
    found = Conditions()
    if kind in ("clients", "all"):
        found = replace(found, clients=draw(_clients))
    if kind in ("plugins", "all"):
        found = replace(found, plugins=draw(_plugins))
    if route.protocol == "http":
        if kind in ("headers", "all"):
            found = replace(found, headers=draw(_asked))
        if kind in ("query", "all"):
            found = replace(found, query=draw(_asked))
        if kind in ("methods", "all"):
            found = replace(found, methods=draw(_methods))
        if kind == "all" and route.tls is not None:
            found = replace(found, tlsVersions=draw(_versions))
    return found


@st.composite
def conditions(draw: st.DrawFn, route: Route) -> Conditions:
    """
    What a route of its kind can ask for: mostly nothing, and never much.
    """
    return _conditions(draw, route)


@st.composite
def configurations(draw: st.DrawFn) -> Config:
    """
    A handful of routes of all kinds that get in one another's way.
    """
    routes = []
    for number in range(draw(_counts)):
        make = draw(_makers)
        route = make(f"r{number}", *draw(_domains))
        if route.protocol == "http":
            route = replace(route, path=draw(pathPatterns))
        route = replace(route, conditions=_conditions(draw, route))
        routes.append(replace(route, ports=draw(_ports), priority=draw(_priorities)))
    return configure(*routes)
