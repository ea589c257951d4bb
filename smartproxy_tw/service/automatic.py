"""
The life of one certificate by ACME: what is served for it, when the next one is
asked for, and what is done when that fails.

One order at a time.  What is served is only ever replaced by something better:
a self-signed certificate by any, a certificate by its successor, and that once
the successor is served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, LogLevel

from ..acme.schedule import LONGEST_WAIT, probeAfter, renewAt, retryAfter
from ..config.model import Auto
from ..facts import Credential
from ..interfaces import IPlane
from ..store.attempts import Attempt
from .alarm import Alarm
from .keeper import Keeper
from .memory import Memory
from .readiness import Readiness
from .status import CertificateState, CertificateStatus, when

if TYPE_CHECKING:
    from ..acme.x509 import CertificateFacts

__all__ = ["AutoCertificate", "Obtain"]

#: After a restart an order that failed twice or more is tried again so many
#: seconds after it failed: Let's Encrypt allows five failures an hour.
_BETWEEN_STARTS = 900.0

#: How a certificate is had from an authority: called with the names and with
#: what makes the data path serve it, which is awaited before the challenges are
#: withdrawn.  Cancelling the Deferred ends the order and withdraws what it
#: presented.
Obtain = Callable[[tuple[str, ...], Callable[[Credential], "Deferred[None]"]], "Deferred[Credential]"]


class AutoCertificate:
    """
    One set of names.
    """

    _log = Logger()

    def __init__(
        self,
        auto: Auto,
        plane: IPlane,
        obtain: Obtain,
        save: Callable[[Credential], Deferred[None]],
        clock: IReactorTime,
        *,
        permits: DeferredSemaphore,
        memory: Memory,
        chance: Random,
    ) -> None:
        """
        @param auto: The names.
        @param plane: What serves.
        @param obtain: Places an order.
        @param save: Writes to the store.
        @param clock: The time, POSIX seconds.
        @param permits: Shared by all: how many orders are under way at once.
        @param memory: Remembers failures beyond this process.
        @param chance: Spreads what would happen at one moment.
        """
        self.auto = auto
        self._plane = plane
        self._obtain = obtain
        self._clock = clock
        self._permits = permits
        self._memory = memory
        self._chance = chance
        self._names = ", ".join(auto.names)
        self._keeper = Keeper(save, clock, auto.names)
        self._alarm = Alarm(clock, self.provision)
        self._facts: CertificateFacts | None = None
        self._running: Readiness | None = None
        self._order: Deferred[None] | None = None
        self._failures = 0
        self._problem: str | None = None
        self._stopped = False

    def load(self, stored: Mapping[str, Credential]) -> Deferred[None]:
        """
        Serve what the store has for these names, or else something self-signed.

        @param stored: What the store holds, by key.
        """
        return Deferred.fromCoroutine(self._load(stored))

    def provision(self) -> Deferred[None]:
        """
        Ask for a certificate if none is there or if its successor is due, and
        see to it from now on.  Whoever asks while an order is under way waits
        for that one; after a failure nothing is asked before its time.

        @return: Fires when the order has ended, well or not, and what came of
            it was written to the store or could not be; at once when there is
            nothing to be done now.
        """
        if self._stopped:
            return succeed(None)
        if self._running is not None:
            return self._running.when()
        due = self._dueAt()
        if due > self._clock.seconds():
            self._alarm.set(due)
            return succeed(None)
        self._alarm.clear()
        running = self._running = Readiness()
        self._order = Deferred.fromCoroutine(self._run(running))
        return running.when()

    def stop(self) -> Deferred[None]:
        """
        End the order that is under way, and ask for nothing any more.

        @return: Fires when the order has ended and its challenges are
            withdrawn.
        """
        self._stopped = True
        self._alarm.clear()
        return Deferred.fromCoroutine(self._end())

    def status(self) -> CertificateStatus:
        """
        How it stands.
        """
        return CertificateStatus(
            key=self.auto.key,
            source="auto",
            names=self.auto.names,
            state=self._state(),
            expires=None if self._facts is None else self._facts.notAfter,
            problem=self._problem or self._keeper.problem,
            nextAttempt=self._alarm.at or self._keeper.nextAttempt,
        )

    def _state(self) -> CertificateState:
        if self._running is not None:
            return "ordering"
        if self._problem is not None:
            return "failed"
        if self._facts is None:
            return "missing"
        if self._facts.notAfter <= self._clock.seconds():
            return "expired"
        return "unsaved" if self._keeper.isBehind else "valid"

    def _dueAt(self) -> float:
        if self._problem is not None and self._alarm.at is not None:
            return self._alarm.at
        if self._facts is None:
            return 0.0
        return renewAt(self._facts.notBefore, self._facts.notAfter, self._jitter())

    def _jitter(self) -> float:
        # The same for one certificate however often it is asked for: a due date
        # that moves would make a restart ask again.
        assert self._facts is not None
        return Random(self._facts.serial).random()

    async def _load(self, stored: Mapping[str, Credential]) -> None:
        from ..acme.x509 import selfSigned

        self._recall()
        credential = self._choose(stored)
        if credential is not None:
            try:
                await self._serve(credential)
                return
            except ValueError as why:
                self._log.warn(
                    "The stored certificate for {names} cannot be served: {why}",
                    event="certificate-unusable",
                    names=self._names,
                    why=str(why),
                )
        await self._plane.install(self.auto.key, selfSigned(self.auto.names, now=self._clock.seconds()))

    def _recall(self) -> None:
        # What an earlier process ran into.  It is not waited for in full, for
        # operators mend things and restart; just so that a restart in a circle
        # stays within five failures an hour, and leaves alone who asked for it.
        known = self._memory.recall(self.auto.key)
        if known is None:
            return
        now = self._clock.seconds()
        wait = retryAfter(1) if known.failures == 1 else _BETWEEN_STARTS
        at = min(max(known.at + wait, known.notBefore), now + LONGEST_WAIT)
        if at > now:
            self._failures, self._problem = known.failures, known.problem
            self._alarm.set(at)

    def _choose(self, stored: Mapping[str, Credential]) -> Credential | None:
        from ..acme.x509 import checkCredential

        exact = stored.get(self.auto.key)
        if exact is not None:
            return exact
        # An authority may have added names to what was asked for, and a route
        # may have lost one: what covers all that is wanted needs no order.
        best: tuple[float, Credential] | None = None
        for credential in stored.values():
            try:
                facts = checkCredential(credential, self.auto.names)
            except ValueError:
                continue
            if facts.notAfter > self._clock.seconds() and (best is None or best[0] < facts.notAfter):
                best = facts.notAfter, credential
        return None if best is None else best[1]

    async def _serve(self, credential: Credential) -> None:
        from ..acme.x509 import describe

        facts = describe(credential.chain)
        await self._plane.install(self.auto.key, credential)
        self._facts = facts

    async def _install(self, credential: Credential) -> None:
        await self._serve(credential)
        self._keeper.keep(credential)

    async def _run(self, running: Readiness) -> None:
        try:
            await self._permits.acquire()
            try:
                await self._obtain(
                    self.auto.names, lambda credential: Deferred.fromCoroutine(self._install(credential))
                )
            finally:
                self._permits.release()
            self._succeeded()
            await self._keeper.whenIdle()
        except CancelledError:
            if not self._stopped:
                self._failed(RuntimeError("the order was given up"))
        except Exception as why:
            self._failed(why)
        finally:
            self._running = None
            self._order = None
            running.happen()

    def _succeeded(self) -> None:
        assert self._facts is not None
        self._failures = 0
        self._problem = None
        self._memory.forget(self.auto.key)
        due = max(self._dueAt(), self._clock.seconds() + 1.0)
        self._alarm.set(due)
        self._log.info(
            "Serving a certificate for {names} by {issuer}, valid until {expires}, renewed from {due}",
            event="certificate-issued",
            names=self._names,
            issuer=self._facts.issuer,
            expires=when(self._facts.notAfter),
            due=when(due),
        )

    def _failed(self, why: BaseException) -> None:
        from ..acme.errors import AuthorityUnreachable, IssuanceFailed

        self._failures += 1
        asked = why.retryAfter if isinstance(why, IssuanceFailed) else None
        isAway = isinstance(why, AuthorityUnreachable)
        wait = (probeAfter if isAway else retryAfter)(self._failures, self._chance.random(), asked)
        problem = str(why).rstrip(".") or type(why).__name__
        if asked is not None or not isAway:
            now = self._clock.seconds()
            notBefore = 0.0 if asked is None else now + asked
            self._memory.note(self.auto.key, Attempt(now, self._failures, notBefore, problem))
        # An authority that is away is asked every few seconds: that is worth a
        # line when it begins, not each time.
        level = LogLevel.debug if problem == self._problem and wait < 60.0 else LogLevel.warn
        if not isinstance(why, IssuanceFailed | OSError | RuntimeError | ValueError):
            self._log.failure("A defect while ordering the certificate for {names}", names=self._names)
        self._problem = problem
        if not self._stopped:
            self._alarm.set(self._clock.seconds() + wait)
        self._log.emit(
            level,
            "No certificate for {names}: {problem}. Next attempt in {wait} s.",
            event="certificate-failed",
            names=self._names,
            problem=problem,
            wait=round(wait),
        )

    async def _end(self) -> None:
        running, order = self._running, self._order
        if running is not None and order is not None:
            order.cancel()
            await running.when()
        self._alarm.clear()
        await self._keeper.stop()
