"""
From what a route says to what does it.
"""

from __future__ import annotations

import sys
import zlib
from typing import Any, cast

from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.amended import Amended
from smartproxy_tw.actions.applications import ApplicationAction, ProtocolApplication
from smartproxy_tw.actions.block import BlockAction
from smartproxy_tw.actions.build import buildAction, buildFallback
from smartproxy_tw.actions.files import FilesAction
from smartproxy_tw.actions.forward import ForwardAction
from smartproxy_tw.actions.means import Means
from smartproxy_tw.actions.plugged import Plugged
from smartproxy_tw.actions.redirect import RedirectAction
from smartproxy_tw.actions.respond import RespondAction
from smartproxy_tw.actions.seen import Seen
from smartproxy_tw.config.model import (
    Action,
    Application,
    Block,
    FileTree,
    Forward,
    Redirect,
    Respond,
    Route,
    Target,
)
from smartproxy_tw.config.revision import (
    Compress,
    ErrorPage,
    FieldChanges,
    Headers,
    Representation,
    Rewrite,
)
from smartproxy_tw.facts import AnswerHead

from .recording import RecordingExchange

MEANS = Means(Clock(), Plugged(None))

PAGE = ErrorPage("404", (Representation("text/plain", "page {status} of {route}" + "." * 2000),))


def route(action: Action, **more: Any) -> Route:
    """
    One with that action.
    """
    return Route("r", (80,), action, "http", **more)


class BuildTests(SynchronousTestCase):
    """
    L{buildAction}.
    """

    def test_each(self) -> None:
        """
        Every kind of action is built; only a forward asks for a group.
        """
        upstream: Any = object()
        asked = []

        def group(forward: Forward) -> Any:
            asked.append(forward)
            return upstream

        def code(settings: Application) -> Any:
            return ApplicationAction(ProtocolApplication(Factory()))

        means = Means(Clock(), Plugged(None), application=code)
        forward = Forward((Target("a.test", 80),))
        built = buildAction(route(forward), group, means)
        assert isinstance(built, ForwardAction)
        self.assertIs(built.upstream, upstream)
        self.assertEqual(asked, [forward])
        for settings, kind in (
            (Redirect("/"), RedirectAction),
            (Respond(), RespondAction),
            (Block(), BlockAction),
            (FileTree("/"), FilesAction),
            (Application("a:b"), ApplicationAction),
        ):
            self.assertIsInstance(buildAction(route(settings), group, means), kind)
        self.assertEqual(len(asked), 1)

    def test_places(self) -> None:
        """
        Code is looked for in the places of the whole configuration, too.
        """
        self.patch(sys, "path", list(sys.path))
        seen: list[str] = []

        def code(settings: Application) -> Any:
            seen.append(sys.path[-1])
            return ApplicationAction(ProtocolApplication(Factory()))

        means = Means(Clock(), Plugged(None), ("/place/of/this/test",), code)
        buildAction(route(Application("a:b")), lambda forward: cast(Any, object()), means)
        self.assertEqual(seen, ["/place/of/this/test"])

    def test_unusable(self) -> None:
        """
        Why there is no group is why there is no action.
        """

        def group(forward: Forward) -> Any:
            raise ValueError("no such file")

        forward = route(Forward((Target("a.test", 80),)))
        self.assertRaises(ValueError, buildAction, forward, group, MEANS)

    def test_guarded(self) -> None:
        """
        Guards stand before everything but for what answers are seen through.
        """
        before: Any = object()
        asked: list[Any] = []

        def guarded(route: Route, action: Any) -> Any:
            asked.append(action)
            return before

        made = route(Forward((Target("a.test", 80),)), rewrite=Rewrite(stripPrefix="/a"))
        self.assertIs(buildAction(made, lambda forward: cast(Any, object()), MEANS, guarded), before)
        self.assertIsInstance(asked[0], Amended)
        made = route(Respond(), errorPages=(PAGE,))
        found = buildAction(made, lambda forward: cast(Any, object()), MEANS, guarded)
        assert isinstance(found, Seen)
        self.assertIs(found.action, before)

    def test_order(self) -> None:
        """
        Answers get a page, then their places are mapped and their fields changed, then they are
        compressed; requests are amended inside of that.
        """
        made = buildAction(
            route(
                Forward((Target("a.test", 80),)),
                headers=Headers(
                    FieldChanges((("A", "{path}"),)),
                    FieldChanges((("Content-Type", "text/html"), ("Content-Encoding", ""))),
                ),
                rewrite=Rewrite(stripPrefix="/a", mapsLocation=True),
                compress=Compress(("gzip",)),
                errorPages=(PAGE,),
            ),
            lambda forward: cast(Any, object()),
            MEANS,
        )
        assert isinstance(made, Seen) and isinstance(made.action, Amended)
        self.assertIsInstance(made.action.action, ForwardAction)
        exchange = RecordingExchange.to("h", "/a/b", "", 80, ("accept-encoding", "gzip"))
        made.request(exchange)
        self.assertEqual([verb for verb, *_ in exchange.asked], ["forward"])
        (amendment,) = exchange.amendments
        self.assertEqual(amendment.target, b"/b")
        self.assertEqual(amendment.fields, b"X-Forwarded-Prefix: /a\r\nA: /a/b\r\n")
        head, body = exchange.seen(
            AnswerHead(404, b"Content-Type: image/png\r\nLocation: /x\r\n", 3, isOurs=True), b"abc"
        )
        self.assertEqual(zlib.decompress(body, 31)[:13], b"page 404 of r")
        self.assertIn(b"\r\nContent-Encoding: gzip\r\n", head.fields)
        self.assertIn(b"\r\nContent-Type: text/html\r\n", head.fields)
        self.assertIs(head.length, None)

    def test_nothingForNothing(self) -> None:
        """
        Who asks for nothing pays for nothing: no wrapper is built, nor for changes that are none.
        """
        for more in ({}, {"headers": Headers()}):
            plain = route(Forward((Target("a.test", 80),)), **more)
            made = buildAction(plain, lambda _: cast(Any, object()), MEANS)
            self.assertIsInstance(made, ForwardAction)
        self.assertIs(buildFallback(()), None)

    def test_fallback(self) -> None:
        """
        Where no route takes a request the answer is 404, with the page of the whole proxy.
        """
        made = buildFallback((PAGE,))
        assert made is not None
        exchange = RecordingExchange.to("h", "/a")
        made.request(exchange)
        self.assertEqual(
            exchange.asked,
            [("respond", 404, b"Content-Type: text/plain; charset=utf-8\r\n", b"404 Not Found\n")],
        )
        self.assertEqual(
            exchange.seen(AnswerHead(404, b"", 9, isOurs=True), b"Not Found")[1][:13], b"page 404 of ."
        )

    def test_ownBody(self) -> None:
        """
        An answer that the operator has written keeps its body; one without gets a page, and so does
        what guards answer on its route.
        """
        for settings, status, isPage in (
            (Respond(404, body="mine"), 404, False),
            (Respond(404), 404, True),
            (Respond(200, body="mine"), 404, True),
            (FileTree("/nowhere", notFound="/404.html"), 404, False),
            (FileTree("/nowhere"), 404, True),
        ):
            made = buildAction(route(settings, errorPages=(PAGE,)), lambda _: cast(Any, object()), MEANS)
            exchange = RecordingExchange.to("h", "/a")
            made.request(exchange)
            _, body = exchange.seen(AnswerHead(status, b"", 4, isOurs=True), b"mine")
            self.assertEqual(body.startswith(b"page"), isPage, settings)
