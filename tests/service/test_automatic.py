"""
Tests for L{smartproxy_tw.service.automatic}.
"""

from __future__ import annotations

import gc
from weakref import ref

from smartproxy_tw.acme.errors import AccountNotKept, AuthorityProblem, AuthorityUnreachable, Problem
from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.config.model import Auto
from smartproxy_tw.preflight.facts import Absent, NameFacts
from smartproxy_tw.service.stock import Stock

from .issuance import DAY, HOUR, NOW, SHOP, Issuance, refusal


def isOurs(part: object) -> bool:
    """
    Whether it is one of what a certificate is made of.
    """
    return type(part).__module__.startswith("smartproxy_tw.service.")


class AutoCertificateTests(Issuance):
    """
    The life of one certificate by ACME.
    """

    def test_strict(self) -> None:
        """
        A name that cannot be proved costs no order: there is one for the others alone,
        and for all as soon as it is mended.
        """
        find = {"www.shop.example": NameFacts("www.shop.example", "http-01", Absent())}
        self.certificate = self.looks(find, isStrict=True)
        self.begin()
        self.assertEqual(self.authority.orders, {("shop.example",): 1})
        status = self.certificate.status()
        self.assertEqual((status.state, status.failures), ("failed", 1))
        self.assertIn("No order was placed", str(status.problem))
        self.assertEqual(len(status.preflight), 1)
        self.assertIn("www.shop.example: there is no such name", status.preflight[0])
        assert status.nextAttempt is not None
        self.assertTrue(60 <= status.nextAttempt - NOW <= 75)
        self.clock.advance(100)
        self.assertEqual((self.orders, self.authority.orders["shop.example",]), (0, 1))
        find.clear()
        self.clock.advance(700)
        self.assertEqual(self.orders, 1)
        self.assertEqual(
            (self.certificate.status().state, self.certificate.status().preflight), ("valid", ())
        )

    def test_strictEnding(self) -> None:
        """
        What is about to end is renewed, whatever a look finds; what has time is not.
        """
        find = {"shop.example": NameFacts("shop.example", "http-01", Absent())}
        self.certificate = self.looks(find, isStrict=True)
        self.begin(**{SHOP.key: self.issued(61 * DAY)})
        self.assertEqual(self.authority.orders, {})
        for _ in range(12):
            self.clock.advance(DAY)
        self.assertEqual((self.orders, self.certificate.status().state), (1, "valid"))

    def test_advisory(self) -> None:
        """
        Otherwise the order is placed at once, and what was seen goes along with its
        failure into the status, the store and the log.
        """
        find = {"shop.example": NameFacts("shop.example", "http-01", Absent())}
        self.certificate = self.looks(find, isStrict=False)
        self.authority.refuses(refusal())
        self.begin()
        self.assertEqual(self.orders, 1)
        told = "Seen from here: shop.example: there is no such name in the DNS"
        self.assertIn(told, str(self.certificate.status().problem))
        self.assertIn(told, self.attempts.load()[SHOP.key].problem)
        self.assertIn(told, self.warnings[0])

    def test_issued(self) -> None:
        """
        It is served, saved, and renewed when a third of its life is left.
        """
        self.begin()
        self.assertEqual(self.saved, [self.served])
        status = self.certificate.status()
        self.assertEqual(status.state, "valid")
        self.assertEqual(status.expires, NOW + 90 * DAY)
        assert status.nextAttempt is not None
        self.assertTrue(NOW + 55 * DAY < status.nextAttempt <= NOW + 60 * DAY, status.nextAttempt)

    def test_renewal(self) -> None:
        """
        The successor is asked for in time, and what is served changes only
        when it is there.
        """
        self.begin()
        first = self.served
        self.authority.thinks()
        self.clock.pump([DAY / 2] * 2 * 61)
        self.assertEqual(self.orders, 2)
        self.assertEqual(self.certificate.status().state, "ordering")
        self.assertEqual(self.served, first)
        self.authority.decides()
        self.assertNotEqual(self.served, first)
        self.assertEqual(self.saved, [first, self.served])
        self.assertEqual(self.certificate.status().state, "valid")

    def test_told(self) -> None:
        """
        Whoever observes is told of the first certificate, of a renewal that fails,
        with why and until when, and of one that succeeds.
        """
        self.begin()
        self.authority.refuses(refusal())
        self.clock.pump([DAY / 4] * 4 * 60)
        (issued, failed, *_) = self.told
        self.assertEqual((issued.kind, issued.names, issued.at), ("issued", SHOP.names, NOW))
        self.assertEqual(issued.file, "/certificates/shop.example+www.shop.example")
        self.assertEqual((issued.expires, failed.expires), (NOW + 90 * DAY, NOW + 90 * DAY))
        assert issued.nextAttempt is not None and failed.nextAttempt is not None
        self.assertTrue(NOW + 55 * DAY < issued.nextAttempt <= failed.at < failed.nextAttempt)
        self.assertEqual((failed.kind, failed.file), ("failed", None))
        self.assertIn("wrong answer", failed.problem or "")
        self.assertTrue(all(each.kind == "failed" for each in self.told[1:]))
        self.assertEqual(self.certificate.status().failures, len(self.told) - 1)
        self.authority.agrees()
        self.clock.pump([DAY / 4] * 8)
        self.assertEqual(self.told[-1].kind, "renewed")
        self.assertEqual(self.certificate.status().failures, 0)

    def test_expiring(self) -> None:
        """
        When it is about to end and no successor can be had that is told once, with why and when it is
        tried again; and it can still be renewed then.
        """
        self.begin()
        self.authority.refuses(refusal())
        self.clock.pump([DAY / 4] * 4 * 85)
        [expiring] = [each for each in self.told if each.kind == "expiring"]
        self.assertEqual((expiring.names, expiring.expires), (SHOP.names, NOW + 90 * DAY))
        self.assertTrue(NOW + 81 * DAY <= expiring.at < NOW + 82 * DAY)
        self.assertIn("wrong answer", expiring.problem or "")
        assert expiring.nextAttempt is not None
        self.assertGreater(expiring.nextAttempt, expiring.at)
        self.assertEqual(expiring.serial, self.told[0].serial)
        self.authority.agrees()
        self.clock.pump([DAY / 4] * 4 * 30)
        self.assertEqual(self.told[-1].kind, "renewed")
        self.assertEqual([each.kind for each in self.told].count("expiring"), 1)

    def test_shortLives(self) -> None:
        """
        Certificates of an hour are renewed every 40 minutes, and not in a
        circle.
        """
        self.authority.agrees(lifetime=3600.0)
        self.begin()
        self.clock.pump([60.0] * 24 * 60)
        self.assertTrue(36 <= self.orders <= 41, self.orders)

    def test_lifeTooShortToUse(self) -> None:
        """
        A certificate that is due at once does not make a storm.
        """
        self.authority.agrees(lifetime=0.5)
        self.begin()
        self.clock.pump([0.1] * 100)
        self.assertLessEqual(self.orders, 12)

    def test_refused(self) -> None:
        """
        A refusal is told with its reason, and tried again after a minute, ten,
        an hour, and so on: within the budget of five an hour.
        """
        self.authority.refuses(refusal())
        self.begin()
        status = self.certificate.status()
        self.assertEqual(status.state, "failed")
        self.assertIn("wrong answer", status.problem or "")
        tries = []
        for minute in range(24 * 60):
            self.clock.advance(60.0)
            if self.orders > len(tries) + 1:
                tries.append(minute)
        self.assertEqual(self.orders, len(tries) + 1)
        self.assertLessEqual(sum(minute < 60 for minute in tries), 3)
        self.assertTrue(5 <= self.orders <= 7, self.orders)
        self.authority.agrees()
        self.clock.pump([3600.0] * 30)
        self.assertEqual(self.certificate.status().state, "valid")
        self.assertIsNone(self.certificate.status().problem)

    def test_askedToWait(self) -> None:
        """
        An authority that asks for an hour is left alone for an hour, also when
        somebody asks us meanwhile.
        """
        self.authority.refuses(refusal(retryAfter=3600.0))
        self.begin()
        self.clock.pump([60.0] * 59)
        self.successResultOf(self.certificate.provision())
        self.assertEqual(self.orders, 1)
        self.clock.pump([60.0] * 2)
        self.assertEqual(self.orders, 2)

    def test_restartsInACircle(self) -> None:
        """
        A process that is restarted every few seconds asks no more often than
        five times an hour, and its status says why.
        """
        self.authority.refuses(refusal())
        self.begin()
        for _ in range(360):
            self.clock.advance(10.0)
            self.restart()
        self.assertEqual(self.orders, 5)
        status = self.certificate.status()
        self.assertEqual(status.state, "failed")
        self.assertIn("wrong answer", status.problem or "")

    def test_mendAndRestart(self) -> None:
        """
        Who mends things and restarts does not wait out a day: a quarter of an
        hour after the last failure at most.
        """
        self.authority.refuses(refusal())
        self.begin()
        self.clock.pump([600.0] * 300)
        waiting = (self.certificate.status().nextAttempt or 0.0) - self.clock.seconds()
        self.assertGreater(waiting, 3600.0)
        self.authority.agrees()
        self.restart()
        self.clock.pump([60.0] * 16)
        self.assertEqual(self.certificate.status().state, "valid")
        self.assertEqual(self.attempts.load(), {})

    def test_retryAfterAcrossRestarts(self) -> None:
        """
        An authority that asked to be left alone is, whoever restarts.
        """
        self.authority.refuses(refusal(retryAfter=7200.0))
        self.begin()
        self.restart()
        self.clock.pump([60.0] * 119)
        self.assertEqual(self.orders, 1)
        self.clock.pump([60.0] * 2)
        self.assertEqual(self.orders, 2)

    def test_awayIsNotRemembered(self) -> None:
        """
        That an authority could not be reached holds back no later process.
        """
        self.authority.refuses(AuthorityUnreachable("https://ca.example/", "connection refused"))
        self.begin()
        self.restart()
        self.assertEqual(self.orders, 2)

    def test_away(self) -> None:
        """
        An authority that is away is looked for every few seconds by a request
        that is no order, which is told once, and used within half a minute of
        its return.
        """
        self.authority.refuses(AuthorityUnreachable("https://ca.example/", "connection refused"))
        self.begin()
        self.clock.pump([1.0] * 3600)
        self.successResultOf(self.certificate.provision())
        self.assertEqual(self.orders, 1)
        self.assertTrue(90 < self.authority.probes < 180, self.authority.probes)
        self.assertEqual(len(self.warnings), 1, self.warnings)
        status = self.certificate.status()
        self.assertEqual(status.state, "failed")
        self.assertIn("connection refused", status.problem or "")
        assert status.nextAttempt is not None
        self.assertLess(status.nextAttempt, self.clock.seconds() + 31.0)
        self.assertEqual([each.kind for each in self.told], ["failed"])
        self.authority.agrees()
        self.clock.pump([1.0] * 40)
        self.assertEqual(self.certificate.status().state, "valid")

    def test_failedRenewalKeepsTheOldOne(self) -> None:
        """
        A renewal that fails leaves what is served, and says why.
        """
        self.begin()
        first = self.served
        self.authority.refuses(refusal())
        self.clock.pump([DAY] * 61)
        status = self.certificate.status()
        self.assertEqual((status.state, self.served), ("failed", first))
        self.assertEqual(status.expires, NOW + 90 * DAY)

    def test_fullDisk(self) -> None:
        """
        A full disk costs no certificate: it is served, and saved when there is
        room.
        """
        self.isFull = True
        self.begin()
        self.assertEqual(describe(self.served.chain).issuer, "CN=Test root")
        status = self.certificate.status()
        self.assertEqual(status.state, "unsaved")
        self.assertIn("No space left", status.problem or "")
        self.assertEqual((self.orders, self.told), (1, []))
        self.isFull = False
        self.clock.pump([5.0])
        self.assertEqual([each.kind for each in self.told], ["issued"])
        self.assertEqual(self.saved, [self.served])
        self.assertEqual(self.certificate.status().state, "valid")
        self.assertEqual(self.orders, 1)

    def test_permits(self) -> None:
        """
        No more orders are under way than are permitted; the others wait their
        turn.
        """
        other = self.make(Auto(("blog.example",)))
        self.successResultOf(other.load(Stock({})))
        self.authority.thinks()
        self.begin()
        waiting = other.provision()
        self.assertEqual(self.authority.orders[("blog.example",)], 0)
        self.authority.decides()
        self.successResultOf(waiting)
        self.assertEqual(self.authority.orders[("blog.example",)], 1)

    def test_accountNotKept(self) -> None:
        """
        Disk full before there was an account (number 29 of what went wrong elsewhere: it
        stopped issuance for good): nothing is asked without one, the status says why,
        and the certificate is there within seconds of there being room.
        """
        self.successResultOf(self.certificate.load(Stock({})))
        self.authority.refuses(AccountNotKept("https://ca.test/", "No space left on device"))
        self.successResultOf(self.certificate.provision())
        self.clock.pump([1.0] * 1800)
        status = self.certificate.status()
        self.assertEqual((status.state, status.failures), ("failed", 0))
        self.assertIn("No space left", status.problem or "")
        self.assertEqual([event.kind for event in self.told], ["failed"])
        self.authority.agrees()
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.certificate.status().state, "valid")

    def test_stop(self) -> None:
        """
        A stop ends the order, withdraws its challenge, and frees its place.
        """
        self.authority.thinks()
        self.begin()
        self.assertEqual(len(self.plane.presented), 1)
        self.successResultOf(self.certificate.stop())
        self.admission.stop()
        self.assertEqual(self.plane.presented, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(self.certificate.provision())
        self.assertEqual(self.orders, 1)
        self.assertEqual(self.warnings, [])

    def test_stopWhileWaitingForItsTurn(self) -> None:
        """
        One that has not had its turn asks nothing.
        """
        other = self.make(Auto(("blog.example",)))
        self.successResultOf(other.load(Stock({})))
        self.authority.thinks()
        other.provision()
        self.begin()
        status = self.certificate.status()
        self.assertEqual((status.state, status.reason), ("waiting", "other orders are under way"))
        self.successResultOf(self.certificate.stop())
        self.authority.decides()
        self.assertEqual(self.orders, 0)
        self.assertEqual(other.status().state, "valid")

    def test_stopWhileAway(self) -> None:
        """
        Who stops is not told of the authority's return.
        """
        self.authority.refuses(AuthorityUnreachable("https://ca.example/", "connection refused"))
        self.begin()
        self.successResultOf(self.certificate.stop())
        self.authority.agrees()
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.orders, 1)

    def test_stopWhileWaitingToRetry(self) -> None:
        """
        No retry after a stop.
        """
        self.authority.refuses(refusal())
        self.begin()
        self.successResultOf(self.certificate.stop())
        self.clock.advance(DAY)
        self.assertEqual(self.orders, 1)

    def test_suggested(self) -> None:
        """
        The authority's window decides about the renewal, and why is told; the
        order says what it replaces.
        """
        self.authority.advises(0.3, 0.4)
        self.begin()
        first = self.served
        self.assertIn("a third of its life", self.certificate.status().reason or "")
        self.clock.advance(60.0)
        status = self.certificate.status()
        self.assertIn("https://ca.example/why", status.reason or "")
        assert status.nextAttempt is not None
        self.assertTrue(NOW + 27 * DAY <= status.nextAttempt <= NOW + 36 * DAY, status)
        self.clock.pump([DAY / 4] * 4 * 37)
        self.assertEqual((self.orders, self.authority.replaced), (2, [first.chain]))
        self.assertEqual(self.certificate.status().state, "valid")

    def test_revoked(self) -> None:
        """
        A window that is over is a renewal at once, as soon as it is known.
        """
        self.authority.advises(0.3, 0.4)
        self.begin()
        self.clock.pump([HOUR] * 8)
        self.authority.advises(-0.2, -0.1)
        self.clock.pump([HOUR] * 3)
        self.assertEqual(self.orders, 1)
        self.clock.pump([HOUR] * 2)
        self.assertEqual(self.orders, 2)

    def test_stoppedWhileAsking(self) -> None:
        """
        A stop ends the questions too.
        """
        self.authority.advises(0.3, 0.4)
        self.begin()
        self.successResultOf(self.certificate.stop())
        self.clock.advance(DAY)
        self.assertEqual(self.authority.questions, 0)

    def test_alreadyReplaced(self) -> None:
        """
        An authority that knows a successor already, or does not know the
        predecessor, is asked at once without it.
        """
        for word in ("alreadyReplaced", "malformed", "unauthorized"):
            self.authority.replaced.clear()
            self.authority.orders.clear()
            problem = Problem(f"urn:ietf:params:acme:error:{word}", "no", 409)
            self.authority.refusesReplacing(AuthorityProblem("ordering", problem))
            self.certificate = self.make(SHOP)
            stored = self.issued(65 * DAY)
            self.begin(**{SHOP.key: stored})
            self.assertEqual((self.orders, self.authority.replaced), (2, [stored.chain]))
            self.assertEqual(self.certificate.status().state, "valid")

    def test_refusedForAnotherReason(self) -> None:
        """
        Any other refusal is one.
        """
        self.authority.refuses(refusal())
        self.begin(**{SHOP.key: self.issued(65 * DAY)})
        self.assertEqual(self.certificate.status().state, "failed")

    def test_failedRenewalIsNotHurried(self) -> None:
        """
        Whatever the authority wishes, a renewal that failed is tried again by
        its backoff.
        """
        self.authority.advises(-0.2, -0.1, 3600.0)
        problem = Problem("urn:ietf:params:acme:error:caa", "forbidden", 403)
        self.authority.refuses(
            AuthorityProblem("verifying", problem, byName={"shop.example": problem}.items())
        )
        self.begin(**{SHOP.key: self.issued(DAY)})
        self.clock.pump([60.0] * 60 * 12)
        self.assertTrue(4 <= self.orders <= 6, self.orders)

    def test_dismantled(self) -> None:
        """
        What has ended holds on to none of its parts, and they to none of each other: nothing of it
        waits for a collection of garbage.
        """
        self.begin()
        self.clock.advance(DAY)
        parts = [ref(part) for part in vars(self.certificate).values() if isOurs(part)]
        self.assertGreater(len(parts), 7)
        self.successResultOf(self.certificate.stop())
        gc.disable()
        self.addCleanup(gc.enable)
        self.certificate.dismantle()
        self.assertEqual([part() for part in parts if part() is not None], [])
