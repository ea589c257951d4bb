"""
Tests for L{smartproxy_tw.wire.dates}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.dates import formatted, parsed

from ..examples import anyText, examples


class DateTests(SynchronousTestCase):
    """
    Dates.
    """

    def test_forms(self) -> None:
        """
        The three forms of RFC 9110 section 5.6.7 are one moment.
        """
        for text in (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ):
            self.assertEqual(parsed(text), 784111777)

    def test_none(self) -> None:
        """
        Anything else is no date.
        """
        for text in (
            "",
            "yesterday",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1894 08:49:37 GMT",
            "784111777",
        ):
            self.assertIs(parsed(text), None, text)

    @examples()
    @given(st.integers(0, 253402300799))
    def test_roundtrip(self, seconds: int) -> None:
        """
        What is written is read.
        """
        self.assertEqual(parsed(formatted(seconds)), seconds)

    @examples()
    @given(anyText(40) | st.text(alphabet="MonDec 0123456789:,GT-", max_size=40))
    def test_any(self, text: str) -> None:
        """
        Whatever comes, nothing is raised.
        """
        parsed(text)
