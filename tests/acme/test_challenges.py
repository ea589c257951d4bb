"""
Tests for L{smartproxy_tw.acme.challenges}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.challenges import answer, choose
from smartproxy_tw.acme.objects import AuthorizationFacts, Offer
from smartproxy_tw.facts import HTTP01, TLSALPN01

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"


def offering(*offers: Offer) -> AuthorizationFacts:
    """
    A pending authorization.
    """
    return AuthorizationFacts("https://ca.example/a", "a.example", "pending", offers)


HTTP = Offer("http-01", "https://ca.example/h", TOKEN)
TLS = Offer("tls-alpn-01", "https://ca.example/t", TOKEN)
DNS = Offer("dns-01", "https://ca.example/d", TOKEN)


class ChooseTests(SynchronousTestCase):
    def test_preference(self) -> None:
        """
        Ours counts, not the authority's order.
        """
        offered = offering(DNS, HTTP, TLS)
        self.assertIs(choose(offered, ("tls-alpn-01", "http-01")), TLS)
        self.assertIs(choose(offered, ("http-01", "tls-alpn-01")), HTTP)

    def test_secondChoice(self) -> None:
        """
        What is not offered falls to what is.
        """
        self.assertIs(choose(offering(TLS), ("http-01", "tls-alpn-01")), TLS)

    def test_none(self) -> None:
        """
        There may be none.
        """
        self.assertIsNone(choose(offering(DNS), ("http-01", "tls-alpn-01")))
        self.assertIsNone(choose(offering(), ("http-01",)))
        self.assertIsNone(choose(offering(HTTP), ()))

    def test_badToken(self) -> None:
        """
        A token that is not base64url could be a path of the attacker's: it is
        never served.
        """
        for token in ("../../etc/passwd", "", "short", "a" * 600, TOKEN + "\n", TOKEN + "\u0661"):
            self.assertIsNone(choose(offering(Offer("http-01", "https://ca.example/h", token)), ("http-01",)))

    def test_refusedAlready(self) -> None:
        """
        What was refused is not tried again by the same order.
        """
        refused = Offer("http-01", "https://ca.example/h", TOKEN, "invalid")
        self.assertIs(choose(offering(refused, TLS), ("http-01", "tls-alpn-01")), TLS)


class AnswerTests(SynchronousTestCase):
    def test_http(self) -> None:
        """
        http-01 is answered with the key authorization itself.
        """
        made = answer("http-01", "a.example", TOKEN, TOKEN + ".thumb")
        self.assertEqual(made, HTTP01("a.example", TOKEN, TOKEN + ".thumb"))

    def test_tls(self) -> None:
        """
        tls-alpn-01 is answered with a certificate of its own.
        """
        made = answer("tls-alpn-01", "a.example", TOKEN, TOKEN + ".thumb")
        assert isinstance(made, TLSALPN01)
        self.assertIn(b"BEGIN CERTIFICATE", made.credential.chain)
