"""
Tests for L{smartproxy_tw.wire.trace}.
"""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis.strategies import binary, from_regex
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.trace import traceOf

from ..examples import examples

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def head(*values: str) -> bytes:
    """
    A head with such fields.
    """
    lines = "".join(f"traceparent: {value}\r\n" for value in values)
    return f"GET / HTTP/1.1\r\nHost: a.test\r\n{lines}Accept: */*\r\n\r\n".encode("latin-1")


class TraceTests(SynchronousTestCase):
    """
    L{traceOf}, with the examples of the specification.
    """

    def test_valid(self) -> None:
        """
        Version 00, and later ones that have more behind.
        """
        for value in (
            f"00-{TRACE}-{PARENT}-01",
            f"00-{TRACE}-{PARENT}-00",
            f"  00-{TRACE}-{PARENT}-01\t ",
            f"01-{TRACE}-{PARENT}-01",
            f"cc-{TRACE}-{PARENT}-01-what the future will be like",
        ):
            self.assertEqual(traceOf(head(value)), TRACE, value)
        self.assertEqual(
            traceOf(head(f"00-{TRACE}-{PARENT}-01").replace(b"traceparent", b"TraceParent")), TRACE
        )

    def test_invalid(self) -> None:
        """
        What makes no sense says nothing, nor do two of them.
        """
        for value in (
            "",
            TRACE,
            f"ff-{TRACE}-{PARENT}-01",
            f"0-{TRACE}-{PARENT}-01",
            f"00-{TRACE}-{PARENT}-01-more",
            f"00-{TRACE}-{PARENT}-01.",
            f"cc-{TRACE}-{PARENT}-01.what",
            f"00-{TRACE.upper()}-{PARENT}-01",
            f"00-{'0' * 32}-{PARENT}-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE[1:]}-{PARENT}-01",
            f"00-{TRACE}-{PARENT}-1",
            f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
        ):
            self.assertIsNone(traceOf(head(value)), value)
        self.assertIsNone(traceOf(head()))
        self.assertIsNone(traceOf(head(f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01")))
        self.assertIsNone(traceOf(f"GET /traceparent:00-{TRACE}-{PARENT}-01 HTTP/1.1\r\n\r\n".encode()))

    @examples()
    @given(binary() | from_regex(rb"\ntraceparent: *[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.{0,3}"))
    def test_anything(self, data: bytes) -> None:
        """
        Whatever it is, what is told is thirty-two digits, not all zero, or nothing.
        """
        found = traceOf(data)
        if found is not None:
            self.assertIsNotNone(re.fullmatch("[0-9a-f]{32}", found))
            self.assertNotEqual(set(found), {"0"})
