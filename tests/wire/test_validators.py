"""
Tests for L{smartproxy_tw.wire.validators}.
"""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.dates import formatted
from smartproxy_tw.wire.validators import Version, isRangeCurrent, judged, tags

from ..examples import examples

STRONG = Version('"a"', 1000)
WEAK = Version('W/"a"', 1000)


class TagTests(SynchronousTestCase):
    """
    L{tags}.
    """

    def test_lists(self) -> None:
        """
        Lists of tags.
        """
        for text, wanted in (
            ('"a"', ('"a"',)),
            ('W/"a", "b,c" ,"",', ('W/"a"', '"b,c"', '""')),
            (" * ", ("*",)),
            ("", None),
            ("a", None),
            ('"a" "b"', None),
            ('"a', None),
            ('w/"a"', None),
            ('"a", *', None),
        ):
            self.assertEqual(tags(text), wanted, text)

    @examples()
    @given(st.text(st.sampled_from('W/"ab,* \t\xff')))
    def test_any(self, text: str) -> None:
        """
        Whatever comes, nothing is raised.
        """
        tags(text)


def slowly(
    match: str | None, unmodified: str | None, none: str | None, modified: str | None, version: Version
) -> int | None:
    """
    The steps of RFC 9110 section 13.2.2 as they stand there, for the few values that the test has.
    """
    same = {'"a"': True, '"b"': False, "*": True, 'W/"a"': False, None: True}[match]
    if version is WEAK and match == '"a"':
        same = False
    early, late = formatted(999), formatted(1000)
    if match is not None and not same:
        return 412
    if match is None and unmodified == early:
        return 412
    if none is not None and none in ('"a"', 'W/"a"', "*"):
        return 304
    if none is None and modified == late:
        return 304
    return None


class JudgedTests(SynchronousTestCase):
    """
    L{judged}.
    """

    def test_table(self) -> None:
        """
        Every combination of the four fields, against the steps written out.
        """
        matches = (None, '"a"', '"b"', 'W/"a"', "*")
        dates = (None, formatted(999), formatted(1000), "no date")
        for version in (STRONG, WEAK):
            for match, unmodified, none, modified in product(matches, dates, matches, dates):
                given = {
                    "if-match": match,
                    "if-unmodified-since": unmodified,
                    "if-none-match": none,
                    "if-modified-since": modified,
                }
                fields = {name: value for name, value in given.items() if value is not None}
                wanted = slowly(match, unmodified, none, modified, version)
                self.assertEqual(judged(fields, version), wanted, (given, version))

    def test_nothing(self) -> None:
        """
        Where there is nothing, nothing can match.
        """
        self.assertEqual(judged({"if-match": "*"}, None), 412)
        self.assertIs(judged({"if-none-match": "*"}, None), None)
        self.assertIs(judged({"if-modified-since": formatted(0)}, None), None)

    def test_ranges(self) -> None:
        """
        Parts are of this version only by a strong tag, or by the exact date beside one.
        """
        for text, version, wanted in (
            (None, WEAK, True),
            ('"a"', STRONG, True),
            (' "a" ', STRONG, True),
            ('"b"', STRONG, False),
            ('W/"a"', STRONG, False),
            ('W/"a"', WEAK, False),
            (formatted(1000), STRONG, True),
            (formatted(1001), STRONG, False),
            (formatted(999), STRONG, False),
            (formatted(1000), WEAK, False),
            ("no date", STRONG, False),
        ):
            self.assertIs(isRangeCurrent(text, version), wanted, text)
