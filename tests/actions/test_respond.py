"""
Respond.
"""

from __future__ import annotations

from twisted.internet.testing import StringTransport
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

    def test_filledIn(self) -> None:
        """
        Blanks are filled in for each request, in the body by what it is said to be; where nothing is
        said it may be taken for HTML.
        """
        for kind, wanted in (
            ("text/plain; charset=utf-8", b'at <a>"\xc3\xbc'),
            ("text/html", b"at &lt;a&gt;&quot;\xc3\xbc"),
            ("", b"at &lt;a&gt;&quot;\xc3\xbc"),
            ("application/json", b'at \\u003ca\\u003e\\"\\u00fc'),
        ):
            headers = (("X-A", "{client_ip} {header:x-a}"), *([("Content-Type", kind)] if kind else []))
            exchange = RecordingExchange.to("a.test", "/", "", 80, ("x-a", '<a>"ü'), ("x-b", "c\r\nd"))
            RespondAction(Respond(200, headers, "at {header:x-a}")).request(exchange)
            [(_, status, fields, body)] = exchange.asked
            self.assertEqual((status, body), (200, wanted), kind)
            self.assertTrue(fields.startswith(b'X-A: 192.0.2.1 <a>"\xc3\xbc\r\n'), fields)

    def test_stream(self) -> None:
        """
        Over plain TCP the body is said, and nothing else.
        """
        stream = RecordingStream()
        RespondAction(Respond(body="ü {{port}\n")).stream(stream)
        ((verb, factory),) = stream.asked
        self.assertEqual(verb, "serve")
        transport = StringTransport()
        factory.buildProtocol(None).makeConnection(transport)
        self.assertEqual(transport.value(), "ü {port}\n".encode())
        self.assertTrue(transport.disconnecting)
