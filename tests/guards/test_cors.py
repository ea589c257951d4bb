"""
Tests for L{smartproxy_tw.guards.cors}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.security import Cors
from smartproxy_tw.guards.cors import Sharing

from .visiting import Arrival

APP = ("origin", "https://app.test")
PREFLIGHT = [APP, ("access-control-request-method", "PUT"), ("access-control-request-headers", "x-a, x-b")]


class SharingTests(SynchronousTestCase):
    """
    L{Sharing}.
    """

    def test_preflight(self) -> None:
        """
        A preflight is answered here, with what is allowed.
        """
        settings = Cors(("https://app.test",), ("GET", "PUT"), ("x-a",), ("X-Seen",), True, 60)
        arrival = Arrival(Sharing(settings), method="OPTIONS", fields=PREFLIGHT)
        self.assertEqual((arrival.status, arrival.told), (204, []))
        self.assertEqual(
            arrival.answer,
            b"Access-Control-Allow-Origin: https://app.test\r\nAccess-Control-Allow-Credentials: true\r\n"
            b"Access-Control-Allow-Methods: GET, PUT\r\nAccess-Control-Max-Age: 60\r\n"
            b"Access-Control-Allow-Headers: x-a\r\n"
            b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n",
        )

    def test_anyHeader(self) -> None:
        """
        Where any field may be sent, those that are asked for are allowed.
        """
        arrival = Arrival(Sharing(Cors(("*",), headers=("*",))), method="OPTIONS", fields=PREFLIGHT)
        self.assertIn(b"Access-Control-Allow-Headers: x-a, x-b\r\n", arrival.answer)
        self.assertIn(b"Access-Control-Allow-Origin: *\r\n", arrival.answer)

    def test_otherOrigin(self) -> None:
        """
        A preflight for another origin is refused; another request goes on, and its answer allows
        nothing, whatever the target says.
        """
        sharing = Sharing(Cors(("https://app.test",)))
        other = ("origin", "https://evil.test")
        arrival = Arrival(sharing, method="OPTIONS", fields=[other, *PREFLIGHT[1:]])
        self.assertEqual((arrival.status, arrival.reasons), (403, ["origin"]))
        self.assertNotIn(b"Allow-Origin", arrival.answer)
        arrival = Arrival(sharing, fields=[other])
        self.assertTrue(arrival.hasPassed)
        seen = arrival.exchange.shows(b"Access-Control-Allow-Origin: *\r\nA: b\r\n")
        self.assertEqual(seen, b"A: b\r\nVary: Origin\r\n")

    def test_answers(self) -> None:
        """
        Answers for an origin that is allowed say so, once; without an origin they vary.
        """
        sharing = Sharing(Cors(("https://app.test",), exposed=("X-Seen",), credentials=True))
        arrival = Arrival(sharing, fields=[APP])
        self.assertEqual(
            arrival.exchange.shows(b"access-control-allow-origin: https://x.test\r\nA: b\r\n"),
            b"A: b\r\nAccess-Control-Allow-Origin: https://app.test\r\n"
            b"Access-Control-Allow-Credentials: true\r\n"
            b"Access-Control-Expose-Headers: X-Seen\r\nVary: Origin\r\n",
        )
        self.assertEqual(Arrival(sharing).exchange.shows(b"A: b\r\n"), b"A: b\r\nVary: Origin\r\n")

    def test_everybody(self) -> None:
        """
        Where all origins are allowed nothing varies.
        """
        arrival = Arrival(Sharing(Cors(("*",))), fields=[APP])
        self.assertEqual(arrival.exchange.shows(b""), b"Access-Control-Allow-Origin: *\r\n")
        self.assertEqual(Arrival(Sharing(Cors(("*",)))).exchange.shows(b""), b"")

    def test_noPreflight(self) -> None:
        """
        OPTIONS without the fields of a preflight goes to the target; two origins are none.
        """
        sharing = Sharing(Cors(("https://app.test",)))
        self.assertTrue(Arrival(sharing, method="OPTIONS", fields=[APP]).hasPassed)
        arrival = Arrival(sharing, fields=[APP, APP])
        self.assertEqual(arrival.exchange.shows(b""), b"Vary: Origin\r\n")
