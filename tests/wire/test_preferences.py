"""
Tests for L{smartproxy_tw.wire.preferences}.
"""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.preferences import chooseCoding, chooseType, preferred, weights

from ..examples import anyText, examples
from ..spending import taken

ALL = ("zstd", "br", "gzip")

#: What clients send, and what servers have got wrong.
NAMES = st.sampled_from(["gzip", "br", "zstd", "identity", "*", "GZIP", "deflate", "x"])
WEIGHTS = st.sampled_from(
    ["", ";q=0", ";q=1", ";q=0.5", "; Q=0.25", ";q=0.000", ";q=1.001", ";q=-1", ";q=", ";x=1"]
)
ITEMS = st.lists(st.tuples(NAMES, WEIGHTS, st.sampled_from(["", " ", "\t"])), max_size=6)


def slowly(text: str, offered: tuple[str, ...]) -> str | None:
    """
    RFC 9110 section 12.5.3, sentence by sentence.
    """
    items = []
    for each in text.split(","):
        name, *parameters = [part.strip(" \t") for part in each.split(";")]
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.lower() == "q":
                isRight = re.fullmatch(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", value) is not None
                weight = float(value) if isRight else 0.0
        if name:
            items.append((name.lower(), weight))

    def weightOf(coding: str) -> float | None:
        named = [weight for name, weight in items if name == coding]
        if named:
            return max(named)
        others = [weight for name, weight in items if name == "*"]
        return max(others) if others and coding != "identity" else None

    liked = [(weightOf(coding) or 0.0, -place, coding) for place, coding in enumerate(offered)]
    weight, _, coding = max(liked)
    return coding if weight > 0 and weight >= (weightOf("identity") or 0.0) else None


class BoundTests(SynchronousTestCase):
    """
    L{weights} looks at a part of what is long, and makes nothing of the rest.
    """

    def test_most(self) -> None:
        """
        So many items are read, and what comes behind them is not even looked at; nor are the parameters of
        one that has a heap of them, which counts as one that says something odd.
        """
        self.assertEqual(len(weights(",".join(f"x{number}" for number in range(1000)))), 64)
        self.assertEqual(weights("gzip" + ";a" * 20000 + ";q=1, br"), {"gzip": 0.0, "br": 1.0})
        self.assertEqual(weights("gzip" + ";a" * 20 + ";q=0.5, br"), {"gzip": 0.5, "br": 1.0})
        for text in ("," * 60000, ",".join(["x;q=0.5"] * 7500), "gzip" + ";" * 60000, "a;," * 20000):
            # A copy or two of an item.
            self.assertLess(taken(lambda text=text: weights(text)), 200000, text[:20])  # type: ignore[misc]


class CodingTests(SynchronousTestCase):
    """
    L{chooseCoding}.
    """

    def test_chosen(self) -> None:
        """
        What is liked best, of several what is offered first; nothing where nothing is liked.
        """
        for text, chosen in (
            (None, None),
            ("", None),
            ("gzip", "gzip"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip;q=1.0, br;q=0.9", "gzip"),
            ("GZIP", "gzip"),
            ("x-gzip", "gzip"),
            ("*", "zstd"),
            ("*;q=0", None),
            ("*;q=0, gzip", "gzip"),
            ("gzip;q=0, *", "zstd"),
            ("gzip;q=0", None),
            ("gzip;q=0.000", None),
            ("gzip;q=2", None),
            ("gzip;q=x", None),
            ("identity", None),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip", "gzip"),
            ("identity;q=0, gzip;q=0.1", "gzip"),
            ("identity;q=0", None),
            ("deflate, compress", None),
            (" ,, gzip ,", "gzip"),
            ("gzip ; q = 0", None),
            ("gzip; q=0.3; x=1", "gzip"),
            ("gzipped, brx", None),
            ('a;b=",gzip"', None),
            ('"', None),
        ):
            self.assertEqual(chooseCoding(text, ALL), chosen, text)
        self.assertEqual(chooseCoding("zstd, gzip", ("gzip",)), "gzip")
        self.assertEqual(chooseCoding("zstd, gzip;q=0.5", ("gzip", "zstd")), "zstd")
        self.assertEqual(chooseCoding("br, zstd", ("br", "zstd")), "br")

    def test_order(self) -> None:
        """
        Weights come first, then our own order.
        """
        for text, wanted in (
            (None, ()),
            ("", ()),
            ("gzip, deflate, br, zstd", ("br", "zstd", "gzip")),
            ("gzip;q=1.0, br;q=0.5", ("gzip", "br")),
            ("*", ("br", "zstd", "gzip")),
            ("*;q=0.1, br;q=0", ("zstd", "gzip")),
            ("identity, gzip;q=0.5", ()),
            ("identity;q=0.5, gzip", ("gzip",)),
        ):
            self.assertEqual(preferred(text, ("br", "zstd", "gzip")), wanted, text)

    @examples(300)
    @given(ITEMS, st.permutations(ALL))
    def test_reference(self, items: list[tuple[str, str, str]], offered: list[str]) -> None:
        """
        It is what the RFC says.
        """
        text = ",".join(space + name + space + weight + space for name, weight, space in items)
        self.assertEqual(chooseCoding(text, offered), slowly(text, tuple(offered)), text)
        # Each is what would be chosen if those before it were not there.
        left = list(offered)
        for each in preferred(text, offered):
            self.assertEqual(slowly(text, tuple(left)), each, text)
            left.remove(each)
        self.assertIs(slowly(text, tuple(left)) if left else None, None)

    @examples(200)
    @given(anyText(30) | st.text(alphabet='gzip,;q="=01.*\\ ', max_size=40))
    def test_anything(self, text: str) -> None:
        """
        Nothing escapes, and weights are weights.
        """
        self.assertIn(chooseCoding(text, ALL), (None, *ALL))
        self.assertTrue(all(0 <= weight <= 1 for weight in weights(text).values()))

    def test_long(self) -> None:
        """
        A field as long as a head may be takes no time.
        """
        for text in ("," * 65000, '"' * 65000, "a;" * 32000, ";q=" * 20000, "gzip," * 13000, '\\"' * 30000):
            chooseCoding(text, ALL)
            chooseCoding(f'"{text}', ALL)


class TypeTests(SynchronousTestCase):
    """
    L{chooseType}.
    """

    def test_chosen(self) -> None:
        """
        The one that is liked best: a type before its family, and that before all; the first where
        nothing is said or none is liked.
        """
        kinds = ("text/html", "application/json", "text/plain")
        for text, place in (
            (None, 0),
            ("", 0),
            ("*/*", 0),
            ("application/json", 1),
            ("text/*", 0),
            ("text/plain, text/*;q=0.5", 2),
            ("text/html;q=0, text/*", 2),
            ("application/json;q=0.2, */*;q=0.1", 1),
            ("image/png", 0),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", 0),
            ("application/*;q=0.9, text/html;q=0.8", 1),
        ):
            self.assertEqual(chooseType(text, kinds), place, text)
