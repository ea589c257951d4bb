"""
Tests for L{smartproxy_tw.guards.fields}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.guards.fields import line, twins

from ..examples import examples


class FieldsTests(SynchronousTestCase):
    """
    Header lines.
    """

    @examples(200)
    @given(st.one_of(st.binary(max_size=40).map(lambda data: data.decode("latin-1")), st.binary(max_size=40)))
    def test_oneLine(self, value: str | bytes) -> None:
        """
        Whatever the value, it is one line or none.
        """
        made = line("X-A", value)
        if made:
            self.assertTrue(made.startswith(b"X-A: ") and made.endswith(b"\r\n"))
            self.assertFalse({*b"\r\n\0"} & {*made[:-2]})

    def test_line(self) -> None:
        """
        What cannot be said is not.
        """
        self.assertEqual(line("X-A", "é"), b"X-A: \xc3\xa9\r\n")
        for bad in ("a\r\nX-B: c", "a\nb", "a\0", "x" * 9000):
            self.assertEqual(line("X-A", bad), b"")

    def test_twins(self) -> None:
        """
        Whatever programs take for the same name is among them.
        """
        self.assertEqual(
            twins(["X-User-ID", "Remote_User"]),
            {b"x-user-id", b"x_user-id", b"x-user_id", b"x_user_id", b"remote-user", b"remote_user"},
        )
