"""
ACME accounts at rest: each in a file of its own, JSON with the URL of the
directory, the URL of the account and its key, or both keys while it is being given another.

The file of an account is called as L{authorityName} says.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from ..bounds.objects import objectIn
from ..facts import Account
from ..interfaces import IAccountStore
from .naming import authorityName

if TYPE_CHECKING:
    from .directory import SecureDirectory

__all__ = ["DirectoryAccounts"]


@implementer(IAccountStore)
class DirectoryAccounts:
    """
    Accounts in a directory.
    """

    _log = Logger()

    def __init__(self, directory: SecureDirectory) -> None:
        """
        @param directory: Where the files are; open.
        """
        self._directory = directory

    def load(self, directory: str) -> Account | None:
        """
        The account at that directory.

        A file that makes no sense is moved aside, so that registering again
        does not destroy what somebody may want to look at.

        @param directory: The URL of the ACME directory.
        @return: L{None} when there is none yet.
        @raise OSError: The file cannot be read.
        """
        name = _fileName(directory)
        content = self._directory.read(name)
        if content is None:
            return None
        try:
            return _parse(content, directory)
        except ValueError as why:
            aside = self._directory.setAside(name)
            self._log.warn(
                "The ACME account for {directory} cannot be used ({why}): moved to {path}, another is made.",
                event="account-unusable",
                directory=directory,
                why=why,
                path=aside,
            )
            return None

    def save(self, directory: str, account: Account) -> None:
        """
        Keep the account durably before returning.

        @raise OSError: It could not be written; what was there stays.
        """
        content = {"directory": directory, "url": account.url, "key": account.key.decode("ascii")}
        if account.nextKey is not None:
            content["next_key"] = account.nextKey.decode("ascii")
        self._directory.write(_fileName(directory), json.dumps(content, indent=1).encode("utf-8") + b"\n")


def _fileName(directory: str) -> str:
    return authorityName(directory) + ".json"


def _parse(content: bytes, directory: str) -> Account:
    found = objectIn(content)
    if found.get("directory") != directory:
        raise ValueError("it is not about that directory")
    key, url, following = found.get("key"), found.get("url"), found.get("next_key")
    if not isinstance(key, str) or "PRIVATE KEY" not in key or not isinstance(url, str | None):
        raise ValueError("it has no key, or its URL is none")
    if not isinstance(following, str | None):
        raise ValueError("its next key is none")
    return Account(key.encode("ascii"), url, None if following is None else following.encode("ascii"))
