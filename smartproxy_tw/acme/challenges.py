"""
Which of the offered proofs to give, and what the authority is to find for it.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, cast

from ..facts import DNS01, HTTP01, Evidence

if TYPE_CHECKING:
    from .objects import AuthorizationFacts, Offer

__all__ = ["Kind", "answer", "choose"]

#: The kinds that can be answered; the data path serves the first two.
Kind = Literal["http-01", "tls-alpn-01", "dns-01"]

#: RFC 8555 section 8.3: base64url, at least 128 bits; the upper bound is ours.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,512}", re.ASCII)


def choose(authorization: AuthorizationFacts, preference: Iterable[Kind]) -> Offer | None:
    """
    Take the best offer.

    @param authorization: A pending one.
    @param preference: The kinds that can be answered, best first.
    @return: An offer of the first kind that is there and was not refused
        already; L{None} when none is.
    """
    for kind in preference:
        for offer in authorization.offers:
            if offer.kind == kind and offer.status != "invalid" and _TOKEN.fullmatch(offer.token):
                return offer
    return None


def answer(kind: str, name: str, token: str, keyAuthorization: str) -> Evidence:
    """
    Make what is to be presented.

    @param kind: A L{Kind}.
    @param name: The identifier being proved.
    @param token: Of the challenge.
    @param keyAuthorization: As L{smartproxy_tw.acme.jose.keyAuthorization}
        gives it.
    """
    if cast(Kind, kind) == "http-01":
        return HTTP01(name, token, keyAuthorization)
    if kind == "dns-01":
        digest = hashlib.sha256(keyAuthorization.encode("ascii")).digest()
        text = urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
        return DNS01(name, text, token, keyAuthorization)
    from .x509 import acmeTLS

    return acmeTLS(name, keyAuthorization)
