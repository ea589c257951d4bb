"""
Tests for L{smartproxy_tw.config.schema}: that every option there is has an effect.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import fields
from ipaddress import ip_network
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import model, schema
from smartproxy_tw.config.loading import loads
from smartproxy_tw.config.model import (
    Acme,
    Admin,
    CertificateHook,
    Config,
    Limits,
    Metrics,
    ProxyProtocol,
    Redirect,
    Respond,
    Timeouts,
)
from smartproxy_tw.facts import Address

from ..plugins.given import given
from . import (
    test_acmesection,
    test_actionsection,
    test_adminsection,
    test_code,
    test_contents,
    test_dnssection,
    test_limitsection,
    test_logsection,
    test_matching,
    test_ports,
    test_proxysection,
    test_routesection,
    test_sitesection,
    test_spread,
    test_targetsection,
    test_tlssection,
)
from .options import DIRECTORY, ROUTE, TOKEN, Option, action, site, tls
from .protections import FILES
from .protections import OPTIONS as PROTECTIONS
from .reading import ENVIRONMENT, complaints, understood
from .test_lastingsection import OPTIONS as LASTING
from .test_revisionsection import OPTIONS as REVISIONS

LOOPBACK = Metrics(Address("127.0.0.1", 9100))

#: For each option of the schema: see L{Option}.
OPTIONS: dict[str, Option] = {
    **PROTECTIONS,
    "File.include": ("include: more.yaml", lambda c: c.routes[0].name, "included"),
    "File.bind": ("bind: ['::1']\n" + ROUTE, lambda c: c.bind, ("::1",)),
    "File.workers": ("workers: 4\n" + ROUTE, lambda c: c.workers, 4),
    "File.state_dir": ("state_dir: ./s\n" + ROUTE, lambda c: os.path.basename(c.stateDir), "s"),
    "File.access_log": ("access_log: {format: 'off'}\n" + ROUTE, lambda c: c.accessLog.format, "off"),
    "File.log": ("log: {format: json}\n" + ROUTE, lambda c: c.logFormat, "json"),
    "File.admin": ("admin: off\n" + ROUTE, lambda c: c.admin, None),
    "File.metrics": ("metrics: {listen: 9100}\n" + ROUTE, lambda c: c.metrics, LOOPBACK),
    "File.timeouts": ("timeouts: {head: 3}\n" + ROUTE, lambda c: c.timeouts, Timeouts(head=3)),
    "File.python_path": ("python_path: /usr\n" + ROUTE, lambda c: c.pythonPath, ("/usr",)),
    "File.http2_prior_knowledge": (
        "http2_prior_knowledge: true\n" + ROUTE,
        lambda c: c.http2PriorKnowledge,
        True,
    ),
    "File.watch": ("watch: true\n" + ROUTE, lambda c: c.watch, True),
    "File.request_id": ("request_id: false\n" + ROUTE, lambda c: c.requestID, False),
    "File.limits": ("limits: {connections: 3}\n" + ROUTE, lambda c: c.limits, Limits(connections=3)),
    "File.trusted_proxies": (
        "trusted_proxies: [10.0.0.0/8, '::1']\n" + ROUTE,
        lambda c: c.trustedProxies,
        (ip_network("10.0.0.0/8"), ip_network("::1")),
    ),
    "File.proxy_protocol": (
        "proxy_protocol: {from: '::1'}\n" + ROUTE,
        lambda c: c.proxyProtocol,
        ProxyProtocol((8,), (ip_network("::1"),)),
    ),
    "File.acme": ("acme: {http_port: 81}\n" + ROUTE, lambda c: c.acme, Acme(httpPort=81)),
    "File.sites": (site("1"), lambda c: len(c.routes), 2),
    "File.routes": (ROUTE, lambda c: len(c.routes), 1),
    **REVISIONS,
    **LASTING,
    **test_acmesection.OPTIONS,
    **test_actionsection.OPTIONS,
    **test_adminsection.OPTIONS,
    **test_code.OPTIONS,
    **test_contents.OPTIONS,
    **test_dnssection.OPTIONS,
    **test_limitsection.OPTIONS,
    **test_logsection.OPTIONS,
    **test_matching.OPTIONS,
    **test_ports.OPTIONS,
    **test_proxysection.OPTIONS,
    **test_routesection.OPTIONS,
    **test_sitesection.OPTIONS,
    **test_spread.OPTIONS,
    **test_targetsection.OPTIONS,
    **test_tlssection.OPTIONS,
}


def optionsOf(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Every option of a schema, by its mapping and name.
    """
    for name, option in whole["properties"].items():
        yield f"File.{name}", option
    for title, definition in whole["$defs"].items():
        for name, option in definition.get("properties", {}).items():
            yield f"{title}.{name}", option


class OptionTests(SynchronousTestCase):
    """
    Every option.
    """

    def setUp(self) -> None:
        """
        There are some plug-ins.
        """
        given(self)

    def test_everyOptionIsTested(self) -> None:
        """
        There is no option in the schema that is not used here, and none here that
        is not in the schema.
        """
        inSchema = {name for name, _ in optionsOf(schema.jsonSchema())}
        self.assertEqual(inSchema, set(OPTIONS))

    def test_everyOptionWorks(self) -> None:
        """
        Each option brings about what it says, in snake_case, in camelCase and in
        JSON.
        """
        directory = DIRECTORY
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "more.yaml"), "w", encoding="ascii") as opened:
            opened.write("routes: [{name: included, match: {ports: 1}, action: {type: block}}]")
        for name in ("c.pem", "k.pem"):
            with open(os.path.join(directory, name), "w", encoding="ascii"):
                pass
        for name, content in FILES.items():
            with open(os.path.join(directory, name), "w", encoding="ascii") as opened:
                opened.write(content)
        for name, (text, look, expected) in OPTIONS.items():
            for form in (text, camelCased(text)):
                found = look(loads(form, "yaml", directory, environ=ENVIRONMENT))
                self.assertEqual(found, expected, f"{name} in {form}")

    def test_adminPort(self) -> None:
        """
        A port for the admin API needs a token that cannot be guessed, is of this machine
        unless it is said that others are meant, and is no route's; the token is in no
        complaint, and not in what a configuration looks like.
        """
        there = "listen: '127.0.0.1:2019'"
        for written, told in (
            (there, "needs listen, and the token that has to be shown there"),
            (f"token: {TOKEN}", "needs listen, and the token"),
            (f"{there}, token: {TOKEN}, token_file: k.pem", "either token_file or token"),
            (f"{there}, token: {TOKEN[1:]}", "at least 32 characters"),
            (f"{there}, token: '{TOKEN} x'", "letters, digits"),
            (f"listen: '10.0.0.1:2019', token: {TOKEN}", "say allow_remote: true if that is meant"),
            (f"listen: '[::]:2019', token: {TOKEN}", "other machines reach it"),
            ("allow_remote: true", "means nothing without listen"),
            (f"listen: 'localhost:2019', token: {TOKEN}", "does not begin with an IP address"),
            (f"listen: '::1:2019', token: {TOKEN}", "has no port from 1 to 65535"),
            (f"listen: '127.0.0.1:0', token: {TOKEN}", "has no port from 1 to 65535"),
            (f"listen: '127.0.0.1:8', token: {TOKEN}", "has port 8, which route ':8' listens on"),
            (f"{there}, token_file: none", "does not exist"),
        ):
            (complaint,) = complaints(f"admin: {{{written}}}\n{ROUTE}")
            self.assertIn(told, complaint, written)
            self.assertTrue(complaint.startswith("1:"), complaint)
            self.assertNotIn(TOKEN[1:], complaint)
        found = understood(f"bind: 10.0.0.2\nadmin: {{listen: '127.0.0.1:8', token: {TOKEN}}}\n{ROUTE}")
        self.assertEqual(found.admin.listen, Address("127.0.0.1", 8))
        self.assertNotIn(TOKEN, repr(found))

    def test_workers(self) -> None:
        """
        Workers are counted, or as many as there are CPUs; anything else is a
        mistake that is told where it stands.
        """
        self.assertEqual(understood("workers: 1\n" + ROUTE).workers, 1)
        self.assertEqual(understood("workers: 256\n" + ROUTE).workers, 256)
        self.assertEqual(understood("workers: auto\n" + ROUTE).workers, "auto")
        self.assertEqual(understood(ROUTE).workers, 1)
        self.assertEqual(understood("workers: ${COUNT}\n" + ROUTE, environ={"COUNT": "3"}).workers, 3)
        for other, told in {
            "0": "has to be at least 1, not 0",
            "257": "has to be at most 256, not 257",
            "true": "has to be a number, or auto, not true",
            "1.5": "has to be a number, or auto, not 1.5",
            "many": "has to be auto or a whole number, not 'many'",
        }.items():
            self.assertEqual(complaints(f"workers: {other}\n" + ROUTE), [f"1:10: workers: {told}"])


def camelCased(text: str) -> str:
    """
    The same text with the camelCase form of each option.
    """
    import re

    return re.sub(r"\b[a-z]+(?:_[a-z]+)+(?=:)", _joined, text)


def _joined(found: Any) -> str:
    first, *others = found[0].split("_")
    return first + "".join(map(str.title, others))


class SchemaTests(SynchronousTestCase):
    """
    The schema as JSON Schema.
    """

    def test_described(self) -> None:
        """
        Every option and every mapping says what it is for, in one line.
        """
        whole = schema.jsonSchema()
        for name, option in [*optionsOf(whole), *whole["$defs"].items(), ("File", whole)]:
            self.assertTrue(option.get("description", "").endswith("."), name)
            self.assertNotIn("\n", option["description"])

    def test_strict(self) -> None:
        """
        No mapping allows anything else, and nothing is null.
        """
        whole = schema.jsonSchema()
        for name, definition in [*whole["$defs"].items(), ("File", whole)]:
            self.assertIs(definition["additionalProperties"], False, name)
        text = json.dumps(whole)
        self.assertNotIn('"null"', text)
        self.assertNotIn("anyOf", text)

    def test_words(self) -> None:
        """
        It is JSON Schema 2020-12, and all its names are snake_case.
        """
        whole = schema.jsonSchema()
        self.assertEqual(whole["$schema"], "https://json-schema.org/draft/2020-12/schema")
        for name, _ in optionsOf(whole):
            self.assertRegex(name.partition(".")[2], r"\A[a-z]+2?(_[a-z]+)*\Z")

    def test_bounds(self) -> None:
        """
        Bounds reach the schema.
        """
        found = dict(optionsOf(schema.jsonSchema()))
        self.assertEqual((found["Acme.http_port"]["minimum"], found["Acme.http_port"]["maximum"]), (1, 65535))
        self.assertEqual(found["Timeouts.head"]["exclusiveMinimum"], 0)
        self.assertEqual(found["Redirect.status"]["enum"], [301, 302, 303, 307, 308])
        self.assertEqual(found["Match.ports"]["oneOf"][0]["maximum"], 65535)

    def test_defaults(self) -> None:
        """
        What is left out is what the model says.
        """
        config = understood(ROUTE)
        plain = Config(config.routes, "/state", admin=Admin("/state/admin.sock"))
        for each in fields(model.Config):
            self.assertEqual(getattr(config, each.name), getattr(plain, each.name), each.name)
        found = dict(optionsOf(schema.jsonSchema()))
        for mapping in (Timeouts(), Limits()):
            for each in fields(mapping):
                name = "".join(f"_{c.lower()}" if c.isupper() else c for c in each.name)
                option = found[f"{type(mapping).__name__}.{name}"]
                self.assertEqual(option["default"], getattr(mapping, each.name))
        self.assertEqual(found["Redirect.status"]["default"], Redirect("").status)
        self.assertEqual(found["Respond.status"]["default"], Respond().status)
        self.assertNotIn("default", found["Acme.email"])
        hook = CertificateHook(())
        self.assertEqual(found["CertificateHook.timeout"]["default"], hook.timeout)
        self.assertEqual(found["CertificateHook.events"]["default"], list(hook.events))

    def test_notYet(self) -> None:
        """
        What later releases will bring is an unknown option, never ignored.
        """
        for text, option in (
            ("http2: {}\n" + ROUTE, "http2"),
            ("security: {}\n" + ROUTE, "security"),
            ("geoip: {}\n" + ROUTE, "geoip"),
            (action("type: forward, targets: 1, websocket: {}"), "websocket"),
            (tls("mode: terminate, versions: x"), "versions"),
        ):
            (line,) = complaints(text)
            self.assertIn(f"{option}: is not an option here", line)
        told = "forward, redirect, respond, files, socket or block was expected"
        self.assertIn(told, complaints(action("type: nftables"))[0])
