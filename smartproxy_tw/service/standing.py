"""
How it stands with one certificate by ACME: what is served, whether that is in the store, what is
ordered, and what is done next.

It is read from the parts that know it, each time that somebody asks; nothing is changed or
remembered here.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from ..values import dataclass
from .status import CertificateState, CertificateStatus
from .stock import isCovered

if TYPE_CHECKING:
    from ..config.model import Auto
    from .appointment import Appointment
    from .asking import Asking
    from .keeper import Keeper
    from .pursuit import Pursuit
    from .served import Served

__all__ = ["Next", "Standing"]


@dataclass(frozen=True, slots=True)
class Next:
    """
    What is done next for it.

    @ivar at: When, POSIX seconds; L{None}: not by the clock.
    @ivar why: Why then and not before, for people; L{None} where that goes without saying.
    """

    at: float | None
    why: str | None


class Standing:
    """
    That of one set of names.
    """

    def __init__(
        self,
        auto: Auto,
        served: Served,
        *,
        keeper: Keeper,
        orders: Asking,
        appointment: Appointment,
        pursuit: Pursuit,
    ) -> None:
        """
        @param auto: The names.
        @param served: Knows what is served.
        @param keeper: Knows whether that is in the store.
        @param orders: Knows why an order waits.
        @param appointment: Knows when the next one is placed, and why the last one failed.
        @param pursuit: Knows whether one is under way.
        """
        self._auto = auto
        self._served = served
        self._keeper = keeper
        self._orders = orders
        self._appointment = appointment
        self._pursuit = pursuit

    @property
    def isQueued(self) -> bool:
        """
        Whether an order waits for its turn.
        """
        return self._orders.isWaiting

    @property
    def isIssued(self) -> bool:
        """
        Whether there is one by an authority.
        """
        return self._served.facts is not None

    @property
    def isWanting(self) -> bool:
        """
        Whether an order is due, under way, or to be tried again.
        """
        return self._pursuit.isUnderWay or self._appointment.isWanting

    @property
    def uncovered(self) -> tuple[str, ...]:
        """
        The names that what is served is not a valid certificate for.
        """
        facts = self._served.facts
        if facts is None or self._served.isOver:
            return self._auto.names
        return tuple(name for name in self._auto.names if not isCovered(name, facts.names))

    def next(self) -> Next:
        """
        What is done next.
        """
        if self._orders.isWaiting:
            held = self._orders.wait()
            if held is None:
                return Next(None, "other orders are under way")
            return Next(None if held.until == inf else held.until, held.why)
        at = self._appointment.at
        if not self._appointment.isAway:
            at = at or self._keeper.nextAttempt
        return Next(at, self._appointment.reason)

    def status(self) -> CertificateStatus:
        """
        All of it.
        """
        following = self.next()
        return CertificateStatus(
            key=self._auto.key,
            source="auto",
            names=self._auto.names,
            state=self._state(),
            expires=None if self._served.facts is None else self._served.facts.notAfter,
            problem=self._appointment.problem or self._keeper.problem,
            nextAttempt=following.at,
            reason=following.why,
            failures=self._appointment.failures,
            preflight=tuple(map(str, self._orders.findings)),
            isRevoked=self._served.isRevoked,
            orders=self._pursuit.ended,
            **self._origin(),
        )

    def _origin(self) -> dict[str, Any]:
        facts = self._served.facts
        if facts is None:
            return {}
        directory = self._served.issuer.directory or None
        return {"serial": facts.serial, "issuer": facts.issuer, "authority": directory}

    def _state(self) -> CertificateState:
        if self._orders.isWaiting:
            return "waiting"
        if self._pursuit.isUnderWay:
            return "ordering"
        if self._served.isRevoked:
            return "revoked"
        if self._appointment.problem is not None:
            return "failed"
        if self._served.facts is None:
            return "missing"
        if self._served.isOver:
            return "expired"
        return "unsaved" if self._keeper.isBehind else "valid"
