"""
Tests for L{smartproxy_tw.config.origins}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.origins import Origins, origin

from ..examples import examples


class OriginsTests(SynchronousTestCase):
    """
    L{origin} and L{Origins}.
    """

    def test_normal(self) -> None:
        """
        Origins come in the form in which browsers send them.
        """
        for text, expected in (
            ("HTTPS://App.Example", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("https://app.example:8443/", "https://app.example:8443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("https://*.app.example", "https://*.app.example"),
            ("null", "null"),
            ("*", "*"),
        ):
            self.assertEqual(origin(text), expected)
        for text in (
            "",
            "app.example",
            "https://",
            "https://a/b",
            "https://*",
            "https://*.[::1]",
            "https://a*b.c",
        ):
            self.assertRaises(ValueError, origin, text)

    def test_patterns(self) -> None:
        """
        A star is for names below, and nothing gets around its end.
        """
        for text, good, bad in (
            ("https://a.b", ["https://a.b"], ["http://a.b", "https://a.b:1", "https://xa.b", "null", ""]),
            (
                "https://*.a.b",
                ["https://x.a.b"],
                ["https://a.b", "https://y.x.a.b", "https://x.a.b.evil", "https://x.a.b:1", "https://xa.b"],
            ),
            (
                "https://**.a.b:8",
                ["https://x.a.b:8", "https://y.x.a.b:8"],
                [
                    "https://a.b:8",
                    "https://.a.b:8",
                    "https://evil/.a.b:8",
                    "https://x.a.b",
                    "https://x.aXb:8",
                ],
            ),
        ):
            origins = Origins([text])
            for each in good:
                self.assertTrue(origins.has(each), (text, each))
            for each in [*bad, *(each + "\n" for each in good)]:
                self.assertFalse(origins.has(each), (text, each))

    @examples(200)
    @given(st.text(alphabet="ab.*:/https1[]", max_size=20))
    def test_anything(self, text: str) -> None:
        """
        What is read is read the same again, and never means all but for the star.
        """
        try:
            found = origin(text)
        except ValueError:
            return
        self.assertEqual(origin(found), found)
        self.assertEqual(Origins([found]).isAll, found == "*")
