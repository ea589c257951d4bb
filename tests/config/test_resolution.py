"""
Tests for L{smartproxy_tw.config.resolution}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import lexicon
from smartproxy_tw.config.loading import loads

from .reading import complaints, only, understood


class WholeTests(SynchronousTestCase):
    """
    What concerns a configuration as a whole.
    """

    def test_emptySections(self) -> None:
        """
        A section in which nothing is said means what its absence means.
        """
        routes = (
            "routes: [{match: {ports: 8, domains: a.b}, action: {type: forward, targets: 9%s}}]",
            "sites: {a.b: {to: 9%s}}",
        )
        for text in routes:
            usual = understood(text % "")
            for name in (
                "acme",
                "admin",
                "access_log",
                "log",
                "timeouts",
                "limits",
                "defaults",
            ):
                self.assertEqual(understood(f"{text % ''}\n{name}: {{}}\n"), usual, name)
            self.assertEqual(understood(text % ", health: {}"), usual)

    def test_nothingToServe(self) -> None:
        """
        A configuration without routes and sites is a mistake.
        """
        for text in ("acme: {}", "routes: []", "sites: {}"):
            self.assertIn("there is nothing to serve: give sites or routes", only(text))

    def test_limits(self) -> None:
        """
        A request target is part of a head.
        """
        line = only("limits: {head_bytes: 4096, url_bytes: 5000}\nsites: {a.b: 1}")
        self.assertEqual(
            line, "1:39: limits.url_bytes: cannot be above head_bytes: the target is part of the head"
        )
        self.assertEqual(
            only("limits: {head_bytes: 4096}\nsites: {a.b: 1}"),
            "1:22: limits.head_bytes: cannot be below url_bytes, which is 8192 by default: the target is"
            " part of the head",
        )

    def test_home(self) -> None:
        """
        Where there is no place for state, it is asked for.
        """
        self.patch(os, "getuid", lambda: 3999999999)
        (line,) = complaints("sites: {a.b: 1}", environ={"X": ""})
        self.assertIn("say where with state_dir", line)

    def test_bind(self) -> None:
        """
        Addresses come in their normal form, one or a list.
        """
        for text, expected in (("127.0.0.1", ("127.0.0.1",)), ("['::0', '0.0.0.0']", ("::", "0.0.0.0"))):
            self.assertEqual(understood(f"bind: {text}\nsites: {{a.b: 1}}").bind, expected)
        for text, told in (
            ("localhost", "bind: 'localhost' is not an IP address"),
            ("[]", "bind: is empty: at least one is needed"),
            ("['::1', '0::1']", "bind: lists ::1 twice"),
            ("3", "bind: has to be an IP address or a list of them, not 3"),
        ):
            self.assertIn(told, only(f"bind: {text}\nsites: {{a.b: 1}}"))

    def test_trustedProxies(self) -> None:
        """
        One network or a list, or none.
        """
        self.assertEqual(understood("trusted_proxies: []\nsites: {a.b: 1}").trustedProxies, ())
        self.assertEqual(len(understood("trusted_proxies: '::1'\nsites: {a.b: 1}").trustedProxies), 1)
        self.assertIn(
            "trusted_proxies: lists 10.0.0.0/8 twice",
            only("trusted_proxies: [10.0.0.0/8, '::ffff:10.0.0.0/104']\nsites: {a.b: 1}"),
        )

    def test_proxyProtocol(self) -> None:
        """
        On some ports or all that there are, by somebody.
        """
        made = understood("proxy_protocol: {from: 10.0.0.0/8}\nsites: {a.b: 1}").proxyProtocol
        assert made is not None
        self.assertEqual((made.ports, made.mode, made.timeout), ((80, 443), "require", 5.0))
        for text, told in (
            ("{from: []}", "proxy_protocol.from: is empty: nobody would be believed"),
            ("{ports: 443}", "from"),
            ("{from: 10.0.0.1, ports: [443, 8443]}", "lists port 8443, which nothing is served on"),
            ("{from: 10.0.0.1, ports: [443, {from: 443, to: 443}]}", "ports[1]: lists port 443 twice"),
            ("{from: all}", "proxy_protocol.from"),
            ("{from: 10.0.0.1, mode: optional}", "proxy_protocol.mode"),
            ("{from: 10.0.0.1, timeout: 0}", "proxy_protocol.timeout"),
        ):
            self.assertIn(told, only(f"proxy_protocol: {text}\nsites: {{a.b: 1}}"))

    def test_externalAccount(self) -> None:
        """
        One key, from the file or the environment; never shown, however wrong it is.
        """
        config = 'acme: {external_account: {key_id: k, hmac_key: "${MAC}"}}\nsites: {a.b: 1}'
        made = loads(config, "yaml", "/etc", environ={"MAC": "c2VjcmV0", "HOME": "/"})
        assert made.acme.external is not None
        self.assertEqual(made.acme.external.hmacKey, "c2VjcmV0")
        self.assertNotIn("c2VjcmV0", repr(made))
        for keys in ("", ", hmac_key: c2VjcmV0, hmac_key_file: /etc/passwd"):
            said = only(f"acme: {{external_account: {{key_id: k{keys}}}}}\nsites: {{a.b: 1}}")
            self.assertIn("either hmac_key_file or hmac_key", said)
            self.assertNotIn("c2VjcmV0", said)
        said = only("acme: {external_account: {key_id: k, hmac_key: 'geheim!'}}\nsites: {a.b: 1}")
        self.assertIn("acme.external_account.hmac_key: is no key in base64url", said)
        self.assertNotIn("geheim", said)
        said = only("acme: {external_account: {key_id: k, hmac_key_file: /nowhere}}\nsites: {a.b: 1}")
        self.assertIn("does not exist", said)

    def test_covered(self) -> None:
        """
        No name is asked for that a wildcard beside it covers: Let's Encrypt refuses
        such orders.  The route takes it all the same.
        """
        made = understood(
            """
            acme: {dns: {type: zone, zones: [p.a.b], name: n.a.b, listen: 127.0.0.1}}
            routes:
            - match: {ports: 443, domains: [x.a.b, a.b, '*.a.b', y.x.a.b]}
              action: {type: block, tls: {mode: terminate}}
            """
        )
        self.assertEqual(made.routes[0].domains, ("x.a.b", "a.b", "*.a.b", "y.x.a.b"))
        (certificate,) = made.autoCertificates
        self.assertEqual(certificate.names, ("a.b", "*.a.b", "y.x.a.b"))

    def test_dns(self) -> None:
        """
        dns-01 is there with acme.dns, and so are wildcards, which are an error
        without it; its key is never shown, however wrong it is.
        """
        server = "type: rfc2136, server: ns.a.b"
        made = understood(f"acme: {{dns: {{{server}}}}}\nsites: {{'*.a.b': 1}}")
        self.assertEqual(made.challenges, ("http-01", "tls-alpn-01", "dns-01"))
        alone = understood(f"acme: {{challenges: [dns-01], dns: {{{server}}}}}\nsites: {{'*.a.b': 1}}")
        self.assertEqual(alone.challenges, ("dns-01",))
        self.assertIn("*.a.b is a wildcard, which only dns-01 proves", only("sites: {'*.a.b': 1}"))
        deep = only(f"acme: {{dns: {{{server}}}}}\nsites: {{'**.a.b': 1}}")
        self.assertIn("**.a.b is a wildcard of any depth", deep)
        self.assertIn("needs acme.dns", only("acme: {challenges: [dns-01]}\nsites: {a.b: 1}"))
        idle = only(f"acme: {{challenges: [http-01], dns: {{{server}}}}}\nsites: {{a.b: 1}}")
        self.assertIn("acme.dns: has no effect: add dns-01 to acme.challenges", idle)
        for keys in ("key_name: k", "key_secret: Z2VoZWlt", "key_name: k, key_secret: 'geheim!'"):
            said = only(f"acme: {{dns: {{{server}, {keys}}}}}\nsites: {{a.b: 1}}")
            self.assertIn("acme.dns", said)
            self.assertNotIn("geheim", said)
            self.assertNotIn("Z2Vo", said)
        for wrong in ("server: 'ns.a.b:0'", "server: ns.a.b, resolvers: ns.a.b", "server: 'a b'"):
            self.assertIn("acme.dns.", only(f"acme: {{dns: {{type: rfc2136, {wrong}}}}}\nsites: {{a.b: 1}}"))

    def test_hook(self) -> None:
        """
        A program has to be there, by its absolute path or by PATH.
        """
        for name in ("bin/hook", "/nowhere/hook", "no-such-hook"):
            said = only(f"acme: {{dns: {{type: exec, command: [{name}]}}}}\nsites: {{a.b: 1}}")
            self.assertIn(f"acme.dns.command: begins with {name}", said)
        self.assertIn(
            "rfc2136, lexicon, exec or zone was expected",
            only("acme: {dns: {type: route53}}\nsites: {a.b: 1}"),
        )

    def test_lexicon(self) -> None:
        """
        What dns-lexicon does not know is told before anything is asked of it, and a
        secret that stands in the file is refused without being shown.
        """
        environ = {"TOKEN": "geheim", "HOME": "/"}
        for given, told in (
            (
                "provider: cloudflre",
                "'cloudflre' is no provider that dns-lexicon knows; did you mean cloudflare?",
            ),
            ("provider: auto", "'auto' is no provider that dns-lexicon knows"),
            ("provider: Cloud flare", "acme.dns.provider: 'Cloud flare' is no provider: a word"),
            (
                "provider: oci",
                "acme.dns.provider: oci needs libraries that are not there: pip install 'dns-lexicon[oci]'",
            ),
            ("options: {zone_id: 5}", "acme.dns: needs provider"),
            ("provider: cloudflare, options: {auth_token: geheim}", "has auth_token, which is a secret"),
            ("provider: cloudflare, options: {auth_token: [geheim]}", "has auth_token, which is a secret"),
            ("provider: cloudflare, options: {zone-id: geheim}", "has 'zone-id': options are written as"),
            (
                "provider: cloudflare, options: {auth_tokn: '${TOKEN}'}",
                "1:61: acme.dns.options.auth_tokn: is no option of cloudflare; did you mean auth_token?",
            ),
            (
                "provider: cloudflare, options: {x: '${TOKEN}'}",
                "is no option of cloudflare; it has auth_token, auth_username, zone_id",
            ),
            (
                "provider: cloudflare, option_files: {auth_token: /nowhere}",
                "acme.dns.option_files.auth_token: '/nowhere' does not exist",
            ),
            (
                "provider: ovh, options: {auth_entrypoint: x}, option_files: {auth_entrypoint: /etc/passwd}",
                "acme.dns.option_files.auth_entrypoint: is given by options already: leave one out",
            ),
        ):
            text = f"acme: {{dns: {{type: lexicon, {given}}}}}\nsites: {{'*.a.b': 1}}"
            (line,) = complaints(text, environ=environ)
            self.assertIn(told, line)
            self.assertNotIn("geheim", line)
        options = "provider: cloudflare, options: {auth_token: '${TOKEN}', zone_id: 5}"
        text = f"acme: {{dns: {{type: lexicon, {options}}}}}\nsites: {{'*.a.b': 1}}"
        made = understood(text, environ=environ).acme
        self.assertEqual(made.challenges, ("http-01", "tls-alpn-01", "dns-01"))
        self.assertEqual(made.dns.options, (("auth_token", "geheim"), ("zone_id", "5")))  # type: ignore[union-attr]
        self.assertNotIn("geheim", repr(made))

    def test_withoutLexicon(self) -> None:
        """
        Where the library is not installed, that is told, with the way to mend it.
        """
        self.patch(lexicon, "isThere", lambda: False)
        told = only("acme: {dns: {type: lexicon, provider: whoever}}\nsites: {a.b: 1}")
        self.assertIn("acme.dns: needs the library dns-lexicon, which is not there: pip install", told)
        self.assertTrue(told.endswith("'smartproxy_tw[lexicon]'"))

    def test_certificateHooks(self) -> None:
        """
        What is to be run afterwards has to be there, and each mistake is told where it
        stands; names are those of certificates by ACME.
        """
        site = "\nsites: {a.b: 1, c.d: {to: 1, certificate: internal}}"
        for hook, told in (
            ("command: [/nowhere/hook]", "1:17: acme.hooks[0].command: begins with /nowhere/hook"),
            ("command: []", "acme.hooks[0].command: is empty"),
            ("command: sh", "acme.hooks[0].command: has to be a list"),
            ("events: issued", "acme.hooks[0]: needs command"),
            ("command: [sh], events: renewd", "has to be issued, renewed, failed or expiring, not 'renewd'"),
            ("command: [sh], events: []", "acme.hooks[0].events: is empty"),
            ("command: [sh], events: [failed, failed]", "lists failed twice"),
            ("command: [sh], names: 5", "acme.hooks[0].names: has to be a name or a list of names"),
            ("command: [sh], names: [a.b, x.y]", "acme.hooks[0].names: lists x.y, for which no route"),
            ("command: [sh], names: c.d", "lists c.d, for which no route wants a certificate by ACME"),
            ("command: [sh], timeout: 0", "acme.hooks[0].timeout: has to be more than 0"),
        ):
            self.assertIn(told, only(f"acme: {{hooks: [{{{hook}}}]}}{site}"))
        self.assertEqual(
            len(understood(f"acme: {{hooks: [{{command: [sh], names: [a.b]}}]}}{site}").acme.hooks), 1
        )

    def test_dnsPorts(self) -> None:
        """
        Who proves names by the DNS alone needs no port for that.
        """
        route = "{match: {ports: 8443, domains: a.b}, action: {type: block, tls: {mode: terminate}}}"
        acme = "acme: {challenges: [dns-01], dns: {type: rfc2136, server: '[::1]:5353'}}"
        made = understood(f"{acme}\nroutes: [{route}]")
        self.assertEqual(made.ports, (8443,))

    def test_fallbacks(self) -> None:
        """
        Each authority is there once.
        """
        twice = "acme: {fallbacks: [{directory: https://a.b/}, {directory: https://a.b/}]}\nsites: {a.b: 1}"
        self.assertIn("acme.fallbacks[1].directory", only(twice))
        again = only("acme: {fallbacks: [{directory: letsencrypt}]}\nsites: {a.b: 1}")
        self.assertIn("is an authority that is asked before", again)

    def test_acme(self) -> None:
        """
        Challenges are named once each, and there is at least one.
        """
        self.assertIn("is empty", only("acme: {challenges: []}\nsites: {a.b: 1}"))
        self.assertIn("lists http-01 twice", only("acme: {challenges: [http-01, http-01]}\nsites: {a.b: 1}"))
        self.assertIn(
            "acme.challenges[0]: has to be http-01, tls-alpn-01 or dns-01, not 'http01';"
            " did you mean http-01?",
            only("acme: {challenges: [http01]}\nsites: {a.b: 1}"),
        )

    def test_allAtOnce(self) -> None:
        """
        What the schema finds in one place does not hide what does not go together
        in another, nor does an unknown option hide what is wrong beside it.
        """
        told = complaints(
            """
            nonsense: 1
            state_dir: ~
            timeouts: {head: -1}
            acme: {ca_file: /nowhere, http_port: 0}
            sites: {a.b: x, '*.c.d': 1, e.f: {}}
            routes:
            - {match: {ports: 1}, action: {type: block}, nonsense: 1}
            - {match: {ports: 1}, action: {type: block}}
            - {match: {ports: 0}, action: {type: block}}
            - {name: x, match: {ports: 2, path: /a, protocol: tcp}, action: {type: block, nonsense: {}}}
            - {match: {ports: 3, domains: '*.x.y'}, action: {type: block, tls: {mode: terminate}}}
            """
        )
        self.assertEqual(
            [line.split(":")[0] + " " + line.split(": ")[1] for line in told],
            [
                "2 nonsense",
                "3 state_dir",
                "4 timeouts.head",
                "5 acme.ca_file",
                "5 acme.http_port",
                "6 sites[a.b]",
                "6 sites[*.c.d]",
                "6 sites[e.f]",
                "8 routes[0].nonsense",
                "9 routes[1]",
                "10 routes[2].match.ports",
                "11 routes[3].match.protocol",
                "11 routes[3].action.nonsense",
                "12 routes[4].action.tls.certificate",
            ],
        )
