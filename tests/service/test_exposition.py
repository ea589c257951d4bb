"""
Tests for L{smartproxy_tw.service.exposition}: what is written is read back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf, isnan, nan
from string import ascii_lowercase

from hypothesis import given
from hypothesis.strategies import dictionaries, floats, lists, tuples
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.exposition import Family, Sample, exposed, histogram

from ..examples import awkwardText, examples, textOf

NAMES = textOf(f"{ascii_lowercase}_", 5, 1)

_SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)\n')
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\.)*)"')


def read(line: str) -> tuple[str, Mapping[str, str], float]:
    """
    As Prometheus reads it.
    """
    found = _SAMPLE.fullmatch(line)
    assert found is not None, line
    labels = {
        name: re.sub(r"\\(.)", lambda each: "\n" if each[1] == "n" else each[1], value)
        for name, value in _LABEL.findall(found[2] or "")
    }
    return found[1], labels, float(found[3])


Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def numbers(text: str) -> Numbers:
    """
    Every number that is told, by its name and its labels; none twice.
    """
    found: Numbers = {}
    for line in text.splitlines(keepends=True):
        if not line.startswith("#"):
            name, labels, value = read(line)
            key = name, tuple(sorted(labels.items()))
            assert key not in found, key
            found[key] = value
    return found


class ExpositionTests(SynchronousTestCase):
    """
    L{exposed}.
    """

    def test_lines(self) -> None:
        """
        A name is described once, and then has its numbers.
        """
        samples = [Sample(1, {"a": "x"}), Sample(2.5, {"a": "y", "b": "z"})]
        self.assertEqual(
            "".join(exposed([Family("one_total", "counter", "Things\nthat \\ happened.", samples)])),
            "# HELP one_total Things\\nthat \\\\ happened.\n"
            "# TYPE one_total counter\n"
            'one_total{a="x"} 1\n'
            'one_total{a="y",b="z"} 2.5\n',
        )

    def test_none(self) -> None:
        """
        What has no numbers is not there at all.
        """
        self.assertEqual(list(exposed([Family("none", "gauge", "Nothing.", [])])), [])

    def test_pauses(self) -> None:
        """
        Where somebody else may have his turn there is an empty line, which is none.
        """
        family = Family("a", "gauge", "A.", [None, Sample(1)])
        self.assertEqual([not line for line in exposed([None, family])], [True, True, False, False])

    def test_histogram(self) -> None:
        """
        Each class of a histogram has those below it in it.
        """
        samples = histogram({"route": "a"}, (0.1, 1.0), (3, 2, 1), 4.5)
        lines = "".join(exposed([Family("t_seconds", "histogram", "T.", samples)])).splitlines()[2:]
        self.assertEqual(
            lines,
            [
                't_seconds_bucket{route="a",le="0.1"} 3',
                't_seconds_bucket{route="a",le="1"} 5',
                't_seconds_bucket{route="a",le="+Inf"} 6',
                't_seconds_sum{route="a"} 4.5',
                't_seconds_count{route="a"} 6',
            ],
        )

    def test_numbers(self) -> None:
        """
        Numbers that are none have words of their own.
        """
        samples = [Sample(value) for value in (nan, inf, -inf, 2**60, -0.5, 1e-9, 1700000000.25)]
        found = list(exposed([Family("a", "gauge", "A.", samples)]))[1:]
        words = [line.split()[1] for line in found]
        self.assertEqual(words[:3], ["NaN", "+Inf", "-Inf"])
        self.assertEqual([float(word) for word in words[3:]], [2**60, -0.5, 1e-9, 1700000000.25])

    @examples()
    @given(
        lists(
            tuples(floats(), dictionaries(NAMES, awkwardText(20), max_size=3)),
            min_size=1,
        ),
        awkwardText(20),
    )
    def test_anything(self, numbers: list[tuple[float, dict[str, str]]], about: str) -> None:
        """
        Whatever stands in a label, each number is one line, and is read as it was.
        """
        family = Family("a_b", "gauge", about, [Sample(*each) for each in numbers])
        first, *lines = exposed([family])
        self.assertEqual(first.count("\n"), 2)
        for line, (value, labels) in zip(lines, numbers, strict=True):
            name, known, number = read(line)
            self.assertEqual((name, known), ("a_b", labels))
            self.assertTrue(number == value or (isnan(number) and isnan(value)))
