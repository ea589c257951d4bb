"""
Tests for L{smartproxy_tw.service.renewal}.
"""

from __future__ import annotations

from random import Random

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import AuthorityUnreachable
from smartproxy_tw.acme.objects import RenewalFacts
from smartproxy_tw.acme.schedule import renewAt
from smartproxy_tw.acme.x509 import CertificateFacts
from smartproxy_tw.service.alarm import Timetable
from smartproxy_tw.service.renewal import Renewal

NOW = 1_800_000_000
HOUR, DAY = 3600.0, 86400.0


class RenewalTests(SynchronousTestCase):
    """
    When one certificate is to be renewed.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.asked: list[float] = []
        self.answer: RenewalFacts | Exception | None = None
        self.changes = 0
        self.serial = 0
        self.renewal = self.make()

    def make(self, *, canAsk: bool = True) -> Renewal:
        """
        For an authority that can be asked, or not.
        """
        return Renewal(
            ("shop.example",),
            self.advise if canAsk else None,
            Timetable(self.clock),
            self.clock,
            Random(0),
            self.changed,
        )

    def advise(self, chain: bytes) -> Deferred[RenewalFacts | None]:
        """
        The authority.
        """
        self.asked.append(self.clock.seconds() - NOW)
        return fail(self.answer) if isinstance(self.answer, Exception) else succeed(self.answer)

    def changed(self) -> None:
        """
        Somebody wants to know.
        """
        self.changes += 1

    def serve(self, days: float = 90) -> CertificateFacts:
        """
        A certificate is served, as of now.
        """
        self.serial += 1
        now = self.clock.seconds()
        facts = CertificateFacts(("shop.example",), now, now + days * DAY, "CN=Test", self.serial)
        self.renewal.follow(facts, b"chain %d" % self.serial)
        return facts

    def wants(self, start: float, end: float, retryAfter: float | None = None) -> None:
        """
        The authority has a wish, in days from the beginning.
        """
        self.answer = RenewalFacts(NOW + start * DAY, NOW + end * DAY, "https://ca.test/why", retryAfter)

    def test_notBeforeItMay(self) -> None:
        """
        Nothing is asked before it may be, and once it may within a minute.
        """
        self.serve()
        self.clock.advance(DAY)
        self.assertEqual(self.asked, [])
        self.renewal.begin()
        self.renewal.begin()
        self.assertEqual(self.asked, [])
        self.clock.advance(60.0)
        self.assertEqual(len(self.asked), 1)

    def test_window(self) -> None:
        """
        The moment lies in the window, is the same when the same is said again,
        and moves when the window does, which is told.
        """
        self.renewal.begin()
        self.serve()
        self.wants(40, 42)
        self.clock.advance(60.0)
        due = self.renewal.due()
        self.assertTrue(NOW + 40 * DAY <= due.at < NOW + 42 * DAY)
        self.assertIn("https://ca.test/why", due.why)
        self.assertFalse(self.renewal.isSuggested)
        self.clock.pump([HOUR] * 7)
        self.assertEqual((len(self.asked), self.changes), (2, 1))
        self.assertEqual(self.renewal.due(), due)
        self.wants(-1, -0.5)
        self.clock.pump([HOUR] * 6)
        self.assertEqual((len(self.asked), self.changes), (3, 2))
        self.assertLess(self.renewal.due().at, NOW)
        self.assertTrue(self.renewal.isSuggested)

    def test_retryAfter(self) -> None:
        """
        It is asked as often as it says, but not more than once an hour.
        """
        self.renewal.begin()
        self.serve()
        self.wants(40, 42, retryAfter=60.0)
        self.clock.pump([60.0] * 60 * 5)
        self.assertEqual(len(self.asked), 5)

    def test_noWish(self) -> None:
        """
        Without a wish, and while nobody can be asked, the fraction of the life
        decides.
        """
        self.renewal.begin()
        facts = self.serve()
        for answer in (None, AuthorityUnreachable("https://ca.test/", "away")):
            self.answer = answer
            self.clock.pump([HOUR] * 25)
            due = self.renewal.due()
            self.assertTrue(renewAt(NOW, facts.notAfter, 1.0) <= due.at <= renewAt(NOW, facts.notAfter))
            self.assertIn("a third of its life", due.why)
        self.assertEqual(self.changes, 0)
        self.assertGreater(len(self.asked), 2)

    def test_awayAfterwards(self) -> None:
        """
        What is known of the window stays when it cannot be asked again; it is
        asked again within the hour, then more rarely.
        """
        self.renewal.begin()
        self.serve()
        self.wants(40, 42)
        self.clock.advance(60.0)
        due = self.renewal.due()
        self.answer = AuthorityUnreachable("https://ca.test/", "away")
        self.clock.pump([HOUR / 4] * 4 * 30)
        self.assertEqual(self.renewal.due(), due)
        gaps = [after - before for before, after in zip(self.asked[1:], self.asked[2:], strict=False)]
        self.assertLess(gaps[0], 1.5 * HOUR)
        self.assertGreater(gaps[2], 3 * HOUR)

    def test_nobodyToAsk(self) -> None:
        """
        Where nobody can be asked, nothing is replaced either.
        """
        self.renewal = self.make(canAsk=False)
        self.renewal.begin()
        self.serve()
        self.clock.advance(DAY)
        self.assertIsNone(self.renewal.replaces)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_replaces(self) -> None:
        """
        What is served is what the successor replaces, until the authority says
        that it cannot be, and not when it is over.
        """
        self.serve()
        self.assertEqual(self.renewal.replaces, b"chain 1")
        self.renewal.refused()
        self.assertIsNone(self.renewal.replaces)
        self.serve()
        self.assertEqual(self.renewal.replaces, b"chain 2")
        self.clock.advance(91 * DAY)
        self.assertIsNone(self.renewal.replaces)

    def test_nonsense(self) -> None:
        """
        An authority that wants each successor to be renewed at once gets one at
        once, then one after an hour, two, four: no storm.
        """
        self.renewal.begin()
        self.serve()
        self.wants(-2, -1)
        renewed = 0
        for _ in range(24 * 60):
            self.clock.advance(60.0)
            if self.renewal.due().at <= self.clock.seconds():
                self.serve()
                renewed += 1
        self.assertTrue(3 <= renewed <= 6, renewed)

    def test_defect(self) -> None:
        """
        A defect of ours is logged as one, and asking goes on.
        """
        self.renewal.begin()
        self.serve()
        self.answer = ZeroDivisionError("oops")
        self.clock.advance(60.0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.answer = None
        self.clock.pump([HOUR] * 2)
        self.assertEqual(len(self.asked), 2)

    def test_stop(self) -> None:
        """
        After a stop nothing is asked, and a question that is under way ends.
        """
        asking: Deferred[RenewalFacts | None] = Deferred()
        self.patch(self, "advise", lambda chain: asking)
        self.renewal = self.make()
        self.renewal.begin()
        self.serve()
        self.clock.advance(60.0)
        self.renewal.stop()
        self.assertTrue(asking.called)
        self.assertEqual(self.clock.getDelayedCalls(), [])
