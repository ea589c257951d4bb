"""
Tests for L{smartproxy_tw.control.gains}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import dictionaries, integers, lists, sampled_from, text
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.gains import Gains, gained
from smartproxy_tw.control.messages import INLINE, tallied, tallyText

from ..examples import examples


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
        pieces, isMore = 0, True
        while isMore:
            piece, isMore = self.gains.take(tally)
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
        self.assertEqual(self.gains.take({"misses": 0, "requests": 2}), ({}, False))

    def test_changes(self) -> None:
        """
        Only what has changed is told.
        """
        self.tell({"misses": 0, "requests": 2, "open": 5})
        self.assertEqual(
            self.gains.take({"misses": 0, "requests": 3, "open": 1}), ({"requests": 1, "open": -4}, False)
        )

    def test_gone(self) -> None:
        """
        What stood somehow and is not there any more stands at nothing; what was counted
        of something that is gone does not go back, and goes on when it comes again.
        """
        busy, requests = "target_busy - a:1", "requests 200 shop"
        self.tell({busy: 3, requests: 7})
        self.tell({})
        self.assertEqual(self.known, {busy: 0, requests: 7})
        self.tell({busy: 1, requests: 2})
        self.assertEqual(self.known, {busy: 1, requests: 9})

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
    @given(
        lists(
            dictionaries(
                sampled_from(["open", "target_idle - x"])
                | text(max_size=3).map(lambda name: f"requests - {name}"),
                integers(0, 2**53),
            ),
            max_size=6,
        ),
        integers(40, 200),
    )
    def test_follows(self, tallies: list[dict[str, int]], most: int) -> None:
        """
        Whatever happens, in whatever pieces it is told, how things stand is known; and
        what only grows is known as long as it is there.
        """
        self.gains, self.known = Gains(most), {}
        grown: dict[str, int] = {}
        for tally in tallies:
            grown = {name: number + grown.get(name, 0) for name, number in tally.items()}
            now = {**grown, **{name: tally[name] for name in ("open", "target_idle - x") if name in tally}}
            self.tell(now)
            for name in ("open", "target_idle - x"):
                self.assertEqual(self.known.get(name, 0), tally.get(name, 0))
            for name in tally:
                self.assertGreaterEqual(self.known[name], now[name])
