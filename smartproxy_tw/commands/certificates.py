"""
C{smartproxy certificates}: take over what another program has, so that the day of
the change places no order.

Every function returns whether all went well, and prints for people.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.internet.defer import maybeDeferred

from ..config.model import Auto
from ..service.stock import Stock, isCovered
from ..store.certificates import Credentials, DirectoryCertificates
from ..store.directory import SecureDirectory, StateError
from ..store.imports import FoundCertificate, Holding, day, objection, read
from ..store.naming import authorityName
from .survey import asDivided
from .waiting import result

if TYPE_CHECKING:
    from ..config.model import Config
    from ..facts import Credential
    from ..service.storage import Storage

__all__ = ["take"]


def take(config: Config, path: str, *, isDry: bool, now: Callable[[], float] = time.time) -> bool:
    """
    Import the certificates and the account of another program into the state
    directory, and print what was taken, and what was not and why.

    @param config: Names the state directory and the authority.
    @param path: What to import: see L{read<smartproxy_tw.store.imports.read>}.
    @param isDry: Whether to change nothing, and only tell.
    @param now: The time, POSIX seconds.
    @return: Whether everything that was found could be used.  What has expired,
        is another authority's, or is worse than what we have, is no fault.
    """
    from ..service.storage import Storage

    try:
        holding = read(Path(path))
    except (OSError, ValueError) as why:
        reason = why.strerror if isinstance(why, OSError) else why
        print(f"smartproxy certificates import: {path}: {reason}", file=sys.stderr)
        return False
    config = asDivided(config)
    if isDry:
        return _Intake(config, None, holding, now()).run()
    fallbacks = [each.directory for each in config.acme.fallbacks]
    storage = Storage(config.stateDir, config.acme.directory, now, maybeDeferred, fallbacks=fallbacks)
    try:
        storage.open()
    except StateError as why:
        print(f"smartproxy certificates import: {why}", file=sys.stderr)
        return False
    try:
        return _Intake(config, storage, holding, now()).run()
    finally:
        storage.close()


class _Intake:
    """
    One import.
    """

    def __init__(self, config: Config, storage: Storage | None, holding: Holding, now: float) -> None:
        self._config = config
        self._storage = storage
        self._holding = holding
        self._now = now
        self._isWell = True
        self._directories = tuple(each.directory for each in (config.acme, *config.acme.fallbacks))
        self._shelves = {
            each: Credentials(DirectoryCertificates(SecureDirectory(self._place("certificates", each))))
            for each in self._directories
        }
        self._have: dict[str, dict[str, Credential]] = {}

    def run(self) -> bool:
        """
        Take what can be taken.
        """
        print(f"{self._holding.kind}{'' if self._storage else ' (nothing is changed)'}")
        for bad in self._holding.bad:
            # An account costs nothing to make anew, so one that does not fit is no fault.
            self._leave(bad.where, bad.why, isFault=not bad.isAccount)
        for directory, shelf in self._shelves.items():
            try:
                self._have[directory] = result(shelf.load())
            except FileNotFoundError:
                self._have[directory] = {}
        for found in self._holding.certificates:
            self._takeCertificate(found)
        for directory in self._directories:
            self._takeAccount(directory)
        for account in self._holding.accounts:
            if not any(map(account.isOf, self._directories)):
                self._leave(account.where, f"the account is not at {' or '.join(self._directories)}")
        self._tellMissing()
        return self._isWell

    def _takeCertificate(self, found: FoundCertificate) -> None:
        from ..acme.x509 import checkCredential, describe

        try:
            facts = checkCredential(found.credential)
        except ValueError as why:
            self._leave(found.where, str(why), isFault=True)
            return
        reason = objection(found, self._directories, self._now)
        directory = found.directoryIn(self._directories) or self._directories[0]
        key = Auto(tuple(sorted(set(facts.names)))).key
        have = self._have[directory].get(key)
        if reason is None and have is not None and describe(have.chain).notAfter >= facts.notAfter:
            reason = (
                f"there is one for the same names that is valid until {day(describe(have.chain).notAfter)}"
            )
        if reason is not None:
            self._leave(found.where, reason)
            return
        shelf = self._shelves[directory]
        if self._storage is None or self._keep(found.where, partial(self._save, shelf, found.credential)):
            self._have[directory][key] = found.credential
            print(f"  taken     {', '.join(facts.names)}: valid until {day(facts.notAfter)} ({found.where})")

    def _save(self, shelf: Credentials, credential: Credential) -> None:
        result(shelf.save(credential))

    def _takeAccount(self, directory: str) -> None:
        isThere = os.path.exists(self._place("accounts", directory) + ".json")
        for found in self._holding.accounts:
            if not found.isOf(directory):
                continue
            if isThere:
                self._leave(found.where, f"there is an account at {directory} already")
                continue
            isThere = self._storage is None or self._keep(
                found.where, partial(self._storage.accounts.save, directory, found.account)
            )
            if isThere:
                print(f"  taken     the account {found.account.url} ({found.where})")

    def _tellMissing(self) -> None:
        # What the start will find: see C{AutoCertificate.load}.
        stock = Stock({key: each for have in reversed(self._have.values()) for key, each in have.items()})
        for route in self._config.routes:
            for source in () if route.tls is None else route.tls.sources:
                if isinstance(source, Auto) and not self._isHad(source, stock):
                    names = ", ".join(source.names)
                    print(f"  to order  {names}: no certificate for all of them (route {route.name})")

    def _isHad(self, wanted: Auto, stock: Stock) -> bool:
        from ..acme.x509 import describe

        best = stock.bestFor(wanted.key, wanted.names, self._now)
        if best is None:
            return False
        facts = describe(best.chain)
        return facts.notAfter > self._now and all(isCovered(name, facts.names) for name in wanted.names)

    def _place(self, kind: str, directory: str) -> str:
        return os.path.join(self._config.stateDir, kind, authorityName(directory))

    def _keep(self, where: str, write: Callable[[], None]) -> bool:
        try:
            write()
        except (OSError, ValueError) as why:
            self._leave(where, f"it cannot be written: {why}", isFault=True)
            return False
        return True

    def _leave(self, where: str, why: str, *, isFault: bool = False) -> None:
        self._isWell = self._isWell and not isFault
        print(f"  {'UNUSABLE' if isFault else 'left':<9} {where}: {why}")
