"""
What is kept of certificates, of all authorities together: those that were issued,
and the orders under way.

There is one ledger, or there are two: with a second certificate for each set of
names, those have one of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..acme.resumption import abandon
from ..config.model import Auto
from ..facts import Credential
from ..store.directory import StateError
from .stock import Stock

if TYPE_CHECKING:
    from txacme.interfaces import ICertificateStore

    from ..acme.journal import Journal
    from ..store.revocations import Revocations
    from .presenting import Presenter

__all__ = ["Disown", "Ledger", "Save"]

#: Keeps a certificate.
Save = Callable[[Credential], Deferred[None]]

#: Called with a certificate, PEM, its key, and whether it is revoked.  Fails with
#: L{OSError} when that is not on the disk, and counts for this process all the same.
Disown = Callable[[bytes, bytes, bool], Deferred[None]]


class Ledger:
    """
    Certificates and orders of one kind.
    """

    _log = Logger()

    def __init__(
        self,
        stores: Sequence[ICertificateStore],
        journals: Sequence[Journal],
        presenter: Presenter,
        isRSA: bool | None = None,
        revocations: Sequence[Revocations] = (),
    ) -> None:
        """
        @param stores: Where certificates rest, by authority, the preferred first.
        @param journals: The orders under way, likewise.
        @param presenter: Presents their answers.
        @param isRSA: As for
            L{Credentials<smartproxy_tw.store.certificates.Credentials>}.
        @param revocations: What was revoked, by authority.
        """
        from ..store.certificates import Credentials

        self._credentials = [Credentials(each, isRSA) for each in stores]
        self._journals = tuple(journals)
        self._presenter = presenter
        self._revocations = tuple(revocations)
        self._isTwin = bool(isRSA)
        self._stock: Stock | None = None
        self._hasAnswered = False

    def saving(self, number: int) -> Save:
        """
        What keeps a certificate, and takes its order as done.

        @param number: Of the authority that issued it; 0: the preferred.
        """
        return lambda credential: Deferred.fromCoroutine(self._keep(number, credential))

    def fileOf(self, number: int) -> Callable[[Iterable[str]], str | None]:
        """
        What says in which file a certificate for some names is kept.

        @param number: As of L{saving}.
        """
        return self._credentials[number].fileOf

    def disowning(self, number: int) -> Disown:
        """
        What keeps a certificate that is revoked from ever being served again.

        @param number: As of L{saving}.
        """
        return lambda chain, key, isRevoked: Deferred.fromCoroutine(
            self._disown(number, chain, key, isRevoked)
        )

    async def stored(self) -> Stock:
        """
        What is there for each identity, the newest of all authorities, and which
        of the fallbacks issued it; without what was revoked.  The stores are read
        once: nobody else writes to them, and what comes later is known here first.

        @raise StateError: It cannot be read.
        """
        if self._stock is None:
            self._stock = await self._read()
        return self._stock

    async def _read(self) -> Stock:
        from ..acme.x509 import describe

        found: dict[str, Credential] = {}
        issuers: dict[str, int] = {}
        try:
            for number, credentials in enumerate(self._credentials):
                for key, credential in (await credentials.load()).items():
                    if any(each.has(credential.chain) for each in self._revocations):
                        continue
                    before = found.get(key)
                    began = 0.0 if before is None else describe(before.chain).notBefore
                    if before is None or describe(credential.chain).notBefore > began:
                        found[key] = credential
                        if number:
                            issuers[key] = number
        except OSError as why:
            raise StateError(f"The stored certificates cannot be read: {why}.") from why
        return Stock(found, issuers)

    async def answer(self) -> None:
        """
        Have what an authority may come for served from the first connection
        on: whoever ran before us told it that it may.  Without effect when it was
        done before.
        """
        if self._hasAnswered:
            return
        self._hasAnswered = True
        for journal in self._journals:
            await journal.load()
            for challenge in journal.challenges():
                try:
                    await self._presenter.recall(challenge)
                except ValueError as why:
                    self._log.warn(
                        "The answer for {name} that an order left behind cannot be served: {why}",
                        event="order-answer-unusable",
                        name=challenge.name,
                        why=str(why),
                    )

    async def dismiss(self, wanted: Iterable[Iterable[str]]) -> None:
        """
        Forget the orders that nobody will go on with.

        @param wanted: The sets of names that somebody will ask for.
        """
        sets = {frozenset(each) for each in wanted}
        for journal in self._journals:
            for entry in journal.entries:
                names = frozenset(entry.names)
                if names not in sets and not any(each.issuperset(names) for each in sets):
                    await abandon(entry, journal, self._presenter)

    async def _keep(self, number: int, credential: Credential) -> None:
        journal = self._journals[number]
        entry = journal.ofKey(credential.key)
        self._learn(number, credential)
        await self._credentials[number].save(credential)
        if entry is None:
            return
        await journal.forget(entry.names)
        for other in self._journals:
            # What another authority was asked for before is needed no more.
            asked = other.find(entry.names)
            if asked is not None:
                await abandon(asked, other, self._presenter)

    def _learn(self, number: int, credential: Credential) -> None:
        from ..acme.x509 import describe

        if self._stock is not None:
            names = describe(credential.chain).names
            self._stock.put(Auto(names, isTwin=self._isTwin).key, credential, number)

    async def _disown(self, number: int, chain: bytes, key: bytes, isRevoked: bool) -> None:
        if number >= len(self._revocations):
            return
        revocations = self._revocations[number]
        if not isRevoked:
            await revocations.remove(chain)
            return
        if self._stock is not None:
            self._stock.remove(chain)
        for journal in self._journals:
            # Of an order whose certificate is not kept yet: the next process would
            # take it up, and have that certificate again.
            entry = journal.ofKey(key)
            if entry is not None:
                await journal.forget(entry.names)
        await revocations.add(chain)
