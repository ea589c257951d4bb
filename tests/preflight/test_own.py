"""
Tests for L{smartproxy_tw.preflight.own}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.preflight.own import isBehindNAT, isOwn, sourceFor


class OwnTests(SynchronousTestCase):
    """
    This machine, and others.
    """

    def test_loopback(self) -> None:
        """
        The loopback addresses are own, each of them.
        """
        for address in ("127.0.0.1", "127.4.5.6", "::1"):
            self.assertTrue(isOwn(address), address)

    def test_source(self) -> None:
        """
        The kernel tells from where it goes; to itself, from there.
        """
        self.assertEqual(sourceFor("127.0.0.1"), "127.0.0.1")
        self.assertIs(sourceFor("255.255.255.255"), None)

    def test_isOwn(self) -> None:
        """
        An address is own that is gone to from itself, however it is written.
        """
        self.assertTrue(isOwn("192.0.2.1", lambda _: "192.0.2.1"))
        self.assertTrue(isOwn("2001:db8::1", lambda _: "2001:db8:0::1"))
        self.assertTrue(isOwn("fe80::1", lambda _: "fe80::1%eth0"))
        self.assertFalse(isOwn("192.0.2.1", lambda _: "192.0.2.9"))
        self.assertFalse(isOwn("192.0.2.1", lambda _: None))

    def test_isBehindNAT(self) -> None:
        """
        A public address that is gone to from a private one is behind a router, or
        this machine is.
        """
        self.assertTrue(isBehindNAT("8.8.8.8", lambda _: "10.0.0.1"))
        self.assertFalse(isBehindNAT("8.8.8.8", lambda _: "9.9.9.9"))
        self.assertFalse(isBehindNAT("10.0.0.2", lambda _: "10.0.0.1"))
        self.assertFalse(isBehindNAT("8.8.8.8", lambda _: None))
