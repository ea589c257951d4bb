"""
The first bytes of a connection, and what they make of it.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import acmeTLS
from smartproxy_tw.config.model import (
    TLS,
    Acme,
    Auto,
    Forward,
    Respond,
    Route,
    Timeouts,
)
from smartproxy_tw.facts import HTTP01
from smartproxy_tw.plane.greeting import asksForToken, looksLikeHTTP

from ..wire.hellos import alpn, fromOpenSSL, hello, serverName
from .harness import TERMINATE, Origin, Peer, PlaneTests, credentialFor, field, turns

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
UNKNOWN_NAME = b"\x15\x03\x03\x00\x02\x02\x70"
NO_PROTOCOL = b"\x15\x03\x03\x00\x02\x02\x78"
AUTO = Auto(("auto.test",))
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"


class LooksLikeHTTPTests(SynchronousTestCase):
    """
    L{looksLikeHTTP}.
    """

    def test_answers(self) -> None:
        """
        A request line is HTTP as soon as its target begins; a greeting of mail
        is not.
        """
        for data, wanted in (
            (b"GET /", True),
            (b"get /x", True),
            (b"OPTIONS *", True),
            (b"GET http", True),
            (b"GET HTTPS://x", True),
            (b"\r\nGET /", True),
            (b"M-SEARCH *", True),
            (b"EHLO mail.example\r\n", False),
            (b"EHLO http.example\r\n", True),
            (b"SSH-2.0-x\r\n", False),
            (b"\x16\x03\x01", False),
            (b"GET\r\n", False),
            (b"GET  /", False),
            (b" GET /", False),
            (b"x" * 32, False),
            (b"x" * 31, None),
            (b"G", None),
            (b"GET ", None),
            (b"GET h", None),
            (b"GET htt", None),
            (b"GET htx", False),
            (b"\r", None),
            (b"\r\n", None),
            (b"\n", False),
        ):
            self.assertIs(looksLikeHTTP(data), wanted, data)

    def test_everySplit(self) -> None:
        """
        More bytes never change an answer.
        """
        for whole in (
            b"GET /x HTTP/1.1\r\n",
            b"EHLO mail\r\n",
            b"\r\nPOST http://x/",
            b"\0\1\2",
            b"STARTTLS\r\n",
        ):
            answers = [looksLikeHTTP(whole[:end]) for end in range(1, len(whole) + 1)]
            known = [answer for answer in answers if answer is not None]
            self.assertEqual(set(known), {known[-1]}, whole)
            self.assertEqual(answers, [None] * (len(answers) - len(known)) + known)


class AsksForTokenTests(SynchronousTestCase):
    """
    L{asksForToken}.
    """

    def test_everySplit(self) -> None:
        """
        The answer is known with the space behind the token, and not before.
        """
        tokens = {b"abc"}
        for token, wanted in (
            (b"abc", True),
            (b"abd", False),
            (b"ab", False),
            (b"abcd", False),
            (b"", False),
        ):
            whole = b"GET /.well-known/acme-challenge/%s HTTP/1.1\r\n" % token
            known = whole.index(b" HTTP") + 1
            for end in range(1, len(whole)):
                self.assertIs(
                    asksForToken(whole[:end], tokens), wanted if end >= known else None, whole[:end]
                )

    def test_other(self) -> None:
        """
        Anything else is told by its first byte that differs; no token is so
        long.
        """
        self.assertIs(asksForToken(b"GET /.well-known/x", ()), False)
        self.assertIs(asksForToken(b"POST", ()), False)
        self.assertIs(asksForToken(b"GET /.well-known/acme-challenge/" + b"x" * 300, ()), False)


class TLSTests(PlaneTests):
    """
    Ports with TLS only.
    """

    async def begin(self, *alpn: bytes, **others: Any) -> tuple[int, Origin]:
        """
        One name that is terminated.
        """
        port = await self.port()
        origin = self.origin()
        await self.certify("a.test")
        await self.use(
            Route("a", (port,), Forward((origin.target,)), "http", ("a.test", "*.a.test"), tls=TERMINATE),
            **others,
        )
        return port, origin

    async def test_unknownName(self) -> None:
        """
        A name that nobody serves, and no name, are answered by an alert and
        nothing else; it is a miss.
        """
        port, _ = await self.begin()
        for name in (b"b.test", None):
            client = await self.client(port)
            client.sends(fromOpenSSL(name))
            self.assertEqual(await client.ends(), UNKNOWN_NAME)
            client.leaves()
        self.assertEqual((await self.plane.tally())["misses"], 2)

    async def test_otherProtocols(self) -> None:
        """
        A client that offers only what we do not speak gets an alert; h2 comes before http/1.1,
        whatever the client would rather have.
        """
        port, _ = await self.begin()
        client = await self.client(port)
        client.sends(fromOpenSSL(b"a.test", (b"spdy/3",)))
        self.assertEqual(await client.ends(), NO_PROTOCOL)
        for offer, agreed in (
            ((b"h2", b"http/1.1"), b"h2"),
            ((b"http/1.1", b"h2"), b"h2"),
            ((b"http/1.0",), b"http/1.0"),
            ((), b""),
        ):
            client = await self.tls(port, alpn=offer)
            assert client.ssl is not None
            self.assertTrue(client.isShaken, offer)
            self.assertEqual(client.ssl.get_alpn_proto_negotiated(), agreed)

    async def test_plainHTTP(self) -> None:
        """
        A request in plain is told so.
        """
        port, _origin = await self.begin()
        client = await self.client(port)
        client.sends(GET)
        answer = await client.ends()
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"))
        head, _, body = answer.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d\r\n" % len(body), head)
        self.assertIn(b"HTTPS only", body)

    async def test_garbage(self) -> None:
        """
        Anything else is closed; a malformed hello with an alert.
        """
        port, _ = await self.begin()
        for data, answer in (
            (b"hello\r\n", b""),
            (b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", b"\x15\x03\x03\x00\x02\x02\x32"),
        ):
            client = await self.client(port)
            client.sends(data)
            self.assertEqual(await client.ends(), answer, data)
        self.assertEqual((await self.plane.tally())["greeting_failures"], 2)

    async def test_noCertificateYet(self) -> None:
        """
        A name whose certificate is not there yet is refused by an alert.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Respond(body="x"), "http", ("a.test",), tls=TERMINATE))
        client = await self.client(port)
        client.sends(fromOpenSSL(b"a.test"))
        self.assertEqual(await client.ends(), b"\x15\x03\x03\x00\x02\x02\x50")
        await self.certify("a.test")
        client = await self.tls(port)
        self.assertTrue(client.isShaken)

    async def test_oldVersions(self) -> None:
        """
        TLS 1.1 is refused; 1.2 and 1.3 are spoken.
        """
        port, _ = await self.begin()
        client = await self.tls(port, highest=SSL.TLS1_1_VERSION, lowest=SSL.TLS1_VERSION)
        self.assertFalse(client.isShaken)
        for version, name in ((SSL.TLS1_2_VERSION, "TLSv1.2"), (SSL.TLS1_3_VERSION, "TLSv1.3")):
            client = await self.tls(port, highest=version)
            assert client.ssl is not None
            self.assertEqual(client.ssl.get_protocol_version_name(), name)

    async def test_cutHello(self) -> None:
        """
        An end inside of a hello ends the wait, wherever it is; a reset too.
        """
        port, _ = await self.begin()
        data = fromOpenSSL(b"a.test")
        for end in (*range(0, len(data), 7), 1, 2, 5, len(data) - 1):
            for leave in (Peer.finishes, Peer.breaks):
                client = await self.client(port)
                client.sends(data[:end])
                await turns(1)
                leave(client)
                if leave is Peer.finishes:
                    await client.loses()
                    client.leaves()
        await self.isIdle()

    async def test_everySplit(self) -> None:
        """
        A hello in any two segments shakes hands.
        """
        port, _ = await self.begin()
        for cut in range(1, 517, 17):
            client = await self.client(port)
            client.ssl = connection = _client("a.test")
            data = connection.bio_read(65536)
            client.transport.write(data[:cut])
            await turns(2)
            client.transport.write(data[cut:])
            await client.until(lambda: client.isShaken or client.isOver, "a handshake")  # noqa: B023
            self.assertTrue(client.isShaken, cut)
            client.breaks()

    async def test_manyRecords(self) -> None:
        """
        A hello chopped into records of one byte is still read, and one that is
        too large for that is not waited for.
        """
        port, _ = await self.begin()
        client = await self.client(port)
        client.sends(hello(serverName(b"b.test"), sizes=(1,)))
        self.assertEqual(await client.ends(), UNKNOWN_NAME)
        client = await self.client(port)
        padding = b"\x00\x15\x2e\xe0" + bytes(12_000)
        client.sends(hello(serverName(b"b.test"), padding, sizes=(1,)))
        self.assertEqual(await client.ends(), b"\x15\x03\x03\x00\x02\x02\x32")
        client = await self.client(port)
        client.sends(hello(serverName(b"b.test"), padding))
        self.assertEqual(await client.ends(), UNKNOWN_NAME)

    async def test_silence(self) -> None:
        """
        Neither silence, nor half a hello, nor half a handshake last longer than
        the time for a head.
        """
        port, _ = await self.begin(timeouts=Timeouts(head=9))
        silent, half, mute = [await self.client(port) for _ in range(3)]
        half.sends(fromOpenSSL(b"a.test")[:100])
        mute.sends(fromOpenSSL(b"a.test", (b"http/1.1",)))
        await mute.until(lambda: bool(mute.data), "its answer")
        self.world.advance(8)
        await turns(20)
        self.assertFalse(silent.isOver or half.isOver or mute.isOver)
        self.world.advance(1.1)
        for client in (silent, half, mute):
            await client.loses()
        await self.isIdle()

    async def test_hasJustConnected(self) -> None:
        """
        Who has connected before a drain, has said nothing yet or is in the midst of a
        handshake, is answered; who stays so is not waited for, nor counted as cut.
        """
        port, origin = await self.begin()
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        silent, before, during, mute = [await self.client(port) for _ in range(4)]
        held: list[bytes] = []
        during.ssl = _client("a.test")
        during.transport.write(during.ssl.bio_read(65536))
        during._say = held.append  # type: ignore[method-assign]
        mute.sends(fromOpenSSL(b"a.test", (b"http/1.1",)))
        await during.until(lambda: bool(held), "the other half of the handshake")
        await mute.until(lambda: bool(mute.data), "its answer")
        drained = self.plane.drain(30)
        await turns(20)
        during.transport.write(b"".join(held))
        del during._say
        before.ssl = _client("a.test")
        before.transport.write(before.ssl.bio_read(65536))
        for client in (before, during):
            client.sends(GET)
            head, body = await client.message()
            self.assertEqual((field(head, b"connection"), body), (b"close", b"ok"))
            await client.ends()
            client.leaves()
        self.assertFalse(silent.isOver or mute.isOver)
        self.world.advance(1.5)
        for client in (silent, mute):
            await client.loses()
        self.assertEqual(await drained, 0)

    async def test_misdirected(self) -> None:
        """
        A request for a name with another certificate than the connection's is
        421, also when the same head was served before where it belongs.
        """
        port = await self.port()
        other = TLS("terminate", Auto(("b.test",)))
        await self.certify("a.test", "c.test")
        await self.certify("b.test", tls=other)
        await self.use(
            Route("a", (port,), Respond(body="a"), "http", ("a.test",), tls=TERMINATE),
            Route("c", (port,), Respond(body="c"), "http", ("c.test",), tls=TERMINATE),
            Route("b", (port,), Respond(body="b"), "http", ("b.test",), tls=other),
        )
        for name, host, wanted in (
            ("a.test", b"a.test", b"a"),
            ("b.test", b"a.test", b"421 Misdirected Request\n"),
            ("b.test", b"b.test", b"b"),
            ("a.test", b"b.test", b"421 Misdirected Request\n"),
            # One certificate for both: it was shown to the right one.
            ("a.test", b"c.test", b"c"),
            ("a.test", b"d.test", b"421 Misdirected Request\n"),
        ):
            client = await self.tls(port, name)
            client.sends(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
            _, body = await client.message()
            self.assertEqual(body, wanted, (name, host))

    async def test_certificateSwapped(self) -> None:
        """
        A new certificate is shown to new handshakes; connections that exist
        are not touched.
        """
        port, origin = await self.begin()
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        before = await self.tls(port)
        await self.certify("a.test", "new.test")
        after = await self.tls(port)
        self.assertEqual(before.peerCertificate, leaf("a.test"))
        self.assertEqual(after.peerCertificate, leaf("a.test", "new.test"))
        for client in (before, after):
            client.sends(GET)
            await client.message()

    async def test_tableInTheMidst(self) -> None:
        """
        A table that changes in the midst of a handshake decides about what
        comes after it; with the routes gone nothing stays.
        """
        for protocol, answer in (("http", b"HTTP/1.1 404 "), ("tcp", b"")):
            port = await self.port()
            await self.certify("a.test")
            action = Forward((self.origin().target,))
            await self.use(Route("a", (port,), action, protocol, ("a.test",), tls=TERMINATE))  # type: ignore[arg-type]
            client = await self.client(port)
            client.ssl = _client("a.test")
            held: list[bytes] = []
            client.transport.write(client.ssl.bio_read(65536))
            client._say = held.append  # type: ignore[method-assign]
            await client.until(lambda: bool(held), "the other half of the handshake")  # noqa: B023
            # The port stays, for a challenge.
            tls = TLS("terminate", Auto(("b.test",)))
            await self.use(Route("b", (1,), Respond(), "http", tls=tls), acme=Acme(httpPort=port))
            client.transport.write(b"".join(held))
            del client._say
            client.sends(GET)
            await client.until(lambda: client.isOver or bool(client.data), "an answer")  # noqa: B023
            self.assertTrue(client.data.startswith(answer))
            client.breaks()
            await self.isIdle()
            self.assertEqual(len(self.plane.engine.poller.handlers), len(self._ports))

    async def test_resumption(self) -> None:
        """
        A client that comes back resumes, by both versions.
        """
        port, origin = await self.begin()
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            first = _client("a.test", version)
            client = await self.client(port, first)
            await client.until(lambda: client.isShaken, "a handshake")  # noqa: B023
            client.sends(GET)
            await client.message()
            session = first.get_session()
            again = SSL.Connection(first.get_context(), None)
            again.set_tlsext_host_name(b"a.test")
            again.set_session(session)
            again.set_connect_state()
            second = await self.client(port, again)
            await second.until(lambda: second.isShaken, "a handshake")  # noqa: B023
            self.assertEqual(SSL._lib.SSL_session_reused(again._ssl), 1)  # type: ignore[attr-defined]


def _client(name: str, highest: int = SSL.TLS1_3_VERSION) -> SSL.Connection:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(highest)
    connection = SSL.Connection(context, None)
    connection.set_tlsext_host_name(name.encode())
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        pass
    return connection


def leaf(*names: str) -> bytes:
    """
    The certificate of L{credentialFor} without those that vouch for it.
    """
    end = b"-----END CERTIFICATE-----\n"
    return credentialFor(*names).chain.partition(end)[0] + end


class ManyKindsTests(PlaneTests):
    """
    Several kinds of route on one port.
    """

    async def begin(self) -> tuple[int, Origin, Origin, Origin]:
        """
        TLS passed through and terminated for HTTP and for anything, plain HTTP,
        plain anything.
        """
        port = await self.port()
        self.secret = credentialFor("through.test")
        through, web, raw = self.origin(credential=self.secret), self.origin(), self.origin()
        await self.certify("*.a.test", "a.test")
        passthrough, target = TLS("passthrough"), Forward((web.target,))
        await self.use(
            Route("through", (port,), Forward((through.target,)), "tcp", ("through.test",), tls=passthrough),
            Route("a", (port,), target, "http", ("a.test",), tls=TERMINATE),
            Route("stream", (port,), Forward((raw.target,)), "tcp", ("s.a.test",), tls=TERMINATE),
            Route("web", (port,), target, "http"),
            Route("raw", (port,), Forward((raw.target,)), "tcp"),
        )
        return port, through, web, raw

    async def test_each(self) -> None:
        """
        Every kind finds its way.
        """
        port, through, web, raw = await self.begin()
        web.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nweb")
        client = await self.tls(port, "through.test")
        self.assertEqual(client.peerCertificate, leaf("through.test"))
        client.sends(b"ping")
        server = await through.accepts()
        await server.expects(b"ping")
        server.sends(b"pong")
        await client.expects(b"pong")
        for client in (await self.tls(port, "a.test"), await self.client(port)):
            client.sends(GET)
            self.assertEqual((await client.message())[1], b"web")
        stream = await self.tls(port, "s.a.test")
        stream.sends(b"MAIL\r\n")
        server = await raw.accepts()
        await server.expects(b"MAIL\r\n")
        client = await self.client(port)
        client.sends(b"EHLO mail\r\n")
        server = await raw.accepts()
        await server.expects(b"EHLO mail\r\n")
        server.sends(b"250\r\n")
        await client.expects(b"250\r\n")
        client = await self.client(port)
        client.sends(fromOpenSSL(b"nobody.test"))
        self.assertEqual(await client.ends(), UNKNOWN_NAME)

    async def test_slowReaders(self) -> None:
        """
        Each of them gets all of it, also when it did not read for a while.
        """
        port, through, web, raw = await self.begin()
        size = 8_000_000
        much = bytes(size)
        web.answers(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, much))

        async def tells(peer: Peer) -> None:
            await peer.expects(b"EHLO x\r\n")
            peer.sends(much)
            peer.leaves()

        raw.serves(tells)
        through.serves(tells)
        for name, words in (
            ("through.test", b"EHLO x\r\n"),
            ("a.test", GET),
            ("s.a.test", b"EHLO x\r\n"),
            ("", GET),
            ("", b"EHLO x\r\n"),
        ):
            client = await (self.tls(port, name) if name else self.client(port))
            transport: Any = client.transport
            client.sends(words)
            transport.pauseProducing()
            await turns(20, 0.005)
            transport.resumeProducing()
            await client.until(lambda peer=client: peer.received >= size, f"all of it by {name!r}")  # type: ignore[misc]
            client.leaves()
            await self.isIdle()

    async def test_byteByByte(self) -> None:
        """
        The same when the bytes come one by one.
        """
        port, through, web, raw = await self.begin()
        web.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nweb")
        client = await self.client(port)
        await client.trickles(GET)
        self.assertEqual((await client.message())[1], b"web")
        client = await self.client(port)
        await client.trickles(b"EHLO mail\r\n")
        server = await raw.accepts()
        await server.expects(b"EHLO mail\r\n")
        data = fromOpenSSL(b"through.test")
        client = await self.client(port)
        await client.trickles(data)
        # The origin shakes hands with what it got: it answers.
        server = await through.accepts()
        await client.until(lambda: client.data[:1] == b"\x16", "the origin's hello")
        client = await self.client(port)
        await client.trickles(fromOpenSSL(b"nobody.test", ()))
        self.assertEqual(await client.ends(), UNKNOWN_NAME)

    async def test_requestsTogether(self) -> None:
        """
        Nothing is lost of requests that come together, in any two segments, or by more than is
        looked at; nor of other words, however many come at once.
        """
        port, _, web, raw = await self.begin()
        web.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        chunked = (
            b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        long = bytes(range(256)) * 200
        whole = chunked + GET + chunked
        ways = [(whole[:cut], whole[cut:], b"abc") for cut in range(1, len(whole))]
        ways.append((whole, b"", b"abc"))
        posted = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n%b" % (len(long), long)
        ways.append((posted + GET + posted, b"", long))
        for first, second, body in ways:
            client = await self.client(port)
            client.sends(first)
            await turns(2)
            client.sends(second)
            for wanted in (body, b"", body):
                self.assertEqual((await client.message())[1], wanted)
            client.leaves()
        for words in (b"EHLO x\r\n" + long, long):
            client = await self.client(port)
            client.sends(words)
            server = await raw.accepts()
            self.assertEqual(await server.takes(len(words)), words)
            client.leaves()

    async def test_endsAtOnce(self) -> None:
        """
        An end that came together with the first bytes is not lost on whoever
        takes the connection over, be it client's or target's.
        """
        port, through, web, raw = await self.begin()
        web.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nweb")

        async def short(peer: Peer) -> None:
            await peer.until(lambda: peer.ssl is None or peer.isShaken or peer.isOver, "a handshake")
            peer.sends(b"that is all")
            peer.leaves()

        raw.serves(short)
        through.serves(short)
        for data, wanted in (
            (GET, b"web"),
            (b"GET /", b""),
            (b"EHLO x\r\n", b"that is all"),
            (fromOpenSSL(b"nobody.test"), UNKNOWN_NAME),
            (fromOpenSSL(b"a.test"), b""),
        ):
            client = await self.client(port)
            client.sends(data)
            client.finishes()
            answer = await client.loses()
            self.assertEqual(answer[-len(wanted) :] if wanted else b"", wanted, data[:20])
            client.leaves()
            await self.isIdle()
        for name in ("s.a.test", "through.test"):
            client = await self.tls(port, name)
            client.finishes()
            self.assertEqual(await client.loses(), b"that is all")
            client.leaves()
            await self.isIdle()

    async def test_untouched(self) -> None:
        """
        What is passed through arrives byte for byte, the hello included.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(
            Route("t", (port,), Forward((origin.target,)), "tcp", ("t.test",), tls=TLS("passthrough"))
        )
        data = hello(serverName(b"T.test."), alpn(b"h2"), sizes=(40, 3, 500)) + b"and more"
        client = await self.client(port)
        client.sends(data)
        server = await origin.accepts()
        await server.expects(data)

    async def test_noHTTPOnATCPPort(self) -> None:
        """
        On a port that only passes bytes on HTTP is bytes too, and the target
        may speak first.
        """
        port = await self.port()
        origin = self.origin()
        await self.use(Route("t", (port,), Forward((origin.target,)), "tcp"))
        client = await self.client(port)
        server = await origin.accepts()
        server.sends(b"220 hello\r\n")
        await client.expects(b"220 hello\r\n")
        client.sends(b"GET / HT")
        await server.expects(b"GET / HT")

    async def test_portWithoutRoutes(self) -> None:
        """
        Where a port has no routes everything is closed.
        """
        port = await self.port()
        await self.use()
        for data in (GET, fromOpenSSL(b"a.test"), b"x\r\n"):
            client = await self.client(port)
            client.sends(data)
            await client.loses()
        await self.isIdle()


class ChallengeTests(PlaneTests):
    """
    The answers to challenges of ACME.
    """

    ASK = b"GET /.well-known/acme-challenge/%s HTTP/1.1\r\nHost: auto.test\r\n\r\n" % TOKEN.encode()
    AUTOMATIC = Route("auto", (1,), Respond(body="auto"), "http", ("auto.test",), tls=TLS("terminate", AUTO))

    async def begin(self, *routes: Route) -> tuple[int, int]:
        """
        Ports for both challenges, with these routes on both, and a certificate
        that is wanted elsewhere.
        """
        http, tls, elsewhere = [await self.port() for _ in range(3)]
        automatic = Route(
            "auto", (elsewhere,), Respond(body="a"), "http", AUTO.names, tls=TLS("terminate", AUTO)
        )
        both = [
            Route(route.name, (http, tls), route.action, route.protocol, route.domains, tls=route.tls)
            for route in routes
        ]
        await self.use(
            automatic, *both, acme=Acme(httpPort=http, tlsPort=tls, challenges=("tls-alpn-01", "http-01"))
        )
        return http, tls

    async def provesByHTTP(self, port: int) -> None:
        """
        The token is answered on a port, while it is presented.
        """
        challenge = HTTP01("auto.test", TOKEN, TOKEN + ".thumb")
        await self.plane.present(challenge)
        client = await self.client(port)
        client.sends(self.ASK)
        _, body = await client.message()
        self.assertEqual(body, challenge.keyAuthorization.encode())
        client = await self.client(port)
        await client.trickles(self.ASK)
        self.assertEqual((await client.message())[1], challenge.keyAuthorization.encode())
        await self.plane.withdraw(challenge)

    async def provesByTLS(self, port: int) -> None:
        """
        The proof is shown on a port, while it is presented.
        """
        challenge = acmeTLS("auto.test", "x.y")
        await self.plane.present(challenge)
        client = await self.tls(port, "auto.test", (b"acme-tls/1",))
        assert client.ssl is not None
        self.assertEqual(client.ssl.get_alpn_proto_negotiated(), b"acme-tls/1")
        self.assertEqual(client.peerCertificate, challenge.credential.chain)
        await client.ends()
        await self.plane.withdraw(challenge)
        client = await self.tls(port, "auto.test", (b"acme-tls/1",))
        self.assertFalse(client.isShaken)
        client.breaks()

    async def test_aloneOnTheirPorts(self) -> None:
        """
        Ports that no route names serve both, and 404 for everything else.
        """
        http, tls = await self.begin()
        await self.provesByHTTP(http)
        await self.provesByTLS(tls)
        client = await self.client(http)
        client.sends(self.ASK)
        self.assertTrue((await client.head()).startswith(b"HTTP/1.1 404 "))

    async def test_besideHTTP(self) -> None:
        """
        Beside routes for everything: the route takes what is not presented,
        also when it was asked for before.
        """
        http, tls = await self.begin(Route("all", (1,), Respond(body="route"), "http"))
        client = await self.client(http)
        client.sends(self.ASK)
        self.assertEqual((await client.message())[1], b"route")
        await self.provesByHTTP(http)
        client.sends(self.ASK)
        self.assertEqual((await client.message())[1], b"route")
        await self.provesByTLS(tls)
        client = await self.client(tls)
        client.sends(GET)
        self.assertEqual((await client.message())[1], b"route")

    async def test_onlyForTheirName(self) -> None:
        """
        A token is for one name; with another one the route is asked.
        """
        http, _ = await self.begin(Route("all", (1,), Respond(body="route"), "http"))
        await self.plane.present(HTTP01("auto.test", TOKEN, "key"))
        client = await self.client(http)
        client.sends(self.ASK.replace(b"auto.test", b"other.test"))
        self.assertEqual((await client.message())[1], b"route")
        client.sends(self.ASK.replace(TOKEN.encode(), TOKEN.encode() + b"/../x"))
        self.assertEqual((await client.message())[1], b"route")

    async def test_besideTCP(self) -> None:
        """
        Beside routes that pass bytes on: those get everything else, HTTP and
        TLS too.
        """
        origin = self.origin()
        http, tls = await self.begin(Route("raw", (1,), Forward((origin.target,)), "tcp"))
        await self.provesByHTTP(http)
        await self.plane.present(HTTP01("auto.test", TOKEN, "key"))
        await self.plane.present(acmeTLS("auto.test", "x.y"))
        for port in (http, tls):
            for data in (
                GET,
                b"EHLO x\r\n",
                self.ASK.replace(TOKEN.encode(), b"other"),
                fromOpenSSL(b"auto.test"),
                fromOpenSSL(b"other.test", (b"acme-tls/1",)),
                b"\x16\x03\x01\x00\x00",
            ):
                client = await self.client(port)
                client.sends(data)
                server = await origin.accepts()
                await server.expects(data)
                client.breaks()
        await self.plane.withdraw(acmeTLS("auto.test", "x.y"))
        # With nothing presented the target may speak first here too.
        client = await self.client(tls)
        server = await origin.accepts()
        server.sends(b"220\r\n")
        await client.expects(b"220\r\n")

    async def test_besideTCPByTLS(self) -> None:
        """
        tls-alpn-01 on a port with TCP routes only.
        """
        origin = self.origin()
        _, tls = await self.begin(Route("raw", (1,), Forward((origin.target,)), "tcp"))
        challenge = acmeTLS("auto.test", "x.y")
        await self.plane.present(challenge)
        client = await self.tls(tls, "auto.test", (b"acme-tls/1",))
        self.assertEqual(client.peerCertificate, challenge.credential.chain)
        self.assertEqual(origin.count, 0)

    async def test_besideTLS(self) -> None:
        """
        Beside a passthrough route for the same name: the challenge wins, other
        hellos pass.
        """
        origin = self.origin()
        _, tls = await self.begin(
            Route("through", (1,), Forward((origin.target,)), "tcp", ("auto.test",), tls=TLS("passthrough"))
        )
        challenge = acmeTLS("auto.test", "x.y")
        await self.plane.present(challenge)
        client = await self.tls(tls, "auto.test", (b"acme-tls/1",))
        self.assertEqual(client.peerCertificate, challenge.credential.chain)
        for protocols in ((b"acme-tls/1", b"h2"), (b"h2",)):
            data = fromOpenSSL(b"auto.test", protocols)
            client = await self.client(tls)
            client.sends(data)
            server = await origin.accepts()
            await server.expects(data)

    async def test_badProof(self) -> None:
        """
        A proof that cannot be used is refused when it is presented.
        """
        await self.begin()
        challenge = acmeTLS("auto.test", "x.y")
        broken = type(challenge)(challenge.name, type(challenge.credential)(b"x", b"y"))
        await self.assertFailure(self.plane.present(broken), ValueError)
