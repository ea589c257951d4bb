"""
Block.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.block import BlockAction
from smartproxy_tw.config.model import Block
from smartproxy_tw.interfaces import IAction

from .recording import RecordingExchange, RecordingStream

_TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"


class BlockTests(SynchronousTestCase):
    """
    L{BlockAction}.
    """

    def test_request(self) -> None:
        """
        An answer that says no more than that, or what it is to say.
        """
        for settings, wanted in (
            (Block(), ("respond", 403, _TEXT, b"Forbidden\n")),
            (Block(451), ("respond", 451, _TEXT, b"Unavailable For Legal Reasons\n")),
            (Block(499), ("respond", 499, _TEXT, b"499\n")),
            (Block(body="nö"), ("respond", 403, _TEXT, "nö".encode())),
            (Block(body=""), ("respond", 403, _TEXT, b"")),
            (Block(isReset=True), ("abort",)),
        ):
            action = BlockAction(settings)
            verifyObject(IAction, action)
            exchange = RecordingExchange()
            action.request(exchange)
            self.assertEqual(exchange.asked, [wanted])

    def test_stream(self) -> None:
        """
        A close.
        """
        stream = RecordingStream()
        BlockAction(Block()).stream(stream)
        self.assertEqual(stream.asked, [("abort",)])

    def served(self, settings: Block) -> Any:
        """
        What is done with a stream.
        """
        stream = RecordingStream()
        BlockAction(settings).stream(stream)
        ((verb, factory),) = stream.asked
        self.assertEqual(verb, "serve")
        transport = StringTransport()
        factory.buildProtocol(None).makeConnection(transport)
        return transport

    def test_words(self) -> None:
        """
        A few words, then a close.
        """
        transport = self.served(Block(body="go away\n"))
        self.assertEqual(transport.value(), b"go away\n")
        self.assertTrue(transport.disconnecting)
        self.assertFalse(transport.disconnected)

    def test_reset(self) -> None:
        """
        A reset, with nothing said.
        """
        transport = self.served(Block(isReset=True))
        self.assertEqual(transport.value(), b"")
        self.assertTrue(transport.disconnected)
