"""
Tests for L{smartproxy_tw.config.findings}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import yamlfile
from smartproxy_tw.config.document import FromEnvironment, Mark, Node
from smartproxy_tw.config.findings import Findings, quote


class QuoteTests(SynchronousTestCase):
    """
    What was written, in a message.
    """

    def test_kinds(self) -> None:
        """
        Each kind of value has its phrase.
        """
        for value, expected in (
            ("x", "'x'"),
            (3, "3"),
            (True, "true"),
            (False, "false"),
            (None, "nothing"),
            ({}, "a mapping"),
            ([Node(1, Mark("f"))], "a list"),
            ([], "an empty list"),
            ("y" * 70, f"'{'y' * 60}...'"),
            (FromEnvironment("secret", "${X}"), "'${X}'"),
            ("http://ann:geheim@a.test/x", "'http://ann:...@a.test/x'"),
            ("http://:geheim@a.test/ http://b@c/", "'http://:...@a.test/ http://b@c/'"),
        ):
            self.assertEqual(quote(Node(value, Mark("f"))), expected)

    def test_secrets(self) -> None:
        """
        What is secret by its place is not quoted, as what is told goes into logs; numbers and lists are
        told as what they are.
        """
        action = ("routes", 0, "action")
        for path in (
            (*action, "load_balancing", "sticky", "secret"),
            ("admin", "token"),
            ("acme", "external_account", "hmac_key"),
            ("acme", "externalAccount", "hmacKey"),
            ("acme", "dns", "key_secret"),
            ("routes", 0, "security", "basic_auth"),
            ("routes", 0, "security", "basicAuth", "users"),
            ("routes", 0, "security", "basic_auth", "users", "ann"),
            ("routes", 0, "match", "headers", "authorization"),
            ("routes", 0, "match", "headers", "X-Api-Key", 1),
            ("routes", 0, "match", "query", "token"),
            ("routes", 0, "headers", "request", "set", "Cookie"),
            (*action, "headers", "Set-Cookie"),
        ):
            self.assertEqual(quote(Node("geheim", Mark("f")), path), "this value", path)
            self.assertEqual(quote(Node(3, Mark("f")), path), "3", path)
            self.assertEqual(quote(Node([], Mark("f")), path), "an empty list", path)
        for path in (
            (),
            ("routes", 0, "name"),
            ("routes", 0, "security", "jwt_auth", "token"),
            (*action, "tls", "certificate", "key"),
            ("acme", "key_type"),
            ("routes", 0, "security", "basic_auth", "file"),
            ("admin", "token_file"),
            (*action, "load_balancing", "sticky", "cookie"),
            ("routes", 0, "headers", "request", "set", "X-Version"),
        ):
            self.assertEqual(quote(Node("open", Mark("f")), path), "'open'", path)


class FindingsTests(SynchronousTestCase):
    """
    Problems with their places.
    """

    def setUp(self) -> None:
        """
        A tree of two routes, the second from another file.
        """
        self.problems: list[Any] = []
        text = "routes:\n- {name: a}\n- {name: b}\nadmin: {token: geheim}\n"
        root = yamlfile.read(text, "f", self.problems)
        assert root is not None
        self.findings = Findings(root, self.problems, [0, 0])

    def test_add(self) -> None:
        """
        A problem has the place of its path, and the number that its route has in
        its own file.
        """
        self.findings.add(("routes", 1, "name"), "is wrong")
        self.findings.add(("routes", 0, "name"), "is wrong", atKey=True)
        self.assertEqual(
            [str(problem) for problem in self.problems],
            ["f:3:10: routes[0].name: is wrong", "f:2:4: routes[0].name: is wrong"],
        )
        self.assertEqual(self.findings.places, [("routes", 1, "name"), ("routes", 0, "name")])

    def test_refuse(self) -> None:
        """
        What was written begins the sentence: the value, or the key.
        """
        self.findings.refuse(("routes", 0, "name"), "is too short")
        self.findings.refuse(("routes", 1, "name"), "is no key", atKey=True)
        self.findings.refuse(("admin", "token"), "is no pattern: missing ): geheim(")
        self.assertEqual(
            [problem.message for problem in self.problems],
            ["'a' is too short", "'name' is no key", "this value is no pattern: missing )"],
        )

    def test_mark(self) -> None:
        """
        The place of a path, and the nearest one for a path that leads nowhere.
        """
        self.assertEqual(self.findings.mark(("routes", 1)), Mark("f", 3, 3))
        self.assertEqual(self.findings.mark(("routes", 1, "no")), Mark("f", 3, 3))
