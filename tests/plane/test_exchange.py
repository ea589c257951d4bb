"""
What an action may do with an exchange, and what becomes of one that has a bug.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyClass

from smartproxy_tw.config.model import Forward, Respond, Route
from smartproxy_tw.interfaces import IAction, IExchange, IStream
from smartproxy_tw.plane.exchange import Exchange

from .harness import TERMINATE, Peer, PlaneTests, turns

GET = b"GET /x?y HTTP/1.1\r\nHost: a.test\r\n\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class InterfaceTests(SynchronousTestCase):
    """
    L{Exchange}.
    """

    def test_provided(self) -> None:
        """
        It provides the interface.
        """
        verifyClass(IExchange, Exchange)


@implementer(IAction)
class Doing:
    """
    An action that does what a test says.
    """

    def __init__(self, deed: Callable[[Any], object]) -> None:
        self._deed = deed

    def request(self, exchange: IExchange) -> None:
        """Do it."""
        self._deed(exchange)

    def stream(self, stream: IStream) -> None:
        """Do it."""
        self._deed(stream)


class ActionTests(PlaneTests):
    """
    A route with an action of the test's own.
    """

    async def begin(self, deed: Callable[[Any], object], **others: Any) -> int:
        """
        The port of that route; everything with a path of C{/fine} is answered.
        """
        port = await self.port()
        await self.use(
            Route("own", (port,), Respond(), "http"),
            Route("fine", (port,), Respond(body="fine"), "http", path="/fine"),
            **others,
        )
        self.does("own", deed)
        return port

    def does(self, route: str, deed: Callable[[Any], object]) -> None:
        """
        Have a route do something.
        """
        for entrance in self.plane.engine._entrances.values():
            entrance.actions[route] = Doing(deed)

    async def test_facts(self) -> None:
        """
        The facts are those of the request.
        """
        seen = []

        def deed(exchange: IExchange) -> None:
            seen.append(exchange.facts())
            exchange.respond(200, b"", b"")

        port = await self.begin(deed)
        client = await self.client(port)
        client.sends(GET)
        await client.head()
        [facts] = seen
        self.assertEqual((facts.method, facts.host, facts.path, facts.query), ("GET", "a.test", "/x", "y"))
        self.assertEqual(facts.connection.port, port)
        self.assertEqual(facts.connection.client.host, "127.0.0.1")

    async def test_later(self) -> None:
        """
        An action may answer whenever it likes; what is pipelined waits.
        """
        exchanges: list[Any] = []
        port = await self.begin(exchanges.append)
        client = await self.client(port)
        client.sends(GET + GET.replace(b"/x?y", b"/fine"))
        await self.settles(lambda: bool(exchanges), "it has begun")
        await turns(10)
        self.assertEqual((len(exchanges), bytes(client.data)), (1, b""))
        exchanges[0].respond(201, b"", b"late")
        self.assertEqual((await client.message())[1], b"late")
        self.assertEqual((await client.message())[1], b"fine")

    async def test_abort(self) -> None:
        """
        Or break the connection.
        """
        port = await self.begin(lambda exchange: exchange.abort())
        client = await self.client(port)
        client.sends(GET)
        await client.breaksOff()
        await self.isIdle()

    async def test_raises(self) -> None:
        """
        An exception ends that one connection and is logged, wherever the action
        was called from: by the first bytes, by a handshake, by a pipelined
        request, by the end of an answer from a target.
        """

        def bug(exchange: object) -> None:
            raise ZeroDivisionError("a bug")

        origin = self.origin()
        plain, sniffed, secret = await self.port(), await self.port(), await self.port()
        await self.certify("a.test")
        forward = Forward((origin.target,))
        routes = [
            Route(f"{kind}-{number}", (number,), action, "http", path=path, tls=tls)
            for number, tls in ((plain, None), (sniffed, None), (secret, TERMINATE))
            for kind, action, path in (
                ("own", Respond(), None),
                ("up", forward, "/up"),
                ("fine", Respond(), "/fine"),
            )
        ]
        await self.use(*routes, Route("raw", (sniffed,), forward, "tcp"))
        for number in (plain, sniffed, secret):
            self.does(f"own-{number}", bug)
        bystander = await self.client(plain)
        for number in (plain, sniffed, secret):
            for before in (b"", GET.replace(b"/x?y", b"/fine"), GET.replace(b"/x?y", b"/up")):
                client = await (self.tls(number) if number == secret else self.client(number))
                client.sends(before + GET)
                if b"/up" in before:
                    server = await origin.accepts() if origin.count == 0 or not _kept(origin.peers) else None
                    server = server or _kept(origin.peers)[0]
                    await server.head()
                    server.sends(HELLO)
                await client.loses()
                [failure] = self.flushLoggedErrors(ZeroDivisionError)
                self.assertEqual(str(failure.value), "a bug")
                await self.settles(lambda: self.plane.engine.open == 1, "only the bystander is left")
        bystander.sends(GET.replace(b"/x?y", b"/up"))
        server = _kept(origin.peers)[0] if _kept(origin.peers) else await origin.accepts()
        await server.head()
        server.sends(HELLO)
        await bystander.expects(HELLO)

    async def test_streamRaises(self) -> None:
        """
        So does one in an action for a stream.
        """

        def bug(stream: object) -> None:
            raise ZeroDivisionError("a bug")

        plain, secret = await self.port(), await self.port()
        await self.certify("a.test")
        forward = Forward((self.origin().target,))
        await self.use(
            Route("plain", (plain,), forward, "tcp"),
            Route("secret", (secret,), forward, "tcp", tls=TERMINATE),
        )
        for name in ("plain", "secret"):
            self.does(name, bug)
        for client in (await self.client(plain), await self.tls(secret)):
            await client.loses()
        await self.isIdle()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)


def _kept(peers: list[Peer]) -> list[Peer]:
    return [peer for peer in peers if peer.why is None and not peer.isEnded]
