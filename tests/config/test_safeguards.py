"""
Tests for L{smartproxy_tw.config.safeguards}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import hashes
from smartproxy_tw.config.security import RateLimit, Security

from .protections import BCRYPT, KEY, SECRET, guarded
from .reading import complaints, only, understood


class SafeguardsTests(SynchronousTestCase):
    """
    What it means, and what contradicts itself.
    """

    def written(self, content: str) -> str:
        """
        A file with this in it.
        """
        path = os.path.abspath(self.mktemp())
        with open(path, "w", encoding="utf-8") as opened:
            opened.write(content)
        return path

    def told(self, text: str, words: str) -> None:
        """
        It is one mistake.
        """
        self.assertIn(words, only(guarded(f"security: {{{text}}}")), text)

    def test_users(self) -> None:
        """
        Hashes that are none, or too weak, or too dear, and users that are twice.
        """
        for hash, words in (
            ("geheim", "is no hash by argon2 or bcrypt"),
            ("$apr1$abc$def", "is no hash by argon2 or bcrypt"),
            ("{SHA}abc", "is no hash by argon2 or bcrypt"),
            ("$2y$31$" + "a" * 53, "has a cost that is not between 4 and 16"),
            ("$argon2id$v=19$m=99999999,t=3,p=4$c29tZXNhbHRzYWx0$" + "A" * 43, "takes more than 1024 MiB"),
        ):
            self.told(f"basic_auth: {{users: {{bob: '{hash}'}}}}", words)
            file = self.written(f"ann:{BCRYPT}\nbob:{hash}\n")
            self.told(f"basic_auth: {{file: '{file}'}}", "in line 2 that " + words)
        self.told("basic_auth: {users: {}}", "is empty: nobody could come in")
        for content, words in (
            ("", "has no user in it"),
            ("# nobody\n", "has no user in it"),
            ("bob\n", "has no NAME:HASH in line 1"),
            (f"bob:{BCRYPT}\nbob:{BCRYPT}", "has bob twice, in line 2 again"),
        ):
            self.told(f"basic_auth: {{file: '{self.written(content)}'}}", words)
        self.told("basic_auth: {file: /nowhere}", "'/nowhere' does not exist")

    def test_library(self) -> None:
        """
        A library that is missing is told, with what to do.
        """
        self.patch(hashes, "find_spec", lambda name: None)
        self.told(
            f"basic_auth: {{users: {{bob: {BCRYPT}}}}}",
            "needs the library bcrypt, which is not there: pip install 'smartproxy_tw[auth]'",
        )

    def test_keys(self) -> None:
        """
        Keys that are none, or none for what is believed, and secrets that can be guessed.
        """
        for content, words in (
            ("nothing", "is neither a public key as PEM nor a set of keys"),
            ("{}", "has no public key in it"),
            ('{"keys": 5}', "has something else than a list"),
            ('{"keys": [{"kty": "oct", "k": "eHg"}]}', "has no public key in it"),
            ("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----", "has a private key in it"),
            ("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "is no public key as PEM"),
            (KEY, "has no key for RS256"),
        ):
            file = self.written(content)
            self.told(f"jwt_auth: {{algorithms: [RS256], key_file: '{file}'}}", words)
        self.told("jwt_auth: {algorithms: [ES256], key_file: /nowhere}", "does not exist")
        self.told("jwt_auth: {algorithms: [HS256], secret: short}", "is shorter than 32 bytes")
        file = self.written("short")
        self.told(f"jwt_auth: {{algorithms: [HS256], secret_file: '{file}'}}", "is shorter than 32 bytes")
        file = self.written("\udc80".encode("utf-8", "surrogatepass").decode("latin-1"))
        with open(file, "wb") as opened:
            opened.write(b"\xff\xfe")
        self.told(f"jwt_auth: {{algorithms: [HS256], secret_file: '{file}'}}", "it is no text")

    def test_hidden(self) -> None:
        """
        What a configuration looks like has no secret in it.
        """
        config = understood(
            guarded(
                f"security: {{basic_auth: {{users: {{bob: {BCRYPT}}}}}, "
                f"jwt_auth: {{algorithms: [HS256], secret: {SECRET}, token: 'cookie:t'}}}}"
            )
        )
        self.assertNotIn(SECRET, repr(config))
        self.assertNotIn(BCRYPT, repr(config))

    def test_misplaced(self) -> None:
        """
        What needs HTTP is no use elsewhere; nor are certificates that nobody asks for.
        """
        stream = "{match: {ports: 8}, action: {type: forward, targets: 1}, "
        for text, words in (
            ("security: {rate_limit: {requests: 1}}", "security.rate_limit: needs HTTP"),
            (f"security: {{basic_auth: {{users: {{bob: {BCRYPT}}}}}}}", "security.basic_auth: needs HTTP"),
            ("security: {forward_auth: {url: 'http://a/'}}", "security.forward_auth: needs HTTP"),
            ("cors: {origins: '*'}", "cors: needs HTTP"),
            ("security_headers: true", "security_headers: needs HTTP"),
            ("limits: {body_bytes: 5}", "limits.body_bytes: needs HTTP"),
        ):
            self.assertIn(words, only(f"routes: [{stream}{text}}}]"))
        self.told("client_certificate_headers: {subject: X-S}", "add client_certificates to action.tls")
        self.told(
            f"basic_auth: {{users: {{bob: {BCRYPT}}}}}, jwt_auth: {{algorithms: [HS256], secret: {SECRET}}}",
            "has its token where basic_auth has its password",
        )
        self.told(
            f"jwt_auth: {{algorithms: [HS256], secret: {SECRET}, claims: {{sub: X-A, iss: x-a}}}}",
            "tells two claims by one field",
        )
        made = understood(
            f"routes: [{stream}security: {{ip_allow_list: '::/0', max_connections: 1, "
            "max_connections_per_ip: 1, connection_rate_per_minute: 1}}]"
        )
        self.assertEqual(made.routes[0].security, Security(("::/0",), (), 1, 1, 1))

    def test_defaults(self) -> None:
        """
        Each kind of route takes what it can have of the defaults, and what it says itself stands.
        """
        config = understood(
            f"""
            defaults:
              security:
                ip_block_list: 10.0.0.1
                rate_limit: {{requests: 5}}
                basic_auth: {{users: {{bob: {BCRYPT}}}}}
              security_headers: true
            sites: {{a.b: 1}}
            routes:
            - {{name: own, match: {{ports: 8}}, action: {{type: respond}},
               security: {{ip_block_list: 10.0.0.2}}, security_headers: false}}
            - {{name: free, match: {{ports: 9}}, action: {{type: respond}}, security: {{inherit: false}}}}
            - {{name: raw, match: {{ports: 10}}, action: {{type: forward, targets: 1}}}}
            """
        )
        found: dict[str, Any] = {each.name: each for each in config.routes}
        own, free, raw = found["own"], found["free"], found["raw"]
        self.assertEqual(own.security.blocked, ("10.0.0.2",))
        self.assertEqual(own.security.limit, RateLimit(5, 1.0, 5))
        self.assertIsNot(own.security.basic, None)
        self.assertEqual((own.securityHeaders, free.security), (None, None))
        self.assertIsNot(free.securityHeaders, None)
        self.assertEqual((raw.security, raw.securityHeaders), (Security(blocked=("10.0.0.1",)), None))
        for each in config.routes:
            if each.tls is not None:
                self.assertIsNot(each.security.basic, None)
            elif each.ports == (80,):
                # A redirect: nobody is asked for a password in the clear.
                self.assertIs(each.security.basic, None)
                self.assertEqual(each.security.blocked, ("10.0.0.1",))

    def test_sites(self) -> None:
        """
        A site says it as a route does: what it says stands, the rest comes from the defaults, and
        the redirects to it ask nobody for a password.
        """
        config = understood(
            f"""
            defaults: {{security: {{ip_block_list: 10.0.0.1, max_connections: 9}}, security_headers: true}}
            sites:
              a.b:
                to: 1
                www: redirect
                security: {{ip_block_list: 10.0.0.2, basic_auth: {{users: {{bob: {BCRYPT}}}}}}}
                security_headers: false
              c.d: {{to: 2, security: {{inherit: false}}}}
            """
        )
        site, *redirects, other, toOther = config.routes
        self.assertEqual(len(redirects), 3)
        for each in (site, *redirects):
            assert each.security is not None
            self.assertEqual((each.security.blocked, each.security.connections), (("10.0.0.2",), 9))
            self.assertIs(each.securityHeaders, None)
            self.assertEqual(each.security.basic is None, each is not site)
        self.assertEqual((other.security, toOther.security), (None, None))
        line = only(
            f"sites: {{a.b: {{to: 1, security: {{basic_auth: {{users: {{bob: {BCRYPT}}}}}, "
            f"jwt_auth: {{algorithms: [HS256], secret: {SECRET}}}}}}}}}"
        )
        self.assertIn("sites[a.b].security.jwt_auth: has its token where basic_auth has", line)

    def test_wrongDefaults(self) -> None:
        """
        What is wrong in the defaults is told once, there.
        """
        (line,) = complaints("defaults: {security: {basic_auth: {users: {bob: x}}}}\nsites: {a.b: 1, c.d: 2}")
        self.assertIn("defaults.security.basic_auth.users.bob: is no hash", line)
