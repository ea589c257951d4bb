"""
An upstream that nobody is behind.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.refusal import Refusal
from smartproxy_tw.interfaces import IUpstream
from smartproxy_tw.plane.link import UpstreamFailure


class RefusalTests(SynchronousTestCase):
    """
    L{Refusal}.
    """

    def test_tells(self) -> None:
        """
        Why, in a moment, unless nobody wants to know.
        """
        clock, failure = Clock(), UpstreamFailure("for no reason")
        refusal = Refusal(clock, failure)
        verifyObject(IUpstream, refusal)
        told: list[Any] = []
        self.assertIsNone(refusal.borrow(80))
        self.assertIsNone(refusal.repeat(80, "a", False, told.append))
        refusal.connect(80, told.append)
        refusal.dial(80, lambda *those: told.append(those))
        refusal.connect(80, told.append).cancel()
        self.assertEqual(told, [])
        clock.advance(0)
        self.assertEqual(told, [failure, (failure, False, None)])
        again = refusal.connect(80, told.append)
        clock.advance(0)
        again.cancel()
        self.assertEqual(len(told), 3)
