"""
Keeping an account for which there is no room: it is used all the same, and kept
as soon as there is.

Of everything that may be wrong with a store a full disk is the one that passes
without anybody touching the store.  Whatever else is wrong stays an error, and
nothing is asked for with an account that could not be kept.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from ..facts import Account
    from ..interfaces import IAccountStore

__all__ = ["Keeping"]

#: What a store without room fails with.
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))

#: How long until it is tried again, in seconds: short, since a process that ends
#: before it has room makes the next one register another account.
_AGAIN = 2.0


class Keeping:
    """
    The account at one authority, on its way to the store.
    """

    _log = Logger()

    def __init__(self, reactor: Any, directory: str, store: IAccountStore) -> None:
        """
        @param reactor: For the next try.
        @param directory: The URL of the authority's.
        @param store: Where it is to rest.
        """
        self._reactor = reactor
        self._directory = directory
        self._store = store
        self._homeless: Account | None = None
        self._next: IDelayedCall | None = None

    def require(self, account: Account) -> None:
        """
        Keep it before anything else, in place of any earlier one.

        @raise OSError: It could not be kept; an earlier one is still on its way.
        """
        self._store.save(self._directory, account)
        self._homed()

    def keep(self, account: Account) -> None:
        """
        Keep it, or for want of room as soon as there is some.

        @raise OSError: It could not be kept for another reason.
        """
        try:
            self.require(account)
        except OSError as why:
            if why.errno not in _NO_ROOM:
                raise
            if self._homeless is None:
                self._log.error(
                    "There is no room for the account for {directory}: {why}. It is used all the same, and"
                    " kept as soon as there is; a restart before that registers another.",
                    event="account-unkept",
                    directory=self._directory,
                    why=str(why),
                )
            self._homeless = account
            self._wait()

    def close(self) -> None:
        """
        Try a last time what is not kept yet.
        """
        if self._homeless is None:
            return
        try:
            self.require(self._homeless)
        except OSError as why:
            self._rest()
            self._log.error(
                "The account for {directory} was not kept and is lost with this process: {why}",
                event="account-lost",
                directory=self._directory,
                why=str(why),
            )

    def _wait(self) -> None:
        self._rest()
        self._next = self._reactor.callLater(_AGAIN, self._try)

    def _rest(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _try(self) -> None:
        self._next = None
        assert self._homeless is not None
        try:
            self.require(self._homeless)
        except OSError:
            # Told already; whatever it is by now, it may pass too.
            self._wait()

    def _homed(self) -> None:
        self._rest()
        if self._homeless is not None:
            self._homeless = None
            self._log.info(
                "The account for {directory} is kept", event="account-kept", directory=self._directory
            )
