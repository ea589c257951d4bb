"""
Tests for L{smartproxy_tw.service.rehearsal}, and for when
L{smartproxy_tw.service.asking} makes use of it.
"""

from __future__ import annotations

import os
from random import Random

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.budget import UNLIMITED
from smartproxy_tw.acme.errors import AuthorityProblem, AuthorityUnreachable, NoChallengeUsable, Problem
from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.config.model import Auto
from smartproxy_tw.service.admission import Admission
from smartproxy_tw.service.alarm import Timetable
from smartproxy_tw.service.automatic import AutoCertificate
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.service.rehearsal import Rehearsal
from smartproxy_tw.service.stock import Stock
from smartproxy_tw.service.ways import Way
from smartproxy_tw.store.attempts import DirectoryAttempts
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.uses import DirectoryUses
from smartproxy_tw.testing.fakes import FakeAuthority, FakePlane, Story

NOW = 1_800_000_000
HOUR, DAY = 3600.0, 86400.0
REAL = Signer.create("Real root", now=NOW - DAY)
STAGING = Signer.create("Staging root", now=NOW - DAY)
SHOP = Auto(("shop.example", "www.shop.example"))


def unproved(name: str) -> AuthorityProblem:
    """
    A name whose DNS is wrong.
    """
    problem = Problem("urn:ietf:params:acme:error:dns", "no such name", 400)
    return AuthorityProblem("verifying", problem, byName={name: problem}.items())


class RehearsalTests(SynchronousTestCase):
    """
    A name that could not be proved again and again.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        story = Story()
        self.plane = FakePlane(story)
        self.authority = FakeAuthority(story, self.plane, REAL, self.clock.seconds)
        self.staging = FakeAuthority(story, self.plane, STAGING, self.clock.seconds)
        directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.attempts, self.uses = DirectoryAttempts(directory), DirectoryUses(directory)
        self.closed = 0
        self.start()

    def start(self) -> None:
        """
        A process begins.
        """
        memory = Memory(self.attempts, self.uses, maybeDeferred)
        self.rehearsal = Rehearsal(
            "https://staging.example/",
            Admission(UNLIMITED, None, self.clock, Random(0), self.staging.probe),
            self.staging.obtain,
            self.close,
        )
        self.certificate = AutoCertificate(
            SHOP,
            self.plane,
            [
                Way(
                    "",
                    Admission(UNLIMITED, memory, self.clock, Random(0), self.authority.probe),
                    self.authority.obtain,
                    lambda credential: succeed(None),
                )
            ],
            self.clock,
            timetable=Timetable(self.clock),
            memory=memory,
            chance=Random(0),
            rehearsal=self.rehearsal,
        )
        self.successResultOf(self.certificate.load(Stock({})))
        self.certificate.provision()

    def close(self) -> Deferred[None]:
        """
        Close the way to the staging environment.
        """
        self.closed += 1
        return succeed(None)

    def refuse(self, *authorities: FakeAuthority, name: str = "shop.example") -> None:
        """
        A name cannot be proved any more.
        """
        for authority in authorities:
            authority.refuses(unproved(name), name)

    @property
    def orders(self) -> tuple[int, int]:
        """
        How many were placed for all the names: for real, and rehearsed.
        """
        return self.authority.orders[SHOP.names], self.staging.orders[SHOP.names]

    def again(self) -> None:
        """
        The time of the next attempt has come.
        """
        at = self.certificate.status().nextAttempt
        assert at is not None
        self.clock.advance(at - self.clock.seconds())

    def test_afterThreeFailures(self) -> None:
        """
        Three orders fail for real, those after them at the staging environment,
        where it is said that it was there; when that succeeds, the order is
        placed, and what staging issued is never served.
        """
        self.assertEqual(self.orders, (1, 0))
        self.successResultOf(self.certificate.stop())
        self.refuse(self.authority, self.staging)
        self.start()
        for _ in range(3):
            self.again()
        self.assertEqual(self.orders, (4, 1))
        self.again()
        self.assertEqual(self.orders, (4, 2))
        status = self.certificate.status()
        self.assertIn("https://staging.example/", status.problem or "")
        self.assertIn("no such name", status.problem or "")
        self.authority.agrees()
        self.staging.agrees()
        self.again()
        self.assertEqual(self.orders, (5, 3))
        self.assertEqual(describe(self.plane.installed[SHOP.key].chain).issuer, "CN=Real root")
        self.assertEqual(self.certificate.status().state, "valid")
        self.assertEqual(self.plane.presented, [])

    def failThrice(self) -> None:
        """
        Come to where orders are rehearsed.
        """
        self.successResultOf(self.certificate.stop())
        self.authority.orders.clear()
        self.staging.orders.clear()
        self.refuse(self.authority)
        self.start()
        self.again()
        self.again()
        self.assertEqual(self.orders, (3, 0))

    def test_othersAreOrdered(self) -> None:
        """
        Names that could be proved there, beside one that could not, have their
        certificate for real.
        """
        self.refuse(self.staging)
        self.failThrice()
        before = self.authority.orders[("www.shop.example",)]
        self.assertEqual(before, 1)
        self.again()
        self.assertEqual(self.orders, (3, 1))
        facts = describe(self.plane.installed[SHOP.key].chain)
        self.assertEqual((facts.names, facts.issuer), (("www.shop.example",), "CN=Real root"))

    def test_stagingHasTrouble(self) -> None:
        """
        A staging environment that is away, or refuses for reasons of its own,
        postpones nothing.
        """
        problem = Problem("urn:ietf:params:acme:error:rateLimited", "too many", 429)
        for why in (
            AuthorityUnreachable("https://staging.example/", "away"),
            AuthorityProblem("ordering", problem),
        ):
            self.staging.refuses(why)
            self.failThrice()
            self.authority.agrees()
            self.again()
            self.assertEqual(self.authority.orders[SHOP.names], 4)
            self.assertEqual(self.certificate.status().state, "valid")

    def test_everyFewDaysForReal(self) -> None:
        """
        Whatever the staging environment says, an order is placed every few
        days.
        """
        self.failThrice()
        self.staging.refuses(NoChallengeUsable("shop.example", ["dns-01"], ["http-01"]))
        self.clock.pump([HOUR] * 24 * 10)
        real, rehearsed = self.orders
        self.assertTrue(3 + 2 <= real <= 3 + 4, real)
        self.assertTrue(5 <= rehearsed <= 9, rehearsed)

    def test_otherFailures(self) -> None:
        """
        What failed for other reasons is not rehearsed: that would show nothing.
        """
        self.successResultOf(self.certificate.stop())
        self.authority.refuses(AuthorityProblem("ordering", Problem("urn:x", "no")))
        self.start()
        for _ in range(6):
            self.again()
        self.assertEqual(self.staging.orders, {})

    def test_afterARestart(self) -> None:
        """
        The next process knows that it is to be rehearsed.
        """
        self.refuse(self.staging)
        self.failThrice()
        self.successResultOf(self.certificate.stop())
        self.start()
        self.again()
        self.assertEqual(self.orders, (3, 1))

    def test_stop(self) -> None:
        """
        A stop ends what is being tried out, and closes the way.
        """
        self.staging.thinks()
        self.failThrice()
        self.again()
        self.assertEqual(len(self.plane.presented), 1)
        self.successResultOf(self.certificate.stop())
        self.assertEqual(self.plane.presented, [])
        self.successResultOf(Deferred.fromCoroutine(self.rehearsal.stop()))
        self.assertEqual(self.closed, 1)
        self.assertEqual(self.orders, (3, 1))
