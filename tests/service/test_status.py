"""
Tests for L{smartproxy_tw.service.status}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.status import CertificateStatus, when


class StatusTests(SynchronousTestCase):
    """
    How it stands with a certificate.
    """

    def test_value(self) -> None:
        """
        It is a value: equal when it says the same.
        """
        one = CertificateStatus("auto:a", "auto", ("a",), "missing")
        self.assertEqual(one, CertificateStatus("auto:a", "auto", ("a",), "missing"))
        self.assertEqual((one.expires, one.problem, one.nextAttempt), (None, None, None))

    def test_when(self) -> None:
        """
        Times for people are in UTC and say so.
        """
        self.assertEqual(when(0.0), "1970-01-01 00:00:00 UTC")
