"""
A target that fails again and again.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Ejection
from smartproxy_tw.upstream.breaker import Breaker
from smartproxy_tw.upstream.cohort import Cohort

from ..examples import examples

USUAL = Ejection()
GROWING = Ejection(3, 10.0, 60.0, True)


class BreakerTests(SynchronousTestCase):
    """
    The states, and what happens to them.
    """

    def after(self, failures: int, terms: Ejection = USUAL, cohort: Cohort | None = None) -> Breaker:
        """
        So many failures in a row at the time 100.
        """
        breaker = Breaker(terms, cohort)
        for _ in range(failures):
            breaker.failed(100.0)
        return breaker

    def test_opens(self) -> None:
        """
        Five failures in a row open it for ten seconds, four do not.
        """
        breaker = self.after(4)
        self.assertEqual((breaker.state, breaker.failures), ("closed", 4))
        self.assertTrue(breaker.admits(100.0))
        self.assertTrue(breaker.failed(100.0))
        self.assertEqual((breaker.state, breaker.until), ("open", 110.0))
        self.assertFalse(breaker.admits(109.9))
        self.assertTrue(breaker.admits(110.0))

    def test_answersBetween(self) -> None:
        """
        An answer between them begins the count anew, being reached does not.
        """
        breaker = self.after(4)
        breaker.reached()
        self.assertEqual(breaker.failures, 4)
        breaker.answered()
        self.assertEqual((breaker.state, breaker.failures), ("closed", 0))

    def test_moreFailures(self) -> None:
        """
        Those that were under way when it opened do not keep it open longer.
        """
        breaker = self.after(5)
        self.assertFalse(breaker.failed(105.0))
        self.assertEqual(breaker.until, 110.0)

    def test_probe(self) -> None:
        """
        Nobody is admitted beside a probe.  When it fails it is open again; when
        it reaches the target one failure more opens it, an answer closes it.
        """
        breaker = self.after(5)
        breaker.probed(110.0)
        self.assertFalse(breaker.admits(1000.0))
        breaker.failed(120.0)
        self.assertEqual((breaker.state, breaker.until), ("open", 130.0))
        breaker.probed(130.0)
        breaker.reached()
        self.assertTrue(breaker.admits(131.0))
        breaker.failed(131.0)
        self.assertEqual((breaker.state, breaker.until), ("open", 141.0))
        breaker.probed(141.0)
        breaker.reached()
        breaker.answered()
        self.assertEqual((breaker.state, breaker.failures), ("closed", 0))

    def test_abandoned(self) -> None:
        """
        A probe that nobody waits for any more makes room for another; any
        other state stays.
        """
        breaker = self.after(5)
        breaker.abandoned(101.0)
        self.assertFalse(breaker.admits(101.0))
        breaker.probed(119.0)
        breaker.abandoned(120.0)
        self.assertTrue(breaker.admits(120.0))
        closed = self.after(3)
        closed.abandoned(120.0)
        self.assertEqual((closed.state, closed.failures), ("closed", 3))

    def test_grows(self) -> None:
        """
        Where the terms say so, the pause is twice as long each time, up to its bound.
        """
        breaker = self.after(3, GROWING, Cohort(2))
        pauses = []
        began = 100.0
        for _ in range(5):
            pauses.append(breaker.until - began)
            began = breaker.until
            breaker.probed(began)
            breaker.failed(began)
        self.assertEqual(pauses, [10.0, 20.0, 40.0, 60.0, 60.0])

    def test_outOfTurn(self) -> None:
        """
        Who tries it before its pause is over, since there is no other, makes the next one no
        longer when that fails, nor ends this one by losing interest; when it is reached it is
        closed as ever, and what comes then counts.
        """
        breaker = self.after(3, GROWING, Cohort(2))
        for now in (101.0, 102.0, 103.0):
            breaker.probed(now)
            self.assertTrue(breaker.failed(now + 0.5))
            self.assertEqual((breaker.state, breaker.until, breaker.openings), ("open", now + 10.5, 1))
        breaker.probed(104.0)
        breaker.abandoned(105.0)
        self.assertEqual((breaker.state, breaker.until), ("open", 113.5))
        breaker.probed(106.0)
        breaker.reached()
        self.assertTrue(breaker.admits(106.0))
        breaker.failed(107.0)
        self.assertEqual((breaker.state, breaker.until, breaker.openings), ("open", 127.0, 2))
        breaker.probed(127.0)
        breaker.failed(127.0)
        self.assertEqual((breaker.until, breaker.openings), (167.0, 3))

    def test_remembers(self) -> None:
        """
        One that is told how often its target was passed over of late goes on from there.
        """
        breaker = Breaker(GROWING, Cohort(2), 2)
        for _ in range(3):
            breaker.failed(0.0)
        self.assertEqual(breaker.until, 40.0)

    def test_half(self) -> None:
        """
        Where it is bounded no more than half of the targets are passed over at a time;
        the next one is when there is room, by its next failure.
        """
        cohort = Cohort(3)
        first, second = self.after(3, GROWING, cohort), self.after(3, GROWING, cohort)
        self.assertEqual((first.state, second.state, cohort.absent), ("open", "closed", 1))
        first.probed(110.0)
        self.assertEqual(cohort.absent, 1)
        first.answered()
        self.assertEqual(cohort.absent, 0)
        second.failed(100.0)
        self.assertEqual((second.state, cohort.absent), ("open", 1))

    @examples()
    @given(st.integers(1, 7), st.lists(st.tuples(st.integers(0, 6), st.sampled_from("farxp"))))
    def test_neverMoreThanHalf(self, size: int, news: list[tuple[int, str]]) -> None:
        """
        Whatever happens to whom, at most half of them are passed over, never the last
        one, and the count of those is right.
        """
        cohort = Cohort(size)
        breakers = [Breaker(GROWING, cohort) for _ in range(size)]
        for number, what in news:
            breaker = breakers[number % size]
            if what == "f":
                breaker.failed(0.0)
            elif what == "a":
                breaker.answered()
            elif what == "r":
                breaker.reached()
            elif what == "p":
                breaker.probed(0.0)
            else:
                breaker.abandoned(0.0)
            absent = sum(each.state != "closed" for each in breakers)
            self.assertEqual(absent, cohort.absent)
            self.assertLessEqual(absent, size // 2)

    @examples()
    @given(st.lists(st.sampled_from("farxp")))
    def test_alwaysComesBack(self, news: list[str]) -> None:
        """
        Whatever happens, it is either waited for, being probed, or admitted
        within the pause; and never open without five failures.
        """
        breaker = Breaker(USUAL)
        now, failures = 0.0, 0
        for each in news:
            now += 1.0
            failures = failures + 1 if each == "f" else 0 if each == "a" else failures
            if each == "f":
                breaker.failed(now)
            elif each == "a":
                breaker.answered()
            elif each == "r":
                breaker.reached()
            elif each == "p":
                breaker.probed(now)
            else:
                breaker.abandoned(now)
            if breaker.state == "open":
                self.assertLessEqual(breaker.until, now + USUAL.seconds)
                self.assertGreaterEqual(failures, USUAL.failures)
            self.assertTrue(breaker.state == "probing" or breaker.admits(now + USUAL.seconds))
