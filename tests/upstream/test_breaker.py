"""
A target that fails again and again.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.breaker import (
    FAILURES,
    PAUSE,
    WELL,
    Breaker,
    Closed,
    Open,
    Probing,
    abandoned,
    admits,
    answered,
    failed,
    reached,
)

from ..examples import examples


class BreakerTests(SynchronousTestCase):
    """
    The states, and what happens to them.
    """

    def after(self, failures: int) -> Breaker:
        """
        So many failures in a row at the time 100.
        """
        breaker: Breaker = WELL
        for _ in range(failures):
            breaker = failed(breaker, 100.0)
        return breaker

    def test_opens(self) -> None:
        """
        Five failures in a row open it for ten seconds, four do not.
        """
        self.assertEqual(self.after(FAILURES - 1), Closed(4))
        self.assertTrue(admits(self.after(FAILURES - 1), 100.0))
        breaker = self.after(FAILURES)
        self.assertEqual(breaker, Open(100.0 + PAUSE))
        self.assertFalse(admits(breaker, 109.9))
        self.assertTrue(admits(breaker, 110.0))

    def test_answersBetween(self) -> None:
        """
        An answer between them begins the count anew.
        """
        self.assertIs(answered(self.after(4)), WELL)
        self.assertEqual(reached(self.after(4)), Closed(4))

    def test_moreFailures(self) -> None:
        """
        Those that were under way when it opened do not keep it open longer.
        """
        self.assertEqual(failed(self.after(5), 105.0), Open(110.0))

    def test_probe(self) -> None:
        """
        Nobody is admitted beside a probe.  When it fails it is open again; when
        it reaches the target one failure more opens it, an answer closes it.
        """
        self.assertFalse(admits(Probing(), 1000.0))
        self.assertEqual(failed(Probing(), 120.0), Open(130.0))
        self.assertEqual(failed(reached(Probing()), 120.0), Open(130.0))
        self.assertIs(answered(reached(Probing())), WELL)

    def test_abandoned(self) -> None:
        """
        A probe that nobody waits for any more makes room for another; any
        other state stays.
        """
        self.assertTrue(admits(abandoned(Probing(), 120.0), 120.0))
        for breaker in (WELL, Closed(3), Open(5.0)):
            self.assertEqual(abandoned(breaker, 120.0), breaker)

    @examples()
    @given(st.lists(st.sampled_from("farx")))
    def test_alwaysComesBack(self, news: list[str]) -> None:
        """
        Whatever happens, it is either waited for, being probed, or admitted
        within the pause; and never open without five failures.
        """
        breaker: Breaker = WELL
        now, failures = 0.0, 0
        for each in news:
            now += 1.0
            failures = failures + 1 if each == "f" else 0 if each == "a" else failures
            if each == "f":
                breaker = failed(breaker, now)
            elif each == "a":
                breaker = answered(breaker)
            elif each == "r":
                breaker = reached(breaker)
            else:
                breaker = abandoned(breaker, now)
            if isinstance(breaker, Open):
                self.assertLessEqual(breaker.until, now + PAUSE)
                self.assertGreaterEqual(failures, FAILURES)
            self.assertTrue(isinstance(breaker, Probing) or admits(breaker, now + PAUSE))
