"""
What an authority's answers say: JSON of RFC 8555 to values.

In goes what a JSON reader gave; out comes a frozen value with just what an
order needs, or L{AuthorityNonsense}, and nothing else escapes.  Members that
are not needed may be missing or odd: authorities add to them over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, cast

from ..values import dataclass
from .errors import AuthorityNonsense, Problem

__all__ = [
    "AuthorizationFacts",
    "DirectoryFacts",
    "Offer",
    "OrderFacts",
    "RenewalFacts",
    "readAuthorization",
    "readDirectory",
    "readOrder",
    "readProblem",
    "readRenewal",
    "readRetryAfter",
]

OrderStatus = Literal["pending", "ready", "processing", "valid", "invalid"]
AuthorizationStatus = Literal["pending", "valid", "invalid", "deactivated", "expired", "revoked"]

_ORDER_STATUS = frozenset({"pending", "ready", "processing", "valid", "invalid"})
_AUTHORIZATION_STATUS = frozenset({"pending", "valid", "invalid", "deactivated", "expired", "revoked"})

#: So much of a text that comes from outside is shown.
_LONGEST_TEXT = 1000

#: Problems within problems are read so deep.
_DEEPEST_PROBLEM = 3


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """
    Where to ask for what (RFC 8555 section 7.1.1).

    @ivar newNonce: URL.
    @ivar newAccount: URL.
    @ivar newOrder: URL.
    @ivar termsOfService: URL, or L{None}.
    @ivar externalAccountRequired: Whether registering needs an account that
        was made elsewhere.
    @ivar revokeCert: URL, or L{None}.
    @ivar keyChange: URL, or L{None}.
    @ivar renewalInfo: URL below which it says when to renew (RFC 9773 section
        4.1), or L{None} where it does not.
    @ivar profiles: The names of the profiles that an order may ask for; empty
        where there are none.
    @ivar caaIdentities: By which names it knows itself in CAA records, lower-case;
        empty where it does not say.
    """

    newNonce: str
    newAccount: str
    newOrder: str
    termsOfService: str | None = None
    externalAccountRequired: bool = False
    revokeCert: str | None = None
    keyChange: str | None = None
    renewalInfo: str | None = None
    profiles: tuple[str, ...] = ()
    caaIdentities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """
    A way to prove a name (RFC 8555 section 7.1.5).

    @ivar kind: For instance C{"http-01"}; may be one we never heard of.
    @ivar url: Where the authority is told to look.
    @ivar token: Base64url, or empty for a kind that has none.
    @ivar status: C{"pending"}, C{"processing"}, C{"valid"} or C{"invalid"}, as
        sent.
    @ivar problem: Why it is invalid, or L{None}.
    """

    kind: str
    url: str
    token: str
    status: str = "pending"
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class AuthorizationFacts:
    """
    Whether we may have a certificate for a name (RFC 8555 section 7.1.4).

    @ivar url: Its own.
    @ivar name: The identifier; for a wildcard the name below the C{*.}.
    @ivar offers: Ways to prove it.
    @ivar isWildcard: Whether it is for C{*.name}.
    @ivar retryAfter: Seconds that the authority asks to wait before the next
        look, or L{None}.
    """

    url: str
    name: str
    status: AuthorizationStatus
    offers: tuple[Offer, ...]
    isWildcard: bool = False
    retryAfter: float | None = None

    @property
    def wanted(self) -> str:
        """
        The name as it will stand in the certificate.
        """
        return f"*.{self.name}" if self.isWildcard else self.name

    @property
    def problem(self) -> Problem:
        """
        Why it did not become valid.
        """
        for offer in self.offers:
            if offer.problem is not None:
                return offer.problem
        return Problem("", f"the authorization is {self.status}", name=self.wanted)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """
    What becomes of a wish for a certificate (RFC 8555 section 7.1.3).

    @ivar url: Its own.
    @ivar names: What the certificate is to be for.
    @ivar authorizations: URLs.
    @ivar finalize: URL that takes the certificate request.
    @ivar certificate: URL of the chain, or L{None} while there is none.
    @ivar problem: Why it is invalid, or L{None}.
    @ivar retryAfter: Seconds that the authority asks to wait before the next
        look, or L{None}.
    """

    url: str
    status: OrderStatus
    names: tuple[str, ...]
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str | None = None
    problem: Problem | None = None
    retryAfter: float | None = None


@dataclass(frozen=True, slots=True)
class RenewalFacts:
    """
    When an authority wants a certificate to be renewed (RFC 9773 section 4.2).

    @ivar start: From then on, POSIX seconds.
    @ivar end: Until then; later than L{start}.
    @ivar explanation: URL of a page that says why, or L{None}.
    @ivar retryAfter: Seconds that the authority asks to wait before it is
        asked again, or L{None}.
    """

    start: float
    end: float
    explanation: str | None = None
    retryAfter: float | None = None


def readDirectory(url: str, said: Any) -> DirectoryFacts:
    """
    Read a directory.

    @param url: Where it came from, for complaints.
    @param said: What it said.
    @raise AuthorityNonsense: It is none.
    """
    members = _object(url, said, "a directory")
    meta = members.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    terms = meta.get("termsOfService")
    profiles = meta.get("profiles")
    identities = meta.get("caaIdentities")
    identities = identities if isinstance(identities, list) else []
    return DirectoryFacts(
        newNonce=_url(url, members, "newNonce"),
        newAccount=_url(url, members, "newAccount"),
        newOrder=_url(url, members, "newOrder"),
        termsOfService=_plain(terms) if isinstance(terms, str) else None,
        externalAccountRequired=meta.get("externalAccountRequired") is True,
        revokeCert=_url(url, members, "revokeCert") if "revokeCert" in members else None,
        keyChange=_url(url, members, "keyChange") if "keyChange" in members else None,
        renewalInfo=_url(url, members, "renewalInfo") if "renewalInfo" in members else None,
        profiles=tuple(map(_plain, profiles)) if isinstance(profiles, dict) else (),
        caaIdentities=tuple(_plain(each).lower().rstrip(".") for each in identities if isinstance(each, str)),
    )


def readOrder(url: str, said: Any, retryAfter: float | None = None) -> OrderFacts:
    """
    Read an order.

    @param url: Its own.
    @param said: What it said.
    @param retryAfter: As asked for by the answer that it came with.
    @raise AuthorityNonsense: It is none.
    """
    members = _object(url, said, "an order")
    authorizations = members.get("authorizations")
    if not isinstance(authorizations, list) or not authorizations:
        raise AuthorityNonsense(url, "the order names no authorizations")
    status = _status(url, members, _ORDER_STATUS)
    certificate = _url(url, members, "certificate") if "certificate" in members else None
    if status == "valid" and certificate is None:
        raise AuthorityNonsense(url, "the order is valid and has no certificate")
    identifiers = members.get("identifiers")
    return OrderFacts(
        url=url,
        status=cast(OrderStatus, status),
        names=tuple(_name(url, each) for each in (identifiers if isinstance(identifiers, list) else ())),
        authorizations=tuple(dict.fromkeys(_asURL(url, each, "authorizations") for each in authorizations)),
        finalize=_url(url, members, "finalize"),
        certificate=certificate,
        problem=readProblem(members["error"]) if "error" in members else None,
        retryAfter=retryAfter,
    )


def readRenewal(url: str, said: Any, retryAfter: float | None = None) -> RenewalFacts:
    """
    Read when to renew.

    @param url: Where it came from, for complaints.
    @param said: What it said.
    @param retryAfter: As asked for by the answer that it came with.
    @raise AuthorityNonsense: It does not say so, or a window that ends before
        it begins, which RFC 9773 section 4.2 forbids.
    """
    members = _object(url, said, "renewal information")
    window = members.get("suggestedWindow")
    window = window if isinstance(window, dict) else {}
    start, end = (_moment(url, window, member) for member in ("start", "end"))
    if end <= start:
        raise AuthorityNonsense(url, "its 'suggestedWindow' ends before it begins")
    explanation = members.get("explanationURL")
    return RenewalFacts(start, end, _plain(explanation) if isinstance(explanation, str) else None, retryAfter)


def readAuthorization(url: str, said: Any, retryAfter: float | None = None) -> AuthorizationFacts:
    """
    Read an authorization.

    @param url: Its own.
    @param said: What it said.
    @param retryAfter: As asked for by the answer that it came with.
    @raise AuthorityNonsense: It is none.
    """
    members = _object(url, said, "an authorization")
    offered = members.get("challenges")
    if not isinstance(offered, list):
        raise AuthorityNonsense(url, "the authorization lists no challenges")
    return AuthorizationFacts(
        url=url,
        name=_name(url, members.get("identifier")),
        status=cast(AuthorizationStatus, _status(url, members, _AUTHORIZATION_STATUS)),
        offers=tuple(offer for offer in map(_offer, offered) if offer is not None),
        isWildcard=members.get("wildcard") is True,
        retryAfter=retryAfter,
    )


def readProblem(said: Any, status: int = 0, depth: int = _DEEPEST_PROBLEM) -> Problem:
    """
    Read a problem document; what is odd in it is left out.

    @param said: What it said.
    @param status: Of the answer that it came with.
    @param depth: So many levels of subproblems are read.
    """
    members: Mapping[str, Any] = said if isinstance(said, dict) else {}
    kind, detail, own = members.get("type"), members.get("detail"), members.get("status")
    identifier = members.get("identifier")
    name = identifier.get("value") if isinstance(identifier, dict) else None
    within = members.get("subproblems") if depth > 0 else None
    return Problem(
        type=_plain(kind) if isinstance(kind, str) else "about:blank",
        detail=_plain(detail).rstrip(". ") if isinstance(detail, str) else "",
        status=own if isinstance(own, int) else status,
        name=_plain(name) if isinstance(name, str) else None,
        subproblems=tuple(
            readProblem(each, depth=depth - 1) for each in (within if isinstance(within, list) else ())
        ),
    )


def readRetryAfter(value: str | None, now: float) -> float | None:
    """
    How long to wait by a Retry-After field (RFC 9110 section 10.2.3).

    @param value: The field's value, seconds or a date, or L{None}.
    @param now: POSIX seconds.
    @return: Seconds, never negative; L{None} when there is none or it cannot
        be read.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _offer(said: Any) -> Offer | None:
    # One that is odd is passed over, as one of an unknown kind is: another may do.
    if not isinstance(said, dict):
        return None
    kind, url, token, status = (said.get(each) for each in ("type", "url", "token", "status"))
    if not isinstance(kind, str) or not isinstance(url, str):
        return None
    return Offer(
        kind=_plain(kind),
        url=url,
        token=token if isinstance(token, str) else "",
        status=status if isinstance(status, str) else "pending",
        problem=readProblem(said["error"]) if "error" in said else None,
    )


def _object(url: str, said: Any, what: str) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise AuthorityNonsense(url, f"it should be {what}, a JSON object")
    return said


def _url(url: str, members: Mapping[str, Any], member: str) -> str:
    return _asURL(url, members.get(member), member)


def _asURL(url: str, value: Any, member: str) -> str:
    if not isinstance(value, str) or not value.startswith("https://") or not value.isascii():
        raise AuthorityNonsense(url, f"its {member!r} is not an https URL")
    return value


def _moment(url: str, members: Mapping[str, Any], member: str) -> float:
    value = members.get(member)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise AuthorityNonsense(url, f"its {member!r} is not a moment as RFC 3339 writes it")


def _status(url: str, members: Mapping[str, Any], known: frozenset[str]) -> str:
    status = members.get("status")
    if not isinstance(status, str) or status not in known:
        raise AuthorityNonsense(url, f"its status is {_plain(str(status))!r}")
    return status


def _name(url: str, identifier: Any) -> str:
    value = identifier.get("value") if isinstance(identifier, dict) else None
    if not isinstance(value, str) or not value:
        raise AuthorityNonsense(url, "an identifier in it has no value")
    return _plain(value).lower()


def _plain(text: str) -> str:
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text[:_LONGEST_TEXT])
    return shown if len(text) <= _LONGEST_TEXT else shown + "..."
