"""
Tests for L{smartproxy_tw.wire.codings}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.codings import preferred

from ..examples import examples

ALL = ("br", "zstd", "gzip")


class PreferredTests(SynchronousTestCase):
    """
    L{preferred}.
    """

    def test_examples(self) -> None:
        """
        Weights come first, then our own order.
        """
        for text, wanted in (
            ("", ()),
            ("gzip", ("gzip",)),
            ("x-gzip", ("gzip",)),
            ("gzip, deflate, br, zstd", ("br", "zstd", "gzip")),
            ("gzip;q=1.0, br;q=0.5", ("gzip", "br")),
            ("GZIP ; Q=0.3,br;q=0", ("gzip",)),
            ("*", ("br", "zstd", "gzip")),
            ("*;q=0.1, br;q=0", ("zstd", "gzip")),
            ("gzip;q=0", ()),
            ("identity, gzip;q=0.5", ()),
            ("identity;q=0.5, gzip", ("gzip",)),
            ("gzip;q=2", ()),
            ("gzip;q=0.1234", ()),
            ("gzip;level=1", ("gzip",)),
        ):
            self.assertEqual(preferred(text, ALL), wanted, text)

    @examples()
    @given(st.text())
    def test_any(self, text: str) -> None:
        """
        Whatever comes, nothing else is found than what there is.
        """
        self.assertLessEqual(set(preferred(text, ALL)), set(ALL))
