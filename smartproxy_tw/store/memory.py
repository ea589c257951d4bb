"""
Stores that forget: for tests, and for programs that keep certificates in a place
of their own and want none on the disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail, succeed
from txacme.interfaces import ICertificateStore
from zope.interface import implementer

from ..interfaces import IAccountStore

if TYPE_CHECKING:
    from ..facts import Account

__all__ = ["MemoryAccounts", "MemoryCertificates"]


@implementer(ICertificateStore)
class MemoryCertificates:
    """
    Certificates as long as the object lives.

    @ivar entries: What it holds, by name.
    """

    def __init__(self) -> None:
        """
        Begin empty.
        """
        self.entries: dict[str, list[Any]] = {}

    def get(self, server_name: str) -> Deferred[list[Any]]:
        """
        The C{pem} objects of one entry; fails with L{KeyError}.
        """
        if server_name not in self.entries:
            return fail(KeyError(server_name))
        return succeed(list(self.entries[server_name]))

    def store(self, server_name: str, pem_objects: Iterable[Any]) -> Deferred[None]:
        """
        Keep them in place of what has that name.
        """
        self.entries[server_name] = list(pem_objects)
        return succeed(None)

    def as_dict(self) -> Deferred[dict[str, list[Any]]]:
        """
        All of it.
        """
        return succeed({name: list(objects) for name, objects in self.entries.items()})


@implementer(IAccountStore)
class MemoryAccounts:
    """
    Accounts as long as the object lives.
    """

    def __init__(self) -> None:
        """
        Begin empty.
        """
        self._accounts: dict[str, Account] = {}

    def load(self, directory: str) -> Account | None:
        """
        The account at that directory, or L{None}.
        """
        return self._accounts.get(directory)

    def save(self, directory: str, account: Account) -> None:
        """
        Keep it.
        """
        self._accounts[directory] = account
