"""
Tests for L{smartproxy_tw.config.lastingreader}.
"""

from __future__ import annotations

from importlib import util

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import lastingreader
from smartproxy_tw.config.lasting import NEVER, RouteTimeouts, WebSocket

from .reading import complaints, only, understood
from .test_lastingsection import route, waits

ANSWERS = (
    "{type: respond}",
    "{type: block}",
    "{type: redirect, to: /x}",
    "{type: files, root: /etc}",
)
APPLICATION = "{type: socket, factory: json.dumps, kind: %s}"


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
        self.patch(lastingreader, "find_spec", lambda name: None if name == "websockets" else real(name))
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
