"""
Tests for L{smartproxy_tw.service.expiry}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import CertificateFacts
from smartproxy_tw.service.alarm import Timetable
from smartproxy_tw.service.expiry import Expiry

NOW, DAY = 1_800_000_000.0, 86400.0


class ExpiryTests(SynchronousTestCase):
    """
    L{Expiry}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.isFailing = False
        self.told: list[tuple[int, float]] = []
        self.expiry = Expiry(Timetable(self.clock), self.clock, lambda: self.isFailing, self.tell)

    def tell(self, facts: CertificateFacts) -> None:
        """
        Which, and after how many days.
        """
        self.told.append((facts.serial, round((self.clock.seconds() - NOW) / DAY, 2)))

    def serves(self, serial: int, days: float, since: float = 0.0) -> None:
        """
        A certificate is served.
        """
        now = self.clock.seconds()
        self.expiry.follow(
            CertificateFacts(("a.test",), now - since * DAY, now + (days - since) * DAY, "x", serial)
        )

    def passes(self, days: float) -> None:
        """
        Time, an hour at a time.
        """
        for _ in range(round(days * 24)):
            self.clock.advance(3600.0)

    def test_renewed(self) -> None:
        """
        Of one that is renewed in time nothing is told, also when an order has failed long before.
        """
        self.serves(1, 90)
        self.isFailing = True
        self.passes(60)
        self.expiry.look()
        self.isFailing = False
        self.serves(2, 90)
        self.passes(80)
        self.serves(3, 90)
        self.assertEqual(self.told, [])

    def test_failing(self) -> None:
        """
        It is told once when a tenth of its lifetime is left and its successor cannot be had.
        """
        self.isFailing = True
        self.serves(1, 90)
        self.passes(95)
        self.assertEqual(self.told, [(1, 81.0)])
        self.expiry.look()
        self.assertEqual(len(self.told), 1)

    def test_failsLate(self) -> None:
        """
        As soon as an order fails then, or at the next look.
        """
        self.serves(1, 90)
        self.passes(82)
        self.isFailing = True
        self.expiry.look()
        self.assertEqual(self.told, [(1, 82.0)])
        self.isFailing = False
        self.told.clear()
        self.serves(2, 90)
        self.passes(82)
        self.isFailing = True
        self.passes(5)
        self.assertEqual(self.told, [(2, 82 + 85.5)])

    def test_neverAsked(self) -> None:
        """
        That nobody has even tried is told at the end.
        """
        self.serves(1, 90)
        self.passes(90)
        self.assertEqual(len(self.told), 1)
        self.assertTrue(89.0 < self.told[0][1] < 90.0, self.told)

    def test_begins(self) -> None:
        """
        Whoever begins with one that has ended, or nearly so, has some minutes to have another.
        """
        for since in (89.9, 91.0):
            self.told.clear()
            self.serves(1, 90, since)
            self.clock.advance(299.0)
            self.assertEqual(self.told, [])
            self.clock.advance(1.0)
            self.assertEqual(len(self.told), 1)
        self.serves(1, 90, 91.0)
        self.clock.advance(10.0)
        self.serves(2, 90)
        self.clock.advance(1000.0)
        self.assertEqual(len(self.told), 1)

    def test_end(self) -> None:
        """
        After the end nothing is looked at, and nothing waits.
        """
        self.isFailing = True
        self.serves(1, 90)
        self.expiry.end()
        self.expiry.look()
        self.passes(90)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), ([], []))
