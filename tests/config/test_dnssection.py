"""
Tests for L{smartproxy_tw.config.dnssection}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import DynamicUpdate, Hook, Lexicon, OwnZones
from smartproxy_tw.facts import Address

from .options import ROUTE, Option
from .reading import only, understood

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "OwnZones.type": (
        "acme: {dns: {type: zone, zones: [p.a.b], name: ns.a.b, listen: 127.0.0.1}}\n" + ROUTE,
        lambda c: type(c.acme.dns),
        OwnZones,
    ),
    "OwnZones.zones": (
        "acme: {dns: {type: zone, zones: [P.a.b., q.a.b], name: ns.a.b, listen: 127.0.0.1}}\n" + ROUTE,
        lambda c: c.acme.dns.zones,
        ("p.a.b", "q.a.b"),
    ),
    "OwnZones.name": (
        "acme: {dns: {type: zone, zones: [p.a.b], name: NS2.a.b, listen: 127.0.0.1}}\n" + ROUTE,
        lambda c: c.acme.dns.name,
        "ns2.a.b",
    ),
    "OwnZones.listen": (
        "acme: {dns: {type: zone, zones: [p.a.b], name: ns.a.b, listen: ['127.0.0.1:5353', '::']}}\n" + ROUTE,
        lambda c: c.acme.dns.listen,
        (Address("127.0.0.1", 5353), Address("::", 53)),
    ),
    "Hook.type": (
        "acme: {dns: {type: exec, command: [sh]}}\n" + ROUTE,
        lambda c: type(c.acme.dns),
        Hook,
    ),
    "Hook.command": (
        "acme: {dns: {type: exec, command: [/bin/sh, -c, ls]}}\n" + ROUTE,
        lambda c: c.acme.dns.command,
        ("/bin/sh", "-c", "ls"),
    ),
    "Hook.timeout": (
        "acme: {dns: {type: exec, command: [sh], timeout: 5}}\n" + ROUTE,
        lambda c: c.acme.dns.timeout,
        5.0,
    ),
    "Hook.zone": (
        "acme: {dns: {type: exec, command: [sh], zone: B.C.}}\n" + ROUTE,
        lambda c: c.acme.dns.zone,
        "b.c",
    ),
    "Hook.resolvers": (
        "acme: {dns: {type: exec, command: [sh], resolvers: 192.0.2.1}}\n" + ROUTE,
        lambda c: c.acme.dns.resolvers,
        (Address("192.0.2.1", 53),),
    ),
    "Hook.name_servers": (
        "acme: {dns: {type: exec, command: [sh], name_servers: 192.0.2.1}}\n" + ROUTE,
        lambda c: c.acme.dns.nameServers,
        (Address("192.0.2.1", 53),),
    ),
    "Hook.patience": (
        "acme: {dns: {type: exec, command: [sh], patience: 5}}\n" + ROUTE,
        lambda c: c.acme.dns.patience,
        5.0,
    ),
    **{
        f"Lexicon.{option}": (
            f"acme: {{dns: {{type: lexicon, provider: cloudflare, {text}}}}}\n" + ROUTE,
            look,
            expected,
        )
        for option, text, look, expected in (
            ("type", "ttl: 5", lambda c: type(c.acme.dns), Lexicon),
            ("provider", "ttl: 5", lambda c: c.acme.dns.provider, "cloudflare"),
            (
                "options",
                "options: {'zone_id': 17}",
                lambda c: c.acme.dns.options,
                (("zone_id", "17"),),
            ),
            (
                "option_files",
                "option_files: {'auth_token': c.pem}",
                lambda c: [(name, os.path.basename(file)) for name, file in c.acme.dns.optionFiles],
                [("auth_token", "c.pem")],
            ),
            ("ttl", "ttl: 5", lambda c: c.acme.dns.ttl, 5),
            ("timeout", "timeout: 5", lambda c: c.acme.dns.timeout, 5.0),
            ("zone", "zone: B.C.", lambda c: c.acme.dns.zone, "b.c"),
            (
                "resolvers",
                "resolvers: 192.0.2.1",
                lambda c: c.acme.dns.resolvers,
                (Address("192.0.2.1", 53),),
            ),
            (
                "name_servers",
                "name_servers: 192.0.2.1",
                lambda c: c.acme.dns.nameServers,
                (Address("192.0.2.1", 53),),
            ),
            ("patience", "patience: 5", lambda c: c.acme.dns.patience, 5.0),
        )
    },
    "DynamicUpdate.type": (
        "acme: {dns: {type: rfc2136, server: ns.a}}\n" + ROUTE,
        lambda c: type(c.acme.dns),
        DynamicUpdate,
    ),
    "DynamicUpdate.server": (
        "acme: {dns: {type: rfc2136, server: '[::1]:5353'}}\n" + ROUTE,
        lambda c: c.acme.dns.server,
        Address("::1", 5353),
    ),
    "DynamicUpdate.key_name": (
        "acme: {dns: {type: rfc2136, server: a.b, key_name: Key., key_secret: YWJj}}\n" + ROUTE,
        lambda c: c.acme.dns.keyName,
        "key",
    ),
    "DynamicUpdate.key_algorithm": (
        "acme: {dns: {type: rfc2136, server: a.b, key_algorithm: hmac-sha512}}\n" + ROUTE,
        lambda c: c.acme.dns.keyAlgorithm,
        "hmac-sha512",
    ),
    "DynamicUpdate.key_secret": (
        "acme: {dns: {type: rfc2136, server: a.b, key_name: k, key_secret: YWJj}}\n" + ROUTE,
        lambda c: c.acme.dns.keySecret,
        "YWJj",
    ),
    "DynamicUpdate.ttl": (
        "acme: {dns: {type: rfc2136, server: a.b, ttl: 5}}\n" + ROUTE,
        lambda c: c.acme.dns.ttl,
        5,
    ),
    "DynamicUpdate.zone": (
        "acme: {dns: {type: rfc2136, server: a.b, zone: B.C.}}\n" + ROUTE,
        lambda c: c.acme.dns.zone,
        "b.c",
    ),
    "DynamicUpdate.resolvers": (
        "acme: {dns: {type: rfc2136, server: a.b, resolvers: 192.0.2.1}}\n" + ROUTE,
        lambda c: c.acme.dns.resolvers,
        (Address("192.0.2.1", 53),),
    ),
    "DynamicUpdate.name_servers": (
        "acme: {dns: {type: rfc2136, server: a.b, name_servers: ['192.0.2.1:54', '::1']}}\n" + ROUTE,
        lambda c: c.acme.dns.nameServers,
        (Address("192.0.2.1", 54), Address("::1", 53)),
    ),
    "DynamicUpdate.patience": (
        "acme: {dns: {type: rfc2136, server: a.b, patience: 5}}\n" + ROUTE,
        lambda c: c.acme.dns.patience,
        5.0,
    ),
    "DynamicUpdate.key_secret_file": (
        "acme: {dns: {type: rfc2136, server: a.b, key_name: k, key_secret_file: c.pem}}\n" + ROUTE,
        lambda c: os.path.basename(c.acme.dns.keySecretFile),
        "c.pem",
    ),
}


class DNSTests(SynchronousTestCase):
    """
    By what means records are put into the DNS.
    """

    def test_wrongDNS(self) -> None:
        """
        What is wrong with C{acme.dns} is told, and not that it is missing.
        """
        for more in ("", "challenges: [dns-01], "):
            acme = f"acme: {{{more}dns: {{type: zone, zones: [], name: a.b, listen: '::'}}}}"
            self.assertIn("acme.dns.zones: is empty", only(f"{acme}\nsites: {{'*.a.b': 1}}"))

    def test_refused(self) -> None:
        """
        A key without its name, a provider that cannot be one and a secret that stands there are told.
        """
        for text, told in (
            ("type: rfc2136, server: ns.a, key_name: k", "needs key_name, and the key that belongs to it"),
            ("type: rfc2136, server: ns.a, ttl: 86401", "acme.dns.ttl: has to be at most 86400, not 86401"),
            ("type: zone, zones: [a.b, A.b], name: n.a, listen: '::'", "acme.dns.zones: lists a.b twice"),
            ("type: zone, zones: [a.b], name: n.a, listen: n.a", "is no IP address: names cannot be looked"),
            ("type: exec, command: []", "acme.dns.command: is empty"),
            ("type: lexicon, provider: Cloud-Flare", "is no provider: a word in small letters was expected"),
            (
                "type: lexicon, provider: cloudflare, options: {auth-token: x}",
                "options are written as auth_token",
            ),
        ):
            self.assertIn(told, only(f"acme: {{dns: {{{text}}}}}\n{ROUTE}"))

    def test_secrets(self) -> None:
        """
        A secret comes from the environment or from a file, and is never shown.
        """
        written = "acme: {dns: {type: lexicon, provider: cloudflare, options: {auth_token: %s}}}\n" + ROUTE
        told = only(written % "geheim")
        self.assertIn("has auth_token, which is a secret: take it from the environment", told)
        self.assertNotIn("geheim", told)
        environ = {"STATE_DIRECTORY": "/s", "DNS_TOKEN": "geheim"}
        found = understood(written % "'${DNS_TOKEN}'", environ=environ)
        assert isinstance(found.acme.dns, Lexicon)
        self.assertEqual(found.acme.dns.options, (("auth_token", "geheim"),))
        self.assertNotIn("geheim", repr(found))
