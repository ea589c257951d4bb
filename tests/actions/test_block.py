"""
Block.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.block import BlockAction
from smartproxy_tw.interfaces import IAction

from .recording import RecordingExchange, RecordingStream


class BlockTests(SynchronousTestCase):
    """
    L{BlockAction}.
    """

    def test_refuses(self) -> None:
        """
        A request is answered with 403, a stream is closed.
        """
        action = BlockAction()
        verifyObject(IAction, action)
        exchange, stream = RecordingExchange(), RecordingStream()
        action.request(exchange)
        action.stream(stream)
        self.assertEqual(
            exchange.asked, [("respond", 403, b"Content-Type: text/plain; charset=utf-8\r\n", b"Forbidden\n")]
        )
        self.assertEqual(stream.asked, [("abort",)])
