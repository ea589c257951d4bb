"""
Connections whose bytes go to protocols of this process.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from twisted.internet.error import ConnectError, ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IPushProducer, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyClass, verifyObject

from smartproxy_tw.config.model import TLS, Application, Block, Respond, Route, Timeouts
from smartproxy_tw.plane.served import Served

from .harness import TERMINATE, PlaneTests, turns
from .test_tunnel import MIB, noise


class Echo(LineReceiver):
    """
    Says each line again; some lines ask for more.

    @cvar made: All there were.
    """

    made: ClassVar[list[Echo]] = []
    why: Any = None

    def connectionMade(self) -> None:
        """Be known."""
        Echo.made.append(self)

    def lineReceived(self, line: bytes) -> None:
        """Do it."""
        transport: Any = self.transport
        if line == b"leave":
            transport.write(b"last words")
            transport.loseConnection()
            transport.write(b"never seen")
        elif line == b"break":
            transport.abortConnection()
        elif line == b"fail":
            raise RuntimeError("a bug of the protocol")
        elif line == b"exit":
            raise SystemExit(1)
        elif line == b"who":
            peer, host = transport.getPeer(), transport.getHost()
            facts = transport.facts
            self.sendLine(f"{peer.host} {host.port} {facts.port} {facts.serverName} {facts.isTLS}".encode())
        elif line == b"large":
            transport.writeSequence([noise(MIB, 1), noise(MIB, 2)])
            transport.loseConnection()
        else:
            self.sendLine(line)

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        """Keep why."""
        self.why = reason.value


@implementer(IHalfCloseableProtocol)
class Digest(Protocol):
    """
    Says at the end what came, and then that it has said so.
    """

    def connectionMade(self) -> None:
        """Nothing has come."""
        self.digest = hashlib.sha256()

    def dataReceived(self, data: bytes) -> None:
        """Some has."""
        self.digest.update(data)

    def readConnectionLost(self) -> None:
        """All has."""
        transport: Any = self.transport
        transport.write(self.digest.hexdigest().encode())
        transport.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        """Known."""


@implementer(IPushProducer)
class Source(Protocol):
    """
    Gives bytes as long as they are taken.

    @cvar pauses: How often it was told to pause.
    @cvar given: How many bytes it has given.
    """

    pauses = 0
    given = 0
    streaming = True
    total = 32 * MIB

    def connectionMade(self) -> None:
        """Begin."""
        transport: Any = self.transport
        type(self).pauses = type(self).given = 0
        self.isPaused = False
        transport.registerProducer(self, self.streaming)
        if self.streaming:
            self.resumeProducing()

    def resumeProducing(self) -> None:
        """Give."""
        transport: Any = self.transport
        self.isPaused = False
        while not self.isPaused and self.given < self.total:
            type(self).given += 65536
            transport.write(bytes(65536))
            if not self.streaming:
                break
        if self.given >= self.total:
            transport.unregisterProducer()
            transport.loseConnection()

    def pauseProducing(self) -> None:
        """Stop."""
        self.isPaused = True
        type(self).pauses += 1

    def stopProducing(self) -> None:
        """Stop for good."""
        self.isPaused = True


class Pulled(Source):
    """
    Gives bytes when it is asked.
    """

    streaming = False


class Refusing(Factory):
    """
    Has no protocol for anybody.
    """

    noisy = False

    def buildProtocol(self, addr: Any) -> None:
        """None."""


class Slow(Protocol):
    """
    Reads nothing before it is told.
    """

    made: ClassVar[list[Slow]] = []
    received = 0

    def connectionMade(self) -> None:
        """Read nothing."""
        transport: Any = self.transport
        transport.pauseProducing()
        Slow.made.append(self)

    def dataReceived(self, data: bytes) -> None:
        """Count."""
        self.received += len(data)


def application(name: str) -> Application:
    """
    One of those above.
    """
    return Application(f"tests.plane.test_served:{name}", "protocol")


class InterfaceTests(SynchronousTestCase):
    """
    L{Served}.
    """

    def test_provided(self) -> None:
        """
        It is a transport that can be fed and slowed down.
        """
        for interface in (ITCPTransport, IConsumer, IPushProducer):
            verifyClass(interface, Served)


class ServedTests(PlaneTests):
    """
    One route of a protocol.
    """

    async def begin(self, name: str, tls: TLS | None = None, **others: Any) -> int:
        """
        The port of the route.
        """
        Echo.made.clear()
        Slow.made.clear()
        port = await self.port()
        if tls is not None:
            await self.certify("a.test")
        domains = ("a.test",) if tls is not None else ()
        await self.use(Route("p", (port,), application(name), "tcp", domains, tls=tls), **others)
        return port

    async def test_bytes(self) -> None:
        """
        All bytes come, the very first ones too, and what is said goes back.
        """
        port = await self.begin("Echo")
        client = await self.client(port)
        client.sends(b"one\r\ntwo\r\nwho\r\n")
        await client.expects(b"one\r\ntwo\r\n127.0.0.1 %d %d None False\r\n" % (port, port))
        transport: Any = Echo.made[0].transport
        verifyObject(ITCPTransport, transport)
        for value in (True, False):
            transport.setTcpNoDelay(value)
            transport.setTcpKeepAlive(value)
            self.assertEqual((transport.getTcpNoDelay(), transport.getTcpKeepAlive()), (value, value))
        self.assertIs(transport.getPeerCertificate(), None)
        client.leaves()
        await self.isIdle()
        self.assertIsInstance(Echo.made[0].why, ConnectionDone)

    async def test_besideHTTP(self) -> None:
        """
        On a port that HTTP is spoken on too, what was looked at to find out is not lost.
        """
        port = await self.port()
        await self.use(
            Route("p", (port,), application("Echo"), "tcp"),
            Route("h", (port,), Respond(body="http"), "http"),
        )
        client = await self.client(port)
        await client.trickles(b"EHLO a.test\r\n")
        await client.expects(b"EHLO a.test\r\n")
        client.sends(b"leave\r\n")
        self.assertEqual(await client.ends(), b"last words")
        client.leaves()
        await self.isIdle()

    async def test_tls(self) -> None:
        """
        Where TLS ends here the protocol sees what is inside.
        """
        port = await self.begin("Echo", TERMINATE)
        client = await self.tls(port)
        client.sends(b"who\r\nleave\r\n")
        self.assertEqual(await client.ends(), b"127.0.0.1 %d %d a.test True\r\nlast words" % (port, port))
        self.assertTrue(client.isNotified)
        client.leaves()
        await self.isIdle()

    async def test_lastWords(self) -> None:
        """
        What was written last arrives, though the client has sent what nobody reads.
        """
        port = await self.begin("Echo")
        client = await self.client(port)
        client.sends(b"leave\r\n" + b"x" * MIB)
        self.assertEqual(await client.ends(), b"last words")
        self.assertIsInstance(Echo.made[0].why, ConnectionDone)
        client.leaves()
        await self.isIdle()

    async def test_linger(self) -> None:
        """
        A client that does not leave is not waited for long.
        """
        port = await self.begin("Echo")
        client = await self.client(port)
        client.sends(b"leave\r\n")
        self.assertEqual(await client.ends(), b"last words")
        self.assertEqual(self.plane.engine.open, 1)
        self.world.advance(6)
        await self.isIdle()

    async def test_large(self) -> None:
        """
        What is written at once and is too much for the kernel arrives whole before the end.
        """
        for tls in (None, TERMINATE):
            port = await self.begin("Echo", tls)
            client = await (self.client(port) if tls is None else self.tls(port))
            client.sends(b"large\r\n")
            self.assertEqual(await client.ends(), noise(MIB, 1) + noise(MIB, 2))
            client.leaves()
            await self.isIdle()

    async def test_breaks(self) -> None:
        """
        A reset, from either side.
        """
        port = await self.begin("Echo")
        client = await self.client(port)
        client.sends(b"break\r\n")
        await client.breaksOff()
        self.assertIsInstance(Echo.made[0].why, ConnectionAborted)
        client = await self.client(port)
        client.sends(b"x\r\n")
        await client.expects(b"x\r\n")
        client.breaks()
        await self.isIdle()
        self.assertIsInstance(Echo.made[1].why, ConnectionLost)

    async def test_bug(self) -> None:
        """
        A protocol that fails loses its connection, and nothing else happens.
        """
        port = await self.begin("Echo")
        for line in (b"fail\r\n", b"exit\r\n"):
            client = await self.client(port)
            client.sends(line)
            await client.breaksOff()
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
            self.assertIsInstance(Echo.made[-1].why, ConnectionAborted)
        client = await self.client(port)
        client.sends(b"x\r\n")
        await client.expects(b"x\r\n")

    async def test_halfClose(self) -> None:
        """
        A protocol that knows half-closes may answer after the end of what came.
        """
        for tls in (None, TERMINATE):
            port = await self.begin("Digest", tls)
            client = await (self.client(port) if tls is None else self.tls(port))
            data = noise(3 * MIB, 5)
            client.sends(data)
            client.finishes()
            self.assertEqual(await client.ends(), hashlib.sha256(data).hexdigest().encode())
            await self.isIdle()

    async def test_producers(self) -> None:
        """
        A producer is told to wait for a slow client, or is not asked; all of it arrives.
        """
        for name, kind in (("Source", Source), ("Pulled", Pulled)):
            port = await self.begin(name)
            client = await self.client(port)
            client.transport.pauseProducing()  # type: ignore[union-attr]
            await turns(200)
            self.assertLess(kind.given, 16 * MIB)
            self.assertEqual(kind.pauses > 0, kind.streaming)
            client.watch = lambda data: None
            client.transport.resumeProducing()  # type: ignore[union-attr]
            await client.until(lambda client=client: client.isOver)  # type: ignore[misc]
            self.assertEqual(client.received, kind.total)
            client.leaves()
            await self.isIdle()

    async def test_leavesProducer(self) -> None:
        """
        A client that leaves a producer alone: it is stopped.
        """
        port = await self.begin("Source")
        client = await self.client(port)
        await turns(20)
        client.breaks()
        await self.isIdle()

    async def test_paused(self) -> None:
        """
        What a protocol does not read waits in the kernel, so that the client is slowed down.
        """
        port = await self.begin("Slow")
        client = await self.client(port)
        client.sends(bytes(MIB))
        await turns(50)
        (slow,) = Slow.made
        self.assertEqual(slow.received, 0)
        transport: Any = slow.transport
        transport.resumeProducing()
        await self.settles(lambda: slow.received == MIB, "everything has come")

    async def test_idle(self) -> None:
        """
        What says nothing for too long ends, as a tunnel does.
        """
        port = await self.begin("Echo", timeouts=Timeouts(idle=50))
        client = await self.client(port)
        client.sends(b"x\r\n")
        await client.expects(b"x\r\n")
        self.world.advance(51)
        await client.loses()
        await self.isIdle()
        self.assertIsInstance(Echo.made[0].why, ConnectionLost)

    async def test_refused(self) -> None:
        """
        A factory may refuse.
        """
        port = await self.begin("Refusing")
        client = await self.client(port)
        self.assertEqual(await client.loses(), b"")
        await self.isIdle()

    async def test_cut(self) -> None:
        """
        At the end of a drain it is cut, and the protocol told.
        """
        port = await self.begin("Echo")
        client = await self.client(port)
        client.sends(b"x\r\n")
        await client.expects(b"x\r\n")
        self.assertEqual(await self.plane.drain(0), 1)
        await client.loses()
        self.assertIsInstance(Echo.made[0].why, ConnectionAborted)

    async def test_reload(self) -> None:
        """
        Connections go on when the route has gone, and the factory stays the same one while
        it is named.
        """
        port = await self.begin("Echo")
        client = await self.client(port)
        client.sends(b"x\r\n")
        await client.expects(b"x\r\n")
        factory = Echo.made[0].factory
        await self.use(Route("other", (port,), application("Echo"), "tcp"))
        second = await self.client(port)
        second.sends(b"y\r\n")
        await second.expects(b"y\r\n")
        self.assertIs(Echo.made[1].factory, factory)
        await self.use(Route("p", (port,), Respond(body="gone\n"), "tcp"))
        client.sends(b"z\r\n")
        await client.expects(b"z\r\n")
        third = await self.client(port)
        self.assertEqual(await third.ends(), b"gone\n")

    async def test_words(self) -> None:
        """
        A block may say something first, or break the connection.
        """
        port = await self.port()
        await self.use(Route("b", (port,), Block(body="go away\n"), "tcp"))
        client = await self.client(port)
        client.sends(b"unread")
        self.assertEqual(await client.ends(), b"go away\n")
        client.leaves()
        await self.use(Route("b", (port,), Block(isReset=True), "tcp"))
        try:
            client = await self.client(port)
        except ConnectError:
            # It may be broken before the client knows that it was there.
            pass
        else:
            await client.breaksOff()
        await self.isIdle()
