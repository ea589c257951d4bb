"""
Tests for L{smartproxy_tw.guards.lists}.
"""

from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.guards.lists import Lists

from ..examples import examples
from .visiting import Arrival, Behind, connection, stream

_Network = IPv4Network | IPv6Network

_FOUR = st.integers(0, 255).map(lambda n: IPv4Address(0x7FFFFF80 + n))
_SIX = st.integers(0, 255).map(lambda n: IPv6Address((0x20010DB8 << 96) + n))
_NETWORKS = st.one_of(st.tuples(_FOUR, st.integers(22, 32)), st.tuples(_SIX, st.integers(118, 128))).map(
    lambda pair: ip_network(pair, strict=False)
)


class ListsTests(SynchronousTestCase):
    """
    L{Lists}.
    """

    @examples(200)
    @given(st.lists(_NETWORKS, max_size=8), st.lists(_NETWORKS, max_size=8), st.one_of(_FOUR, _SIX))
    def test_reference(
        self, allowed: list[_Network], blocked: list[_Network], client: IPv4Address | IPv6Address
    ) -> None:
        """
        It is as if each network were looked at one by one, around 128.0.0.0 too.
        """
        lists = Lists([str(each) for each in allowed], [str(each) for each in blocked])

        def isIn(networks: list[_Network]) -> bool:
            return any(client in each for each in networks)

        expected = "blocked" if isIn(blocked) else "" if not allowed or isIn(allowed) else "not_allowed"
        found = lists.judge(str(client))
        self.assertEqual("" if found is None else found.reason, expected)

    def test_blockWins(self) -> None:
        """
        Whoever is on both lists may not; a request gets 403, of whomever a trusted proxy speaks.
        """
        lists = Lists(["10.0.0.0/8", "2001:db8::/32"], ["10.0.0.7"])
        for client, status in (
            ("10.0.0.1", 0),
            ("10.0.0.7", 403),
            ("11.0.0.1", 403),
            ("2001:db8::1", 0),
            ("2001:db9::1", 403),
            ("/run/x.sock", 403),
        ):
            arrival = Arrival(lists, by=connection(client))
            self.assertEqual(arrival.status, status, client)
            self.assertEqual(arrival.hasPassed, status == 0)
        self.assertEqual(Arrival(lists, by=connection("10.0.0.1"), client="10.0.0.7").status, 403)
        self.assertTrue(Arrival(lists, by=connection("11.0.0.1"), client="10.0.0.1").hasPassed)

    def test_thousands(self) -> None:
        """
        Twenty thousand networks are asked as fast as ten, and what is known of clients is
        bounded.
        """
        lists = Lists((), [f"20.{b}.{c}.0/25" for b in range(200) for c in range(100)])
        began = time.process_time()
        for number in range(6000):
            client = f"20.{number % 200}.{number // 200}.{number % 256}"
            denied = lists.judge(client) is not None
            self.assertEqual(denied, number % 256 < 128)
        self.assertLess(time.process_time() - began, 1.0)
        for number in range(10_000):
            Arrival(lists, by=connection(f"9.9.{number // 256}.{number % 256}"))
        self.assertLessEqual(len(lists._memo), 4096)

    def test_streams(self) -> None:
        """
        What is not HTTP is closed.
        """
        from smartproxy_tw.guards.passage import Guarded

        told: list[tuple[str, str, str]] = []
        behind = Behind()
        action = Guarded(behind, [Lists((), ["10.0.0.7"])], lambda *said: told.append(said), doorkeepers=1)
        bad, good = stream("10.0.0.7"), stream("10.0.0.8")
        action.stream(bad)
        action.stream(good)
        self.assertEqual((bad.asked, behind.reached), ([("abort",)], [good]))
        self.assertEqual(told, [("blocked", "10.0.0.7", "")])
