"""
Tests for L{smartproxy_tw.config.lastingsection}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.lasting import NEVER, RouteTimeouts, WebSocket
from smartproxy_tw.config.model import Config

from .reading import only, understood

#: See L{tests.config.test_schema}.
Option = tuple[str, Callable[[Config], Any], Any]


def route(text: str, action: str = "{type: forward, targets: 1}", match: str = "ports: 8, path: /") -> str:
    """
    A configuration with one route that says so.
    """
    return f"routes: [{{match: {{{match}}}, action: {action}, {text}}}]\n"


def waits(config: Config) -> Any:
    """
    How long the first route waits.
    """
    return config.routes[0].timeouts


def sockets(config: Config) -> Any:
    """
    Who may open WebSockets to it.
    """
    return config.routes[0].webSocket


OPTIONS: dict[str, Option] = {
    "Route.timeouts": (route("timeouts: {}"), waits, RouteTimeouts()),
    "RouteTimeouts.idle": (route("timeouts: {idle: never}"), waits, RouteTimeouts(NEVER)),
    "RouteTimeouts.connect": (route("timeouts: {connect: 2}"), waits, RouteTimeouts(connect=2.0)),
    "RouteTimeouts.lifetime": (route("timeouts: {lifetime: 60}"), waits, RouteTimeouts(lifetime=60.0)),
    "Route.websocket": (route("websocket: false"), sockets, WebSocket(False)),
    "WebSockets.origins": (
        route("websocket: {origins: ['https://App.example:443', 'null']}"),
        sockets,
        WebSocket(origins=("https://app.example", "null")),
    ),
    "WebSockets.idle": (route("websocket: {idle: 1.5}"), sockets, WebSocket(idle=1.5)),
    "WebSockets.lifetime": (route("websocket: {lifetime: 60}"), sockets, WebSocket(lifetime=60.0)),
}


class ReadingTests(SynchronousTestCase):
    """
    What is written, and what it means.
    """

    def test_never(self) -> None:
        """
        Nought is never, as people write it elsewhere, and so is the word.
        """
        for text in ("0", "never"):
            self.assertEqual(waits(understood(route(f"timeouts: {{idle: {text}}}"))).idle, NEVER)
            self.assertEqual(sockets(understood(route(f"websocket: {{idle: {text}}}"))).idle, NEVER)

    def test_simply(self) -> None:
        """
        C{true} asks for nothing but handshakes that are some; one origin needs no list.
        """
        self.assertEqual(sockets(understood(route("websocket: true"))), WebSocket())
        one = understood(route("websocket: {origins: 'https://**.a.b'}"))
        self.assertEqual(sockets(one), WebSocket(origins=("https://**.a.b",)))

    def test_unsaid(self) -> None:
        """
        Who says nothing of it has none of it.
        """
        made = understood(route("name: a"))
        self.assertEqual((waits(made), sockets(made)), (None, None))

    def test_wrong(self) -> None:
        """
        Mistakes are told where they are.
        """
        for text, place in (
            ("timeouts: {idle: -1}", "timeouts.idle"),
            ("timeouts: {idle: always}", "timeouts.idle"),
            ("timeouts: {idle: [1]}", "timeouts.idle"),
            ("timeouts: {lifetime: 0}", "timeouts.lifetime"),
            ("timeouts: {head: 1}", "timeouts.head"),
            ("websocket: 7", "websocket"),
            ("websocket: {origins: []}", "websocket.origins"),
            ("websocket: {origins: 'https://a.b/c'}", "websocket.origins"),
            ("websocket: {origins: ['null', 'null']}", "websocket.origins"),
        ):
            self.assertIn(f"routes[0].{place}", only(route(text)), text)
