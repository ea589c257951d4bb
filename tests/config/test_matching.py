"""
Tests for L{smartproxy_tw.config.matching}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Conditions

from .options import Option, action, asked, branch, match
from .reading import only, understood

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Match.ports": (match("ports: [9, 7]"), lambda c: c.ports, (7, 9)),
    "Match.domains": (
        match("ports: 8, domains: [A.b, '*.c']"),
        lambda c: c.routes[0].domains,
        ("a.b", "*.c"),
    ),
    "Match.path": (match("ports: 8, path: /x/*"), lambda c: c.routes[0].path, "/x/*"),
    "Match.headers": (
        match("ports: 8, headers: {X-A: [b, 'c*'], d: e}"),
        lambda c: c.routes[0].conditions,
        Conditions(headers=(("x-a", ("b", "c*")), ("d", ("e",)))),
    ),
    "Match.query": (
        match("ports: 8, query: {A: [b, 'c*'], d: ''}"),
        lambda c: c.routes[0].conditions,
        Conditions(query=(("A", ("b", "c*")), ("d", ("",)))),
    ),
    "Match.method": (
        match("ports: 8, method: [GET, HEAD]"),
        lambda c: c.routes[0].conditions,
        Conditions(methods=("GET", "HEAD")),
    ),
    "Match.client_ip": (
        match("ports: 8, client_ip: [10.0.0.1/32, '2001:DB8::/32', '10.0.*.*']"),
        lambda c: c.routes[0].conditions,
        Conditions(clients=("10.0.0.1", "2001:db8::/32", "10.0.*.*")),
    ),
    "Match.tls_version": (
        action("type: block, tls: {mode: terminate}", "ports: 8, domains: a.b, tls_version: 1.3"),
        lambda c: c.routes[0].conditions,
        Conditions(tlsVersions=("1.3",)),
    ),
    "Match.protocol": (match("ports: 8, protocol: http"), lambda c: c.routes[0].protocol, "http"),
    "TargetMatch.path": (branch("host: h, port: 1, match: {path: /a/*}"), asked, ("/a/*", None)),
    "TargetMatch.headers": (
        branch("host: h, port: 1, match: {headers: {X-A: b}}"),
        asked,
        (None, Conditions(headers=(("x-a", ("b",)),))),
    ),
    "TargetMatch.query": (
        branch("host: h, port: 1, match: {query: {a: [b, c]}}"),
        asked,
        (None, Conditions(query=(("a", ("b", "c")),))),
    ),
    "TargetMatch.method": (
        branch("host: h, port: 1, match: {method: [GET, PUT]}"),
        asked,
        (None, Conditions(methods=("GET", "PUT"))),
    ),
    "TargetMatch.client_ip": (
        branch("host: h, port: 1, match: {client_ip: 10.0.0.0/8}"),
        asked,
        (None, Conditions(clients=("10.0.0.0/8",))),
    ),
}


class MatchTests(SynchronousTestCase):
    """
    What a route, or one of its targets, asks for.
    """

    def test_refused(self) -> None:
        """
        What nothing can be compared with is told.
        """
        for text, told in (
            ("domains: []", "match.domains: is empty"),
            ("domains: [a.b, A.b]", "match.domains: lists a.b twice"),
            ("path: a", "match.path: "),
            ("headers: {}", "match.headers: is empty"),
            ("headers: {X-A: 5}", "has to be a text (numbers in quotes), a glob, a /regular expression/"),
            ("headers: {X-A: '/(/'}", "match.headers"),
            ("headers: {'a b': c}", "match.headers"),
            ("method: get", "match.method: 'get' would never match"),
            ("client_ip: 10.0.0.0/33", "match.client_ip: '10.0.0.0/33' is not an IP address or a network"),
            ("tls_version: '1.1'", "match.tls_version: has to be 1.2 or 1.3, not '1.1'"),
            ("protocol: udp", "match.protocol: has to be http or tcp, not 'udp'"),
        ):
            self.assertIn(told, only(match(f"ports: 8, {text}")))

    def test_version(self) -> None:
        """
        Without quotes a version reads as a number, and is taken.
        """
        written = "type: respond, tls: {mode: terminate, certificate: internal}"
        for version in ("1.3", "'1.3'", "[1.3]", "['1.3']"):
            found = understood(action(written, f"ports: 8, domains: a.b, tls_version: {version}"))
            conditions = found.routes[0].conditions
            assert conditions is not None
            self.assertEqual(conditions.tlsVersions, ("1.3",))
