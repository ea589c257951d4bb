"""
Tests for L{smartproxy_tw.actions.fieldlines}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.fieldlines import Changes, FieldLines
from smartproxy_tw.config.revision import FieldChanges
from smartproxy_tw.routing.filling import Words

from ..examples import anyText, examples
from .recording import RecordingExchange


def words(value: str = "") -> Words:
    """
    Of a request with one field.
    """
    exchange = RecordingExchange.to("h", "/p", "", 80, ("x", value))
    return Words(exchange.facts, exchange.fields)


class FieldLineTests(SynchronousTestCase):
    """
    L{FieldLines}.
    """

    def test_fixed(self) -> None:
        """
        Lines without blanks are made once; without any there are none.
        """
        fixed = FieldLines((("A", "b"), ("A", "\u00fc")))
        self.assertEqual((fixed.fixed, fixed.fill(words())), (b"A: b\r\nA: \xfc\r\n",) * 2)
        self.assertTrue(fixed)
        self.assertFalse(FieldLines(()))
        self.assertEqual(FieldLines(()).fixed, b"")
        self.assertRaises(ValueError, FieldLines, (("A", "{pth}"),))

    @examples(200)
    @given(anyText(30) | st.text(alphabet="\r\n\t\0 :a", max_size=20))
    def test_oneLine(self, value: str) -> None:
        """
        Whatever is filled in, a field is one line.
        """
        lines = FieldLines((("A", "{header:x}"), ("B", "{path}")))
        self.assertIs(lines.fixed, None)
        made = lines.fill(words(value))
        self.assertTrue(made.startswith(b"A: ") and made.endswith(b"\r\nB: /p\r\n"))
        self.assertEqual((made.count(b"\r"), made.count(b"\n"), made.count(b"\0")), (2, 2, 0))


class ChangeTests(SynchronousTestCase):
    """
    L{Changes}.
    """

    def test_reach(self) -> None:
        """
        A glob takes what it fits, but for what is beyond reach on that way.
        """
        both = FieldChanges(remove=("x-*", "h*", "c*"))
        for isRequest, name, isGone in (
            (True, "x-a", True),
            (True, "x_a", True),
            (True, "x.a", True),
            (False, "x_a", False),
            (True, "x-forwarded-for", False),
            (False, "x-forwarded-for", True),
            (True, "host", False),
            (False, "host", True),
            (True, "content-length", False),
            (False, "connection", False),
            (True, "cookie", True),
            (True, "a", False),
        ):
            self.assertEqual(Changes(both, isRequest=isRequest).fits(name), isGone, name)

    def test_host(self) -> None:
        """
        Host is not a line among others: it is in another place of the request.
        """
        changes = Changes(FieldChanges((("host", "a"), ("B", "c"))), isRequest=True)
        self.assertEqual((changes.lines.fixed, changes.names), (b"B: c\r\n", {"b"}))
