"""
Tests for L{smartproxy_tw.upstream.cohort}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.cohort import Cohort


class CohortTests(SynchronousTestCase):
    """
    Targets that are alternatives to one another.
    """

    def test_half(self) -> None:
        """
        Half of them at most, rounded down, are passed over at a time; one alone never is.
        """
        for size, most in ((0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (7, 3)):
            cohort = Cohort(size)
            while cohort.hasRoom:
                cohort.absent += 1
            self.assertEqual(cohort.absent, most, size)
