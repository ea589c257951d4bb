"""
Tests for L{smartproxy_tw.guards.buckets}.
"""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.guards.buckets import Buckets, short

from ..examples import examples


class _Model:
    """
    A bucket as it is drawn on a blackboard, in exact numbers.
    """

    def __init__(self, interval: Fraction, burst: int) -> None:
        self.interval = interval
        self.burst = burst
        self.tokens = Fraction(burst)
        self.at = Fraction(0)

    def take(self, now: Fraction) -> bool:
        """Whether there was one."""
        self.tokens = min(Fraction(self.burst), self.tokens + (now - self.at) / self.interval)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class BucketsTests(SynchronousTestCase):
    """
    L{Buckets}.
    """

    @examples(200)
    @given(
        st.integers(1, 64).map(lambda n: Fraction(n, 8)),
        st.integers(1, 6),
        st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40)), max_size=60),
    )
    def test_model(self, interval: Fraction, burst: int, steps: list[tuple[str, int]]) -> None:
        """
        Whatever comes when, it gets its token just when the model has one for it.
        """
        buckets = Buckets(float(interval), burst)
        models = {key: _Model(interval, burst) for key in "ab"}
        now = Fraction(0)
        for key, pause in steps:
            now += Fraction(pause, 8)
            wait = buckets.take(key, float(now))
            self.assertEqual(wait == 0.0, models[key].take(now))
            if wait:
                self.assertLessEqual(wait, float(interval))

    def test_wait(self) -> None:
        """
        Who waits as long as he is told to has his token, and not a moment before.
        """
        buckets = Buckets(0.5, 2)
        self.assertEqual([buckets.take("a", 10.0) for _ in range(3)], [0.0, 0.0, 0.5])
        self.assertTrue(buckets.take("a", 10.4))
        self.assertFalse(buckets.take("a", 10.5))

    def test_bounded(self) -> None:
        """
        Any number of keys takes a bounded number of buckets; those who asked last are known.
        """
        buckets = Buckets(60.0, 1, most=100)
        for number in range(10_000):
            self.assertEqual(buckets.take(f"k{number}", 1.0), 0.0)
            self.assertLessEqual(len(buckets), 100)
        self.assertTrue(buckets.take("k9999", 1.0))

    def test_forgets(self) -> None:
        """
        Buckets that are full again make room for those that come.
        """
        buckets = Buckets(1.0, 1)
        for number in range(1000):
            buckets.take(f"k{number}", 0.0)
        for number in range(1000):
            buckets.take(f"n{number}", 100.0)
        self.assertLessEqual(len(buckets), 1001)
        for _ in range(3000):
            buckets.take("again", 1000.0 + _ * 10)
        self.assertLessEqual(len(buckets), 1001)

    def test_short(self) -> None:
        """
        Keys are never long, and long ones stay apart.
        """
        self.assertEqual(short("a" * 64), "a" * 64)
        self.assertLess(len(short("a" * 100_000)), 64)
        self.assertNotEqual(short("a" * 100_000), short("a" * 99_999))
        self.assertNotEqual(short("\udc80" * 100), short("\udc81" * 100))
