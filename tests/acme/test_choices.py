"""
Tests for L{smartproxy_tw.acme.choices}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.choices import Choices
from smartproxy_tw.acme.errors import ERRORS, Problem
from smartproxy_tw.acme.objects import AuthorizationFacts, Offer


def decided(kind: str, word: str = "", name: str = "a.test", isWildcard: bool = False) -> AuthorizationFacts:
    """
    An authorization that was tried by this kind, and what came of it.
    """
    status: Any = "invalid" if word else "valid"
    problem = Problem(ERRORS + word, "no") if word else None
    return AuthorizationFacts("u", name, status, (Offer(kind, "o", "t", status, problem),), isWildcard)


class ChoicesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.choices = Choices(("http-01", "tls-alpn-01", "dns-01"))

    def test_another(self) -> None:
        """
        A way that failed comes after those that did not, for that name alone; when
        all have failed they are tried in turn.
        """
        seen = []
        for _ in range(6):
            first = self.choices.of("a.test")[0]
            seen.append(first)
            self.choices.settled(decided(first, "connection"))
        self.assertEqual(seen, ["http-01", "tls-alpn-01", "dns-01"] * 2)
        self.assertEqual(self.choices.of("b.test")[0], "http-01")

    def test_causes(self) -> None:
        """
        Only what tells of the way leads to another.
        """
        for word, isOfTheWay in (
            ("connection", True),
            ("dns", True),
            ("tls", True),
            ("unauthorized", True),
            ("incorrectResponse", True),
            ("caa", False),
            ("rejectedIdentifier", False),
            ("rateLimited", False),
            ("serverInternal", False),
        ):
            choices = Choices(("http-01", "dns-01"))
            choices.settled(decided("http-01", word))
            self.assertEqual(choices.of("a.test")[0], "dns-01" if isOfTheWay else "http-01", word)

    def test_settled(self) -> None:
        """
        What has led to a certificate stays; the one that is preferred is tried again
        when that fails.
        """
        self.choices.settled(decided("http-01", "connection"))
        self.choices.settled(decided("tls-alpn-01"))
        self.assertEqual(self.choices.of("a.test"), ("tls-alpn-01", "dns-01", "http-01"))
        self.choices.settled(decided("tls-alpn-01", "tls"))
        self.assertEqual(self.choices.of("a.test"), ("dns-01", "http-01", "tls-alpn-01"))
        self.choices.settled(decided("http-01"))
        self.assertEqual(self.choices.of("a.test")[0], "http-01")

    def test_unserved(self) -> None:
        """
        What cannot be presented is a failure of the way; a wildcard is a name of its
        own.
        """
        self.choices.unserved("a.test", "http-01")
        self.assertEqual(self.choices.of("a.test")[0], "tls-alpn-01")
        self.choices.settled(decided("dns-01", "dns", isWildcard=True))
        self.assertEqual(self.choices.of("*.a.test")[-1], "dns-01")
        self.assertEqual(self.choices.of("a.test")[-1], "http-01")

    def test_prefer(self) -> None:
        """
        When other ways are open those are taken, and what has failed is remembered.
        """
        self.choices.unserved("a.test", "http-01")
        self.choices.prefer(("http-01", "dns-01"))
        self.assertEqual(self.choices.of("a.test"), ("dns-01", "http-01"))
        self.assertEqual(self.choices.of("b.test"), ("http-01", "dns-01"))
