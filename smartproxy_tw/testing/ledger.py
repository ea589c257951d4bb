"""
What an authority knows of each account: orders, authorizations, challenges and
certificates, and how RFC 8555 section 7 has them shown.  Pure: nobody is asked
and nothing is awaited here.
"""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..values import dataclass

if TYPE_CHECKING:
    from .signed import AccountPublicKey, Refused

__all__ = ["AccountEntry", "Authorization", "Challenge", "Order", "date", "problemDocument"]

_ERRORS = "urn:ietf:params:acme:error:"


def problemDocument(refused: Refused) -> dict[str, Any]:
    """
    Say it as RFC 7807 has it.
    """
    return {
        "type": _ERRORS + refused.word,
        "detail": refused.detail,
        "status": refused.status,
        **refused.members,
    }


@dataclass(slots=True)
class AccountEntry:
    """
    Somebody who asks.

    @ivar url: The account's own.
    @ivar key: Its public key.
    @ivar thumbprint: Of that.
    @ivar contact: As the client sent it.
    @ivar isActive: False when it was deactivated.
    @ivar binding: To an external account, as the client sent it.
    """

    url: str
    key: AccountPublicKey
    thumbprint: str
    contact: list[str]
    orders: list[str] = field(default_factory=list)
    isActive: bool = True
    binding: Any = None

    def shown(self) -> dict[str, Any]:
        """
        RFC 8555 section 7.1.2.
        """
        bound = {} if self.binding is None else {"externalAccountBinding": self.binding}
        return {
            **bound,
            "status": "valid" if self.isActive else "deactivated",
            "contact": self.contact,
            "termsOfServiceAgreed": True,
            "orders": f"{self.url}/orders",
        }


@dataclass(slots=True)
class Challenge:
    """
    A way to prove a name.

    @ivar url: Its own.
    @ivar kind: For instance C{"http-01"}.
    @ivar problem: Why it is invalid.
    """

    url: str
    kind: str
    token: str
    status: str = "pending"
    problem: Refused | None = None
    validated: float | None = None

    def shown(self) -> dict[str, Any]:
        """
        RFC 8555 section 7.1.5.
        """
        shown: dict[str, Any] = {
            "type": self.kind,
            "url": self.url,
            "token": self.token,
            "status": self.status,
        }
        if self.problem is not None:
            shown["error"] = problemDocument(self.problem)
        if self.validated is not None:
            shown["validated"] = date(self.validated)
        return shown


@dataclass(slots=True)
class Authorization:
    """
    Whether an account may have a certificate for a name.

    @ivar url: Its own.
    @ivar identifier: Type and value.
    @ivar expires: POSIX seconds.
    """

    url: str
    account: AccountEntry
    identifier: tuple[str, str]
    isWildcard: bool
    challenges: list[Challenge]
    expires: float
    status: str = "pending"

    def isGood(self, now: float) -> bool:
        """
        Whether the name counts as proved.

        @param now: POSIX seconds.
        """
        return self.status == "valid" and self.expires > now

    def deactivate(self) -> None:
        """
        Give it up (RFC 8555 section 7.5.2); what was refused stays so.
        """
        if self.status in ("pending", "valid"):
            self.status = "deactivated"

    def shown(self) -> dict[str, Any]:
        """
        RFC 8555 section 7.1.4: of one that is decided, just the challenge that
        decided it.
        """
        decided = [each for each in self.challenges if each.status in ("valid", "invalid")]
        shown: dict[str, Any] = {
            "status": self.status,
            "identifier": {"type": self.identifier[0], "value": self.identifier[1]},
            "expires": date(self.expires),
            "challenges": [
                each.shown() for each in (decided if self.status != "pending" else self.challenges)
            ],
        }
        if self.isWildcard:
            shown["wildcard"] = True
        return shown


@dataclass(slots=True)
class Order:
    """
    A wish for a certificate.

    @ivar url: Its own.
    @ivar identifiers: Types and values, as asked for.
    @ivar expires: POSIX seconds.
    @ivar isFinalized: Whether a certificate request was taken.
    @ivar chain: PEM, once there is one.
    @ivar replaces: The certificate that this one follows, as RFC 9773 section
        4.1 names it.
    @ivar profile: The kind of certificate, where there are several.
    """

    url: str
    account: AccountEntry
    identifiers: tuple[tuple[str, str], ...]
    authorizations: list[Authorization]
    expires: float
    isFinalized: bool = False
    chain: bytes | None = None
    replaces: str | None = None
    profile: str | None = None

    @property
    def status(self) -> str:
        """
        RFC 8555 section 7.1.6.
        """
        if self.chain is not None:
            return "valid"
        if self.isFinalized:
            return "processing"
        statuses = {each.status for each in self.authorizations}
        if statuses == {"valid"}:
            return "ready"
        return "pending" if statuses <= {"valid", "pending"} else "invalid"

    def shown(self) -> dict[str, Any]:
        """
        RFC 8555 section 7.1.3.
        """
        shown: dict[str, Any] = {
            "status": self.status,
            "identifiers": [{"type": kind, "value": value} for kind, value in self.identifiers],
            "authorizations": [each.url for each in self.authorizations],
            "finalize": f"{self.url}/finalize",
            "expires": date(self.expires),
        }
        if self.replaces is not None:
            shown["replaces"] = self.replaces
        if self.profile is not None:
            shown["profile"] = self.profile
        if self.status == "valid":
            shown["certificate"] = f"{self.url}/certificate"
        if self.status == "invalid":
            refused = [one for each in self.authorizations for one in each.challenges if one.problem]
            if refused and refused[0].problem:
                shown["error"] = problemDocument(refused[0].problem)
        return shown


def date(seconds: float) -> str:
    """
    As RFC 3339 writes it.

    @param seconds: POSIX.
    """
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
