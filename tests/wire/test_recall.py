"""
Tests for L{smartproxy_tw.wire.recall}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.http1 import BadMessage, Response, parseResponse
from smartproxy_tw.wire.recall import Recall

from ..examples import examples

_DATE = b"Date: Mon, 23 Nov 2026 22:00:0%d GMT\r\n"
_FIELDS = (
    _DATE % 1,
    _DATE % 2,
    b"Date: \r\n",
    b"Date: today\r\n",
    b"date: Mon, 23 Nov 2026 22:00:03 GMT\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 7\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: Date\r\n",
    b"Connection: keep-alive\r\n",
    b"Set-Cookie: a=b\r\n",
    b"X-A: b\r\n",
    b"X-A: Date: Mon, 23 Nov 2026 22:00:04 GMT\r\n",
    b" folded\r\n",
)
_STATUSES = (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 304 X\r\n", b"HTTP/1.1 103 Hints\r\n")


def words(parsed: tuple[Response, int] | None) -> object:
    """
    An answer as something that can be compared.
    """
    if parsed is None:
        return None
    response, end = parsed
    return [getattr(response, name) for name in Response.__slots__], end


def outcome(read: object, data: bytes, method: bytes) -> object:
    """
    What comes of reading, be it an error.
    """
    try:
        return words(read(data, method))  # type: ignore[operator]
    except BadMessage as bad:
        return bad.reason


class RecallTests(SynchronousTestCase):
    """
    It says what the parser says.
    """

    def setUp(self) -> None:
        self.recall = Recall()

    def kept(self) -> int:
        """
        How many heads are remembered.
        """
        return len(self.recall._known) + len(self.recall._knownBare)

    @examples(300)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(_STATUSES),
                st.lists(st.sampled_from(_FIELDS), max_size=5),
                st.sampled_from((b"GET", b"HEAD")),
                st.sampled_from((b"", b"hello", b"hello too much")),
                st.integers(0, 200),
            ),
            min_size=2,
            max_size=12,
        )
    )
    def test_asTheParser(self, heads: list[tuple[bytes, list[bytes], bytes, bytes, int]]) -> None:
        """
        Whatever was read before, a head means what it means by itself: whole,
        or cut short.
        """
        recall = Recall()
        for status, fields, method, body, cut in heads:
            data = status + b"".join(fields) + b"\r\n" + body
            for part in (data[:cut], data, data):
                self.assertEqual(outcome(recall.read, part, method), outcome(parseResponse, part, method))

    def test_anotherSecond(self) -> None:
        """
        A head that differs in its date alone is the same one, with its own date.
        """
        head = b"HTTP/1.1 200 OK\r\nServer: x\r\n%bContent-Length: 5\r\n\r\n"
        for second in (1, 2, 3):
            parsed = self.recall.read(head % (_DATE % second) + b"hello", b"GET")
            assert parsed is not None
            self.assertEqual(parsed[0].head, head[:-2] % (_DATE % second))
        self.assertEqual(self.kept(), 1)

    def test_notKept(self) -> None:
        """
        What is meant for one person, what is long and what is not final.
        """
        for head in (
            b"HTTP/1.1 200 OK\r\nset-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1024 + b"\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        ):
            self.assertIsNotNone(self.recall.read(head, b"GET"))
        self.assertEqual(self.kept(), 0)

    def test_bounded(self) -> None:
        """
        However many different heads there are.
        """
        for number in range(3000):
            self.recall.read(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % number, b"GET")
        self.assertTrue(0 < self.kept() <= 1024)
