"""
Tests for L{smartproxy_tw.actions.pages}.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.pages import Fallback, Pages
from smartproxy_tw.config.revision import ErrorPage, Representation
from smartproxy_tw.facts import AnswerHead
from smartproxy_tw.interfaces import IAction
from smartproxy_tw.routing.filling import ANYWHERE, Words

from .recording import RecordingExchange, RecordingStream

HTML = Representation("text/html; charset=utf-8", '<p title="{header:x}">{status} {reason} {route}')
JSON = Representation("application/json", '{"status": {status}, "x": "{header:x}"}')
TEXT = Representation("text/plain", "{header:x}")
OURS = b"Content-Type: text/plain\r\n"


class PageTests(SynchronousTestCase):
    """
    L{Pages}.
    """

    def seen(
        self,
        pages: tuple[ErrorPage, ...],
        status: int,
        fields: bytes = OURS,
        *sent: tuple[str, str],
        isOurs: bool = True,
    ) -> tuple[AnswerHead, bytes]:
        """
        An answer as the client gets it.
        """
        exchange = RecordingExchange.to("h", "/", "", 80, *sent)
        words = Words(exchange.facts, exchange.fields, "r", ANYWHERE)
        exchange.through(Pages(pages).lens(words))
        return exchange.seen(AnswerHead(status, fields, 6, isOurs=isOurs), b"be", b"fore")

    def test_replaced(self) -> None:
        """
        The page takes the place of the body, in whatever pieces that comes; the status stays.
        """
        head, body = self.seen((ErrorPage("404", (HTML,)),), 404, OURS, ("x", '">\r\n<script>'))
        self.assertEqual(body, b'<p title="&quot;&gt;\r\n&lt;script&gt;">404 Not Found r')
        self.assertEqual(head[:3], (404, b"Content-Type: text/html; charset=utf-8\r\n", len(body)))

    def test_emptyBody(self) -> None:
        """
        A body that is empty is replaced too.
        """
        exchange = RecordingExchange.to("h", "/")
        exchange.through(Pages((ErrorPage("404", (TEXT,)),)).lens(Words(exchange.facts, exchange.fields)))
        head, _ = exchange.seen(AnswerHead(404, b"", 0, isOurs=True))
        page = Pages((ErrorPage("404", (Representation("text/plain", "x"),)),))
        exchange = RecordingExchange.to("h", "/")
        exchange.through(page.lens(Words(exchange.facts, exchange.fields)))
        head, body = exchange.seen(AnswerHead(404, b"", 0, isOurs=True))
        self.assertEqual((head.length, body), (1, b"x"))

    def test_which(self) -> None:
        """
        The first that fits: by status or by class, and for targets only where that is said.
        """
        pages = (
            ErrorPage("404", (Representation("text/plain", "own 404"),)),
            ErrorPage("5xx", (Representation("text/plain", "own 5xx"),), True),
            ErrorPage("503", (Representation("text/plain", "late 503"),)),
            ErrorPage("4xx", (Representation("text/plain", "all 4xx"),), True),
        )
        for status, isOurs, wanted in (
            (404, True, b"own 404"),
            (404, False, b"all 4xx"),
            (403, True, b"all 4xx"),
            (503, True, b"own 5xx"),
            (502, False, b"own 5xx"),
            (599, False, b"own 5xx"),
            (200, True, b"before"),
            (304, True, b"before"),
            (399, False, b"before"),
        ):
            head, body = self.seen(pages, status, isOurs=isOurs)
            self.assertEqual((head.status, body), (status, wanted))
        head, body = self.seen(pages[:1], 404, isOurs=False)
        self.assertEqual((head.fields, body), (OURS, b"before"))

    def test_fields(self) -> None:
        """
        What belongs to the status stays, what belonged to the body goes.
        """
        stays = (
            b"Date: d\r\nRetry-After: 5\r\nWWW-Authenticate: Basic\r\nset-cookie: a\r\nX-Request-ID: 7\r\n"
        )
        goes = b'ETag: "a"\r\ncontent-encoding: gzip\r\nLast-Modified: x\r\nContent-Language: de\r\n'
        head, _ = self.seen((ErrorPage("4xx", (TEXT,)),), 429, stays + OURS + goes)
        self.assertEqual(head.fields, stays + b"Content-Type: text/plain\r\n")

    def test_forms(self) -> None:
        """
        Of several forms the client gets the one that it likes best, and caches are told; what is filled
        in is safe in each.
        """
        pages = (ErrorPage("404", (HTML, JSON, TEXT)),)
        nasty = '"<&\r\n\\'
        for accept, kind in (
            ("text/html,*/*;q=0.8", b"text/html; charset=utf-8"),
            ("application/json", b"application/json"),
            ("text/plain", b"text/plain"),
            ("image/png", b"text/html; charset=utf-8"),
            ("", b"text/html; charset=utf-8"),
        ):
            head, body = self.seen(pages, 404, b"Vary: Origin\r\n", ("accept", accept), ("x", nasty))
            self.assertEqual(head.fields, b"Vary: Origin, Accept\r\nContent-Type: " + kind + b"\r\n")
            if kind == b"application/json":
                self.assertEqual(json.loads(body), {"status": 404, "x": nasty})
            if kind.startswith(b"text/html"):
                self.assertNotIn(b"<&", body)
        self.assertEqual(
            self.seen(pages, 404, b"")[0].fields,
            b"Vary: Accept\r\nContent-Type: text/html; charset=utf-8\r\n",
        )

    def test_own(self) -> None:
        """
        A status that the operator has written a body for keeps it.
        """
        exchange = RecordingExchange.to("h", "/")
        words = Words(exchange.facts, exchange.fields)
        exchange.through(Pages((ErrorPage("4xx", (TEXT,)),), 404).lens(words))
        head = AnswerHead(404, OURS, 6, isOurs=True)
        self.assertEqual(exchange.seen(head, b"before"), (head, b"before"))
        self.assertNotEqual(exchange.seen(head._replace(status=403), b"before")[1], b"before")


class FallbackTests(SynchronousTestCase):
    """
    L{Fallback}.
    """

    def test_notFound(self) -> None:
        """
        404, or a close.
        """
        action = Fallback()
        verifyObject(IAction, action)
        exchange, stream = RecordingExchange(), RecordingStream()
        action.request(exchange)
        action.stream(stream)
        self.assertEqual([exchange.asked[0][1], stream.asked], [404, [("abort",)]])
