"""
Tests for L{smartproxy_tw.config.changes}.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from ipaddress import ip_network
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.changes import Changes, Setting, changes
from smartproxy_tw.config.lasting import RouteTimeouts, WebSocket
from smartproxy_tw.config.model import (
    TLS,
    Acme,
    Admin,
    Auto,
    Conditions,
    Config,
    DynamicUpdate,
    ExternalAccount,
    Files,
    Forward,
    Limits,
    Metrics,
    ProxyProtocol,
    Respond,
    Route,
    Target,
    Timeouts,
)
from smartproxy_tw.config.revision import Compress, ErrorPage, Headers, Representation, Rewrite
from smartproxy_tw.config.schema import jsonSchema
from smartproxy_tw.config.security import Cors, Security, SecurityHeaders
from smartproxy_tw.facts import Address

SHOP = Route(
    "shop", (443,), Respond(body="shop"), "http", ("shop.test",), tls=TLS("terminate", Auto(("shop.test",)))
)
PLAIN = Route("plain", (8080,), Respond(body="plain"), "http")
PAGE = ErrorPage("404", (Representation("text/plain", "sorry"),))
BLOG = Route("blog", (8080,), Respond(body="blog"), "http", ("blog.test",))


def of(*routes: Route, **others: Any) -> Config:
    """
    A configuration.
    """
    return Config(routes, "/state", **others)


class RouteTests(SynchronousTestCase):
    """
    What is different in routes.
    """

    def test_nothing(self) -> None:
        """
        Where nothing is different there are no changes, and it is said so; where a
        route stands in its file is no difference.
        """
        found = changes(of(SHOP, PLAIN, source="/a"), of(replace(SHOP, line=7), PLAIN, source="/b"))
        self.assertEqual(found, Changes())
        self.assertFalse(found)
        self.assertEqual((str(found), list(found.lines())), ("nothing has changed", []))

    def test_routes(self) -> None:
        """
        Routes are known by their names.
        """
        found = changes(of(PLAIN, BLOG), of(SHOP, replace(BLOG, action=Respond(404))))
        self.assertEqual((found.added, found.removed, found.changed), (("shop",), ("plain",), ("blog",)))
        self.assertFalse(found.isReordered)
        self.assertTrue(found)

    def test_everyFact(self) -> None:
        """
        Whatever a route has makes a difference, but for its line.
        """
        others: dict[str, Any] = {
            "ports": (1,),
            "action": Forward((Target("a", 1),)),
            "protocol": "tcp",
            "domains": ("x.test",),
            "path": "/x",
            "tls": TLS("passthrough"),
            "priority": 3,
            "conditions": Conditions(clients=("10.0.0.0/8",)),
            "headers": Headers(),
            "rewrite": Rewrite("/a"),
            "compress": Compress(),
            "errorPages": (PAGE,),
            "security": Security(connections=3),
            "cors": Cors(("*",)),
            "securityHeaders": SecurityHeaders((), "max-age=5"),
            "bodyBytes": 5,
            "timeouts": RouteTimeouts(idle=5.0),
            "webSocket": WebSocket(isAllowed=False),
        }
        self.assertEqual({*others, "name", "line"}, {each.name for each in fields(Route)})
        for name, value in others.items():
            found = changes(of(PLAIN), of(replace(PLAIN, **{name: value})))
            self.assertEqual(found.changed, ("plain",))

    def test_pages(self) -> None:
        """
        Pages of the whole proxy are told like any other setting, without what is in them.
        """
        with_ = replace(of(PLAIN), errorPages=(PAGE,))
        (setting,) = changes(of(PLAIN), with_).settings
        self.assertEqual(setting.name, "error_pages")
        self.assertNotIn("sorry", str(setting))

    def test_order(self) -> None:
        """
        The order of routes matters.
        """
        self.assertEqual(changes(of(PLAIN, BLOG), of(BLOG, PLAIN)), Changes(isReordered=True))
        self.assertEqual(changes(of(PLAIN, BLOG), of(BLOG)), Changes(removed=("plain",)))
        self.assertEqual(str(Changes(isReordered=True)), "routes reordered")

    def test_sameName(self) -> None:
        """
        Routes with the same name cannot be told apart.
        """
        error = self.assertRaises(ValueError, changes, of(), of(PLAIN, BLOG, replace(BLOG, name="plain")))
        self.assertEqual(str(error), "Two routes are called 'plain': each needs a name of its own.")

    def test_portsAndCertificates(self) -> None:
        """
        A route brings its port and its certificate, one by ACME also the port of the
        challenge; what another route needs too stays.
        """
        other = replace(SHOP, name="other", ports=(8443,))
        files = Route("f", (8443,), Respond(), "http", tls=TLS("terminate", Files("/c", "/k")))
        found = changes(of(PLAIN), of(PLAIN, SHOP))
        self.assertEqual((found.bound, found.released), ((80, 443), ()))
        self.assertEqual((found.wanted, found.dropped), (("auto:shop.test",), ()))
        found = changes(of(SHOP, other), of(other, files))
        self.assertEqual((found.bound, found.released), ((), (443,)))
        self.assertEqual((found.wanted, found.dropped), (("files:/c,/k",), ()))
        found = changes(of(SHOP), of())
        self.assertEqual((found.released, found.dropped), ((80, 443), ("auto:shop.test",)))

    def test_told(self) -> None:
        """
        The log has it in a line, which does not grow without end; the whole has a line
        for each.
        """
        found = changes(of(PLAIN), of(SHOP))
        self.assertEqual(
            str(found),
            "route added: shop; route removed: plain; port bound: 80, 443; port released: 8080;"
            " certificate wanted: auto:shop.test",
        )
        self.assertEqual(list(found.lines())[:2], ["route added: shop", "route removed: plain"])
        many = Changes(added=tuple(f"r{number}" for number in range(12)))
        self.assertEqual(str(many), "route added: r0, r1, r2, r3, r4, r5, r6, r7, r8 and 3 more")
        self.assertEqual(len(list(many.lines())), 12)


class SettingTests(SynchronousTestCase):
    """
    What is different besides.
    """

    def test_values(self) -> None:
        """
        A setting is told by its name in the file, with its values.
        """
        found = changes(
            of(timeouts=Timeouts(keepAlive=5.0), requestID=True),
            of(timeouts=Timeouts(keepAlive=7.5, drain=1), requestID=False, limits=Limits(urlBytes=300)),
        )
        self.assertEqual(
            {str(each) for each in found.settings},
            {
                "timeouts.keep_alive: 5 -> 7.5",
                "timeouts.drain: 30 -> 1",
                "request_id: true -> false",
                "limits.url_bytes: 8192 -> 300",
            },
        )
        self.assertEqual(found.obstacles, ())

    def test_heralds(self) -> None:
        """
        Who is believed on a port can change while it runs, and is called as it is written.
        """
        old, new = (ProxyProtocol((80,), (ip_network(each),)) for each in ("10.0.0.0/8", "::1"))
        found = changes(of(proxyProtocol=old), of(proxyProtocol=new))
        self.assertEqual(str(found), "proxy_protocol.from: [10.0.0.0/8] -> [::1/128]")
        self.assertEqual(changes(of(), of(proxyProtocol=new)).obstacles, ())

    def test_restart(self) -> None:
        """
        What a process is begun with needs another process.
        """
        self.assertEqual(
            str(changes(of(), of(admin=Admin("/s"))).obstacles[0]), "admin: not set -> {socket: /s}"
        )
        for name, config in (
            ("state_dir", replace(of(), stateDir="/other")),
            ("workers", of(workers=2)),
            ("bind", of(bind=("127.0.0.1",))),
            ("log.format", of(logFormat="json")),
            ("admin", of(admin=Admin("/s"))),
            ("metrics", of(metrics=Metrics(Address("127.0.0.1", 9)))),
            ("acme.directory", of(acme=Acme(directory="https://x.test/dir"))),
            ("acme.http_port", of(acme=Acme(httpPort=8080))),
        ):
            found = changes(of(), config)
            self.assertEqual([each.name for each in found.obstacles], [name])
            self.assertEqual(found.obstacles, found.settings)
            self.assertIn(f"{found.obstacles[0]} (needs a restart)", list(found.lines()))
        self.assertEqual(changes(of(), of(acme=Acme(challenges=("tls-alpn-01",)))).obstacles, ())

    def test_secrets(self) -> None:
        """
        No secret is told, neither the old one nor the new one.
        """
        server = Address("192.0.2.1", 53)
        old = Acme(dns=DynamicUpdate(server, "k", keySecret="OLDSECRET"), external=None)
        new = Acme(
            dns=DynamicUpdate(server, "k", keySecret="NEWSECRET"), external=ExternalAccount("id", "MACSECRET")
        )
        for one, other in ((old, new), (new, old), (Acme(), new), (new, Acme())):
            found = changes(of(acme=one), of(acme=other))
            self.assertNotIn("SECRET", f"{found}\n{list(found.lines())}\n{found!r}")
        self.assertIn(
            Setting("acme.dns.key_secret", "one secret", "another"),
            changes(of(acme=old), of(acme=new)).settings,
        )

    def test_longValues(self) -> None:
        """
        A long value is cut.
        """
        found = changes(of(), of(bind=tuple(f"10.0.0.{number}" for number in range(100))))
        self.assertLess(len(found.settings[0].new), 201)

    def test_names(self) -> None:
        """
        Each name is one that the schema has.
        """
        schema = jsonSchema()
        known = schema["properties"]
        for each in fields(Config):
            if each.name not in ("routes", "source", "files", "patterns"):
                self.assertIn(_nameOf(Config, each.name).partition(".")[0], known)
        acme = _properties(schema, "acme")
        for each in fields(Acme):
            self.assertIn(_nameOf(Acme, each.name), acme)
        for kind, name in ((Timeouts, "timeouts"), (Limits, "limits")):
            for each in fields(kind):
                self.assertIn(_nameOf(kind, each.name), _properties(schema, name))


def _nameOf(kind: type, name: str) -> str:
    from smartproxy_tw.config.changes import _written

    assert is_dataclass(kind)
    return _written(name)


def _properties(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found: Any = schema["properties"][name]
    for each in found.get("anyOf", [found]):
        reference = each.get("$ref") or (each.get("allOf") or [{}])[0].get("$ref")
        if reference:
            properties: dict[str, Any] = schema["$defs"][reference.rpartition("/")[2]]["properties"]
            return properties
        if "properties" in each:
            return dict(each["properties"])
    raise AssertionError(name)
