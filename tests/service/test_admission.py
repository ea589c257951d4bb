"""
Tests for L{smartproxy_tw.service.admission}: many certificates and one authority
that is away, or says that it is enough.
"""

from __future__ import annotations

import os
from random import Random

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.agenda import Wish
from smartproxy_tw.acme.budget import UNLIMITED, Limits, limitsOf
from smartproxy_tw.acme.errors import AuthorityNonsense, AuthorityProblem, AuthorityUnreachable, Problem
from smartproxy_tw.config.model import LETSENCRYPT
from smartproxy_tw.service.admission import Admission
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.store.attempts import DirectoryAttempts
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.uses import DirectoryUses

NOW = 1_800_000_000
AWAY = AuthorityUnreachable("https://ca.test/", "connection refused")


def enough(retryAfter: float | None = 3600.0, detail: str = "too many new orders (3)") -> AuthorityProblem:
    """
    An authority that has had enough of us.
    """
    problem = Problem("urn:ietf:params:acme:error:rateLimited", detail, 429)
    return AuthorityProblem("ordering", problem, retryAfter=retryAfter)


class AdmissionTests(SynchronousTestCase):
    """
    The way to one authority.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.probes: list[float] = []
        self.problem: Exception | None = None
        self.orders: list[str] = []
        self.underWay: dict[str, Deferred[str]] = {}
        self.isSlow = False
        self.admission = self.make()

    def make(self, limits: Limits = UNLIMITED, *, canProbe: bool = True) -> Admission:
        """
        As a new process has it.
        """
        memory = Memory(DirectoryAttempts(self.directory), DirectoryUses(self.directory), maybeDeferred)
        return Admission(limits, memory, self.clock, Random(0), self.probe if canProbe else None)

    def restart(self, limits: Limits = UNLIMITED) -> None:
        """
        Another process takes over.
        """
        self.admission.stop()
        self.admission = self.make(limits)

    def probe(self) -> Deferred[None]:
        """
        A cheap request.
        """
        self.probes.append(self.clock.seconds() - NOW)
        return succeed(None) if self.problem is None else fail(self.problem)

    def order(self, name: str) -> Deferred[str]:
        """
        A request that is not cheap.
        """
        self.orders.append(name)
        if self.isSlow:
            self.underWay[name] = Deferred()
            return self.underWay[name]
        return succeed(name) if self.problem is None else fail(self.problem)

    def admit(self, name: str) -> Deferred[str]:
        """
        Somebody wants a certificate.
        """
        admitted = self.admission.admit(Wish((name,)), lambda: self.order(name))
        admitted.addErrback(lambda failure: f"{name}: {type(failure.value).__name__}")
        return admitted

    def test_oneProbeForAll(self) -> None:
        """
        The first order that finds the authority away keeps all others from
        asking: one probe looks for it, ever more rarely, and nobody else asks.
        """
        self.problem = AWAY
        for number in range(1000):
            admitted = self.admit(f"site{number}.test")
            self.assertEqual(self.successResultOf(admitted), f"site{number}.test: AuthorityUnreachable")
        self.assertEqual(self.orders, ["site0.test"])
        self.clock.pump([0.25] * 4 * 180)
        self.assertEqual(self.orders, ["site0.test"])
        self.assertTrue(14 <= len(self.probes) <= 22, self.probes)
        gaps = [after - before for before, after in zip(self.probes, self.probes[1:], strict=False)]
        self.assertLessEqual(max(gaps), 30.0)
        self.assertGreater(gaps[-1], gaps[0])

    def test_whoWaitsForATurnIsTold(self) -> None:
        """
        Those whose turn had not come are told too, and do not wait in vain.
        """
        self.isSlow = True
        admitted = [self.admit(f"site{number}.test") for number in range(40)]
        self.assertEqual(len(self.orders), 16)
        self.underWay["site3.test"].errback(AWAY)
        for place in (3, *range(16, 40)):
            self.assertIn("AuthorityUnreachable", self.successResultOf(admitted[place]))
        self.assertEqual(len(self.orders), 16)
        self.underWay["site4.test"].errback(AWAY)
        self.assertEqual(self.probes, [])

    def test_recovery(self) -> None:
        """
        Within three seconds after an outage of five all go on at once, those
        that matter first.
        """
        self.problem = AWAY
        names = [f"site{number}.test" for number in range(8)]
        back: list[float] = []

        def again(_: None, name: str, asked: float) -> Deferred[str]:
            back.append(self.clock.seconds() - NOW)
            return self.admission.admit(Wish((name,), asked=asked), lambda: self.order(name))

        for number, name in enumerate(names):
            self.admit(name)
            self.admission.whenBack().addCallback(again, name, float(number))
        self.clock.pump([0.1] * 50)
        self.problem = None
        del self.orders[:]
        self.clock.pump([0.1] * 30)
        self.assertEqual(self.orders, names[::-1])
        self.assertEqual(len(set(back)), 1)
        self.assertIsNone(self.admission.outage)
        self.assertIsNone(self.admission.nextProbe)

    def test_relapse(self) -> None:
        """
        An authority whose directory answers and that takes no orders is looked
        for ever more rarely too: what counts is an order.
        """
        tries = []
        for _ in range(18):
            self.problem = AWAY
            self.admit("a.test")
            self.problem = None
            assert self.admission.nextProbe is not None
            tries.append(self.admission.nextProbe - self.clock.seconds())
            self.clock.advance(tries[-1])
            self.assertIsNone(self.admission.outage)
        self.assertGreater(tries[-1], 20.0)
        self.admit("a.test")
        self.problem = AWAY
        self.admit("a.test")
        assert self.admission.nextProbe is not None
        self.assertLessEqual(self.admission.nextProbe - self.clock.seconds(), 1.0)

    def test_relapseOfMany(self) -> None:
        """
        Where the directory answers and orders do not get through, all go on once,
        and after that one follows each probe; when that is taken, all.
        """
        self.isSlow = True
        names = [f"site{number}.test" for number in range(40)]

        def go(_: None) -> None:
            del self.orders[:]
            with self.admission.gathering():
                for name in names:
                    self.admit(name)

        def fail() -> None:
            for name in list(self.orders):
                self.underWay[name].errback(AWAY)
            self.admission.whenBack().addCallback(go)

        go(None)
        fail()
        self.clock.advance(1.0)
        self.assertEqual(len(self.orders), 16)
        for _ in range(3):
            fail()
            self.clock.advance(2.0)
            self.assertEqual(len(self.orders), 1)
        self.underWay[self.orders[0]].callback("done")
        self.assertEqual(len(self.orders), 17)

    def test_anOrderIsAsGoodAsAProbe(self) -> None:
        """
        When an order that was under way succeeds, the authority is back.
        """
        self.isSlow = True
        first, _ = self.admit("a.test"), self.admit("b.test")
        self.underWay["b.test"].errback(AWAY)
        back = self.admission.whenBack()
        self.assertNoResult(back)
        self.underWay["a.test"].callback("a.test")
        self.successResultOf(back)
        self.assertEqual(self.successResultOf(first), "a.test")

    def test_whateverItSays(self) -> None:
        """
        A directory that answers with nonsense is one that answers: the orders
        themselves then say what is wrong.
        """
        self.problem = AWAY
        self.admit("a.test")
        self.problem = AuthorityNonsense("https://ca.test/", "it is no JSON")
        self.clock.advance(1.0)
        self.assertIsNone(self.admission.outage)

    def test_asksForTime(self) -> None:
        """
        An authority that answers just how long it wants to be left alone is left
        alone, and so by the next process.
        """
        self.problem = AuthorityUnreachable("https://ca.test/", "status 503", retryAfter=600.0)
        self.admit("a.test")
        self.clock.pump([1.0] * 590)
        self.restart()
        self.problem = None
        self.admit("a.test")
        self.assertEqual((self.orders, self.probes), (["a.test"], []))
        self.clock.pump([1.0] * 11)
        self.assertEqual(self.orders, ["a.test", "a.test"])

    def test_withoutAProbe(self) -> None:
        """
        Where there is nothing to look with, the next order finds out.
        """
        self.admission = self.make(canProbe=False)
        self.problem = AWAY
        self.admit("a.test")
        back = self.admission.whenBack()
        self.clock.advance(1.0)
        self.successResultOf(back)

    def test_enoughAcrossRestarts(self) -> None:
        """
        An account that has had its share waits for as long as it was told, also
        in the next process; and why is known.
        """
        self.problem = enough()
        self.admit("a.test")
        self.problem = None
        self.restart()
        wish = Wish(("b.test",))
        admitted = self.admission.admit(wish, lambda: self.order("b.test"))
        held = self.admission.waitOf(wish)
        assert held is not None
        self.assertEqual(held.until, NOW + 3600.0)
        self.assertIn("too many new orders", held.why)
        self.clock.pump([60.0] * 59)
        self.assertNoResult(admitted)
        self.assertTrue(self.admission.isWaiting(wish))
        self.clock.pump([60.0] * 1)
        self.successResultOf(admitted)
        self.assertIsNone(self.admission.waitOf(wish))

    def test_busy(self) -> None:
        """
        A refusal with status 503 and a time, whatever its type, is about all.
        """
        problem = Problem("urn:ietf:params:acme:error:serverInternal", "maintenance", 503)
        self.problem = AuthorityProblem("ordering", problem, retryAfter=60.0)
        self.admit("a.test")
        self.problem = None
        other = self.admit("b.test")
        self.assertNoResult(other)
        self.clock.advance(60.0)
        self.successResultOf(other)

    def test_usesAcrossRestarts(self) -> None:
        """
        Of Let's Encrypt's 300 orders, those of the process before count.
        """
        self.restart(limitsOf(LETSENCRYPT))
        for number in range(200):
            self.admit(f"site{number}.test")
        self.restart(limitsOf(LETSENCRYPT))
        for number in range(200, 400):
            self.admit(f"site{number}.test")
        self.assertEqual(len(self.orders), 300)
        self.clock.pump([60.0] * 60)
        self.assertTrue(397 <= len(self.orders) <= 400, len(self.orders))

    def test_usesSurviveAKill(self) -> None:
        """
        What is used is written within seconds, not only at the end.
        """
        self.admission = self.make(limitsOf(LETSENCRYPT))
        for number in range(300):
            self.admit(f"site{number}.test")
        self.clock.advance(5.0)
        after = self.make(limitsOf(LETSENCRYPT))
        after.admit(Wish(("a.test",)), lambda: self.order("a.test"))
        self.assertEqual(len(self.orders), 300)

    def test_failedAuthorizations(self) -> None:
        """
        A name that fails five times is left alone for a while, as far as it is
        known that it was the name.
        """
        self.admission = self.make(limitsOf(LETSENCRYPT))
        problem = Problem("urn:ietf:params:acme:error:dns", "no such name", 400)
        self.problem = AuthorityProblem("verifying", problem, byName={"a.test": problem}.items())
        for _ in range(5):
            self.successResultOf(self.admit("a.test"))
        self.assertNoResult(self.admit("a.test"))
        self.problem = None
        self.successResultOf(self.admit("b.test"))

    def test_cancelled(self) -> None:
        """
        Who gives up its turn does not go; who gives up its order makes room; and
        neither tells that the authority is there.
        """
        self.isSlow = True
        admitted = [self.admit(f"site{number}.test") for number in range(18)]
        self.underWay["site0.test"].errback(AWAY)
        self.assertIsNotNone(self.admission.outage)
        admitted[1].cancel()
        self.assertIsNotNone(self.admission.outage)
        self.clock.advance(1.0)
        self.assertIsNone(self.admission.outage)
        more = [self.admit(f"more{number}.test") for number in range(4)]
        self.assertEqual(self.orders[16:], ["more0.test", "more1.test"])
        more[2].cancel()
        admitted[2].cancel()
        self.assertEqual(self.orders[16:], ["more0.test", "more1.test", "more3.test"])

    def test_stop(self) -> None:
        """
        After a stop nothing is looked for, and nothing is left to be done.
        """
        self.problem = AWAY
        self.admit("a.test")
        self.admission.stop()
        self.clock.pump([1.0] * 60)
        self.assertEqual(self.probes, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopWhileLooking(self) -> None:
        """
        A probe that is under way is ended.
        """
        self.problem = AWAY
        looking: Deferred[None] = Deferred()
        self.patch(self, "probe", lambda: looking)
        self.admission = self.make()
        self.admit("a.test")
        self.clock.advance(1.0)
        self.admission.stop()
        self.assertTrue(looking.called)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_learns(self) -> None:
        """
        How many names there may be in one order is known to the next process, for
        the profile that was asked for, and no news about the budget makes it forget.
        """
        self.assertIsNone(self.admission.mostNames)
        self.admission.learn(25)
        self.admit("a.test")
        self.restart()
        self.assertEqual(self.admission.mostNames, 25)
        memory = Memory(DirectoryAttempts(self.directory), DirectoryUses(self.directory), maybeDeferred)
        short = Admission(UNLIMITED, memory, self.clock, Random(0), profile="shortlived")
        self.assertIsNone(short.mostNames)
        short.learn(10)
        self.assertEqual(DirectoryUses(self.directory).load().mostNames, {"": 25, "shortlived": 10})
