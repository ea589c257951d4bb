"""
Orders under way, at rest: each in a file of its own, with the key that its
certificate will be for, called as L{entryName} says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from ..acme.entry import LONGEST, Entry, decode, encode
from ..interfaces import IOrderStore
from .naming import entryName

if TYPE_CHECKING:
    from .certificates import Run
    from .directory import SecureDirectory

__all__ = ["DirectoryOrders"]

_SUFFIX = ".json"


@implementer(IOrderStore)
class DirectoryOrders:
    """
    Orders in a directory.
    """

    _log = Logger()

    def __init__(self, directory: SecureDirectory, run: Run = maybeDeferred) -> None:
        """
        @param directory: Where the files are; open.
        @param run: How to do what waits for the disk, see
            L{DirectoryCertificates<smartproxy_tw.store.certificates.DirectoryCertificates>}.
        """
        self._directory = directory
        self._run = run

    def load(self) -> Deferred[list[Entry]]:
        """
        All of them.  What makes no sense is moved aside, for somebody to look
        at, and what is a link or belongs to another user is passed over; neither
        costs another one.

        @return: Fails with L{OSError} when the directory cannot be listed.
        """
        return self._run(self._all)

    def save(self, entry: Entry) -> Deferred[None]:
        """
        See L{IOrderStore.save}.
        """
        return self._run(self._directory.write, _fileName(entry.names), encode(entry))

    def remove(self, names: tuple[str, ...]) -> Deferred[None]:
        """
        See L{IOrderStore.remove}.
        """
        return self._run(self._directory.remove, _fileName(names))

    def _all(self) -> list[Entry]:
        found: list[Entry] = []
        for name in self._directory.names(_SUFFIX):
            try:
                entry = decode(self._directory.readOwn(name, LONGEST) or b"")
                if _fileName(entry.names) != name:
                    raise ValueError("it is about other names than it is called by")
            except OSError as why:
                self._warn(self._directory.pathOf(name), str(why))
            except ValueError as why:
                self._setAside(name, why)
            else:
                found.append(entry)
        return found

    def _setAside(self, name: str, why: ValueError) -> None:
        path = self._directory.pathOf(name)
        try:
            self._warn(path, f"{why}; moved to {self._directory.setAside(name)}")
        except OSError:
            self._warn(path, str(why))

    def _warn(self, path: str, why: str) -> None:
        self._log.warn(
            "{path} is passed over, it is no note of an order: {why}",
            event="order-unusable",
            path=path,
            why=why,
        )


def _fileName(names: tuple[str, ...]) -> str:
    return entryName(names) + _SUFFIX
