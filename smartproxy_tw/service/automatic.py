"""
The life of one certificate by ACME: what is served for it, when the next one is
asked for, and what is done when that fails.

One order at a time.  What is served is only ever replaced by something better:
a self-signed certificate by any, a certificate by its successor, and that once
the successor is served.

All names are in one order.  When the authority refuses some of them for their own
reasons, a certificate for the others is asked for at once, so that one name whose
DNS is wrong does not take the rest along; all of them are tried again by the
backoff of the ones that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..acme.errors import TooManyNames
from ..config.model import Auto, twinOf
from ..facts import Credential
from ..interfaces import IPlane
from .alarm import Timetable
from .appointment import Appointment
from .asking import Asking
from .backoff import Backoff
from .caution import Preflight
from .errors import NotNow, NotPossible
from .events import CertificateEvent, Events, Herald
from .expiry import Expiry
from .keeper import Keeper
from .memory import Memory
from .readiness import Readiness
from .rehearsal import Rehearsal
from .renewal import Renewal
from .served import Served
from .status import CertificateState, CertificateStatus, when
from .stock import Stock, isCovered
from .ways import Way

if TYPE_CHECKING:
    from ..acme.x509 import CertificateFacts
    from .revoking import Revocation

__all__ = ["AutoCertificate"]


class AutoCertificate:
    """
    One set of names.
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
        self._then = then
        self._divide = divide
        self._plane = plane
        self._clock = clock
        self._names = ", ".join(auto.names) + (" (RSA)" if auto.isTwin else "")
        self._ways = tuple(ways)
        self._served = Served(self._ways[0], clock)
        self._keeper = Keeper(self._save, clock, auto.names, self._kept)
        self._herald = Herald(auto.key, auto.names, events or Events(), clock)
        self._expiry = Expiry(timetable, clock, lambda: self._appointment.problem is not None, self._expiring)
        self._renewal = Renewal(
            auto.names, self._ways[0].advise, timetable, clock, chance, self._renewalMoved
        )
        self._orders = Asking(
            auto.names, self._ways, self._served, self._renewal, self._install, clock, rehearsal, preflight
        )
        self._appointment = Appointment(
            auto.names,
            self._orders.ways,
            Backoff(auto.key, auto.names, memory, clock, chance),
            self._served,
            self._renewal,
            timetable,
            clock,
            isUnderWay=lambda: self._running is not None,
            come=self.provision,
            failed=self._failed,
        )
        self._running: Readiness | None = None
        self._asking: Deferred[None] | None = None
        self._stopped = False
        self._ended = 0
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
        if self._running is not None:
            return self._running.when()
        if not self._appointment.isNow():
            return succeed(None)
        running = self._running = Readiness()
        self._asking = Deferred.fromCoroutine(self._run(running))
        return running.when()

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
        if self._running is not None:
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
    def uncovered(self) -> tuple[str, ...]:
        """
        The names that what is served is not a valid certificate for.
        """
        facts = self._served.facts
        if facts is None or self._served.isOver:
            return self.auto.names
        return tuple(name for name in self.auto.names if not isCovered(name, facts.names))

    @property
    def isWanting(self) -> bool:
        """
        Whether an order is due, under way, or to be tried again.
        """
        return self._running is not None or self._appointment.isWanting

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
        self._expiry.end()
        self._renewal.end()
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
        return CertificateStatus(
            key=self.auto.key,
            source="auto",
            names=self.auto.names,
            state=self._state(),
            expires=None if self._served.facts is None else self._served.facts.notAfter,
            problem=self._appointment.problem or self._keeper.problem,
            failures=self._appointment.failures,
            preflight=tuple(map(str, self._orders.findings)),
            isRevoked=self._served.isRevoked,
            orders=self._ended,
            **self._origin(),
            **self._next(),
        )

    def _origin(self) -> dict[str, Any]:
        facts = self._served.facts
        if facts is None:
            return {}
        directory = self._served.issuer.directory or None
        return {"serial": facts.serial, "issuer": facts.issuer, "authority": directory}

    def _next(self) -> dict[str, Any]:
        if self._orders.isWaiting:
            held = self._orders.wait()
            if held is None:
                return {"reason": "other orders are under way"}
            return {"reason": held.why, "nextAttempt": None if held.until == inf else held.until}
        if self._appointment.isAway:
            return {"reason": self._appointment.reason, "nextAttempt": self._appointment.at}
        at = self._appointment.at or self._keeper.nextAttempt
        return {"nextAttempt": at, "reason": self._appointment.reason}

    def _state(self) -> CertificateState:
        if self._orders.isWaiting:
            return "waiting"
        if self._running is not None:
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

    def _isBetter(self, names: tuple[str, ...]) -> bool:
        """
        Whether a certificate for just these would be better than what is
        served.
        """
        if self._served.isRevoked or not self._served.covers(names):
            return True
        now = self._clock.seconds()
        if self._served.covers(self.auto.names):
            return now > self._served.urgentAt(self.auto.names)
        return self._renewal.due().at <= now

    async def _load(self, stored: Stock, twins: Stock | None) -> None:
        from ..acme.x509 import selfSigned

        failures = self._appointment.recall()
        if failures:
            self._orders.recall(failures)
        credential = stored.bestFor(self.auto.key, self.auto.names, self._clock.seconds())
        if credential is not None:
            try:
                await self._serve(credential, self._ways[stored.issuerOf(credential)])
                return
            except ValueError as why:
                self._log.warn(
                    "The stored certificate for {names} cannot be served: {why}",
                    event="certificate-unusable",
                    names=self._names,
                    why=str(why),
                )
        if self.auto.isTwin:
            return
        now = self._clock.seconds()
        twin = None if twins is None else twins.bestFor(twinOf(self.auto.key) or "", self.auto.names, now)
        await self._plane.install(self.auto.key, twin or selfSigned(self.auto.names, now=now))

    async def _serve(self, credential: Credential, way: Way) -> None:
        from ..acme.x509 import describe

        facts = describe(credential.chain)
        await self._plane.install(self.auto.key, credential)
        self._served.become(credential, facts, way)
        if not self._stopped:
            self._expiry.follow(facts)
            self._renewal.advise = way.advise
            self._renewal.follow(facts, credential.chain)

    async def _install(self, credential: Credential, way: Way) -> None:
        before = self._served.facts
        await self._serve(credential, way)
        assert self._served.facts is not None
        self._herald.served(before, self._served.facts)
        self._keeper.keep(credential)

    async def _revoke(self, reason: str) -> Revocation:
        from .revoking import revoke

        credential, facts = self._served.credential, self._served.facts
        if self._stopped:
            raise NotNow("stopping", "The proxy is stopping.")
        if credential is None or facts is None:
            raise NotPossible(f"No certificate by an authority is served for {self._names}.")
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

    async def _run(self, running: Readiness) -> None:
        try:
            await self._order()
            await self._keeper.whenIdle()
        except CancelledError:
            pass
        finally:
            self._running = None
            self._asking = None
            self._ended += 1
            running.happen()

    async def _order(self) -> None:
        try:
            await self._orders.askForAll()
        except CancelledError:
            if not self._stopped:
                self._again(RuntimeError("the order was given up"))
            raise
        except Exception as why:
            self._again(why)
            if isinstance(why, TooManyNames):
                self._divide()
            others = _unconcerned(self.auto.names, why)
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
                all=self._names,
            )

    def _save(self, credential: Credential) -> Deferred[None]:
        return self._served.issuer.save(credential)

    def _kept(self) -> None:
        facts = self._served.facts
        assert facts is not None
        self._herald.kept(self._served.issuer.fileOf(facts.names), self._appointment.due)

    def _expiring(self, facts: CertificateFacts) -> None:
        why = self._appointment.problem or self._next().get("reason")
        self._log.warn(
            "The certificate for {names} ends at {expires}, and there is no successor: {why}",
            event="certificate-expiring",
            names=self._names,
            expires=when(facts.notAfter),
            why=why or "none was ordered",
        )
        self._herald.expiring(facts, why, self._appointment.at)

    def _again(self, why: Exception) -> None:
        self._appointment.postpone(why)
        self._expiry.look()

    def _failed(self, at: float | None) -> None:
        facts = self._served.facts
        self._herald.failed(self._appointment.problem, None if facts is None else facts.notAfter, at)

    def _succeeded(self) -> None:
        facts = self._served.facts
        assert facts is not None
        due = self._appointment.succeed()
        self._log.info(
            "Serving a certificate for {names} by {issuer}, valid until {expires}, renewed from {due}",
            event="certificate-issued",
            names=self._names,
            issuer=facts.issuer,
            expires=when(facts.notAfter),
            due=when(due),
        )
        if self._then is not None and not self._stopped:
            self._then()

    def _renewalMoved(self) -> None:
        # An order that is under way, or is tried again after a failure, stays so.
        if self._running is None and self._appointment.problem is None:
            self.provision()

    async def _end(self) -> None:
        running, asking = self._running, self._asking
        if running is not None and asking is not None:
            asking.cancel()
            await running.when()
        await self._keeper.stop()


def _unconcerned(names: tuple[str, ...], why: Exception) -> tuple[str, ...]:
    """
    The names that a refusal does not speak of; none when it speaks of no name
    in particular.
    """
    from ..acme.errors import AuthorityProblem, NoChallengeUsable, PreflightFailed

    concerned: set[str | None] = set()
    if isinstance(why, NoChallengeUsable):
        concerned = {why.name}
    elif isinstance(why, PreflightFailed):
        concerned = set(why.byName)
    elif isinstance(why, AuthorityProblem):
        concerned = set(why.byName) or {each.name for each in why.subproblems if each.name}
    return tuple(name for name in names if name not in concerned) if concerned else ()
