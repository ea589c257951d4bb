"""
Tests for L{smartproxy_tw.config.spread} and L{smartproxy_tw.config.spreading}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Forward, Target
from smartproxy_tw.config.spread import statuses

from ..examples import examples
from .reading import complaints, understood


def forward(options: str, targets: str = "[a:1, b:2]", match: str = "ports: 8, domains: a.b") -> str:
    """
    A file with one forward.
    """
    return f"routes: [{{match: {{{match}}}, action: {{type: forward, targets: {targets}, {options}}}}}]"


class SpreadTests(SynchronousTestCase):
    """
    What can be said, and what cannot.
    """

    def test_refused(self) -> None:
        """
        What contradicts itself is told, with its place.
        """
        for text, told in (
            (forward("load_balancing: fair"), "has to be round-robin, least-connections, ip-hash or"),
            (
                forward("load_balancing: {sticky: {}}", match="ports: 8"),
                "routes[0].action.load_balancing.sticky: needs HTTP",
            ),
            (forward("load_balancing: {sticky: {cookie: 'a b'}}"), "routes[0].action.load_balancing"),
            (forward("load_balancing: {sticky: {secret: short}}"), "is too short for a secret"),
            (forward("health: {active: {type: tcp, path: /x}}"), "has path, which only type: http has"),
            (forward("health: {active: {path: x}}"), "has to begin with /"),
            (forward("health: {active: {path: '/a b'}}"), "has to begin with /"),
            (forward("health: {active: {status: 600}}"), "has to be a status code"),
            (forward("health: {active: {status: 299-200}}"), "runs backwards"),
            (forward("health: {active: {interval: 0.01}}"), "routes[0].action.health.active.interval"),
            (forward("health: {passive: {eject_for: 400}}"), "has eject_for above eject_for_at_most"),
            (
                forward("health: {active: {}}", "[a:1, 'b:preserve']"),
                "routes[0].action.health.active: needs port",
            ),
            (
                forward("health: {active: {port: 9}}", "['unix:/x']"),
                "routes[0].action.health.active.port: cannot be",
            ),
            (
                forward("health: {}", "[{host: a, port: 1, weight: 0}]"),
                "routes[0].action.targets: leaves nobody",
            ),
            (forward("health: {}", "[{host: a, port: 1, weight: 1001}]"), "weight"),
            (forward("health: {}", "'srv:app.example'"), "needs the name of SRV records"),
            (forward("health: {}", "{srv: _http._udp.app.example}"), "needs the name of SRV records"),
        ):
            (line,) = complaints(text)
            self.assertIn(told, line)

    def test_service(self) -> None:
        """
        A service in one piece of text, in its normal form.
        """
        action = understood(forward("health: {}", "'srv:_HTTP._tcp.App.example.'")).routes[0].action
        assert isinstance(action, Forward)
        self.assertEqual(action.targets, (Target("_http._tcp.app.example", None, isService=True),))
        self.assertEqual(str(action.targets[0]), "srv:_http._tcp.app.example")

    def test_plain(self) -> None:
        """
        What says nothing that matters is what the quickest way serves.
        """
        for options, targets, isPlain in (
            ("load_balancing: round-robin", "[a:1, b:2]", True),
            ("health: {}", "[{host: a, port: 1, weight: 3}, {host: b, port: 1, weight: 3}]", True),
            ("health: {}", "[{host: a, port: 1, weight: 3}, {host: b, port: 1}]", False),
            ("health: {passive: {}}", "[a:1, b:2]", False),
            ("load_balancing: ip-hash", "[a:1, b:2]", False),
            ("health: {}", "'srv:_http._tcp.a.test'", False),
        ):
            action = understood(forward(options, targets)).routes[0].action
            assert isinstance(action, Forward)
            self.assertIs(action.isPlain, isPlain, options)

    def test_secret(self) -> None:
        """
        The secret is in no text about the configuration.
        """
        config = understood(forward("load_balancing: {sticky: {secret: 0123456789abcdef}}"))
        self.assertNotIn("0123456789abcdef", repr(config))

    @examples()
    @given(st.one_of(st.integers(), st.text(alphabet="0123456789x- ", max_size=9)))
    def test_statuses(self, written: int | str) -> None:
        """
        Whatever is written is a range of codes, in order, or refused.
        """
        try:
            first, last = statuses(written)
        except ValueError:
            return
        self.assertTrue(100 <= first <= last <= 599)
