"""
Forward.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.forward import ForwardAction
from smartproxy_tw.interfaces import IAction

from .recording import RecordingExchange, RecordingStream


class ForwardTests(SynchronousTestCase):
    """
    L{ForwardAction}.
    """

    def test_handsOn(self) -> None:
        """
        Requests and streams go to the group.
        """
        upstream: Any = object()
        action = ForwardAction(upstream)
        verifyObject(IAction, action)
        exchange, stream = RecordingExchange(), RecordingStream()
        action.request(exchange)
        action.stream(stream)
        self.assertEqual(exchange.asked, [("forward", upstream)])
        self.assertEqual(stream.asked, [("forward", upstream)])
