"""
Tests for L{smartproxy_tw.service.status}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.status import CertificateStatus, Figures, figuresOf, when


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

    def test_figures(self) -> None:
        """
        In numbers: seconds from now on, the failures, and why.
        """
        status = CertificateStatus("auto:a", "auto", ("a",), "failed", 90.0, "no", 60.0, "later", failures=3)
        made = figuresOf(status, 70.0)
        self.assertEqual(made, Figures("auto:a", "auto", ("a",), "failed", 20.0, 3, 0.0, "no; later"))
        self.assertEqual(figuresOf(status, 50.0).attemptIn, 10.0)
        made = figuresOf(CertificateStatus("auto:a", "auto", ("a",), "missing"), 70.0)
        self.assertEqual((made.expiresIn, made.failures, made.attemptIn, made.reason), (None, 0, None, None))

    def test_when(self) -> None:
        """
        Times for people are in UTC and say so.
        """
        self.assertEqual(when(0.0), "1970-01-01 00:00:00 UTC")
