"""
Tests for L{smartproxy_tw.acme.budget}.
"""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.budget import UNLIMITED, Budget, Kind, Wait, limitsOf
from smartproxy_tw.acme.schedule import LONGEST_WAIT
from smartproxy_tw.config.model import LETSENCRYPT, LETSENCRYPT_STAGING
from smartproxy_tw.config.names import registeredDomain

from ..examples import examples

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
DETAIL = "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s"


def issue(budget: Budget, names: tuple[str, ...], now: float, kind: Kind = "new") -> None:
    """
    One order, from its beginning to a certificate.
    """
    budget.take(names, kind, now)
    budget.settle(names, kind, isPlaced=True, isIssued=True)


class RegisteredDomainTests(SynchronousTestCase):
    def test_rule(self) -> None:
        """
        The last two labels of a name, an IPv4 address itself, and the /64 of an
        IPv6 address.
        """
        found = {
            name: registeredDomain(name)
            for name in ("shop.example", "a.b.shop.example", "*.shop.example", "192.0.2.1", "2001:db8::1")
        }
        self.assertEqual(
            found,
            {
                "shop.example": "shop.example",
                "a.b.shop.example": "shop.example",
                "*.shop.example": "shop.example",
                "192.0.2.1": "192.0.2.1",
                "2001:db8::1": "2001:db8::/64",
            },
        )


class LetsEncryptTests(SynchronousTestCase):
    """
    What is known beforehand.
    """

    def setUp(self) -> None:
        self.budget = Budget(limitsOf(LETSENCRYPT))

    def allowed(self, kind: Kind, seconds: float) -> int:
        """
        How many orders, each for a name of its own, may be placed in a time by
        one who asks every second.
        """
        count = 0
        for second in range(int(seconds)):
            while self.budget.wait((f"www{count}.site{count}.example{count}",), kind, NOW + second) is None:
                issue(self.budget, (f"www{count}.site{count}.example{count}",), NOW + second, kind)
                count += 1
                if count > 2000:
                    return count
        return count

    def test_orders(self) -> None:
        """
        300 at once, and one more every 36 seconds; the first wait says why and
        until when.
        """
        self.assertEqual(self.allowed("new", 1), 300)
        held = self.budget.wait(("a.test",), "new", NOW)
        assert held is not None
        self.assertIn("300 new orders", held.why)
        self.assertTrue(36.0 <= held.until - NOW < 38.0, held)
        self.assertTrue(97 <= self.allowed("new", HOUR) <= 100)

    def test_renewalsAreNotCountedAsNew(self) -> None:
        """
        A renewal of the same set is no new order, and one that was suggested is
        not counted at all.
        """
        self.assertGreater(self.allowed("renewal", 1), 2000)
        self.assertIsNone(self.budget.opens("new", NOW))
        for _ in range(20):
            self.assertIsNone(self.budget.wait(("a.test",), "suggested", NOW))
            issue(self.budget, ("a.test",), NOW, "suggested")

    def test_perSet(self) -> None:
        """
        Five certificates for a set of names in a week, in whatever order the
        names stand; one for another set is another matter.
        """
        for _ in range(5):
            issue(self.budget, ("a.test", "b.test"), NOW, "renewal")
        held = self.budget.wait(("b.test", "a.test"), "renewal", NOW)
        assert held is not None
        self.assertIn("5 certificates for the same set", held.why)
        self.assertTrue(33 * HOUR < held.until - NOW < 35 * HOUR, held)
        self.assertIsNone(self.budget.wait(("a.test",), "new", NOW))

    def test_onlyCertificatesAreCounted(self) -> None:
        """
        An order that came to nothing is an order, and no certificate; one that
        was never placed is neither.
        """
        for _ in range(20):
            self.budget.take(("a.test",), "new", NOW)
            self.budget.settle(("a.test",), "new", isPlaced=True, isIssued=False)
        self.assertIsNone(self.budget.wait(("a.test",), "new", NOW))
        for _ in range(2000):
            self.budget.take(("b.test",), "new", NOW)
            self.budget.settle(("b.test",), "new", isPlaced=False, isIssued=False)
        self.assertEqual(self.allowed("new", 1), 280)

    def test_underWayCounts(self) -> None:
        """
        What is under way counts as if it succeeded.
        """
        for _ in range(5):
            self.budget.take(("a.test",), "renewal", NOW)
        self.assertIsNotNone(self.budget.wait(("a.test",), "renewal", NOW))
        self.budget.settle(("a.test",), "renewal", isPlaced=True, isIssued=False)
        self.assertIsNone(self.budget.wait(("a.test",), "renewal", NOW))

    def test_perDomainIsAGuess(self) -> None:
        """
        After 50 certificates under two labels nothing is refused, for these may
        be a public suffix: the next ones are placed one by one.
        """
        for number in range(50):
            issue(self.budget, (f"shop{number}.co.test",), NOW)
        self.assertIsNone(self.budget.wait(("next.co.test",), "new", NOW))
        self.budget.take(("next.co.test",), "new", NOW)
        held = self.budget.wait(("other.co.test",), "new", NOW)
        assert held is not None
        self.assertEqual(held.until, inf)
        self.assertIsNone(self.budget.wait(("other.test",), "new", NOW))
        self.assertIsNone(self.budget.wait(("other.co.test",), "renewal", NOW))

    def test_failures(self) -> None:
        """
        A name that could not be proved five times waits, whatever else stands
        beside it.
        """
        for _ in range(5):
            self.budget.failed(["a.test"], NOW)
        held = self.budget.wait(("b.test", "a.test"), "suggested", NOW)
        assert held is not None
        self.assertIn("5 failed authorizations", held.why)
        self.assertTrue(12 * 60 <= held.until - NOW < 13 * 60, held)
        self.assertIsNone(self.budget.wait(("b.test",), "new", NOW))

    def test_staging(self) -> None:
        """
        The staging environment allows more.
        """
        self.budget = Budget(limitsOf(LETSENCRYPT_STAGING))
        self.assertEqual(self.allowed("new", 1), 1500)

    def test_others(self) -> None:
        """
        Of others nothing is known.
        """
        self.assertEqual(limitsOf("https://ca.test/directory"), UNLIMITED)

    def test_nextProcess(self) -> None:
        """
        The next process knows what this one has used, and what has emptied
        itself is forgotten.
        """
        self.allowed("new", 1)
        self.budget.refused(("a.test",), DETAIL, HOUR, NOW)
        next = Budget(limitsOf(LETSENCRYPT), self.budget.uses(NOW), self.budget.holds(NOW))
        for kind, names in (("new", ("b.test",)), ("renewal", ("a.test",))):
            self.assertEqual(next.wait(names, kind, NOW), self.budget.wait(names, kind, NOW))
            self.assertIsNotNone(next.wait(names, kind, NOW))
        later = NOW + 60 * DAY
        self.assertEqual((self.budget.uses(later), self.budget.holds(later)), ({}, {}))

    def test_clockGoesBack(self) -> None:
        """
        A clock that goes back by years makes no wait longer than that of a full
        bucket, nor a hold longer than the longest.
        """
        self.allowed("new", 1)
        self.budget.hold(NOW + DAY, "busy")
        before = NOW - 3650 * DAY
        held = self.budget.wait(("a.test",), "new", before)
        assert held is not None
        self.assertLessEqual(held.until - before, LONGEST_WAIT)
        self.assertEqual(Budget(limitsOf(LETSENCRYPT), self.budget.uses(NOW)).opens("renewal", before), None)
        held = Budget(limitsOf(LETSENCRYPT), self.budget.uses(NOW)).opens("new", before)
        assert held is not None
        self.assertLess(held.until - before, 60.0)

    @examples()
    @given(some.lists(some.floats(0, 2000), max_size=900))
    def test_neverMoreThanAllowed(self, pauses: list[float]) -> None:
        """
        Whenever one asks, a bucket that holds 300 and empties in three hours,
        as the authority has it, never runs over.
        """
        self.budget = Budget(limitsOf(LETSENCRYPT))
        now, tokens = NOW, 300.0
        for number, pause in enumerate(pauses):
            now += pause / 100
            tokens = min(300.0, tokens + pause / 100 * 300 / (3 * HOUR))
            names = (f"site{number}.test",)
            if self.budget.wait(names, "new", now) is None:
                issue(self.budget, names, now)
                tokens -= 1
            self.assertGreaterEqual(tokens, 0.0)


class RefusalTests(SynchronousTestCase):
    """
    What an authority says.
    """

    def setUp(self) -> None:
        self.budget = Budget()

    def refuse(self, name: str, detail: str = "slow down", asked: float | None = HOUR) -> None:
        """
        An order that the authority does not take.
        """
        self.budget.take((name,), "new", NOW)
        self.budget.refused((name,), detail, asked, NOW)
        self.budget.settle((name,), "new", isPlaced=False, isIssued=False)

    def wait(self, name: str, kind: Kind = "new") -> Wait | None:
        """
        What keeps an order from being placed.
        """
        return self.budget.wait((name,), kind, NOW)

    def test_ofTheAccount(self) -> None:
        """
        Too many new orders: all wait as long as they were asked to.
        """
        self.refuse("a.test", "too many new orders (300) from this account in the last 3h0m0s, retry after x")
        held = self.wait("b.test", "suggested")
        assert held is not None
        self.assertEqual(held.until, NOW + HOUR)
        self.assertIn("too many new orders", held.why)

    def test_ofASet(self) -> None:
        """
        Too many for a set: that set waits, others go on.
        """
        self.refuse("a.test", DETAIL)
        self.assertIsNotNone(self.wait("a.test"))
        self.assertIsNone(self.wait("b.test"))

    def test_ofADomain(self) -> None:
        """
        Too many for a registered domain: the authority says which, and all
        under it wait, however many labels it has.
        """
        self.refuse(
            "a.shop.co.test", 'too many certificates (50) already issued for "shop.co.test" in the last 168h'
        )
        self.assertIsNotNone(self.wait("shop.co.test"))
        self.assertIsNotNone(self.wait("*.b.shop.co.test"))
        self.assertIsNone(self.wait("other.co.test"))

    def test_ofAName(self) -> None:
        """
        Too many failures of a name: that name waits.
        """
        self.refuse("a.test", 'too many failed authorizations (5) for "a.test" in the last 1h0m0s')
        self.assertIsNotNone(self.budget.wait(("b.test", "a.test"), "new", NOW))
        self.assertIsNone(self.wait("b.test"))

    def test_ofWhatIsNotSaid(self) -> None:
        """
        A refusal that does not say what it is about: that set waits, and the
        others go one by one, until one is taken.
        """
        self.refuse("a.test")
        self.assertIsNotNone(self.wait("a.test"))
        self.assertIsNone(self.wait("b.test"))
        self.budget.take(("b.test",), "new", NOW)
        held = self.wait("c.test")
        assert held is not None
        self.assertEqual(held.until, inf)
        self.budget.settle(("b.test",), "new", isPlaced=True, isIssued=False)
        self.budget.take(("c.test",), "new", NOW)
        self.assertIsNone(self.wait("d.test"))

    def test_ofAll(self) -> None:
        """
        When another one is refused too, all wait.
        """
        self.refuse("a.test", "5 for a.test are too many")
        self.refuse("b.other", "6 for b.other are too many")
        held = self.wait("c.third")
        assert held is not None
        self.assertEqual(held.until, NOW + HOUR)

    def test_ofAllInTheSameWords(self) -> None:
        """
        What turned out to be about all once is so at once when it is said again.
        """
        self.refuse("a.test", "5 for a.test are too many", 1.0)
        self.refuse("b.other", "6 for b.other are too many", 1.0)
        self.budget.take(("c.third",), "new", NOW + 2)
        self.budget.refused(("c.third",), "7 for c.third are too many", HOUR, NOW + 2)
        held = self.budget.opens("new", NOW + 2)
        assert held is not None
        self.assertEqual(held.until, NOW + 2 + HOUR)

    def test_ofWhatTheyShare(self) -> None:
        """
        When another one under the same domain is refused too, that domain waits.
        """
        self.refuse("a.shop.test")
        self.refuse("b.shop.test")
        self.assertIsNotNone(self.wait("c.shop.test"))
        self.assertIsNone(self.wait("d.other"))

    def test_withoutATime(self) -> None:
        """
        An authority that does not say how long is left alone for a minute, then
        longer; one that says too long is not believed.
        """
        self.refuse("a.test", "too many new orders", None)
        held = self.wait("b.test")
        assert held is not None
        self.assertEqual(held.until, NOW + 60.0)
        self.refuse("a.test", "too many new orders", None)
        held = self.wait("b.test")
        assert held is not None
        self.assertEqual(held.until, NOW + 600.0)
        self.refuse("a.test", "too many new orders", 1e12)
        held = self.wait("b.test")
        assert held is not None
        self.assertEqual(held.until, NOW + LONGEST_WAIT)
