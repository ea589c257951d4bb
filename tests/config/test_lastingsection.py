"""
Tests for L{smartproxy_tw.config.lastingsection}.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import util
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import lastingsection
from smartproxy_tw.config.lasting import NEVER, RouteTimeouts, WebSocket
from smartproxy_tw.config.model import Config

from .reading import complaints, only, understood

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

ANSWERS = (
    "{type: respond}",
    "{type: block}",
    "{type: redirect, to: /x}",
    "{type: files, root: /etc}",
)
APPLICATION = "{type: socket, factory: json.dumps, kind: %s}"


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


class MisplacedTests(SynchronousTestCase):
    """
    What has no meaning where it is written.
    """

    def test_answers(self) -> None:
        """
        An action that answers by itself waits for nobody, and has no tunnels.
        """
        text = "timeouts: {idle: 1, connect: 1, lifetime: 1}, websocket: {origins: 'null'}"
        for action in ANSWERS:
            found = [each for each in complaints(route(text, action)) if "has no effect" in each]
            self.assertEqual(len(found), 4, action)

    def test_applications(self) -> None:
        """
        Applications may take their time, and speak no WebSocket but by ASGI; a protocol of one's own is
        a tunnel.
        """
        text = "timeouts: {idle: 1, lifetime: 1, connect: 1}, websocket: true"
        found = complaints(route(text, APPLICATION % "wsgi"))
        self.assertEqual(len(found), 3, found)
        self.assertFalse([each for each in found if "idle" in each])
        text = "timeouts: {idle: 1, lifetime: 1}, websocket: {idle: 2, lifetime: 3}"
        for action in (APPLICATION % "asgi", "{type: socket, factory: json.dumps}"):
            made = understood(route(text, action))
            self.assertEqual(made.routes[0].webSocket, WebSocket(idle=2.0, lifetime=3.0))
        made = understood(route("timeouts: {idle: 1, lifetime: 1}", APPLICATION % "protocol", "ports: 8"))
        self.assertEqual(waits(made), RouteTimeouts(1.0, None, 1.0))

    def test_missing(self) -> None:
        """
        An application that is to speak WebSocket needs the library for it; one that is not does not.
        """
        real = util.find_spec
        self.patch(lastingsection, "find_spec", lambda name: None if name == "websockets" else real(name))
        (why,) = complaints(route("websocket: {idle: 1}", APPLICATION % "asgi"))
        self.assertIn("needs the library websockets, which is not there: pip install", why)
        understood(route("websocket: false", APPLICATION % "asgi"))
        understood(route("websocket: true"))

    def test_tcp(self) -> None:
        """
        Bytes that are no HTTP have no handshakes; they have times.
        """
        match = "ports: 8"
        self.assertIn("websocket: needs HTTP", only(route("websocket: true", match=match)))
        made = understood(route("timeouts: {idle: 0, lifetime: 9, connect: 2}", match=match))
        self.assertEqual(waits(made), RouteTimeouts(NEVER, 2.0, 9.0))
        passed = "{type: forward, targets: 1, tls: {mode: passthrough}}"
        made = understood(route("timeouts: {idle: 0}", passed, "ports: 8, domains: a.b"))
        self.assertEqual(waits(made), RouteTimeouts(NEVER))
