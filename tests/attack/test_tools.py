"""
The tools of the attackers.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from .crowd import BASE, mutated
from .origin import Bad, requestsIn


class ToolTests(SynchronousTestCase):
    """
    What attacks is worth what its tools are.
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
