"""
Tests for L{smartproxy_tw.service.appointment}; whole certificates are told of in
L{tests.service.test_automatic}.
"""

from __future__ import annotations

import os
from random import Random

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import AccountNotKept, AuthorityProblem, AuthorityUnreachable, Problem
from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.service.alarm import Timetable
from smartproxy_tw.service.appointment import Appointment
from smartproxy_tw.service.backoff import Backoff
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.service.renewal import Renewal
from smartproxy_tw.service.served import Served
from smartproxy_tw.store.attempts import DirectoryAttempts
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.uses import DirectoryUses

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
SIGNER = Signer.create("Test root", now=NOW - DAY)
NAMES = ("shop.example", "www.shop.example")
NOT_KEPT = AccountNotKept("https://ca.example/", "No space left on device")
AWAY = AuthorityUnreachable("https://ca.example/", "nobody answers")


def refusal(retryAfter: float | None = None) -> AuthorityProblem:
    """
    An authority that says no.
    """
    problem = Problem("urn:ietf:params:acme:error:unauthorized", "wrong answer", 403)
    return AuthorityProblem("verifying shop.example", problem, retryAfter=retryAfter)


REFUSED = str(refusal()).rstrip(".")


class Ways:
    """
    To an authority that is away until the test says otherwise.
    """

    def __init__(self) -> None:
        self.back: Deferred[None] = Deferred()
        self.patience: float | None = None

    def whenBack(self) -> Deferred[None]:
        """
        It is back.
        """
        return self.back

    def passesOnAt(self, urgentAt: float) -> float | None:
        """
        Another one is asked.
        """
        return self.patience

    def nextProbe(self) -> float:
        """
        It is looked for.
        """
        return NOW + 30.0


class AppointmentTests(SynchronousTestCase):
    """
    L{Appointment}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.attempts, self.uses = DirectoryAttempts(directory), DirectoryUses(directory)
        self.isUnderWay = False
        self.came = 0
        self.told: list[tuple[str | None, float | None]] = []
        self.begins()

    def begins(self) -> None:
        """
        A process does.
        """
        self.ways = Ways()
        self.served = Served(None, self.clock)  # type: ignore[arg-type]
        self.timetable = Timetable(self.clock)
        memory = Memory(self.attempts, self.uses, maybeDeferred)
        self.renewal = Renewal(NAMES, None, self.timetable, self.clock, Random(0), lambda: None)
        self.appointment = Appointment(
            NAMES,
            self.ways,  # type: ignore[arg-type]
            Backoff("auto:shop", NAMES, memory, self.clock, Random(0)),
            self.served,
            self.renewal,
            self.timetable,
            self.clock,
            isUnderWay=lambda: self.isUnderWay,
            come=self.come,
            failed=self.failed,
        )

    def come(self) -> None:
        """
        It may be time.
        """
        self.assertFalse(self.isUnderWay)
        self.came += 1

    def failed(self, at: float | None) -> None:
        """
        There is news of a failure.
        """
        self.told.append((self.appointment.problem, at))

    def serve(self, names: tuple[str, ...] = NAMES) -> None:
        """
        A certificate is served.
        """
        credential = SIGNER.issue(list(names), lifetime=90 * DAY, now=self.clock.seconds())
        facts = describe(credential.chain)
        self.served.become(credential, facts, self.served.issuer)
        self.renewal.follow(facts, credential.chain)

    def tries(self) -> float:
        """
        When it is tried again.
        """
        at = self.appointment.at
        assert at is not None
        return at

    def test_missing(self) -> None:
        """
        What is not there is wanted now, and so is what is there for some of the names.
        """
        for names in ((), NAMES[:1]):
            if names:
                # What was waited for does not count any more.
                self.serve()
                self.appointment.isNow()
                self.serve(names)
            self.assertEqual(self.appointment.due, 0.0)
            self.assertTrue(self.appointment.isWanting)
            self.assertTrue(self.appointment.isNow())
            self.assertIsNone(self.appointment.at)

    def test_renewal(self) -> None:
        """
        What is there is wanted anew when it is to be renewed, not before; then somebody comes.
        """
        self.serve()
        due = self.renewal.due()
        self.assertEqual(self.appointment.due, due.at)
        self.assertFalse(self.appointment.isWanting)
        self.assertFalse(self.appointment.isNow())
        self.assertEqual((self.appointment.at, self.appointment.reason), (due.at, due.why))
        self.clock.advance(due.at - NOW - 1)
        self.assertEqual(self.came, 0)
        for _ in range(61):
            self.clock.advance(1)
        self.assertEqual(self.came, 1)
        self.assertTrue(self.appointment.isNow())

    def test_failure(self) -> None:
        """
        After a failure it waits, longer after each; what failed is wanted all the while.
        """
        waits = []
        for number in range(1, 4):
            self.appointment.postpone(refusal())
            self.assertEqual(self.appointment.failures, number)
            waits.append(self.tries() - self.clock.seconds())
            self.assertEqual(self.told[-1], (REFUSED, self.appointment.at))
            self.assertEqual(self.appointment.due, self.appointment.at)
            self.assertIsNone(self.appointment.reason)
            self.assertFalse(self.appointment.isNow())
            self.assertTrue(self.appointment.isWanting)
            self.clock.advance(waits[-1])
            self.assertEqual(self.came, number)
            self.assertTrue(self.appointment.isNow())
        self.assertEqual(waits, sorted(waits))
        self.assertLess(waits[0], waits[-1])
        self.assertEqual(len(self.told), 3)

    def test_success(self) -> None:
        """
        With a certificate all that is forgotten, also by the next process.
        """
        self.appointment.postpone(refusal())
        self.serve()
        self.assertEqual(self.appointment.succeed(), self.renewal.due().at)
        self.assertEqual((self.appointment.problem, self.appointment.failures), (None, 0))
        self.assertEqual(self.appointment.at, self.renewal.due().at)
        self.begins()
        self.assertEqual(self.appointment.recall(), 0)
        self.assertIsNone(self.appointment.at)

    def test_dueAtOnce(self) -> None:
        """
        A successor that is due as soon as it is there is not ordered in the same moment.
        """
        self.serve()
        self.clock.advance(89 * DAY)
        self.assertEqual(self.appointment.succeed(), self.clock.seconds() + 1.0)

    def test_acrossProcesses(self) -> None:
        """
        The next process knows what has failed, and waits for it.
        """
        self.appointment.postpone(refusal(2 * HOUR))
        self.begins()
        self.assertEqual(self.appointment.recall(), 1)
        self.assertEqual(self.tries(), NOW + 2 * HOUR)
        self.assertIn("wrong answer", self.appointment.problem or "")

    def test_ours(self) -> None:
        """
        What is ours to mend is tried again every few seconds, and told once.
        """
        for _ in range(3):
            self.appointment.postpone(NOT_KEPT)
            self.assertLess(self.tries() - self.clock.seconds(), 10.0)
            self.clock.advance(10)
        self.assertEqual((self.came, len(self.told), self.appointment.failures), (3, 1, 0))

    def test_gone(self) -> None:
        """
        Where what failed was wanted by somebody who is gone, and what there is will do, nothing is
        amiss any more.
        """
        self.appointment.postpone(refusal())
        self.serve()
        self.clock.advance(self.tries() - NOW)
        self.assertFalse(self.appointment.isNow())
        self.assertIsNone(self.appointment.problem)
        self.assertEqual(self.appointment.at, self.renewal.due().at)

    def test_away(self) -> None:
        """
        Who waits for an authority that is away has no time of his own, and comes when it is back.
        """
        self.appointment.postpone(AWAY)
        self.assertTrue(self.appointment.isAway)
        self.assertEqual(self.told, [(str(AWAY).rstrip("."), NOW + 30.0)])
        self.assertEqual(self.appointment.at, NOW + 30.0)
        self.assertIn("whether the authority can be reached", self.appointment.reason or "")
        self.ways.back.callback(None)
        self.assertFalse(self.appointment.isAway)
        self.assertEqual(self.came, 1)
        # It is away once more, which is no news.
        self.ways.back = Deferred()
        self.appointment.postpone(AWAY)
        self.assertTrue(self.appointment.isAway)
        self.assertEqual(len(self.told), 1)

    def test_backMeanwhile(self) -> None:
        """
        If it is back while the order has not ended yet the next one comes after that.
        """
        self.isUnderWay = True
        self.appointment.postpone(AWAY)
        self.ways.back.callback(None)
        self.assertEqual(self.came, 0)
        self.isUnderWay = False
        self.clock.advance(0)
        self.assertEqual(self.came, 1)

    def test_demanded(self) -> None:
        """
        Who wants one now has it now, although what there is will do, and until there is one.
        """
        self.serve()
        self.appointment.isNow()
        self.appointment.demand()
        self.assertEqual((self.came, self.appointment.at), (1, None))
        self.assertTrue(self.appointment.isNow())
        self.appointment.postpone(refusal())
        self.clock.advance(self.tries() - NOW)
        self.assertEqual((self.came, self.appointment.due), (2, 0.0))
        self.appointment.succeed()
        self.assertEqual(self.appointment.due, self.renewal.due().at)

    def test_demandedMeanwhile(self) -> None:
        """
        Where an order is under way that is the one; nobody is asked to come.
        """
        self.serve()
        self.isUnderWay = True
        self.appointment.demand()
        self.assertEqual((self.came, self.appointment.due), (0, 0.0))

    def test_demandedButHeld(self) -> None:
        """
        What the authority asked for is waited for all the same.
        """
        self.appointment.postpone(refusal(2 * HOUR))
        self.appointment.demand()
        self.assertEqual(self.appointment.at, NOW + 2 * HOUR)
        self.assertFalse(self.appointment.isNow())

    def test_obstacle(self) -> None:
        """
        Why there is to be none now: a failure, of which somebody may think otherwise; the wish of
        the authority, of which nobody may; or that it is away.
        """
        self.assertIsNone(self.appointment.obstacle(force=False))
        self.appointment.postpone(refusal())
        obstacle = self.appointment.obstacle(force=False)
        assert obstacle is not None
        self.assertEqual((obstacle.code, obstacle.until), ("failed", self.appointment.at))
        self.assertIsNone(self.appointment.obstacle(force=True))
        self.appointment.postpone(refusal(2 * HOUR))
        for force in (False, True):
            obstacle = self.appointment.obstacle(force=force)
            assert obstacle is not None
            self.assertEqual((obstacle.code, obstacle.until), ("held", NOW + 2 * HOUR))
        self.appointment.postpone(AWAY)
        for force in (False, True):
            obstacle = self.appointment.obstacle(force=force)
            assert obstacle is not None
            self.assertEqual((obstacle.code, obstacle.until), ("away", NOW + 30.0))

    def test_stop(self) -> None:
        """
        Who has stopped waits for nothing, whatever comes of an order that is on its way.
        """
        self.serve()
        self.appointment.isNow()
        self.ways.patience = NOW + 60.0
        self.appointment.postpone(AWAY)
        self.appointment.stop()
        self.assertFalse(self.appointment.isAway)
        for why in (AWAY, refusal(), NOT_KEPT):
            self.appointment.postpone(why)
        self.serve()
        self.renewal.end()
        self.appointment.succeed()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.came, 0)

    def test_dismantled(self) -> None:
        """
        In the end it holds on to nobody.
        """
        self.appointment.stop()
        self.appointment.dismantle()
        self.assertEqual(vars(self.appointment), {})
