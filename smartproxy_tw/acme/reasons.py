"""
Why a certificate is revoked, in the words and the numbers of RFC 5280 section
5.3.1.

Those are the reasons that whoever has a certificate may give; the others are for
authorities.
"""

from __future__ import annotations

__all__ = ["REASONS", "byOwnKey"]

#: The number of each.
REASONS = {
    "unspecified": 0,
    "keyCompromise": 1,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
}


def byOwnKey(reason: str) -> bool:
    """
    Whether the certificate's own key is to ask for it rather than the account:
    that it can proves that the key is known, and authorities then refuse it in
    whatever is ordered later, by whomever.

    @param reason: One of L{REASONS}.
    """
    return reason == "keyCompromise"
