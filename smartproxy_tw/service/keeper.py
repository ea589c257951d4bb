"""
Serve first, keep afterwards: a certificate that was obtained goes to the store
until the store has taken it.

A full disk, a directory that lost its owner, a database that is away: all of it
is logged and tried again.  The certificate is served from memory meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .alarm import Alarm
from .readiness import Readiness

if TYPE_CHECKING:
    from ..facts import Credential

__all__ = ["Keeper"]

#: Waited after a failure, in seconds, doubled by each further one.  The longest is
#: short, since a certificate that only this process has is one order away from
#: being lost, and a try that fails for want of space costs next to nothing.
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 5.0


class Keeper:
    """
    Keeps the newest certificate of one identity.
    """

    _log = Logger()

    def __init__(
        self,
        save: Callable[[Credential], Deferred[None]],
        clock: IReactorTime,
        names: tuple[str, ...],
        kept: Callable[[], object] = lambda: None,
    ) -> None:
        """
        @param save: Writes it durably, or fails.
        @param clock: For the next try.
        @param names: What the certificate is for, for the log.
        @param kept: Called when the newest is in the store.  It never raises.
        """
        self._save = save
        self._kept = kept
        self._names = ", ".join(names)
        self._alarm = Alarm(clock, self._try)
        self._clock = clock
        self._unsaved: Credential | None = None
        self._failures = 0
        self._running: Readiness | None = None
        self.problem: str | None = None

    @property
    def isBehind(self) -> bool:
        """
        Whether something is not in the store yet.
        """
        return self._unsaved is not None

    @property
    def nextAttempt(self) -> float | None:
        """
        When it is tried again, or L{None}.
        """
        return self._alarm.at

    def keep(self, credential: Credential) -> None:
        """
        Have this in the store, sooner or later, instead of any older one.
        """
        self._unsaved = credential
        self._failures = 0
        self._try()

    def drop(self, credential: Credential) -> None:
        """
        If this is not in the store yet, it need not be any more.
        """
        if self._unsaved is not None and self._unsaved == credential:
            self._unsaved = self.problem = None
            self._alarm.clear()

    def whenIdle(self) -> Deferred[None]:
        """
        Wait for the end of the try that goes on.

        @return: Fires when it succeeded or failed; at once when there is none.
        """
        return succeed(None) if self._running is None else self._running.when()

    def stop(self) -> Deferred[None]:
        """
        Try a last time what is not in the store yet, and no more.

        @return: Fires when that is over.
        """
        self._alarm.clear()
        if self._unsaved is not None:
            self._try()
        self._alarm.clear()
        return Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        await self.whenIdle()
        self._alarm.end()
        if self._unsaved is not None:
            self._log.error(
                "The certificate for {names} was not saved and is lost with this process: {problem}",
                event="certificate-lost",
                names=self._names,
                problem=self.problem,
            )

    def _try(self) -> None:
        if self._running is None:
            self._running = Readiness()
            Deferred.fromCoroutine(self._saveAll())

    async def _saveAll(self) -> None:
        running = self._running
        try:
            while (credential := self._unsaved) is not None:
                await self._save(credential)
                if self._unsaved is credential:
                    self._unsaved = None
                    self._kept()
            if self.problem is not None:
                self._log.info(
                    "The certificate for {names} is saved", event="certificate-saved", names=self._names
                )
            self.problem = None
            self._failures = 0
        except (Exception, CancelledError) as why:
            self._again(why)
        finally:
            self._running = None
            if running is not None:
                running.happen()

    def _again(self, why: BaseException) -> None:
        wait = min(_FIRST_WAIT * 2**self._failures, _LONGEST_WAIT)
        self._failures += 1
        before, problem = self.problem, f"The certificate is served but could not be saved: {why}"
        self.problem = problem
        self._alarm.set(self._clock.seconds() + wait)
        if problem != before:
            self._log.error(
                "The certificate for {names} is served but could not be saved: {why}."
                " It is tried again every {wait:g} s.",
                event="certificate-unsaved",
                names=self._names,
                why=str(why),
                wait=_LONGEST_WAIT,
            )
