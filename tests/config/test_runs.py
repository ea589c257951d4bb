"""
Tests for L{smartproxy_tw.config.runs}.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis.strategies import integers, lists
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.runs import runs, told

from ..examples import examples


class RunsTests(SynchronousTestCase):
    """
    L{runs} and L{told}.
    """

    def test_drawnTogether(self) -> None:
        """
        What follows one after the other is one run, what does not is none; none of all is none.
        """
        for ports, found, text in (
            ((), [], []),
            ((443,), [(443, 443)], ["443"]),
            ((80, 443), [(80, 80), (443, 443)], ["80", "443"]),
            ((80, 81), [(80, 81)], ["80-81"]),
            ((1, 2, 3, 5, 7, 8), [(1, 3), (5, 5), (7, 8)], ["1-3", "5", "7-8"]),
            (range(8000, 9001), [(8000, 9000)], ["8000-9000"]),
        ):
            self.assertEqual(runs(ports), found)
            self.assertEqual(told(ports), text)

    def test_order(self) -> None:
        """
        They are told in the order that they have, and one that comes twice is told twice.
        """
        self.assertEqual(told((443, 80, 81)), ["443", "80-81"])
        self.assertEqual(told((81, 80)), ["81", "80"])
        self.assertEqual(told((80, 80, 81)), ["80", "80-81"])

    @examples()
    @given(lists(integers(1, 65535)))
    def test_nothingIsLost(self, ports: list[int]) -> None:
        """
        Whatever they are, the runs are the same ports, and no two could be one.
        """
        found = runs(ports)
        self.assertEqual([port for first, last in found for port in range(first, last + 1)], ports)
        for (_, last), (first, _) in pairwise(found):
            self.assertNotEqual(last + 1, first)
