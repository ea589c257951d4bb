"""
Tests for L{smartproxy_tw.wire.lines}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.http1 import BadMessage, parseRequest
from smartproxy_tw.wire.lines import pairs

from ..examples import examples


class PairsTests(SynchronousTestCase):
    """
    Lines as names and values.
    """

    def test_pairs(self) -> None:
        """
        Names are in lower case, values without white space around them, in the
        order in which they came.
        """
        self.assertEqual(pairs(b""), [])
        self.assertEqual(
            pairs(b"X-A:  b\t \r\nx-a:c: d\r\nEmpty:\r\nBlank: \t\r\nU: \xc3\xbc\r\nLatin: \xfc\r\n"),
            [
                ("x-a", "b"),
                ("x-a", "c: d"),
                ("empty", ""),
                ("blank", ""),
                ("u", "ü"),
                ("latin", "\ufffd"),
            ],
        )

    @examples(200)
    @given(st.lists(st.tuples(st.sampled_from(["A", "b-C", "X"]), st.binary(max_size=9)), max_size=5))
    def test_ofRequests(self, some: list[tuple[str, bytes]]) -> None:
        """
        Every line that a request may have is read, and none is read as two.
        """
        lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in some)
        try:
            request = parseRequest(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
        except BadMessage:
            return
        assert request is not None
        if len(request.raw) == len(lines) + 27:
            wanted = [(name.lower(), value.strip(b"\t ").decode("utf-8", "replace")) for name, value in some]
            self.assertEqual(pairs(request.fields), [("host", "a"), *wanted])
