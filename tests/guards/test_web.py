"""
Tests for L{smartproxy_tw.guards.web}, over loopback.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from smartproxy_tw.bounds.body import TooMuch
from smartproxy_tw.guards.web import Reply, Web, worded

reactor: Any = _reactor


class _Server(Protocol):
    """
    Says the same to everybody.
    """

    def dataReceived(self, data: bytes) -> None:
        """Once the head is whole."""
        self.factory.heard.append(data)  # type: ignore[attr-defined, union-attr]
        if data.endswith(b"\r\n\r\n"):
            self.transport.write(self.factory.answer)  # type: ignore[attr-defined, union-attr]

    def connectionMade(self) -> None:
        """Counted."""
        self.factory.connections.append(self)  # type: ignore[attr-defined, union-attr]


class WebTests(TestCase):
    """
    L{Web}.
    """

    async def serve(self, answer: bytes) -> str:
        """
        A server that says this; its URL.
        """
        self.factory = factory = Factory.forProtocol(_Server)
        self.heard: list[bytes] = []
        self.connections: list[Any] = []
        factory.answer, factory.heard, factory.connections = answer, self.heard, self.connections  # type: ignore[attr-defined]
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
        self.addCleanup(port.stopListening)
        self.addCleanup(self._hangUp)
        return f"http://127.0.0.1:{port.getHost().port}/verify?x=1"

    def _hangUp(self) -> Deferred[None]:
        for each in self.connections:
            each.transport.abortConnection()
        done: Deferred[None] = Deferred()
        reactor.callLater(0.01, done.callback, None)
        return done

    def web(self, timeout: float = 5.0) -> Web:
        """
        The way there.
        """
        web = Web(reactor, None, timeout)
        self.addCleanup(web.close)
        return web

    async def test_answer(self) -> None:
        """
        The whole answer comes back, each field of it; redirects are not followed and no cookie is
        kept for the next one who asks.
        """
        url = await self.serve(
            b"HTTP/1.1 302 Found\r\nLocation: /login\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
            b"Content-Length: 2\r\n\r\nhi"
        )
        web = self.web()
        for _ in range(2):
            reply = await web.ask(url, [(b"Cookie", b"c=3"), (b"X-A", b"1")], 100)
            self.assertEqual((reply.status, reply.body), (302, b"hi"))
            self.assertEqual(
                [value for name, value in reply.fields if name == b"Set-Cookie"], [b"a=1", b"b=2"]
            )
            self.assertEqual(reply.value(b"location"), b"/login")
            head = self.heard[-1]
            self.assertTrue(head.startswith(b"GET /verify?x=1 HTTP/1.1\r\n"))
            self.assertEqual(
                [line for line in head.split(b"\r\n") if line.startswith(b"Cookie")], [b"Cookie: c=3"]
            )
        self.assertEqual((len(self.heard), len(self.connections)), (2, 1))

    async def test_tooMuch(self) -> None:
        """
        An answer that is too large is none, and its connection is closed.
        """
        url = await self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 1000)
        failure = await self.assertFailure(self.web().ask(url, [], 999), TooMuch)
        self.assertIn("too large", worded(failure))

    async def test_late(self) -> None:
        """
        Neither an answer that does not come nor one that does not end is waited for.
        """
        for answer in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"):
            url = await self.serve(answer)
            failure = await self.assertFailure(self.web(0.05).ask(url, [], 999), TimeoutError)
            self.assertEqual(worded(failure), "no whole answer within 0.05 s")

    async def test_cancelled(self) -> None:
        """
        A question can be taken back; nothing is left of it.
        """
        url = await self.serve(b"")
        asking = self.web().ask(url, [], 999)
        asking.cancel()
        why = await self.assertFailure(asking, Exception)
        self.assertNotIsInstance(why, TimeoutError)

    async def test_refused(self) -> None:
        """
        Why somebody cannot be reached is told in a few words.
        """
        url = await self.serve(b"nonsense\r\n\r\n")
        await self.assertFailure(self.web().ask(url, [], 9), Exception)
        why = await self.assertFailure(self.web().ask("http://127.0.0.1:1/", [], 9), Exception)
        self.assertIn("cannot be connected to", worded(why))
        self.assertEqual(worded(DNSLookupError()), "its name is not known")
        self.assertEqual(worded(CancelledError()), "CancelledError")

    def test_files(self) -> None:
        """
        A file of those to trust that cannot be used is told at once.
        """
        for name in ("/nowhere.pem", "/dev/null"):
            self.assertRaises(ValueError, Web, reactor, name, 1.0)

    def test_reply(self) -> None:
        """
        The last field of a name counts.
        """
        reply = Reply(200, ((b"A", b"1"), (b"a", b"2")), b"")
        self.assertEqual((reply.value(b"a"), reply.value(b"b")), (b"2", b""))
