"""
Respond.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.respond import RespondAction
from smartproxy_tw.config.model import Respond
from smartproxy_tw.interfaces import IAction

from .recording import RecordingExchange, RecordingStream


class RespondTests(SynchronousTestCase):
    """
    L{RespondAction}.
    """

    def test_fixed(self) -> None:
        """
        Status, fields and body are the configured ones, for every request.
        """
        action = RespondAction(Respond(203, (("X-A", "b"), ("X-C", "é")), "ü"))
        verifyObject(IAction, action)
        for _ in range(2):
            exchange = RecordingExchange()
            action.request(exchange)
            self.assertEqual(exchange.asked, [("respond", 203, b"X-A: b\r\nX-C: \xe9\r\n", "ü".encode())])

    def test_stream(self) -> None:
        """
        A stream cannot be answered.
        """
        stream = RecordingStream()
        RespondAction(Respond()).stream(stream)
        self.assertEqual(stream.asked, [("abort",)])
