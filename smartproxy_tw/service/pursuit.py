"""
One order after the other for one certificate, never two at a time, and what is made of each.

All names are in one order.  When the authority refuses some of them for their own
reasons, a certificate for the others is asked for at once, so that one name whose
DNS is wrong does not take the rest along; all of them are tried again by the
backoff of the ones that failed.

Whether it is time for an order is not decided here: see
L{smartproxy_tw.service.appointment}, which is told of the outcome.  How one is placed is
L{smartproxy_tw.service.asking}'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..acme.errors import TooManyNames
from ..acme.spared import spared
from .readiness import Readiness
from .status import when

if TYPE_CHECKING:
    from ..config.model import Auto
    from .appointment import Appointment
    from .asking import Asking
    from .expiry import Expiry
    from .renewal import Renewal
    from .served import Served

__all__ = ["Pursuit"]


class Pursuit:
    """
    Of a certificate for one set of names.

    @ivar ended: How many orders have ended, well or not.
    """

    _log = Logger()

    def __init__(
        self,
        auto: Auto,
        orders: Asking,
        appointment: Appointment,
        clock: IReactorTime,
        served: Served,
        *,
        renewal: Renewal,
        expiry: Expiry,
        whenKept: Callable[[], Deferred[None]],
        then: Callable[[], object] | None = None,
        divide: Callable[[], object] = lambda: None,
    ) -> None:
        """
        @param auto: The names.
        @param orders: Places an order.
        @param appointment: Told what came of it.
        @param clock: The time, POSIX seconds.
        @param served: What there is.
        @param renewal: Knows when that is to be renewed.
        @param expiry: Told of a failure, since what there is may end soon.
        @param whenKept: Waits until what was issued is in the store, or could not be.
        @param then: Called after each order that was successful.
        @param divide: Called when the names were too many for an authority.
        """
        self._auto = auto
        self._orders = orders
        self._appointment = appointment
        self._clock = clock
        self._served = served
        self._renewal = renewal
        self._expiry = expiry
        self._whenKept = whenKept
        self._then = then
        self._divide = divide
        self._running: Readiness | None = None
        self._asking: Deferred[None] | None = None
        self._isOver = False
        self.ended = 0

    @property
    def isUnderWay(self) -> bool:
        """
        Whether an order is.
        """
        return self._running is not None

    def begin(self) -> Deferred[None]:
        """
        Place an order, unless one is under way.

        @return: Fires when it, or that one, has ended, well or not, and what came of it
            was written to the store or could not be.
        """
        if self._running is not None:
            return self._running.when()
        running = self._running = Readiness()
        self._asking = Deferred.fromCoroutine(self._run(running))
        return running.when()

    async def end(self) -> None:
        """
        End the order that is under way, and wait until its challenges are withdrawn.
        None is to be placed after that.
        """
        self._isOver = True
        running, asking = self._running, self._asking
        if running is not None and asking is not None:
            asking.cancel()
            await running.when()

    async def _run(self, running: Readiness) -> None:
        try:
            await self._order()
            await self._whenKept()
        except CancelledError:
            pass
        finally:
            self._running = None
            self._asking = None
            self.ended += 1
            running.happen()

    async def _order(self) -> None:
        try:
            await self._orders.askForAll()
        except CancelledError:
            if not self._isOver:
                self._failed(RuntimeError("the order was given up"))
            raise
        except Exception as why:
            self._failed(why)
            if isinstance(why, TooManyNames):
                self._divide()
            others = spared(self._auto.names, why)
            if others and self._isBetter(others):
                await self._orderOthers(others)
        else:
            self._succeeded()

    async def _orderOthers(self, names: tuple[str, ...]) -> None:
        # When to try again is settled already, by the names that failed.
        try:
            await self._orders.askFor(names)
        except Exception as why:
            if isinstance(why, CancelledError):
                raise
            self._log.warn(
                "Neither is there a certificate for {names} without the others: {why}",
                event="certificate-failed",
                names=", ".join(names),
                why=str(why),
            )
        else:
            self._log.info(
                "Serving a certificate for {names} until there is one for all of {all}",
                event="certificate-issued",
                names=", ".join(names),
                all=self._auto.title,
            )

    def _isBetter(self, names: tuple[str, ...]) -> bool:
        """
        Whether a certificate for just these would be better than what is
        served.
        """
        if self._served.isRevoked or not self._served.covers(names):
            return True
        now = self._clock.seconds()
        if self._served.covers(self._auto.names):
            return now > self._served.urgentAt(self._auto.names)
        return self._renewal.due().at <= now

    def _failed(self, why: Exception) -> None:
        self._appointment.postpone(why)
        self._expiry.look()

    def _succeeded(self) -> None:
        facts = self._served.facts
        assert facts is not None
        due = self._appointment.succeed()
        self._log.info(
            "Serving a certificate for {names} by {issuer}, valid until {expires}, renewed from {due}",
            event="certificate-issued",
            names=self._auto.title,
            issuer=facts.issuer,
            expires=when(facts.notAfter),
            due=when(due),
        )
        if self._then is not None and not self._isOver:
            self._then()
