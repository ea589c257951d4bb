"""
Tests for L{smartproxy_tw.guards.sockets}.
"""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.lasting import WebSocket
from smartproxy_tw.guards.sockets import Sockets

from .visiting import Arrival

HANDSHAKE = (("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13"))


class SocketsTests(SynchronousTestCase):
    """
    L{Sockets}.
    """

    def arrives(
        self,
        settings: WebSocket,
        *fields: tuple[str, str],
        handshake: tuple[tuple[str, str], ...] = HANDSHAKE,
        method: str = "GET",
        changesTo: str = "websocket",
    ) -> Arrival:
        """
        Somebody who wants to speak WebSocket.
        """
        guard = Sockets(settings)
        self.addCleanup(guard.close)
        return Arrival(guard, fields=(*handshake, *fields), method=method, changesTo=changesTo)

    def test_origins(self) -> None:
        """
        Pages of those origins pass, and what is no browser; others get 403.
        """
        settings = WebSocket(origins=("https://app.test", "https://*.app.test", "null"))
        for good in ("https://app.test", "https://a.app.test", "null"):
            self.assertTrue(self.arrives(settings, ("origin", good)).hasPassed, good)
        self.assertTrue(self.arrives(settings).hasPassed)
        for bad in (
            "https://evil.test",
            "http://app.test",
            "https://a.b.app.test",
            "https://app.test.evil",
            "",
        ):
            arrival = self.arrives(settings, ("origin", bad))
            self.assertEqual((arrival.status, arrival.reasons), (403, ["origin"]), bad)

    def test_severalOrigins(self) -> None:
        """
        Two origins are none, wherever any may come from.
        """
        twice = (("origin", "https://app.test"),) * 2
        for settings in (WebSocket(), WebSocket(origins=("https://app.test",))):
            self.assertEqual(self.arrives(settings, *twice).status, 403)

    def test_anyOrigin(self) -> None:
        """
        Where none are listed pages of all origins pass.
        """
        self.assertTrue(self.arrives(WebSocket(), ("origin", "https://evil.test")).hasPassed)

    def test_nobody(self) -> None:
        """
        Where nobody may the others of a route are not concerned.
        """
        arrival = self.arrives(WebSocket(False))
        self.assertEqual((arrival.status, arrival.reasons), (403, ["websocket"]))
        self.assertTrue(self.arrives(WebSocket(False), changesTo="").hasPassed)
        self.assertTrue(self.arrives(WebSocket(False), changesTo="other").hasPassed)

    def test_handshake(self) -> None:
        """
        What is no opening handshake is 400; who speaks another version is told which one is spoken.
        """
        key, version = HANDSHAKE
        for bad in ((), (key,), (version,), (key, key, version), (key, version, version)):
            arrival = self.arrives(WebSocket(), handshake=bad)
            self.assertEqual((arrival.status, arrival.reasons), (400, ["handshake"]), bad)
        self.assertEqual(self.arrives(WebSocket(), method="POST").status, 400)
        arrival = self.arrives(WebSocket(), handshake=(key, ("sec-websocket-version", "8")))
        self.assertIn(b"Sec-WebSocket-Version: 13\r\n", arrival.answer)

    @given(st.binary(max_size=20))
    def test_keys(self, key: bytes) -> None:
        """
        A key is 16 bytes in base64, and nothing else.
        """
        fields = (("sec-websocket-key", b64encode(key).decode()), HANDSHAKE[1])
        self.assertEqual(self.arrives(WebSocket(), handshake=fields).hasPassed, len(key) == 16)

    def test_sixteenBytes(self) -> None:
        """
        Keys of all kinds of 16 bytes pass.
        """
        for byte in range(256):
            fields = (("sec-websocket-key", b64encode(bytes([byte] * 16)).decode()), HANDSHAKE[1])
            self.assertTrue(self.arrives(WebSocket(), handshake=fields).hasPassed, byte)
