"""
Connections that are not HTTP, and are not forwarded.
"""

from __future__ import annotations

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.saying import Resetting, Saying


class SayingTests(SynchronousTestCase):
    """
    L{Saying} and L{Resetting}.
    """

    def test_says(self) -> None:
        """
        Each connection is told the same, and closed once that has gone; what the client says changes nothing.
        """
        factory = Saying(b"gone away\n")
        verifyObject(IProtocolFactory, factory)
        for _ in range(2):
            protocol, transport = factory.buildProtocol(None), StringTransport()
            protocol.makeConnection(transport)
            protocol.dataReceived(b"hello?")
            self.assertEqual(transport.value(), b"gone away\n")
            self.assertEqual((transport.disconnecting, transport.disconnected), (True, False))

    def test_nothing(self) -> None:
        """
        Where there is nothing to say it is closed all the same.
        """
        transport = StringTransport()
        Saying(b"").buildProtocol(None).makeConnection(transport)
        self.assertEqual((transport.value(), transport.disconnecting), (b"", True))

    def test_resets(self) -> None:
        """
        Or it is broken, without a word.
        """
        transport = StringTransport()
        protocol = Resetting().buildProtocol(None)  # type: ignore[arg-type]
        assert protocol is not None
        protocol.makeConnection(transport)
        self.assertEqual((transport.value(), transport.disconnected), (b"", True))
