"""
Tests for L{smartproxy_tw.upstream.looking}: looks at servers of every kind.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.config.model import Check, Checked, ProxyHeader, Target, UpstreamTLS
from smartproxy_tw.upstream.looking import CheckFailed, look

from ..plane.harness import Origin, Peer, authority, credentialFor, serverSSL, turns
from ..plane.targets import Asked, Multiplexed, Server, speaking

reactor: Any = _reactor
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class LookTests(TestCase):
    """
    Over real sockets.
    """

    timeout = 300

    def setUp(self) -> None:
        self._origins: list[Origin] = []
        bundle = Path(self.mktemp())
        bundle.write_bytes(authority().credential.chain)
        self.trusted = UpstreamTLS("app.test", caFile=str(bundle))

    def tearDown(self) -> Deferred[None]:
        async def close() -> None:
            for origin in self._origins:
                for peer in origin.peers:
                    if not peer.isOver:
                        peer.transport.abortConnection()
                await origin.port.stopListening()

        return Deferred.fromCoroutine(close())

    def origin(self, answer: bytes | None, *names: str) -> tuple[Origin, Target]:
        """
        A server that gives one answer, or none; with a certificate for these names.
        """
        origin = Origin((lambda: serverSSL(credentialFor(*names))) if names else None)
        origin.port = reactor.listenTCP(0, origin.factory, interface="127.0.0.1")
        if answer is not None:
            origin.answers(answer)
        self._origins.append(origin)
        return origin, Target("127.0.0.1", origin.port.getHost().port)

    async def fails(self, check: Check, target: Target, tls: UpstreamTLS | None = None) -> str:
        """
        Why a look fails.
        """
        try:
            seen = await look(reactor, Checked(check, target, tls))
        except CheckFailed as why:
            return str(why)
        raise AssertionError(f"it did not fail: {seen}")

    async def looks(self, protocol: Literal["h2", "h2c"], status: bytes, tls: UpstreamTLS | None) -> str:
        """
        What is seen of a server that answers so.
        """

        def answer(server: Server, asked: Asked) -> None:
            self.asked = asked
            server.answers(asked, status)

        origin = Origin() if tls is None else Origin(lambda: speaking((b"h2",), "app.test"))
        origin.port = reactor.listenTCP(0, origin.factory, interface="127.0.0.1")
        self._origins.append(origin)
        target = replace(Multiplexed(origin, answer).target(), protocol=protocol)
        check = Check(path="/ready", host="app.test")
        if status == b"200":
            return await look(reactor, Checked(check, target, tls))
        return await self.fails(check, target, tls)

    async def test_frames(self) -> None:
        """
        They are asked by HTTP/2, and judged by the status.
        """
        for protocol, tls in (("h2c", None), ("h2", self.trusted)):
            for status in (b"200", b"503"):
                seen = await self.looks(protocol, status, tls)  # type: ignore[arg-type]
                self.assertEqual(seen, f"it answers with status {status.decode()}")
                self.assertEqual(self.asked.path, b"/ready")
                self.assertEqual(self.asked.fields[b":authority"], b"app.test")

    async def test_http(self) -> None:
        """
        The status decides; what is asked for is what was said.
        """
        for status, isWell in ((b"200", True), (b"399", True), (b"404", False), (b"503", False)):
            _, target = self.origin(OK.replace(b"200", status))
            if isWell:
                seen = await look(reactor, Checked(Check(), target))
            else:
                seen = await self.fails(Check(), target)
            self.assertEqual(seen, f"it answers with status {status.decode()}")
        asked: list[bytes] = []
        origin, target = self.origin(None)

        async def serve(peer: Peer) -> None:
            head, _ = await peer.message()
            asked.append(head)
            peer.sends(b"HTTP/1.0 204\r\n")

        origin._serve = serve
        check = Check(path="/up?x=1", host="app.test", statuses=((204, 204),))
        await look(reactor, Checked(check, target))
        self.assertTrue(asked[0].startswith(b"GET /up?x=1 HTTP/1.1\r\nHost: app.test\r\n"), asked)
        _, target = self.origin(OK)
        self.assertEqual(await self.fails(check, target), "it answers with status 200")

    async def test_interim(self) -> None:
        """
        What comes before an answer is none: it is the one after it that decides.
        """
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
        continued = b"HTTP/1.1 100 Continue\r\n\r\n"
        for before in (early, continued, early * 3, continued + early):
            _, target = self.origin(before + OK)
            seen = await look(reactor, Checked(Check(), target))
            self.assertEqual(seen, "it answers with status 200")
            _, target = self.origin(before + OK.replace(b"200", b"500"))
            self.assertEqual(await self.fails(Check(), target), "it answers with status 500")
        origin, target = self.origin(None)

        async def serve(peer: Peer) -> None:
            await peer.message()
            for piece in (early[:9], early[9:-1], early[-1:] + OK[:20], OK[20:]):
                peer.sends(piece)
                await turns(3)

        origin._serve = serve
        self.assertEqual(await look(reactor, Checked(Check(), target)), "it answers with status 200")
        for endless in (early * 2000, early[:-2] + b"X: y\r\n" * 12000):
            _, target = self.origin(endless)
            self.assertEqual(await self.fails(Check(), target), "it has no end of interim answers")
        _, target = self.origin(OK.replace(b"200", b"101"))
        self.assertEqual(await self.fails(Check(), target), "it answers with status 101")

    async def test_noHTTP(self) -> None:
        """
        What is no HTTP, or ends before it has said anything, is told as that.
        """
        for answer, told in (
            (b"220 mail.test ESMTP\r\n", "what it answers is no HTTP/1"),
            (b"x" * 9000, "what it answers is no HTTP/1"),
        ):
            _, target = self.origin(answer)
            self.assertEqual(await self.fails(Check(), target), told)
        origin, target = self.origin(None)

        async def serve(peer: Peer) -> None:
            await peer.message()
            peer.leaves()

        origin._serve = serve
        self.assertIn(await self.fails(Check(), target), ("it hung up", "Connection reset by peer"))

    async def test_refused(self) -> None:
        """
        Nobody listens there.
        """
        origin, target = self.origin(OK)
        await origin.port.stopListening()
        self._origins.remove(origin)
        self.assertEqual(await self.fails(Check(), target), "Connection refused")
        missing = Target(os.path.abspath("nowhere.sock"), 0)
        self.assertEqual(await self.fails(Check("tcp"), missing), "No such file or directory")

    async def test_silent(self) -> None:
        """
        Who says nothing has no more than his time.
        """
        origin, target = self.origin(None)
        self.assertEqual(await self.fails(Check(timeout=0.05), target), "it did not answer in 0.05 s")
        await origin.peers[0].loses()

    async def test_tcp(self) -> None:
        """
        For tcp it is enough to take the connection; by another port, if one is said.
        """
        origin, target = self.origin(None)
        assert target.port is not None
        check = Check("tcp", port=target.port)
        self.assertEqual(await look(reactor, Checked(check, Target("127.0.0.1", 1))), "it takes connections")
        self.assertEqual(
            await look(reactor, Checked(Check("tcp"), Target("localhost", target.port))),
            "it takes connections",
        )
        for peer in origin.peers:
            await peer.loses()

    async def test_unix(self) -> None:
        """
        By a unix socket.
        """
        path = os.path.relpath(self.mktemp())
        factory = Factory.forProtocol(Answering)
        port = reactor.listenUNIX(path, factory)
        try:
            seen = await look(reactor, Checked(Check(), Target(path, 0)))
        finally:
            await port.stopListening()
        self.assertEqual(seen, "it answers with status 200")

    async def test_tls(self) -> None:
        """
        For tls the handshake has to succeed, and for http over TLS the answer: with the
        certificate verified as for requests.
        """
        for kind, seen in (("tls", "it shakes hands"), ("http", "it answers with status 200")):
            _, target = self.origin(OK, "app.test")
            check = Check(kind)  # type: ignore[arg-type]
            self.assertEqual(await look(reactor, Checked(check, target, self.trusted)), seen)
            self.assertEqual(
                await self.fails(check, target, UpstreamTLS("other.test", caFile=self.trusted.caFile)),
                "TLS: its certificate is not for other.test",
            )
            why = await self.fails(check, target, UpstreamTLS("app.test"))
            self.assertIn("TLS: its certificate is not trusted: its", why)

    async def test_passthrough(self) -> None:
        """
        Where TLS is passed through it is not for us to verify.
        """
        _, target = self.origin(OK, "app.test")
        self.assertEqual(
            await look(reactor, Checked(Check("tls", host="app.test"), target)), "it shakes hands"
        )
        _, plain = self.origin(b"HTTP/1.0 400 Bad\r\n\r\n")
        self.assertIn("it did not answer", await self.fails(Check("tls", timeout=0.1), plain))

    async def test_proxyHeader(self) -> None:
        """
        A target that expects the PROXY protocol is told that nobody is spoken for, before
        anything else, and before TLS.
        """
        header = ProxyHeader(1)
        for names in ((), ("app.test",)):
            origin, target = self.origin(None)
            target = Target(target.host, target.port, header)
            tls = self.trusted if names else None
            looking = look(reactor, Checked(Check(), target, tls))
            looking.addErrback(lambda _: None)
            peer = await origin.accepts()
            await peer.expects(b"PROXY UNKNOWN\r\n" + (b"\x16\x03" if names else b"GET / HTTP/1.1\r\n"))
            peer.leaves()
            await looking


class Answering(Protocol):
    """
    A server that answers whatever comes.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Answer.
        """
        assert self.transport is not None
        self.transport.write(OK)


class CancelTests(SynchronousTestCase):
    """
    Whoever looks loses interest.
    """

    def test_cancelled(self) -> None:
        """
        Nothing is left of it.
        """
        world = MemoryReactorClock()
        looking = look(world, Checked(Check(), Target("127.0.0.1", 80)))
        looking.addErrback(lambda _: None)
        looking.cancel()
        self.assertEqual([call for call in world.getDelayedCalls() if call.active()], [])

    def test_unusable(self) -> None:
        """
        What the configuration names and is not there any more fails the look, and no more
        than that.
        """
        tls = UpstreamTLS(caFile="/nowhere/ca.pem")
        looking = look(MemoryReactorClock(), Checked(Check(), Target("127.0.0.1", 80), tls))
        self.assertIn("/nowhere/ca.pem", str(self.failureResultOf(looking, CheckFailed).value))
