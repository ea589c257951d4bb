"""
Tests for L{smartproxy_tw.config.sitesection}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import (
    TLS,
    Balance,
    Check,
    Forward,
    Health,
    Internal,
    RouteTimeouts,
    Target,
    WebSocket,
)
from smartproxy_tw.config.revision import FieldChanges, Headers
from smartproxy_tw.config.security import Security

from .options import Option, deed, site
from .reading import only, understood

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Site.to": (site("{to: ['h:1', 'h:2']}"), deed, Forward((Target("h", 1), Target("h", 2)))),
    "Site.www": (site("{to: 1, www: redirect}"), lambda c: c.routes[2].domains, ("www.a.b",)),
    "Site.certificate": (
        site("{to: 1, certificate: internal}"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Internal(("a.b",))),
    ),
    "Site.headers": (
        site("{to: 1, headers: {response: {set: {X-A: b}}}}"),
        lambda c: [each.headers for each in c.routes],
        [Headers(response=FieldChanges((("X-A", "b"),))), None],
    ),
    "Site.rewrite": (
        site("{to: 1, rewrite: {strip_prefix: /x}}"),
        lambda c: [each.rewrite is None for each in c.routes],
        [False, True],
    ),
    "Site.compress": (
        site("{to: 1, compress: {types: [text/plain]}}"),
        lambda c: c.routes[0].compress.types,
        ("text/plain",),
    ),
    "Site.error_pages": (
        site("{to: 1, error_pages: {404: {body: x}}}"),
        lambda c: [len(each.errorPages) for each in c.routes],
        [1, 0],
    ),
    "Site.security": (
        site("{to: 1, security: {max_connections: 3, client_prefix: 56}}"),
        lambda c: [each.security for each in c.routes],
        [Security(connections=3, prefix=56), Security(connections=3, prefix=56)],
    ),
    "Site.cors": (
        site("{to: 1, cors: {origins: 'https://x.y'}}"),
        lambda c: [each.cors is None for each in c.routes],
        [False, True],
    ),
    "Site.security_headers": (
        site("{to: 1, security_headers: true}"),
        lambda c: [each.securityHeaders is None for each in c.routes],
        [False, False],
    ),
    "Site.timeouts": (
        site("{to: 1, timeouts: {idle: 7}}"),
        lambda c: [each.timeouts for each in c.routes],
        [RouteTimeouts(7.0), None],
    ),
    "Site.websocket": (
        site("{to: 1, websocket: false}"),
        lambda c: [each.webSocket for each in c.routes],
        [WebSocket(False), None],
    ),
    "Site.limits": (
        site("{to: 1, limits: {body_bytes: 7}}"),
        lambda c: [each.bodyBytes for each in c.routes],
        [7, None],
    ),
    "Site.load_balancing": (
        "sites: {a.test: {to: 1, load_balancing: least-connections}}",
        lambda c: deed(c).balance,
        Balance("least-connections"),
    ),
    "Site.health": (
        "sites: {a.test: {to: 1, health: {active: {}}}}",
        lambda c: deed(c).health,
        Health(Check()),
    ),
}


class SiteTests(SynchronousTestCase):
    """
    A name that is served by HTTPS.
    """

    def test_refused(self) -> None:
        """
        What is no target, and no way to treat www, is told.
        """
        for text, told in (
            ("[1, 2]", "has to be a target such as 127.0.0.1:3000, or {to: , www: , certificate: }"),
            ("true", "has to be a target such as 127.0.0.1:3000"),
            ("{www: redirect}", "needs to"),
            ("{to: 1, www: both}", "www: has to be redirect or none, not 'both'"),
            ("{to: 1, priority: 3}", "priority: is not an option here"),
        ):
            self.assertIn(told, only(site(text)))

    def test_names(self) -> None:
        """
        A name stays as it is written, and what is none is told.
        """
        self.assertEqual(understood("sites: {A.b: 1}").routes[0].domains, ("a.b",))
        self.assertIn("sites", only("sites: {'a b': 1}"))
