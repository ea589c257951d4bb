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
from dataclasses import dataclass
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..acme.budget import limitsOf
from ..config.model import Auto, CertificateSource, Config, Files, Internal
from ..interfaces import IPlane
from ..store.directory import StateError
from .admission import Admission, Probe
from .alarm import Timetable
from .automatic import AutoCertificate, Obtain
from .crowd import Crowd
from .errors import CertificateError
from .files import FileCertificate, interval
from .gathering import gathered
from .internal import InternalCertificate
from .memory import Memory
from .rehearsal import Rehearsal
from .renewal import Advise
from .status import CertificateStatus
from .stock import Stock
from .storage import Shelf, Storage
from .ways import Way

__all__ = ["Certificates", "Fallback"]

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
        memory: Memory,
        chance: Random,
        probe: Probe | None = None,
        advise: Advise | None = None,
        fallbacks: Sequence[Fallback] = (),
        rehearsal: Rehearsal | None = None,
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
        @param memory: Remembers failed orders, and the authority's budget.
        @param chance: Spreads what would happen at one moment.
        @param probe: Looks whether the authority can be reached.
        @param advise: Asks it when to renew a certificate.
        @param fallbacks: Whom else to ask, in this order.
        @param rehearsal: Tries out what failed again and again.
        """
        from ..store.certificates import Credentials

        self._gate = gate
        self._close = close
        self._memory = memory
        self._storage = storage
        self._credentials = Credentials(storage.certificates)
        limits = limitsOf(config.acme.directory)
        self._admission = Admission(limits, memory, clock, chance, probe)
        self._fallbacks = tuple(fallbacks)
        self._rehearsal = rehearsal
        self._others: list[Admission] = []
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
                        self._credentials.save,
                        clock,
                        admission=self._admission,
                        timetable=self._timetable,
                        memory=memory,
                        chance=chance,
                        advise=None if advise is None else _asking(self._admission, advise),
                        directory=config.acme.directory,
                        fallbacks=ways,
                        rehearsal=rehearsal,
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
        return Way(
            directory,
            admission,
            fallback.obtain,
            Credentials(fallback.shelf.certificates).save,
            None if fallback.advise is None else _asking(admission, fallback.advise),
        )

    async def _load(self) -> None:
        stored = await self._stored()
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


def _sources(config: Config) -> tuple[CertificateSource, ...]:
    found: dict[str, CertificateSource] = {}
    for route in config.routes:
        if route.tls is not None and route.tls.certificate is not None:
            found.setdefault(route.tls.certificate.key, route.tls.certificate)
    return tuple(found.values())
