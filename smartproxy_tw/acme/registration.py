"""
The account at one authority, and the client that speaks for it.

The account is found in its store or registered once, however many ask at the same
time; its key is saved before it is used, so that no start makes a second account, or as
soon as there is room for it (L{smartproxy_tw.acme.keeping}).

This module is cheap to import; what costs time is imported by the first question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ..facts import Account
from .errors import AccountNotKept
from .keeping import Keeping
from .shared import Shared

if TYPE_CHECKING:
    from ..config.model import Authority
    from ..interfaces import IAccountStore
    from .client import Client
    from .jose import AccountKey

__all__ = ["MakeClient", "Registration"]

#: Makes a client from an account's key and URL.
MakeClient = Callable[["AccountKey", "str | None"], "Client"]


class Registration:
    """
    One account.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Authority,
        accounts: IAccountStore,
        makeClient: MakeClient | None = None,
    ) -> None:
        """
        @param reactor: Makes connections and tells the time.
        @param settings: Where it is, and whose.
        @param accounts: Where it rests.
        @param makeClient: By default makes one that asks C{settings.directory}.
        """
        self._reactor = reactor
        self._settings = settings
        self._accounts = accounts
        self._keeping = Keeping(reactor, settings.directory, accounts)
        self._makeClient = makeClient or self._newClient
        self._client: Client | None = None
        self._account: Account | None = None
        self._signingUp: Shared[Client] = Shared(self._signUp)

    async def signedUp(self) -> Client:
        """
        The client, with an account that the authority knows.

        @raise IssuanceFailed: There is none.
        """
        isSettled = self._account is not None and self._account.nextKey is None
        if self._client is not None and self._client.account is not None and isSettled:
            return self._client
        return await self._signingUp.join()

    async def renewed(self, client: Client, account: str | None) -> Client:
        """
        As L{signedUp}, after the authority said that it does not know an account.

        @param client: That it said so to.
        @param account: The URL of the account that it spoke for.
        """
        self._log.warn(
            "The account {account} is unknown to {directory}; registering it anew",
            account=account,
            directory=self._settings.directory,
        )
        if client.account == account:  # else another order has seen to it
            client.account = None
        return await self.signedUp()

    def loaded(self) -> Client:
        """
        The client, whether the authority knows the account yet or not.

        @raise AccountNotKept: The account cannot be read, or kept.
        """
        if self._client is None:
            self._client = self._load()
        return self._client

    async def changeKey(self) -> None:
        """
        See L{changeKey<smartproxy_tw.acme.account.changeKey>}; after L{signedUp}.
        """
        from .account import changeKey

        assert self._account is not None
        await changeKey(self.loaded(), self._account, self._save)

    async def deactivate(self) -> None:
        """
        See L{deactivate<smartproxy_tw.acme.account.deactivate>}; after L{signedUp}.
        """
        from .account import deactivate

        client = self.loaded()
        await deactivate(client, self._save)
        self._client = None
        await client.close()

    def close(self) -> Deferred[None]:
        """
        Close the kept connections to the authority; fires when they are closed.
        """
        self._keeping.close()
        return succeed(None) if self._client is None else self._client.close()

    async def _signUp(self) -> Client:
        client = self.loaded()
        assert self._account is not None
        if self._account.nextKey is not None:
            from .account import settle

            await settle(client, self._account, self._save)
        if client.account is None:
            await self._register(client)
        return client

    async def _register(self, client: Client) -> None:
        from .external import readExternalKey

        url = await client.register(self._settings.email, readExternalKey(self._settings))
        assert self._account is not None
        self._keep(Account(self._account.key, url))
        terms = (await client.directory()).termsOfService
        self._log.info(
            "Registered with {directory}, which agrees to its terms of service: {terms}",
            event="account-registered",
            directory=self._settings.directory,
            terms=terms or "it names none",
        )

    def _load(self) -> Client:
        from .jose import AccountKey
        from .x509 import newKey

        try:
            account = self._accounts.load(self._settings.directory)
        except OSError as why:
            raise AccountNotKept(self._settings.directory, str(why)) from why
        if account is None:
            account = Account(newKey())
            self._keep(account)
        try:
            key = AccountKey(account.key)
        except ValueError as why:
            raise AccountNotKept(self._settings.directory, str(why).rstrip(".")) from why
        self._account = account
        return self._makeClient(key, account.url)

    def _keep(self, account: Account) -> None:
        # What binds an account to another may be good for one account only, so
        # that one is not registered to be lost.
        isForOne = self._settings.external is not None
        self._save(account, None if isForOne else self._keeping.keep)

    def _save(self, account: Account, keep: Callable[[Account], None] | None = None) -> None:
        try:
            (keep or self._keeping.require)(account)
        except OSError as why:
            raise AccountNotKept(self._settings.directory, str(why)) from why
        self._account = account

    def _newClient(self, key: AccountKey, account: str | None) -> Client:
        from .client import Client

        settings = self._settings
        return Client(self._reactor, settings.directory, key, account=account, caFile=settings.caFile)
