"""
Which peers are believed.
"""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.trust import Trust


class TrustTests(SynchronousTestCase):
    """
    L{Trust}.
    """

    def test_networks(self) -> None:
        """
        Addresses of both families, at the borders of their networks; nothing
        that is no address.
        """
        trust = Trust((ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"), ip_network("2001:db8::/32")))
        for host, wanted in (
            ("10.0.0.0", True),
            ("10.255.255.255", True),
            ("11.0.0.0", False),
            ("9.255.255.255", False),
            ("127.0.0.1", True),
            ("127.0.0.2", False),
            ("2001:db8:ffff::1", True),
            ("2001:db9::", False),
            ("unix", False),
            ("", False),
        ):
            for _ in range(2):
                self.assertIs(trust.trusts(host), wanted, host)

    def test_nobody(self) -> None:
        """
        Without networks nobody is believed.
        """
        self.assertFalse(Trust(()).trusts("127.0.0.1"))

    def test_bounded(self) -> None:
        """
        What is remembered of strangers is bounded.
        """
        trust = Trust((ip_network("10.0.0.0/8"),))
        for number in range(10_000):
            trust.trusts(f"192.168.{number >> 8}.{number & 255}")
        self.assertLessEqual(len(trust._memo), 4096)
