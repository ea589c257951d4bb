"""
Something to be served for each certificate, before anybody is asked for one: from the
store, from files, by the local authority, or else self-signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from .errors import CertificateError
from .gathering import gathered
from .succession import Succession, portions

if TYPE_CHECKING:
    from .authorities import Authorities
    from .files import FileCertificate
    from .internal import InternalCertificate
    from .standins import StandIns
    from .storage import Storage

__all__ = ["Loading"]


class Loading:
    """
    Of the certificates of one proxy.
    """

    def __init__(
        self, authorities: Authorities, storage: Storage, standIns: StandIns, clock: IReactorTime
    ) -> None:
        """
        @param authorities: Keep what they have issued.
        @param storage: Has the local authority.
        @param standIns: Found for what is missing.
        @param clock: Gives others their turn.
        """
        self._authorities = authorities
        self._storage = storage
        self._standIns = standIns
        self._clock = clock

    async def have(self, some: Succession, served: Iterable[str], atOnce: int) -> None:
        """
        Have something served for some certificates.

        @param served: The identities of those by ACME that are served already.
        @param atOnce: After so many of them others have their turn.
        @raise CertificateError: The text names every pair of files that cannot be used.
        @raise StateError: What is kept cannot be read.
        """
        if some.first:
            await self._authorities.answer()
        if some.internal:
            self._storage.authority.open()
        await self._haveFixed((*some.files, *some.internal), atOnce)
        if some.first:
            await self._haveStored(some, served, atOnce)

    async def _haveFixed(self, some: tuple[FileCertificate | InternalCertificate, ...], atOnce: int) -> None:
        problems: list[str] = []
        for number, each in enumerate(some, 1):
            try:
                await each.load()
            except (CertificateError, ValueError) as why:
                problems.append(str(why))
            if number % atOnce == 0:
                await self._pause()
        if problems:
            raise CertificateError("\n".join(problems))

    async def _haveStored(self, some: Succession, served: Iterable[str], atOnce: int) -> None:
        stored, twins = await self._authorities.stored()
        known = {*served, *(each.auto.key for each in some.first)}
        for portion in portions(some.first, atOnce):
            await gathered(each.load(stored, twins) for each in portion)
            await self._standIns.find(portion, stored, known)
            if len(portion) == atOnce:
                await self._pause()
        for portion in portions(tuple(some.twins.values()), atOnce):
            await gathered(each.load(twins) for each in portion)
            if len(portion) == atOnce:
                await self._pause()

    def _pause(self) -> Deferred[None]:
        return deferLater(self._clock, 0.0)
