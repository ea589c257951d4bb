"""
Tests for L{smartproxy_tw.acme.reasons}.
"""

from __future__ import annotations

from cryptography.x509 import ReasonFlags
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.reasons import REASONS, byOwnKey


class ReasonsTests(SynchronousTestCase):
    """
    Why a certificate is revoked.
    """

    def test_words(self) -> None:
        """
        They are called as X.509 calls them, and none is for authorities only.
        """
        known = {flag.value for flag in ReasonFlags}
        self.assertEqual(set(REASONS) - known, set())
        theirs = {"cACompromise", "certificateHold", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}
        self.assertEqual(set(REASONS) & theirs, set())

    def test_numbers(self) -> None:
        """
        The numbers are those that RFC 5280 section 5.3.1 gives them.
        """
        order = (
            "unspecified",
            "keyCompromise",
            "cACompromise",
            "affiliationChanged",
            "superseded",
            "cessationOfOperation",
        )
        self.assertEqual(REASONS, {word: order.index(word) for word in REASONS})

    def test_byOwnKey(self) -> None:
        """
        Only a key that others know proves itself that it is known.
        """
        self.assertEqual([word for word in REASONS if byOwnKey(word)], ["keyCompromise"])
