"""
Tests for L{smartproxy_tw.routing.sight}.
"""

from __future__ import annotations

from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.routing.sight import Sight

from ..examples import examples


class SightTests(SynchronousTestCase):
    """
    What there is to see, and whether it was looked at.
    """

    def test_head(self) -> None:
        """
        What is in the head is nobody's own, however much of it is looked at.
        """
        sight = Sight("10.0.0.7", "GET", "a=1&b&a=%32", lambda: [("x", "1"), ("y", "2"), ("x", "3")])
        self.assertEqual(sight.method, "GET")
        self.assertEqual((sight.values("x"), sight.values("z")), (["1", "3"], []))
        self.assertEqual((sight.parameters("a"), sight.parameters("b")), (["1", "2"], [""]))
        self.assertFalse(sight.isPersonal)

    def test_personal(self) -> None:
        """
        The client and the version of TLS are.
        """
        sight = Sight("10.0.0.7")
        self.assertEqual((sight.client, sight.isPersonal), ((4, 0x0A000007), True))
        sight = Sight("10.0.0.7", version=lambda: "1.3")
        self.assertEqual((sight.tlsVersion, sight.isPersonal), ("1.3", True))
        sight = Sight("10.0.0.7")
        self.assertEqual((sight.address, sight.isPersonal), ("10.0.0.7", True))
        sight = Sight("/run/a.sock")
        self.assertEqual((sight.client, sight.tlsVersion, sight.isPersonal), (None, None, True))

    def test_lazy(self) -> None:
        """
        Fields are read when they are first looked at, and once.
        """
        read = []

        def fields() -> list[tuple[str, str]]:
            read.append(1)
            return [("a", "b")]

        sight = Sight("::1", fields=fields)
        self.assertEqual(read, [])
        for _ in range(3):
            self.assertEqual(sight.values("a"), ["b"])
        self.assertEqual(read, [1])

    def test_parameters(self) -> None:
        """
        Names and values are decoded as those of forms; what is no UTF-8, or no
        percent encoding, disturbs nothing.
        """
        for query, name, values in [
            ("", "", []),
            ("&&", "", []),
            ("=x", "", ["x"]),
            ("a+b=c+d", "a b", ["c d"]),
            ("%61=%2B%26%3D", "a", ["+&="]),
            ("a=b=c", "a", ["b=c"]),
            ("a=%FF", "a", ["\ufffd"]),
            ("a=%C3%BC", "a", ["ü"]),
            ("a=%zz%", "a", ["%zz%"]),
            ("A=1", "a", []),
            ("a;b=1", "a", []),
            ("a=%0A%00", "a", ["\n\0"]),
        ]:
            self.assertEqual(Sight("", query=query).parameters(name), values, query)

    def test_time(self) -> None:
        """
        The longest query that is taken is no burden, whatever it is made of.
        """
        for part in ("&", "a&", "%61&", "%61=%61&", "a=+&", "%"):
            begin = process_time()
            for _ in range(10):
                Sight("", query=part * (8192 // len(part))).parameters("b")
            self.assertLess((process_time() - begin) / 10, 0.02, part)

    @examples(150)
    @given(st.text(alphabet=[chr(code) for code in range(0x21, 0x7F) if chr(code) != "#"], max_size=30))
    def test_anyQuery(self, query: str) -> None:
        """
        No query is too much, and what comes out can be encoded.
        """
        for value in Sight("", query=query).parameters("a"):
            value.encode()
