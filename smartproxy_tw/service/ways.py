"""
The ways to a certificate, one authority after the other, as the configuration
lists them.

Every order begins with the first.  The next one is asked by the cause of the
failure (L{blame<smartproxy_tw.acme.failover.blame>}) and by need:

  - what an authority I{refuses} by its own rules is asked of the next at once;
  - one that is I{busy}, or has been I{away} for a minute, is waited for as long
    as there is time: only what is missing, or has less than a fifth of its life
    left, is asked of the next;
  - a name that could not be proved is asked of nobody else.

So the first one has its certificates back with the next renewal, without
anything being remembered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..acme.errors import AuthorityUnreachable, HeldBack, IssuanceFailed
from ..acme.failover import blame
from ..values import dataclass

if TYPE_CHECKING:
    from ..acme.budget import Wait
    from ..facts import Credential
    from .admission import Admission
    from .caution import Identify
    from .ledger import Disown
    from .renewal import Advise
    from .revoking import Revoke

__all__ = ["Obtain", "Way", "Ways"]

#: An authority that cannot be reached, or wants to be left alone, for longer than
#: this many seconds is not waited for where there is need and another.
_PATIENCE = 60.0

T = TypeVar("T")


class Obtain(Protocol):
    """
    How a certificate is had from an authority.
    """

    def __call__(
        self,
        names: tuple[str, ...],
        install: Callable[[Credential], Deferred[None]],
        *,
        replaces: bytes | None = None,
        isTwin: bool = False,
    ) -> Deferred[Credential]:
        """
        @param names: What it is to be for.
        @param install: Makes the data path serve it; awaited before the
            challenges are withdrawn.
        @param replaces: PEM of the certificate that it follows; given only to
            one who can be asked when to renew.
        @param isTwin: Given only for the second of two certificates for the
            same names, L{Auto.isTwin<smartproxy_tw.config.model.Auto.isTwin>}.
        @return: Cancelling it ends the order and withdraws what it presented.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """
    All that goes to one authority.

    @ivar directory: The URL of its directory.
    @ivar admission: Says who may ask it now.
    @ivar obtain: Places an order.
    @ivar save: Keeps what it issued.
    @ivar advise: Asks it when to renew what it issued; L{None}: it is not asked.
    @ivar fileOf: The path of the file that L{save} keeps a certificate in, by its
        names; L{None} where there is no such file.
    @ivar identify: Tells who it is; L{None}: nobody does.
    @ivar revoke: Has it revoke what it issued; L{None}: that cannot be asked for.
    @ivar disown: Notes what is revoked.
    """

    directory: str
    admission: Admission
    obtain: Obtain
    save: Callable[[Credential], Deferred[None]]
    advise: Advise | None = None
    fileOf: Callable[[Iterable[str]], str | None] = lambda _: None
    identify: Identify | None = None
    revoke: Revoke | None = None
    disown: Disown = lambda _, __, ___: succeed(None)


class Ways:
    """
    Of one certificate.
    """

    _log = Logger()

    def __init__(self, ways: Sequence[Way], clock: IReactorTime, names: str) -> None:
        """
        @param ways: At least one, the preferred first.
        @param clock: The time, POSIX seconds.
        @param names: What the certificate is for, for the log.
        """
        self._ways = tuple(ways)
        self._clock = clock
        self._names = names

    @property
    def first(self) -> Way:
        """
        To who is preferred.
        """
        return self._ways[0]

    async def follow(
        self,
        ask: Callable[[Way], Awaitable[T]],
        waiting: Callable[[], Wait | None],
        urgentAt: float,
    ) -> T:
        """
        Ask one after the other, until one gives the certificate or the next is
        not to be asked.

        @param ask: Asks one.
        @param waiting: Why its order waits, as
            L{Admission.waitOf<smartproxy_tw.service.admission.Admission.waitOf>}.
        @param urgentAt: From when on there is need, POSIX seconds.
        @return: Fails with what the last one said that could be reached at all.
        """
        told: IssuanceFailed | None = None
        for way, following in zip(self._ways, (*self._ways[1:], None), strict=True):
            isUrgent = urgentAt <= self._clock.seconds()
            try:
                if following is None or not isUrgent:
                    return await ask(way)
                return await self._impatiently(ask(way), waiting)
            except IssuanceFailed as why:
                if told is None or not isinstance(why, AuthorityUnreachable):
                    told = why
                if following is None or not self._isPassedOn(why, way, isUrgent):
                    break
                self._log.warn(
                    "{directory} gives no certificate for {names}, asking {next}: {why}",
                    event="authority-passed-over",
                    directory=way.directory,
                    names=self._names,
                    next=following.directory,
                    why=str(why),
                )
        assert told is not None
        raise told

    def asksOneOnly(self, urgentAt: float) -> bool:
        """
        Whether nobody but the first would be asked, if that one can give nothing
        now.

        @param urgentAt: From when on there is need, POSIX seconds.
        """
        return len(self._ways) == 1 or urgentAt > self._clock.seconds()

    def whenBack(self) -> Deferred[None]:
        """
        Wait until one that was away is back; fires at once when none is.
        """
        away = [each.admission.whenBack() for each in self._ways if each.admission.awaySince is not None]
        if len(away) < 2:
            return away[0] if away else self._ways[0].admission.whenBack()
        return DeferredList(away, fireOnOneCallback=True, consumeErrors=True).addCallback(lambda _: None)

    def nextProbe(self) -> float | None:
        """
        When it is looked next whether one is back, POSIX seconds.
        """
        found = [each.admission.nextProbe for each in self._ways]
        return min((each for each in found if each is not None), default=None)

    def passesOnAt(self, urgentAt: float) -> float | None:
        """
        When the next one is to be asked, though the first is still away.

        @param urgentAt: From when on there is need, POSIX seconds.
        @return: POSIX seconds, in the future; L{None}: when one of them is back,
            and not before.
        """
        since = self._ways[0].admission.awaySince
        if since is None or len(self._ways) == 1:
            return None
        at = max(since + _PATIENCE, urgentAt)
        return at if at > self._clock.seconds() else None

    def _isPassedOn(self, why: IssuanceFailed, way: Way, isUrgent: bool) -> bool:
        match blame(why):
            case "refused":
                return True
            case "busy":
                return isUrgent
            case "away":
                since = way.admission.awaySince
                # An earlier one was worth no wait; this one is not either.
                isLong = way is not self._ways[0] or (
                    since is not None and since + _PATIENCE <= self._clock.seconds()
                )
                return isUrgent and isLong
        return False

    async def _impatiently(self, asking: Awaitable[T], waiting: Callable[[], Wait | None]) -> T:
        """
        Ask, but not where it is to be waited long for leave to ask.
        """

        async def ask() -> T:
            return await asking

        asked = Deferred.fromCoroutine(ask())
        held: list[Wait] = []

        timer: IDelayedCall | None = None

        def look() -> None:
            nonlocal timer
            wait = waiting()
            if wait is not None and self._clock.seconds() + _PATIENCE < wait.until < inf:
                held.append(wait)
                asked.cancel()
            else:
                timer = self._clock.callLater(_PATIENCE, look)

        if not asked.called:
            look()
        try:
            return await asked
        except CancelledError:
            if not held:
                raise
            raise HeldBack(held[0].why, held[0].until - self._clock.seconds()) from None
        finally:
            if timer is not None and timer.active():
                timer.cancel()
