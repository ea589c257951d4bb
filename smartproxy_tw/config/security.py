"""
Who may use a route, how often, and what browsers are told about it: what
L{Route<smartproxy_tw.config.model.Route>} has as C{security}, C{cors} and
C{securityHeaders}, once read.

As all of the model: frozen, complete, with nothing left to parse, and free of anything
heavy.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from ..values import dataclass

__all__ = [
    "BasicAuth",
    "CertificateHeaders",
    "Cors",
    "ForwardAuth",
    "JWTAuth",
    "RateLimit",
    "Security",
    "SecurityHeaders",
]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """
    How many requests there may be, by a token bucket.

    @ivar requests: So many in a window, evenly.
    @ivar window: In seconds.
    @ivar burst: So many may come at once.
    @ivar by: What has a bucket of its own: each client, each value of a header field, each
        path, or the route as a whole.
    @ivar header: The name of that field, in lower case; empty otherwise.
    """

    requests: int
    window: float
    burst: int
    by: Literal["ip", "header", "path", "route"] = "ip"
    header: str = ""


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """
    Users with passwords (RFC 7617).

    @ivar users: Names, each with the hash of its password: argon2 or bcrypt.
    @ivar realm: What browsers show when they ask.
    @ivar userHeader: The field that tells the target who it is; L{None}: it is not told.
    @ivar passesOn: Whether the target gets the password too.
    """

    users: tuple[tuple[str, str], ...] = field(repr=False)
    realm: str = "restricted"
    userHeader: str | None = None
    passesOn: bool = False


@dataclass(frozen=True, slots=True)
class JWTAuth:
    """
    Signed tokens (RFC 7519), shown as RFC 6750 has it.  Of secret, key and URL there is
    exactly one.

    @ivar algorithms: Those that are believed, all of one family: secrets or public keys.
    @ivar secret: For C{HS256} and its like.
    @ivar keys: Public keys as PEM, or a set of them as JSON (RFC 7517).
    @ivar url: Where such a set is fetched.
    @ivar caFile: Absolute path of a PEM bundle to trust there in place of the system's.
    @ivar issuers: One of these has issued it; empty: whoever.
    @ivar audiences: It is for one of these.  Empty: for whomever.
    @ivar leeway: By how much clocks may differ, in seconds.
    @ivar source: Where it is: the Authorization field, a cookie or a parameter of the query.
    @ivar sourceName: The name of that; empty for Authorization.
    @ivar claims: What the target is told: claims, each with a header field.
    @ivar scopes: All of which the token has to have; without one the answer is 403.
    @ivar realm: What clients are told.
    @ivar passesOn: Whether the target gets the token too.
    """

    algorithms: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)
    keys: str | None = None
    url: str | None = None
    caFile: str | None = None
    issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    leeway: float = 30.0
    source: Literal["header", "cookie", "query"] = "header"
    sourceName: str = ""
    claims: tuple[tuple[str, str], ...] = ()
    scopes: tuple[str, ...] = ()
    realm: str = "restricted"
    passesOn: bool = True


@dataclass(frozen=True, slots=True)
class ForwardAuth:
    """
    Somebody else who is asked about each request.

    @ivar url: Where.
    @ivar copied: Fields of a good answer that the target gets; the client's own are removed.
    @ivar returned: Fields of a good answer that the client gets beside the target's.
    @ivar asked: Fields of the request that are sent, in lower case; L{None}: all that are
        the client's to say.
    @ivar timeout: For an answer, in seconds.
    @ivar questions: So many at a time; beyond them the answer is 503.
    @ivar caFile: As for L{JWTAuth}.
    """

    url: str
    copied: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    asked: tuple[str, ...] | None = None
    timeout: float = 5.0
    questions: int = 256
    caFile: str | None = None


@dataclass(frozen=True, slots=True)
class CertificateHeaders:
    """
    By which fields the target is told of the certificate that the client has shown; the
    client's own fields of these names are removed.  L{None}: it is not told that.

    @ivar subject: Whom it is for, as RFC 4514 writes names.
    @ivar names: The names beside the subject.
    @ivar fingerprint: SHA-256 of it, in hexadecimal.
    @ivar serial: Its number, likewise.
    @ivar verified: C{SUCCESS}, or C{NONE} where none was shown.
    """

    subject: str | None = None
    names: str | None = None
    fingerprint: str | None = None
    serial: str | None = None
    verified: str | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """
        Those that there are.
        """
        some = (self.subject, self.names, self.fingerprint, self.serial, self.verified)
        return tuple(each for each in some if each is not None)


@dataclass(frozen=True, slots=True)
class Security:
    """
    Who may use a route, and how much.  L{None} and empty: nothing is asked.

    @ivar allowed: Only these clients may, see L{smartproxy_tw.config.clients}.
    @ivar blocked: These may not, whatever else is said.
    @ivar connections: Requests, or connections that are not HTTP, at a time.
    @ivar perClient: The same for each client.
    @ivar rate: New connections of each client in a minute.
    @ivar prefix: So many bits of an IPv6 address tell one client from another.
    @ivar limit: Of requests.
    @ivar basic: See L{BasicAuth}.
    @ivar jwt: See L{JWTAuth}.
    @ivar forward: See L{ForwardAuth}.
    @ivar certificate: See L{CertificateHeaders}.
    """

    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    connections: int | None = None
    perClient: int | None = None
    rate: int | None = None
    prefix: int = 64
    limit: RateLimit | None = None
    basic: BasicAuth | None = None
    jwt: JWTAuth | None = None
    forward: ForwardAuth | None = None
    certificate: CertificateHeaders | None = None

    @property
    def countsClients(self) -> bool:
        """
        Whether anything depends on what one client is.
        """
        isLimited = self.limit is not None and self.limit.by == "ip"
        return isLimited or self.perClient is not None or self.rate is not None

    @property
    def needsHTTP(self) -> tuple[str, ...]:
        """
        What of it only requests can have, as the configuration calls it.
        """
        some = {
            "rate_limit": self.limit,
            "basic_auth": self.basic,
            "jwt_auth": self.jwt,
            "forward_auth": self.forward,
            "client_certificate_headers": self.certificate,
        }
        return tuple(name for name, value in some.items() if value is not None)


@dataclass(frozen=True, slots=True)
class Cors:
    """
    Which other origins browsers let use it (the CORS protocol of the Fetch standard).

    @ivar origins: As L{smartproxy_tw.config.origins} reads them; C{("*",)}: all.
    @ivar methods: That they may use.
    @ivar headers: Request fields that they may send, in lower case; C{("*",)}: whatever they ask.
    @ivar exposed: Fields of answers that they may see.
    @ivar credentials: Whether cookies and the like are sent.
    @ivar maxAge: How long a browser may remember this, in seconds.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ("GET", "HEAD", "POST")
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    maxAge: int = 600


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """
    What browsers are told to be careful about.

    @ivar fields: Header fields, for every answer.
    @ivar strict: The value of Strict-Transport-Security, for answers over TLS; L{None}: none.
    @ivar wins: Whether these stand in place of those of the target; else its own do.
    """

    fields: tuple[tuple[str, str], ...]
    strict: str | None
    wins: bool = False
