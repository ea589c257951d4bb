"""
Tests for L{smartproxy_tw.guards.visit}.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.guards.visit import customer

from ..examples import examples

_ADDRESSES = st.integers(0, 2**128 - 1).map(IPv6Address)


class CustomerTests(SynchronousTestCase):
    """
    L{customer}.
    """

    @examples(200)
    @given(_ADDRESSES, st.integers(0, 2**20), st.integers(16, 128))
    def test_reference(self, address: IPv6Address, step: int, prefix: int) -> None:
        """
        Two addresses are one customer just when they are in one network of that size.
        """
        other = IPv6Address((int(address) + step * step * step * step) % 2**128)
        network = ip_network((address, prefix), strict=False)
        isSame = customer(str(address), prefix) == customer(str(other), prefix)
        self.assertEqual(isSame, other in network)

    def test_others(self) -> None:
        """
        IPv4 addresses and what is no address are themselves; a zone makes no difference.
        """
        for text in ("192.0.2.1", "/run/x.sock", "x:y"):
            self.assertEqual(customer(text, 64), text)
        self.assertEqual(customer("fe80::1%eth0", 64), customer("fe80::2%eth1", 64))
