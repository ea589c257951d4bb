"""
Who asks for certificates: for all that there are once that may begin, and for those that
come with another configuration some at a time.

The second certificate for names is asked for once they are proved by the first, and
nobody asks for names while an order for the same ones has still to end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..config.model import twinOf
from .gathering import gathered
from .succession import portions

if TYPE_CHECKING:
    from .authorities import Authorities
    from .automatic import AutoCertificate
    from .holdings import Holdings
    from .leaving import Leaving

__all__ = ["Provisioning"]


class Provisioning:
    """
    Of the certificates of one proxy.

    @ivar isOpen: Whether it has begun, and goes on.
    @ivar isStopped: Whether it has ended.
    """

    _log = Logger()

    def __init__(
        self,
        holdings: Holdings,
        leaving: Leaving,
        authorities: Authorities,
        clock: IReactorTime,
        unattended: Callable[[], Callable[[], None]],
    ) -> None:
        """
        @param holdings: Which ones there are.
        @param leaving: Those that have still to end.
        @param authorities: Of whom they are had.
        @param clock: Gives others their turn.
        @param unattended: Has no garbage collected while very many are asked for, until what
            it returns is called.
        """
        self._holdings = holdings
        self._leaving = leaving
        self._authorities = authorities
        self._clock = clock
        self._unattended = unattended
        self.isOpen = self.isStopped = False
        self._coming: Deferred[None] = succeed(None)
        self._dismissing: Deferred[None] = succeed(None)

    def begin(self) -> None:
        """
        Certificates may be asked for from now on, unless that has ended.  Forget the orders
        that nobody will go on with, in the background: records in the DNS take their time.
        """
        self.isOpen = not self.isStopped
        self._dismissing = Deferred.fromCoroutine(self.dismiss())

    async def dismiss(self) -> None:
        """
        Forget the orders that nobody will go on with.
        """
        first, twins = self._holdings.first, self._holdings.twins.values()
        await self._authorities.dismiss(
            (each.auto.names for each in first if each.standing.isWanting),
            (each.auto.names for each in twins if each.standing.isWanting),
        )

    async def all(self) -> None:
        """
        Ask for all that there are and that are missing or due, and wait until each order
        has ended, well or not.
        """
        with self._authorities.gathering():
            ended = gathered([Deferred.fromCoroutine(self._one(each)) for each in self._holdings.first])
        await ended

    def soon(self, coming: Sequence[AutoCertificate], atOnce: int) -> None:
        """
        Ask for some, after those before have been asked for; without effect unless
        L{isOpen}: who begins asks for all.

        @param coming: Of L{Holdings.first}.
        @param atOnce: After so many of them others have their turn.
        """
        if self.isOpen:
            self._coming = Deferred.fromCoroutine(self._some(self._coming, coming, atOnce))

    def stop(self) -> None:
        """
        Ask for nothing more.  What was asked for is for others to end.
        """
        self.isOpen, self.isStopped = False, True
        for each in (self._dismissing, self._coming):
            each.addErrback(_cancelled)
            each.cancel()

    async def _some(self, before: Deferred[None], coming: Sequence[AutoCertificate], atOnce: int) -> None:
        await before
        attended = self._unattended()
        try:
            for portion in portions(coming, atOnce):
                with self._authorities.gathering():
                    for each in portion:
                        Deferred.fromCoroutine(self._one(each)).addErrback(self._defect)
                if len(portion) == atOnce:
                    await deferLater(self._clock, 0.0)
        finally:
            attended()

    async def _one(self, certificate: AutoCertificate) -> None:
        # One that has to go itself meanwhile is taken apart: it knows nothing then.
        own = certificate.key
        for key in (own, twinOf(own)):
            while key is not None and self._leaving.isUnderWay(key):
                # The one that was there for these names before is still at it.
                await self._leaving.over(key)
                if self._holdings.byACME(own) is not certificate:
                    return
        await certificate.provision()
        twin = self._holdings.twins.get(certificate.auto.key)
        # Names that cannot be proved are not tried twice.
        if twin is not None and certificate.standing.isIssued:
            await twin.provision()

    def _defect(self, failure: Failure) -> None:
        self._log.failure("A defect while asking for a certificate", failure=failure)


def _cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)  # type: ignore[no-untyped-call]
