"""
How long routes wait, as workers are told.
"""

from __future__ import annotations

import pickle
from math import isinf

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.lasting import NEVER, RouteTimeouts, WebSocket

from .reading import understood


class LastingTests(SynchronousTestCase):
    """
    L{RouteTimeouts} and L{WebSocket}.
    """

    def test_littleSaid(self) -> None:
        """
        A route that says nothing has neither; one that says something of them has, in all else, what the
        whole file says, and anybody may open a WebSocket.
        """
        for said, timeouts, webSocket in (
            ("", None, None),
            ("timeouts: {idle: 5}, ", RouteTimeouts(5.0, None, None), None),
            ("websocket: {idle: 5}, ", None, WebSocket(True, (), 5.0, None)),
        ):
            action = "action: {type: forward, targets: 1}"
            (route,) = understood(f"routes: [{{match: {{ports: 8, domains: a.b}}, {said}{action}}}]").routes
            self.assertEqual((route.timeouts, route.webSocket), (timeouts, webSocket), said)

    def test_travels(self) -> None:
        """
        What travels to a worker is equal to what was sent, and known as such; never is never there, too.
        """
        for value in (RouteTimeouts(NEVER, 1.5, 60.0), WebSocket(False, ("https://a.test",), NEVER, 5.0)):
            copy = pickle.loads(pickle.dumps(value))
            self.assertEqual((copy, hash(copy)), (value, hash(value)))
            self.assertTrue(isinf(copy.idle))
            self.assertRaises(AttributeError, setattr, copy, "idle", 1.0)
