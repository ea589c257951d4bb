"""
Tests for L{smartproxy_tw.guards.crowd}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.guards.crowd import Crowd

from .visiting import Arrival, connection


class CrowdTests(SynchronousTestCase):
    """
    L{Crowd}.
    """

    def test_all(self) -> None:
        """
        So many at a time, whoever they are; who leaves makes room, however often it is told.
        """
        crowd = Crowd(2, None)
        first, second = Arrival(crowd), Arrival(crowd, by=connection("192.0.2.2"))
        third = Arrival(crowd)
        self.assertEqual((first.hasPassed, second.hasPassed, third.status), (True, True, 503))
        self.assertIn(b"Retry-After: ", third.answer)
        self.assertEqual(third.reasons, ["connections"])
        first.exchange.end()
        first.exchange.end()
        self.assertEqual(len(crowd), 1)
        self.assertTrue(Arrival(crowd).hasPassed)
        self.assertEqual(Arrival(crowd).status, 503)

    def test_each(self) -> None:
        """
        So many of each client: a /64 of IPv6 is one, and nothing is kept of who has left.
        """
        crowd = Crowd(None, 1)
        here = [
            Arrival(crowd, by=connection(client))
            for client in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1")
        ]
        self.assertTrue(all(each.hasPassed for each in here))
        for client in ("192.0.2.1", "2001:db8::2", "2001:db8::ffff:ffff", "2001:db8:0:1::2"):
            self.assertEqual(Arrival(crowd, by=connection(client)).status, 429, client)
        self.assertEqual(crowd.clients, 4)
        for each in here:
            each.exchange.end()
        self.assertEqual((crowd.clients, len(crowd)), (0, 0))

    def test_prefix(self) -> None:
        """
        How much of an address counts can be said.
        """
        crowd = Crowd(None, 1)
        self.assertTrue(Arrival(crowd, by=connection("2001:db8::1"), prefix=128).hasPassed)
        self.assertTrue(Arrival(crowd, by=connection("2001:db8::2"), prefix=128).hasPassed)
        self.assertEqual(Arrival(crowd, by=connection("2001:db8::2"), prefix=128).status, 429)
        crowd = Crowd(None, 1)
        self.assertTrue(Arrival(crowd, by=connection("2001:db8::1"), prefix=48).hasPassed)
        self.assertEqual(Arrival(crowd, by=connection("2001:db8:0:9::1"), prefix=48).status, 429)
        self.assertTrue(Arrival(crowd, by=connection("2001:db8:1::1"), prefix=48).hasPassed)

    def test_behindProxy(self) -> None:
        """
        Behind a trusted proxy each client has its own count, not all together that of the proxy.
        """
        crowd = Crowd(None, 1)
        proxy = connection("10.0.0.1")
        self.assertTrue(Arrival(crowd, by=proxy, client="192.0.2.1").hasPassed)
        self.assertTrue(Arrival(crowd, by=proxy, client="192.0.2.2").hasPassed)
        self.assertEqual(Arrival(crowd, by=proxy, client="192.0.2.2").status, 429)
