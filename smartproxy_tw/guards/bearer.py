"""
Signed tokens (JWT, RFC 7519) as bearer tokens (RFC 6750).

What algorithms are believed is said by the configuration and by nothing in a token, and a
key serves for its own family only: C{none} is never among them, and a public key is never
taken for a secret.  A token that was good is remembered for a moment, by its digest.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from ..bounds.objects import objectIn
from ..config.keysets import Keys, readKeys
from ..facts import Amendment
from .fields import line, twins
from .visit import WAITING, Denial, Request, Verdict, refusal

if TYPE_CHECKING:
    from ..config.security import JWTAuth
    from .keyring import Keyring

__all__ = ["Bearer"]

#: A token is no longer than this, in bytes.
_LONGEST = 16384
#: So many are remembered, and for so long, in seconds.
_MOST, _REMEMBERED = 4096, 30.0
#: So many keys are tried where a token does not say which.
_TRIED = 8

_NO_KEYS = refusal("no_keys", 503, "Service Unavailable", b"Retry-After: 5\r\n")
_SAFE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+")


class _Unknown(Exception):
    """
    There is no key for it.
    """


class Bearer:
    """
    Lets in whoever shows a good token.
    """

    def __init__(
        self,
        settings: JWTAuth,
        clock: Callable[[], float],
        keyring: Callable[[Callable[[], None]], Keyring] | None = None,
    ) -> None:
        """
        @param clock: The time of day, in seconds since 1970.
        @param keyring: Makes one for the URL of the settings, if they have one; takes what it is
            to call when it has other keys.
        """
        from joserfc import jwt
        from joserfc.jwk import OctKey
        from joserfc.jws import JWSRegistry

        self._settings = settings
        self._clock = clock
        self._jwt = jwt
        self._registry = JWSRegistry(algorithms=list(settings.algorithms))
        self._keys: Keys | None = None
        if settings.secret is not None:
            self._keys = Keys((OctKey.import_key(settings.secret),))
        elif settings.keys is not None:
            self._keys = readKeys(settings.keys)
        self._keyring = None if keyring is None else keyring(self._forget)
        rules: dict[str, Any] = {"exp": {"essential": True}}
        if settings.issuers:
            rules["iss"] = {"essential": True, "values": list(settings.issuers)}
        if settings.audiences:
            rules["aud"] = {"essential": True, "values": list(settings.audiences)}
        self._rules = jwt.JWTClaimsRegistry(now=lambda: int(clock()), leeway=int(settings.leeway), **rules)
        self._removed = twins(name for _, name in settings.claims)
        if not settings.passesOn:
            self._removed |= {b"authorization"}
        self._good: dict[bytes, tuple[float, Mapping[str, Any]]] = {}
        realm = b'WWW-Authenticate: Bearer realm="%b"' % settings.realm.encode("ascii")
        self._asking = refusal("no_token", 401, "Unauthorized", realm + b"\r\n")
        self._wrong = refusal("bad_token", 401, "Unauthorized", realm + b', error="invalid_token"\r\n')
        scopes = " ".join(each for each in settings.scopes if _SAFE.fullmatch(each)).encode("ascii")
        self._tooLittle = refusal(
            "scope", 403, "Forbidden", realm + b', error="insufficient_scope", scope="%b"\r\n' % scopes
        )

    def ask(self, request: Request) -> Verdict:
        """
        See L{Guard<smartproxy_tw.guards.visit.Guard>}.
        """
        shown = self._shown(request)
        if not shown:
            return self._asking
        token = shown[0]
        if any(each != token for each in shown):
            # Nobody knows which one the target goes by.
            return self._wrong
        if len(token) > _LONGEST or not token.isascii():
            return self._wrong
        ring = self._keyring
        if ring is None:
            return self._judge(request, token, self._keys)
        ring.look()
        keys = ring.keys
        if keys is not None:
            try:
                return self._decide(request, token, keys)
            except _Unknown:
                pass
        if ring.wait(lambda: request.goOn(self._judge(request, token, ring.keys))):
            return WAITING
        return self._judge(request, token, ring.keys)

    def _judge(self, request: Request, token: str, keys: Keys | None) -> Denial | None:
        if keys is None:
            return _NO_KEYS
        try:
            return self._decide(request, token, keys)
        except _Unknown:
            return self._wrong

    def _decide(self, request: Request, token: str, keys: Keys) -> Denial | None:
        digest = sha256(token.encode("ascii")).digest()
        now = self._clock()
        until, claims = self._good.get(digest, (0.0, {}))
        if until <= now:
            found = self._verified(token, keys)
            if found is None:
                return self._wrong
            claims = found
            while len(self._good) >= _MOST:
                del self._good[next(iter(self._good))]
            self._good.pop(digest, None)
            # As it is: a number without end is none that a float could have.
            ends = claims["exp"] + int(self._settings.leeway)
            self._good[digest] = min(now + _REMEMBERED, ends), claims
        if self._settings.scopes and not set(self._settings.scopes) <= _scopesOf(claims):
            return self._tooLittle
        lines = b"".join(
            line(name, _said(claims[claim])) for claim, name in self._settings.claims if claim in claims
        )
        if self._removed:
            request.exchange.amend(Amendment(removed=self._removed, fields=lines))
        return None

    def _verified(self, token: str, keys: Keys) -> Mapping[str, Any] | None:
        """
        What a token claims, or L{None} when it is not a good one.

        @raise _Unknown: There is no key that it could be signed with.
        """
        algorithm, kid = _head(token)
        if algorithm not in self._settings.algorithms:
            return None
        some = keys.fitting(algorithm, kid)
        if not some:
            raise _Unknown
        for key in some[:_TRIED]:
            try:
                found = self._jwt.decode(token, key, registry=self._registry)
                self._rules.validate(found.claims)
            except Exception:
                # Whatever is wrong with it: it comes from a stranger.
                continue
            return found.claims
        return None

    def _forget(self) -> None:
        self._good.clear()

    def _shown(self, request: Request) -> list[str]:
        """
        All that could be the token; one field of another scheme is none.
        """
        settings = self._settings
        if settings.source == "query":
            return _parameters(request.facts.query, settings.sourceName)
        if settings.source == "cookie":
            return _cookies(request.values("cookie"), settings.sourceName)
        fields = [each.partition(" ") for each in request.values("authorization")]
        if not any(scheme.lower() == "bearer" for scheme, _, _ in fields):
            return []
        return [rest.strip(" ") if scheme.lower() == "bearer" else "" for scheme, _, rest in fields]

    def close(self) -> None:
        """
        Fetch no more keys.
        """
        if self._keyring is not None:
            self._keyring.close()


def _head(token: str) -> tuple[str, str | None]:
    """
    What a token says of itself: its algorithm and the name of its key.
    """
    try:
        first = token.partition(".")[0]
        found = objectIn(urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except ValueError:
        return "", None
    algorithm, kid = found.get("alg"), found.get("kid")
    return (algorithm if isinstance(algorithm, str) else ""), (kid if isinstance(kid, str) else None)


def _scopesOf(claims: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for name in ("scope", "scp"):
        value = claims.get(name)
        if isinstance(value, str):
            found.update(value.split())
        elif isinstance(value, list):
            found.update(each for each in value if isinstance(each, str))
    return found


def _said(value: Any) -> str:
    """
    A claim as the value of a field.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    return json.dumps(value, separators=(",", ":"))


def _parameters(query: str, name: str) -> list[str]:
    pairs = [each.partition("=") for each in query.split("&")]
    return [unquote_plus(value) for found, _, value in pairs if unquote_plus(found) == name]


def _cookies(lines: list[str], name: str) -> list[str]:
    found = re.findall(rf"(?:\A|;)[ \t]*+{re.escape(name)}=([^;]*+)", ";".join(lines))
    return [value.rstrip(" \t").strip('"') for value in found]
