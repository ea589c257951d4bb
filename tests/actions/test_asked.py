"""
Tests for L{smartproxy_tw.actions.asked}.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.asked import Asked, answerLines, ask

from ..examples import examples
from .recording import RecordingExchange

_BYTES = st.binary(max_size=12)


class AskTests(SynchronousTestCase):
    """
    L{ask}.
    """

    def asked(
        self, *fields: tuple[str, str], isBusy: bool = False, **request: Any
    ) -> tuple[list[Asked], list[Any]]:
        """
        What comes of a request: what is handed on, and what is answered.
        """
        exchange = RecordingExchange.to("a.test", "/", "", 80, *fields, **request)
        found: list[Asked] = []
        ask(exchange, 10, lambda: isBusy, found.append)
        return found, exchange.asked

    def test_fields(self) -> None:
        """
        The length is that of the body, however it came.
        """
        given = (("transfer-encoding", "chunked"), ("content-length", "99"), ("expect", "x"), ("a", "b"))
        for method, body, wanted in (
            ("POST", b"body", (("a", "b"), ("content-length", "4"))),
            ("POST", b"", (("a", "b"), ("content-length", "0"))),
            ("GET", b"", (("a", "b"),)),
        ):
            (found,), answered = self.asked(*given, method=method, body=body)
            self.assertEqual((found.fields, found.body), (wanted, body))
            self.assertEqual(answered, [])
        self.assertEqual(found.client, ("192.0.2.1", 1))
        self.assertEqual(found.server, ("a.test", 80))
        self.assertEqual(found.scheme, "http")

    def test_refused(self) -> None:
        """
        Too much, too many, and what cannot be had.
        """
        for request, fields, status in (
            ({"method": "POST", "body": None}, (), 413),
            ({"method": "POST", "body": bytes(11)}, (), 413),
            ({"isBusy": True}, (), 503),
            ({"changesTo": "websocket"}, (), 501),
        ):
            found, ((verb, answered, *_),) = self.asked(*fields, **request)  # type: ignore[arg-type]
            self.assertEqual((found, verb, answered), ([], "respond", status))

    def test_opens(self) -> None:
        """
        Who speaks WebSocket is handed what asks for one, unless it is busy.
        """
        for isBusy in (False, True):
            exchange = RecordingExchange.to("a.test", "/", "", 80, ("a", "b"), changesTo="websocket")
            found: list[Asked] = []
            ask(exchange, 10, lambda isBusy=isBusy: isBusy, self.fail, found.append)  # type: ignore[misc]
            self.assertEqual([each.fields for each in found], [] if isBusy else [(("a", "b"),)])
            self.assertEqual([each[1] for each in exchange.asked], [503] if isBusy else [])
        (asked,) = found or [Asked(exchange, exchange.facts(), (("a", "b"), ("c", "d"), ("a", "e")), b"")]
        self.assertEqual(asked.values("a"), ["b", "e"])


class LineTests(SynchronousTestCase):
    """
    L{answerLines}.
    """

    def test_lines(self) -> None:
        """
        What frames the answer is ours.
        """
        pairs = [
            *((b"X-A", b" b "), (b"Content-Length", b"5"), (b"Date", b"x"), (b"connection", b"close")),
            *((b"Transfer-Encoding", b"chunked"), (b"Set-Cookie", b"a"), (b"Set-Cookie", b"b")),
        ]
        self.assertEqual(answerLines(pairs), (b"X-A: b\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n", 5))

    def test_refused(self) -> None:
        """
        What would be more than one field is none.
        """
        for pair in (
            (b"", b"x"),
            (b"A B", b"x"),
            (b"A:", b"x"),
            (b"A\r\nB", b"x"),
            (b"A", b"x\r\nB: y"),
            (b"A", b"\0"),
            (b"A", b"x\x0by"),
            (b"A", b"\x7f"),
            (b"Content-Length", b"-1"),
            (b"Content-Length", b""),
        ):
            self.assertRaises(ValueError, answerLines, [pair])

    @examples()
    @given(st.lists(st.tuples(_BYTES, _BYTES)))
    def test_any(self, pairs: list[tuple[bytes, bytes]]) -> None:
        """
        Whatever an application says, each of its fields is one line at most.
        """
        try:
            lines, _ = answerLines(pairs)
        except ValueError:
            return
        self.assertLessEqual(lines.count(b"\n"), len(pairs))
        self.assertEqual(lines.count(b"\n"), lines.count(b"\r\n"))
        self.assertEqual(lines.count(b"\r"), lines.count(b"\r\n"))
