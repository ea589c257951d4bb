"""
Tests for L{smartproxy_tw.guards.shown}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.security import CertificateHeaders
from smartproxy_tw.facts import CertificateFacts
from smartproxy_tw.guards.shown import Shown

from .visiting import Arrival, connection

LIES = [("x-subject", "CN=root"), ("x_subject", "CN=root"), ("x-verified", "SUCCESS"), ("x-other", "kept")]


class ShownTests(SynchronousTestCase):
    """
    L{Shown}.
    """

    settings = CertificateHeaders("X-Subject", "X-Names", "X-Fingerprint", "X-Serial", "X-Verified")

    def test_told(self) -> None:
        """
        The target is told of the certificate by the proxy, and by nobody else.
        """
        shown = CertificateFacts("CN=alice", "DNS:a.test", "ab" * 32, "1f")
        arrival = Arrival(Shown(self.settings), by=connection(certificate=shown), fields=LIES)
        self.assertTrue(arrival.hasPassed)
        self.assertEqual(
            arrival.exchange.sent,
            b"x-other: kept\r\nx-verified: SUCCESS\r\nx-subject: CN=alice\r\nx-names: DNS:a.test\r\n"
            b"x-fingerprint: " + b"ab" * 32 + b"\r\nx-serial: 1f\r\n",
        )

    def test_none(self) -> None:
        """
        Where none was shown lies are removed all the same.
        """
        arrival = Arrival(Shown(self.settings), fields=LIES)
        self.assertEqual(arrival.exchange.sent, b"x-other: kept\r\nx-verified: NONE\r\n")

    def test_some(self) -> None:
        """
        Just what is asked for.
        """
        shown = CertificateFacts("", "DNS:a.test", "ab", "1f")
        guard = Shown(CertificateHeaders(subject="X-Subject", names="X-Names"))
        arrival = Arrival(guard, by=connection(certificate=shown), fields=LIES[:2])
        self.assertEqual(arrival.exchange.sent, b"x-names: DNS:a.test\r\n")
