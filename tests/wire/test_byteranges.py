"""
Tests for L{smartproxy_tw.wire.byteranges}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.byteranges import MOST, Span, Unsatisfiable, spans

from ..examples import examples
from ..spending import taken

_NUMBERS = st.integers(0, 40)
_PARTS = st.one_of(
    st.tuples(_NUMBERS, _NUMBERS).map(lambda pair: f"{min(pair)}-{max(pair)}"),
    _NUMBERS.map(lambda number: f"{number}-"),
    _NUMBERS.map(lambda number: f"-{number}"),
)


def slowly(part: str, length: int) -> set[int]:
    """
    Which bytes one part is, asked of each.
    """
    first, _, last = part.partition("-")
    if not first:
        return set(range(length)[-int(last) :]) if int(last) else set()
    end = int(last) if last else length
    return {at for at in range(length) if int(first) <= at <= end}


class SpanTests(SynchronousTestCase):
    """
    L{spans}.
    """

    def test_examples(self) -> None:
        """
        Those of RFC 9110 section 14.1.2, and edges.
        """
        for text, length, wanted in (
            ("bytes=0-499", 10000, [(0, 500)]),
            ("bytes=500-999", 10000, [(500, 1000)]),
            ("bytes=-500", 10000, [(9500, 10000)]),
            ("bytes=9500-", 10000, [(9500, 10000)]),
            ("bytes=0-0,-1", 10000, [(0, 1), (9999, 10000)]),
            ("bytes= 0-0 , , -1 ,", 10000, [(0, 1), (9999, 10000)]),
            ("BYTES=0-0", 10, [(0, 1)]),
            ("bytes=5-99999999999", 10, [(5, 10)]),
            ("bytes=-99", 10, [(0, 10)]),
            ("bytes=20-30,1-2", 10, [(1, 3)]),
        ):
            self.assertEqual(spans(text, length), tuple(Span(*each) for each in wanted), text)

    def test_nothing(self) -> None:
        """
        What makes no sense counts for nothing.
        """
        for text in (
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=-",
            "bytes=--1",
            "bytes=0-1,x",
            "items=0-1",
            "bytes=1 -2",
            "bytes=٣-٤",
            "bytes=" + "9" * 20 + "-",
        ):
            self.assertIs(spans(text, 10), None, text)

    def test_unsatisfiable(self) -> None:
        """
        Nothing of it is there, or it is a flood.
        """
        for text in (
            "bytes=10-",
            "bytes=-0",
            "bytes=10-20,30-",
            "bytes=0-,0-,0-,0-",
            "bytes=" + ",".join(f"{2 * each}-{2 * each}" for each in range(MOST + 1)),
        ):
            self.assertRaises(Unsatisfiable, spans, text, 10)
        self.assertRaises(Unsatisfiable, spans, "bytes=0-", 0)
        self.assertEqual(len(spans("bytes=0-,0-,0-", 10) or ()), 3)

    def test_flood(self) -> None:
        """
        Of a flood no more is read than what tells that it is one.
        """
        for text in ("bytes=" + "0-0," * 15000, "bytes=" + "0-0 ," * 12000 + "x"):
            self.assertRaises(Unsatisfiable, spans, text, 10)
            self.assertLess(taken(lambda text=text: self._spans(text)), 100000)  # type: ignore[misc]
        text = "bytes=" + "," * 30000 + " ," * 15000 + "0-1"
        self.assertEqual(spans(text, 10), ((0, 2),))
        self.assertLess(taken(lambda: self._spans(text)), 100000)

    def _spans(self, text: str) -> None:
        try:
            spans(text, 10)
        except Unsatisfiable:
            pass

    @examples()
    @given(st.lists(_PARTS, min_size=1, max_size=8), st.integers(0, 30))
    def test_slowly(self, parts: list[str], length: int) -> None:
        """
        The parts are those that each byte would say.
        """
        wanted = [found for part in parts if (found := slowly(part, length))]
        try:
            found = spans("bytes=" + ",".join(parts), length)
        except Unsatisfiable:
            seen: set[int] = set()
            overlaps = 0
            for each in sorted(wanted, key=lambda each: (min(each), max(each))):
                overlaps += bool(seen & each)
                seen |= each
            self.assertTrue(not wanted or overlaps > 2)
        else:
            assert found is not None
            self.assertEqual([set(range(*each)) for each in found], wanted)

    @examples()
    @given(st.text(st.sampled_from("bytes=0123456789-, \t")), st.integers(0, 100))
    def test_any(self, text: str, length: int) -> None:
        """
        Whatever comes, what is found is there.
        """
        try:
            found = spans(text, length)
        except Unsatisfiable:
            return
        for each in found or ():
            self.assertTrue(0 <= each.start < each.end <= length)
