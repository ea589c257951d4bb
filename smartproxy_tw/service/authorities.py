"""
The authorities that one proxy has its certificates of, the preferred one first: who may
ask each of them now, what is kept of each, and the ways there for one certificate.

All are treated alike.  That one is preferred shows only in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import field
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..acme.budget import limitsOf
from ..acme.errors import AuthorityUndecided
from ..acme.journal import Journal
from ..bounds.within import within
from ..values import dataclass
from .admission import Admission, Probe
from .ledger import Ledger
from .stock import Stock
from .ways import Obtain, Way

if TYPE_CHECKING:
    from ..config.model import Acme, Auto
    from ..facts import Credential
    from .caution import Identify
    from .memory import Memory
    from .presenting import Presenter
    from .renewal import Advise
    from .revoking import Revoke
    from .storage import Shelf

__all__ = ["Asked", "Authorities"]

#: An authority that does not come to an end with a revocation within so many seconds
#: counts as away.
_PATIENCE = 100.0


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One of them.

    @ivar shelf: What is kept of it.
    @ivar obtain: Places an order.
    @ivar close: Closes the way to it, after the last order.
    @ivar memory: Remembers its budget, and the failed orders if it is the preferred.
    @ivar probe: Looks whether it can be reached.
    @ivar advise: Asks it when to renew a certificate.
    @ivar journal: The orders under way there.
    @ivar twins: Those for second certificates.
    @ivar revoke: Has it revoke one; L{None}: it cannot be asked.
    @ivar identify: Tells who it is.
    """

    shelf: Shelf
    obtain: Obtain
    close: Callable[[], Deferred[None]]
    memory: Memory
    probe: Probe | None = None
    advise: Advise | None = None
    journal: Journal = field(default_factory=Journal)
    twins: Journal = field(default_factory=Journal)
    revoke: Revoke | None = None
    identify: Identify | None = field(default=None, kw_only=True)


class Authorities:
    """
    All of them.
    """

    def __init__(
        self, asked: Sequence[Asked], acme: Acme, presenter: Presenter, clock: IReactorTime, chance: Random
    ) -> None:
        """
        @param asked: In the order in which they are asked.
        @param acme: Which kinds of certificates are wanted of each, and of which keys.
        @param presenter: Presents answers that were under way.
        @param clock: The time, POSIX seconds.
        @param chance: Spreads what would happen at one moment.
        """
        self._asked = tuple(asked)
        self._clock = clock
        profiles = {each.directory: each.profile for each in (*acme.fallbacks, acme)}
        self._admissions = [
            Admission(
                limitsOf(each.shelf.directory),
                each.memory,
                clock,
                chance,
                each.probe,
                profile=profiles.get(each.shelf.directory),
            )
            for each in self._asked
        ]
        hasTwins = acme.keyType == "both"
        stores = [each.shelf.certificates for each in self._asked]
        revoked = [each.shelf.revocations for each in self._asked]
        journals = [each.journal for each in self._asked]
        self._ledger = Ledger(stores, journals, presenter, False if hasTwins else None, revoked)
        twins = [each.twins for each in self._asked]
        self._twinLedger = Ledger(stores, twins, presenter, True, revoked) if hasTwins else None

    @property
    def hasTwins(self) -> bool:
        """
        Whether second certificates are had of them.
        """
        return self._twinLedger is not None

    @property
    def isBusy(self) -> bool:
        """
        Whether orders wait for their turn at any.
        """
        return any(each.waiting for each in self._admissions)

    @property
    def learned(self) -> dict[str, int]:
        """
        How many names each takes, by the URL of its directory, where that is known.
        """
        found = zip(self._asked, self._admissions, strict=True)
        return {
            asked.shelf.directory: admission.mostNames
            for asked, admission in found
            if admission.mostNames is not None
        }

    def ways(self, auto: Auto) -> list[Way]:
        """
        The ways to one certificate.
        """
        ledger = self._twinLedger if auto.isTwin else self._ledger
        assert ledger is not None
        return [
            Way(
                asked.shelf.directory,
                admission,
                partial(asked.obtain, isTwin=True) if auto.isTwin else asked.obtain,
                ledger.saving(number),
                _advising(admission, asked.advise),
                ledger.fileOf(number),
                asked.identify,
                self._revoking(admission, asked.revoke),
                ledger.disowning(number),
            )
            for number, (asked, admission) in enumerate(zip(self._asked, self._admissions, strict=True))
        ]

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """
        What is asked for meanwhile has its turn at the end: see
        L{Admission.gathering}.
        """
        with ExitStack() as stack:
            for admission in self._admissions:
                stack.enter_context(admission.gathering())
            yield

    async def answer(self) -> None:
        """
        Have what they may come for served, see L{Ledger.answer}.
        """
        await self._ledger.answer()
        if self._twinLedger is not None:
            await self._twinLedger.answer()

    async def stored(self) -> tuple[Stock, Stock]:
        """
        What is kept, see L{Ledger.stored}, and what of second certificates.

        @raise StateError: It cannot be read.
        """
        twins = Stock({}) if self._twinLedger is None else await self._twinLedger.stored()
        return await self._ledger.stored(), twins

    async def dismiss(self, wanted: Iterable[Iterable[str]], twins: Iterable[Iterable[str]]) -> None:
        """
        Forget the orders that nobody will go on with.

        @param wanted: For which names one would be gone on with.
        @param twins: For which a second one would be.
        """
        await self._ledger.dismiss(wanted)
        if self._twinLedger is not None:
            await self._twinLedger.dismiss(twins)

    def stop(self) -> None:
        """
        Let nobody ask any more.
        """
        for each in self._admissions:
            each.stop()

    async def close(self) -> None:
        """
        Close the ways there, and see what is remembered of each on the disk.
        """
        for each in self._asked:
            await each.close()
            await each.memory.whenWritten()

    def _revoking(self, admission: Admission, revoke: Revoke | None) -> Revoke | None:
        if revoke is None:
            return None
        ask = revoke

        def revoking(
            credential: Credential, reason: int | None = None, *, byKey: bool = False
        ) -> Deferred[None]:
            asking = admission.ask(lambda: ask(credential, reason, byKey=byKey))
            return within(_PATIENCE, self._clock, asking).addErrback(_late)

        return revoking


def _advising(admission: Admission, advise: Advise | None) -> Advise | None:
    return None if advise is None else lambda chain: admission.ask(lambda: advise(chain))


def _late(failure: Failure) -> None:
    failure.trap(TimeoutError)  # type: ignore[no-untyped-call]
    raise AuthorityUndecided("the revocation", _PATIENCE)
