"""
The state directory in use: locked, with what rests in it at hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from secrets import token_bytes
from typing import TYPE_CHECKING

from twisted.logger import Logger

from ..store.accounts import DirectoryAccounts
from ..store.attempts import DirectoryAttempts
from ..store.deliveries import DirectoryDeliveries
from ..store.directory import Files, Lock, SecureDirectory
from ..store.layout import bringUp
from ..store.localauthority import LocalAuthority
from ..store.naming import authorityName
from ..store.uses import DirectoryUses
from ..values import dataclass

if TYPE_CHECKING:
    from txacme.interfaces import ICertificateStore

    from ..interfaces import IAccountStore, IOrderStore
    from ..store.certificates import Run
    from ..store.revocations import Revocations

__all__ = ["Shelf", "Storage"]

#: The entry with what cookies are signed with, and its size in bytes.
_COOKIES, _SECRET = "cookies.key", 32


@dataclass(frozen=True, slots=True)
class Shelf:
    """
    What is kept of one authority.

    @ivar directory: The URL of its directory.
    @ivar certificates: What it issued.
    @ivar orders: Orders under way there.
    @ivar twins: Those for second certificates, L{None} where there are none.
    @ivar attempts: Orders there that failed; where several authorities are
        asked, only those of the preferred one count.
    @ivar uses: What of its budget is used.
    @ivar revocations: What it issued and revoked.
    """

    directory: str
    certificates: ICertificateStore
    orders: IOrderStore
    twins: IOrderStore | None
    attempts: DirectoryAttempts
    uses: DirectoryUses
    revocations: Revocations


class Storage:
    """
    What one proxy keeps between its starts.

    @ivar accounts: ACME accounts.
    @ivar own: What is kept of the ACME authority in question: what another one
        issued, staging for instance, does not pass for its own.
    @ivar fallbacks: The same of the authorities that are asked besides.
    @ivar deliveries: Of which certificates the operator's programs were told.
    @ivar authority: The local authority; not opened, since not everybody
        needs one.
    """

    accounts: IAccountStore
    own: Shelf
    fallbacks: tuple[Shelf, ...]
    deliveries: DirectoryDeliveries
    authority: LocalAuthority

    _log = Logger()

    def __init__(
        self,
        path: str,
        directory: str,
        seconds: Callable[[], float],
        run: Run,
        *,
        fallbacks: Sequence[str] = (),
        hasTwins: bool = False,
        certificates: ICertificateStore | None = None,
        accounts: IAccountStore | None = None,
        files: Files = os,
    ) -> None:
        """
        @param path: Of the state directory, absolute.
        @param directory: The URL of the ACME directory in use.
        @param seconds: The time, POSIX seconds.
        @param run: Does what waits for the disk, see
            L{DirectoryCertificates<smartproxy_tw.store.certificates.DirectoryCertificates>}.
        @param fallbacks: The URLs of those that are asked besides.
        @param hasTwins: Whether second certificates are asked for.
        @param certificates: A store to use in place of the directory's.
        @param accounts: Likewise.
        @param files: What does the writing.
        """
        self._directory = SecureDirectory(path, files)
        self._lock = Lock(self._directory, files)
        self._authorities = (directory, *fallbacks)
        self._seconds = seconds
        self._hasTwins = hasTwins
        self._run = run
        self._certificates = certificates
        self._accounts = accounts
        self._unsaved = b""

    @property
    def lock(self) -> int | None:
        """
        The descriptor of its lock; L{None} where there is none.
        """
        return self._lock.descriptor

    def open(self, lock: int | None = None) -> None:
        """
        Make the directory if need be, and take it into use; once more, if it is.

        @param lock: That of the process before, see
            L{Lock<smartproxy_tw.store.directory.Lock>}.
        @raise StateError: It is not safe, cannot be used, was left by a newer
            release, or another process uses it.
        """
        self._directory.open()
        self._lock.take(lock)
        try:
            bringUp(self._directory)
            self.own, *others = map(self._shelf, self._authorities)
            self.fallbacks = tuple(others)
            self.accounts = (
                DirectoryAccounts(self._directory.child("accounts"))
                if self._accounts is None
                else self._accounts
            )
            self.deliveries = DirectoryDeliveries(self._directory)
            self.authority = LocalAuthority(self._directory.child("authority"), self._seconds)
        except BaseException:
            self._lock.release()
            raise

    def cookieSecret(self) -> bytes:
        """
        What cookies are signed with: made once, and the same after a restart.  Where it
        cannot be kept, it lasts as long as this process.
        """
        found = b""
        try:
            found = self._directory.read(_COOKIES) or b""
            if len(found) < _SECRET:
                found = self._unsaved or token_bytes(_SECRET)
                self._directory.write(_COOKIES, found)
        except OSError as why:
            found = self._unsaved = found or self._unsaved or token_bytes(_SECRET)
            self._log.warn(
                "The secret of sticky cookies cannot be kept: clients lose their targets at a restart: {why}",
                event="cookies-unsaved",
                why=str(why),
            )
        return found

    def close(self) -> None:
        """
        Let the next process have it.  Without effect when it is not open.
        """
        self._lock.release()

    def _shelf(self, directory: str) -> Shelf:
        from ..store.certificates import DirectoryCertificates
        from ..store.journal import DirectoryOrders
        from ..store.revocations import Revocations

        name = authorityName(directory)
        issued = self._directory.child("certificates").child(name)
        kept = self._directory.child("orders").child(name)
        orders = DirectoryOrders(kept, self._run)
        twins = DirectoryOrders(kept.child("rsa"), self._run) if self._hasTwins else None
        certificates = self._certificates
        if certificates is None:
            certificates = DirectoryCertificates(issued, self._run)
        return Shelf(
            directory,
            certificates,
            orders,
            twins,
            DirectoryAttempts(issued),
            DirectoryUses(issued),
            Revocations(issued, self._run, self._seconds),
        )
