"""
Connections that begin with a header of the PROXY protocol, as conversations and as
attacks.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from OpenSSL import SSL

from smartproxy_tw.acme.x509 import acmeTLS
from smartproxy_tw.config.model import (
    TLS,
    AccessLog,
    Acme,
    Auto,
    Conditions,
    Forward,
    ProxyProtocol,
    Respond,
    Route,
    Timeouts,
)
from smartproxy_tw.facts import HTTP01, Address
from smartproxy_tw.wire.proxyheader import MOST_BYTES, Secured, render, renderSecured

from ..wire.hellos import fromOpenSSL
from .harness import TERMINATE, Origin, Peer, PlaneTests, clientSSL, field, turns

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLIENT, FRONT = Address("192.0.2.7", 51234), Address("203.0.113.5", 443)
HEADERS = (
    render(1, CLIENT, FRONT),
    render(2, CLIENT, FRONT),
    render(2, CLIENT, FRONT, [(2, b"x.test")], isChecked=True),
)
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


class AnnouncementCase(PlaneTests):
    """
    A port where the loopback address is believed.
    """

    async def begin(
        self, protocol: Any = "http", tls: TLS | None = None, **others: Any
    ) -> tuple[int, Origin]:
        """
        One route.

        @param others: Of the PROXY protocol and of the configuration.
        """
        port = await self.port()
        origin = self.origin()
        if tls is TERMINATE:
            await self.certify("a.test")
        domains = () if tls is None else ("a.test",)
        route = Route("a", (port,), Forward((origin.target,)), protocol, domains, tls=tls)
        await self.use(route, **self.spoken(port, **others))
        return port, origin

    def spoken(
        self,
        *ports: int,
        mode: Any = "require",
        senders: str = "127.0.0.1",
        timeout: float = 5.0,
        **others: Any,
    ) -> dict[str, Any]:
        """
        Attributes of the configuration.
        """
        return {"proxyProtocol": ProxyProtocol(ports, (ip_network(senders),), mode, timeout), **others}

    async def refused(self, port: int, data: bytes, **others: Any) -> bytes:
        """
        What somebody is told who says this, before the end.
        """
        client = await self.client(port, **others)
        client.sends(data)
        return await client.ends()

    async def failures(self) -> int:
        """
        How many connections were turned away.
        """
        return (await self.plane.tally())["greeting_failures"]


class BelievedTests(AnnouncementCase):
    """
    Whoever is believed says for whom he speaks.
    """

    async def test_http(self) -> None:
        """
        The client of the header is the client of every request; the header itself is gone.
        """
        port, origin = await self.begin()
        for header in HEADERS:
            client = await self.client(port)
            client.sends(header + GET)
            server = await origin.accepts()
            head = await server.head()
            self.assertTrue(head.startswith(b"GET / HTTP/1.1\r\n"))
            self.assertEqual(field(head, b"x-forwarded-for"), b"192.0.2.7")
            self.assertEqual(field(head, b"x-real-ip"), b"192.0.2.7")
            server.sends(OK)
            await client.message()
            server.leaves()

    async def test_log(self) -> None:
        """
        So it is in the access log.
        """
        log = self.fresh()
        port, origin = await self.begin(accessLog=AccessLog("combined", str(log)))
        origin.answers(OK)
        client = await self.client(port)
        client.sends(HEADERS[0] + GET)
        await client.message()
        client.leaves()
        await self.isIdle()
        await self.settles(
            lambda: log.exists() and log.read_text().startswith("192.0.2.7 - -"), "it is logged"
        )

    async def test_trustedProxies(self) -> None:
        """
        Whose forwarding fields are believed is asked of the client that the header names,
        not of who sent it.
        """
        port, origin = await self.begin(trustedProxies=(ip_network("192.0.2.7"),))
        for source, wanted in ((CLIENT, b"198.51.100.9, 192.0.2.7"), (Address("192.0.2.8", 1), b"192.0.2.8")):
            client = await self.client(port)
            client.sends(render(1, source, FRONT) + GET[:-2] + b"X-Forwarded-For: 198.51.100.9\r\n\r\n")
            server = await origin.accepts()
            self.assertEqual(field(await server.head(), b"x-forwarded-for"), wanted)
            server.sends(OK)
            await client.message()
            server.leaves()

    async def test_conditions(self) -> None:
        """
        Routes that ask who the client is ask about the one that the header names, for requests,
        for TLS and for anything else; where no route takes him nothing is left.
        """
        port = await self.port()
        origin = self.origin()
        target = Forward((origin.target,))
        known = Conditions(clients=("192.0.2.0/24",))
        await self.use(Route("t", (port,), target, "tcp", conditions=known), **self.spoken(port))
        client = await self.client(port)
        client.sends(HEADERS[1] + b"x")
        server = await origin.accepts()
        await server.expects(b"x")
        for header in (LOCAL, render(1, Address("198.51.100.9", 1), FRONT)):
            client = await self.client(port)
            client.sends(header)
            await client.until(lambda client=client: client.isOver, "the end")  # type: ignore[misc]
        passed = TLS("passthrough")
        await self.use(
            Route("s", (port,), target, "tcp", ("a.test",), tls=passed, conditions=known), **self.spoken(port)
        )
        client = await self.client(port)
        client.sends(HEADERS[1] + fromOpenSSL(b"a.test"))
        await (await origin.accepts()).expects(b"\x16\x03")
        self.assertTrue((await self.refused(port, LOCAL + fromOpenSSL(b"a.test"))).startswith(b"\x15"))
        await self.use(
            Route("h", (port,), Respond(body="known"), "http", conditions=known), **self.spoken(port)
        )
        for header, status in ((HEADERS[0], b"200"), (LOCAL, b"404"), (HEADERS[1], b"200")):
            client = await self.client(port)
            client.sends(header + GET)
            self.assertEqual((await client.message())[0][9:12], status)

    async def test_tls(self) -> None:
        """
        A header before TLS leaves the ClientHello for whoever ends it.
        """
        port, origin = await self.begin(tls=TERMINATE)
        for header in HEADERS:
            client = await self.secured(port, header)
            client.sends(GET)
            server = await origin.accepts()
            head = await server.head()
            self.assertEqual(field(head, b"x-forwarded-for"), b"192.0.2.7")
            self.assertEqual(field(head, b"x-forwarded-proto"), b"https")
            server.sends(OK)
            await client.message()
            server.leaves()

    async def secured(self, port: int, header: bytes) -> Peer:
        """
        A client who shakes hands behind a header.
        """
        peer = _Announced(header)
        await self.client(port, peer=peer)
        await peer.until(lambda: peer.isShaken or peer.isOver, "a handshake")
        self.assertTrue(peer.isShaken, peer.why)
        return peer

    async def test_passthrough(self) -> None:
        """
        A target of TLS that is passed through finds the ClientHello first.
        """
        port, origin = await self.begin("tcp", TLS("passthrough"))
        hello = fromOpenSSL(b"a.test")
        for header in HEADERS:
            client = await self.client(port)
            client.sends(header + hello)
            server = await origin.accepts()
            await server.expects(hello)
            client.leaves()

    async def test_serverSpeaksFirst(self) -> None:
        """
        Where the server speaks first only the header is waited for; what follows is its.
        """
        port, origin = await self.begin("tcp")
        for header in HEADERS:
            client = await self.client(port)
            await turns(3)
            client.sends(header)
            server = await origin.accepts()
            server.sends(b"220 mail\r\n")
            await client.expects(b"220 mail\r\n")
            client.sends(b"EHLO x\r\n")
            await server.expects(b"EHLO x\r\n")
            client.leaves()

    async def test_halfClosed(self) -> None:
        """
        A client that has said everything, and its end, at once is answered.
        """
        port, origin = await self.begin("tcp")
        client = await self.client(port)
        client.sends(HEADERS[1] + b"question")
        client.finishes()
        server = await origin.accepts()
        await server.expects(b"question")
        await server.until(lambda: server.isEnded, "the end")
        server.sends(b"answer")
        server.leaves()
        await client.expects(b"answer")

    async def test_local(self) -> None:
        """
        A sender that speaks for itself, or for somebody without an address by TCP, is
        served as what it is; facts about TLS are not believed to be ours.
        """
        port, origin = await self.begin()
        datagram = bytearray(render(2, CLIENT, FRONT))
        datagram[13] = 0x12
        tls = render(2, CLIENT, FRONT, [renderSecured(Secured(1, 0, ((0x21, b"TLSv1.3"),)))])
        for header, wanted in (
            (LOCAL, b"127.0.0.1"),
            (render(1, None, None), b"127.0.0.1"),
            (render(2, None, None), b"127.0.0.1"),
            (bytes(datagram), b"127.0.0.1"),
            (tls, b"192.0.2.7"),
        ):
            client = await self.client(port)
            client.sends(header + GET)
            server = await origin.accepts()
            head = await server.head()
            self.assertEqual(field(head, b"x-forwarded-for"), wanted, header)
            self.assertEqual(field(head, b"x-forwarded-proto"), b"http")
            server.sends(OK)
            await client.message()
            server.leaves()

    async def test_ipv6(self) -> None:
        """
        A client by IPv6 can be named to a port of IPv4.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(render(2, Address("2001:db8::7", 5), Address("2001:db8::1", 443)) + GET)
        server = await origin.accepts()
        self.assertEqual(field(await server.head(), b"x-forwarded-for"), b"2001:db8::7")

    async def test_everySplit(self) -> None:
        """
        Wherever a header is cut, the stream behind it is the same; byte by byte too.
        """
        port, origin = await self.begin("tcp", TLS("passthrough"))
        hello = fromOpenSSL(b"a.test")
        for header in HEADERS[::2]:
            whole = header + hello
            for cut in [*range(1, len(header) + 3), len(whole) - 1]:
                client = await self.client(port)
                client.sends(whole[:cut])
                await turns(2)
                client.sends(whole[cut:])
                server = await origin.accepts()
                await server.expects(hello)
                client.leaves()
                server.leaves()
            client = await self.client(port)
            await client.trickles(header + hello[:20])
            client.sends(hello[20:])
            server = await origin.accepts()
            await server.expects(hello)
            client.leaves()

    async def test_challenges(self) -> None:
        """
        The authority may come by way of the load balancer, and past it: both challenges are
        answered to either, on ports that no route names.
        """
        http, tls, elsewhere = [await self.port() for _ in range(3)]
        auto = Auto(("auto.test",))
        await self.use(
            Route("auto", (elsewhere,), Respond(), "http", auto.names, tls=TLS("terminate", auto)),
            acme=Acme(httpPort=http, tlsPort=tls, challenges=("tls-alpn-01", "http-01")),
            **self.spoken(http, tls),
        )
        token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
        await self.plane.present(HTTP01("auto.test", token, "key"))
        await self.plane.present(acmeTLS("auto.test", "x.y"))
        for header, source in ((HEADERS[1], "127.0.0.1"), (b"", "127.0.0.2")):
            client = await self.client(http, source=source)
            client.sends(
                header
                + b"GET /.well-known/acme-challenge/%b HTTP/1.1\r\nHost: auto.test\r\n\r\n" % token.encode()
            )
            self.assertEqual((await client.message())[1], b"key")
            peer = _Announced(header, clientSSL("auto.test", (b"acme-tls/1",)))
            await self.client(tls, source=source, peer=peer)
            await peer.until(lambda peer=peer: peer.isShaken or peer.isOver, "a handshake")  # type: ignore[misc]
            assert peer.ssl is not None
            self.assertEqual(peer.ssl.get_alpn_proto_negotiated(), b"acme-tls/1")

    async def test_otherPorts(self) -> None:
        """
        Other ports know nothing of it.
        """
        port, origin = await self.begin()
        other = await self.port()
        routes = [Route(str(n), (n,), Forward((origin.target,)), "http") for n in (port, other)]
        await self.use(*routes, **self.spoken(port))
        origin.answers(OK)
        self.assertTrue((await self.refused(other, HEADERS[0] + GET)).startswith(b"HTTP/1.1 400 "))
        client = await self.client(other)
        client.sends(GET)
        await client.message()
        self.assertTrue((await self.refused(port, GET)).startswith(b"HTTP/1.1 400 "))

    async def test_changes(self) -> None:
        """
        It can be switched on and off while connections come.
        """
        port, origin = await self.begin()
        origin.answers(OK)
        route = Route("a", (port,), Forward((origin.target,)), "http")
        await self.use(route)
        client = await self.client(port)
        client.sends(GET)
        await client.message()
        await self.use(route, **self.spoken(port))
        self.assertTrue((await self.refused(port, GET)).startswith(b"HTTP/1.1 400 "))


class _Announced(Peer):
    """
    Says a header before its handshake.
    """

    def __init__(self, header: bytes, ssl: SSL.Connection | None = None) -> None:
        super().__init__(ssl or clientSSL("a.test"))
        self._header = header

    def connectionMade(self) -> None:
        """The header, and the first bytes of the handshake with it."""
        self._say(self._header)
        super().connectionMade()


class RefusedTests(AnnouncementCase):
    """
    What is turned away.
    """

    async def test_withoutHeader(self) -> None:
        """
        Where it is required there is no connection without: a request is told why,
        anything else is closed.
        """
        port, origin = await self.begin()
        answer = await self.refused(port, GET)
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 400 Bad Request\r\n"))
        self.assertEqual(field(head + b"\r\n\r\n", b"content-length"), b"%d" % len(body))
        self.assertIn(b"PROXY protocol", body)
        self.assertEqual(await self.refused(port, b"\x16\x03\1"), b"")
        self.assertEqual(await self.failures(), 2)
        self.assertEqual(origin.count, 0)

    async def test_malformed(self) -> None:
        """
        A header that breaks a rule is closed, whatever follows: nothing reaches a target.
        """
        port, origin = await self.begin("tcp")
        bad = (
            b"PROXY TCP4 192.0.2.7 203.0.113.5 51234 443\n",
            b"PROXY TCP4 1 2 3 4\r\n",
            b"PROXY " + b"x" * 200,
            LOCAL[:12] + b"\x31\x11\0\0",
            LOCAL[:12] + b"\x21\x11\0\x04abcd",
            # A checksum that is wrong by one bit.
            HEADERS[2][:-1] + bytes([HEADERS[2][-1] ^ 1]),
            # As long as its length can say, and as long as it may not be.
            LOCAL[:12] + b"\x21\x11\xff\xff" + bytes(65535),
            LOCAL[:12] + b"\x21\x11" + (MOST_BYTES - 15).to_bytes(2, "big") + bytes(MOST_BYTES),
        )
        for data in bad:
            client = await self.client(port)
            client.sends(data + GET)
            await client.until(lambda client=client: client.isOver, "the end")  # type: ignore[misc]
            self.assertEqual(client.data, b"")
        self.assertEqual(await self.failures(), len(bad))
        self.assertEqual(origin.count, 0)

    async def test_long(self) -> None:
        """
        One that is as long as it may be is read.
        """
        port, origin = await self.begin("tcp")
        client = await self.client(port)
        header = render(2, CLIENT, FRONT, [(0xE0, bytes(MOST_BYTES - 16 - 12 - 3))])
        await client.trickles(header[:40])
        client.sends(header[40:] + b"x")
        server = await origin.accepts()
        await server.expects(b"x")

    async def test_slow(self) -> None:
        """
        A header that does not come in time is not waited for, in however small pieces it
        comes.
        """
        port, _ = await self.begin(timeout=9.0)
        for begun in (b"", b"P", HEADERS[0][:-1], HEADERS[1][:17]):
            client = await self.client(port)
            client.sends(begun)
            await turns(3)
            self.world.advance(8)
            await self.swept()
            self.assertFalse(client.isOver)
            client.sends(
                HEADERS[0][len(begun) : len(begun) + 1] if begun[:1] == b"P" and len(begun) < 9 else b""
            )
            self.world.advance(1.5)
            await self.swept()
            await client.until(lambda client=client: client.isOver, "the end")  # type: ignore[misc]
        await self.isIdle()
        self.assertEqual(await self.failures(), 4)

    async def test_silentAfterwards(self) -> None:
        """
        Behind the header the deadlines are those of any connection.
        """
        port, _ = await self.begin(timeouts=Timeouts(head=2.0))
        client = await self.client(port)
        client.sends(HEADERS[0])
        await turns(5)
        self.world.advance(2.5)
        await self.swept()
        await client.until(lambda: client.isOver, "the end")

    async def test_ends(self) -> None:
        """
        An end or a reset inside of a header leaves nothing behind; to look whether the
        port is open is no failure.
        """
        port, origin = await self.begin("tcp")
        for begun in (b"", b"PROX", HEADERS[1][:20]):
            for end in (Peer.finishes, Peer.breaks, Peer.leaves):
                client = await self.client(port)
                client.sends(begun)
                await turns(3)
                end(client)
                await client.until(lambda client=client: client.isOver, "the end")  # type: ignore[misc]
                await self.isIdle()
        self.assertEqual(await self.failures(), 6)
        for cut in range(1, len(HEADERS[1])):
            for end in (Peer.finishes, Peer.breaks):
                client = await self.client(port)
                client.sends(HEADERS[1][:cut])
                await turns(cut % 3)
                end(client)
        await self.isIdle()
        self.assertEqual(origin.count, 0)

    async def test_drain(self) -> None:
        """
        Who was in the midst of it before a drain is answered; who stays so is not waited for,
        nor counted as cut.
        """
        port, origin = await self.begin(mode="accept")
        origin.answers(OK)
        client, silent, half = [await self.client(port) for _ in range(3)]
        half.sends(b"PROXY")
        client.sends(HEADERS[0][:20])
        await turns(3)
        drained = self.plane.drain(30)
        await turns(3)
        client.sends(HEADERS[0][20:] + GET)
        head, _ = await client.message()
        self.assertEqual(field(head, b"connection"), b"close")
        client.leaves()
        self.world.advance(1.5)
        for each in (silent, half):
            await each.until(lambda each=each: each.isOver, "the end")  # type: ignore[misc]
        self.assertEqual(await drained, 0)

    async def test_twice(self) -> None:
        """
        A second header is what any client behind the first could have sent: it names nobody,
        and no request or ClientHello begins so.
        """
        port, origin = await self.begin()
        forged = render(1, Address("198.51.100.66", 1), FRONT)
        for second in (forged, render(2, Address("198.51.100.66", 1), FRONT)):
            answer = await self.refused(port, HEADERS[0] + second + GET)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        port, _ = await self.begin(tls=TERMINATE)
        self.assertEqual(await self.refused(port, HEADERS[0] + forged + fromOpenSSL(b"a.test")), b"")
        self.assertEqual(origin.count, 0)


class StrangerTests(AnnouncementCase):
    """
    Whoever is not believed.
    """

    async def test_served(self) -> None:
        """
        He is served as what he is, at once.
        """
        port, origin = await self.begin(senders="127.0.0.2")
        client = await self.client(port)
        client.sends(GET)
        server = await origin.accepts()
        self.assertEqual(field(await server.head(), b"x-forwarded-for"), b"127.0.0.1")
        server.sends(OK)
        await client.message()
        server.leaves()
        client = await self.client(port, source="127.0.0.2")
        client.sends(HEADERS[0] + GET)
        server = await origin.accepts()
        self.assertEqual(field(await server.head(), b"x-forwarded-for"), b"192.0.2.7")

    async def test_forged(self) -> None:
        """
        His headers are refused, with and without TLS.
        """
        port, origin = await self.begin(senders="127.0.0.2")
        for header in HEADERS:
            answer = await self.refused(port, header + GET)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        port, other = await self.begin(tls=TERMINATE, senders="127.0.0.2")
        for header in HEADERS:
            self.assertEqual(await self.refused(port, header + fromOpenSSL(b"a.test")), b"")
        self.assertEqual((origin.count, other.count), (0, 0))

    async def test_forgedOnAMixedPort(self) -> None:
        """
        So they are where anything would be tunnelled; in any pieces.
        """
        port = await self.port()
        origin = self.origin()
        target = Forward((origin.target,))
        await self.use(
            Route("h", (port,), target, "http", ("a.test",)),
            Route("t", (port,), target, "tcp"),
            **self.spoken(port, senders="127.0.0.2"),
        )
        for header in HEADERS:
            self.assertEqual(await self.refused(port, header), b"")
            client = await self.client(port)
            await client.trickles(header)
            await client.until(lambda client=client: client.isOver, "the end")  # type: ignore[misc]
        self.assertEqual(origin.count, 0)
        client = await self.client(port)
        client.sends(b"PRIVMSG x\r\n")
        server = await origin.accepts()
        await server.expects(b"PRIVMSG x\r\n")


class AcceptTests(AnnouncementCase):
    """
    Where whoever is believed may leave the header out.
    """

    async def test_without(self) -> None:
        """
        He is served as what he is as soon as his first bytes say so.
        """
        port, origin = await self.begin(mode="accept")
        for begun, wanted in ((b"", b"127.0.0.1"), (HEADERS[0], b"192.0.2.7"), (HEADERS[1], b"192.0.2.7")):
            client = await self.client(port)
            await client.trickles(begun + GET)
            server = await origin.accepts()
            self.assertEqual(field(await server.head(), b"x-forwarded-for"), wanted)
            server.sends(OK)
            await client.message()
            server.leaves()

    async def test_silent(self) -> None:
        """
        Who says nothing in time waits for the server to speak first.
        """
        port, origin = await self.begin("tcp", mode="accept", timeout=2.0)
        client = await self.client(port)
        await turns(5)
        self.assertEqual(origin.count, 0)
        self.world.advance(2.5)
        await self.swept()
        server = await origin.accepts()
        server.sends(b"220 mail\r\n")
        await client.expects(b"220 mail\r\n")
        client.sends(b"PROXY is no header here\r\n")
        await server.expects(b"PROXY is no header here\r\n")

    async def test_malformed(self) -> None:
        """
        What begins as a header is to be one.
        """
        port, _ = await self.begin(mode="accept")
        self.assertEqual(await self.refused(port, b"PROXY TCP4 x\r\n" + GET), b"")
        client = await self.client(port)
        client.sends(b"PROX")
        await turns(3)
        self.world.advance(6)
        await self.swept()
        await client.until(lambda: client.isOver, "the end")
        self.assertEqual(await self.failures(), 2)
