"""
Tests for L{smartproxy_tw.service.farewell}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.desk import Desk, Reply
from smartproxy_tw.service.farewell import Farewell


class FarewellTests(SynchronousTestCase):
    """
    Somebody has the proxy end.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.left: list[float] = []
        self.farewell = Farewell(self.clock, lambda: self.left.append(self.clock.seconds()), lambda: 30.0)
        self.desk = Desk()
        self.farewell.begin(self.desk)

    def ask(self, **members: Any) -> Reply:
        """
        Ask for it.
        """
        body = json.dumps(members).encode()
        asked = self.desk.answer("POST", "/v1/drain", {}, body, "user 7")
        return self.successResultOf(Deferred.fromCoroutine(asked))

    def test_departed(self) -> None:
        """
        Where another process serves it has begun too.
        """
        self.assertTrue(Farewell(self.clock, list, lambda: 30.0, lambda: True).hasBegun)

    def test_alreadyEnds(self) -> None:
        """
        There it is answered, and nothing ends it a second time.
        """
        self.farewell = Farewell(self.clock, lambda: self.left.append(0.0), lambda: 30.0, lambda: True)
        self.farewell.begin(self.desk)
        reply = self.ask(delay=5)
        self.assertEqual((reply.status, reply.members), (202, {"draining": True, "delay": 0, "within": 30.0}))
        self.clock.advance(60)
        self.assertEqual((self.left, self.clock.getDelayedCalls()), ([], []))

    def test_atOnce(self) -> None:
        """
        It is answered first, and then the end begins.
        """
        self.assertFalse(self.farewell.hasBegun)
        reply = self.ask()
        self.assertEqual((reply.status, reply.members), (202, {"draining": True, "delay": 0, "within": 30.0}))
        self.assertTrue(self.farewell.hasBegun)
        self.assertEqual(self.left, [])
        self.clock.advance(0.2)
        self.assertEqual(len(self.left), 1)
        self.assertTrue(self.farewell.hasBegun)

    def test_delayed(self) -> None:
        """
        With a delay it goes on serving for that long and says that it is not ready; who
        asks again means it otherwise.
        """
        self.ask(delay=600)
        self.clock.advance(500)
        self.assertEqual((self.left, self.farewell.hasBegun), ([], True))
        self.ask(delay=2.5)
        self.clock.advance(2.4)
        self.assertEqual(self.left, [])
        self.clock.pump([0.2, 1000])
        self.assertEqual(len(self.left), 1)

    def test_endedOtherwise(self) -> None:
        """
        When it ends before that nothing is left.
        """
        self.ask(delay=5)
        self.farewell.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.farewell.end()

    def test_nonsense(self) -> None:
        """
        What is no time to wait is refused, and nothing begins.
        """
        for delay in (-1, 3601, "5", True, None, [1], float("inf"), float("nan"), 10**400):
            self.assertEqual(self.ask(delay=delay).status, 400, delay)
        self.assertEqual(self.ask(when=1).status, 400)
        self.assertFalse(self.farewell.hasBegun)
