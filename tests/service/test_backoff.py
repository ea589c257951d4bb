"""
Tests for L{smartproxy_tw.service.backoff}.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import (
    AccountNotKept,
    AuthorityProblem,
    AuthorityUnreachable,
    PreflightFailed,
    Problem,
)
from smartproxy_tw.acme.schedule import LONGEST_WAIT
from smartproxy_tw.service.backoff import Backoff
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.store.attempts import DirectoryAttempts
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.uses import DirectoryUses

NOW = 1_800_000_000
REFUSED = AuthorityProblem("verifying a.test", Problem("urn:x", "wrong answer"))
UNPROMISING = PreflightFailed([("a.test", "a.test: it has no address")])
AWAY = AuthorityUnreachable("https://ca.test/", "connection refused")
FULL = AccountNotKept("https://ca.test/", "No space left on device")


class BackoffTests(SynchronousTestCase):
    """
    How long an authority is left alone.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.attempts, self.uses = DirectoryAttempts(directory), DirectoryUses(directory)
        self.backoff = self.make()

    def make(self, key: str = "auto:a.test") -> Backoff:
        """
        As a new process has it.
        """
        memory = Memory(self.attempts, self.uses, maybeDeferred)
        return Backoff(key, ("a.test",), memory, self.clock, Random(0))

    def test_preflight(self) -> None:
        """
        What no order was placed for is looked at again after one minute and then every
        ten, however often; it does not make the authority be left alone for longer, and
        is known after a restart.
        """
        for wait in (60, 600, 600, 600, 600, 600, 600):
            found = self.wait(UNPROMISING)
            self.assertTrue(wait <= found <= min(600, wait * 1.25), found)
        self.assertEqual(self.backoff.failures, 7)
        self.assertIn("it has no address", str(self.backoff.problem))
        again = self.make()
        self.assertEqual(again.recall(), self.clock.seconds() + 60)
        self.assertEqual(again.problem, self.backoff.problem)
        self.assertTrue(60 <= self.wait(REFUSED) <= 75)
        self.backoff.succeed()
        self.assertEqual(self.backoff.failures, 0)

    def wait(self, why: Exception) -> float:
        """
        How long is waited after a failure, in seconds.
        """
        return self.backoff.fail(why) - self.clock.seconds()

    def test_grows(self) -> None:
        """
        Each failure in a row is waited for longer, a success ends the row.
        """
        first, second, third = (self.wait(REFUSED) for _ in range(3))
        self.assertTrue(60.0 <= first < 100.0, first)
        self.assertTrue(600.0 <= second < 1000.0, second)
        self.assertGreaterEqual(third, 3600.0)
        self.assertIn("wrong answer", self.backoff.problem or "")
        self.backoff.succeed()
        self.assertIsNone(self.backoff.problem)
        self.assertLess(self.wait(REFUSED), 100.0)

    def test_postpone(self) -> None:
        """
        What is ours to mend is tried again within seconds, is no failure of the
        certificate, and is told once, however often it is met.
        """
        logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        for _ in range(20):
            self.assertEqual(self.backoff.postpone(FULL) - self.clock.seconds(), 5.0)
        self.assertIn("No space left", self.backoff.problem or "")
        self.assertEqual((self.backoff.failures, self.make().recall()), (0, None))
        told = [each for each in logged if each.get("event") == "certificate-failed"]
        self.assertEqual(len(told), 1, told)
        self.assertIn("a.test", formatEvent(told[0]))

    def test_stall(self) -> None:
        """
        An authority that cannot be reached is told as the problem; it is no
        failure, and nothing to remember.
        """
        self.backoff.stall(AWAY)
        self.assertIn("connection refused", self.backoff.problem or "")
        self.assertIsNone(self.make().recall())
        self.assertLess(self.wait(REFUSED), 100.0)

    def test_recall(self) -> None:
        """
        What failed is known to the next process until its time has come, under
        its own key only.
        """
        self.wait(REFUSED)
        later = self.make()
        self.assertEqual(later.recall(), NOW + 60.0)
        self.assertIn("wrong answer", later.problem or "")
        other = self.make("auto:b.test")
        self.assertIsNone(other.recall())
        self.clock.advance(61.0)
        over = self.make()
        self.assertIsNone(over.recall())
        self.assertIsNone(over.problem)

    def test_clockThatWasWrong(self) -> None:
        """
        A failure of a day that has not come holds back no longer than the
        longest wait there is.
        """
        self.clock.advance(10 * 365 * 86400.0)
        self.wait(REFUSED)
        self.clock.rightNow = NOW
        at = self.make().recall()
        assert at is not None
        self.assertLessEqual(at - NOW, LONGEST_WAIT)

    def test_namelessFailure(self) -> None:
        """
        A failure without a text is called by its kind.
        """
        self.wait(RuntimeError())
        self.assertEqual(self.backoff.problem, "RuntimeError")
