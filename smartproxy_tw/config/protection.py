"""
The language of C{security}, C{cors} and C{security_headers}, as pydantic models; what it
means is the business of L{smartproxy_tw.config.safeguards}.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from . import security, texts
from .matching import Clients
from .section import (
    TAG,
    Claim,
    Nonempty,
    OneOrMore,
    Origins,
    PathText,
    Seconds,
    Section,
    byShape,
    number,
    unique,
)

__all__ = [
    "Advice",
    "BasicAuth",
    "CertificateHeaders",
    "Cors",
    "Defaults",
    "ForwardAuth",
    "JwtAuth",
    "RateLimit",
    "RouteLimits",
    "Security",
    "SecurityHeaders",
    "StrictTransport",
]

_CORS = security.Cors(())
_BASIC = security.BasicAuth(())
_JWT = security.JWTAuth(())
_FORWARD = security.ForwardAuth("")

#: A field of the proxy's own has at most so many hyphens: its twins with underscores are removed too.
_HYPHENS = 6


def _telling(text: str) -> str:
    """
    The name of a field that tells the target something.
    """
    texts.fieldName(text)
    plain = text.lower().replace("_", "-")
    if plain == "host" or plain in texts.SAID:
        raise ValueError("is a field of the proxy's own already: choose another")
    if plain.count("-") > _HYPHENS:
        raise ValueError(f"has more than {_HYPHENS} hyphens: choose a shorter one")
    return text


def _returning(text: str) -> str:
    texts.fieldName(text)
    return text


def _bucket(text: str) -> str:
    if text in ("ip", "path", "route"):
        return text
    kind, colon, name = text.partition(":")
    if kind != "header" or not colon:
        raise ValueError("is none of ip, path, route and header:NAME")
    return f"header:{texts.matchedField(name)}"


def _place(text: str) -> str:
    kind, colon, name = text.partition(":")
    if text == "authorization":
        return text
    if kind not in ("cookie", "query") or not colon or not re.fullmatch(r"[A-Za-z0-9_.~-]+", name):
        raise ValueError("is none of authorization, cookie:NAME and query:NAME")
    return text


def _realm(text: str) -> str:
    found = texts.fieldValue(text)
    if '"' in found or "\\" in found:
        raise ValueError("cannot have quotes or backslashes in it")
    return found


def _user(text: str) -> str:
    if ":" in text or not text.isprintable() or not text:
        raise ValueError("cannot be a user: no colon and no control character may stand in it")
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^/?#\s@]+([/?][^#\s]*)?", text) or not text.isascii():
        raise ValueError("is not a URL such as https://auth.example/verify")
    return text


_Count = Annotated[int, Field(ge=1, le=100_000_000), BeforeValidator(number)]
_Telling = Annotated[str, AfterValidator(_telling)]
_Tellings = Annotated[list[_Telling], Field(min_length=1), AfterValidator(unique)]
_Returning = Annotated[str, AfterValidator(_returning)]
_Realm = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_realm)]
_URL = Annotated[str, AfterValidator(_url)]
_Texts = Annotated[OneOrMore[Nonempty], byShape("has to be a text or a list of texts")]


class RateLimit(Section):
    """
    How many requests there may be.  Each client (or whatever `key` says) has a bucket of
    `burst` tokens, which fills by `requests` in every `window`; a request takes one.  One
    that finds none is answered with 429 and Retry-After.  With `workers`, each has its
    share of both numbers, rounded up.
    """

    requests: _Count = Field(description="So many in each `window`.")
    window: Seconds = Field(default=1.0, description="In seconds.")
    burst: _Count | None = Field(
        default=None, description="So many may come at once. Default: as many as `requests`."
    )
    key: Annotated[str, AfterValidator(_bucket)] = Field(
        default="ip",
        description="What has a bucket of its own: `ip` (each client), `header:NAME` (each value of that "
        "header field; requests without it share one), `path`, or `route` (all requests of the route share "
        "one).",
    )


class BasicAuth(Section):
    """
    Users with passwords (RFC 7617). Only over TLS can nobody listen.
    """

    users: dict[Annotated[str, AfterValidator(_user)], Nonempty] | None = Field(
        default=None,
        description="Names, each with the hash of a password by argon2 (`$argon2id$`) or bcrypt (`$2b$`), "
        "as `htpasswd -nB NAME` prints it. Needs `pip install 'smartproxy_tw[auth]'`.",
    )
    file: PathText | None = Field(
        default=None,
        description="A file with a line `NAME:HASH` for each user, in place of `users`; relative to the "
        "directory of this file, and read again with the configuration.",
    )
    realm: _Realm = Field(default=_BASIC.realm, description="What browsers show when they ask.")
    userHeader: _Telling | None = Field(
        default=None,
        description="The header field that tells the target who it is. One that a client sends is removed.",
    )
    passCredentials: Claim = Field(
        default=_BASIC.passesOn,
        description="Whether the target gets the Authorization field, with the password. Default: it is "
        "removed.",
    )

    @model_validator(mode="after")
    def _hasUsers(self) -> Self:
        if (self.users is None) == (self.file is None):
            raise ValueError("needs either users or file")
        return self


class JwtAuth(Section):
    """
    Signed tokens (JWT, RFC 7519), shown as bearer tokens (RFC 6750).  Every token needs an
    expiry (`exp`).
    """

    algorithms: Annotated[
        list[
            Literal[
                "HS256",
                "HS384",
                "HS512",
                "RS256",
                "RS384",
                "RS512",
                "PS256",
                "PS384",
                "PS512",
                "ES256",
                "ES384",
                "ES512",
                "EdDSA",
            ]
        ],
        Field(min_length=1),
        AfterValidator(unique),
    ] = Field(
        description="The algorithms that are believed, whatever a token says of itself: either of the `HS` "
        "kind, with a `secret`, or of the others, with public keys."
    )
    secret: Nonempty | None = Field(
        default=None, description="What both sides know, for `HS256` and its like."
    )
    secretFile: PathText | None = Field(
        default=None,
        description="A file with just that, in place of it; relative to the directory of this file.",
    )
    keyFile: PathText | None = Field(
        default=None,
        description="A public key as PEM, or a set of keys as JSON (RFC 7517); relative to the directory of "
        "this file, and read again with the configuration.",
    )
    jwksUrl: _URL | None = Field(
        default=None,
        description="Where a set of keys is fetched: before the first request, when its lifetime "
        "(Cache-Control) is over, and when a token has an unknown key. If that fails the last one counts.",
    )
    caFile: PathText | None = Field(
        default=None, description="PEM bundle to trust there in place of the system's."
    )
    issuer: _Texts | None = Field(
        default=None, description="Who has to have issued it (`iss`): one, or a list of which it is one."
    )
    audience: _Texts | None = Field(
        default=None, description="For whom it has to be (`aud`): one, or a list of which it is one."
    )
    leeway: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False), BeforeValidator(number)] = Field(
        default=_JWT.leeway, description="By how much clocks may differ, in seconds."
    )
    token: Annotated[str, AfterValidator(_place)] = Field(
        default="authorization",
        description="Where the token is: `authorization`, `cookie:NAME` or `query:NAME` (a parameter, which "
        "ends up in logs).",
    )
    claims: Annotated[dict[Nonempty, _Telling], Field(min_length=1)] | None = Field(
        default=None,
        description="What the target is told: claims of the token, each with a header field: "
        "`{sub: X-User}`. Fields of these names that a client sends are removed.",
    )
    scopes: Annotated[list[Nonempty], Field(min_length=1), AfterValidator(unique)] | None = Field(
        default=None, description="All of which the token has to have (`scope` or `scp`); else 403."
    )
    realm: _Realm = Field(default=_JWT.realm, description="What clients are told.")
    passToken: Claim = Field(
        default=_JWT.passesOn,
        description="Whether the target gets the Authorization field. `false`: it is removed.",
    )

    @model_validator(mode="after")
    def _hasKey(self) -> Self:
        isShared = [each.startswith("HS") for each in self.algorithms]
        if any(isShared) and not all(isShared):
            raise ValueError("mixes algorithms with secrets and with public keys: make it two routes")
        secrets = [each for each in (self.secret, self.secretFile) if each is not None]
        public = [each for each in (self.keyFile, self.jwksUrl) if each is not None]
        if isShared[0] and (len(secrets) != 1 or public):
            raise ValueError("needs either secret or secret_file for these algorithms")
        if not isShared[0] and (len(public) != 1 or secrets):
            raise ValueError("needs either key_file or jwks_url for these algorithms")
        if self.caFile is not None and self.jwksUrl is None:
            raise ValueError("has a ca_file, which means nothing without jwks_url")
        return self


class ForwardAuth(Section):
    """
    Somebody else, such as Authelia or oauth2-proxy, who is asked about each request.  It
    gets the head of the request with X-Forwarded-Method, -Proto, -Host, -Uri and -For.  If
    it answers with 2xx the request goes on; any other answer is the client's.  Without an
    answer there is 503.
    """

    url: _URL = Field(description="Where to ask, for instance `http://authelia:9091/api/authz/forward-auth`.")
    copyHeaders: _Tellings | None = Field(
        default=None,
        description="Header fields of a good answer that the target gets: `[Remote-User, Remote-Groups]`. "
        "Fields of these names that a client sends are always removed.",
    )
    answerHeaders: Annotated[list[_Returning], Field(min_length=1), AfterValidator(unique)] | None = Field(
        default=None,
        description="Header fields of a good answer that the client gets beside those of the target, such "
        "as `[Set-Cookie]`.",
    )
    requestHeaders: (
        Annotated[
            list[Annotated[str, AfterValidator(texts.matchedField)]],
            Field(min_length=1),
            AfterValidator(unique),
        ]
        | None
    ) = Field(
        default=None,
        description="Header fields of the request that are sent, such as `[Cookie, Authorization]`. Default: "
        "all but those of bodies and conditions.",
    )
    timeout: Annotated[float, Field(gt=0, le=300, allow_inf_nan=False), BeforeValidator(number)] = Field(
        default=_FORWARD.timeout, description="For an answer, in seconds."
    )
    concurrency: Annotated[int, Field(ge=1, le=100000), BeforeValidator(number)] = Field(
        default=_FORWARD.questions,
        description="Questions at a time from each process; beyond: 503.",
    )
    caFile: PathText | None = Field(
        default=None, description="PEM bundle to trust there in place of the system's."
    )


class CertificateHeaders(Section):
    """
    By which header fields the target is told of the certificate that a client has shown
    (`client_certificates` of `tls`).  Fields of these names that a client sends are always
    removed.
    """

    subject: _Telling | None = Field(default=None, description="Whom it is for: `CN=alice,O=Example`.")
    names: _Telling | None = Field(
        default=None, description="The names beside the subject: `DNS:a.example,RFC822:alice@a.example`."
    )
    fingerprint: _Telling | None = Field(default=None, description="Its SHA-256, in hexadecimal.")
    serial: _Telling | None = Field(default=None, description="Its serial number, in hexadecimal.")
    verified: _Telling | None = Field(
        default=None, description="`SUCCESS`, or `NONE` where no certificate was shown."
    )

    @model_validator(mode="after")
    def _tells(self) -> Self:
        given = [each for each in dict(self).values() if each is not None]
        if not given:
            raise ValueError("needs one of subject, names, fingerprint, serial and verified")
        unique([each.lower() for each in given])
        return self


class Security(Section):
    """
    Who may use a route, and how much.  Looked at in this order: block list, allow list,
    connections, rate, CORS, and then who it is.
    """

    ipAllowList: Clients | None = Field(
        default=None,
        description="Who may: an address, a network, a range `10.0.0.1-10.0.0.9`, a glob `10.0.*.*`, or a "
        "list of these, of IPv4 and IPv6. All others are answered with 403, or closed where it is not HTTP.",
    )
    ipBlockList: Clients | None = Field(
        default=None, description="Who may not, likewise; whoever is in both may not."
    )
    maxConnections: _Count | None = Field(
        default=None,
        description="Requests of this route that are under way at a time, or connections where it is not "
        "HTTP: 503, or a close, beyond. Shared by the workers.",
    )
    maxConnectionsPerIp: _Count | None = Field(
        default=None, description="The same for each client: 429, or a close, beyond."
    )
    connectionRatePerMinute: _Count | None = Field(
        default=None,
        description="New connections of each client in a minute, at most so many at once: 429, or a close, "
        "beyond. With HTTP a connection counts when it first asks for this route.",
    )
    clientPrefix: Annotated[int, Field(ge=16, le=128), BeforeValidator(number)] = Field(
        default=security.Security().prefix,
        description="What counts as one client with IPv6, wherever clients are counted: those that have so "
        "many bits in common. A provider gives each customer a /64 or more.",
    )
    rateLimit: RateLimit | None = Field(default=None, description="Of requests.")
    basicAuth: BasicAuth | None = Field(default=None, description="Users with passwords.")
    jwtAuth: JwtAuth | None = Field(default=None, description="Signed tokens.")
    forwardAuth: ForwardAuth | None = Field(default=None, description="Somebody else who is asked.")
    clientCertificateHeaders: CertificateHeaders | None = Field(
        default=None, description="How the target is told of the certificate of the client."
    )
    inherit: Claim = Field(
        default=True, description="`false`: what `defaults` say and this does not is not asked here."
    )


class Cors(Section):
    """
    Which other origins browsers let use a route (CORS).  Preflights are answered by the
    proxy, before anybody is asked for credentials; fields of the target that say
    otherwise are replaced.
    """

    origins: Origins = Field(
        description="One or a list: `https://app.example`, `https://*.app.example` (one label), "
        "`https://**.app.example` (any depth), `null`, or `*` (all, and then without credentials)."
    )
    methods: Annotated[
        list[Annotated[str, AfterValidator(texts.method)]], Field(min_length=1), AfterValidator(unique)
    ] = Field(default_factory=lambda: list(_CORS.methods), description="The methods that they may use.")
    headers: Annotated[
        list[Annotated[str, AfterValidator(lambda text: text if text == "*" else texts.matchedField(text))]],
        AfterValidator(unique),
    ] = Field(
        default_factory=list,
        description="Request fields that they may send beside those that are always allowed; `['*']`: "
        "whatever they ask for.",
    )
    expose: Annotated[list[_Returning], AfterValidator(unique)] = Field(
        default_factory=list, description="Fields of answers that they may see."
    )
    credentials: Claim = Field(
        default=_CORS.credentials, description="Whether cookies and Authorization are sent."
    )
    maxAge: Annotated[int, Field(ge=0, le=86400), BeforeValidator(number)] = Field(
        default=_CORS.maxAge, description="How long a browser may remember a preflight, in seconds."
    )

    @model_validator(mode="after")
    def _isStrict(self) -> Self:
        if self.credentials and "*" in (self.origins if isinstance(self.origins, list) else [self.origins]):
            raise ValueError(
                "allows credentials to all origins, so that any site could act for its visitors: list them"
            )
        return self


class StrictTransport(Section):
    """
    How long browsers are to come by HTTPS only (Strict-Transport-Security).  Sent over TLS
    only.
    """

    maxAge: Annotated[int, Field(ge=0, le=315_360_000), BeforeValidator(number)] = Field(
        default=31_536_000, description="In seconds; 0 takes it back."
    )
    includeSubdomains: Claim = Field(default=False, description="Whether that goes for all names below, too.")
    preload: Claim = Field(
        default=False,
        description="Whether browsers may have it built in. Needs `include_subdomains` and a year.",
    )

    @model_validator(mode="after")
    def _isTaken(self) -> Self:
        if self.preload and not (self.includeSubdomains and self.maxAge >= 31_536_000):
            raise ValueError("is not taken for preload without include_subdomains and a max_age of a year")
        return self


def _word(text: str) -> str:
    return texts.fieldValue(text)


_Word = Annotated[str, Field(min_length=1), AfterValidator(_word)]


class SecurityHeaders(Section):
    """
    What browsers are told to be careful about.  What the target says itself stands, unless
    `override` is set.
    """

    strictTransport: Annotated[
        Annotated[Literal["off"], Tag(TAG + "text")] | Annotated[StrictTransport, Tag(TAG + "mapping")],
        byShape("has to be off, or a mapping"),
    ] = Field(
        default_factory=StrictTransport,
        description="Strict-Transport-Security, over TLS only: a mapping, or `off`.",
    )
    contentTypeOptions: Literal["nosniff", "off"] = Field(
        default="nosniff", description="X-Content-Type-Options: browsers do not guess what something is."
    )
    frameOptions: Literal["DENY", "SAMEORIGIN", "off"] = Field(
        default="SAMEORIGIN", description="X-Frame-Options: who may show it in a frame."
    )
    referrerPolicy: _Word = Field(
        default="strict-origin-when-cross-origin",
        description="Referrer-Policy: what other sites are told about where somebody comes from; or `off`.",
    )
    permissionsPolicy: _Word | None = Field(
        default=None,
        description="Permissions-Policy, for instance `camera=(), microphone=()`. Default: none.",
    )
    contentSecurityPolicy: _Word | None = Field(
        default=None,
        description="Content-Security-Policy, for instance `frame-ancestors 'self'`. Default: none.",
    )
    override: Claim = Field(
        default=False, description="Whether these stand in place of what the target says itself."
    )


def _adviceKind(value: Any) -> str | None:
    return TAG + "mapping" if isinstance(value, dict) else TAG + "flag" if isinstance(value, bool) else None


#: What C{security_headers} may be.
Advice = Annotated[
    Annotated[bool, Tag(TAG + "flag")] | Annotated[SecurityHeaders, Tag(TAG + "mapping")],
    Discriminator(
        _adviceKind,
        custom_error_type="shape",
        custom_error_message="has to be true, false or a mapping",
    ),
]


class RouteLimits(Section):
    """
    How much of something a route takes.
    """

    bodyBytes: Annotated[int, Field(ge=0, le=1 << 50), BeforeValidator(number)] = Field(
        description="Of a request body, chunks undone: 413 beyond, in place of `limits.body_bytes`. 0: any "
        "number."
    )


class Defaults(Section):
    """
    What holds for all routes and sites that do not say otherwise.
    """

    security: Security | None = Field(
        default=None,
        description="As `security` of a route, option by option. Of this, redirects take what is about "
        "addresses and rates, and connections that are not HTTP what can be had there.",
    )
    securityHeaders: Advice | None = Field(
        default=None, description="As `security_headers` of a route; for all that speak HTTP."
    )
