"""
Tests for L{smartproxy_tw.config.protection}: what is wrong in itself.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from .protections import BCRYPT, SECRET, guarded
from .reading import complaints, only


class ProtectionTests(SynchronousTestCase):
    """
    Options that cannot be.
    """

    def told(self, text: str, words: str) -> str:
        """
        It is one mistake, told by these words and with its line.
        """
        line = only(guarded(text))
        self.assertIn(words, line, text)
        self.assertTrue(line.startswith("2:"), line)
        return line

    def test_security(self) -> None:
        """
        Each is told where it stands, and what to do.
        """
        for text, words in (
            ("ip_allow_list: []", "security.ip_allow_list"),
            ("ip_allow_list: 10.0.0.0/33", "ip_allow_list"),
            ("ip_block_list: [10.0.0.1, 10.0.0.1/32]", "lists 10.0.0.1 twice"),
            ("max_connections: 0", "has to be at least 1"),
            ("client_prefix: 129", "client_prefix"),
            ("rate_limit: 5", "rate_limit"),
            ("rate_limit: {}", "needs requests"),
            ("rate_limit: {requests: 1, window: 0}", "window"),
            ("rate_limit: {requests: 1, key: cookie}", "is none of ip, path, route and header:NAME"),
            ("rate_limit: {requests: 1, key: 'header:a b'}", "is not the name of a header field"),
            ("basic_auth: {}", "needs either users or file"),
            (f"basic_auth: {{users: {{b: {BCRYPT}}}, file: /x}}", "needs either users or file"),
            (f"basic_auth: {{users: {{'a:b': {BCRYPT}}}}}", "cannot be a user"),
            (f"basic_auth: {{users: {{b: {BCRYPT}}}, realm: 'a\"b'}}", "quotes"),
            (f"basic_auth: {{users: {{b: {BCRYPT}}}, user_header: X-Forwarded-For}}", "proxy's own"),
            (f"basic_auth: {{users: {{b: {BCRYPT}}}, user_header: X_Real_IP}}", "proxy's own"),
            (f"basic_auth: {{users: {{b: {BCRYPT}}}, user_header: Host}}", "proxy's own"),
            (f"basic_auth: {{users: {{b: {BCRYPT}}}, user_header: A-B-C-D-E-F-G-H}}", "hyphens"),
            ("jwt_auth: {algorithms: [none], jwks_url: 'https://a.b/'}", "algorithms"),
            ("jwt_auth: {algorithms: [], jwks_url: 'https://a.b/'}", "algorithms"),
            (f"jwt_auth: {{algorithms: [HS256, RS256], secret: {SECRET}}}", "make it two routes"),
            ("jwt_auth: {algorithms: [HS256]}", "needs either secret or secret_file"),
            ("jwt_auth: {algorithms: [HS256], key_file: /x}", "needs either secret or secret_file"),
            (f"jwt_auth: {{algorithms: [RS256], secret: {SECRET}}}", "needs either key_file or jwks_url"),
            ("jwt_auth: {algorithms: [RS256]}", "needs either key_file or jwks_url"),
            ("jwt_auth: {algorithms: [RS256], jwks_url: 'ftp://a.b/'}", "is not a URL"),
            (f"jwt_auth: {{algorithms: [HS256], secret: {SECRET}, ca_file: /x}}", "means nothing without"),
            (
                f"jwt_auth: {{algorithms: [HS256], secret: {SECRET}, token: header}}",
                "is none of authorization",
            ),
            ("forward_auth: {}", "needs url"),
            ("forward_auth: {url: auth}", "is not a URL"),
            ("forward_auth: {url: 'http://a@b/'}", "is not a URL"),
            ("forward_auth: {url: 'http://a/', copy_headers: [X-Forwarded-User, X-Real-IP]}", "proxy's own"),
            ("forward_auth: {url: 'http://a/', request_headers: [Connection]}", "one hop"),
            ("client_certificate_headers: {}", "needs one of subject"),
            ("client_certificate_headers: {subject: X-A, serial: x-a}", "lists x-a twice"),
            ("geoip: x", "is not an option here"),
        ):
            self.told(f"security: {{{text}}}", words)

    def test_cors(self) -> None:
        """
        Never are all origins allowed with credentials.
        """
        for text, words in (
            ("{}", "needs origins"),
            ("{origins: []}", "origins"),
            ("{origins: a.b}", "is no origin"),
            ("{origins: 'https://a.b/path'}", "is no origin"),
            ("{origins: '*', credentials: true}", "allows credentials to all origins"),
            ("{origins: ['https://a.b', '*'], credentials: true}", "allows credentials to all origins"),
            ("{origins: '*', methods: [get]}", "write GET"),
            ("{origins: '*', max_age: -1}", "max_age"),
        ):
            self.told(f"cors: {text}", words)

    def test_headers(self) -> None:
        """
        What browsers are told has to be something that they take.
        """
        for text, words in (
            ("5", "has to be true, false or a mapping"),
            ("{strict_transport: {preload: true}}", "is not taken for preload"),
            ("{strict_transport: {preload: true, include_subdomains: true, max_age: 5}}", "preload"),
            ("{frame_options: ALLOW}", "frame_options"),
            ('{referrer_policy: "a\\nb"}', "line break"),
        ):
            self.told(f"security_headers: {text}", words)

    def test_secrets(self) -> None:
        """
        No complaint has a secret in it.
        """
        for text in (
            "basic_auth: {users: {bob: geheim}}",
            "jwt_auth: {algorithms: [HS256], secret: geheim}",
        ):
            told = "\n".join(complaints(guarded(f"security: {{{text}}}")))
            self.assertNotIn("geheim", told)
