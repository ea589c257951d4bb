"""
Tests for L{smartproxy_tw.preflight.knock}: real connections over loopback, to
servers of every kind.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet import reactor as _reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from smartproxy_tw.acme.x509 import Signer, acmeTLS, leafDER
from smartproxy_tw.facts import Credential
from smartproxy_tw.preflight.facts import Closed, Elsewhere, Ours, Stranger, Unreached
from smartproxy_tw.preflight.knock import Answer, Knock

from ..plane.harness import turns
from ..ports import freePorts

reactor: Any = _reactor

WANTED = b"token.secret"
OURS = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" + WANTED
HERE = "127.0.0.1"


class Server(Protocol):
    """
    Answers as a test says.
    """

    def connectionMade(self) -> None:
        """One more."""
        self.factory.met.append(self)  # type: ignore[union-attr]
        self.heard = b""

    def dataReceived(self, data: bytes) -> None:
        """A request."""
        self.heard += data
        if b"\r\n\r\n" in self.heard:
            self.factory.answer(self)  # type: ignore[union-attr]

    @property
    def path(self) -> str:
        """
        What was asked for.
        """
        return self.heard.split()[1].decode()

    def connectionLost(self, reason: Any = None) -> None:
        """It has gone."""
        self.factory.met.remove(self)  # type: ignore[union-attr]


@implementer(IOpenSSLServerConnectionCreator)
class ServerContext:
    """
    A certificate, and protocols perhaps; a strict one breaks the first handshake off.
    """

    def __init__(self, credential: Credential, *protocols: bytes, isStrict: bool = False) -> None:
        self._isBreaking = isStrict
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, credential.chain))
        self._context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, credential.key))

        def select(_: object, offered: list[bytes]) -> Any:
            for each in protocols:
                if each in offered:
                    return each
            return SSL.NO_OVERLAPPING_PROTOCOLS

        self._context.set_alpn_select_callback(select)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """
        One handshake.
        """
        connection = SSL.Connection(self._context, None)
        if self._isBreaking:
            self._isBreaking = False
            connection.set_options(SSL.OP_NO_TLSv1_3)
            connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        return connection


class KnockTests(TestCase):
    """
    Who is there.
    """

    timeout = 300

    def setUp(self) -> None:
        self.knock = Knock(reactor, "me/1")
        self.met: list[Server] = []
        signer = Signer.create("A root")
        self.credential = signer.issue(["other.test", "www.other.test"], lifetime=3600)

    def listens(self, answer: Callable[[Server], object], context: ServerContext | None = None) -> int:
        """
        A server.
        """
        factory: Any = Factory.forProtocol(Server)
        factory.noisy = False
        factory.met, factory.answer = self.met, answer
        if context is not None:
            factory = TLSMemoryBIOFactory(context, False, factory)
            factory.noisy = False
        port = reactor.listenTCP(0, factory, interface=HERE)
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    def says(self, words: bytes, *, end: bool = True) -> Callable[[Server], object]:
        """
        An answer to everything.
        """

        def answer(server: Server) -> None:
            assert server.transport is not None
            server.transport.write(words)
            if end:
                server.transport.loseConnection()

        return answer

    async def asks(self, port: int, secure: int = 1) -> Answer:
        """
        By HTTP.
        """
        found = await self.knock.http(HERE, (port, secure), "a.test", "/token", WANTED)
        await self.left()
        return found

    async def left(self) -> None:
        """
        No connection stays.
        """
        while self.met:
            await turns(1)

    async def test_ours(self) -> None:
        """
        It is we, and the server need not hang up for that.
        """
        self.assertEqual(await self.asks(self.listens(self.says(OURS, end=False))), Ours())

    async def test_stranger(self) -> None:
        """
        Somebody else, who hangs up at once, in the midst, or never says anything else.
        """
        for words, what in {
            b"HTTP/1.1 404 No\r\nServer: nginx\r\n\r\n": "status 404 by nginx",
            b"HTTP/1.1 200 OK\r\n\r\nhello": "status 200",
            b"HTTP/1.1 200 OK\r\nServ": "something that gives no whole HTTP answer",
            b"": "something that hangs up without an answer",
            b"220 mail ESMTP\r\n": "something that does not speak HTTP (220 mail ESMTP)",
        }.items():
            self.assertEqual(await self.asks(self.listens(self.says(words))), Stranger(what))

    async def test_huge(self) -> None:
        """
        An answer without end is left.
        """
        words = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000000
        self.assertEqual(await self.asks(self.listens(self.says(words, end=False))), Stranger("status 200"))

    async def test_closed(self) -> None:
        """
        Nobody is there.
        """
        self.assertEqual(await self.asks(freePorts(1)[0]), Closed())
        self.assertEqual(await self.knock.tls(HERE, freePorts(1)[0], "a.test", b"x"), Closed())

    async def test_noWay(self) -> None:
        """
        There is no way there; the address is one that none leads to.
        """
        found = await self.knock.http("255.255.255.255", (80, 443), "a.test", "/", WANTED)
        self.assertIsInstance(found, Unreached)

    async def test_silent(self) -> None:
        """
        Who never answers is waited for until whoever asks has enough of it; nothing is
        left then.
        """
        for secure in (False, True):
            port = self.listens(lambda _: None)
            if secure:
                asking = Deferred.fromCoroutine(self.knock.tls(HERE, port, "a.test", b"x"))
            else:
                asking = Deferred.fromCoroutine(self.asks(port))
            while not self.met:
                await turns(1)
            asking.cancel()
            self.failureResultOf(asking, CancelledError)
            await self.left()

    async def test_cancelledEarly(self) -> None:
        """
        A connection that is still being made is given up.
        """
        with socket.socket() as busy:
            busy.bind((HERE, 0))
            busy.listen(0)
            with socket.create_connection(busy.getsockname()), socket.socket() as more:
                more.setblocking(False)
                more.connect_ex(busy.getsockname())
                number = busy.getsockname()[1]
                asking = Deferred.fromCoroutine(self.asks(number))
                await turns(1)
                asking.cancel()
                self.failureResultOf(asking, CancelledError)

    async def test_redirect(self) -> None:
        """
        To HTTPS of the same name it is followed, to the same address and without a
        question about the certificate; so an old server elsewhere is known for what it
        is, and a front that leads here is too.
        """
        for words, found in {OURS: Ours(), b"HTTP/1.1 404 No\r\n\r\n": Stranger("status 404")}.items():
            secure = self.listens(self.says(words), ServerContext(self.credential))
            plain = self.listens(self.says(b"HTTP/1.1 301 M\r\nLocation: https://a.test/token\r\n\r\n"))
            self.assertEqual(await self.asks(plain, secure), found)

    async def test_redirectNowhere(self) -> None:
        """
        Where it leads to a port that nobody listens on, that is told of who redirects.
        """
        secure = freePorts(1)[0]
        plain = self.listens(self.says(b"HTTP/1.1 301 M\r\nLocation: https://a.test/token\r\n\r\n"))
        found = await self.asks(plain, secure)
        told = f"it redirects to https://a.test:{secure}/token, and nobody listens there"
        self.assertEqual(found, Stranger(told))

    async def test_redirectElsewhere(self) -> None:
        """
        Nobody sends the proxy to another name, or round and round.
        """
        plain = self.listens(self.says(b"HTTP/1.1 301 M\r\nLocation: http://169.254.169.254/x\r\n\r\n"))
        self.assertEqual(await self.asks(plain), Elsewhere("http://169.254.169.254/x"))
        seen: list[str] = []

        def answer(server: Server) -> None:
            seen.append(server.path)
            self.says(b"HTTP/1.1 302 F\r\nLocation: /more?" + b"x" * len(seen) + b"\r\n\r\n")(server)

        self.assertEqual(await self.asks(self.listens(answer)), Stranger("redirects that do not end"))
        self.assertEqual(seen, ["/token", "/more?x", "/more?xx", "/more?xxx"])

    async def test_tls(self) -> None:
        """
        It is we who show the certificate that was put up, by the protocol of the
        challenge.
        """
        evidence = acmeTLS("a.test", "x.y")
        wanted = leafDER(evidence.credential.chain)
        port = self.listens(self.says(b""), ServerContext(evidence.credential, b"acme-tls/1"))
        self.assertEqual(await self.knock.tls(HERE, port, "a.test", wanted), Ours())
        port = self.listens(self.says(b""), ServerContext(evidence.credential))
        self.assertIsInstance(await self.knock.tls(HERE, port, "a.test", wanted), Stranger)
        await self.left()

    async def test_tlsStranger(self) -> None:
        """
        Of a stranger it is told for whom the certificate is that it shows, also when it
        knows nothing of challenges.
        """
        for isStrict in (False, True):
            port = self.listens(
                self.says(b""), ServerContext(self.credential, b"http/1.1", isStrict=isStrict)
            )
            found = await self.knock.tls(HERE, port, "a.test", b"wanted")
            self.assertEqual(
                found, Stranger("a server with a certificate for other.test, www.other.test by CN=A root")
            )
        await self.left()

    async def test_tlsNone(self) -> None:
        """
        Who speaks no TLS is told to break it off.
        """
        self.patch(Server, "dataReceived", lambda server, _: server.transport.loseConnection())
        port = self.listens(lambda _: None)
        found = await self.knock.tls(HERE, port, "a.test", b"wanted")
        self.assertEqual(found, Stranger("something that breaks off the handshake"))
        await self.left()
