"""
Tests for L{smartproxy_tw.actions.amended}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.amended import Amended
from smartproxy_tw.actions.forward import ForwardAction
from smartproxy_tw.config.revision import FieldChanges, Rewrite
from smartproxy_tw.facts import Amendment
from smartproxy_tw.interfaces import IAction
from smartproxy_tw.routing.patterns import pathPattern

from .recording import RecordingExchange, RecordingStream

UPSTREAM: Any = object()


class AmendedTests(SynchronousTestCase):
    """
    L{Amended}.
    """

    def made(
        self,
        changes: FieldChanges | None,
        rewrite: Rewrite | None = None,
        path: str = "/u/7/x",
        query: str = "",
        fields: tuple[tuple[str, str], ...] = (),
    ) -> RecordingExchange:
        """
        A request that went by it.
        """
        action = Amended(changes, rewrite, "r", pathPattern("/u/:id/*"), ForwardAction(UPSTREAM))
        verifyObject(IAction, action)
        exchange = RecordingExchange.to("h", path, query, 80, *fields)
        action.request(exchange)
        return exchange

    def test_fields(self) -> None:
        """
        Fields go and come, by name and by glob.
        """
        exchange = self.made(
            FieldChanges(
                (("X-A", "{param:id}"), ("User-Agent", "{header:user-agent}, {route}")),
                (("X-B", "{request_id}"),),
                ("cookie", "x-debug-*"),
            ),
            fields=(("user-agent", "me"), ("x-debug-\u00fc", "1"), ("x-debug-b", "2"), ("host", "h")),
        )
        self.assertEqual(
            exchange.amendments,
            [
                Amendment(
                    None,
                    frozenset({b"x-a", b"user-agent", b"cookie", b"x-debug-b", "x-debug-\u00fc".encode()}),
                    b"X-A: 7\r\nUser-Agent: me, r\r\nX-B: number\r\n",
                )
            ],
        )
        self.assertEqual(exchange.asked, [("forward", UPSTREAM)])

    def test_globs(self) -> None:
        """
        What a glob fits is not to stand behind the body either, in whatever spelling.  Where there is no
        glob nobody asks: the names are known.
        """
        exchange = self.made(FieldChanges(remove=("x-debug-*", "h*", "cookie")))
        (amendment,) = exchange.amendments
        self.assertEqual(amendment.removed, frozenset({b"cookie"}))
        assert amendment.isBarred is not None
        for name, isGone in (
            (b"x-debug-a", True),
            (b"x_debug.a", True),
            (b"x-debugs", False),
            (b"host", False),
        ):
            self.assertEqual(amendment.isBarred(name), isGone, name)
        (amendment,) = self.made(FieldChanges(remove=("cookie",))).amendments
        self.assertIsNone(amendment.isBarred)

    def test_host(self) -> None:
        """
        Another Host, unless what is filled in makes none.
        """
        for text, value, host in (
            ("b.test:8080", "", b"b.test:8080"),
            ("{header:x}.test", "a", b"a.test"),
            ("{header:x}", "a b", None),
            ("{header:x}", "", None),
            ("{header:x}", "a\r\nX: y", None),
            ("{header:x}", "\u00fc", None),
        ):
            exchange = self.made(FieldChanges((("HOST", text),)), fields=(("x", value),))
            self.assertEqual(exchange.amendments, [Amendment(host=host)], text)

    def test_rewritten(self) -> None:
        """
        The target is another one; it is told what was taken off its path, if anything was.
        """
        settings = Rewrite("/u", addPrefix="/v")
        exchange = self.made(None, settings, query="a=b")
        self.assertEqual(
            exchange.amendments, [Amendment(b"/v/7/x?a=b", fields=b"X-Forwarded-Prefix: /u\r\n")]
        )
        exchange = self.made(None, settings, "/other")
        self.assertEqual(exchange.amendments, [Amendment(b"/v/other")])

    def test_unfit(self) -> None:
        """
        What cannot be asked for is answered here, and nobody is asked.
        """
        for value, status, words in (
            ("..", 400, b"400 Bad Request\n"),
            ("%" * 70000, 414, b"414 URI Too Long\n"),
        ):
            exchange = self.made(None, Rewrite(replacePath="/a/{header:x}"), fields=(("x", value),))
            ((verb, answered, _, body),) = exchange.asked
            self.assertEqual((verb, answered, body), ("respond", status, words))
            self.assertEqual(exchange.amendments, [])

    def test_stream(self) -> None:
        """
        What is not HTTP goes on as it is.
        """
        stream = RecordingStream()
        Amended(None, Rewrite("/a"), "r", pathPattern(None), ForwardAction(UPSTREAM)).stream(stream)
        self.assertEqual(stream.asked, [("forward", UPSTREAM)])
