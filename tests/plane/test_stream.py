"""
Streams: connections that are not HTTP, until they are tunnels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass

from smartproxy_tw.config.model import TLS, AccessLog, Block, Forward, Route, Target, Timeouts, UpstreamTLS
from smartproxy_tw.interfaces import IStream
from smartproxy_tw.plane.stream import Stream

from ..wire.hellos import fromOpenSSL
from .harness import TERMINATE, PlaneTests, credentialFor, turns


class InterfaceTests(SynchronousTestCase):
    """
    L{Stream}.
    """

    def test_provided(self) -> None:
        """
        It provides the interface.
        """
        verifyClass(IStream, Stream)


class StreamTests(PlaneTests):
    """
    One TCP route.
    """

    async def begin(self, action: Any, **others: Any) -> int:
        """
        The port of the route.
        """
        port = await self.port()
        await self.use(Route("t", (port,), action, "tcp"), **others)
        return port

    async def test_blocked(self) -> None:
        """
        A block closes, with nothing said.
        """
        port = await self.begin(Block())
        client = await self.client(port)
        self.assertEqual(await client.loses(), b"")
        await self.isIdle()

    async def test_goneWhileConnecting(self) -> None:
        """
        A client that resets while its target is being looked up leaves nothing,
        but for its line in the access log.
        """
        file: Path = self.fresh()
        self.world.nameResolver.isSilent = True
        port = await self.begin(
            Forward((Target("slow.test", 80),)), accessLog=AccessLog("combined", str(file))
        )
        client = await self.client(port)
        await self.settles(lambda: self.world.nameResolver.asked == ["slow.test"], "the name is asked for")
        client.breaks()
        await self.isIdle()
        self.assertEqual(self.plane.engine.poller.mortals, {})
        await self.plane.drain(0)
        self.assertIn(f'"STREAM -:{port} t" 000 0 ', file.read_text())

    async def test_lostWords(self) -> None:
        """
        A client whose words were read, and found no target, is told of a break and not of an end.
        """
        port = await self.port()
        target = Target("127.0.0.1", self.deadPort())
        passed = TLS("passthrough")
        await self.use(Route("t", (port,), Forward((target,)), "tcp", ("a.test",), tls=passed))
        client = await self.client(port)
        client.sends(fromOpenSSL(b"a.test"))
        self.assertEqual(await client.breaksOff(), b"")

    async def test_slowTarget(self) -> None:
        """
        A target that cannot be connected to in time closes the client.
        """
        self.world.nameResolver.isSilent = True
        port = await self.begin(Forward((Target("slow.test", 80),)), timeouts=Timeouts(connect=3))
        client = await self.client(port)
        await self.settles(lambda: self.world.nameResolver.asked == ["slow.test"], "the name is asked for")
        self.world.advance(2.5)
        await turns(20)
        self.assertFalse(client.isOver)
        self.world.advance(0.6)
        self.assertEqual(await client.ends(), b"")
        self.assertEqual((await self.plane.tally())["upstream_failures"], 1)

    async def test_cutWhileConnecting(self) -> None:
        """
        Draining waits for it, and cuts it when the time is over.
        """
        self.world.nameResolver.isSilent = True
        port = await self.begin(Forward((Target("slow.test", 80),)), timeouts=Timeouts(connect=300))
        client = await self.client(port)
        await self.settles(lambda: self.world.nameResolver.asked == ["slow.test"], "the name is asked for")
        drained = self.plane.drain(3)
        await turns(20)
        self.assertFalse(client.isOver)
        self.world.advance(3.1)
        self.assertEqual(await drained, 1)
        await client.loses()

    async def test_lastsWhileConnecting(self) -> None:
        """
        What is to become a tunnel has the time of tunnels already.
        """
        # Somebody who says nothing where a handshake is waited for.
        origin = self.origin()
        port = await self.begin(
            Forward((origin.target,), UpstreamTLS(verify=False)), timeouts=Timeouts(connect=300)
        )
        client = await self.client(port)
        await self.settles(lambda: origin.count == 1, "the target is connected to")
        drained = self.plane.drain(3, 60)
        self.world.advance(59)
        await turns(20)
        self.assertFalse(client.isOver)
        self.world.advance(2)
        self.assertEqual(await drained, 1)

    async def test_earlyWords(self) -> None:
        """
        What a client says before there is a target reaches it, byte for byte,
        in plain and out of TLS.
        """
        for tls in (None, TERMINATE):
            origin = self.origin(credential=credentialFor("a.test"))
            self.world.nameResolver.known["slow.test"] = ["127.0.0.1"]
            port = await self.port()
            await self.certify("a.test")
            target = Target("slow.test", origin.number)
            await self.use(Route("t", (port,), Forward((target,), UpstreamTLS(verify=False)), "tcp", tls=tls))
            client = await (self.client(port) if tls is None else self.tls(port))
            data = bytes(range(256)) * 1000
            client.sends(data)
            server = await origin.accepts()
            self.assertTrue(await server.takes(len(data)) == data)
            client.breaks()
