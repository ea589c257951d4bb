"""
Tunnels: bytes both ways at once, and every way to end.
"""

from __future__ import annotations

import socket
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CTR

from smartproxy_tw.config.model import TLS, Forward, Route, Target, Timeouts, UpstreamTLS

from .harness import TERMINATE, Origin, Peer, PlaneTests, credentialFor, turns

MIB = 1 << 20


def noise(size: int, seed: int) -> bytes:
    """
    Bytes that are not alike anywhere: a cipher makes a gigabyte of them in a second.
    """
    return Cipher(AES128(seed.to_bytes(16, "big")), CTR(bytes(16))).encryptor().update(bytes(size))


class Hearing:
    """
    Holds what a side hears, as it comes, against what it is to hear: a digest of
    either would take ten times as long.

    @ivar wanted: What is to come.
    @ivar isAlike: Whether all that has come is the beginning of that.
    """

    def __init__(self, wanted: bytes) -> None:
        self.wanted = wanted
        self.isAlike = True
        self._at = 0

    def hears(self, data: bytes) -> None:
        """
        This is next.
        """
        self.isAlike = self.isAlike and self.wanted.startswith(data, self._at)
        self._at += len(data)


class TunnelTests(PlaneTests):
    """
    One port with a TCP route.

    @ivar host: Of the target.
    """

    host = "127.0.0.1"

    async def begin(self, tls: TLS | None = None, upstream: Any = None, **others: Any) -> tuple[int, Origin]:
        """
        A route for everything.
        """
        port = await self.port()
        origin = self.origin(credential=credentialFor("a.test") if upstream is not None else None)
        if tls is not None:
            await self.certify("a.test")
        domains = ("a.test",) if tls is not None else ()
        await self.use(
            Route("t", (port,), Forward((self.target(origin),), upstream), "tcp", domains, tls=tls), **others
        )
        return port, origin

    def target(self, origin: Origin) -> Target:
        """
        An origin as the route has it.
        """
        return Target(self.host, origin.number)

    async def pair(self, port: int, origin: Origin) -> tuple[Peer, Peer]:
        """
        Both ends of a tunnel.
        """
        client = await self.client(port)
        return client, await origin.accepts()

    async def flows(self, client: Peer, server: Peer, up: int, down: int, early: int = 0) -> None:
        """
        Send so many bytes each way, end each way when its bytes are sent, and
        compare.

        @param early: So much of the other's bytes a side wants before it ends.
        """
        sides = []
        rising, falling = noise(up, 1), noise(down, 2)
        for peer, said, wanted in ((client, rising, falling), (server, falling, rising)):
            hearing = Hearing(wanted)
            sides.append((peer, said, hearing))
            peer.watch = hearing.hears
            if peer.data:
                hearing.hears(bytes(peer.data))
                peer.data.clear()
        for peer, said, _ in sides:
            peer.sends(said[: len(said) // 2])
        for peer, said, hearing in sides:
            least = min(early, len(hearing.wanted) // 2)
            await peer.until(lambda: peer.received >= least, "the other's bytes")  # noqa: B023
            peer.sends(said[len(said) // 2 :])
            peer.finishes()
        for peer, _, hearing in sides:
            await peer.ends()
            self.assertEqual(peer.received, len(hearing.wanted))
            self.assertTrue(hearing.isAlike)
        await self.isIdle()


class EndingTests(TunnelTests):
    """
    How tunnels end.
    """

    async def test_oneSideAfterTheOther(self) -> None:
        """
        An end passes as an end, and the other direction goes on until its own.
        """
        for first in (0, 1):
            port, origin = await self.begin()
            peers = await self.pair(port, origin)
            one, other = peers[first], peers[1 - first]
            one.sends(b"last words")
            one.finishes()
            self.assertEqual(await other.ends(), b"last words")
            for index in range(3):
                other.sends(b"still %d" % index)
                await one.expects(b"still %d" % index)
            other.finishes()
            await one.ends()
            await self.isIdle()

    async def test_atOnce(self) -> None:
        """
        Ends that cross each other.
        """
        port, origin = await self.begin()
        for _ in range(10):
            client, server = await self.pair(port, origin)
            client.sends(b"a")
            server.sends(b"b")
            client.finishes()
            server.finishes()
            self.assertEqual(await server.ends(), b"a")
            self.assertEqual(await client.ends(), b"b")
        await self.isIdle()

    async def test_reset(self) -> None:
        """
        A reset passes as a reset, in either direction, also after an end of the
        other side.
        """
        port, origin = await self.begin()
        for first in (0, 1):
            for isEnded in (False, True):
                peers = await self.pair(port, origin)
                one, other = peers[first], peers[1 - first]
                one.sends(b"x")
                await other.expects(b"x")
                if isEnded:
                    other.finishes()
                    await one.ends()
                one.breaks()
                await other.until(lambda: other.why is not None, "a reset")  # noqa: B023
                self.assertNotIn("cleanly", str(other.why))
        await self.isIdle()

    async def test_endThenReset(self) -> None:
        """
        A side that ended and then went away altogether takes the other with
        it after a moment, however much that one has still to say; what it said
        itself has arrived.
        """
        for first in (0, 1):
            port, origin = await self.begin()
            peers = await self.pair(port, origin)
            one, other = peers[first], peers[1 - first]
            one.sends(b"x" * 3_000_000)
            # Closed both ways: what comes now is answered by a reset.
            one.leaves()
            await other.until(lambda: other.isEnded, "the end")  # noqa: B023
            self.assertEqual(len(other.data), 3_000_000)

            def talks() -> bool:
                if not other.why:  # noqa: B023
                    other.sends(b"y" * 1000)  # noqa: B023
                return self.isLingering()

            await self.settles(talks, "the tunnel has noticed")
            self.assertIsNone(other.why)
            self.world.advance(6)
            await self.isIdle()
            other.sends(b"y")
            await other.until(lambda: other.why is not None, "its end")  # noqa: B023

    def isLingering(self) -> bool:
        """
        Whether there is a tunnel that waits for its end.
        """
        return any(getattr(each, "isLingering", False) for each in self.plane.engine._alive)

    async def test_nothingToConnectTo(self) -> None:
        """
        Without a target the connection closes, with nothing said.
        """
        port = await self.port()
        await self.use(Route("t", (port,), Forward((Target("127.0.0.1", self.deadPort()),)), "tcp"))
        client = await self.client(port)
        self.assertEqual(await client.ends(), b"")
        self.assertEqual((await self.plane.tally())["upstream_failures"], 1)

    async def test_endBeforeConnected(self) -> None:
        """
        What a client said and its end wait for the target.
        """
        port, origin = await self.begin()
        client = await self.client(port)
        client.sends(b"all of it")
        client.finishes()
        server = await origin.accepts()
        self.assertEqual(await server.ends(), b"all of it")
        server.sends(b"answer")
        server.leaves()
        self.assertEqual(await client.ends(), b"answer")

    async def test_idle(self) -> None:
        """
        What moves in either direction keeps a tunnel; when nothing does for
        the time of idling it is broken.
        """
        port, origin = await self.begin(timeouts=Timeouts(idle=100))
        client, server = await self.pair(port, origin)
        for speaker, listener in ((client, server), (server, client), (client, server)):
            self.world.advance(90)
            await turns(20)
            speaker.sends(b"x")
            await listener.expects(b"x")
        self.world.advance(101)
        await client.breaksOff()
        await server.breaksOff()

    async def test_quietPassthrough(self) -> None:
        """
        TLS that is passed through is nobody's to judge: who is quiet in it for minutes goes on.
        """
        port = await self.port()
        origin = self.origin(credential=credentialFor("a.test"))
        await self.use(
            Route("t", (port,), Forward((self.target(origin),)), "tcp", ("a.test",), tls=TLS("passthrough"))
        )
        client = await self.tls(port)
        server = await origin.accepts()
        await server.until(lambda: server.isShaken, "a handshake")
        for speaker, listener in ((client, server), (server, client)):
            for _ in range(9):
                self.world.advance(31)
                await turns(5)
            speaker.sends(b"x")
            await listener.expects(b"x")

    async def test_drain(self) -> None:
        """
        Draining waits for tunnels, and cuts them when the time is over.
        """
        port, origin = await self.begin()
        ended, (client, server) = await self.pair(port, origin), await self.pair(port, origin)
        drained = self.plane.drain(10)
        await turns(10)
        client.sends(b"x")
        await server.expects(b"x")
        ended[0].leaves()
        await ended[1].ends()
        ended[1].leaves()
        await self.settles(lambda: self.plane.engine.open == 1, "one is left")
        self.world.advance(11)
        self.assertEqual(await drained, 1)
        await client.breaksOff()
        await server.breaksOff()

    async def test_twoBounds(self) -> None:
        """
        A tunnel may last longer than requests may, when that is said.
        """
        port, origin = await self.begin()
        client, server = await self.pair(port, origin)
        drained = self.plane.drain(10, 100)
        self.world.advance(90)
        await turns(20)
        client.sends(b"x")
        await server.expects(b"x")
        self.assertNoResult(drained)
        self.world.advance(11)
        self.assertEqual(await drained, 1)
        await client.breaksOff()

    async def test_backpressure(self) -> None:
        """
        A reader that stops stalls the writer; little is held in between.
        """
        port, origin = await self.begin()
        for first in (0, 1):
            peers = await self.pair(port, origin)
            writer, reader = peers[first], peers[1 - first]
            reader.transport.pauseProducing()
            payload = noise(24 * MIB, 5)
            writer.sends(payload)
            before = -1
            while before != len(writer.transport.dataBuffer) - writer.transport.offset:
                before = len(writer.transport.dataBuffer) - writer.transport.offset
                await turns(30)
            self.assertGreater(before, 4 * MIB)
            self.assertLess(sum(pending(self)), 200_000)
            reader.transport.resumeProducing()
            self.assertTrue(await reader.takes(len(payload)) == payload)
            writer.leaves()
            await reader.ends()
            reader.leaves()


def pending(case: PlaneTests) -> list[int]:
    """
    What each wire of the tunnels holds.
    """
    return [
        len(wire.pending)
        for each in case.plane.engine._alive
        for wire in (each._up.source, each._up.sink)  # type: ignore[attr-defined]
    ]


class BulkTests(TunnelTests):
    """
    Much of it, both ways at once, and byte for byte.
    """

    async def test_fullDuplex(self) -> None:
        """
        More than all buffers on the way hold, both ways, with ends at different times.
        """
        port, origin = await self.begin()
        for up, down, early in (
            (16 * MIB, 16 * MIB - 1, 3 * MIB),
            (0, 16 * MIB, 0),
            (16 * MIB, 3, 0),
            (2 * MIB + 1, 16 * MIB, 0),
        ):
            await self.flows(*await self.pair(port, origin), up, down, early)

    async def test_smallBuffers(self) -> None:
        """
        The same where the kernel holds little: every write comes back short.
        """
        port, origin = await self.begin()
        listening = self._ports[port].socket
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            listening.setsockopt(socket.SOL_SOCKET, option, 4096)
            origin.port.socket.setsockopt(socket.SOL_SOCKET, option, 4096)  # type: ignore[attr-defined]
        for up, down, early in ((MIB, MIB, 0), (MIB // 2, MIB - 7, 65536), (1, MIB, 0)):
            await self.flows(*await self.pair(port, origin), up, down, early)

    async def test_overTLS(self) -> None:
        """
        With TLS on the client's side, on the target's, and on both.
        """
        for tls, upstream in (
            (TERMINATE, None),
            (None, UpstreamTLS(verify=False)),
            (TERMINATE, UpstreamTLS(verify=False)),
        ):
            port, origin = await self.begin(tls, upstream)
            client = await self.tls(port) if tls is not None else await self.client(port)
            server = await origin.accepts()
            await server.until(lambda: server.ssl is None or server.isShaken, "a handshake")  # noqa: B023
            await self.flows(client, server, 8 * MIB, 6 * MIB + 11, MIB)

    async def test_passthrough(self) -> None:
        """
        TLS that is not ours to end.
        """
        port = await self.port()
        origin = self.origin(credential=credentialFor("a.test"))
        await self.use(
            Route("t", (port,), Forward((self.target(origin),)), "tcp", ("a.test",), tls=TLS("passthrough"))
        )
        client = await self.tls(port)
        server = await origin.accepts()
        await server.until(lambda: server.isShaken, "a handshake")
        await self.flows(client, server, 8 * MIB, 6 * MIB, 0)

    async def test_pipesRunOut(self) -> None:
        """
        Where there are no pipes the bytes are copied, and no pipe is lost.
        """
        port, origin = await self.begin()
        pipes = self.plane.engine.pipes
        self.addCleanup(setattr, pipes, "_left", pipes._left)
        pipes._left = 0
        await self.flows(*await self.pair(port, origin), 8 * MIB, 8 * MIB)
        self.assertEqual(pipes._idle, [])
        pipes._left = 1
        await self.flows(*await self.pair(port, origin), 8 * MIB, 8 * MIB)
        self.assertEqual(pipes._left + len(pipes._idle), 1)


class LateEndingTests(EndingTests):
    """
    The same where a connection to the target has to be waited for, as nearly everywhere but on this machine.
    """

    host = "localhost"


class LateBulkTests(BulkTests):
    """
    Likewise.
    """

    host = "localhost"


class SecretEndTests(TunnelTests):
    """
    Ends inside of TLS.
    """

    async def test_notified(self) -> None:
        """
        A close_notify is an end, also where it comes in one piece with the last
        data and the socket stays open.
        """
        port, origin = await self.begin(TERMINATE)
        client = await self.tls(port)
        server = await origin.accepts()
        assert client.ssl is not None
        client.ssl.send(b"last words")
        client.ssl.shutdown()
        client._pour()
        self.assertEqual(await server.ends(), b"last words")
        server.sends(b"answer")
        server.leaves()
        await client.expects(b"answer")
        await client.ends()
        self.assertTrue(client.isNotified)
        await self.isIdle()

    async def test_notNotified(self) -> None:
        """
        An end without it passes as an end too; a reset as a reset.
        """
        port, origin = await self.begin(TERMINATE)
        client = await self.tls(port)
        server = await origin.accepts()
        client.sends(b"last words")
        client.transport.loseWriteConnection()
        self.assertEqual(await server.ends(), b"last words")
        server.leaves()
        await client.ends()
        client = await self.tls(port)
        server = await origin.accepts()
        client.breaks()
        await server.breaksOff()
        await self.isIdle()
