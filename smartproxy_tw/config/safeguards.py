"""
From what a file says about security to what it means.

Files with users and keys are read here, so that a mistake in them is told by C{check}, and
so that one that is changed counts from the next reload on, with everything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from . import hashes, keysets, lastingreader, model
from .document import Path
from .elsewhere import elsewhere
from .findings import Findings
from .locations import Locations
from .security import (
    BasicAuth,
    CertificateHeaders,
    Cors,
    ForwardAuth,
    JWTAuth,
    RateLimit,
    Security,
    SecurityHeaders,
)

if TYPE_CHECKING:
    from . import protection
else:
    protection = elsewhere("protection")

__all__ = ["Safeguards", "inherited", "misplaced"]

#: By the option of the schema, the field of the model.
_FIELDS = {
    "ipAllowList": "allowed",
    "ipBlockList": "blocked",
    "maxConnections": "connections",
    "maxConnectionsPerIp": "perClient",
    "connectionRatePerMinute": "rate",
    "clientPrefix": "prefix",
    "rateLimit": "limit",
    "basicAuth": "basic",
    "jwtAuth": "jwt",
    "forwardAuth": "forward",
    "clientCertificateHeaders": "certificate",
}

#: What of defaults is left for redirects, where nobody is to show a password, and for what is not HTTP.
_FOR_ALL = frozenset({"allowed", "blocked", "connections", "perClient", "rate", "prefix", "limit"})
_FOR_STREAMS = _FOR_ALL - {"limit"}

#: A file of users or keys has at most so many bytes.
_MOST = 16 << 20

#: A secret for signatures has at least so many bytes (RFC 7518 section 3.2).
_SECRET = 32


def _listed(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


class Safeguards:
    """
    Reads C{security}, C{cors} and C{security_headers} of one route, or of the defaults.
    """

    def __init__(self, findings: Findings, files: Locations, path: Path) -> None:
        """
        @param findings: Where mistakes are told.
        @param files: Makes paths absolute.
        @param path: Where the one stands.
        """
        self._findings = findings
        self._files = files
        self._path = path

    def security(self, written: protection.Security | None) -> Security | None:
        """
        @return: L{None} where nothing is asked.
        """
        if written is None:
            return None
        path: Path = (*self._path, "security")
        made = Security(
            allowed=_listed(written.ipAllowList),
            blocked=_listed(written.ipBlockList),
            connections=written.maxConnections,
            perClient=written.maxConnectionsPerIp,
            rate=written.connectionRatePerMinute,
            prefix=written.clientPrefix,
            limit=None if written.rateLimit is None else _limit(written.rateLimit),
            basic=self._basic((*path, "basic_auth"), written.basicAuth),
            jwt=self._jwt((*path, "jwt_auth"), written.jwtAuth),
            forward=self._forward((*path, "forward_auth"), written.forwardAuth),
            certificate=_certificate(written.clientCertificateHeaders),
        )
        return None if made == Security() else made

    def cors(self, written: protection.Cors | None) -> Cors | None:
        """
        @return: L{None} where nothing is allowed that browsers do not allow anyway.
        """
        if written is None:
            return None
        return Cors(
            _listed(written.origins),
            tuple(written.methods),
            tuple(written.headers),
            tuple(written.expose),
            written.credentials,
            written.maxAge,
        )

    def headers(self, written: bool | protection.SecurityHeaders | None) -> SecurityHeaders | None:
        """
        @return: L{None} where browsers are told nothing.
        """
        if written is None or written is False:
            return None
        if written is True:
            written = protection.SecurityHeaders()
        said = {
            "X-Content-Type-Options": written.contentTypeOptions,
            "X-Frame-Options": written.frameOptions,
            "Referrer-Policy": written.referrerPolicy,
            "Permissions-Policy": written.permissionsPolicy,
            "Content-Security-Policy": written.contentSecurityPolicy,
        }
        pairs = tuple((name, value) for name, value in said.items() if value is not None and value != "off")
        strict = None
        if isinstance(written.strictTransport, protection.StrictTransport):
            transport = written.strictTransport
            strict = f"max-age={transport.maxAge}"
            strict += "; includeSubDomains" if transport.includeSubdomains else ""
            strict += "; preload" if transport.preload else ""
        return SecurityHeaders(pairs, strict, written.override)

    def _basic(self, path: Path, written: protection.BasicAuth | None) -> BasicAuth | None:
        if written is None:
            return None
        users: tuple[tuple[str, str], ...] = ()
        if written.users is not None:
            users = tuple(written.users.items())
            if not users:
                self._findings.add((*path, "users"), "is empty: nobody could come in")
            for name, hash in users:
                try:
                    hashes.kindOf(hash)
                except ValueError as why:
                    # Not quoted: some write the password itself.
                    self._findings.add((*path, "users", name), str(why))
                    return None
        elif written.file is not None:
            text = self._text((*path, "file"), written.file)
            try:
                users = hashes.usersIn(text) if text is not None else ()
            except ValueError as why:
                self._findings.refuse((*path, "file"), str(why))
        for kind in sorted({hashes.kindOf(hash) for _, hash in users}):
            missing = hashes.missingFor(kind)
            if missing is not None:
                self._findings.add(
                    path,
                    f"needs the library {missing}, which is not there: pip install 'smartproxy_tw[auth]'",
                )
        return BasicAuth(users, written.realm, written.userHeader, written.passCredentials)

    def _jwt(self, path: Path, written: protection.JwtAuth | None) -> JWTAuth | None:
        if written is None:
            return None
        kind, _, name = written.token.partition(":")
        return JWTAuth(
            algorithms=tuple(written.algorithms),
            secret=self._secret(path, written),
            keys=self._keys(path, written),
            url=written.jwksUrl,
            caFile=self._caFile(path, written.caFile),
            issuers=_listed(written.issuer),
            audiences=_listed(written.audience),
            leeway=written.leeway,
            source="cookie" if kind == "cookie" else "query" if kind == "query" else "header",
            sourceName=name,
            claims=tuple((written.claims or {}).items()),
            scopes=tuple(written.scopes or ()),
            realm=written.realm,
            passesOn=written.passToken,
        )

    def _secret(self, path: Path, written: protection.JwtAuth) -> str | None:
        secret, where = written.secret, "secret"
        if written.secretFile is not None:
            where = "secret_file"
            text = self._text((*path, where), written.secretFile)
            secret = None if text is None else text.strip()
        if secret is not None and len(secret.encode()) < _SECRET:
            self._findings.add((*path, where), f"is shorter than {_SECRET} bytes, so that it can be guessed")
        return secret

    def _keys(self, path: Path, written: protection.JwtAuth) -> str | None:
        if written.keyFile is None:
            return None
        text = self._text((*path, "key_file"), written.keyFile)
        if text is None:
            return None
        try:
            if not keysets.readKeys(text).anyFor(written.algorithms):
                self._findings.refuse(
                    (*path, "key_file"), f"has no key for {' or '.join(written.algorithms)}"
                )
        except ValueError as why:
            self._findings.refuse((*path, "key_file"), str(why))
        return text

    def _forward(self, path: Path, written: protection.ForwardAuth | None) -> ForwardAuth | None:
        if written is None:
            return None
        return ForwardAuth(
            written.url,
            tuple(written.copyHeaders or ()),
            tuple(written.answerHeaders or ()),
            None if written.requestHeaders is None else tuple(written.requestHeaders),
            written.timeout,
            written.concurrency,
            self._caFile(path, written.caFile),
        )

    def _caFile(self, path: Path, text: str | None) -> str | None:
        return None if text is None else self._files.existing((*path, "ca_file"), text)

    def _text(self, path: Path, name: str) -> str | None:
        """
        What is in a file; L{None} when that was told as a mistake.
        """
        before = len(self._findings.problems)
        place = self._files.existing(path, name)
        if len(self._findings.problems) > before:
            return None
        try:
            with open(place, encoding="utf-8") as opened:
                text = opened.read(_MOST + 1)
        except (OSError, UnicodeDecodeError) as why:
            self._findings.refuse(
                path, f"cannot be read: {getattr(why, 'strerror', None) or 'it is no text'}"
            )
            return None
        if len(text) > _MOST:
            self._findings.refuse(path, f"is larger than {_MOST >> 20} MiB")
            return None
        return text


def _limit(written: protection.RateLimit) -> RateLimit:
    kind, _, name = written.key.partition(":")
    burst = written.requests if written.burst is None else written.burst
    by: Any = kind
    return RateLimit(written.requests, written.window, burst, by, name)


def _certificate(written: protection.CertificateHeaders | None) -> CertificateHeaders | None:
    return None if written is None else CertificateHeaders(**dict(written))


def misplaced(route: model.Route) -> Iterator[tuple[Path, str]]:
    """
    What a route asks for that it cannot have.

    @return: Where it stands in the route, and what is wrong.
    """
    yield from lastingreader.misplaced(route)
    asked = route.security
    if route.protocol == "tcp":
        why = "needs HTTP, which this route does not speak: add protocol: http to match, or leave it out"
        for name in asked.needsHTTP if asked is not None else ():
            yield ("security", name), why
        if route.cors is not None:
            yield ("cors",), why
        if route.securityHeaders is not None:
            yield ("security_headers",), why
        if route.bodyBytes is not None:
            yield ("limits", "body_bytes"), why
    if asked is None:
        return
    if asked.certificate is not None and (route.tls is None or route.tls.policy.clients is None):
        yield (
            ("security", "client_certificate_headers"),
            "needs a route whose TLS asks for certificates: add client_certificates to action.tls",
        )
    if asked.basic is not None and asked.jwt is not None and asked.jwt.source == "header":
        yield (
            ("security", "jwt_auth"),
            "has its token where basic_auth has its password: give it another place by token",
        )
    names = [name.lower() for _, name in asked.jwt.claims] if asked.jwt is not None else []
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        yield ("security", "jwt_auth", "claims"), f"tells two claims by one field, {twice}"


def inherited(route: model.Route, written: protection.Security | None, usual: Security | None) -> model.Route:
    """
    A route with what defaults say and it does not.

    @param route: As it was read by itself.
    @param written: What it says.
    @param usual: What defaults say.
    """
    if usual is None or (written is not None and not written.inherit):
        return route
    own = route.security or Security()
    said = {_FIELDS[name] for name in written.model_fields_set if name in _FIELDS} if written else set()
    possible = _FOR_STREAMS if route.protocol == "tcp" else _FOR_ALL
    if route.protocol == "http" and not isinstance(route.action, model.Redirect):
        possible = frozenset(_FIELDS.values())
    changed = {
        each.name: getattr(usual, each.name)
        for each in fields(usual)
        if each.name in possible and each.name not in said
    }
    made = replace(own, **changed)
    return replace(route, security=None if made == Security() else made)
