"""
How one certificate by ACME comes to be seen by clients: the data path has it first, then all
who look after it, then the store.

What is served is only ever replaced by something better: a self-signed certificate by any, a
certificate by its successor, and that once the data path has taken it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..config.model import Auto, twinOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..facts import Credential
    from ..interfaces import IPlane
    from .events import Herald
    from .expiry import Expiry
    from .keeper import Keeper
    from .renewal import Renewal
    from .served import Served
    from .stock import Stock
    from .ways import Way

__all__ = ["Serving"]


class Serving:
    """
    Of one set of names.
    """

    _log = Logger()

    def __init__(
        self,
        auto: Auto,
        plane: IPlane,
        clock: IReactorTime,
        served: Served,
        *,
        renewal: Renewal,
        expiry: Expiry,
        keeper: Keeper,
        herald: Herald,
    ) -> None:
        """
        @param auto: The names.
        @param plane: What serves.
        @param clock: The time, POSIX seconds.
        @param served: Told what is served.
        @param renewal: Asks when it is to be renewed.
        @param expiry: Sees to it that its end is not missed.
        @param keeper: Has it in the store.
        @param herald: Tells of it.
        """
        self._auto = auto
        self._plane = plane
        self._clock = clock
        self._served = served
        self._renewal = renewal
        self._expiry = expiry
        self._keeper = keeper
        self._herald = herald
        self._isOver = False

    async def load(self, stored: Stock, ways: Sequence[Way], twins: Stock | None = None) -> None:
        """
        Serve what the store has, or else something self-signed; in place of a second
        certificate nothing.

        @param stored: What the store holds.
        @param ways: To those who may have issued it, numbered as in the stock.
        @param twins: What it holds of second certificates: better than something
            self-signed in any case.
        """
        credential = stored.bestFor(self._auto.key, self._auto.names, self._clock.seconds())
        if credential is not None:
            try:
                await self._serve(credential, ways[stored.issuerOf(credential)])
                return
            except ValueError as why:
                self._log.warn(
                    "The stored certificate for {names} cannot be served: {why}",
                    event="certificate-unusable",
                    names=self._auto.title,
                    why=str(why),
                )
        if not self._auto.isTwin:
            await self._standIn(twins)

    async def install(self, credential: Credential, way: Way) -> None:
        """
        Serve one that was just issued, and have it kept.

        @param credential: It.
        @param way: To who issued it.
        """
        before = self._served.facts
        await self._serve(credential, way)
        assert self._served.facts is not None
        self._herald.served(before, self._served.facts)
        self._keeper.keep(credential)

    def end(self) -> None:
        """
        Look after what is served no more, and not after what may still come.
        """
        self._isOver = True
        self._expiry.end()
        self._renewal.end()

    async def _standIn(self, twins: Stock | None) -> None:
        from ..acme.x509 import selfSigned

        key, names, now = self._auto.key, self._auto.names, self._clock.seconds()
        twin = None if twins is None else twins.bestFor(twinOf(key) or "", names, now)
        await self._plane.install(key, twin or selfSigned(names, now=now))

    async def _serve(self, credential: Credential, way: Way) -> None:
        from ..acme.x509 import describe

        facts = describe(credential.chain)
        await self._plane.install(self._auto.key, credential)
        self._served.become(credential, facts, way)
        if not self._isOver:
            self._expiry.follow(facts)
            self._renewal.advise = way.advise
            self._renewal.follow(facts, credential.chain)
