"""
Tests for L{smartproxy_tw.acme.account}, by an issuer and an authority.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from smartproxy_tw.acme.account import REASONS
from smartproxy_tw.acme.errors import AccountBusy, AccountNotKept, AuthorityProblem, AuthorityUnreachable
from smartproxy_tw.acme.x509 import describe, newKey
from smartproxy_tw.facts import Account, Credential
from smartproxy_tw.testing.authority import Authority

from .suite import AuthorityStory, Opened


class AccountTests(AuthorityStory, TestCase):
    authority: Any
    timeout = 300

    def openAuthority(self, httpPort: int, tlsPort: int, nonceReject: float) -> Opened:
        authority: Any = Authority(
            reactor, httpPort=httpPort, tlsPort=tlsPort, nonceReject=nonceReject, chance=Random(8)
        )
        authority.caFile = self.write(authority.root)
        return authority

    async def given(self) -> Account:
        """
        An account that has ordered once.
        """
        await self.opens()
        self.first = self.issuer()
        await self.first.obtain(("a.example",), self.install)
        return self.kept

    @property
    def kept(self) -> Account:
        """
        What the store has.
        """
        return self.accounts.kept[self.authority.directoryURL]

    async def orders(self) -> None:
        """
        A new process has a certificate by the same account.
        """
        await self.issuer().obtain(("b.example",), self.install)
        self.assertEqual(self.authority.accounts, 1)
        self.assertIsNone(self.kept.nextKey)

    async def test_changeKey(self) -> None:
        """
        The account has the new key, in this process and in the next one; the old
        one is worth nothing.
        """
        old = await self.given()
        await self.first.changeKey()
        self.assertEqual(self.kept.url, old.url)
        self.assertNotEqual(self.kept.key, old.key)
        await self.first.obtain(("c.example",), self.install)
        await self.orders()
        self.accounts.kept[self.authority.directoryURL] = old
        await self.refusedOnce(AuthorityProblem)

    async def refusedOnce(self, kind: type[Exception]) -> None:
        await self.assertFailure(self.issuer().obtain(("d.example",), self.install), kind)

    async def test_newKeyIsKeptFirst(self) -> None:
        """
        A disk that takes no new key keeps the authority from hearing of one.
        """
        old = await self.given()

        def save(directory: str, account: Account) -> None:
            raise OSError(28, "No space left on device")

        self.patch(self.accounts, "save", save)
        before = self.authority.requests
        await self.assertFailure(self.first.changeKey(), AccountNotKept)
        self.assertEqual((self.authority.requests, self.kept), (before, old))
        await self.first.obtain(("b.example",), self.install)

    async def test_crashBefore(self) -> None:
        """
        A crash before the authority has heard of the new key: the old one is the
        account's, and the next process finds that out.
        """
        old = await self.given()
        self.accounts.kept[self.authority.directoryURL] = Account(old.key, old.url, newKey())
        await self.orders()
        self.assertEqual(self.kept, old)

    async def test_crashAfter(self) -> None:
        """
        A crash before its answer was noted: the new one is.
        """
        old = await self.given()
        await self.first.changeKey()
        new = self.kept
        self.accounts.kept[self.authority.directoryURL] = Account(old.key, old.url, new.key)
        await self.orders()
        self.assertEqual(self.kept, new)

    async def test_answerLost(self) -> None:
        """
        An answer that was lost leaves both keys, and the next order finds out
        which is the account's, be it in the same process.
        """
        old = await self.given()
        self.authority.faults.cut("key", after=-1.0)
        await self.assertFailure(self.first.changeKey(), AuthorityUnreachable, AuthorityProblem)
        self.authority.faults.clear()
        await self.first.obtain(("c.example",), self.install)
        await self.orders()
        self.assertEqual(self.kept.url, old.url)

    async def test_refused(self) -> None:
        """
        An authority that refuses the change leaves everything as it was.
        """
        old = await self.given()
        said = {"type": "urn:ietf:params:acme:error:malformed", "detail": "not today"}
        self.authority.faults.says(400, said, "key")
        why = await self.assertFailure(self.first.changeKey(), AuthorityProblem)
        self.assertIn("not today", str(why))
        self.assertEqual(self.kept, old)
        await self.first.obtain(("b.example",), self.install)

    async def test_busy(self) -> None:
        """
        Nothing is changed under an order.
        """
        old = await self.given()
        obtaining = self.first.obtain(("b.example",), lambda _: Deferred())
        for change in (self.first.changeKey, self.first.deactivate):
            why = await self.assertFailure(change(), AccountBusy)
            self.assertIn("1 orders are under way", str(why))
        self.assertEqual(self.kept, old)
        obtaining.addErrback(lambda _: None)
        obtaining.cancel()
        await obtaining
        await self.first.changeKey()

    async def test_deactivate(self) -> None:
        """
        The account is given up; the next order makes another one.
        """
        old = await self.given()
        await self.first.deactivate()
        self.assertIsNone(self.kept.url)
        self.assertNotEqual(self.kept.key, old.key)
        await self.first.obtain(("b.example",), self.install)
        self.assertEqual(self.authority.accounts, 2)
        self.accounts.kept[self.authority.directoryURL] = old
        await self.refusedOnce(AuthorityProblem)

    async def test_revoke(self) -> None:
        """
        A certificate is revoked for a reason, by the account or by its own key,
        which needs no account; twice it is not.
        """
        await self.given()
        first = self.installed[0]
        await self.first.revoke(first, REASONS["superseded"])
        why = await self.assertFailure(self.first.revoke(first), AuthorityProblem)
        self.assertEqual(why.problem.word, "alreadyRevoked")
        await self.first.obtain(("b.example",), self.install)
        second = self.installed[1]
        self.accounts.kept.clear()
        stranger = self.issuer()
        await self.assertFailure(
            stranger.revoke(Credential(second.chain, newKey()), byKey=True), AuthorityProblem
        )
        await stranger.revoke(second, REASONS["keyCompromise"], byKey=True)
        self.assertEqual(self.authority.accounts, 1)
        serials = [describe(each.chain).serial for each in (first, second)]
        self.assertEqual(self.authority.revoked, dict(zip(serials, (4, 1), strict=True)))
