"""
Tests for L{smartproxy_tw.service.ways}, with certificates that have two of them.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.budget import UNLIMITED
from smartproxy_tw.acme.errors import AuthorityProblem, AuthorityUnreachable, Problem
from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.config.model import Auto
from smartproxy_tw.facts import Credential
from smartproxy_tw.service.admission import Admission
from smartproxy_tw.service.alarm import Timetable
from smartproxy_tw.service.automatic import AutoCertificate
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.service.stock import Stock
from smartproxy_tw.service.ways import Way
from smartproxy_tw.store.attempts import DirectoryAttempts
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.uses import DirectoryUses
from smartproxy_tw.testing.fakes import FakeAuthority, FakePlane, Story

NOW = 1_800_000_000
HOUR, DAY = 3600.0, 86400.0
FIRST = Signer.create("First", now=NOW - DAY)
SECOND = Signer.create("Second", now=NOW - DAY)
SHOP = Auto(("shop.example", "www.shop.example"))
AWAY = AuthorityUnreachable("https://first.example/directory", "timeout")


def refusal(word: str, *names: str, status: int = 403, retryAfter: float | None = None) -> AuthorityProblem:
    """
    An authority that says no.
    """
    said = Problem(f"urn:ietf:params:acme:error:{word}", "too many new orders", status)
    byName = [(name, said) for name in names]
    return AuthorityProblem("ordering", said, byName=byName, retryAfter=retryAfter)


class WaysTests(SynchronousTestCase):
    """
    A certificate that two authorities can give.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.story = Story()
        self.plane = FakePlane(self.story)
        self.first, self.second = (
            FakeAuthority(self.story, self.plane, signer, self.clock.seconds) for signer in (FIRST, SECOND)
        )
        self.path = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.saved: list[tuple[int, Credential]] = []
        self.timetable = Timetable(self.clock)
        self.certificate, self.other = self.make(SHOP), self.make(Auto(("other.example",)))

    def memory(self, name: str) -> Memory:
        directory = self.path.child(name)
        return Memory(DirectoryAttempts(directory), DirectoryUses(directory), maybeDeferred)

    def make(self, auto: Auto) -> AutoCertificate:
        """
        One more certificate; all share the ways.
        """
        if not hasattr(self, "ways"):
            self.ways = [
                Way(
                    f"https://{place}.example/directory",
                    Admission(UNLIMITED, self.memory(place), self.clock, Random(0), authority.probe),
                    authority.obtain,
                    self.shelf(number),
                    authority.advise,
                )
                for number, (place, authority) in enumerate((("first", self.first), ("second", self.second)))
            ]
        return AutoCertificate(
            auto,
            self.plane,
            self.ways,
            self.clock,
            timetable=self.timetable,
            memory=self.memory("first"),
            chance=Random(0),
        )

    def shelf(self, number: int) -> Any:
        def save(credential: Credential) -> Deferred[None]:
            self.saved.append((number, credential))
            return succeed(None)

        return save

    def begin(self, **stored: Credential) -> None:
        self.successResultOf(self.certificate.load(Stock(stored)))
        self.certificate.provision()

    def pass_(self, seconds: float) -> None:
        """
        Time goes by.
        """
        self.clock.pump([seconds / 100] * 100)

    @property
    def orders(self) -> tuple[int, int]:
        """
        How many each has had for the shop.
        """
        return self.first.orders[SHOP.names], self.second.orders[SHOP.names]

    @property
    def issuer(self) -> str:
        """
        By whom is what is served.
        """
        return describe(self.plane.installed[SHOP.key].chain).issuer

    def test_preferred(self) -> None:
        """
        As long as the first one gives certificates nobody else is asked.
        """
        self.begin()
        self.assertEqual(self.orders, (1, 0))
        self.assertEqual([number for number, _ in self.saved], [0])

    def test_refused(self) -> None:
        """
        What the first one refuses by its own rules is asked of the second at
        once, kept as the second's, and renewed by it as long as that lasts; when
        the first one takes it again it has it with the next renewal.
        """
        self.first.refuses(refusal("caa", *SHOP.names))
        self.begin()
        self.assertEqual((self.orders, self.saved[-1][0]), ((1, 1), 1))
        self.assertIn("Second", self.issuer)
        self.assertEqual(self.certificate.status().state, "valid")
        self.assertIsNone(self.certificate.status().problem)
        self.pass_(61 * DAY)
        self.assertEqual(self.orders, (2, 2))
        self.first.agrees()
        self.pass_(61 * DAY)
        self.assertEqual((self.orders, self.saved[-1][0]), ((3, 2), 0))
        self.assertIn("First", self.issuer)

    def test_unproved(self) -> None:
        """
        A name that could not be proved is proved to nobody else.
        """
        self.first.refuses(refusal("dns", *SHOP.names))
        self.begin()
        self.assertEqual(self.orders, (1, 0))
        self.assertEqual(self.certificate.status().state, "failed")

    def test_busy(self) -> None:
        """
        A limit of the first is no reason to be without a certificate, and none to
        leave it while there is time.
        """
        self.first.refuses(refusal("rateLimited", status=429, retryAfter=6 * HOUR))
        self.begin()
        self.assertEqual(self.orders, (1, 1))
        # What waits for its turn there does not wait for long.
        self.other.provision()
        self.assertEqual(sum(self.first.orders.values()), 1)
        self.assertEqual(self.second.orders[("other.example",)], 1)
        stored = {SHOP.key: FIRST.issue(SHOP.names, lifetime=90 * DAY, now=NOW - 61 * DAY)}
        later = self.make(SHOP)
        self.successResultOf(later.load(Stock(stored)))
        later.provision()
        self.assertEqual(self.orders, (1, 1))
        self.assertEqual(later.status().state, "waiting")

    def test_away(self) -> None:
        """
        The first one may be away for a minute; then what is missing is asked of
        the second, and what is asked for later at once.
        """
        self.first.refuses(AWAY)
        self.begin()
        self.pass_(55)
        self.assertEqual(self.orders, (1, 0))
        self.assertIn("timeout", self.certificate.status().problem or "")
        self.pass_(10)
        self.assertEqual(self.orders, (1, 1))
        self.assertEqual(self.certificate.status().state, "valid")
        self.other.provision()
        self.assertEqual(self.second.orders[("other.example",)], 1)
        self.assertEqual(sum(self.first.orders.values()), 1)

    def test_backInTime(self) -> None:
        """
        One that is back within the minute has it.
        """
        self.first.refuses(AWAY)
        self.begin()
        self.pass_(20)
        self.first.agrees()
        self.pass_(60)
        self.assertEqual(self.orders, (2, 0))

    def test_awayWithTime(self) -> None:
        """
        A renewal waits for the first one as long as there is time: until a fifth
        of the life is left.
        """
        self.first.refuses(AWAY)
        old = FIRST.issue(SHOP.names, lifetime=90 * DAY, now=NOW - 61 * DAY)
        self.begin(**{SHOP.key: old})
        self.pass_(10 * DAY)
        self.assertEqual(self.orders, (1, 0))
        self.pass_(2 * DAY)
        self.assertEqual(self.orders, (1, 1))
        self.assertIn("Second", self.issuer)

    def test_allAway(self) -> None:
        """
        Where nobody can be reached no circle is run, and whoever is back first
        has it.
        """
        self.first.refuses(AWAY)
        self.second.refuses(AuthorityUnreachable("https://second.example/directory", "refused"))
        self.begin()
        self.pass_(HOUR)
        self.assertEqual(self.orders, (1, 1))
        self.assertIn("timeout", self.certificate.status().problem or "")
        self.assertIsNotNone(self.certificate.status().nextAttempt)
        self.second.agrees()
        self.pass_(60)
        self.assertEqual(self.orders, (1, 2))
        self.assertEqual(self.certificate.status().state, "valid")

    def test_bothRefuse(self) -> None:
        """
        What the last one says is told, and is waited for by its rules.
        """
        self.first.refuses(AWAY)
        self.second.refuses(refusal("dns", *SHOP.names))
        self.begin()
        self.pass_(90)
        self.assertEqual(self.orders, (1, 1))
        self.assertIn("dns", self.certificate.status().problem or "")
        self.pass_(60)
        self.assertEqual(self.orders, (1, 2))

    def test_advice(self) -> None:
        """
        When to renew is asked of who issued it, and only they are told what is
        replaced.
        """
        self.first.refuses(refusal("rejectedIdentifier", status=400))
        self.begin()
        self.pass_(2 * HOUR)
        self.assertEqual((self.first.questions, self.second.questions), (0, 1))
        self.pass_(61 * DAY)
        self.assertEqual((len(self.first.replaced), len(self.second.replaced)), (0, 1))

    def test_issuerAcrossRestarts(self) -> None:
        """
        Who issued what the store has is known by where it rests there.
        """
        old = SECOND.issue(SHOP.names, lifetime=90 * DAY, now=NOW - DAY)
        self.successResultOf(self.certificate.load(Stock({SHOP.key: old}, {SHOP.key: 1})))
        self.certificate.provision()
        self.pass_(2 * HOUR)
        self.assertEqual((self.first.questions, self.second.questions), (0, 1))

    def test_stop(self) -> None:
        """
        Who is stopped while the first is away asks nobody any more.
        """
        self.first.refuses(AWAY)
        self.begin()
        self.successResultOf(self.certificate.stop())
        self.pass_(HOUR)
        self.assertEqual(self.orders, (1, 0))
