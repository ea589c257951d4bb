"""
The attacks of L{tests.attack.siege}, each for some seconds.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from . import siege
from .crowd import BASE, mutated
from .origin import Bad, requestsIn


class SiegeTests(SynchronousTestCase):
    """
    The proxy, an origin and the attackers, each in a process of its own.
    """

    timeout = 60

    def test_slow(self) -> None:
        """
        Slow heads, bodies, readers and hellos keep nobody from being served.
        """
        found = siege.slow(each=80, seconds=2.5, head=1.0, pause=0.3)
        self.assertGreater(found["open"], 200)
        self.assertGreater(found["with"]["answers"], 100)

    def test_mutations(self) -> None:
        """
        What is almost a request gets an answer, never a traceback; and nothing
        malformed reaches the origin.
        """
        found = siege.mutations(count=4800)
        self.assertGreater(found["mutant"]["400"], 2000)
        self.assertGreater(found["mutant"]["200"], 500)

    def test_kept(self) -> None:
        """
        Nothing is kept of clients that leave in the midst of everything.
        """
        found = siege.kept(seconds=2.0, each=32)
        self.assertGreater(found["after"]["connections"] - found["before"]["connections"], 200)

    def test_lag(self) -> None:
        """
        Nothing keeps the reactor from its work.
        """
        found = siege.lag(each=200, seconds=4.0, routes=500)
        self.assertGreater(found["good"]["answers"], 50)

    def test_full(self) -> None:
        """
        Who finds no room is refused at little cost, and served when there is.
        """
        siege.full(files=256, seconds=2.0)

    def test_exhausted(self) -> None:
        """
        Without descriptors the proxy rests, and goes on when there are some.
        """
        found = siege.exhausted(files=256, seconds=1.0)
        self.assertGreater(found["hoarded"], 100)


class ToolTests(SynchronousTestCase):
    """
    Of the attackers' own tools.
    """

    def test_strict(self) -> None:
        """
        The origin takes a good head and tells what is wrong with a bad one.
        """
        self.assertEqual(requestsIn(b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"), (b"/a", 5))
        self.assertEqual(
            requestsIn(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"), (b"/", -1)
        )
        for bad in (
            b"GET /a HTTP/1.1\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost : x\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\n y\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
            b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            self.assertRaises(Bad, requestsIn, bad)

    def test_mutated(self) -> None:
        """
        The same seed gives the same requests, and nearly none is a good one.
        """
        one, other = random.Random(3), random.Random(3)
        found = [mutated(one) for _ in range(300)]
        self.assertEqual(found, [mutated(other) for _ in range(300)])
        self.assertGreater(len(set(found)), 290)
        self.assertFalse(set(BASE) & set(found))
