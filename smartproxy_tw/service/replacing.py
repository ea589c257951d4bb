"""
Other certificates in place of those that there are: since the configuration is another
one, since names were too many for one certificate, or since nothing has to stand in for
one any more.

One change comes after the other.  In each, first something is served, then the data path
goes by it, and only then does what nobody needs end, and is asked for what is missing.  Up
to the moment in which the data path goes by it, a change can be taken back.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..config.division import divided
from ..control.slices import inSlices
from ..routing.steps import finish
from .automatic import AutoCertificate
from .readiness import Readiness
from .succession import AnyCertificate, Succession, portions

if TYPE_CHECKING:
    from ..config.model import Config
    from ..interfaces import IPlane
    from .authorities import Authorities
    from .holdings import Holdings
    from .leaving import Leaving
    from .loading import Loading
    from .making import Making
    from .provisioning import Provisioning
    from .standins import StandIns

__all__ = ["Replacing"]

#: After so many certificates others have their turn, while the proxy serves: making one
#: takes up to half a millisecond.
_AT_ONCE = 16


class Replacing:
    """
    Of the certificates of one proxy.

    @ivar config: The configuration that they are for, its routes with as many certificates
        as the authorities demand.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        plane: IPlane,
        holdings: Holdings,
        authorities: Authorities,
        making: Making,
        loading: Loading,
        standIns: StandIns,
        leaving: Leaving,
        provisioning: Provisioning,
        clock: IReactorTime,
        forget: Callable[[str], object],
    ) -> None:
        """
        All that a configuration wants are there from now on, and nothing is served before
        L{load}.

        @param config: The first one.
        @param plane: What serves.
        @param holdings: Which ones there are: none.
        @param authorities: Say how many names each takes.
        @param making: Makes what is not there.
        @param loading: Has it served.
        @param standIns: What is served for others.
        @param leaving: Ends what nobody needs.
        @param provisioning: Asks for what is missing.
        @param clock: Gives others their turn.
        @param forget: Told of the identity of each for names that were divided: whatever
            went wrong with it counts no more.
        """
        self._plane = plane
        self._holdings = holdings
        self._authorities = authorities
        self._making = making
        self._loading = loading
        self._standIns = standIns
        self._leaving = leaving
        self._provisioning = provisioning
        self._clock = clock
        self._forget = forget
        self._turns = DeferredLock()
        self._isStopped = False
        self._dividing: Readiness | None = None
        self._division: Deferred[None] = succeed(None)
        self.config = self._divided(config)
        self._initial = finish(making.succession(self.config, holdings))
        holdings.admit(self._initial)

    @property
    def shown(self) -> Config:
        """
        The configuration that the data path is to go by: L{config}, but for the
        certificates that stand in for others.
        """
        return self._standIns.into(self.config)

    @property
    def isDividing(self) -> bool:
        """
        Whether names are being divided anew, or about to be.
        """
        return self._dividing is not None

    async def divided(self) -> None:
        """
        Wait for that, well or not.
        """
        if self._dividing is not None:
            await self._dividing.when()

    async def load(self) -> None:
        """
        Have something served for each of the first configuration, as of L{Loading.have}.
        """
        await self._have(self._initial, sys.maxsize)
        self._initial = Succession(self.config, self.config)

    async def prepare(self, config: Config) -> Succession:
        """
        Have something served for each that another configuration needs and that is not
        there, as of L{Loading.have}; all is as before if that fails.

        @return: What L{settle} or L{abandon} has to be called with: nothing else changes
            until then.
        """
        await self._turns.acquire()
        try:
            return await self._prepared(self._divided(config))
        except BaseException:
            self._turns.release()
            raise

    async def abandon(self, succession: Succession) -> None:
        """
        Take back what was prepared.
        """
        try:
            await self._takeBack(succession)
        finally:
            self._turns.release()

    async def settle(self, succession: Succession) -> None:
        """
        The data path goes by what was prepared.
        """
        try:
            await self._replace(succession)
        finally:
            self._turns.release()

    def showWhole(self, key: str) -> None:
        """
        Have nothing stand in for a certificate any more, in its turn; without effect where
        nothing does.

        @param key: Its identity.
        """
        if self._standIns.has(key):
            Deferred.fromCoroutine(self._showAnew(key)).addErrback(self._notShown)

    def divideSoon(self) -> None:
        """
        An authority has said that it takes fewer names than one certificate has.  Divide
        them anew, once the order that was refused has ended.
        """
        if self._dividing is None and not self._isStopped:
            self._dividing = Readiness()
            self._division = Deferred.fromCoroutine(self._divide(self._dividing))

    def stop(self) -> None:
        """
        Begin no change any more that nobody asked for, and end one that goes on.
        """
        self._isStopped = True
        self._division.cancel()

    def _divided(self, config: Config) -> Config:
        return divided(config, self._authorities.learned)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    async def _prepared(self, config: Config) -> Succession:
        succession = await inSlices(self._making.succession(config, self._holdings), self._clock)
        try:
            await self._have(succession, _AT_ONCE)
        except BaseException:
            await self._takeBack(succession)
            raise
        succession.shown = self._standIns.into(config)
        return succession

    async def _have(self, some: Succession, atOnce: int) -> None:
        served = [each.auto.key for each in self._holdings.first]
        await self._loading.have(some, served, atOnce)

    async def _takeBack(self, succession: Succession) -> None:
        for each in succession.every:
            await each.stop()
            await self._leaving.remove(each.key)

    async def _replace(self, succession: Succession) -> None:
        self.config = succession.config
        self._holdings.admit(succession)
        gone = self._holdings.release(succession.gone)
        # Those whose turn has not come end first, so that it does not come while the others end.
        gone.sort(key=_hasBegun)
        for portion in portions(gone, _AT_ONCE):
            keys = [each.key for each in portion]
            with self._authorities.gathering():
                for each in portion:
                    self._leaving.begin(each)
            for key in keys:
                await self._leaving.remove(key)
            if len(portion) == _AT_ONCE:
                await deferLater(self._clock, 0.0)
        if succession.first:
            self._provisioning.soon(succession.first, _AT_ONCE)

    async def _showAnew(self, key: str) -> None:
        async with self._turn():
            if self._isStopped or not self._standIns.has(key):
                return
            gone = self._standIns.drop(key)
            await self._plane.useTable(self.shown)
            await self._leaving.removeStandIns(gone)

    def _notShown(self, failure: Failure) -> None:
        if not failure.check(CancelledError):  # type: ignore[no-untyped-call]
            self._log.failure("The routes could not be shown anew", failure=failure, event="table-unused")

    async def _divide(self, dividing: Readiness) -> None:
        try:
            # The order that was refused is to end first.
            await deferLater(self._clock, 0.0)
            async with self._turn():
                while (config := self._divided(self.config)) != self.config:
                    await self._use(config)
        except CancelledError:
            pass
        except Exception:
            self._log.failure("The names of a route could not be divided anew", event="division-failed")
        finally:
            self._dividing = None
            dividing.happen()

    async def _use(self, config: Config) -> None:
        """
        Have other certificates for the same names.
        """
        succession = await self._prepared(config)
        try:
            # First there is something to be shown, then it is.
            await self._plane.useTable(succession.shown)
        except BaseException:
            await self._takeBack(succession)
            raise
        before = sum(each.auto.key in succession.gone for each in self._holdings.first)
        self._log.info(
            "{before} certificates become {after}, for the names were too many for an authority",
            event="names-divided",
            before=before,
            after=len(succession.first),
        )
        await self._replace(succession)
        for key in succession.gone:
            self._forget(key)
        await self._provisioning.dismiss()


def _hasBegun(certificate: AnyCertificate) -> bool:
    return not (isinstance(certificate, AutoCertificate) and certificate.standing.isQueued)
