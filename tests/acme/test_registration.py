"""
Tests for L{smartproxy_tw.acme.registration}: what becomes of the account, over real
connections.
"""

from __future__ import annotations

import errno
import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from smartproxy_tw.acme.errors import AccountNotKept
from smartproxy_tw.acme.registration import Registration
from smartproxy_tw.config.model import Acme, ExternalAccount
from smartproxy_tw.facts import Account

from .test_issuer import FaultStory


class KeepingTests(FaultStory):
    """
    An account whose store has its moods.
    """

    async def test_storeUnreadable(self) -> None:
        """
        When the account cannot be read the authority is asked for nothing.
        """
        await self.opens()
        self.accounts.broken = True
        self.assertIn("/state/accounts", str(await self.failsWith(AccountNotKept)))
        self.assertEqual(self.authority.requests, 0)

    def storeFails(self, number: int) -> None:
        """
        From now on no account can be kept.
        """

        def save(directory: str, account: Account) -> None:
            raise OSError(number, os.strerror(number))

        self.patch(self.accounts, "save", save)

    async def test_storeUnwritable(self) -> None:
        """
        When the key cannot be saved no account is made with it.
        """
        await self.opens()
        self.storeFails(errno.EIO)
        self.assertIn(os.strerror(errno.EIO), str(await self.failsWith(AccountNotKept)))
        self.assertEqual(self.authority.requests, 0)

    async def test_noRoom(self) -> None:
        """
        When there is no room for the account there is a certificate all the same,
        by one account, which is kept when there is room.
        """
        await self.opens()
        save = self.accounts.save
        self.storeFails(errno.ENOSPC)
        issuer = self.issuer("http-01")
        for name in ("a.example", "b.example"):
            self.verify(await issuer.obtain((name,), self.install), name)
        self.assertEqual((self.authority.accounts, self.accounts.kept), (1, {}))
        self.patch(self.accounts, "save", save)
        await issuer.close()
        (kept,) = self.accounts.kept.values()
        self.assertTrue(kept.url)
        # The next process finds it.
        await self.issuer("http-01").obtain(("c.example",), self.install)
        self.assertEqual(self.authority.accounts, 1)

    async def test_noRoomForOneThatIsBound(self) -> None:
        """
        What binds an account to another may be good only once, so it is not used
        for an account that may be lost.
        """
        await self.opens()
        self.storeFails(errno.ENOSPC)
        issuer = self.issuer("http-01", external=ExternalAccount("known", "AAAA"))
        await self.refused(issuer, AccountNotKept, "a.example")
        self.assertEqual(self.authority.requests, 0)

    async def test_keyDamaged(self) -> None:
        """
        A key that cannot be read is not replaced by another: that would be
        another account.
        """
        await self.opens()
        self.accounts.kept[self.authority.directoryURL] = Account(b"nonsense", "https://ca.example/1")
        self.assertIn("key cannot be read", str(await self.failsWith(AccountNotKept)))
        self.assertEqual((self.authority.requests, self.accounts.story), (0, []))


class RegistrationTests(FaultStory):
    """
    An account, and nothing ordered.
    """

    def registration(self) -> Registration:
        """
        As a process would begin with it.
        """
        settings = Acme(directory=self.authority.directoryURL, caFile=self.authority.caFile)
        made = Registration(reactor, settings, self.accounts)
        self.addCleanup(made.close)
        return made

    async def test_once(self) -> None:
        """
        However many want it at the same time, one account is registered; and whoever
        wants it later asks nothing.
        """
        await self.opens()
        registration = self.registration()
        found = await gatherResults([Deferred.fromCoroutine(registration.signedUp()) for _ in range(3)])
        self.assertEqual((self.authority.accounts, len(set(map(id, found)))), (1, 1))
        requests = self.authority.requests
        self.assertIs(await registration.signedUp(), found[0])
        self.assertEqual(self.authority.requests, requests)

    async def test_loaded(self) -> None:
        """
        Before it is wanted its key is kept, and the authority has not heard of it.
        """
        await self.opens()
        client = self.registration().loaded()
        (kept,) = self.accounts.kept.values()
        self.assertEqual((client.account, kept.url, self.authority.requests), (None, None, 0))

    async def test_renewed(self) -> None:
        """
        One that the authority does not know any more is registered anew, once, however
        many orders were told so.
        """
        await self.opens()
        registration = self.registration()
        client = await registration.signedUp()
        client.account = gone = f"{self.authority.directoryURL}/gone"
        for _ in range(2):
            await registration.renewed(client, gone)
        self.assertNotEqual(client.account, gone)
        self.assertEqual(self.authority.asked["account"], 2)
