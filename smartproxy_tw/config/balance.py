"""
How the targets of an action share what there is to do, and how it is found out which of
them can be had: what a configuration says about both, once read.

Pure values, for workers too; how they are written is the business of
L{smartproxy_tw.config.spread}.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from ..values import dataclass

if TYPE_CHECKING:
    from .model import Forward, Target, UpstreamTLS

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Balance",
    "Check",
    "Checked",
    "Ejection",
    "Health",
    "Sticky",
    "checkedOf",
]

#: Who is next.
Algorithm = Literal["round-robin", "least-connections", "ip-hash", "random-two-choices"]

#: All of them.
ALGORITHMS: tuple[Algorithm, ...] = ("round-robin", "least-connections", "ip-hash", "random-two-choices")


@dataclass(frozen=True, slots=True)
class Sticky:
    """
    That a client comes back to the target that it had before, by a cookie.

    @ivar cookie: Its name.
    @ivar maxAge: How long a browser keeps it, in seconds; L{None}: until it is closed.
    @ivar secret: What the cookie is signed with; L{None}: what the state directory has
        for that.
    """

    cookie: str = "smartproxy"
    maxAge: int | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Balance:
    """
    Which target is next.

    @ivar algorithm: The rule.
    @ivar sticky: L{None}: clients have no target of their own.
    @ivar slowStart: For how long a target that is back has less than its share, in
        seconds; 0: it has all of it at once.
    """

    algorithm: Algorithm = "round-robin"
    sticky: Sticky | None = None
    slowStart: float = 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """
    How each target is looked at, whether somebody wants something of it or not.

    @ivar kind: C{"http"}: it has to answer a request as it should.  C{"tcp"}: it has to
        take a connection.  C{"tls"}: and to shake hands.
    @ivar path: What is asked for, with its query.
    @ivar host: The Host field, and the name asked for by SNI; L{None}: that of the
        target.
    @ivar port: Where it is looked at; L{None}: where everything goes.
    @ivar statuses: Ranges of status codes that are as they should be, both ends included.
    @ivar interval: From one look to the next, in seconds.
    @ivar timeout: How long one may take, in seconds.
    @ivar rise: So many in a row have to go well before a target is healthy again.
    @ivar fall: So many in a row have to fail before it is not.
    """

    kind: Literal["http", "tcp", "tls"] = "http"
    path: str = "/"
    host: str | None = None
    port: int | None = None
    statuses: tuple[tuple[int, int], ...] = ((200, 399),)
    interval: float = 10.0
    timeout: float = 5.0
    rise: int = 2
    fall: int = 3


@dataclass(frozen=True, slots=True)
class Ejection:
    """
    When a target that fails those who are sent there has no turns for a while.

    @ivar failures: After so many in a row.
    @ivar seconds: For so long at first, and twice as long each time that it fails again.
    @ivar longest: For no longer than that, in seconds.
    @ivar isBounded: Whether at most half of the targets may be without turns at a time.
    @ivar statuses: Of answers that are failures too.
    """

    failures: int = 5
    seconds: float = 10.0
    longest: float = 10.0
    isBounded: bool = False
    statuses: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Health:
    """
    How it is found out which targets can be had.

    @ivar active: L{None}: nobody looks.
    @ivar passive: What those who are sent there find.
    """

    active: Check | None = None
    passive: Ejection = Ejection()


@dataclass(frozen=True, slots=True)
class Checked:
    """
    What is looked at: the same for all routes that have it looked at in the same way.

    @ivar check: How.
    @ivar target: What.
    @ivar tls: How it is spoken to by TLS, or L{None}.
    """

    check: Check
    target: Target
    tls: UpstreamTLS | None = None


def checkedOf(forward: Forward, target: Target) -> Checked | None:
    """
    @param target: One of those, or one that a service has.
    @return: What is looked at for it; L{None}: nothing.
    """
    check = forward.health.active
    return None if check is None else Checked(check, target, forward.tls)
