"""
How it stands with a certificate.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from ..values import dataclass

__all__ = ["CertificateState", "CertificateStatus", "Figures", "figuresOf", "when"]

#: C{missing}: a self-signed certificate answers and no order has begun.
#: C{waiting}: an order is due and its turn has not come, C{reason} says why.
#: C{ordering}: an order is under way.  C{failed}: the last order came to
#: nothing, C{problem} says why and C{nextAttempt} when it is tried again.
#: C{valid}: served, and renewed at C{nextAttempt}.  C{expired}: served, past its
#: end.  C{unsaved}: valid and served, but not written to the store yet.
#: C{revoked}: served until its successor is, and no order is under way just now.
CertificateState = Literal[
    "missing", "waiting", "ordering", "failed", "valid", "expired", "unsaved", "revoked"
]


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """
    One certificate, as it stands now.

    @ivar key: Its identity in the configuration.
    @ivar source: Where it comes from.
    @ivar names: What it is for.
    @ivar state: See L{CertificateState}.
    @ivar expires: The end of what is served, POSIX seconds; L{None} while that
        is self-signed.
    @ivar problem: What went wrong last, for people; L{None} when nothing did
        since the last success.
    @ivar nextAttempt: When something is tried next, POSIX seconds, or L{None}.
    @ivar reason: Why then and not before, for people; L{None} where that goes
        without saying.
    @ivar failures: How many orders in a row came to nothing.
    @ivar preflight: What was seen to be in the way of an order, and what to do about
        it, for people.
    @ivar serial: The serial number of what is served, if it is by an authority.
    @ivar issuer: The name of who signed that, for people; L{None} likewise.
    @ivar authority: The URL of the directory that issued it; L{None} likewise.
    @ivar isRevoked: Whether it is revoked, and served until its successor is.
    @ivar orders: How many orders have ended since the start, well or not.
    """

    key: str
    source: Literal["auto", "internal", "files"]
    names: tuple[str, ...]
    state: CertificateState
    expires: float | None = None
    problem: str | None = None
    nextAttempt: float | None = None
    reason: str | None = None
    failures: int = 0
    preflight: tuple[str, ...] = ()
    serial: int | None = None
    issuer: str | None = None
    authority: str | None = None
    isRevoked: bool = False
    orders: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """
    One certificate in numbers, for what watches and draws them.

    @ivar key: Its identity in the configuration.
    @ivar source: Where it comes from.
    @ivar names: What it is for.
    @ivar state: See L{CertificateState}.
    @ivar expiresIn: Seconds to the end of what is served, negative after it;
        L{None} while that is self-signed.
    @ivar failures: How many orders in a row came to nothing.
    @ivar attemptIn: Seconds to the next attempt or to the renewal, never
        negative; L{None} where nothing is planned.
    @ivar reason: Why then: what went wrong last, and what is waited for; L{None}
        where that goes without saying.
    """

    key: str
    source: Literal["auto", "internal", "files"]
    names: tuple[str, ...]
    state: CertificateState
    expiresIn: float | None
    failures: int
    attemptIn: float | None
    reason: str | None


def figuresOf(status: CertificateStatus, now: float) -> Figures:
    """
    How it stands, in numbers.

    @param status: Of one certificate.
    @param now: POSIX seconds.
    """
    attempt = status.nextAttempt
    return Figures(
        key=status.key,
        source=status.source,
        names=status.names,
        state=status.state,
        expiresIn=None if status.expires is None else status.expires - now,
        failures=status.failures,
        attemptIn=None if attempt is None else max(0.0, attempt - now),
        reason="; ".join(filter(None, (status.problem, status.reason))) or None,
    )


def when(seconds: float) -> str:
    """
    A time for people.

    @param seconds: POSIX seconds.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
