"""
Tests for L{smartproxy_tw.service.pursuit}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import NoChallengeUsable, TooManyNames
from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.service.pursuit import Pursuit
from smartproxy_tw.service.served import Served
from smartproxy_tw.service.stock import Stock

from .issuance import DAY, NOW, SHOP, SIGNER, Issuance, refusal

#: One of the shop's names cannot be proved.
UNPROVED = NoChallengeUsable("www.shop.example", ["dns-01"], ["http-01"])


class Orders:
    """
    Orders that end when the test says so.
    """

    def __init__(self, story: list[str]) -> None:
        self._story = story
        self._waiting: list[Deferred[None]] = []
        self.withdrawing: Deferred[None] = succeed(None)

    async def askForAll(self) -> None:
        """
        Have all.
        """
        await self._ask("all")

    async def askFor(self, names: tuple[str, ...]) -> None:
        """
        Have some.
        """
        await self._ask(", ".join(names))

    async def _ask(self, what: str) -> None:
        self._story.append(f"ordered {what}")
        asked: Deferred[None] = Deferred(lambda _: self._story.append(f"withdrew {what}"))
        self._waiting.append(asked)
        try:
            await asked
        finally:
            await self.withdrawing

    def ends(self, why: Exception | None = None) -> None:
        """
        The one that is under way has ended, well or not.
        """
        asked = self._waiting.pop()
        if why is None:
            asked.callback(None)
        else:
            asked.errback(why)


class PursuitTests(SynchronousTestCase):
    """
    L{Pursuit}, alone.
    """

    def setUp(self) -> None:
        self.story: list[str] = []
        self.clock = Clock()
        self.clock.advance(NOW)
        self.orders = Orders(self.story)
        issuer: Any = None
        self.served = Served(issuer, self.clock)
        self.kept: Deferred[None] = succeed(None)
        world: Any = self
        orders: Any = self.orders
        self.pursuit = Pursuit(
            SHOP,
            orders,
            world,
            self.clock,
            self.served,
            renewal=world,
            expiry=world,
            whenKept=lambda: self.kept,
            then=lambda: self.story.append("then"),
            divide=lambda: self.story.append("divide"),
        )

    def postpone(self, why: Exception) -> None:
        """
        The appointment hears of a failure.
        """
        self.story.append(f"postponed: {type(why).__name__}")

    def succeed(self) -> float:
        """
        The appointment hears of a success.
        """
        self.story.append("succeeded")
        return NOW + 60 * DAY

    def look(self) -> None:
        """
        It is looked whether what is served ends soon.
        """
        self.story.append("looked")

    def due(self) -> Any:
        """
        What is served is to be renewed.
        """
        return self

    at = NOW + 60 * DAY

    def serve(self, *names: str, age: float = 0.0) -> None:
        """
        A certificate is served.
        """
        issuer: Any = None
        credential = SIGNER.issue(list(names), lifetime=90 * DAY, now=NOW - age)
        self.served.become(credential, describe(credential.chain), issuer)

    def test_one(self) -> None:
        """
        Whoever wants one while one is under way waits for that, until what came of it is in the store;
        then another one may begin.
        """
        first, second = self.pursuit.begin(), self.pursuit.begin()
        self.assertTrue(self.pursuit.isUnderWay)
        self.serve(*SHOP.names)
        self.kept = Deferred()
        self.orders.ends()
        self.assertEqual(self.story, ["ordered all", "succeeded", "then"])
        self.assertNoResult(first)
        self.kept.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual((self.pursuit.isUnderWay, self.pursuit.ended), (False, 1))
        third = self.pursuit.begin()
        self.assertNoResult(third)
        self.orders.ends(refusal())
        self.successResultOf(third)
        self.assertEqual(self.pursuit.ended, 2)

    def test_failed(self) -> None:
        """
        A failure is told to those who see to the next order and to the end of what is served; nobody
        who waits is told, since what there is to say is in the status.
        """
        waiting = self.pursuit.begin()
        self.orders.ends(refusal())
        self.successResultOf(waiting)
        self.assertEqual(self.story, ["ordered all", "postponed: AuthorityProblem", "looked"])

    def test_tooMany(self) -> None:
        """
        Names that are too many are divided, once the next order has its time.
        """
        self.pursuit.begin()
        self.orders.ends(TooManyNames("https://ca.example/", 2, 1))
        self.assertEqual(self.story, ["ordered all", "postponed: TooManyNames", "looked", "divide"])

    def test_others(self) -> None:
        """
        After a failure that names some, there is an order for the others, which changes nothing about
        the next one for all.
        """
        for outcome, told in (
            (None, "Serving a certificate for shop.example until there is one for all of "),
            (
                refusal(),
                "Neither is there a certificate for shop.example without the others: The certificate",
            ),
            (
                ZeroDivisionError("a bug"),
                "Neither is there a certificate for shop.example without the others: a b",
            ),
        ):
            self.story.clear()
            waiting = self.pursuit.begin()
            self.orders.ends(UNPROVED)
            self.assertEqual(
                self.story, ["ordered all", "postponed: NoChallengeUsable", "looked", "ordered shop.example"]
            )
            with capturedLogs() as events:
                self.orders.ends(outcome)
            self.successResultOf(waiting)
            self.assertEqual(len(self.story), 4)
            [line] = map(formatEvent, events)
            self.assertTrue(line.startswith(told), line)

    def test_noOthers(self) -> None:
        """
        There is none where what is served is as good: it covers all names and is not about to end, or
        is for the others and not due.
        """
        for names in (SHOP.names, ("shop.example",)):
            self.story.clear()
            self.serve(*names)
            self.successResultOf((self.pursuit.begin(), self.orders.ends(UNPROVED))[0])
            self.assertEqual(self.story[-1], "looked", names)

    def test_othersInNeed(self) -> None:
        """
        There is one where what is served is about to end, is due, or is revoked.
        """
        for names, age, at, isRevoked in (
            (SHOP.names, 80 * DAY, NOW + DAY, False),
            (("shop.example",), DAY, NOW, False),
            (SHOP.names, 0.0, NOW + DAY, True),
        ):
            self.story.clear()
            self.serve(*names, age=age)
            self.at, self.served.isRevoked = at, isRevoked
            waiting = self.pursuit.begin()
            self.orders.ends(UNPROVED)
            self.assertEqual(self.story[-1], "ordered shop.example", names)
            self.orders.ends(refusal())
            self.successResultOf(waiting)

    def test_end(self) -> None:
        """
        The end takes the order back, be it for all or for some, is over when it is, and counts as no
        failure.
        """
        waiting = self.pursuit.begin()
        self.orders.ends(UNPROVED)
        self.story.clear()
        with capturedLogs() as events:
            self.successResultOf(Deferred.fromCoroutine(self.pursuit.end()))
        self.successResultOf(waiting)
        self.assertEqual(events, [])
        self.assertEqual(self.story, ["withdrew shop.example"])
        self.pursuit.begin()
        self.successResultOf(Deferred.fromCoroutine(self.pursuit.end()))
        self.assertEqual(self.story, ["withdrew shop.example", "ordered all", "withdrew all"])
        self.assertFalse(self.pursuit.isUnderWay)

    def test_endTakesItsTime(self) -> None:
        """
        It is over when the challenges are withdrawn, and not before.
        """
        withdrawing = self.orders.withdrawing = Deferred()
        self.pursuit.begin()
        ending = Deferred.fromCoroutine(self.pursuit.end())
        self.assertEqual(self.story, ["ordered all", "withdrew all"])
        self.assertNoResult(ending)
        withdrawing.callback(None)
        self.successResultOf(ending)

    def test_endWhileKeeping(self) -> None:
        """
        The end waits no longer for the store.
        """
        self.serve(*SHOP.names)
        self.kept = Deferred()
        waiting = self.pursuit.begin()
        self.orders.ends()
        self.successResultOf(Deferred.fromCoroutine(self.pursuit.end()))
        self.successResultOf(waiting)

    def test_endIsIdle(self) -> None:
        """
        Where no order is under way it is at once.
        """
        self.successResultOf(Deferred.fromCoroutine(self.pursuit.end()))
        self.assertEqual((self.story, self.pursuit.ended), ([], 0))

    def test_givenUp(self) -> None:
        """
        An order that somebody else has given up has failed, and nobody waits for ever.
        """
        waiting = self.pursuit.begin()
        self.orders.ends(CancelledError())
        self.successResultOf(waiting)
        self.assertEqual(self.story, ["ordered all", "postponed: RuntimeError", "looked"])


class WholeTests(Issuance):
    """
    In a whole certificate.
    """

    def test_oneOrderAtATime(self) -> None:
        """
        Whoever asks while an order is under way waits for that one.
        """
        self.authority.thinks()
        self.begin()
        first, second = self.certificate.provision(), self.certificate.provision()
        self.assertEqual(self.orders, 1)
        self.assertNoResult(first)
        self.authority.decides()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.orders, 1)

    def test_oneNameOfSeveral(self) -> None:
        """
        A name that cannot be proved does not take the others along: they have a
        certificate at once, the status says what is wrong, and all of them are
        tried again until it is mended.
        """
        self.refuseWWW()
        self.begin()
        self.assertEqual(describe(self.served.chain).names, ("shop.example",))
        self.assertEqual(self.saved, [self.served])
        status = self.certificate.status()
        self.assertEqual((status.state, status.expires), ("failed", NOW + 90 * DAY))
        self.assertIn("www.shop.example", status.problem or "")
        said = [(each.kind, each.names) for each in self.told]
        self.assertEqual(said, [("failed", SHOP.names), ("issued", ("shop.example",))])
        self.clock.pump([3600.0] * 24 * 7)
        # One order for the part, and no more as long as that is good.
        self.assertEqual(self.authority.orders[("shop.example",)], 1)
        self.assertTrue(8 <= self.orders <= 14, self.orders)
        self.authority.agrees()
        self.clock.pump([3600.0] * 31)
        self.assertEqual(describe(self.served.chain).names, SHOP.names)
        self.assertEqual(self.certificate.status().state, "valid")

    def test_partIsRenewed(self) -> None:
        """
        The certificate for a part is renewed like any other.
        """
        self.refuseWWW()
        self.begin()
        first = self.served
        self.clock.pump([3600.0] * 24 * 70)
        self.assertNotEqual(self.served, first)
        self.assertEqual(self.authority.orders[("shop.example",)], 2)

    def test_partAcrossRestarts(self) -> None:
        """
        After a restart the part is served again, and asked for no more.
        """
        self.refuseWWW()
        self.begin()
        part = self.served
        self.successResultOf(self.certificate.stop())
        self.certificate = self.make(SHOP)
        self.begin(**{"auto:shop.example": part})
        self.assertEqual(self.served, part)
        self.clock.pump([3600.0] * 48)
        self.assertEqual(self.authority.orders[("shop.example",)], 1)

    def test_wholeIsKeptAsLongAsItIsGood(self) -> None:
        """
        A certificate for all the names is not replaced by one for a part,
        until it is about to end.
        """
        self.begin()
        whole = self.served
        self.refuseWWW()
        self.clock.pump([3600.0] * 24 * 71)
        self.assertGreater(self.orders, 2)
        self.assertEqual(self.served, whole)
        self.clock.pump([3600.0] * 24 * 3)
        self.assertEqual(describe(self.served.chain).names, ("shop.example",))

    def test_noPartEither(self) -> None:
        """
        When there is none for the others either, that is told, and the next
        attempt is as late as it was.
        """
        self.refuseWWW()
        self.authority.refuses(refusal(), "shop.example")
        self.begin()
        self.assertIsNone(self.certificate.status().expires)
        self.clock.pump([60.0] * 30)
        self.assertEqual(self.orders, 3)

    def test_stopDuringThePart(self) -> None:
        """
        A stop ends the order for a part like any other.
        """
        self.refuseWWW()
        self.successResultOf(self.certificate.load(Stock({})))
        self.plane.holds("install")
        self.certificate.provision()
        self.assertEqual(len(self.plane.presented), 1)
        self.successResultOf(self.certificate.stop())
        self.admission.stop()
        self.assertEqual(self.plane.presented, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_defect(self) -> None:
        """
        A defect of ours is logged as one, and does not end issuing.
        """
        self.authority.refuses(ZeroDivisionError("oops"))
        self.begin()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.certificate.status().state, "failed")
        self.authority.agrees()
        self.clock.pump([60.0] * 2)
        self.assertEqual(self.certificate.status().state, "valid")
