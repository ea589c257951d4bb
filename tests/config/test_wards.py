"""
Tests for L{smartproxy_tw.config.wards}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Block, Config, Route, WebSocket
from smartproxy_tw.config.security import BasicAuth, Cors, ForwardAuth, JWTAuth, RateLimit, Security
from smartproxy_tw.config.wards import asked, denial
from smartproxy_tw.routing.explain import Circumstances, explain

EVERYTHING = Route(
    "a",
    (80,),
    Block(),
    "http",
    security=Security(
        ("10.0.0.0/8",),
        ("10.0.0.1", "10.0.0.2"),
        9,
        3,
        1,
        limit=RateLimit(5, 60.0, 5, "header", "x-key"),
        basic=BasicAuth((("bob", "geheim"),)),
        jwt=JWTAuth(("HS256",), secret="geheim"),
        forward=ForwardAuth("http://auth/verify?token=geheim"),
    ),
    cors=Cors(("https://a.b",)),
    bodyBytes=1000,
    webSocket=WebSocket(origins=("https://a.b", "null")),
)


class WardsTests(SynchronousTestCase):
    """
    L{asked} and L{denial}.
    """

    def test_asked(self) -> None:
        """
        Everything is told, in order, and nothing of a secret.
        """
        self.assertEqual(
            list(asked(EVERYTHING)),
            [
                "block list (2 entries)",
                "allow list (1 entry)",
                "at most 9 at a time",
                "at most 3 at a time for each client",
                "1 new connection in a minute for each client",
                "5 requests in 60 s for each value of x-key",
                "CORS for https://a.b",
                "WebSockets from https://a.b, null",
                "password of 1 user",
                "token (HS256)",
                "leave of http://auth/verify",
                "bodies of at most 1000 bytes",
            ],
        )
        self.assertEqual(list(asked(Route("a", (80,), Block(), "http"))), [])
        for settings, told in ((WebSocket(), []), (WebSocket(False), ["no WebSockets"])):
            self.assertEqual(list(asked(Route("a", (80,), Block(), "http", webSocket=settings))), told)
        self.assertEqual(
            list(asked(Route("a", (80,), Block(), "http", bodyBytes=0))), ["bodies of any length"]
        )

    def test_unusual(self) -> None:
        """
        How many may come at once, and what one client is with IPv6, is told where it is not the usual; the
        latter only where clients are counted.
        """
        five = "5 requests in 1 s for each client"
        at = "a client with IPv6 is a /56"
        for settings, told in (
            (Security(limit=RateLimit(5, 1.0, 5)), [five]),
            (Security(limit=RateLimit(5, 1.0, 20)), [f"{five}, 20 at once"]),
            (Security(limit=RateLimit(5, 1.0, 1)), [f"{five}, 1 at once"]),
            (Security(limit=RateLimit(5, 1.0, 5), prefix=56), [five, at]),
            (Security(perClient=2, prefix=56), ["at most 2 at a time for each client", at]),
            (Security(rate=2, prefix=56), ["2 new connections in a minute for each client", at]),
            (
                Security(connections=2, limit=RateLimit(5, 1.0, 5, "route"), prefix=56),
                ["at most 2 at a time", "5 requests in 1 s for all together"],
            ),
        ):
            self.assertEqual(list(asked(Route("a", (80,), Block(), "http", security=settings))), told)

    def test_denial(self) -> None:
        """
        Whom the lists keep out is told, by the list that does.
        """
        for client, words in (
            ("10.0.0.1", "403: 10.0.0.1 is on ip_block_list"),
            ("11.0.0.1", "403: 11.0.0.1 is not on ip_allow_list"),
            ("10.0.0.9", None),
            ("", "403 for whom the lists do not let in: give one with --client ADDRESS"),
        ):
            self.assertEqual(denial(EVERYTHING, client), words)
        stream = Route("a", (80,), Block(), "tcp", security=Security(blocked=("::1",)))
        self.assertEqual(denial(stream, "::1"), "closed: ::1 is on ip_block_list")
        self.assertIs(denial(Route("a", (80,), Block(), "http"), ""), None)

    def test_explained(self) -> None:
        """
        An explanation says what is asked, and who is denied.
        """
        config = Config((EVERYTHING,), "/state")
        found = explain(config, "http://a.b/", Circumstances(client="10.0.0.1"))
        self.assertIn(("guard", "token (HS256)"), found.deeds)
        self.assertIn(("denied", "403: 10.0.0.1 is on ip_block_list"), found.deeds)
        found = explain(config, "http://a.b/", Circumstances(client="10.0.0.9"))
        self.assertNotIn("denied", dict(found.deeds))
