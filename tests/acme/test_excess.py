"""
Tests for L{smartproxy_tw.acme.excess}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import ERRORS, AuthorityProblem, Problem
from smartproxy_tw.acme.excess import mostAllowed

from ..examples import anyText, examples


def refusal(
    detail: str, word: str = "malformed", status: int = 400, name: str | None = None
) -> AuthorityProblem:
    """
    What an authority says to an order.
    """
    return AuthorityProblem("placing an order", Problem(ERRORS + word, detail, status, name))


class MostAllowedTests(SynchronousTestCase):
    def test_said(self) -> None:
        """
        The number is taken from what authorities say, whatever stands around it.
        """
        for detail, most in (
            ("Order cannot contain more than 100 identifiers", 100),
            ("Error creating new order :: Order cannot contain more than 25 DNS names", 25),
            ("the profile short is for 25 names at most", 25),
            ("an order needs 1 to 100 identifiers.", 100),
            ("Too many domains: 130 were given, the maximum is 50.", 50),
            ("maximum number of SANs (10) exceeded, got 130", 10),
            ("too many identifiers: shop7.example, 192.0.2.1 and 2001:db8::1 are beyond the limit of 90", 90),
        ):
            self.assertEqual(mostAllowed(refusal(detail), 130), most, detail)

    def test_noNumber(self) -> None:
        """
        Without a number half as many are tried.
        """
        self.assertEqual(mostAllowed(refusal("too many identifiers", "rejectedIdentifier"), 130), 65)
        self.assertEqual(mostAllowed(refusal("too many identifiers"), 3), 1)

    def test_other(self) -> None:
        """
        Whatever else is refused says nothing about that.
        """
        limited = (
            "too many certificates (5) already issued for this exact set of identifiers in the last 168h"
        )
        for why in (
            refusal(limited, "rateLimited", 429),
            refusal(limited, "rateLimited", 403),
            refusal("too many requests for these names, limit 20", "", 429),
            refusal("The names are not allowed by policy 12: more than one label", "caa"),
            refusal("Domain name is redundant with a wildcard domain in the same request"),
            refusal('Cannot issue for "a.example": Domain name has more than 10 labels', name="a.example"),
            refusal("JWS is malformed"),
            refusal("Order cannot contain more than 100 identifiers and had 100"),
        ):
            self.assertIsNone(mostAllowed(why, 100), str(why))

    def test_one(self) -> None:
        """
        One name cannot be too many.
        """
        self.assertIsNone(mostAllowed(refusal("too many identifiers"), 1))

    @examples(200)
    @given(anyText(60), st.integers(0, 300))
    def test_anything(self, detail: str, count: int) -> None:
        """
        Whatever is said, what comes of it is smaller than what was asked, and not
        nothing.
        """
        most = mostAllowed(refusal("more than names " + detail), count)
        if most is not None:
            self.assertIn(most, range(1, count))
