"""
Tests for L{smartproxy_tw.preflight.findings}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.preflight.findings import Finding, bad

WELL = Finding("a.example", "dns", "well", "it has an address")
BAD = Finding("a.example", "caa", "bad", "another authority may issue", "add a record")
UNKNOWN = Finding("a.example", "port", "unknown", "nobody could be asked")


class FindingTests(SynchronousTestCase):
    """
    L{Finding} and L{bad}.
    """

    def test_said(self) -> None:
        """
        It is said with its name, and with its remedy where there is one.
        """
        self.assertEqual(str(WELL), "a.example: it has an address")
        self.assertEqual(str(BAD), "a.example: another authority may issue; add a record")

    def test_bad(self) -> None:
        """
        What is not known from here is no reason to hold an order back.
        """
        self.assertEqual(bad([WELL, BAD, UNKNOWN, BAD]), (BAD, BAD))
        self.assertEqual(bad([]), ())
