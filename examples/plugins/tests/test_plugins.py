"""
The plug-ins, without a proxy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smartproxy_examples.canary import Canary
from smartproxy_examples.holiday import Holiday, Settings
from smartproxy_examples.listed import Listed
from smartproxy_examples.listed import Settings as FileSettings
from smartproxy_examples.parrot import Parrot
from smartproxy_examples.parrot import Settings as ParrotSettings
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Frame, Opcode
from zope.interface.verify import verifyObject

from smartproxy_tw.config.plugin import WrongSettings
from smartproxy_tw.facts import Address, ConnectionFacts, RequestFacts
from smartproxy_tw.interfaces import IActionPlugin, IMatcherPlugin, IUpstreamPlugin
from smartproxy_tw.routing.sight import Sight


class _Exchange:
    """
    Keeps the answer.

    @ivar transport: Of the WebSocket, when there is one.
    """

    def __init__(self, *lines: tuple[str, str]) -> None:
        self._lines = list(lines)
        self.transport: StringTransport | None = None

    def facts(self) -> RequestFacts:
        """
        What is asked for.
        """
        connection = ConnectionFacts(8080, Address("127.0.0.1", 1))
        return RequestFacts(connection, "GET", "a.test", "/", changesTo="websocket")

    def fields(self) -> list[tuple[str, str]]:
        """
        The header.
        """
        return self._lines

    def accept(self, fields: bytes, factory: Any) -> None:
        """
        It goes on as a WebSocket.
        """
        self.protocol = factory.buildProtocol(None)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """
        The answer.
        """
        self.answer = status, fields, body


class PluginTests(SynchronousTestCase):
    """
    Each of them.
    """

    def test_interfaces(self) -> None:
        """
        They keep the contract.
        """
        verifyObject(IActionPlugin, Holiday())
        verifyObject(IActionPlugin, Parrot())
        verifyObject(IMatcherPlugin, Canary())
        verifyObject(IUpstreamPlugin, Listed())

    def test_holiday(self) -> None:
        """
        The answer says when to come back.
        """
        exchange: Any = _Exchange()
        Holiday().build(Settings(text="Away", retry_after=60), None).request(exchange)
        status, fields, body = exchange.answer
        self.assertEqual((status, body), (503, b"Away\n"))
        self.assertIn(b"Retry-After: 60\r\n", fields)

    def test_parrot(self) -> None:
        """
        It says again what is said, text and bytes, as fast as the client takes that; a message that is too
        long is the end of it.
        """
        key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        exchange: Any = _Exchange(key, ("sec-websocket-version", "13"))
        Parrot().build(ParrotSettings(most=20), Clock()).request(exchange)
        transport = exchange.transport
        for opcode, data in ((Opcode.TEXT, b"hello"), (Opcode.BINARY, b"\xff")):
            exchange.protocol.dataReceived(Frame(opcode, data).serialize(mask=True))
            self.assertEqual(transport.value(), Frame(opcode, data).serialize(mask=False))
            transport.clear()
        transport.producer.pauseProducing()
        exchange.protocol.dataReceived(Frame(Opcode.TEXT, b"a").serialize(mask=True))
        self.assertEqual(transport.producerState, "paused")
        transport.producer.resumeProducing()
        self.assertEqual(transport.producerState, "producing")
        transport.clear()
        exchange.protocol.dataReceived(Frame(Opcode.TEXT, b"x" * 21).serialize(mask=True))
        self.assertEqual(transport.value()[:1], bytes([0x80 | Opcode.CLOSE]))
        self.assertIn((1009).to_bytes(2, "big"), transport.value())

    def test_parrotAlone(self) -> None:
        """
        What is no opening handshake is answered.
        """
        exchange: Any = _Exchange()
        Parrot().build(ParrotSettings(), Clock()).request(exchange)
        self.assertEqual((exchange.answer[0], exchange.transport), (400, None))

    def test_canary(self) -> None:
        """
        As many users as it says, about, and the same ones each time.
        """
        condition = Canary().build(Canary().settings({"percent": 25, "header": "X-User"}))
        users = [Sight("", fields=lambda name=f"user{number}": [("x-user", name)]) for number in range(1000)]  # type: ignore[misc]
        chosen = [condition.holds(user) for user in users]
        self.assertEqual(chosen, [condition.holds(user) for user in users])
        self.assertTrue(200 < sum(chosen) < 300, sum(chosen))
        self.assertFalse(condition.holds(Sight("")))
        self.assertEqual(condition.objection(Sight("")), "x-user is not there")
        why = self.assertRaises(WrongSettings, Canary().settings, {"percent": 101, "heder": "x"})
        self.assertEqual([path for path, _ in why.mistakes], [("heder",), ("percent",), ("header",)])

    def test_listed(self) -> None:
        """
        The targets of the file, without its comments.
        """
        file = Path(self.mktemp())
        self.assertRaises(OSError, Listed().build, FileSettings(file=file), Clock())
        file.write_text("# ours\n10.0.0.1:80\n\n10.0.0.2:80\n")
        source: Any = Listed().build(FileSettings(file=file), Clock())
        self.assertEqual(source.pick(None), ("10.0.0.1:80", "10.0.0.2:80"))
        source.close()
        source.close()
