"""
Tests for L{smartproxy_tw.control.gains}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import dictionaries, integers, lists
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.gains import Gains, gained
from smartproxy_tw.control.messages import INLINE, tallied, tallyText
from smartproxy_tw.routing.steps import finish

from ..examples import awkwardText, examples


class GainsTests(SynchronousTestCase):
    """
    One end, and what the other one knows by it.
    """

    def setUp(self) -> None:
        """Nothing was told."""
        self.gains = Gains(INLINE)
        self.known: dict[str, int] = {}

    def tell(self, tally: dict[str, int]) -> int:
        """
        Tell all that there is to tell.

        @return: In how many pieces.
        """
        finish(self.gains.look(tally))
        pieces, isMore = 0, True
        while isMore:
            piece, isMore = self.gains.take()
            data = tallyText(piece)
            self.assertLess(len(data), 65536)
            gained(self.known, tallied(data))
            pieces += 1
        return pieces

    def test_zero(self) -> None:
        """
        What has not happened is told as well, once.
        """
        self.tell({"misses": 0, "requests": 2})
        self.assertEqual(self.known, {"misses": 0, "requests": 2})
        finish(self.gains.look({"misses": 0, "requests": 2}))
        self.assertEqual((self.gains.isMore, self.gains.take()), (False, ({}, False)))

    def test_changes(self) -> None:
        """
        Only what has changed is told.
        """
        self.tell({"misses": 0, "requests": 2, "open": 5})
        finish(self.gains.look({"misses": 0, "requests": 3, "open": 1}))
        self.assertTrue(self.gains.isMore)
        self.assertEqual(self.gains.take(), ({"requests": 1, "open": -4}, False))

    def test_lookedAtAgain(self) -> None:
        """
        What was seen and not told yet is not told twice, whoever looks again.
        """
        for number in (3, 5, 9):
            finish(self.gains.look({"requests": number}))
        self.tell({"requests": 10})
        self.assertEqual(self.known, {"requests": 10})
        for tally in ({}, {"requests": 2}):
            finish(self.gains.look(tally))
        self.tell({"requests": 2})
        self.assertEqual(self.known, {})
        self.tell({"requests": 3})
        self.assertEqual(self.known, {"requests": 3})

    def test_gone(self) -> None:
        """
        What is not there any more is not known any more, and begins anew when it comes
        again.
        """
        busy, requests = "target_busy - a:1", "requests 200 shop"
        self.tell({busy: 3, requests: 7})
        self.tell({})
        self.assertEqual(self.known, {})
        self.tell({busy: 1, requests: 2})
        self.assertEqual(self.known, {busy: 1, requests: 2})

    def test_steps(self) -> None:
        """
        Looking at very many lets others have their turn.
        """
        steps = self.gains.look({f"requests 200 {number}": 1 for number in range(10_000)})
        self.assertGreaterEqual(sum(1 for _ in steps), 9)

    def test_many(self) -> None:
        """
        Ten thousand routes with names as long as they may be are told in pieces that
        the line takes.
        """
        tally = {f"requests 200 {number}{'ü' * 90}": number for number in range(10_000)}
        self.assertGreater(self.tell(tally), 50)
        self.assertEqual(self.known, tally)
        tally[next(iter(tally))] = 5
        self.assertEqual(self.tell(tally), 1)
        self.assertEqual(self.known, tally)

    @examples()
    @given(lists(dictionaries(awkwardText(3), integers(0, 2**53), max_size=5), max_size=6), integers(40, 200))
    def test_follows(self, tallies: list[dict[str, int]], most: int) -> None:
        """
        Whatever happens, in whatever pieces it is told, what is known in the end is how
        things stand.
        """
        self.gains, self.known = Gains(most), {}
        for tally in tallies:
            self.tell(tally)
            self.assertEqual(self.known, tally)
