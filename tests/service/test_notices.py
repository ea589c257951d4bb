"""
Tests for L{smartproxy_tw.service.notices}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.notices import ready, reloading, status, stopping, summary
from smartproxy_tw.service.status import CertificateState, Figures

from ..examples import examples


def figures(
    name: str,
    state: CertificateState = "valid",
    expiresIn: float | None = 1000.0,
    failures: int = 0,
    reason: str | None = None,
) -> Figures:
    """
    How it stands with one certificate.
    """
    return Figures(name, "auto", (name,), state, expiresIn, failures, None, reason)


class NoticeTests(SynchronousTestCase):
    """
    The words.
    """

    def test_words(self) -> None:
        """
        Each is what C{sd_notify(3)} has.
        """
        self.assertEqual(ready("all is well"), b"READY=1\nSTATUS=all is well")
        self.assertEqual(ready("x", 12), b"READY=1\nSTATUS=x\nMAINPID=12")
        self.assertTrue(reloading(77).startswith(b"RELOADING=1\nMONOTONIC_USEC=77\nSTATUS="))
        self.assertEqual(stopping(1.5, "bye"), b"STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\nSTATUS=bye")

    @given(st.text())
    @examples(200)
    def test_oneLine(self, text: str) -> None:
        """
        Whatever a text has in it, it adds no line of its own.
        """
        self.assertNotIn(b"\n", status(text))
        self.assertEqual(ready(text, 1).count(b"\n"), 2)


class SummaryTests(SynchronousTestCase):
    """
    What a proxy serves.
    """

    def test_ports(self) -> None:
        """
        Ports are listed, many of them in part.
        """
        self.assertEqual(summary(["[::]:80", "[::]:443"], []), "Serving [::]:80, [::]:443")
        self.assertTrue(summary([f"[::]:{n}" for n in range(1, 11)], []).endswith(":5, [::]:6 and 4 more"))
        self.assertEqual(summary([], []), "Serving no port at all")

    def test_certificates(self) -> None:
        """
        Those that are wanted, that clients may trust and that cannot be had are
        counted; one that cannot be renewed is still valid.
        """
        found = [
            figures("a.test"),
            figures("b.test", "failed", failures=2, reason="DNS"),
            figures("c.test", "missing", None),
            figures("d.test", "expired", -1.0),
            figures("e.test", "revoked"),
        ]
        self.assertEqual(
            summary(["[::]:80"], found),
            "Serving [::]:80; certificates: 5 wanted, 2 valid, 1 failing (b.test: DNS)",
        )
        self.assertTrue(summary([], found[:1]).endswith("certificates: 1 wanted, 1 valid"))

    def test_reason(self) -> None:
        """
        A reason may be missing, and is not told for ever.
        """
        self.assertTrue(summary([], [figures("a.test", failures=1)]).endswith("1 failing (a.test)"))
        text = summary([], [figures("a.test", failures=1, reason="x" * 5000)])
        self.assertLess(len(text), 400)
        self.assertTrue(text.endswith("x…)"))
