"""
All the certificates of one proxy: loaded before anything listens, asked for only
once everything does.

The second half of that is not left to the caller.  Whoever calls
L{Certificates.provisionAll} early is made to wait at the gate, and if the ports
cannot be had, nothing is asked of any authority at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..acme.budget import limitsOf
from ..acme.entry import Entry
from ..acme.journal import Journal
from ..config.model import Auto, CertificateSource, Config, Files, Internal
from ..facts import Credential
from ..interfaces import IPlane
from ..store.directory import StateError
from .admission import Admission, Probe
from .alarm import Timetable
from .automatic import AutoCertificate, Obtain
from .crowd import Crowd
from .errors import CertificateError
from .events import Events
from .files import FileCertificate, interval
from .gathering import gathered
from .internal import InternalCertificate
from .memory import Memory
from .presenting import Presenter
from .rehearsal import Rehearsal
from .renewal import Advise
from .status import CertificateStatus
from .stock import Stock
from .storage import Shelf, Storage
from .ways import Way

if TYPE_CHECKING:
    from ..store.certificates import Credentials

__all__ = ["Certificates", "Fallback"]

#: Keeps a certificate.
Save = Callable[[Credential], Deferred[None]]

#: What the states are called where they are counted.
_WORDS = {
    "missing": "self-signed until there is one",
    "failed": "that could not be had last time",
    "expired": "expired",
    "valid": "valid",
}


@dataclass(frozen=True, slots=True)
class Fallback:
    """
    Another authority; each part is what L{Certificates} has of the preferred one.

    @ivar shelf: What is kept of it.
    """

    shelf: Shelf
    obtain: Obtain
    close: Callable[[], Deferred[None]]
    memory: Memory
    probe: Probe | None = None
    advise: Advise | None = None
    journal: Journal = field(default_factory=Journal)


class Certificates:
    """
    Sees to it that every terminating route has something to show, and that it
    is as good as can be had.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        plane: IPlane,
        storage: Storage,
        obtain: Obtain,
        clock: IReactorTime,
        *,
        gate: Callable[[], Deferred[None]],
        close: Callable[[], Deferred[None]],
        journal: Journal,
        presenter: Presenter | None = None,
        memory: Memory,
        chance: Random,
        probe: Probe | None = None,
        advise: Advise | None = None,
        fallbacks: Sequence[Fallback] = (),
        rehearsal: Rehearsal | None = None,
        events: Events | None = None,
    ) -> None:
        """
        @param config: Which are wanted.
        @param plane: What serves.
        @param storage: What was kept; open.
        @param obtain: Places an order.
        @param clock: The time, POSIX seconds.
        @param gate: Gives a Deferred that fires once every port is bound and
            adopted, and fails when that cannot be.
        @param close: Closes the way to the authority, after the last order.
        @param journal: The orders under way.
        @param presenter: Presents their answers; by default the data path alone does.
        @param memory: Remembers failed orders, and the authority's budget.
        @param chance: Spreads what would happen at one moment.
        @param probe: Looks whether the authority can be reached.
        @param advise: Asks it when to renew a certificate.
        @param fallbacks: Whom else to ask, in this order.
        @param rehearsal: Tries out what failed again and again.
        @param events: Told what happens.
        """
        from ..store.certificates import Credentials

        self._gate = gate
        self._close = close
        self._plane = plane
        self._presenter = presenter or Presenter(plane, None)
        self._dismissing: Deferred[None] = succeed(None)
        self._memory = memory
        self._storage = storage
        self._credentials = Credentials(storage.certificates)
        save = self._saving(journal, self._credentials)
        limits = limitsOf(config.acme.directory)
        self._admission = Admission(limits, memory, clock, chance, probe)
        self._fallbacks = tuple(fallbacks)
        self._rehearsal = rehearsal
        self._others: list[Admission] = []
        self._journals = (journal, *(each.journal for each in fallbacks))
        ways = [self._way(each, clock, chance) for each in fallbacks]
        self._timetable = Timetable(clock)
        self._crowd = Crowd(plane, clock, self._isBusy, self._touch)
        self._automatic: list[AutoCertificate] = []
        self._internal: list[InternalCertificate] = []
        self._files: list[FileCertificate] = []
        sources = _sources(config)
        seconds = interval(sum(isinstance(source, Files) for source in sources))
        for source in sources:
            if isinstance(source, Auto):
                self._automatic.append(
                    AutoCertificate(
                        source,
                        plane,
                        obtain,
                        save,
                        clock,
                        admission=self._admission,
                        timetable=self._timetable,
                        memory=memory,
                        chance=chance,
                        advise=None if advise is None else _asking(self._admission, advise),
                        directory=config.acme.directory,
                        fallbacks=ways,
                        rehearsal=rehearsal,
                        events=events,
                        fileOf=self._credentials.fileOf,
                    )
                )
            elif isinstance(source, Internal):
                self._internal.append(InternalCertificate(source, plane, storage.authority, clock))
            else:
                self._files.append(FileCertificate(source, plane, clock, seconds))

        self._byKey = {each.auto.key: each for each in self._automatic}

    def load(self) -> Deferred[None]:
        """
        Have something served for every certificate that is wanted: from the
        store, from files, by the local authority, or else self-signed.

        @return: Fires when all of it is installed.  Fails with
            L{CertificateError}, whose text names every pair of files that
            cannot be used, or with L{StateError}.
        """
        return Deferred.fromCoroutine(self._load())

    def provisionAll(self) -> Deferred[tuple[CertificateStatus, ...]]:
        """
        Ask for every certificate that is missing or due, once the ports are
        bound and adopted, and renew them all in time from then on.  Calling it
        again is harmless: an order that is under way is waited for, and after
        a failure nothing is asked before its time.

        @return: Fires with L{status} when every order has ended, well or not.
            Fails as the gate fails; nothing was asked then.
        """
        return Deferred.fromCoroutine(self._provisionAll())

    def status(self) -> tuple[CertificateStatus, ...]:
        """
        How it stands with each.
        """
        return tuple(each.status() for each in self._all)

    def stop(self) -> Deferred[None]:
        """
        End every order, withdraw its challenges, and renew nothing any more.

        @return: Fires when that is done.
        """
        return Deferred.fromCoroutine(self._stop())

    @property
    def _all(self) -> tuple[AutoCertificate | InternalCertificate | FileCertificate, ...]:
        return (*self._automatic, *self._internal, *self._files)

    def _way(self, fallback: Fallback, clock: IReactorTime, chance: Random) -> Way:
        from ..store.certificates import Credentials

        directory = fallback.shelf.directory
        admission = Admission(limitsOf(directory), fallback.memory, clock, chance, fallback.probe)
        self._others.append(admission)
        credentials = Credentials(fallback.shelf.certificates)
        return Way(
            directory,
            admission,
            fallback.obtain,
            self._saving(fallback.journal, credentials),
            None if fallback.advise is None else _asking(admission, fallback.advise),
            credentials.fileOf,
        )

    async def _load(self) -> None:
        stored = await self._stored()
        await self._answer()
        if self._internal:
            self._storage.authority.open()
        problems: list[str] = []
        for certificate in self._files:
            try:
                await certificate.load()
            except CertificateError as why:
                problems.append(str(why))
        for internal in self._internal:
            try:
                await internal.load()
            except ValueError as why:
                problems.append(str(why))
        if problems:
            raise CertificateError("\n".join(problems))
        await gathered(each.load(stored) for each in self._automatic)
        states = Counter(status.state for status in self.status())
        self._log.info(
            "Loaded the certificates: {summary}",
            event="certificates-loaded",
            summary=", ".join(f"{count} {_WORDS[state]}" for state, count in states.items()) or "none wanted",
        )

    def _saving(self, journal: Journal, credentials: Credentials) -> Save:
        return lambda credential: Deferred.fromCoroutine(self._keep(journal, credentials, credential))

    async def _keep(self, journal: Journal, credentials: Credentials, credential: Credential) -> None:
        entry = journal.ofKey(credential.key)
        await credentials.save(credential)
        if entry is None:
            return
        await journal.forget(entry.names)
        for other in self._journals:
            # What another authority was asked for before is needed no more.
            asked = other.find(entry.names)
            if asked is not None:
                await self._abandon(other, asked)

    async def _answer(self) -> None:
        """
        Have what an authority may come for served from the first connection
        on: whoever ran before us told it that it may.
        """
        if not self._automatic:
            return
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

    async def _dismiss(self) -> None:
        """
        Forget the orders that nobody will go on with.
        """
        wanted = {frozenset(each.auto.names) for each in self._automatic if each.isWanting}
        for journal in self._journals:
            for entry in journal.entries:
                names = frozenset(entry.names)
                if names not in wanted and not any(each.issuperset(names) for each in wanted):
                    await self._abandon(journal, entry)

    async def _abandon(self, journal: Journal, entry: Entry) -> None:
        for challenge in journal.challengesOf(entry):
            try:
                await self._presenter.withdraw(challenge)
            except Exception as why:
                self._log.warn(
                    "The answer for {name} that an order left behind could not be withdrawn: {why}",
                    event="order-answer-left",
                    name=challenge.name,
                    why=str(why),
                )
        await journal.forget(entry.names)

    async def _stored(self) -> Stock:
        """
        What is there for each identity, the newest of all authorities, and which
        of the fallbacks issued it.
        """
        from ..acme.x509 import describe
        from ..store.certificates import Credentials

        if not self._automatic:
            return Stock({})
        issuers: dict[str, int] = {}
        try:
            found = await self._credentials.load()
            for number, fallback in enumerate(self._fallbacks, 1):
                for key, credential in (await Credentials(fallback.shelf.certificates).load()).items():
                    before = found.get(key)
                    began = 0.0 if before is None else describe(before.chain).notBefore
                    if describe(credential.chain).notBefore > began:
                        found[key], issuers[key] = credential, number
        except OSError as why:
            raise StateError(f"The stored certificates cannot be read: {why}.") from why
        return Stock(found, issuers)

    async def _provisionAll(self) -> tuple[CertificateStatus, ...]:
        await self._gate()
        # In the background: records in the DNS take their time.
        self._dismissing = Deferred.fromCoroutine(self._dismiss())
        self._crowd.watch()
        with self._admission.gathering():
            ended = gathered([each.provision() for each in self._automatic])
        await ended
        return self.status()

    def _isBusy(self) -> bool:
        return any(each.waiting for each in (self._admission, *self._others))

    def _touch(self, key: str, asked: float) -> None:
        certificate = self._byKey.get(key)
        if certificate is not None:
            certificate.touch(asked)

    async def _stop(self) -> None:
        self._crowd.stop()
        self._dismissing.addErrback(_cancelled)
        self._dismissing.cancel()
        for each in self._all:
            await each.stop()
        for admission in (self._admission, *self._others):
            admission.stop()
        if self._rehearsal is not None:
            await self._rehearsal.stop()
        await self._close()
        await self._memory.whenWritten()
        for fallback in self._fallbacks:
            await fallback.close()
            await fallback.memory.whenWritten()


def _asking(admission: Admission, advise: Advise) -> Advise:
    return lambda chain: admission.ask(lambda: advise(chain))


def _cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)  # type: ignore[no-untyped-call]


def _sources(config: Config) -> tuple[CertificateSource, ...]:
    found: dict[str, CertificateSource] = {}
    for route in config.routes:
        if route.tls is not None and route.tls.certificate is not None:
            found.setdefault(route.tls.certificate.key, route.tls.certificate)
    return tuple(found.values())
