"""
Tests for L{smartproxy_tw.config.narration}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.lasting import NEVER
from smartproxy_tw.config.model import Block, Route, RouteTimeouts, WebSocket
from smartproxy_tw.config.narration import revised
from smartproxy_tw.config.revision import (
    Compress,
    ErrorPage,
    FieldChanges,
    Headers,
    Replacement,
    Representation,
    Rewrite,
)
from smartproxy_tw.config.summary import render

from .reading import understood

FORM = (Representation("text/plain", "x"),)


class RevisedTests(SynchronousTestCase):
    """
    L{revised}.
    """

    def test_nothing(self) -> None:
        """
        A route that changes nothing says nothing.
        """
        self.assertEqual(list(revised(Route("r", (80,), Block(), "http"))), [])
        self.assertEqual(list(revised(Route("r", (80,), Block(), "http", headers=Headers()))), [])

    def test_everything(self) -> None:
        """
        All of it is told in the order in which it happens; values of fields and parameters are not, as
        they may be secret.
        """
        route = Route(
            "r",
            (80,),
            Block(),
            "http",
            headers=Headers(
                FieldChanges((("X-Key", "hush"), ("X-Key", "hush")), (("A", "hush"),), ("cookie", "x-*")),
                FieldChanges(remove=("server",)),
            ),
            rewrite=Rewrite(
                "/a",
                regex=(Replacement("^/b", "/c"),),
                addPrefix="/d",
                querySet=(("key", "hush"),),
                queryRemove=("u*",),
                mapsLocation=True,
            ),
            compress=Compress(("br", "gzip"), minBytes=0, level=1),
            errorPages=(ErrorPage("404", FORM), ErrorPage("5xx", FORM, True)),
            timeouts=RouteTimeouts(NEVER, 2.0, 60.0),
            webSocket=WebSocket(idle=1.5, lifetime=9.0),
        )
        changes = (
            "strips /a; /^/b/ becomes /c; adds /d; query without u*; query with key; Location mapped back"
        )
        waits = (
            "idle for ever; lifetime of tunnels 60 s; idle of WebSockets for 1.5 s; "
            "lifetime of WebSockets 9 s; connections to targets 2 s"
        )
        self.assertEqual(
            list(revised(route)),
            [
                ("rewrites", changes),
                ("requests", "without cookie, x-*; sets X-Key; adds A"),
                ("answers", "without server"),
                ("error pages", "404, 5xx (of targets too)"),
                ("compresses", "answers by br, gzip, level 1"),
                ("waits", waits),
            ],
        )

    def test_summary(self) -> None:
        """
        C{smartproxy check} shows it.
        """
        shown = render(
            understood(
                "routes: [{match: {ports: 8}, action: {type: forward, targets: 1},"
                " rewrite: {replace_path: /x}, compress: {encodings: [gzip]}}]"
            ),
            "x",
        )
        self.assertIn(
            "    rewrites     asks for /x\n    compresses   answers of 1024 bytes or more by gzip, level 4\n",
            shown,
        )
