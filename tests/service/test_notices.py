"""
Tests for L{smartproxy_tw.service.notices}.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.routing.steps import finish
from smartproxy_tw.service.notices import ready, reloading, removed, status, stopping, stored, summary
from smartproxy_tw.service.status import CertificateState, CertificateStatus

from ..examples import anyText, awkwardText, examples

NOW = 1_000_000.0


def standing(
    name: str,
    state: CertificateState = "valid",
    expires: float | None = NOW + 1000,
    failures: int = 0,
    problem: str | None = None,
    isRevoked: bool = False,
) -> CertificateStatus:
    """
    How it stands with one certificate.
    """
    return CertificateStatus(
        name, "auto", (name,), state, expires, problem, failures=failures, isRevoked=isRevoked
    )


def told(addresses: Sequence[str], certificates: Sequence[CertificateStatus] = ()) -> str:
    """
    The line.
    """
    return finish(summary(addresses, certificates, lambda: NOW))


class NoticeTests(SynchronousTestCase):
    """
    The words.
    """

    def test_words(self) -> None:
        """
        Each is what C{sd_notify(3)} has.
        """
        self.assertEqual((ready(), ready(12)), (b"READY=1", b"READY=1\nMAINPID=12"))
        self.assertEqual(status("all is well"), b"STATUS=all is well")
        self.assertTrue(reloading(77).startswith(b"RELOADING=1\nMONOTONIC_USEC=77\nSTATUS="))
        self.assertEqual(stopping(1.5, "bye"), b"STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\nSTATUS=bye")
        self.assertEqual(stored("a/b", isPolled=True), b"FDSTORE=1\nFDNAME=a/b")
        self.assertEqual(stored("a/b", isPolled=False), b"FDSTORE=1\nFDNAME=a/b\nFDPOLL=0")
        self.assertEqual(removed("a/b"), b"FDSTOREREMOVE=1\nFDNAME=a/b")

    @given(st.one_of(anyText(50), awkwardText(50)))
    @examples(200)
    def test_oneLine(self, text: str) -> None:
        """
        Whatever a text has in it, it adds no line of its own.
        """
        line = status(text)
        self.assertTrue(line.startswith(b"STATUS="))
        self.assertTrue(line.decode().isprintable())
        self.assertEqual(stopping(1, text).count(b"\n"), 2)

    def test_disguise(self) -> None:
        """
        What a terminal would obey is shown instead.
        """
        self.assertEqual(status("a\x1b[2Jb\nc"), rb"STATUS=a\x1b[2Jb c")


class SummaryTests(SynchronousTestCase):
    """
    What a proxy serves.
    """

    def test_ports(self) -> None:
        """
        Ports are listed, many of them in part.
        """
        self.assertEqual(told(["[::]:80", "[::]:443"]), "Serving [::]:80, [::]:443")
        self.assertTrue(told([f"[::]:{n}" for n in range(1, 11)]).endswith(":5, [::]:6 and 4 more"))
        self.assertEqual(told([]), "Serving no port at all")

    def test_certificates(self) -> None:
        """
        Those that are wanted, that clients may trust and that cannot be had are
        counted; one that cannot be renewed is still valid.
        """
        found = [
            standing("a.test"),
            standing("b.test", "failed", failures=2, problem="DNS"),
            standing("c.test", "missing", None),
            standing("d.test", "expired", NOW - 1),
            standing("e.test", isRevoked=True),
        ]
        self.assertEqual(
            told(["[::]:80"], found),
            "Serving [::]:80; certificates: 5 wanted, 2 valid, 1 failing (b.test: DNS)",
        )
        self.assertTrue(told([], found[:1]).endswith("certificates: 1 wanted, 1 valid"))

    def test_slices(self) -> None:
        """
        Many are counted a few at a time.
        """
        steps = summary([], [standing(f"{n}.test") for n in range(1000)], lambda: NOW)
        self.assertGreater(len(list(steps)), 5)

    def test_reason(self) -> None:
        """
        A reason may be missing, and is not told for ever.
        """
        self.assertTrue(told([], [standing("a.test", failures=1)]).endswith("1 failing (a.test)"))
        text = told([], [standing("a.test", failures=1, problem="x" * 5000)])
        self.assertLess(len(text), 400)
        self.assertTrue(text.endswith("x…)"))
