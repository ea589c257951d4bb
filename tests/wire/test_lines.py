"""
Tests for L{smartproxy_tw.wire.lines}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.http1 import BadMessage, parseRequest
from smartproxy_tw.wire.lines import has, pairs, valueOf, without

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


class ChangeTests(SynchronousTestCase):
    """
    Lines that are looked for, and taken away.
    """

    LINES = b"A: 1\r\nset-cookie: x=a: b\r\nSet-Cookie: y\r\na-b:\r\nA:  2 \r\n"

    def test_without(self) -> None:
        """
        Lines go by their names, whatever their case; the others stay to the byte.
        """
        self.assertEqual(without(self.LINES, b"set-cookie".__eq__), b"A: 1\r\na-b:\r\nA:  2 \r\n")
        self.assertEqual(without(self.LINES, lambda name: name == b"a"), self.LINES[6:-8])
        self.assertEqual(without(self.LINES, lambda name: False), self.LINES)
        self.assertEqual(without(b"", lambda name: True), b"")
        head = b"HTTP/1.1 200 a: b\r\nA: 1\r\n"
        self.assertEqual(without(head, b"a".__eq__), head[:19])

    def test_has(self) -> None:
        """
        A field is there when a line begins with its name, in any case.
        """
        lines = b"X-One: 1\r\nx-two: X-Three: 3\r\nX-ONE: 2\r\n"
        for name, isThere in ((b"x-one", True), (b"x-two", True), (b"x-three", False), (b"x-o", False)):
            self.assertEqual(has(lines, name), isThere, name)

    def test_valueOf(self) -> None:
        """
        All values of a field, with commas between.
        """
        for name, value in (
            (b"a", b"1, 2"),
            (b"set-cookie", b"x=a: b, y"),
            (b"a-b", b""),
            (b"b", None),
        ):
            self.assertEqual(valueOf(self.LINES, name), value)
