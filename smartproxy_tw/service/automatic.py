"""
The life of one certificate by ACME, from its first order to the last: what is served for it is
L{smartproxy_tw.service.serving}'s, when the next one is asked for
L{smartproxy_tw.service.appointment}'s, what comes of an order
L{smartproxy_tw.service.pursuit}'s, and how all that stands
L{smartproxy_tw.service.standing}'s.

Here they are put together, and here is what can be asked of them from outside: to begin, to have
a successor now, to have what is served revoked, to end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .appointment import Appointment
from .asking import Asking
from .backoff import Backoff
from .errors import NotNow, NotPossible
from .events import CertificateEvent, Events, Herald
from .expiry import Expiry
from .keeper import Keeper
from .pursuit import Pursuit
from .renewal import Renewal
from .served import Served
from .serving import Serving
from .standing import Standing
from .status import CertificateStatus, when

if TYPE_CHECKING:
    from ..acme.x509 import CertificateFacts
    from ..config.model import Auto
    from ..facts import Credential
    from ..interfaces import IPlane
    from .alarm import Timetable
    from .caution import Preflight
    from .memory import Memory
    from .rehearsal import Rehearsal
    from .revoking import Revocation
    from .stock import Stock
    from .ways import Way

__all__ = ["AutoCertificate"]


class AutoCertificate:
    """
    One set of names.

    @ivar auto: The names.
    @ivar standing: How it stands with them.
    """

    _log = Logger()

    def __init__(
        self,
        auto: Auto,
        plane: IPlane,
        ways: Sequence[Way],
        clock: IReactorTime,
        *,
        timetable: Timetable,
        memory: Memory,
        chance: Random,
        rehearsal: Rehearsal | None = None,
        preflight: Preflight | None = None,
        events: Events | None = None,
        then: Callable[[], object] | None = None,
        divide: Callable[[], object] = lambda: None,
    ) -> None:
        """
        @param auto: The names.
        @param plane: What serves.
        @param ways: To whom it is asked for, in this order; at least one.
        @param clock: The time, POSIX seconds.
        @param timetable: For what is to be done later.
        @param memory: Remembers failures beyond this process.
        @param chance: Spreads what would happen at one moment.
        @param rehearsal: Tries out what failed again and again; L{None}: nothing
            is tried out.
        @param preflight: Looks whether an order can succeed; L{None}: nobody does.
        @param events: Told what happens.
        @param then: Called after each order that was successful.
        @param divide: Called when the names were too many for an authority.
        """
        self.auto = auto
        self._ways = tuple(ways)
        self._served = served = Served(self._ways[0], clock)
        self._herald = Herald(auto.key, auto.names, events or Events(), clock)
        self._keeper = Keeper(self._save, clock, auto.names, self._kept)
        expiry = Expiry(timetable, clock, lambda: self._appointment.problem is not None, self._expiring)
        self._renewal = renewal = Renewal(
            auto.names, self._ways[0].advise, timetable, clock, chance, self._renewalMoved
        )
        self._serving = Serving(
            auto,
            plane,
            clock,
            served,
            renewal=renewal,
            expiry=expiry,
            keeper=self._keeper,
            herald=self._herald,
        )
        self._orders = Asking(
            auto.names, self._ways, served, renewal, self._serving.install, clock, rehearsal, preflight
        )
        self._appointment = Appointment(
            auto.names,
            self._orders.ways,
            Backoff(auto.key, auto.names, memory, clock, chance),
            served,
            renewal,
            timetable,
            clock,
            isUnderWay=lambda: self._pursuit.isUnderWay,
            come=self.provision,
            failed=self._failed,
        )
        self._pursuit = Pursuit(
            auto,
            self._orders,
            self._appointment,
            clock,
            served,
            renewal=renewal,
            expiry=expiry,
            whenKept=self._keeper.whenIdle,
            then=then,
            divide=divide,
        )
        self.standing = Standing(
            auto,
            served,
            keeper=self._keeper,
            orders=self._orders,
            appointment=self._appointment,
            pursuit=self._pursuit,
        )
        self._stopped = False
        self._revocations = 0

    @property
    def key(self) -> str:
        """
        Its identity.
        """
        return self.auto.key

    def load(self, stored: Stock, twins: Stock | None = None) -> Deferred[None]:
        """
        Serve what the store has for these names, or else something self-signed;
        in place of a second certificate nothing.

        @param stored: What the store holds.
        @param twins: What it holds of second certificates: better than something
            self-signed in any case.
        """
        return Deferred.fromCoroutine(self._load(stored, twins))

    def provision(self) -> Deferred[None]:
        """
        Ask for a certificate if none is there or if its successor is due, and
        see to it from now on.  Whoever asks while an order is under way waits
        for that one; after a failure nothing is asked before its time.

        @return: Fires when the order has ended, well or not, and what came of
            it was written to the store or could not be; at once when there is
            nothing to be done now.
        """
        if self._stopped or self._appointment.isAway:
            return succeed(None)
        self._renewal.begin()
        if not self._pursuit.isUnderWay and not self._appointment.isNow():
            return succeed(None)
        return self._pursuit.begin()

    def renew(self, *, force: bool = False) -> bool:
        """
        Have a successor now, whether it is due or not.  If the order fails it is
        placed again by the usual rules, until there is one.

        @param force: Whether to do so even if an order has just failed and the next
            is to wait.  What an authority asked for is waited for all the same.
        @return: Whether an order was placed; otherwise one is under way.
        @raise NotNow: None can be placed; nothing has changed then.
        """
        if self._stopped:
            raise NotNow("stopping", "The proxy is stopping.")
        if self._pursuit.isUnderWay:
            return False
        obstacle = self._orders.obstacle() or self._appointment.obstacle(force=force)
        if obstacle is not None:
            raise obstacle
        self._appointment.demand()
        return True

    def revoke(self, reason: str) -> Deferred[Revocation]:
        """
        Have what is served declared invalid, and replaced at once.  It is served
        until its successor is.

        @param reason: One of L{REASONS<smartproxy_tw.acme.reasons.REASONS>}.
        @return: Fires when it is revoked and the order is placed, or waits for what
            it has to.  Fails with L{NotPossible} when nothing is served that an
            authority issued, with L{NotNow}, or with an
            L{IssuanceFailed<smartproxy_tw.acme.errors.IssuanceFailed>} by the
            authority.
        """
        return Deferred.fromCoroutine(self._revoke(reason))

    @property
    def kept(self) -> CertificateEvent | None:
        """
        What there is to say of the one that is served and in the store; L{None}
        where there is none.
        """
        facts = self._served.facts
        if facts is None or self._keeper.isBehind:
            return None
        file = self._served.issuer.fileOf(facts.names)
        return self._herald.standing("renewed", facts, file, self._appointment.due)

    def stop(self) -> Deferred[None]:
        """
        End the order that is under way, and ask for nothing any more.

        @return: Fires when the order has ended and its challenges are
            withdrawn.
        """
        self._stopped = True
        self._appointment.stop()
        self._serving.end()
        return Deferred.fromCoroutine(self._end())

    def dismantle(self) -> None:
        """
        Fall apart, when the stop has come to its end and nobody will ask any more.  What
        is in a circle waits for a collection of garbage, and of what was there when a
        process last left everything out of those there is none.
        """
        if not self._revocations:
            self._appointment.dismantle()
            vars(self).clear()

    def touch(self, asked: float) -> None:
        """
        A client has asked for it: an order that waits for its turn goes before
        those that nobody asks for.

        @param asked: When, POSIX seconds.
        """
        self._orders.touch(asked)

    def status(self) -> CertificateStatus:
        """
        How it stands.
        """
        return self.standing.status()

    async def _load(self, stored: Stock, twins: Stock | None) -> None:
        failures = self._appointment.recall()
        if failures:
            self._orders.recall(failures)
        await self._serving.load(stored, self._ways, twins)

    async def _revoke(self, reason: str) -> Revocation:
        from .revoking import revoke

        credential, facts = self._served.credential, self._served.facts
        if self._stopped:
            raise NotNow("stopping", "The proxy is stopping.")
        if credential is None or facts is None:
            raise NotPossible(f"No certificate by an authority is served for {self.auto.title}.")
        self._revocations += 1
        try:
            revocation = await revoke(self._served.issuer, credential, reason)
        finally:
            self._revocations -= 1
        self._herald.revoked(facts)
        if self._served.credential is credential:
            self._served.isRevoked = True
            self._keeper.drop(credential)
            if not self._stopped:
                self._appointment.demand()
        return revocation

    def _save(self, credential: Credential) -> Deferred[None]:
        return self._served.issuer.save(credential)

    def _kept(self) -> None:
        facts = self._served.facts
        assert facts is not None
        self._herald.kept(self._served.issuer.fileOf(facts.names), self._appointment.due)

    def _expiring(self, facts: CertificateFacts) -> None:
        why = self._appointment.problem or self.standing.next().why
        self._log.warn(
            "The certificate for {names} ends at {expires}, and there is no successor: {why}",
            event="certificate-expiring",
            names=self.auto.title,
            expires=when(facts.notAfter),
            why=why or "none was ordered",
        )
        self._herald.expiring(facts, why, self._appointment.at)

    def _failed(self, at: float | None) -> None:
        facts = self._served.facts
        self._herald.failed(self._appointment.problem, None if facts is None else facts.notAfter, at)

    def _renewalMoved(self) -> None:
        # An order that is under way, or is tried again after a failure, stays so.
        if not self._pursuit.isUnderWay and self._appointment.problem is None:
            self.provision()

    async def _end(self) -> None:
        await self._pursuit.end()
        await self._keeper.stop()
