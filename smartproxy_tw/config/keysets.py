"""
Public keys that tokens are verified with: PEM, or a set of them as JSON (RFC 7517).

The family of algorithms that a key is for is settled by what the key is, never by what a
token or the set says: no key of RSA ever serves as a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

__all__ = ["Keys", "kindFor", "readKeys"]

#: What a key has to be for algorithms that begin so.
_KINDS = {"HS": "oct", "RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
#: The curve of each algorithm with elliptic curves (RFC 7518 section 3.4).
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}

#: A set may have so many keys.
_MOST = 256


def kindFor(algorithm: str) -> str:
    """
    What a key for an algorithm has to be, as C{kty} has it.
    """
    return _KINDS[algorithm[:2]]


class Keys:
    """
    Some public keys.
    """

    def __init__(self, keys: Iterable[Any]) -> None:
        """
        @param keys: As joserfc has them, in the order in which they are tried.
        """
        self._keys = tuple(keys)

    def fitting(self, algorithm: str, kid: str | None) -> tuple[Any, ...]:
        """
        Those that a token may have been signed with.

        @param algorithm: One of those that are believed.
        @param kid: What the token calls its key, if it does.  A key without a name of its own fits
            any.
        """
        kind, curve = kindFor(algorithm), _CURVES.get(algorithm)
        return tuple(
            each
            for each in self._keys
            if each.key_type == kind
            and (curve is None or each.get("crv") == curve)
            and (kid is None or each.get("kid") in (None, kid))
            and each.get("use") in (None, "sig")
            and each.get("alg") in (None, algorithm)
        )

    def anyFor(self, algorithms: Iterable[str]) -> bool:
        """
        Whether there is one for any of these algorithms.
        """
        return any(self.fitting(each, None) for each in algorithms)


def readKeys(text: str) -> Keys:
    """
    Read keys.

    @raise ValueError: There is none that can be read; the message is the end of a sentence.
    """
    from joserfc import jwk

    if "-----BEGIN" in text:
        if "PRIVATE KEY" in text:
            raise ValueError("has a private key in it: to verify tokens the public key is enough, and safer")
        for kind in (jwk.RSAKey, jwk.ECKey, jwk.OKPKey):
            try:
                return Keys((kind.import_key(text),))
            except Exception:
                continue
        raise ValueError("is no public key as PEM (-----BEGIN PUBLIC KEY-----)")
    try:
        found = json.loads(text)
    except ValueError:
        raise ValueError("is neither a public key as PEM nor a set of keys as JSON") from None
    some = found.get("keys") if isinstance(found, dict) and "keys" in found else [found]
    if not isinstance(some, list):
        raise ValueError("has something else than a list under keys")
    keys: list[Any] = []
    for each in some[:_MOST]:
        # Secrets are left out, wherever they come from; so is what is of no known kind (RFC 7517 section 5).
        if not isinstance(each, dict) or each.get("kty") not in ("RSA", "EC", "OKP") or "d" in each:
            continue
        try:
            keys.append(jwk.import_key(each))
        except Exception:
            continue
    if not keys:
        raise ValueError("has no public key in it that can be used")
    return Keys(keys)
