"""
Tests for L{smartproxy_tw.plane.heralds}.
"""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import ProxyProtocol
from smartproxy_tw.plane.heralds import Heralds


class HeraldsTests(SynchronousTestCase):
    """
    L{Heralds}.
    """

    def test_asked(self) -> None:
        """
        Who is believed is told by his address; a unix socket has none.
        """
        senders = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
        heralds = Heralds(ProxyProtocol((80, 443), senders, timeout=3.0))
        self.assertEqual((heralds.ports, heralds.isRequired, heralds.seconds), ({80, 443}, True, 3.0))
        for host, wanted in (
            ("10.9.8.7", True),
            ("11.0.0.1", False),
            ("2001:db8::1", True),
            ("::1", False),
            ("/run/x.sock", False),
        ):
            self.assertIs(heralds.trusts(host), wanted, host)
        self.assertFalse(Heralds(ProxyProtocol((80,), senders, "accept")).isRequired)
