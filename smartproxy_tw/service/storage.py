"""
The state directory in use: locked, with what rests in it at hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..store.accounts import DirectoryAccounts
from ..store.attempts import DirectoryAttempts
from ..store.directory import Files, Lock, SecureDirectory
from ..store.localauthority import LocalAuthority
from ..store.naming import authorityName
from ..store.uses import DirectoryUses

if TYPE_CHECKING:
    from txacme.interfaces import ICertificateStore

    from ..interfaces import IAccountStore
    from ..store.certificates import Run

__all__ = ["Storage"]


class Storage:
    """
    What one proxy keeps between its starts.

    @ivar accounts: ACME accounts.
    @ivar certificates: Certificates by the ACME authority in question: what
        another one issued, staging for instance, does not pass for its own.
    @ivar attempts: Orders there that failed.
    @ivar uses: What of its budget is used.
    @ivar authority: The local authority; not opened, since not everybody
        needs one.
    """

    accounts: IAccountStore
    certificates: ICertificateStore
    attempts: DirectoryAttempts
    uses: DirectoryUses
    authority: LocalAuthority

    def __init__(
        self,
        path: str,
        directory: str,
        seconds: Callable[[], float],
        run: Run,
        *,
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
        @param certificates: A store to use in place of the directory's.
        @param accounts: Likewise.
        @param files: What does the writing.
        """
        self._directory = SecureDirectory(path, files)
        self._lock = Lock(self._directory)
        self._authorityName = authorityName(directory)
        self._seconds = seconds
        self._run = run
        self._certificates = certificates
        self._accounts = accounts

    def open(self) -> None:
        """
        Make the directory if need be, and take it into use.

        @raise StateError: It is not safe, cannot be used, or another process
            uses it.
        """
        from ..store.certificates import DirectoryCertificates

        self._directory.open()
        self._lock.take()
        try:
            issued = self._directory.child("certificates").child(self._authorityName)
            self.attempts = DirectoryAttempts(issued)
            self.uses = DirectoryUses(issued)
            self.certificates = (
                DirectoryCertificates(issued, self._run) if self._certificates is None else self._certificates
            )
            self.accounts = (
                DirectoryAccounts(self._directory.child("accounts"))
                if self._accounts is None
                else self._accounts
            )
            self.authority = LocalAuthority(self._directory.child("authority"), self._seconds)
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """
        Let the next process have it.  Without effect when it is not open.
        """
        self._lock.release()
