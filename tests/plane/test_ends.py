"""
Tests for L{smartproxy_tw.plane.ends}; what a connection tells of itself is in
L{tests.plane.test_served}.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address, ConnectionFacts
from smartproxy_tw.plane.ends import Ends, addressOf
from smartproxy_tw.plane.wires import PlainWire


class EndsTests(SynchronousTestCase):
    """
    L{addressOf} and L{Ends}.
    """

    def test_addresses(self) -> None:
        """
        Addresses as Twisted has them.
        """
        self.assertEqual(addressOf(Address("10.0.0.1", 5)), IPv4Address("TCP", "10.0.0.1", 5))
        self.assertEqual(addressOf(Address("::1", 5)), IPv6Address("TCP", "::1", 5))
        self.assertEqual(addressOf(Address("/run/x", 0)), UNIXAddress("/run/x"))

    def test_ends(self) -> None:
        """
        What a header of the PROXY protocol says comes before what the socket knows.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
        self.addCleanup(client.close)
        ends: Any = Ends()
        ends._wire = PlainWire(client)
        ends.facts = ConnectionFacts(1, Address("::1", 9), server=Address("10.0.0.1", 80))
        self.assertEqual(ends.getPeer(), IPv6Address("TCP", "::1", 9))
        self.assertEqual(ends.getHost(), IPv4Address("TCP", "10.0.0.1", 80))
        ends.facts = ConnectionFacts(1, Address("::1", 9))
        self.assertEqual(ends.getHost(), IPv4Address("TCP", *client.getsockname()))
