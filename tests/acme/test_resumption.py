"""
Orders that outlive whoever placed them: the process ends without a word, and the
next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.challenges import answer
from smartproxy_tw.acme.entry import Answer, Entry
from smartproxy_tw.acme.errors import AuthorityUnreachable
from smartproxy_tw.acme.issuer import Issuer
from smartproxy_tw.acme.journal import Journal
from smartproxy_tw.acme.resumption import abandon
from smartproxy_tw.config.model import Acme
from smartproxy_tw.facts import Account, Credential
from smartproxy_tw.testing.fakes import FakePlane, Story

from .orders import Orders
from .suite import Accounts
from .test_issuer import FaultStory, refusal


class Mortal:
    """
    A process: what it writes after its end is not written.
    """

    def __init__(self, story: Any, accounts: Accounts, orders: Orders) -> None:
        self._story = story
        self._accounts = accounts
        self._orders = orders
        self.isDead = False
        self.obtaining: Deferred[Credential] | None = None
        self.journal = Journal(self._orders, story.authority.directoryURL, reactor.seconds())  # type: ignore[attr-defined]

    def load(self, directory: str) -> Account | None:
        return self._accounts.load(directory)

    def save(self, directory: str, account: Account) -> None:
        if not self.isDead:
            self._accounts.save(directory, account)

    async def run(self, name: str) -> Credential:
        """
        Start, and get a certificate.
        """
        await self.journal.load()
        for challenge in self.journal.challenges():
            await self._story.plane.present(challenge)
        settings = Acme(directory=self._story.authority.directoryURL, caFile=self._story.authority.caFile)
        issuer = Issuer(
            reactor,
            settings,
            challenges=("http-01",),
            accounts=self,  # type: ignore[arg-type]
            plane=self._story.plane,
            observe=self._story.observe,
            journal=self.journal,
        )
        self.obtaining = issuer.obtain((name,), self._story.install)
        try:
            return await self.obtaining
        finally:
            await issuer.close()

    def die(self) -> None:
        """
        From now on nothing of this is written, sent or served.
        """
        self.isDead = True
        self._orders.before = self._orders.after = lambda step: False
        # The disk is as it is.
        self.journal._store = None
        if self.obtaining is not None:
            self.obtaining.cancel()


class KilledTests(FaultStory):
    """
    Killed at every step there is.
    """

    async def killed(self, arm: Callable[[Callable[[], None]], None], name: str) -> bool:
        """
        Let a process die where it was told to, and another one take over.

        @return: Whether it came to that.
        """
        accounts, orders = Accounts(), Orders()
        before = self.authority.orders, self.authority.invalid, self.authority.accounts
        self.authority.instead, self.authority.spoil = (lambda what: None), (lambda what, reply: reply)
        first = Mortal(self, accounts, orders)
        self.arm(arm, first, orders)
        try:
            await first.run(name)
        except CancelledError:
            pass
        self.authority.instead, self.authority.spoil = (lambda what: None), (lambda what, reply: reply)
        if not first.isDead:
            return False
        second = Mortal(self, accounts, orders)
        got = await second.run(name)
        self.verify(got, name)
        entry = second.journal.ofKey(got.key)
        assert entry is not None
        await second.journal.forget(entry.names)
        self.assertEqual(orders.kept, {})
        self.assertEqual(self.plane.presented, [])
        placed = self.authority.orders - before[0]
        # One more only where the authority came while nobody was there.
        self.assertIn(placed, (1, 1 + self.authority.invalid - before[1]))
        self.assertEqual(self.authority.accounts - before[2], 1)
        return True

    def soon(self, die: Callable[[], None]) -> bool:
        reactor.callLater(0, die)  # type: ignore[attr-defined]
        return True

    def arm(self, arm: Any, first: Mortal, orders: Orders) -> None:
        self.orders = orders
        arm(first.die)

    async def atEvery(self, arm: Callable[[int, Callable[[], None]], None], least: int) -> None:
        await self.opens()
        for step in range(1, 40):
            name = f"step{step}.example"
            if not await self.killed(lambda die, step=step: arm(step, die), name):
                break
        self.assertGreater(step, least)

    async def test_beforeTheDeed(self) -> None:
        """
        Before the authority does what it is asked: there is one order and one
        account in the end.
        """

        def arm(step: int, die: Callable[[], None]) -> None:
            asked = 0

            def instead(what: str) -> Any:
                nonlocal asked
                asked += 1
                if asked == step:
                    die()
                    return refusal(500, "serverInternal", "nobody listens any more")
                return None

            self.authority.instead = instead

        await self.atEvery(arm, 8)

    async def test_afterTheDeed(self) -> None:
        """
        After the authority did it, and before anybody heard: likewise.
        """

        def arm(step: int, die: Callable[[], None]) -> None:
            asked = 0

            def spoil(what: str, reply: Any) -> Any:
                nonlocal asked
                asked += 1
                if asked == step:
                    die()
                return reply

            self.authority.spoil = spoil

        await self.atEvery(arm, 8)

    async def test_beforeItIsWritten(self) -> None:
        """
        Before a note is on the disk: likewise.
        """

        def arm(step: int, die: Callable[[], None]) -> None:
            self.orders.before = lambda at: at == step and self.soon(die)

        await self.atEvery(arm, 3)

    async def test_afterItIsWritten(self) -> None:
        """
        Once a note is on the disk: likewise.
        """

        def arm(step: int, die: Callable[[], None]) -> None:
            self.orders.after = lambda at: at == step and self.soon(die)

        await self.atEvery(arm, 3)


class ResumedTests(FaultStory):
    """
    What is made of an order that was under way.
    """

    async def interrupted(self, at: str) -> tuple[Accounts, Orders]:
        """
        What a process leaves that dies when this was done.
        """
        accounts, orders = Accounts(), Orders()
        first = Mortal(self, accounts, orders)

        def spoil(what: str, reply: Any) -> Any:
            if what == at:
                first.die()
            return reply

        self.authority.spoil = spoil
        await self.assertFailure(Deferred.fromCoroutine(first.run("a.example")), CancelledError)
        self.authority.spoil = lambda what, reply: reply
        return accounts, orders

    async def test_keyIsTheSame(self) -> None:
        """
        The certificate of a finished order is fetched, and its key is the one
        that was written down before.
        """
        await self.opens()
        accounts, orders = await self.interrupted("finalize")
        second = Mortal(self, accounts, orders)
        got = await second.run("a.example")
        self.verify(got, "a.example")
        self.assertEqual(self.authority.orders, 1)
        self.assertIn("resumed", self.events)

    async def test_orderGone(self) -> None:
        """
        An order that the authority does not know any more is forgotten for
        another.
        """
        await self.opens()
        accounts, orders = await self.interrupted("order")
        entry = next(iter(orders.kept.values()))
        orders.kept = {
            names: entry.replace(
                b'"order": null', b'"order": "%s/gone"' % self.authority.directoryURL.encode()
            )
            for names in orders.kept
        }
        got = await Mortal(self, accounts, orders).run("a.example")
        self.verify(got, "a.example")
        self.assertNotIn("resumed", self.events)

    async def damaged(self, was: bytes, becomes: bytes) -> None:
        """
        Somebody meddled with what was noted of an order.
        """
        await self.opens()
        accounts, orders = await self.interrupted("authorization")
        self.assertIn(was, next(iter(orders.kept.values())))
        orders.kept = {names: entry.replace(was, becomes) for names, entry in orders.kept.items()}
        got = await Mortal(self, accounts, orders).run("a.example")
        self.verify(got, "a.example")

    async def test_keyOfNoUse(self) -> None:
        """
        A key that is none costs an order, and not the name for a day.
        """
        await self.damaged(b"\\n", b"\\nAAAA")
        self.assertEqual(self.authority.orders, 2)

    async def test_elsewhere(self) -> None:
        """
        An order said to be with somebody else, who does not even answer, is
        looked for where it was placed; nobody else is asked.
        """
        await self.damaged(b'"order": "https://127.0.0.1:', b'"order": "https://127.0.0.1:1')
        self.assertEqual(self.authority.orders, 1)

    async def test_comeInVain(self) -> None:
        """
        Where the authority came while nobody answered, another order is placed
        at once.
        """
        await self.opens()
        accounts, orders = await self.interrupted("challenge")
        while self.authority.invalid == 0:
            pause: Deferred[None] = Deferred()
            reactor.callLater(0.02, pause.callback, None)  # type: ignore[attr-defined]
            await pause
        got = await Mortal(self, accounts, orders).run("a.example")
        self.verify(got, "a.example")
        self.assertEqual(self.authority.orders, 2)

    async def test_anotherAccount(self) -> None:
        """
        What was ordered by another account is none of ours.
        """
        await self.opens()
        _, orders = await self.interrupted("authorization")
        got = await Mortal(self, Accounts(), orders).run("a.example")
        self.verify(got, "a.example")
        self.assertEqual(self.authority.orders, 2)

    async def test_sameProcess(self) -> None:
        """
        An order during which the authority went away is gone on with by the
        next try of the same process.
        """
        await self.opens()
        accounts, orders = Accounts(), Orders()
        process = Mortal(self, accounts, orders)
        from smartproxy_tw.acme import issuance

        self.patch(issuance, "_OUTAGE", 0.2)
        self.authority.fails("finalize", 10**9)
        await self.assertFailure(Deferred.fromCoroutine(process.run("a.example")), AuthorityUnreachable)
        self.authority.instead = lambda what: None
        got = await process.run("a.example")
        self.verify(got, "a.example")
        self.assertEqual(self.authority.orders, 1)

    async def test_fullDisk(self) -> None:
        """
        A disk without space costs no certificate.
        """
        await self.opens()
        orders = Orders()
        orders.isFull = True
        got = await Mortal(self, Accounts(), orders).run("a.example")
        self.verify(got, "a.example")
        self.assertEqual((self.authority.orders, orders.kept), (1, {}))


class AbandonTests(SynchronousTestCase):
    """
    An order that nobody goes on with.
    """

    def setUp(self) -> None:
        self.plane = FakePlane(Story())
        self.journal = Journal()
        self.successResultOf(self.journal.begin(Entry("https://ca.example/", ("a.test",), b"key", 0.0)))
        given = Answer("http-01", "a.test", "token", "token.thumb")
        self.successResultOf(self.journal.answering(("a.test",), (given,)))
        self.successResultOf(self.plane.present(answer("http-01", "a.test", "token", "token.thumb")))

    def abandon(self) -> None:
        """
        Nobody goes on with it.
        """
        (entry,) = self.journal.entries
        abandoning = abandon(entry, self.journal, self.plane)  # type: ignore[arg-type]
        self.successResultOf(Deferred.fromCoroutine(abandoning))

    def test_forgotten(self) -> None:
        """
        Its answers are not presented any more, nor is it in the journal.
        """
        self.assertEqual(len(self.plane.presented), 1)
        self.abandon()
        self.assertEqual((self.plane.presented, self.journal.entries), ([], ()))

    def test_notWithdrawn(self) -> None:
        """
        It is forgotten even when its answers cannot be withdrawn.
        """
        self.plane.withdraw = lambda _: fail(OSError("gone"))  # type: ignore[method-assign]
        self.abandon()
        self.assertEqual(self.journal.entries, ())
