"""
What targets are told of clients, by the PROXY protocol.
"""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from OpenSSL import crypto
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.config.model import (
    TLS,
    ClientCertificates,
    Forward,
    Pool,
    ProxyHeader,
    ProxyProtocol,
    Route,
    Target,
    TLSPolicy,
    UpstreamTLS,
)
from smartproxy_tw.facts import Address, ConnectionFacts
from smartproxy_tw.plane.wires import PlainWire
from smartproxy_tw.upstream.introduction import introduction
from smartproxy_tw.wire.proxyheader import Header, NeedMore, parse, render

from ..plane.harness import (
    TERMINATE,
    Gone,
    Origin,
    Peer,
    PlaneTests,
    clientSSL,
    lacksIPv6,
)
from ..plane.test_policy import certified
from ..wire.hellos import fromOpenSSL
from .groups import GroupCase, target

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
V1, V2 = ProxyHeader(1), ProxyHeader(2)
FULL = ProxyHeader(2, ("authority", "alpn", "ssl", "crc32c"))


async def introduced(server: Peer) -> Header:
    """
    What a target is told first; the rest stays to be read.
    """
    await server.until(
        lambda: server.isOver or not isinstance(parse(bytes(server.data)), NeedMore), "a header"
    )
    found = parse(bytes(server.data))
    assert isinstance(found, Header), (found, bytes(server.data))
    await server.takes(found.length)
    return found


def addressOf(peer: Peer) -> Address:
    """
    Where a client comes from.
    """
    host = peer.transport.getHost()
    return Address(host.host, host.port)


class IntroductionCase(PlaneTests):
    """
    One route to targets that are told.
    """

    async def begin(
        self,
        header: ProxyHeader,
        protocol: Any = "http",
        tls: TLS | None = None,
        *,
        to: UpstreamTLS | None = None,
        pool: Pool | None = None,
        interface: str = "127.0.0.1",
        origin: Origin | None = None,
        **config: Any,
    ) -> tuple[int, Origin]:
        """
        The port, and the target.

        @param to: How the target is spoken to.
        @param config: Of the configuration; of the PROXY protocol without its port.
        """
        port = await self.port(interface)
        origin = origin or self.origin()
        if tls is not None and tls.mode == "terminate":
            await self.certify("a.test", tls=tls)
        if config.get("proxyProtocol"):
            config["proxyProtocol"] = replace(config["proxyProtocol"], ports=(port,))
        target = replace(origin.target, proxyHeader=header)
        domains = () if tls is None else ("a.test",)
        await self.use(
            Route("a", (port,), Forward((target,), to, pool or Pool()), protocol, domains, tls=tls), **config
        )
        return port, origin


class HTTPTests(IntroductionCase):
    """
    Requests.
    """

    async def test_told(self) -> None:
        """
        The header has the ends of the client's connection and comes before the request, in either
        version.
        """
        for header in (V1, V2, FULL):
            port, origin = await self.begin(header)
            client = await self.client(port)
            client.sends(GET)
            server = await origin.accepts()
            found = await introduced(server)
            self.assertEqual((found.version, found.transport), (header.version, "tcp4"))
            self.assertEqual(
                (found.source, found.destination), (addressOf(client), Address("127.0.0.1", port))
            )
            head = await server.head()
            self.assertTrue(head.startswith(b"GET / HTTP/1.1\r\n"))
            server.sends(OK)
            await client.message()

    async def test_oneSegment(self) -> None:
        """
        Header and request come together.
        """
        port, origin = await self.begin(V2)
        client = await self.client(port)
        chunks: list[bytes] = []
        origin.serves(lambda peer: _watch(peer, chunks))
        client.sends(GET)
        await self.settles(lambda: b"".join(chunks).endswith(b"\r\n\r\n"), "the request is there")
        self.assertEqual(len(chunks), 1)

    async def test_neverShared(self) -> None:
        """
        A connection that one client was named on carries no other's request: it is for one
        request, whoever asks next.
        """
        port, origin = await self.begin(V1)
        first, second = await self.client(port), await self.client(port)
        for client in (first, second, first, first, second):
            client.sends(GET)
            server = await origin.accepts()
            self.assertEqual((await introduced(server)).source, addressOf(client))
            await server.head()
            server.sends(OK)
            await client.message()
            await server.until(lambda server=server: server.isOver, "the end")  # type: ignore[misc]
        self.assertEqual(origin.count, 5)

    async def test_pool(self) -> None:
        """
        So it is where connections are bounded: who waits has one made for himself, as soon as
        there is room.
        """
        port, origin = await self.begin(V1, pool=Pool(1))
        first, second = await self.client(port), await self.client(port)
        first.sends(GET)
        server = await origin.accepts()
        self.assertEqual((await introduced(server)).source, addressOf(first))
        second.sends(GET)
        await server.head()
        server.sends(OK)
        await first.message()
        server = await origin.accepts()
        self.assertEqual((await introduced(server)).source, addressOf(second))
        await server.head()
        server.sends(OK)
        await second.message()

    async def test_repeated(self) -> None:
        """
        A request that is sent once more is introduced once more.
        """
        port, origin = await self.begin(V2)
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        await introduced(server)
        await server.head()
        server.leaves()
        server = await origin.accepts()
        self.assertEqual((await introduced(server)).source, addressOf(client))
        await server.head()
        server.sends(OK)
        await client.message()

    async def test_upgraded(self) -> None:
        """
        A WebSocket has its header too, and nothing of it later.
        """
        port, origin = await self.begin(V2)
        client = await self.client(port)
        client.sends(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        server = await origin.accepts()
        await introduced(server)
        await server.head()
        server.sends(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await client.head()
        client.sends(b"hello")
        await server.expects(b"hello")

    async def test_perTarget(self) -> None:
        """
        Of two targets that take turns each is told what it is to be told; the other one's
        connections are kept as ever.
        """
        port = await self.port()
        told, untold = self.origin(), self.origin()
        untold.answers(OK)

        async def serve(peer: Peer) -> None:
            await introduced(peer)
            await peer.head()
            peer.sends(OK)

        told.serves(serve)
        targets = (replace(told.target, proxyHeader=V1), untold.target)
        await self.use(Route("a", (port,), Forward(targets), "http"))
        client = await self.client(port)
        for _ in range(6):
            client.sends(GET)
            await client.message()
        self.assertEqual((told.count, untold.count), (3, 1))

    async def test_reset(self) -> None:
        """
        A target that breaks off at the header is a target that failed.
        """
        port, origin = await self.begin(V1)

        async def breaks(peer: Peer) -> None:
            await introduced(peer)
            peer.breaks()

        origin.serves(breaks)
        client = await self.client(port)
        client.sends(GET)
        head, _ = await client.message()
        self.assertTrue(head.startswith(b"HTTP/1.1 502 "), head)

    async def test_chain(self) -> None:
        """
        What a header in front has said goes on: both ends, as the client had them.
        """
        protocol = ProxyProtocol((), (ip_network("127.0.0.1"),))
        port, origin = await self.begin(V2, proxyProtocol=protocol)
        ends = Address("2001:db8::7", 5), Address("2001:db8::1", 443)
        client = await self.client(port)
        client.sends(render(1, *ends) + GET)
        server = await origin.accepts()
        found = await introduced(server)
        self.assertEqual((found.source, found.destination), ends)

    async def test_forgedFields(self) -> None:
        """
        Nothing that a request says changes the header, be it from a trusted proxy.
        """
        port, origin = await self.begin(V1, trustedProxies=(ip_network("127.0.0.1"),))
        client = await self.client(port)
        client.sends(GET[:-2] + b"X-Forwarded-For: 198.51.100.66\r\n\r\n")
        server = await origin.accepts()
        self.assertEqual((await introduced(server)).source, addressOf(client))

    async def test_unixTarget(self) -> None:
        """
        A target behind a unix socket is told the same.
        """
        path = "/tmp/" + self.mktemp().replace("/", "-")[-60:]
        origin = self.origin(path)
        port, _ = await self.begin(V2, origin=origin)
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        self.assertEqual((await introduced(server)).source, addressOf(client))

    async def test_ipv6(self) -> None:
        """
        So is one of a client by IPv6, also on a port that takes both families.
        """
        if reason := lacksIPv6():
            raise self.skipTest(reason)  # type: ignore[misc]
        for interface, host in (("::1", "::1"), ("::", "127.0.0.1"), ("::", "::1")):
            port, origin = await self.begin(V1, interface=interface)
            client = await self.client(port, host=host)
            client.sends(GET)
            server = await origin.accepts()
            found = await introduced(server)
            self.assertEqual((found.source, found.destination), (addressOf(client), Address(host, port)))
            self.assertEqual(found.transport, "tcp6" if ":" in host else "tcp4")


async def _watch(peer: Peer, chunks: list[bytes]) -> None:
    if peer.data:
        chunks.append(bytes(peer.data))
    peer.watch = chunks.append


class StreamTests(IntroductionCase):
    """
    What is not HTTP.
    """

    async def test_serverSpeaksFirst(self) -> None:
        """
        A target that speaks first has its header at once.
        """
        for header in (V1, V2):
            port, origin = await self.begin(header, "tcp")
            client = await self.client(port)
            server = await origin.accepts()
            self.assertEqual((await introduced(server)).source, addressOf(client))
            server.sends(b"220 mail\r\n")
            await client.expects(b"220 mail\r\n")
            client.sends(b"EHLO x\r\n")
            await server.expects(b"EHLO x\r\n")

    async def test_passthrough(self) -> None:
        """
        The ClientHello that is passed through follows, untouched; the name that it asks for
        can be told, nothing else is known.
        """
        port, origin = await self.begin(FULL, "tcp", TLS("passthrough"))
        hello = fromOpenSSL(b"a.test", (b"h2",))
        client = await self.client(port)
        client.sends(hello)
        server = await origin.accepts()
        found = await introduced(server)
        self.assertEqual((found.source, found.authority), (addressOf(client), "a.test"))
        self.assertEqual((found.alpn, found.secured), (None, None))
        await server.expects(hello)

    async def test_ended(self) -> None:
        """
        Inside of TLS that ends here, too, the header comes before the first byte; with what was
        agreed on.
        """
        port, origin = await self.begin(FULL, "tcp", TERMINATE)
        client = await self.tls(port)
        server = await origin.accepts()
        found = await introduced(server)
        assert found.secured is not None
        self.assertEqual((found.authority, found.secured.flags, found.secured.verify), ("a.test", 1, 1))
        self.assertEqual((found.secured.version, found.secured.commonName), ("TLSv1.3", None))
        assert client.ssl is not None
        self.assertEqual(found.secured.cipher, client.ssl.get_cipher_name())
        client.sends(b"x")
        await server.expects(b"x")

    async def test_clientGone(self) -> None:
        """
        A client that is gone before its target is there leaves nothing behind.
        """
        port, origin = await self.begin(V2, "tcp")
        client = await self.client(port)
        client.breaks()
        server = await origin.accepts()
        try:
            await introduced(server)
        except (AssertionError, Gone):
            pass
        await self.isIdle()


class SecuredTests(IntroductionCase):
    """
    Targets that are spoken to by TLS, and clients with certificates.
    """

    async def test_reencrypted(self) -> None:
        """
        The header comes before TLS to the target.
        """
        for protocol in ("http", "tcp"):
            port, origin = await self.begin(FULL, protocol, TERMINATE, to=UpstreamTLS(verify=False))
            client = await self.tls(port, alpn=(b"http/1.1",))
            client.sends(GET)
            server = await origin.accepts()
            found = await introduced(server)
            self.assertEqual(found.source, addressOf(client))
            self.assertEqual(found.alpn, b"http/1.1" if protocol == "http" else None)
            self.assertEqual((await server.takes(3))[:2], b"\x16\x03")

    async def test_certificate(self) -> None:
        """
        The common name of a certificate that was verified is told.
        """
        signer = Signer.create("Believed")
        policy = TLSPolicy(clients=ClientCertificates("require", str(self.fresh(signer.credential.chain))))
        port, origin = await self.begin(ProxyHeader(2, ("ssl",)), "http", replace(TERMINATE, policy=policy))
        alice = certified(signer, "alice")
        ssl = clientSSL("a.test")
        ssl.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, alice.chain))
        ssl.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, alice.key))
        client = await self.client(port, ssl)
        client.sends(GET)
        server = await origin.accepts()
        found = (await introduced(server)).secured
        assert found is not None
        self.assertEqual((found.commonName, found.verify, found.flags), ("alice", 0, 7))


class FailureTests(GroupCase):
    """
    A target that cannot be told.
    """

    def test_closed(self) -> None:
        """
        One that has closed before it was told has failed, and the next one has its chance.
        """
        path = "/tmp/" + self.mktemp().replace("/", "-")[-60:]
        self.addCleanup(os.unlink, path)
        server = socket.socket(socket.AF_UNIX)
        self._sockets.append(server)
        server.bind(path)
        server.listen()
        server.settimeout(60)
        good = self.listens()
        self.begin(replace(target(good), proxyHeader=V1), Target(path, 0, V1))
        caller = self.connects()
        server.accept()[0].close()
        self.loop.turns()
        self.loop.turns()
        self.assertEqual([place.failures for place in self.places()], [0, 1])
        self.assertEqual(caller.link.target, str(target(good)))
        accepted, _ = good.accept()
        self._sockets.append(accepted)
        accepted.settimeout(60)
        # Held back for the request.
        caller.link.wire.write(GET)
        self.assertEqual(accepted.recv(100), b"PROXY UNKNOWN\r\n" + GET)
        caller.link.close()


class _Client:
    """
    Somebody with a connection.
    """

    def __init__(self, facts: ConnectionFacts, sock: socket.socket) -> None:
        self.connection = facts
        self.wire = PlainWire(sock)


class RenderTests(SynchronousTestCase):
    """
    L{introduction} by itself.
    """

    def socket(self) -> socket.socket:
        """
        One end of a pair of unix sockets.
        """
        pair = socket.socketpair()
        for each in pair:
            self.addCleanup(each.close)
        return pair[0]

    def test_nobody(self) -> None:
        """
        Where nobody is spoken for the client is unknown.
        """
        self.assertEqual(introduction(V1, None), b"PROXY UNKNOWN\r\n")
        found = parse(introduction(V2, None))
        assert isinstance(found, Header)
        self.assertEqual((found.transport, found.tlvs), ("unknown", ()))

    def test_unixClient(self) -> None:
        """
        A client by unix socket has its path in version 2, and no address in version 1.
        """
        client = _Client(ConnectionFacts(80, Address("/run/client", 0)), self.socket())
        self.assertEqual(introduction(V1, client), b"PROXY UNKNOWN\r\n")
        found = parse(introduction(V2, client))
        assert isinstance(found, Header)
        self.assertEqual((found.transport, found.source), ("unix-stream", Address("/run/client", 0)))

    def test_gone(self) -> None:
        """
        Of a connection that is closed the other end is not known any more.
        """
        sock = self.socket()
        client = _Client(ConnectionFacts(80, Address("192.0.2.7", 5)), sock)
        sock.close()
        self.assertEqual(introduction(V1, client), b"PROXY UNKNOWN\r\n")
