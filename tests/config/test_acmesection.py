"""
Tests for L{smartproxy_tw.config.acmesection}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import (
    LETSENCRYPT_STAGING,
    Acme,
    Authority,
    CertificateHook,
    DynamicUpdate,
    ExternalAccount,
    Preflight,
)
from smartproxy_tw.facts import Address

from .options import ROUTE, Option, site
from .reading import complaints, only, understood

#: See L{tests.config.test_schema}.
OPTIONS: dict[str, Option] = {
    "Acme.email": ("acme: {email: a@b}\n" + ROUTE, lambda c: c.acme, Acme(email="a@b")),
    "Acme.directory": (
        "acme: {directory: letsencrypt-staging}\n" + ROUTE,
        lambda c: c.acme,
        Acme(directory=LETSENCRYPT_STAGING),
    ),
    "Acme.ca_file": (
        "acme: {ca_file: c.pem}\n" + ROUTE,
        lambda c: os.path.basename(c.acme.caFile or ""),
        "c.pem",
    ),
    "Acme.external_account": (
        "acme: {external_account: {key_id: k, hmac_key: a-_A}}\n" + ROUTE,
        lambda c: c.acme.external,
        ExternalAccount("k", "a-_A"),
    ),
    "ExternalAccount.key_id": (
        "acme: {external_account: {key_id: other, hmac_key: a-_A}}\n" + ROUTE,
        lambda c: c.acme.external.keyID,
        "other",
    ),
    "ExternalAccount.hmac_key": (
        "acme: {external_account: {key_id: k, hmac_key: abcd}}\n" + ROUTE,
        lambda c: c.acme.external.hmacKey,
        "abcd",
    ),
    "ExternalAccount.hmac_key_file": (
        "acme: {external_account: {key_id: k, hmac_key_file: c.pem}}\n" + ROUTE,
        lambda c: os.path.basename(c.acme.external.hmacKeyFile),
        "c.pem",
    ),
    "Acme.profile": (
        "acme: {profile: tlsserver}\n" + ROUTE,
        lambda c: c.acme,
        Acme(profile="tlsserver"),
    ),
    "Acme.key_type": (
        "acme: {key_type: rsa-3072, fallbacks: [{directory: https://ca.b/d}]}\n" + ROUTE,
        lambda c: (c.acme.keyType, c.acme.fallbacks[0].keyType),
        ("rsa-3072", "rsa-3072"),
    ),
    "Acme.fallbacks": (
        "acme: {email: a@b, fallbacks: [{directory: letsencrypt-staging}]}\n" + ROUTE,
        lambda c: c.acme.fallbacks,
        (Authority("a@b", LETSENCRYPT_STAGING),),
    ),
    "Acme.preflight": (
        "acme: {preflight: strict}\n" + ROUTE,
        lambda c: c.acme.preflight,
        Preflight("strict"),
    ),
    "Preflight.mode": (
        "acme: {preflight: {mode: off}}\n" + ROUTE,
        lambda c: c.acme.preflight,
        Preflight("off"),
    ),
    "Preflight.resolvers": (
        "acme: {preflight: {resolvers: ['192.0.2.1', '[2001:db8::1]:5353']}}\n" + ROUTE,
        lambda c: c.acme.preflight,
        Preflight(resolvers=(Address("192.0.2.1", 53), Address("2001:db8::1", 5353))),
    ),
    "Preflight.http_port": (
        "acme: {preflight: {http_port: 5002}}\n" + ROUTE,
        lambda c: c.acme.preflight,
        Preflight(httpPort=5002),
    ),
    "Preflight.tls_port": (
        "acme: {preflight: {tls_port: 5001}}\n" + ROUTE,
        lambda c: c.acme.preflight,
        Preflight(tlsPort=5001),
    ),
    "Acme.dns": (
        "acme: {dns: {type: rfc2136, server: ns.a}}\n" + ROUTE,
        lambda c: c.acme.dns,
        DynamicUpdate(Address("ns.a", 53)),
    ),
    "Acme.hooks": (
        "acme: {hooks: [{command: [sh]}, {command: [sh, -c], events: failed}]}\n" + ROUTE,
        lambda c: c.acme.hooks,
        (CertificateHook(("sh",)), CertificateHook(("sh", "-c"), ("failed",))),
    ),
    "CertificateHook.command": (
        "acme: {hooks: [{command: [/bin/sh, -c, ls]}]}\n" + ROUTE,
        lambda c: c.acme.hooks[0].command,
        ("/bin/sh", "-c", "ls"),
    ),
    "CertificateHook.events": (
        "acme: {hooks: [{command: [sh], events: [failed, issued]}]}\n" + ROUTE,
        lambda c: c.acme.hooks[0].events,
        ("failed", "issued"),
    ),
    "CertificateHook.names": (
        "acme: {hooks: [{command: [sh], names: A.b.}]}\n" + site("1"),
        lambda c: c.acme.hooks[0].names,
        ("a.b",),
    ),
    "CertificateHook.timeout": (
        "acme: {hooks: [{command: [sh], timeout: 5}]}\n" + ROUTE,
        lambda c: c.acme.hooks[0].timeout,
        5.0,
    ),
    "Fallback.directory": (
        "acme: {fallbacks: [{directory: https://ca.b/d}]}\n" + ROUTE,
        lambda c: c.acme.fallbacks[0].directory,
        "https://ca.b/d",
    ),
    "Fallback.email": (
        "acme: {email: a@b, fallbacks: [{directory: https://ca.b/d, email: c@d}]}\n" + ROUTE,
        lambda c: c.acme.fallbacks[0].email,
        "c@d",
    ),
    "Fallback.ca_file": (
        "acme: {fallbacks: [{directory: https://ca.b/d, ca_file: c.pem}]}\n" + ROUTE,
        lambda c: os.path.basename(c.acme.fallbacks[0].caFile),
        "c.pem",
    ),
    "Fallback.external_account": (
        "acme: {fallbacks: [{directory: https://ca.b/d, external_account: {key_id: k, hmac_key: a-_A}}]}\n"
        + ROUTE,
        lambda c: c.acme.fallbacks[0].external,
        ExternalAccount("k", "a-_A"),
    ),
    "Fallback.profile": (
        "acme: {fallbacks: [{directory: https://ca.b/d, profile: short}]}\n" + ROUTE,
        lambda c: c.acme.fallbacks[0].profile,
        "short",
    ),
    "Acme.challenges": (
        "acme: {challenges: [tls-alpn-01]}\n" + ROUTE,
        lambda c: c.acme,
        Acme(challenges=("tls-alpn-01",)),
    ),
    "Acme.http_port": ("acme: {http_port: 81}\n" + site("1"), lambda c: c.ports, (81, 443)),
    "Acme.tls_port": ("acme: {tls_port: 444}\n" + site("1"), lambda c: c.ports, (80, 444)),
}


class AcmeTests(SynchronousTestCase):
    """
    Where certificates are had automatically.
    """

    def test_preflight(self) -> None:
        """
        It is advisory unless something else is said; what it cannot be is told where
        it stands.
        """
        self.assertEqual(understood(ROUTE).acme.preflight, Preflight())
        self.assertEqual(understood("acme: {preflight: {}}\n" + ROUTE).acme.preflight, Preflight("advisory"))
        for other, told in {
            "true": "1:19: acme.preflight: has to be advisory, strict or off, or a mapping, not true",
            "hard": "1:19: acme.preflight: has to be advisory, strict or off, not 'hard'",
            "{mode: hard}": "1:26: acme.preflight.mode: has to be advisory, strict or off, not 'hard'",
            "{resolvers: ns.test}": "1:31: acme.preflight.resolvers: 'ns.test' is no IP address: names cannot"
            " be looked up here",
            "{http_port: 0}": "1:31: acme.preflight.http_port: has to be at least 1, not 0",
        }.items():
            self.assertEqual(complaints(f"acme: {{preflight: {other}}}\n" + ROUTE), [told])

    def test_refused(self) -> None:
        """
        What is no authority, no way to prove a name and no key is told.
        """
        for text, told in (
            ("directory: http://ca.b/d", "acme.directory: "),
            ("email: nobody", "acme.email: "),
            ("challenges: []", "acme.challenges: is empty"),
            ("challenges: [http-01, http-01]", "acme.challenges: lists http-01 twice"),
            ("key_type: dsa", "acme.key_type: has to be "),
            ("external_account: {key_id: k}", "needs the key that belongs to key_id"),
            ("external_account: {key_id: k, hmac_key: YQ, hmac_key_file: k}", "either hmac_key_file or"),
            ("fallbacks: [{email: a@b}]", "acme.fallbacks[0]: needs directory"),
        ):
            self.assertIn(told, only(f"acme: {{{text}}}\n{ROUTE}"))
