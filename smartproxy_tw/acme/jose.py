"""
Signed requests as RFC 8555 section 6.2 wants them, and what proves that a
challenge is answered for the right account.

Keys come as PEM.  Import this module where something is signed, not before: it
costs time.
"""

from __future__ import annotations

import json
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey

__all__ = ["AccountKey", "externalBinding", "keyAuthorization"]


class AccountKey:
    """
    An account's private key on P-256: signs by ES256.

    @ivar jwk: The public half (RFC 7517).
    @ivar thumbprint: Its RFC 7638 digest, base64url.
    """

    def __init__(self, pem: bytes) -> None:
        """
        @param pem: As L{smartproxy_tw.acme.x509.newKey} makes it.
        @raise ValueError: It is not a private key on P-256.
        """
        try:
            self._key = ECKey.import_key(pem)
            isPrivate, curve = self._key.is_private, self._key.curve_name
        except (JoseError, ValueError, TypeError) as why:
            raise ValueError(f"The account's key cannot be read: {why}") from why
        if not isPrivate or curve != "P-256":
            raise ValueError("The account's key is not a private key on the curve P-256.")
        public = self._key.as_dict(private=False)
        self.jwk: dict[str, Any] = {member: public[member] for member in ("crv", "kty", "x", "y")}
        self.thumbprint: str = self._key.thumbprint()
        self._registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)

    def sign(self, url: str, nonce: str | None, payload: Any, account: str | None = None) -> bytes:
        """
        Make the body of a request.

        @param url: Where it will be sent.
        @param nonce: One that the authority gave and that was never used;
            L{None} for what is sent within another signed request, which has
            none (RFC 8555 section 7.3.5).
        @param payload: What to say, to be JSON; L{None} just reads
            (POST-as-GET, RFC 8555 section 6.3).
        @param account: The account's URL; L{None} sends the public key
            instead, as is due while registering.
        @return: A flattened JWS in JSON.
        """
        protected: dict[str, Any] = {"alg": "ES256", "url": url}
        if nonce is not None:
            protected["nonce"] = nonce
        if account is None:
            protected["jwk"] = self.jwk
        else:
            protected["kid"] = account
        said = "" if payload is None else json.dumps(payload)
        signed = jws.serialize_json({"protected": protected}, said, self._key, registry=self._registry)
        return json.dumps(signed).encode("ascii")


def keyAuthorization(token: str, thumbprint: str) -> str:
    """
    What proves that a challenge is answered for an account (RFC 8555 section
    8.1).

    @param token: Of the challenge.
    @param thumbprint: Of the account's key.
    """
    return f"{token}.{thumbprint}"


def externalBinding(url: str, identifier: str, mac: bytes, key: AccountKey) -> dict[str, Any]:
    """
    Bind an account's key to an account that was made elsewhere (RFC 8555
    section 7.3.4).

    @param url: Where the account is registered.
    @param identifier: Of the MAC key.
    @param mac: The MAC key.
    @return: A flattened JWS, to stand in the request.
    """
    protected = {"alg": "HS256", "kid": identifier, "url": url}
    registry = jws.JWSRegistry(algorithms=["HS256"], strict_check_header=False)
    signed = jws.serialize_json(
        {"protected": protected}, json.dumps(key.jwk), OctKey.import_key(mac), registry=registry
    )
    return dict(signed)
