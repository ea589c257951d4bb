"""
Tests for L{smartproxy_tw.config.spoken}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Target
from smartproxy_tw.config.spoken import withProtocol

from .reading import complaints, understood

REENCRYPT = "tls: {mode: terminate-and-reencrypt}"


def forward(rest: str, match: str = "ports: 8, domains: a.b") -> str:
    """
    A file with one route.
    """
    return f"routes: [{{match: {{{match}}}, action: {{type: forward, {rest}}}}}]\n"


class SpokenTests(SynchronousTestCase):
    """
    How HTTP is spoken to targets.
    """

    def test_contradictions(self) -> None:
        """
        What cannot be is said where it was written.
        """
        for rest, where, what in (
            ("targets: 'a:1', protocol: h2", "action.protocol", "h2 needs TLS to the target"),
            ("targets: 'https://a:1', protocol: h2c", "action.protocol", "h2c is HTTP/2 without TLS"),
            (f"targets: 'a:1', protocol: h2c, {REENCRYPT}", "action.protocol", "h2c is HTTP/2 without TLS"),
            (
                "targets: ['b:1', {host: a, port: 1, protocol: h2}]",
                "action.targets[1].protocol",
                "h2 needs TLS to the target",
            ),
            ("targets: {unix: /a, protocol: h2}", "action.targets.protocol", "h2 needs TLS to the target"),
        ):
            [found] = complaints(forward(rest))
            self.assertIn(where, found)
            self.assertIn(what, found)

    def test_needsHTTP(self) -> None:
        """
        Such a target makes a route one of HTTP, which it must not contradict.
        """
        self.assertEqual(
            understood(forward("targets: 'a:1', protocol: h2c", "ports: 8")).routes[0].protocol, "http"
        )
        [found] = complaints(forward("targets: 'a:1', protocol: h2c", "ports: 8, protocol: tcp"))
        self.assertIn("cannot be tcp: protocol: h2c needs HTTP", found)
        [found] = complaints(forward("targets: 'a:1', protocol: h2c, tls: {mode: passthrough}"))
        self.assertIn("protocol: h2c needs HTTP", found)

    def test_sites(self) -> None:
        """
        A site's target may say it too.
        """
        text = "acme: {email: a@b.example}\nsites: {a.example: {to: {host: b, port: 1, protocol: %s}}}\n"
        [route] = [each for each in understood(text % "h2c").routes if hasattr(each.action, "targets")]
        self.assertEqual(route.action.targets, (Target("b", 1, protocol="h2c"),))  # type: ignore[union-attr]
        [found] = complaints(text % "h2")
        self.assertIn("h2 needs TLS", found)

    def test_words(self) -> None:
        """
        People are told.
        """
        for protocol, words in (
            ("http/1.1", "h:1"),
            ("h2", "h:1 by HTTP/2"),
            ("h2c", "h:1 by HTTP/2"),
            ("auto", "h:1 by HTTP/2 if it prefers that"),
        ):
            self.assertEqual(withProtocol(Target("h", 1, protocol=protocol)), words)  # type: ignore[arg-type]
