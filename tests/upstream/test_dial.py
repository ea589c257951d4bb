"""
Connecting to a target: its addresses, its TLS, its deadline.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from smartproxy_tw.acme.x509 import selfSigned
from smartproxy_tw.config.model import Forward, Route, Target, Timeouts, UpstreamTLS
from smartproxy_tw.facts import Credential

from ..plane.harness import Origin, Peer, PlaneTests, authority, credentialFor, lacksIPv6, turns

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class DialTests(PlaneTests):
    """
    One route to one target.
    """

    async def to(self, target: Target, tls: UpstreamTLS | None = None, **others: Any) -> Peer:
        """
        A client that has asked for what the target has.
        """
        port = await self.port()
        await self.use(Route("a", (port,), Forward((target,), tls), "http"), **others)
        client = await self.client(port)
        client.sends(GET)
        return client

    async def fails(self, client: Peer, wanted: int = 502) -> None:
        """
        The client is told that the target did not do its part.
        """
        self.assertEqual(int((await client.head())[9:12]), wanted)
        self.assertEqual((await self.plane.tally())["upstream_failures"], 1)


class AddressTests(DialTests):
    """
    Where to connect to.
    """

    async def test_names(self) -> None:
        """
        The addresses of a name are tried one after the other, of either family.
        """
        origin = self.origin()
        origin.answers(HELLO)
        self.world.nameResolver.known["a.test"] = ["::1", "127.0.0.9", "127.0.0.1"]
        client = await self.to(Target("a.test", origin.number))
        self.assertEqual((await client.message())[1], b"hello")

    async def test_v6(self) -> None:
        """
        An IPv6 address.
        """
        if why := lacksIPv6():
            raise SkipTest(why)
        origin = self.origin("::1")
        origin.answers(HELLO)
        client = await self.to(Target("::1", origin.number))
        self.assertEqual((await client.message())[1], b"hello")

    async def test_unix(self) -> None:
        """
        A unix socket, and one that is not there.
        """
        path = "/tmp/" + self.mktemp().replace("/", "-")[-40:]
        origin = self.origin(path)
        origin.answers(HELLO)
        self.assertEqual(origin.target, Target(path, 0))
        client = await self.to(origin.target)
        self.assertEqual((await client.message())[1], b"hello")
        client = await self.to(Target(path + "-not", 0))
        await self.fails(client)

    async def test_noAddress(self) -> None:
        """
        A name without an address is 502.
        """
        await self.fails(await self.to(Target("none.test", 80)))

    async def test_impossibleName(self) -> None:
        """
        So is what can be no name.
        """
        await self.fails(await self.to(Target("a..test", 80)))

    async def test_refused(self) -> None:
        """
        So is one that refuses.
        """
        await self.fails(await self.to(Target("127.0.0.1", self.deadPort())))

    async def test_slowName(self) -> None:
        """
        A name that does not resolve in time is 504.
        """
        self.world.nameResolver.isSilent = True
        client = await self.to(Target("slow.test", 80), timeouts=Timeouts(connect=3))
        await self.settles(lambda: self.world.nameResolver.asked == ["slow.test"], "the name is asked for")
        self.world.advance(2.5)
        await turns(20)
        self.assertEqual(bytes(client.data), b"")
        self.world.advance(0.6)
        await self.fails(client, 504)


class SecrecyTests(DialTests):
    """
    Targets that are spoken to by TLS.
    """

    def ca(self) -> str:
        """
        The file of whom to trust.
        """
        path = Path(self.mktemp())
        path.write_bytes(authority().root)
        return str(path.absolute())

    def server(self, credential: Credential) -> Origin:
        """
        An origin that answers over TLS.
        """
        origin = self.origin(credential=credential)
        origin.answers(HELLO)
        self.world.nameResolver.known["a.test"] = ["127.0.0.1"]
        return origin

    async def test_verified(self) -> None:
        """
        A target whose certificate is for its name, by an authority that is
        trusted; the name is sent as SNI, and the connection is kept.
        """
        origin = self.server(credentialFor("a.test"))
        client = await self.to(Target("a.test", origin.number), UpstreamTLS(caFile=self.ca()))
        for _ in range(3):
            self.assertEqual((await client.message())[1], b"hello")
            client.sends(GET)
        self.assertEqual(origin.count, 1)
        assert origin.peers[0].ssl is not None
        self.assertEqual(origin.peers[0].ssl.get_servername(), b"a.test")

    async def test_largeBodies(self) -> None:
        """
        Bodies of many records, both ways.
        """
        origin = self.origin(credential=credentialFor("a.test"))
        origin.answers(lambda head, body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        client = await self.to(origin.target, UpstreamTLS(verify=False))
        await client.message()
        body = bytes(range(256)) * 4000
        client.sends(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        self.assertTrue((await client.message())[1] == body)

    async def test_address(self) -> None:
        """
        An address is verified as one, and no SNI is sent.
        """
        origin = self.server(credentialFor("127.0.0.1"))
        client = await self.to(Target("127.0.0.1", origin.number), UpstreamTLS(caFile=self.ca()))
        self.assertEqual((await client.message())[1], b"hello")
        assert origin.peers[0].ssl is not None
        self.assertIsNone(origin.peers[0].ssl.get_servername())

    async def test_otherName(self) -> None:
        """
        A configured name is sent and verified in place of the target's.
        """
        origin = self.server(credentialFor("inner.test"))
        client = await self.to(
            Target("127.0.0.1", origin.number), UpstreamTLS("inner.test", caFile=self.ca())
        )
        self.assertEqual((await client.message())[1], b"hello")

    async def test_wrongName(self) -> None:
        """
        A certificate for another name, or another address, is 502, and nothing
        of the request was said.
        """
        for name, host in (("b.test", "a.test"), ("127.0.0.2", "127.0.0.1"), ("a.test", "127.0.0.1")):
            origin = self.server(credentialFor(name))
            client = await self.to(Target(host, origin.number), UpstreamTLS(caFile=self.ca()))
            self.assertEqual(int((await client.head())[9:12]), 502, name)
            await origin.peers[0].loses()
            self.assertEqual(origin.peers[0].received, 0)

    async def test_unknownAuthority(self) -> None:
        """
        So is one that nobody vouches for, and the reason is told.
        """
        told: list[str] = []
        self.patch(self.plane.engine, "upstreamFailed", lambda route, failure: told.append(failure.reason))
        for credential, settings, reason in (
            (selfSigned(("a.test",)), UpstreamTLS(caFile=self.ca()), "it is self-signed"),
            (credentialFor("a.test"), UpstreamTLS(), "not among the trusted ones"),
        ):
            origin = self.server(credential)
            client = await self.to(Target("a.test", origin.number), settings)
            self.assertEqual(int((await client.head())[9:12]), 502)
            self.assertEqual(origin.peers[0].received, 0)
            self.assertIn("its certificate is not trusted: ", told[-1])
            self.assertIn(reason, told[-1])

    async def test_notVerified(self) -> None:
        """
        Unless the file says that nothing is to be verified.
        """
        origin = self.server(selfSigned(("b.test",)))
        client = await self.to(Target("a.test", origin.number), UpstreamTLS(verify=False))
        self.assertEqual((await client.message())[1], b"hello")

    async def test_unixWithoutName(self) -> None:
        """
        A unix socket has no name to verify: one has to be configured.
        """
        path = "/tmp/" + self.mktemp().replace("/", "-")[-40:]
        origin = self.origin(path, credentialFor("a.test"))
        origin.answers(HELLO)
        client = await self.to(origin.target, UpstreamTLS(caFile=self.ca()))
        await self.fails(client)
        client = await self.to(origin.target, UpstreamTLS("a.test", caFile=self.ca()))
        self.assertEqual((await client.message())[1], b"hello")

    async def test_noTLS(self) -> None:
        """
        A target that speaks no TLS, or hangs up, is 502; one that is silent is
        504.
        """
        for say in (b"220 hello\r\n", None):
            origin = self.origin()

            async def script(peer: Peer, say: bytes | None = say) -> None:
                peer.sends(say) if say else peer.leaves()

            origin.serves(script)
            client = await self.to(origin.target, UpstreamTLS(verify=False))
            self.assertEqual(int((await client.head())[9:12]), 502)
        origin = self.origin()
        client = await self.to(origin.target, UpstreamTLS(verify=False), timeouts=Timeouts(connect=3))
        server = await origin.accepts()
        self.world.advance(3.1)
        self.assertEqual(int((await client.head())[9:12]), 504)
        await server.loses()

    async def test_clientGone(self) -> None:
        """
        A client that resets during the handshake takes it along.
        """
        origin = self.origin()
        client = await self.to(origin.target, UpstreamTLS(verify=False))
        server = await origin.accepts()
        await server.until(lambda: bool(server.data), "a hello")
        client.breaks()
        await server.loses()
        await self.isIdle()
        self.assertEqual(self.plane.engine.poller.mortals, {})
