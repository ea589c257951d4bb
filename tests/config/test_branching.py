"""
The targets of a route, as they are written.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.dotted import Reference
from smartproxy_tw.config.model import Branch, Dynamic, Forward, Plugin, ProxyHeader, Target, UpstreamTLS

from ..plugins.given import given
from .reading import complaints, only, route


def targets(text: str, more: str = "", match: str = "{ports: 1, domains: a.b}") -> Forward:
    """
    What a route with these does.
    """
    found = route(match, f"{{type: forward, targets: {text}{more}}}").action
    assert isinstance(found, Forward)
    return found


class BranchingTests(SynchronousTestCase):
    """
    L{smartproxy_tw.config.branching}.
    """

    def test_alike(self) -> None:
        """
        A list of hosts is as many targets, and a route without more has no branches.
        """
        self.assertEqual(
            targets("[{host: [a, b], port: 1}, 'c:2']"),
            Forward((Target("a", 1), Target("b", 1), Target("c", 2))),
        )

    def test_dynamic(self) -> None:
        """
        By one function, or by one for the host or the port.
        """
        name = Reference("m.f")
        for text, dynamic in (
            ("'python:m.f'", Dynamic(name)),
            ("{host: 'python:m.f', port: 3}", Dynamic(None, name, 3)),
            ("{host: 'python:m.f', port: preserve}", Dynamic(None, name)),
            ("{host: [a, b], port: 'python:m.f'}", Dynamic(None, ("a", "b"), name)),
            (
                "{host: a, port: 'python:m.f', send_proxy_protocol: v1}",
                Dynamic(None, ("a",), name, ProxyHeader(1)),
            ),
        ):
            self.assertEqual(targets(text), Forward((), dynamic=dynamic))
        tls = ", tls: {mode: terminate-and-reencrypt, certificate: internal}"
        self.assertEqual(targets("'python:m.f'", tls), Forward((), UpstreamTLS(), dynamic=Dynamic(name)))

    def test_branches(self) -> None:
        """
        Those that differ are branches, those that do not share one.
        """
        found = targets(
            "[1, {host: h, port: 2, match: {path: /a}}, {host: i, port: 2, match: {path: /a}}, 3]"
        )
        rest = Forward((Target("127.0.0.1", 1), Target("127.0.0.1", 3)))
        matched = Forward((Target("h", 2), Target("i", 2)))
        self.assertEqual(found.branches, (Branch(rest), Branch(matched, "/a")))
        self.assertEqual(len(found.targets), 4)

    def test_schemes(self) -> None:
        """
        Targets with and without TLS beside one another, by scheme or by word.
        """
        for text in ("['a:1', 'https://b:1']", "['a:1', {host: b, port: 1, tls: true}]"):
            found = targets(text)
            self.assertEqual(
                found.branches,
                (Branch(Forward((Target("a", 1),))), Branch(Forward((Target("b", 1),), UpstreamTLS()))),
            )
        tls = ", tls: {mode: terminate-and-reencrypt, certificate: internal, server_name: x}"
        found = targets("['a:1', {host: b, port: 1, tls: false}]", tls)
        self.assertEqual([each.forward.tls for each in found.branches], [UpstreamTLS("x"), None])

    def test_protocol(self) -> None:
        """
        What only a request has makes the route speak HTTP.
        """
        text = "[1, {host: a, port: 2, match: {%s}}]"
        for match, protocol in (
            ("path: /a", "http"),
            ("method: GET", "http"),
            ("client_ip: 10.0.0.1", "tcp"),
        ):
            found = route("{ports: 1}", f"{{type: forward, targets: {text % match}}}")
            self.assertEqual(found.protocol, protocol)

    def test_source(self) -> None:
        """
        By a plug-in, which reads its settings itself.
        """
        given(self)
        found = targets("{source: ring, settings: {members: ['a:1']}}")
        self.assertEqual(found.dynamic, Dynamic(Plugin.having("ring", {"members": ["a:1"]})))

    def test_mistakes(self) -> None:
        """
        Each is told where it is.
        """
        given(self)
        for text, words in (
            ("'python:f'", "targets: 'python:f' names no module"),
            ("{host: 'python:m.', port: 1}", "targets.host: 'python:m.' is no dotted name"),
            ("{host: a, port: 'python:f'}", "targets.port: 'python:f' names no module"),
            ("{host: [a, a], port: 1}", "targets.host: lists a twice"),
            ("[{host: a, port: 1, match: {}}, 2]", "targets[0].match: asks for nothing"),
            ("[{host: a, port: 1, headers: {X: 1, x: 2}}, 2]", "is given twice"),
            ("[{host: a, port: 1, headers: {Host: b c}}, 'a:1', 'a:1']", "targets[2]: is the same target"),
            ("{unix: /x, tls: true}", "targets.tls: needs server_name"),
            ("{unix: /x, tls: {ca_file: /dev/null/x}}", "targets.tls"),
            ("{host: a, port: 1, tls: {insecure_skip_verify: true, ca_file: /x}}", "has no effect with"),
            ("1, decision_timeout: 3", "action.decision_timeout: has no effect"),
            ("{source: rong}", "targets.source: 'rong' is no source of targets; plug-ins give ring"),
            ("{source: ring}", "targets.settings: has no members"),
        ):
            told = complaints(
                f"routes: [{{match: {{ports: 1, domains: a.b}}, action: {{type: forward, targets: {text}}}}}]"
            )
            self.assertIn(words, "\n".join(told), text)

    def test_sites(self) -> None:
        """
        The short form has targets that are all alike.
        """
        self.assertIn("write a route", only("sites: {a.b: 'python:m.f'}"))
        self.assertIn("write a route", only("sites: {a.b: {to: ['h:1', 'https://h:2']}}"))
