"""
How it stands with every certificate of a configuration, as far as the state
directory tells: whether a proxy runs or not, nothing is locked, made or changed.

What a running proxy knows and does not write down is missing here: whether an order
waits for its turn, and when the authority would like to see a certificate renewed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Literal

from twisted.internet.defer import maybeDeferred

from ..acme.entry import Entry, decode
from ..acme.schedule import LONGEST_WAIT, renewalDue, retryAfter
from ..config.division import divided
from ..config.model import Auto, CertificateSource, Config, Files
from ..service.stock import Stock, isCovered
from ..store.attempts import Attempt, DirectoryAttempts
from ..store.certificates import Credentials, DirectoryCertificates
from ..store.directory import SecureDirectory
from ..store.naming import authorityName
from ..store.revocations import Revocations
from ..store.uses import DirectoryUses, Uses
from ..values import dataclass
from .waiting import result

if TYPE_CHECKING:
    from ..acme.x509 import CertificateFacts
    from ..facts import Credential

__all__ = ["Record", "State", "asDivided", "survey"]

#: C{missing}: there is none, what answers is self-signed.  C{partial}: there is one
#: for some of the names only.  C{expired}, C{valid}: as they are called.  C{due}:
#: valid, and its successor is to be had.  C{unusable}: the files do not make sense.
#: C{internal}: the local authority makes it when the proxy starts.
State = Literal["missing", "partial", "expired", "due", "valid", "unusable", "internal"]


@dataclass(frozen=True, slots=True)
class Record:
    """
    One certificate that the configuration wants.

    @ivar source: Where it is to come from.
    @ivar routes: Who wants it.
    @ivar state: See L{State}.
    @ivar facts: What the one says that is served; L{None}: there is none.
    @ivar authority: The URL of the directory that issued it, or L{None}.
    @ivar attempt: The last failure, if it failed last time.
    @ivar begun: Since when an order is under way, POSIX seconds, or L{None}.
    @ivar next: When it is to be asked for next, POSIX seconds; L{None}: never, or
        by somebody else.
    @ivar why: Why then, for people.
    """

    source: CertificateSource
    routes: tuple[str, ...]
    state: State
    facts: CertificateFacts | None = None
    authority: str | None = None
    attempt: Attempt | None = None
    begun: float | None = None
    next: float | None = None
    why: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """
        What it is to be for.
        """
        if isinstance(self.source, Files):
            return self.facts.names if self.facts is not None else ()
        return self.source.names


def survey(config: Config, now: float) -> tuple[Record, ...]:
    """
    All that the routes want, in their order.

    @param config: What is wanted, and where the state directory is.
    @param now: POSIX seconds.
    @raise OSError: The state directory cannot be read.
    """
    found: dict[str, tuple[CertificateSource, list[str]]] = {}
    for route in config.routes:
        for source in () if route.tls is None else route.tls.sources:
            found.setdefault(source.key, (source, []))[1].append(route.name)
    state = _State(config, now)
    return tuple(state.record(source, tuple(routes)) for source, routes in found.values())


def asDivided(config: Config) -> Config:
    """
    A configuration with the certificates that a proxy would have: authorities may
    have said how many names they take.
    """
    learned = {}
    for authority in (config.acme, *config.acme.fallbacks):
        place = os.path.join(config.stateDir, "certificates", authorityName(authority.directory))
        uses = DirectoryUses(SecureDirectory(place)).load() if os.path.isdir(place) else Uses()
        most = uses.mostNames.get(authority.profile or "")
        if most is not None:
            learned[authority.directory] = most
    return divided(config, learned)


class _State:
    """
    What the state directory holds.
    """

    def __init__(self, config: Config, now: float) -> None:
        self._config = config
        self._now = now
        directories = [each.directory for each in (config.acme, *config.acme.fallbacks)]
        self._orders = [entry for each in directories for entry in self._begun(each)]
        self._attempts = DirectoryAttempts(self._place("certificates", directories[0])).load()
        self._authorities: dict[bytes, str] = {}
        self._stock = Stock(self._issued(directories))

    def record(self, source: CertificateSource, routes: tuple[str, ...]) -> Record:
        if isinstance(source, Auto):
            return self._auto(source, routes)
        if isinstance(source, Files):
            return self._files(source, routes)
        return Record(source, routes, "internal", why="the local authority renews it while the proxy runs")

    def _auto(self, source: Auto, routes: tuple[str, ...]) -> Record:
        from ..acme.x509 import describe

        best = self._stock.bestFor(source.key, source.names, self._now)
        facts = None if best is None else describe(best.chain)
        attempt = self._attempts.get(source.key)
        began = [each.began for each in self._orders if set(each.names) == set(source.names)]
        state, due, why = self._standing(source, facts)
        if attempt is not None:
            # As C{Backoff} reckons; what it leaves to chance is not known here.
            again = max(attempt.at + retryAfter(attempt.failures), attempt.notBefore)
            due = max(due, min(again, self._now + LONGEST_WAIT))
            asked = attempt.notBefore >= again
            count = "1 failure" if attempt.failures == 1 else f"{attempt.failures} failures in a row"
            why = f"after {count}{'; the authority asked for that long' if asked else ''}"
        return Record(
            source=source,
            routes=routes,
            state=state,
            facts=facts,
            authority=None if best is None else self._authorities.get(best.chain),
            attempt=attempt,
            begun=min(began, default=None),
            next=max(due, self._now),
            why=why,
        )

    def _standing(self, source: Auto, facts: CertificateFacts | None) -> tuple[State, float, str]:
        if facts is None:
            return "missing", 0.0, "there is none"
        if facts.notAfter <= self._now:
            return "expired", 0.0, "it has expired"
        if not all(isCovered(name, facts.names) for name in source.names):
            return "partial", 0.0, "it is not for all of the names"
        due = renewalDue(facts.notBefore, facts.notAfter, Random(facts.serial).random())
        return ("due" if due.at <= self._now else "valid"), due.at, due.why

    def _files(self, source: Files, routes: tuple[str, ...]) -> Record:
        from ..acme.x509 import describe

        try:
            with open(source.certificate, "rb") as file:
                facts = describe(file.read())
        except (OSError, ValueError) as why:
            return Record(source, routes, "unusable", why=f"{source.certificate}: {why}")
        state: State = "expired" if facts.notAfter <= self._now else "valid"
        return Record(source, routes, state, facts, why=f"whoever writes {source.certificate}")

    def _issued(self, directories: list[str]) -> Mapping[str, Credential]:
        # The newest of all authorities, as a start takes them.
        from ..acme.x509 import describe

        found: dict[str, Credential] = {}
        for directory in directories:
            place = self._place("certificates", directory)
            store = Credentials(DirectoryCertificates(place))
            revocations = Revocations(place, maybeDeferred, lambda: self._now)
            try:
                loaded = result(store.load())
            except FileNotFoundError:
                continue
            for key, each in loaded.items():
                if revocations.has(each.chain):
                    continue
                self._authorities[each.chain] = directory
                if key not in found or describe(each.chain).notBefore > describe(found[key].chain).notBefore:
                    found[key] = each
        return found

    def _begun(self, directory: str) -> list[Entry]:
        place = self._place("orders", directory)
        found = []
        try:
            names = place.names(".json")
        except FileNotFoundError:
            return []
        for name in names:
            try:
                found.append(decode(place.read(name) or b""))
            except ValueError:
                continue  # The start of a proxy sees to it, and says so.
        return found

    def _place(self, kind: str, directory: str) -> SecureDirectory:
        return SecureDirectory(os.path.join(self._config.stateDir, kind, authorityName(directory)))
