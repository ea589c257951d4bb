"""
Conversations with a real plane over loopback: a L{LocalPlane} on real ports,
clients and origins whose words a test writes one by one, and a clock that a
test can push forward.

A test case that derives from L{PlaneTests} also holds, at its end, that nothing
of the plane is left: no connection, no descriptor, no handler, no delayed call.

    >>> port = await self.port()
    >>> origin = self.origin()
    >>> await self.use(Route("all", (port,), Forward((origin.target,)), "http"))
    >>> client = await self.client(port)
    >>> client.sends(b"GET / HTTP/1.1\\r\\nHost: a.test\\r\\n\\r\\n")
    >>> server = await origin.accepts()
    >>> head, body = await server.message()
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet import reactor as _reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHostnameResolver,
    IHostResolution,
    IListeningPort,
    IResolutionReceiver,
)
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.config.model import (
    TLS,
    AccessLog,
    Config,
    Files,
    Route,
    Target,
)
from smartproxy_tw.control.local import LocalPlane
from smartproxy_tw.facts import Credential

from ..ports import held

__all__ = [
    "Gone",
    "Names",
    "Origin",
    "Peer",
    "PlaneTests",
    "TERMINATE",
    "World",
    "authority",
    "credentialFor",
    "descriptors",
    "field",
    "lacksIPv6",
    "reactor",
    "shake",
    "turns",
]

reactor: Any = _reactor

#: How long a test waits for a word before it says what it got instead, in seconds.
PATIENCE = 60.0

#: A route's TLS for tests: its certificate is installed by L{PlaneTests.certify}.
TERMINATE = TLS("terminate", Files("/test/certificate.pem", "/test/key.pem"))


@cache
def lacksIPv6() -> str | None:
    """
    Why tests that need IPv6 are skipped here, if they are.
    """
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return "needs IPv6 on the loopback interface"
    return None


@cache
def authority() -> Signer:
    """
    One certificate authority for all tests of a run.
    """
    return Signer.create("Test Authority")


@cache
def credentialFor(*names: str) -> Credential:
    """
    A certificate for names, by L{authority}.
    """
    return authority().issue(names, lifetime=86400.0)


def descriptors() -> Counter[str]:
    """
    How many sockets, pipes and polls this process has open.
    """
    found: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):
        try:
            kind = os.readlink(f"/proc/self/fd/{name}").partition("[")[0]
        except FileNotFoundError:
            continue
        if kind in ("socket:", "anon_inode:", "pipe:"):
            found[kind] += 1
    # Whoever asks for free ports may have a block of them kept for the process.
    found["socket:"] -= held()
    return found


class Gone(Exception):
    """
    The other side went away while something was expected from it.
    """


@implementer(IHostnameResolver)
class Names:
    """
    A resolver that knows what it was told, and answers in a later turn.

    @ivar known: Addresses by name.
    @ivar asked: Every name that was asked for.
    @ivar isSilent: Whether no question is answered.
    """

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {"localhost": ["127.0.0.1"]}
        self.asked: list[str] = []
        self.isSilent = False

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[Any]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """See L{IHostnameResolver}."""
        self.asked.append(hostName)

        def answer() -> None:
            for host in self.known.get(hostName, ()):
                kind: Any = IPv6Address if ":" in host else IPv4Address
                resolutionReceiver.addressResolved(kind("TCP", host, portNumber))
            resolutionReceiver.resolutionComplete()

        if not self.isSilent:
            reactor.callLater(0, answer)
        return None  # type: ignore[return-value]


class World:
    """
    The reactor, with names of its own, a clock that can be pushed forward, and
    delays that are over at once.

    @ivar isHurried: Whether they are: not where a busy machine would then be too late.
    """

    def __init__(self) -> None:
        self.nameResolver = Names()
        self.isHurried = True
        self._ahead = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)

    def seconds(self) -> float:
        """See L{twisted.internet.interfaces.IReactorTime}."""
        ours: float = reactor.seconds() + self._ahead
        return ours

    def callLater(self, delay: float, call: Callable[..., object], *arguments: object) -> Any:
        """Much sooner than asked."""
        return reactor.callLater(min(delay, 0.005) if self.isHurried else delay, call, *arguments)

    def advance(self, seconds: float) -> None:
        """
        Push the clock forward.
        """
        self._ahead += seconds


@implementer(IHalfCloseableProtocol)
class Peer(Protocol):
    """
    One end of a connection whose other end is the plane.

    @ivar data: What came and was not yet asked for; decrypted.
    @ivar isEnded: Whether the other side has shut down cleanly.
    @ivar isNotified: Whether it said so in TLS (close_notify).
    @ivar why: Why the connection is gone; L{None} while it is there.
    @ivar received: Bytes of application data, counted.
    @ivar watch: Called with data in place of keeping it, when set.
    @ivar patience: How long it waits for a word, in seconds.
    @ivar credit: Bytes that it may still send before it is cut; L{None} for
        any number.
    @ivar cut: What is done then.
    """

    def __init__(self, ssl: SSL.Connection | None = None) -> None:
        self.data = bytearray()
        self.isEnded = self.isNotified = False
        self.why: Exception | None = None
        self.received = 0
        self.watch: Callable[[bytes], None] | None = None
        self.ssl = ssl
        self.isShaken = False
        self._held = b""
        self.patience = PATIENCE
        self.credit: int | None = None
        self.cut: Callable[[Peer], None] = Peer.breaks
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    # Protocol and IHalfCloseableProtocol

    def connectionMade(self) -> None:
        """Begin."""
        self.transport.setTcpNoDelay(True) if hasattr(self.transport, "setTcpNoDelay") else None
        if self.ssl is not None:
            self._turn()

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        if self.ssl is None:
            self._hear(data)
        else:
            self.ssl.bio_write(data)
            self._turn()
        self._look()

    def _hear(self, data: bytes) -> None:
        self.received += len(data)
        if self.watch is not None:
            self.watch(data)
        else:
            self.data += data

    def _turn(self) -> None:
        """Turn TLS's crank."""
        assert self.ssl is not None
        try:
            if not self.isShaken:
                self.ssl.do_handshake()
                self.isShaken = True
                held, self._held = self._held, b""
                self.sends(held)
            while not self.isNotified:
                self._hear(self.ssl.recv(65536))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.isNotified = True
        except SSL.Error as error:
            self.why = error
            self._pour()
            self.transport.abortConnection()
            return
        self._pour()

    def _pour(self) -> None:
        assert self.ssl is not None
        try:
            while True:
                self._say(self.ssl.bio_read(65536))
        except SSL.Error:
            pass

    def readConnectionLost(self) -> None:
        """The other side has ended."""
        self.isEnded = True
        self._look()

    def writeConnectionLost(self) -> None:
        """Ours to know."""

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]
        """It is gone."""
        self.why = self.why or reason.value
        self._look()

    def _look(self) -> None:
        for entry in list(self._waiting):
            condition, waiting = entry
            if condition():
                self._waiting.remove(entry)
                waiting.callback(None)

    async def until(self, condition: Callable[[], bool], what: str = "something") -> None:
        """
        Wait for a condition over this peer, or fail and say what is the case.
        """
        if condition():
            return
        waiting: Deferred[None] = Deferred()
        entry = (condition, waiting)
        self._waiting.append(entry)
        late = reactor.callLater(self.patience, waiting.errback, AssertionError(""))
        try:
            await waiting
        except AssertionError:
            self._waiting.remove(entry)
            state = f"ended={self.isEnded} notified={self.isNotified} why={self.why!r}"
            raise AssertionError(f"waited for {what}; had {bytes(self.data[:2000])!r} {state}") from None
        finally:
            if late.active():
                late.cancel()

    @property
    def isOver(self) -> bool:
        """
        Whether nothing more can come.
        """
        return self.isEnded or self.isNotified or self.why is not None

    # What a test says.

    def sends(self, data: bytes) -> None:
        """
        Say something, in one segment where it fits.
        """
        if self.ssl is not None:
            if not self.isShaken:
                self._held += data
                return
            view = memoryview(data)
            while view:
                view = view[self.ssl.send(view[:1000000]) :]
            self._pour()
        else:
            self._say(data)

    def _say(self, data: bytes) -> None:
        if self.why is not None:
            return
        if self.credit is None:
            self.transport.write(data)
            return
        part, self.credit = data[: self.credit], self.credit - len(data)
        self.transport.write(part)
        if self.credit <= 0:
            self.credit = 0
            self.cut(self)

    async def trickles(self, data: bytes) -> None:
        """
        Say it byte by byte, each in a segment of its own.
        """
        for index in range(len(data)):
            self.sends(data[index : index + 1])
            await turns(2)

    def finishes(self) -> None:
        """
        Say nothing more: close_notify in TLS, and the end of the stream.
        """
        if self.ssl is not None:
            self.notifies()
        self.transport.loseWriteConnection()

    def notifies(self) -> None:
        """
        Only close_notify; the socket stays open.
        """
        assert self.ssl is not None
        try:
            self.ssl.shutdown()
        except SSL.Error:
            pass
        self._pour()

    def leaves(self) -> None:
        """
        Close both ways.
        """
        self.transport.loseConnection()

    def breaks(self) -> None:
        """
        Reset.
        """
        self.transport.abortConnection()

    # What a test expects.

    async def expects(self, data: bytes) -> None:
        """
        Exactly this comes next.
        """
        await self.until(
            lambda: len(self.data) >= len(data) or self.isOver or not data.startswith(self.data), repr(data)
        )
        found = bytes(self.data[: len(data)])
        if found != data and data.startswith(found) and self.isOver:
            raise Gone(f"expected {data!r}, found {found!r}, why={self.why!r}")
        if found != data:
            raise AssertionError(f"expected {data!r}, found {bytes(self.data[:2000])!r}, why={self.why!r}")
        del self.data[: len(data)]

    async def takes(self, size: int) -> bytes:
        """
        So many bytes, whatever they are.
        """
        await self.until(lambda: len(self.data) >= size or self.isOver, f"{size} bytes")
        if len(self.data) < size:
            raise Gone(f"{size} bytes expected, there are {bytes(self.data[:2000])!r}")
        found = bytes(self.data[:size])
        del self.data[:size]
        return found

    async def through(self, end: bytes) -> bytes:
        """
        Everything up to and with some bytes.
        """
        await self.until(lambda: end in self.data or self.isOver, repr(end))
        if end not in self.data:
            raise Gone(f"{end!r} expected, there is {bytes(self.data[:2000])!r}, why={self.why!r}")
        return await self.takes(self.data.index(end) + len(end))

    async def head(self) -> bytes:
        """
        A head with its empty line.
        """
        return await self.through(b"\r\n\r\n")

    async def message(self, hasBody: bool = True) -> tuple[bytes, bytes]:
        """
        A head and the body that it announces, chunks undone.
        """
        head = await self.head()
        if not hasBody:
            return head, b""
        length = field(head, b"content-length")
        if length is not None:
            return head, await self.takes(int(length))
        if field(head, b"transfer-encoding") == b"chunked":
            return head, await self._chunks()
        return head, b""

    async def _chunks(self) -> bytes:
        pieces = []
        while size := int((await self.through(b"\r\n")).split(b";")[0], 16):
            pieces.append(await self.takes(size))
            await self.expects(b"\r\n")
        while await self.through(b"\r\n") != b"\r\n":
            pass
        return b"".join(pieces)

    async def ends(self) -> bytes:
        """
        The clean end of the stream.

        @return: What came before it.
        """
        await self.until(lambda: self.isOver, "the end")
        if not (self.isEnded or self.isNotified) and "cleanly" not in str(self.why):
            raise AssertionError(f"not a clean end: {self.why!r} after {bytes(self.data[:2000])!r}")
        found = bytes(self.data)
        self.data.clear()
        return found

    async def loses(self) -> bytes:
        """
        The connection goes, in whatever way.

        @return: What came before it.
        """
        await self.until(lambda: self.isOver, "the end or a reset")
        found = bytes(self.data)
        self.data.clear()
        return found

    async def breaksOff(self) -> bytes:
        """
        The connection is reset.

        @return: What came before it.
        """
        await self.until(lambda: self.isOver, "a reset")
        if self.isEnded or self.isNotified or "cleanly" in str(self.why):
            raise AssertionError(f"a clean end after {bytes(self.data[:2000])!r}")
        found = bytes(self.data)
        self.data.clear()
        return found

    @property
    def peerCertificate(self) -> bytes:
        """
        What the other side has shown, as PEM.
        """
        assert self.ssl is not None
        shown = self.ssl.get_peer_certificate()
        assert shown is not None
        return crypto.dump_certificate(crypto.FILETYPE_PEM, shown)


def field(head: bytes, name: bytes) -> bytes | None:
    """
    The value of a field in a head; L{None} when it is not there.
    """
    for line in head.split(b"\r\n")[1:]:
        found, colon, value = line.partition(b":")
        if colon and found.lower() == name:
            return value.strip().lower()
    return None


def serverSSL(credential: Credential, alpn: bytes = b"") -> SSL.Connection:
    """
    The TLS of an origin.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, credential.chain))
    context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, credential.key))
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection


@cache
def _clientContext(alpn: tuple[bytes, ...], highest: int, lowest: int) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if highest:
        context.set_max_proto_version(highest)
    if lowest:
        context.set_min_proto_version(lowest)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
    if alpn:
        context.set_alpn_protos(list(alpn))
    return context


def clientSSL(
    name: str | None, alpn: Sequence[bytes] = (), highest: int = 0, lowest: int = 0
) -> SSL.Connection:
    """
    The TLS of a client that believes everything.
    """
    connection = SSL.Connection(_clientContext(tuple(alpn), highest, lowest), None)
    if name is not None:
        connection.set_tlsext_host_name(name.encode())
    connection.set_connect_state()
    return connection


def shake(client: SSL.Connection, server: SSL.Connection) -> bool:
    """
    Have two connections shake hands in memory.
    """
    for _ in range(6):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error:
                return False
            try:
                other.bio_write(one.bio_read(65536))
            except SSL.Error:
                pass
    return client.get_finished() is not None and server.get_peer_finished() is not None


class Origin:
    """
    A listening server whose connections a test serves.

    @ivar count: How many connections there were.
    @ivar peers: All of them.
    @ivar prepare: Called with each peer before its connection begins.
    """

    def __init__(self, ssl: Callable[[], SSL.Connection] | None = None) -> None:
        self._ssl = ssl
        self.prepare: Callable[[Peer], object] | None = None
        self.peers: list[Peer] = []
        self._taken = 0
        self._serve: Callable[[Peer], Coroutine[Any, Any, None]] | None = None
        self._waiting: list[Deferred[Peer]] = []
        self.factory = Factory.forProtocol(Protocol)
        self.factory.buildProtocol = self._build  # type: ignore[method-assign,assignment]
        self.port: IListeningPort

    @property
    def count(self) -> int:
        """
        How many connections there were.
        """
        return len(self.peers)

    @property
    def number(self) -> int:
        """
        The port.
        """
        found: int = self.port.getHost().port  # type: ignore[attr-defined]
        return found

    @property
    def target(self) -> Target:
        """
        As routes have it.
        """
        host = self.port.getHost()
        name = getattr(host, "name", None)
        if name is not None:
            return Target(os.fsdecode(name), 0)
        return Target(host.host, host.port)  # type: ignore[attr-defined]

    def _build(self, address: object) -> Peer:
        peer = Peer(self._ssl() if self._ssl is not None else None)
        if self.prepare is not None:
            self.prepare(peer)
        self.peers.append(peer)
        if self._serve is not None:
            # A server waits for the next request for as long as its client likes.
            peer.patience = 120.0
            reactor.callLater(0, self._begin, peer)
        elif self._waiting:
            self._taken += 1
            reactor.callLater(0, self._waiting.pop(0).callback, peer)
        return peer

    def _begin(self, peer: Peer) -> None:
        async def serve() -> None:
            assert self._serve is not None
            try:
                await self._serve(peer)
            except Gone:
                peer.leaves()

        Deferred.fromCoroutine(serve())

    def serves(self, script: Callable[[Peer], Coroutine[Any, Any, None]]) -> None:
        """
        Serve every connection by a script; it ends when the peer goes.
        """
        self._serve = script

    def answers(self, answer: bytes | Callable[[bytes, bytes], bytes]) -> None:
        """
        Serve every connection by answering each request.

        @param answer: The same for each, or made of its head and body.
        """

        async def script(peer: Peer) -> None:
            while True:
                head, body = await peer.message()
                peer.sends(answer if isinstance(answer, bytes) else answer(head, body))

        self.serves(script)

    async def accepts(self) -> Peer:
        """
        The next connection.
        """
        if self._taken < len(self.peers):
            self._taken += 1
            return self.peers[self._taken - 1]
        waiting: Deferred[Peer] = Deferred()
        waiting.addTimeout(PATIENCE, reactor)
        self._waiting.append(waiting)
        return await waiting


class _Refuse(Factory):
    noisy = False

    def buildProtocol(self, address: object) -> None:
        """Nothing: the plane accepts."""


class _Connect(ClientFactory):
    noisy = False

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.connected: Deferred[Peer] = Deferred()

    def buildProtocol(self, address: object) -> Peer:
        """The peer."""
        reactor.callLater(0, self.connected.callback, self._peer)
        return self._peer

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        """Tell."""
        self.connected.errback(reason)


async def turns(count: int, pause: float = 0.0) -> None:
    """
    Let the reactor turn so many times.

    @param pause: How long each of them lasts at least, in seconds.
    """
    for _ in range(count):
        turn: Deferred[None] = Deferred()
        reactor.callLater(pause, turn.callback, None)
        await turn


class PlaneTests(TestCase):
    """
    A plane, and that nothing of it is left at the end.

    @ivar world: The plane's reactor.
    @ivar plane: Started.
    """

    timeout = 300

    async def setUp(self) -> None:
        """A plane without ports."""
        # The reactor has pipes of its own once it runs.
        await turns(1)
        self.before = descriptors()
        self.world = World()
        self.plane = LocalPlane(self.world, clock=lambda: 1_700_000_000.0 + self.world.seconds())
        self.plane.start()
        self._ports: dict[int, Any] = {}
        self._fresh: list[int] = []
        self._origins: list[Origin] = []
        self._peers: list[Peer] = []

    async def tearDown(self) -> None:
        """Nothing is left."""
        await self.plane.drain(0)
        for port in [*self._ports.values(), *[origin.port for origin in self._origins]]:
            await Deferred.fromCoroutine(self._stop(port))
        peers = self._peers + [peer for origin in self._origins for peer in origin.peers]
        for peer in peers:
            if peer.transport is not None:
                peer.transport.abortConnection()
        self.assertEqual(self.plane.engine.open, 0)
        self.assertEqual(self.plane.engine.poller.mortals, {})
        self.assertEqual(self.plane.engine.poller.handlers, {})
        await self.settles(lambda: descriptors() <= self.before, "no descriptor is left")

    async def _stop(self, port: Any) -> None:
        stopped = port.stopListening()
        if stopped is not None:
            await stopped

    async def settles(self, condition: Callable[[], bool], what: str) -> None:
        """
        Turn the reactor until something is the case.
        """
        end = reactor.seconds() + PATIENCE
        turn = 0
        while not condition():
            if reactor.seconds() > end:
                self.fail(f"it never came about that {what}: {self.before} then, {descriptors()} now")
            # What does not come in a few turns waits for a time, which is no reason to keep a processor busy.
            await turns(1, 0.0 if turn < 20 else 0.001)
            turn += 1

    async def swept(self) -> None:
        """
        Everything whose time is over by now has been told so, or nothing is told any more, as
        the plane has been drained.
        """
        poller = self.plane.engine.poller
        tick = poller._tick
        await self.settles(lambda: poller._tick is not tick or poller._isStopped, "time passes")

    async def isIdle(self) -> None:
        """
        Every client connection of the plane has ended.
        """
        await self.settles(lambda: self.plane.engine.open == 0, "no connection is open")

    async def port(self, interface: str = "127.0.0.1") -> int:
        """
        Bind a port; L{use} has the plane adopt it.
        """
        bound = reactor.listenTCP(0, _Refuse(), backlog=1024, interface=interface)
        bound.stopReading()
        number: int = bound.getHost().port
        self._ports[number] = bound
        self._fresh.append(number)
        return number

    async def use(self, *routes: Route, **others: Any) -> None:
        """
        Use these routes, and adopt the ports that are new.

        @param others: Further attributes of L{Config}.
        """
        await self.plane.useTable(self.config(*routes, **others))
        for number in self._fresh:
            await self.plane.adopt(self._ports[number], number)
        self._fresh = []

    def config(self, *routes: Route, **others: Any) -> Config:
        """
        A configuration; no access log and no numbers of requests unless they
        are asked for.
        """
        others.setdefault("accessLog", AccessLog("off"))
        others.setdefault("requestID", False)
        return Config(routes, "/nowhere", **others)

    async def certify(self, *names: str, tls: TLS = TERMINATE) -> Credential:
        """
        Install a certificate by L{authority}.
        """
        credential = credentialFor(*names)
        assert tls.certificate is not None
        await self.plane.install(tls.certificate.key, credential)
        return credential

    def origin(self, interface: str = "127.0.0.1", credential: Credential | None = None) -> Origin:
        """
        A server, with TLS when it has a certificate.
        """
        origin = Origin((lambda: serverSSL(credential)) if credential is not None else None)
        if interface.startswith("/"):
            origin.port = reactor.listenUNIX(interface, origin.factory)
        else:
            # Whom a full queue keeps out asks again a second later.
            origin.port = reactor.listenTCP(0, origin.factory, backlog=1024, interface=interface)
        self._origins.append(origin)
        return origin

    def fresh(self, content: bytes | None = None) -> Path:
        """
        The path of a file of the test's own, with this in it if anything.
        """
        path = Path(self.mktemp()).absolute()
        if content is not None:
            path.write_bytes(content)
        return path

    def deadPort(self, interface: str = "127.0.0.1") -> int:
        """
        A port that refuses, held for the time of the test.
        """
        holder = socket.socket()
        holder.bind((interface, 0))
        self.addCleanup(holder.close)
        self.before["socket:"] += 1
        number: int = holder.getsockname()[1]
        return number

    async def client(
        self,
        port: int,
        ssl: SSL.Connection | None = None,
        host: str = "127.0.0.1",
        source: str = "",
        peer: Peer | None = None,
    ) -> Peer:
        """
        Connect.

        @param source: The address to come from.
        @param peer: What is to be connected.
        """
        peer = peer or Peer(ssl)
        self._peers.append(peer)
        factory = _Connect(peer)
        reactor.connectTCP(host, port, factory, bindAddress=(source, 0) if source else None)
        return await factory.connected

    async def tls(
        self,
        port: int,
        name: str | None = "a.test",
        alpn: Sequence[bytes] = (),
        highest: int = 0,
        lowest: int = 0,
    ) -> Peer:
        """
        Connect and shake hands.
        """
        peer = await self.client(port, clientSSL(name, alpn, highest, lowest))
        await peer.until(lambda: peer.isShaken or peer.isOver, "a handshake")
        return peer
