"""
What an authority demands of a request before it reads what it says (RFC 8555
section 6): signed in the one allowed form, for this very URL, with a nonce that
was given and never used, by a key or by an account that is known.

In goes a body; out comes a L{SignedRequest}, or L{Refused} with the answer that
is due.  Nothing else escapes.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, RSAKey

from ..values import dataclass

__all__ = [
    "AccountPublicKey",
    "Nonces",
    "Refused",
    "SignedRequest",
    "decoded",
    "members",
    "mustRead",
    "readBinding",
    "readInner",
    "readSigned",
]

#: The signatures that are taken.
ALGORITHMS = ("ES256", "RS256")

#: The MACs that bind an account to what is known of its owner.
_MACS = ("HS256", "HS384", "HS512")

#: An account's public key.
AccountPublicKey = ECKey | RSAKey

#: Unused nonces that are remembered; the oldest are forgotten first.
_NONCES_KEPT = 10000


class Refused(Exception):
    """
    The request is answered with a problem document.

    @ivar status: Of HTTP.
    @ivar word: The problem's type, without ACME's prefix.
    @ivar detail: For people.
    @ivar members: Further members of the document.
    @ivar fields: Of the answer's head.
    """

    def __init__(self, status: int, word: str, detail: str, **members: Any) -> None:
        """
        @param status: Of HTTP.
        @param word: The problem's type, without ACME's prefix.
        @param detail: For people.
        @param members: Further members of the document.
        """
        super().__init__(detail)
        self.status = status
        self.word = word
        self.detail = detail
        self.members = members
        self.fields: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """
    What was said, and by whom.

    @ivar payload: JSON as read, or L{None} for POST-as-GET.
    @ivar key: The key that signed.
    @ivar account: The URL of the account that it was signed as, or L{None}
        when it came with its key.
    """

    payload: Any
    key: AccountPublicKey
    account: str | None


class _Registry(jws.JWSRegistry):
    # An RSA key in the header is larger than joserfc expects of headers.
    max_header_length = 8192


class Nonces:
    """
    Gives nonces and takes each back once.
    """

    def __init__(self, chance: Random, reject: float = 0.0) -> None:
        """
        @param chance: Decides which are rejected.
        @param reject: The part of good ones that are refused nevertheless, 0
            to 1.
        """
        self._chance = chance
        self.reject = reject
        self._unused: dict[str, None] = {}
        self._given = 0

    def give(self) -> str:
        """
        A new one.
        """
        self._given += 1
        entropy = self._chance.getrandbits(128).to_bytes(16, "big") + self._given.to_bytes(8, "big")
        nonce = urlsafe_b64encode(entropy).rstrip(b"=").decode("ascii")
        self._unused[nonce] = None
        if len(self._unused) > _NONCES_KEPT:
            del self._unused[next(iter(self._unused))]
        return nonce

    def take(self, nonce: object) -> None:
        """
        Take one back.

        @raise Refused: It is not one of ours, or was used, or had bad luck.
        """
        known = isinstance(nonce, str) and nonce in self._unused
        if known:
            del self._unused[str(nonce)]
        if not known or self._chance.random() < self.reject:
            raise Refused(400, "badNonce", "the nonce is not one that was given out and never used")


def readSigned(
    body: bytes,
    contentType: str,
    url: str,
    nonces: Nonces,
    keyOf: Callable[[str], AccountPublicKey | None],
) -> SignedRequest:
    """
    Check a request.

    @param body: Of the request.
    @param contentType: Of the request.
    @param url: That it was sent to.
    @param nonces: Take back the one in it.
    @param keyOf: Finds the key of an account by its URL.
    @raise Refused: It is not to be heard.
    """
    if contentType.partition(";")[0].strip().lower() != "application/jose+json":
        raise Refused(415, "malformed", "the content type is not application/jose+json")
    message, header = _readJWS(_readObject(body, "the body"), "the body")
    if ("jwk" in header) == ("kid" in header):
        raise Refused(400, "malformed", "the protected header needs one of jwk and kid")
    account = header.get("kid")
    key = _keyIn(header["jwk"]) if account is None else keyOf(str(account))
    if key is None:
        raise Refused(400, "accountDoesNotExist", "there is no such account")
    _verify(message, key)
    # Judged only when it is known who says so.
    nonces.take(header.get("nonce"))
    if header.get("url") != url:
        raise Refused(403, "unauthorized", f"signed for {header.get('url')} and sent to {url}")
    payload = decoded(message["payload"])
    return SignedRequest(_readJSON(payload, "the payload") if payload else None, key, account)


def readInner(message: object, url: str) -> SignedRequest:
    """
    Check what is signed within a request by a key that is to be new (RFC 8555
    section 7.3.5).

    @param message: The payload of the request.
    @param url: That the request was sent to.
    @return: With the new key, and no account.
    @raise Refused: It is not to be heard.
    """
    inner, header = _readJWS(message, "the inner message")
    if "jwk" not in header or "kid" in header:
        raise Refused(400, "malformed", "the inner message needs the new key, as jwk")
    if "nonce" in header:
        raise Refused(400, "malformed", "the inner message has a nonce, which belongs into the outer one")
    if header.get("url") != url:
        raise Refused(400, "malformed", f"the inner message is for {header.get('url')}, not {url}")
    key = _keyIn(header["jwk"])
    _verify(inner, key)
    return SignedRequest(_readObject(decoded(inner["payload"]), "the inner payload"), key, None)


def readBinding(message: object, url: str, external: Mapping[str, bytes], key: AccountPublicKey) -> str:
    """
    Check what binds a new account to an owner that is known already (RFC 8555
    section 7.3.4).

    @param message: The member of the request.
    @param url: That the request was sent to.
    @param external: MAC keys by their identifiers.
    @param key: Of the new account.
    @return: The identifier of the MAC key.
    @raise Refused: It is not to be heard.
    """
    inner, header = _readJWS(message, "the external account binding", _MACS)
    if "nonce" in header or "jwk" in header:
        raise Refused(400, "malformed", "the external account binding has a nonce, or a jwk in its header")
    if header.get("url") != url:
        raise Refused(400, "malformed", f"the binding is for {header.get('url')}, not {url}")
    owner = header.get("kid")
    if not isinstance(owner, str) or owner not in external:
        raise Refused(403, "unauthorized", "no such external account is known")
    _verify(inner, OctKey.import_key(external[owner]), _MACS)
    bound = _keyIn(_readObject(decoded(inner["payload"]), "the payload of the binding"))
    if bound.thumbprint() != key.thumbprint():
        raise Refused(400, "malformed", "the binding is of another key than the account's")
    return owner


def members(payload: object) -> dict[str, Any]:
    """
    Take a payload for an object.

    @raise Refused: It is none.
    """
    if not isinstance(payload, dict):
        raise Refused(400, "malformed", "the payload is not a JSON object")
    return payload


def mustRead(payload: object) -> None:
    """
    Insist on POST-as-GET (RFC 8555 section 6.3).

    @raise Refused: There is a payload.
    """
    if payload is not None:
        raise Refused(400, "malformed", "this is only read, by POST with an empty payload")


def _readJWS(
    message: Any, what: str, algorithms: tuple[str, ...] = ALGORITHMS
) -> tuple[dict[str, str], dict[str, Any]]:
    if not isinstance(message, dict) or set(message) != {"payload", "protected", "signature"}:
        raise Refused(400, "malformed", f"{what} is not a flattened JWS with a protected header only")
    if not all(isinstance(each, str) for each in message.values()):
        raise Refused(400, "malformed", "a member of the JWS is not a string")
    header = _readObject(decoded(message["protected"]), "the protected header")
    if header.get("alg") not in algorithms:
        detail = f"the signature is none of {', '.join(algorithms)}"
        raise Refused(400, "badSignatureAlgorithm", detail, algorithms=list(algorithms))
    return message, header


def _verify(message: Any, key: AccountPublicKey | OctKey, algorithms: tuple[str, ...] = ALGORITHMS) -> None:
    try:
        jws.deserialize_json(
            message, key, registry=_Registry(algorithms=algorithms, strict_check_header=False)
        )
    except (JoseError, ValueError, TypeError, KeyError) as why:
        raise Refused(403, "unauthorized", f"the signature is not good ({why})") from why


def decoded(text: str) -> bytes:
    """
    Decode base64url without padding (RFC 8555 section 6.1).

    @raise Refused: It is not.
    """
    try:
        if not text.isascii() or set(text) & set("=+/ \n\r\t"):
            raise ValueError("a character that base64url without padding does not have")
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as why:
        raise Refused(400, "malformed", f"not base64url: {why}") from why


def _readJSON(text: bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as why:
        raise Refused(400, "malformed", f"{what} is not JSON: {why}") from why


def _readObject(text: bytes, what: str) -> dict[str, Any]:
    value = _readJSON(text, what)
    if not isinstance(value, dict):
        raise Refused(400, "malformed", f"{what} is not a JSON object")
    return value


def _keyIn(jwk: object) -> AccountPublicKey:
    if isinstance(jwk, dict) and not {"d", "p", "q"} & set(jwk):
        kinds: dict[object, type[AccountPublicKey]] = {"EC": ECKey, "RSA": RSAKey}
        kind = kinds.get(jwk.get("kty"))
        try:
            if kind is not None:
                return kind.import_key(jwk)
        except (JoseError, ValueError, TypeError) as why:
            raise Refused(400, "badPublicKey", f"the key cannot be read ({why})") from why
    raise Refused(400, "badPublicKey", "the key is neither a public EC nor a public RSA key")
