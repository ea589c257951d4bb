"""
What the connections of the data path share.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import acmeTLS
from smartproxy_tw.config.model import TLS, Acme, Auto, Config, Files, Respond, Route
from smartproxy_tw.facts import HTTP01, Credential
from smartproxy_tw.plane.census import cell
from smartproxy_tw.plane.engine import Engine, Entrance
from smartproxy_tw.plane.poller import Poller
from smartproxy_tw.plane.record import AccessRecords
from smartproxy_tw.routing.table import compileTable

AUTO = TLS("terminate", Auto(("a.test",)))


class Readers(Clock):
    """
    A clock that takes readers.
    """

    def addReader(self, reader: object) -> None:
        """Nothing comes of it."""

    def removeReader(self, reader: object) -> None:
        """Nor of this."""


class EngineTests(SynchronousTestCase):
    """
    L{Engine} without connections.
    """

    def setUp(self) -> None:
        """An engine with a poller that was not started."""
        self.reactor: Any = Readers()
        self.poller = Poller(self.reactor)
        self.addCleanup(self.poller.stop)
        self.clock = 784111777.5
        self.engine = Engine(self.poller, lambda: self.clock)

    def use(self, *routes: Route, **others: Any) -> None:
        """
        Use these routes.
        """
        config = Config(routes, "/nowhere", **others)
        self.engine.use(config, compileTable(config).ports, {}, AccessRecords(self.reactor, "off", ""))

    def entrance(self, number: int) -> Entrance:
        """
        What is known of a port.
        """
        return self.engine.entrance(number)

    def test_denied(self) -> None:
        """
        Denials are counted each, by reason; of many of a kind a few are logged.
        """
        self.use(Route("a", (80,), Respond(), "http"))
        with capturedLogs() as events:
            for number in range(100):
                self.engine.denied("a", "rate", f"192.0.2.{number}", "")
                self.engine.denied("a", "auth_unreachable", "192.0.2.1", "it is away\n")
        self.assertEqual(self.engine.counts[cell("denied", "rate", "a")], 100)
        told = [formatEvent(event) for event in events]
        self.assertEqual(len(told), 10)
        self.assertEqual(told[0], "Denied (rate) on route a (from 192.0.2.0)")
        self.assertEqual(told[1], "Denied (auth_unreachable) on route a: it is away\\n (from 192.0.2.1)")

    def test_takes(self) -> None:
        """
        A port takes what its routes take; with its last route it takes nothing.
        """
        http = Route("h", (80, 81), Respond(), "http")
        tls = Route("t", (443,), Respond(), "http", tls=TLS("terminate", Files("/c", "/k")))
        tcp = Route("s", (81,), Respond(), "tcp")
        self.use(http, tls, tcp)
        for number, wanted in (
            (80, (False, True, False)),
            (81, (False, True, True)),
            (443, (True, False, False)),
        ):
            found = self.entrance(number)
            self.assertEqual((found.takesTLS, found.takesHTTP, found.takesTCP), wanted, number)
        self.use(http)
        found = self.entrance(443)
        self.assertEqual((found.takesTLS, found.takesHTTP, found.takesTCP), (False, False, False))

    def test_challengePorts(self) -> None:
        """
        A challenge is served at its own port, when a certificate is wanted and
        that challenge is among those configured.
        """
        route = Route("a", (8443,), Respond(), "http", ("a.test",), tls=AUTO)
        for challenges, wanted in (
            (("http-01", "tls-alpn-01"), {80: (True, False), 8443: (False, True)}),
            (("http-01",), {80: (True, False), 8443: (False, False)}),
            (("tls-alpn-01",), {80: (False, False), 8443: (False, True)}),
        ):
            self.use(route, acme=Acme(httpPort=80, tlsPort=8443, challenges=challenges))
            for number, served in wanted.items():
                found = self.entrance(number)
                self.assertEqual((found.servesTokens, found.servesProofs), served, (challenges, number))
        self.use(Route("a", (80,), Respond(), "http"), acme=Acme())
        self.assertEqual((self.entrance(80).servesTokens, self.entrance(8443).servesProofs), (False, False))

    def test_tokens(self) -> None:
        """
        A token is answered for its own name, from when it is presented until it
        is withdrawn; withdrawing another one is nothing.
        """
        challenge = HTTP01("a.test", "token", "token.thumb")
        self.assertIsNone(self.engine.http01(b"token", "a.test"))
        self.engine.present(challenge)
        self.assertEqual(self.engine.http01(b"token", "a.test"), "token.thumb")
        for token, host in (
            (b"token", "b.test"),
            (b"Token", "a.test"),
            (b"token/", "a.test"),
            (b"", "a.test"),
        ):
            self.assertIsNone(self.engine.http01(token, host))
        self.engine.withdraw(HTTP01("a.test", "other", "x"))
        self.assertEqual(self.engine.http01(b"token", "a.test"), "token.thumb")
        self.engine.withdraw(challenge)
        self.engine.withdraw(challenge)
        self.assertIsNone(self.engine.http01(b"token", "a.test"))

    def test_proofs(self) -> None:
        """
        So is a proof, by the name that is asked for; a broken one is refused.
        """
        challenge = acmeTLS("127.0.0.1", "x")
        self.engine.present(challenge)
        self.assertEqual(list(self.engine.proofs), ["1.0.0.127.in-addr.arpa"])
        self.assertRaises(ValueError, self.engine.present, type(challenge)("b.test", Credential(b"", b"")))
        self.assertEqual(list(self.engine.proofs), ["1.0.0.127.in-addr.arpa"])
        self.engine.withdraw(challenge)
        self.engine.withdraw(challenge)
        self.assertEqual(self.engine.proofs, {})

    def test_date(self) -> None:
        """
        The date is that of the clock, to the second.
        """
        for clock, wanted in ((784111777.5, b"37"), (784111777.9, b"37"), (784111778.0, b"38")):
            self.clock = clock
            self.assertEqual(self.engine.dateLine(), b"Date: Sun, 06 Nov 1994 08:49:" + wanted + b" GMT\r\n")
