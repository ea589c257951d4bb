"""
How many requests may be sent twice.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.budget import FLOOR, Budget


class BudgetTests(SynchronousTestCase):
    """
    L{Budget}.
    """

    def setUp(self) -> None:
        """It begins at the time 100."""
        self.budget = Budget(100.0)

    def spent(self, now: float, requests: int) -> int:
        """
        How many retries there are until there are no more.
        """
        count = 0
        while self.budget.spend(now, requests):
            count += 1
        return count

    def test_floor(self) -> None:
        """
        A quiet site may retry ten times in ten seconds.
        """
        self.assertEqual(self.spent(100.0, 1), FLOOR)
        self.assertEqual(self.spent(109.9, 5), 0)
        self.assertEqual(self.spent(110.0, 5), FLOOR)

    def test_share(self) -> None:
        """
        A busy one for every fifth of its requests.
        """
        self.assertEqual(self.spent(105.0, 1000), 200)
        self.assertEqual(self.spent(106.0, 1500), 100)

    def test_window(self) -> None:
        """
        Requests that are longer ago do not count.
        """
        for second in range(11):
            self.budget.spend(100.0 + second, 100 * second)
        self.assertEqual(self.spent(120.0, 1000), FLOOR)

    def test_longAgo(self) -> None:
        """
        Where nobody looked for an hour the average of the hour counts, not its
        sum.
        """
        self.assertEqual(self.spent(3700.0, 360_000), 200)

    def test_allFail(self) -> None:
        """
        When every request of a steady load fails, a fifth of them is repeated.
        """
        retries = sum(self.budget.spend(100.0 + number / 100, number) for number in range(1, 6001))
        self.assertIn(retries, range(1185, 1216))
