"""
The handshake, call by call; and what else can come where TLS is expected.
"""

from __future__ import annotations

import select
import socket
from typing import Any

from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Respond, Route, Timeouts, UpstreamTLS
from smartproxy_tw.plane import binding
from smartproxy_tw.plane.contexts import clientContext, serverContext
from smartproxy_tw.plane.handshake import Handshake
from smartproxy_tw.plane.poller import ENDED, READABLE, WRITABLE, Poller
from smartproxy_tw.plane.tls import TLSWire, secured

from .harness import TERMINATE, Peer, PlaneTests, clientSSL, credentialFor, turns
from .records import Secrets

IN = select.EPOLLIN
GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


class Counted:
    """
    A socket that counts what it is asked for.

    @ivar calls: C{"recv"} or C{"send"} for each call, in order; one that came
        back with nothing has a C{!}.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        """As the socket does."""
        try:
            data = self._sock.recv(size)
        except BlockingIOError:
            self.calls.append("recv!")
            raise
        self.calls.append("recv")
        return data

    def send(self, data: bytes) -> int:
        """As the socket does."""
        self.calls.append("send")
        return self._sock.send(data)

    def counted(self) -> list[str]:
        """
        The calls since this was asked last.
        """
        calls, self.calls = self.calls, []
        return calls


class Readers(Clock):
    """
    A reactor with nothing to read.
    """

    def addReader(self, reader: object) -> None:
        """Nothing comes of it."""

    def removeReader(self, reader: object) -> None:
        """Nor of this."""


def bytesOf(client: SSL.Connection) -> bytes:
    """
    What a connection in memory has to say.
    """
    found = b""
    while True:
        try:
            found += client.bio_read(65536)
        except SSL.Error:
            return found


class CallTests(SynchronousTestCase):
    """
    One read and one write of the socket for each wake-up.
    """

    hasFastPath = True

    def setUp(self) -> None:
        """Two sockets, and a server's handshake on one of them."""
        self.patch(binding, "hasFastPath", self.hasFastPath)
        self.context = serverContext(credentialFor("a.test"), True)
        reactor: Any = Readers()
        self.poller = Poller(reactor)
        self.addCleanup(self.poller.stop)
        self.ended: list[str] = []
        self.data: list[bytes] = []
        self.wire: TLSWire | None = None

    def begins(self, connection: SSL.Connection, isServer: bool) -> tuple[socket.socket, Counted, Handshake]:
        """
        Begin a handshake.
        """
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        for sock in (near, far):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        counted: Any = Counted(far)
        shaking = Handshake(
            self.poller,
            counted,
            connection,
            1e9,
            self.shaken,
            lambda why, late: self.ended.append(why),
            isServer,
        )
        return near, counted, shaking

    def shaken(self, wire: TLSWire) -> None:
        """
        Read what there is, as a session does.
        """
        self.wire = wire
        try:
            while True:
                self.data.append(wire.recv(65536))
                if wire.isShort or not self.data[-1]:
                    break
        except BlockingIOError:
            pass

    def server(self) -> SSL.Connection:
        """
        A server in memory.
        """
        server = SSL.Connection(self.context, None)
        server.set_accept_state()
        return server

    def speak(self, ssl: SSL.Connection, heard: bytes = b"") -> bytes:
        """
        A turn of the other side.
        """
        if heard:
            ssl.bio_write(heard)
        try:
            ssl.do_handshake()
        except SSL.WantReadError:
            pass
        return bytesOf(ssl)

    def test_server(self) -> None:
        """
        The server's whole flight is one write; the client's last message and
        its first request are one read, and nothing is asked for twice.
        """
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            for early in (GET, b""):
                self.data = []
                near, counted, shaking = self.begins(self.server(), True)
                client = clientSSL("a.test", highest=version)
                near.send(self.speak(client))
                shaking.ready(IN)
                self.assertEqual(counted.counted(), ["recv", "send"])
                last = self.speak(client, near.recv(65536))
                if version == SSL.TLS1_3_VERSION and early:
                    client.send(early)
                    last += bytesOf(client)
                near.send(last)
                shaking.ready(IN | WRITABLE)
                self.assertTrue(shaking.isDone)
                self.assertEqual(counted.counted(), ["recv", "send"])
                isEarly = version == SSL.TLS1_3_VERSION and early
                self.assertEqual(self.data, [early] if isEarly else [])
                # From now on each wake-up is one of each, too.
                self.speak(client, near.recv(65536))
                assert self.wire is not None
                client.send(GET)
                near.send(bytesOf(client))
                self.assertEqual(self.wire.recv(65536), GET)
                self.wire.write(b"answer")
                self.assertEqual(counted.counted(), ["recv", "send"])

    def test_client(self) -> None:
        """
        The same from the other side.
        """
        client = SSL.Connection(clientContext(UpstreamTLS(verify=False)), None)
        client.set_connect_state()
        near, counted, shaking = self.begins(client, False)
        server = self.server()
        shaking.ready(WRITABLE)
        self.assertEqual(counted.counted(), ["send"])
        near.send(self.speak(server, near.recv(65536)))
        shaking.ready(IN | WRITABLE)
        self.assertEqual(counted.counted(), ["recv", "send"])
        self.assertTrue(shaking.isDone)

    def test_large(self) -> None:
        """
        A write larger than any buffer is one write of the socket.
        """
        near, counted, shaking = self.begins(self.server(), True)
        client = clientSSL("a.test")
        near.send(self.speak(client))
        shaking.ready(IN)
        near.send(self.speak(client, near.recv(65536)))
        shaking.ready(IN)
        assert self.wire is not None
        counted.counted()
        for size in (1, 16384, 65536, 131072, 300_000):
            self.assertTrue(self.wire.write(bytes(size)))
            self.assertEqual(counted.counted(), ["send"], size)
            near.recv(1 << 20)

    def test_everySplit(self) -> None:
        """
        A hello that comes in any two pieces, or byte by byte, is one hello; each
        piece costs one read.
        """
        # One without the large keys that are common nowadays, which would only be more of the same.
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self.assertTrue(binding.limitGroups(context, "X25519"))
        client = SSL.Connection(context, None)
        client.set_tlsext_host_name(b"a.test")
        client.set_connect_state()
        hello = self.speak(client)
        for at in [*range(1, len(hello)), 0]:
            pieces = [hello[:at], hello[at:]] if at else [hello[i : i + 1] for i in range(len(hello))]
            near, counted, shaking = self.begins(self.server(), True)
            for piece in pieces[:-1]:
                near.send(piece)
                shaking.ready(IN)
                self.assertEqual(counted.counted(), ["recv"])
            near.send(pieces[-1])
            shaking.ready(IN)
            self.assertEqual(counted.counted(), ["recv", "send"])
            shaking.cancel()
        self.assertEqual(self.ended, [])

    def test_spuriousEvents(self) -> None:
        """
        An event that says only that something can be sent asks for nothing.
        """
        near, counted, shaking = self.begins(self.server(), True)
        near.send(self.speak(clientSSL("a.test"))[:20])
        shaking.ready(IN)
        counted.counted()
        shaking.ready(WRITABLE)
        self.assertEqual(counted.counted(), [])

    def test_endInside(self) -> None:
        """
        An end at any place ends the handshake, be it announced with the bytes
        before it or after them.
        """
        hello = self.speak(clientSSL("a.test"))
        for at in (0, 1, 5, 100, len(hello) - 1, len(hello)):
            for isTogether in (True, False):
                self.ended = []
                near, _, shaking = self.begins(self.server(), True)
                near.send(hello[:at])
                if not isTogether:
                    shaking.ready(IN)
                near.shutdown(socket.SHUT_WR)
                shaking.ready(IN | ENDED)
                self.assertEqual(len(self.ended), 1, at)
                self.assertIn("closed the connection", self.ended[0])

    def test_endBehindRequest(self) -> None:
        """
        An end that came along with the last message and a request is read after
        them.
        """
        near, _, shaking = self.begins(self.server(), True)
        client = clientSSL("a.test")
        near.send(self.speak(client))
        shaking.ready(IN)
        last = self.speak(client, near.recv(65536))
        client.send(GET)
        near.send(last + bytesOf(client))
        near.shutdown(socket.SHUT_WR)
        shaking.ready(IN | ENDED)
        assert self.wire is not None
        self.assertEqual(self.data[0], GET)
        self.assertFalse(self.wire.isShort)
        self.assertEqual(self.wire.recv(100), b"")

    def test_bugBehind(self) -> None:
        """
        Where who is to have the wire has a bug before it listens to that, the connection ends; where it
        listens already, it is its own.
        """
        for isTaken in (False, True):

            def shaken(wire: TLSWire, isTaken: bool = isTaken) -> None:
                if isTaken:
                    self.poller.handlers[wire.fd] = lambda event: None
                raise ZeroDivisionError

            self.patch(self, "shaken", shaken)
            client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
            client.set_connect_state()
            near, counted, shaking = self.begins(self.server(), True)
            descriptor = counted.fileno()
            shaking.begin(self.speak(client), 0)
            near.send(self.speak(client, near.recv(65536)))
            try:
                shaking.ready(READABLE)
            except ZeroDivisionError:
                shaking.crash()
            self.assertTrue(shaking.isDone)
            self.assertEqual(counted.fileno() == descriptor, isTaken)
            self.assertEqual(descriptor in self.poller.handlers, isTaken)
            self.assertEqual(self.poller.mortals, {})
            self.assertEqual(self.ended, [])


class PublicCallTests(CallTests):
    """
    The same with pyOpenSSL's public names only.
    """

    hasFastPath = False

    def test_kind(self) -> None:
        """
        It is the other wire that is tested here.
        """
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        self.assertIsNot(type(secured(far, self.server())), TLSWire)


class HostileTests(PlaneTests):
    """
    What clients do that mean no good.
    """

    async def setUp(self) -> None:
        """A port that answers."""
        await super().setUp()
        self.number = await self.port()
        await self.certify("a.test")
        await self.use(Route("a", (self.number,), Respond(body="a"), "http", tls=TERMINATE))

    async def serves(self) -> None:
        """
        Somebody else is served.
        """
        peer = await self.tls(self.number)
        peer.sends(GET)
        self.assertEqual((await peer.message())[1], b"a")
        peer.leaves()

    async def test_truncated(self) -> None:
        """
        Handshakes that end, or break, after any part of the client's bytes leave
        nothing behind.
        """
        total = 600
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            for deed in (Peer.breaks, Peer.leaves, lambda peer: peer.transport.loseWriteConnection()):
                for credit in range(1, total, 37):
                    peer = Peer(clientSSL("a.test", highest=version))
                    peer.credit = credit
                    peer.cut = deed
                    await self.client(self.number, peer=peer)
                    peer.sends(GET)
                    await peer.until(lambda peer=peer: peer.isOver or peer.received > 0, "an end")
                    peer.breaks()
        await self.isIdle()
        await self.serves()

    async def test_dribble(self) -> None:
        """
        A handshake byte by byte succeeds within the time for a head, and ends
        with it.
        """
        ssl = clientSSL("a.test")
        peer = await self.client(self.number)
        try:
            ssl.do_handshake()
        except SSL.WantReadError:
            pass
        hello = bytesOf(ssl)
        await peer.trickles(hello)
        await peer.until(lambda: len(peer.data) > 500, "a flight")
        self.world.advance(Timeouts().head + 1)
        await peer.loses()
        await self.isIdle()

    async def test_alerts(self) -> None:
        """
        Alerts in place of a hello, of the last message, and of a request end the
        connection and nothing else.
        """
        for level in (1, 2):
            for kind in (0, 10, 40, 90, 100, 255):
                alert = bytes((21, 3, 3, 0, 2, level, kind))
                bare = await self.client(self.number)
                bare.sends(alert)
                await bare.loses()
                ssl = clientSSL("a.test")
                self.assertRaises(SSL.WantReadError, ssl.do_handshake)
                half = await self.client(self.number)
                half.sends(bytesOf(ssl))
                await half.until(lambda half=half: len(half.data) > 500, "a flight")
                half.sends(alert)
                half.finishes()
                await half.loses()
                whole = await self.tls(self.number)
                whole.transport.write(alert)
                await whole.loses()
        await self.isIdle()
        await self.serves()

    async def test_garbage(self) -> None:
        """
        So do bytes that are no records, behind a whole handshake.
        """
        for junk in (GET, b"\0" * 100, b"\x17\x03\x03\xff\xff" + b"x" * 70000, b"\x16\x03\x01\0\5hello"):
            peer = await self.tls(self.number)
            peer.transport.write(junk)
            await peer.loses()
            self.assertEqual(peer.received, 0)
        await self.isIdle()
        await self.serves()

    async def test_closeNotify(self) -> None:
        """
        Whoever says goodbye is told goodbye, also in the midst of an answer.
        """
        peer = await self.tls(self.number)
        peer.notifies()
        await peer.until(lambda: peer.isOver, "an answer")
        self.assertTrue(peer.isNotified or peer.isEnded)
        peer = await self.tls(self.number)
        peer.sends(GET)
        peer.notifies()
        await peer.until(lambda: peer.isOver, "an answer")
        self.assertIn(b"200 OK", peer.data)
        await self.isIdle()

    async def test_renegotiation(self) -> None:
        """
        TLS 1.2 begins once.
        """
        peer = await self.tls(self.number, highest=SSL.TLS1_2_VERSION)
        peer.sends(GET)
        await peer.message()
        assert peer.ssl is not None
        peer.ssl.renegotiate()
        for _ in range(3):
            try:
                peer.ssl.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error:
                break
            peer._pour()
            await turns(20)
        # OpenSSL answers with the warning no_renegotiation, upon which its client gives up.
        await peer.until(lambda: peer.why is not None or peer.isOver, "a refusal")
        self.assertIn("renegotiation", str(peer.why))
        await self.serves()

    async def flooded(self, make: Any) -> tuple[int, int]:
        """
        Send records of one kind until the connection is over.

        @return: How many were sent, and how many bytes waited to be sent back at
            most.
        """
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        secrets = Secrets(context)
        ssl = SSL.Connection(context, None)
        ssl.set_tlsext_host_name(b"a.test")
        ssl.set_connect_state()
        peer = await self.client(self.number, ssl)
        await peer.until(lambda: peer.isShaken, "a handshake")
        await turns(5)
        sent = 0
        for _ in range(200):
            if peer.isOver:
                break
            peer.transport.write(b"".join(make(secrets) for _ in range(50)))
            sent += 50
            await turns(3)
        self.assertTrue(peer.isOver, sent)
        await self.isIdle()
        return sent, peer.received

    async def test_emptyRecords(self) -> None:
        """
        Records that say nothing end the connection before they cost anything.
        """
        sent, received = await self.flooded(lambda secrets: secrets.record(b"", 23))
        self.assertLessEqual(sent, 1000)
        self.assertEqual(received, 0)
        await self.serves()

    async def test_keyUpdates(self) -> None:
        """
        So do new keys without end.
        """
        sent, received = await self.flooded(lambda secrets: secrets.keyUpdate())
        self.assertLessEqual(sent, 3000)
        self.assertEqual(received, 0)
        await self.serves()
