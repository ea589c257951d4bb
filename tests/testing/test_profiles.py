"""
Tests for L{smartproxy_tw.testing.profiles}, as an account meets them.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.testing.profiles import Profile

from .story import RegistryStory

PROFILES = {
    "classic": Profile(90 * 86400.0, takesAddresses=False),
    "shortlived": Profile(6 * 86400.0, mostNames=2),
}


class ProfileTests(RegistryStory):
    def given(self) -> None:
        self.registry = self.open(profiles=PROFILES)
        self.account = self.register(self.pem)

    def lifetime(self, **members: Any) -> float:
        facts = describe(self.issue("a.example", **members))
        return facts.notAfter - facts.notBefore

    def test_lifetimes(self) -> None:
        """
        Each kind has a life of its own; who asks for none gets the first.
        """
        self.given()
        short = self.lifetime(profile="shortlived")
        self.assertLess(short, 7 * 86400)
        self.assertGreater(self.lifetime(), 89 * 86400)
        self.assertGreater(self.lifetime(profile="classic"), 89 * 86400)

    def test_refused(self) -> None:
        """
        Kinds that do not exist, and what a kind is not for.
        """
        self.given()
        for word, profile, identifiers in (
            ("invalidProfile", "other", [("dns", "a.example")]),
            ("invalidProfile", 7, [("dns", "a.example")]),
            ("invalidProfile", "classic", [("ip", "127.0.0.1")]),
            ("unsupportedIdentifier", None, [("ip", "127.0.0.1")]),
            ("malformed", "shortlived", [("dns", f"{each}.example") for each in "abc"]),
        ):
            said: dict[str, Any] = {
                "identifiers": [{"type": kind, "value": value} for kind, value in identifiers]
            }
            self.refused(word, "/order", said if profile is None else {**said, "profile": profile})
        self.assertEqual(self.registry.orderCount, 0)

    def test_shown(self) -> None:
        """
        An order shows its kind; an authority without kinds knows none.
        """
        identifiers = [{"type": "dns", "value": "a.example"}]
        self.assertNotIn("profile", self.order("a.example").body)
        self.refused("invalidProfile", "/order", {"identifiers": identifiers, "profile": "classic"})
        self.given()
        self.assertEqual(self.order("a.example").body["profile"], "classic")
