"""
Tests for L{smartproxy_tw.config.actionsection}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.dotted import Reference
from smartproxy_tw.config.model import (
    TLS,
    Auto,
    Balance,
    Block,
    Check,
    Dynamic,
    Forward,
    Health,
    Internal,
    Pool,
    ProxyHeader,
    Redirect,
    Respond,
    Target,
)

from .options import Option, action, deed, tls
from .reading import only


def pool(text: str) -> str:
    """
    A configuration with one route that bounds its connections.
    """
    return action(f"type: forward, targets: 'h:1', pool: {{{text}}}")


#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Forward.type": (action("type: forward, targets: 3"), deed, Forward((Target("127.0.0.1", 3),))),
    "Forward.targets": (
        action("type: forward, targets: ['h:1', 2]"),
        deed,
        Forward((Target("h", 1), Target("127.0.0.1", 2))),
    ),
    "Forward.tls": (tls("mode: passthrough"), lambda c: c.routes[0].tls, TLS("passthrough")),
    "Forward.pool": (pool("connections: 9"), lambda c: deed(c).pool, Pool(9)),
    "Forward.load_balancing": (
        action("type: forward, targets: 1, load_balancing: ip-hash"),
        lambda c: deed(c).balance,
        Balance("ip-hash"),
    ),
    "Forward.health": (
        action("type: forward, targets: 1, health: {active: {}}"),
        lambda c: deed(c).health,
        Health(Check()),
    ),
    "Pool.connections": (pool("connections: 9"), lambda c: deed(c).pool, Pool(9, 1000, 5.0)),
    "Pool.queue": (pool("connections: 9, queue: 0"), lambda c: deed(c).pool, Pool(9, 0)),
    "Pool.wait": (pool("connections: 9, wait: 0.5"), lambda c: deed(c).pool, Pool(9, wait=0.5)),
    "Forward.decision_timeout": (
        action("type: forward, targets: 'python:shop.pick', decision_timeout: 2"),
        deed,
        Forward((), dynamic=Dynamic(Reference("shop.pick"), timeout=2.0)),
    ),
    "Forward.send_proxy_protocol": (
        action("type: forward, targets: ['h:1', 2], send_proxy_protocol: v1"),
        deed,
        Forward((Target("h", 1, ProxyHeader(1)), Target("127.0.0.1", 2, ProxyHeader(1)))),
    ),
    "Forward.protocol": (
        action("type: forward, targets: ['h:1', {host: g, port: 2, protocol: http/1.1}], protocol: h2c"),
        lambda c: (deed(c), c.routes[0].protocol),
        (Forward((Target("h", 1, protocol="h2c"), Target("g", 2))), "http"),
    ),
    "Redirect.type": (action("type: redirect, to: /x"), deed, Redirect("/x", 308)),
    "Redirect.to": (action("type: redirect, to: /y"), deed, Redirect("/y")),
    "Redirect.status": (action("type: redirect, to: /x, status: 302"), deed, Redirect("/x", 302)),
    "Redirect.tls": (
        action("type: redirect, to: /x, tls: {mode: terminate}"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Auto(("a.b",))),
    ),
    "Respond.type": (action("type: respond"), deed, Respond()),
    "Respond.status": (action("type: respond, status: 418"), deed, Respond(418)),
    "Respond.headers": (
        action("type: respond, headers: {A: b, Retry-After: 5, C: [d, e]}"),
        deed,
        Respond(headers=(("A", "b"), ("Retry-After", "5"), ("C", "d"), ("C", "e"))),
    ),
    "Respond.body": (action("type: respond, body: ü"), deed, Respond(body="ü")),
    "Respond.tls": (
        action("type: respond, tls: {mode: terminate, certificate: internal}"),
        lambda c: c.routes[0].tls,
        TLS("terminate", Internal(("a.b",))),
    ),
    "Block.type": (action("type: block"), deed, Block()),
    "Block.status": (action("type: block, status: 451"), deed, Block(451)),
    "Block.body": (action("type: block, body: ü"), deed, Block(body="ü")),
    "Block.reset": (action("type: block, reset: true"), deed, Block(isReset=True)),
    "Block.tls": (
        action("type: block, tls: {mode: passthrough}"),
        lambda c: c.routes[0].tls,
        TLS("passthrough"),
    ),
}


class ActionTests(SynchronousTestCase):
    """
    What becomes of what a route takes.
    """

    def test_refused(self) -> None:
        """
        An action that is none, and what it cannot do, is told.
        """
        for text, told in (
            ("to: /x", "needs type (forward, redirect, respond, files, socket or block)"),
            ("type: nowhere", "forward, redirect, respond, files, socket or block was expected"),
            ("type: redirect, to: /x, status: 300", "status: has to be 301, 302, 303, 307 or 308, not 300"),
            ("type: respond, status: 199", "status: has to be at least 200, not 199"),
            ("type: block, status: 399", "status: has to be at least 400, not 399"),
            ("type: forward", "action: needs targets"),
            ("type: forward, targets: 1, pool: {}", "pool: needs connections"),
            ("type: forward, targets: 1, pool: {connections: 0}", "connections: has to be at least 1, not 0"),
            ("type: respond, tls: {mode: passthrough}", "only terminate is possible for this type of action"),
            ("type: block, tls: {mode: terminate-and-reencrypt}", "passthrough or terminate was expected"),
        ):
            self.assertIn(told, only(action(text)))
