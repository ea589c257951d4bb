"""
Signed requests as RFC 8555 section 6.2 wants them, and what proves that a
challenge is answered for the right account.

Keys come as PEM.  Import this module where something is signed, not before: it
costs time.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, RSAKey

__all__ = ["AccountKey", "RequestKey", "externalBinding", "keyAuthorization"]

_CURVES = {"P-256": "ES256", "P-384": "ES384"}

#: RFC 8555 leaves it to RFC 7518 section 3.3 how long a key of RSA has to be.
_LEAST_BITS = 2048


class RequestKey:
    """
    A private key that signs requests: EC on P-256 or P-384, or RSA, as those of
    certificates are.

    @ivar jwk: The public half (RFC 7517).
    @ivar thumbprint: Its RFC 7638 digest, base64url.
    @ivar algorithm: How it signs (RFC 7518 section 3.1).
    """

    def __init__(self, pem: bytes) -> None:
        """
        @param pem: As L{smartproxy_tw.acme.x509.newKey} makes it.
        @raise ValueError: It is no such key.
        """
        try:
            self._key = self._import(pem)
            isPrivate = self._key.is_private
            algorithm = _CURVES.get(self._key.curve_name) if isinstance(self._key, ECKey) else "RS256"
        except (JoseError, ValueError, TypeError) as why:
            raise ValueError(f"The key cannot be read: {why}") from why
        if not isPrivate or algorithm is None:
            raise ValueError("The key is not a private key on P-256 or P-384, and not one of RSA.")
        self.algorithm = algorithm
        public = self._key.as_dict(private=False)
        members = ("crv", "kty", "x", "y") if isinstance(self._key, ECKey) else ("e", "kty", "n")
        self.jwk: dict[str, Any] = {member: public[member] for member in members}
        self.thumbprint: str = self._key.thumbprint()
        self._registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)

    @staticmethod
    def _import(pem: bytes) -> ECKey | RSAKey:
        # To read one of RSA with all its checks takes 80 milliseconds: once, and not to find out what it is.
        private = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
        return (RSAKey if isinstance(private, RSAPrivateKey) else ECKey).import_key(pem)

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
        protected: dict[str, Any] = {"alg": self.algorithm, "url": url}
        if nonce is not None:
            protected["nonce"] = nonce
        if account is None:
            protected["jwk"] = self.jwk
        else:
            protected["kid"] = account
        said = "" if payload is None else json.dumps(payload)
        signed = jws.serialize_json({"protected": protected}, said, self._key, registry=self._registry)
        return json.dumps(signed).encode("ascii")


class AccountKey(RequestKey):
    """
    An account's private key.  Those that we make are on P-256; those that other
    programs made and left to us may be on P-384, or of RSA.
    """

    def __init__(self, pem: bytes) -> None:
        """
        @param pem: As L{smartproxy_tw.acme.x509.newKey} makes it.
        @raise ValueError: It is no such key, or one of RSA with less than 2048
            bits, which no authority takes.
        """
        try:
            super().__init__(pem)
        except ValueError as why:
            raise ValueError(f"The account's key cannot be used: {why}") from why
        if isinstance(self._key, RSAKey) and self._key.raw_value.key_size < _LEAST_BITS:
            raise ValueError(
                f"The account's key cannot be used: it is of RSA with less than {_LEAST_BITS} bits."
            )


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
