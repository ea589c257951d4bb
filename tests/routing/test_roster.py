"""
Tests for L{smartproxy_tw.routing.roster}.
"""

from __future__ import annotations

import json
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import (
    TLS,
    Application,
    Auto,
    Block,
    Conditions,
    Files,
    FileTree,
    Forward,
    Internal,
    Redirect,
    Respond,
    Route,
    Several,
    Target,
    UpstreamTLS,
)
from smartproxy_tw.config.security import Security
from smartproxy_tw.routing.explain import Verdict
from smartproxy_tw.routing.roster import entry, verdict

SHOP = Route(
    "shop",
    (80, 443, 8000, 8001, 8002),
    Forward((Target("127.0.0.1", 3000), Target("app.test", None))),
    "http",
    ("shop.example", "*.shop.example"),
    "/api/*",
    TLS("terminate", Auto(("shop.example",))),
    priority=7,
    line=12,
    conditions=Conditions(
        (("x-a", ("b", "c*")), ("cookie", ("hush",))),
        (("v", ("2",)),),
        ("GET", "PUT"),
        ("10.0.0.0/8", "::1"),
        ("1.3",),
    ),
    security=Security(blocked=("192.0.2.1",), connections=9),
)


class RosterTests(SynchronousTestCase):
    """
    Routes as values.
    """

    def test_whole(self) -> None:
        """
        All that a route says is there.
        """
        self.assertEqual(
            entry(SHOP, 3),
            {
                "name": "shop",
                "line": 12,
                "ports": [80, 443, {"from": 8000, "to": 8002}],
                "protocol": "http",
                "match": {
                    "domains": ["shop.example", "*.shop.example"],
                    "path": "/api/*",
                    "headers": [{"name": "x-a", "values": ["b", "c*"]}, {"name": "cookie", "values": None}],
                    "query": [{"name": "v", "values": ["2"]}],
                    "method": ["GET", "PUT"],
                    "client_ip": ["10.0.0.0/8", "::1"],
                    "tls_version": ["1.3"],
                },
                "action": {
                    "type": "forward",
                    "targets": ["127.0.0.1:3000", "app.test:preserve"],
                    "weights": [1, 1],
                    "load_balancing": "round-robin",
                    "tls": None,
                },
                "tls": {
                    "mode": "terminate",
                    "certificate": {
                        "source": "auto",
                        "names": ["shop.example"],
                        "keys": [Auto(("shop.example",)).key],
                    },
                },
                "guards": ["block list (1 entry)", "at most 9 at a time"],
                "precedence": {
                    "priority": 7,
                    "domain": "exact",
                    "path": "prefix",
                    "conditions": 6,
                    "place": 3,
                },
            },
        )

    def test_kinds(self) -> None:
        """
        Every kind of action and of certificate is told, and the text of an answer and
        the places of keys are not.
        """
        for action, told in (
            (
                Redirect("https://{domain}{path}", 308),
                {"type": "redirect", "status": 308, "to": "https://{domain}{path}"},
            ),
            (Respond(200, body="secret text"), {"type": "respond", "status": 200, "bytes": 11}),
            (Block(), {"type": "block", "status": 403, "reset": False}),
            (FileTree("/srv"), {"type": "files", "root": "/srv"}),
            (
                Application("a:b", "wsgi", '"secret"'),
                {"type": "socket", "kind": "wsgi", "factory": "a:b"},
            ),
        ):
            found = entry(replace(SHOP, action=action), 1)
            self.assertEqual(found["action"], told)
            self.assertNotIn("secret", json.dumps(found))
        reencrypted = Forward((Target("a", 1),), tls=UpstreamTLS(serverName="b"))
        told = entry(replace(SHOP, action=reencrypted), 1)["action"]["tls"]
        self.assertEqual(told, {"verify": True, "server_name": "b"})
        internal = entry(replace(SHOP, tls=TLS("terminate", Internal(("i.test",)))), 1)["tls"]["certificate"]
        self.assertEqual((internal["source"], internal["names"]), ("internal", ["i.test"]))
        parts = (Auto(("a.test",)), Auto(("b.test",)))
        several = TLS("terminate", Several(("a.test", "b.test"), parts))
        divided = entry(replace(SHOP, tls=several), 1)["tls"]["certificate"]
        self.assertEqual(divided["source"], "auto")
        self.assertEqual(divided["keys"], [each.key for each in parts])
        files = entry(replace(SHOP, tls=TLS("terminate", Files("/c.pem", "/secret.pem"))), 1)
        self.assertEqual(files["tls"]["certificate"]["source"], "files")
        self.assertIsNone(entry(replace(SHOP, tls=TLS("passthrough", None)), 1)["tls"]["certificate"])
        self.assertIsNone(entry(replace(SHOP, tls=None, line=0), 1)["line"])

    def test_precedence(self) -> None:
        """
        What decides between routes is told in words.
        """
        for domains, path, told in (
            ((), None, ("any", "any")),
            (("*",), "/", ("any", "exact")),
            (("*", "**.a.b"), "/u/:id", ("wildcard", "pattern")),
            (("*", "a.b"), "/*", ("exact", "prefix")),
        ):
            found = entry(replace(SHOP, domains=domains, path=path), 1)["precedence"]
            self.assertEqual((found["domain"], found["path"]), told)

    def test_verdict(self) -> None:
        """
        A verdict names its route.
        """
        self.assertEqual(
            verdict(Verdict(SHOP, "port: 1")), {"route": "shop", "line": 12, "reason": "port: 1"}
        )
