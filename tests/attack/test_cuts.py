"""
Conversations that end where it hurts: at each byte of an answer, in the midst of chunk framing,
and while bytes wait in a pipe.  What is left of one must never be seen by the next.

That clients and origins are cut at each byte of what they send is told in
L{tests.plane.test_attacks}; here it is what they hear, and what the proxy holds for them.
"""

from __future__ import annotations

import fcntl
import os
import sys
import termios
from collections.abc import Callable

from smartproxy_tw.config.model import Forward, Route

from ..plane.harness import Origin, Peer, PlaneTests, turns

MIB = 1 << 20

_GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
_ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n%s",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\n...\r\n17\r\n%s\r\n0\r\nT: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n%s",
)
_CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;name=value\r\nhello\r\n00a\r\n0123456789\r\n0\r\nT: x\r\n\r\n"
)
_WAYS: tuple[Callable[[Peer], None], ...] = (Peer.breaks, Peer.leaves)


class HearingTests(PlaneTests):
    """
    Who hears a part of something, and goes.
    """

    async def begin(self) -> tuple[int, Origin]:
        """
        A route to an origin.
        """
        port, origin = await self.port(), self.origin()
        await self.use(Route("web", (port,), Forward((origin.target,)), "http"))
        return port, origin

    async def test_clientHears(self) -> None:
        """
        A client that goes after each byte of an answer takes nothing along:
        the next client gets its own, and nothing of the last one's.
        """
        port, origin = await self.begin()
        number = 0
        for answer in _ANSWERS:
            for cut in range(len(answer) + 30):
                number += 1
                secret = b"only for client %07d" % number
                client = await self.client(port)
                wire = answer % secret

                async def script(peer: Peer, wire: bytes = wire, cut: int = cut) -> None:
                    await peer.head()
                    peer.sends(wire[:cut])
                    await turns(2)
                    peer.sends(wire[cut:])
                    if b"Content-Length" not in wire and b"chunked" not in wire:
                        peer.leaves()
                    while True:
                        head = await peer.head()
                        peer.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + head[5:10])

                origin.serves(script)
                client.sends(_GET)
                await turns(cut % 5)
                _WAYS[number % 2](client)
                await self.isIdle()
                # An exchange whose client is gone ends its connection to the origin.
                for peer in origin.peers:
                    peer.leaves()
                if not cut % 8:
                    other = await self.client(port)
                    origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")
                    other.sends(_GET)
                    head, body = await other.message()
                    self.assertEqual((head[:15], body), (b"HTTP/1.1 200 OK", b"other"))
                    self.assertNotIn(b"only for", bytes(other.data))
                    other.breaks()
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_chunkFraming(self) -> None:
        """
        A client that goes after each byte of a body in chunks: the origin never
        takes what came for a whole request.
        """
        port, origin = await self.begin()
        whole: list[bytes] = []

        async def script(peer: Peer) -> None:
            _, body = await peer.message()
            whole.append(body)

        origin.serves(script)
        for way in (*_WAYS, lambda peer: peer.transport.loseWriteConnection()):
            for cut in range(1, len(_CHUNKED)):
                client = await self.client(port)
                client.credit, client.cut = cut, way
                client.sends(_CHUNKED)
                if way not in _WAYS:
                    await client.loses()
                    client.breaks()
                await self.isIdle()
        self.assertEqual(whole, [])
        for peer in origin.peers:
            await peer.loses()
        self.assertEqual(self.flushLoggedErrors(), [])


class PipeTests(PlaneTests):
    """
    Bytes that wait in a pipe belong to one connection.
    """

    async def stuck(self, reader: Peer, writer: Peer, before: int) -> None:
        """
        Wait until the reader has had something, takes no more, and the proxy
        holds bytes for it in a pipe.
        """
        while True:
            reader.transport.resumeProducing()
            before += MIB // 2
            await reader.until(lambda: reader.received > before, "more bytes")  # noqa: B023
            reader.transport.pauseProducing()
            last = -1
            while last != (last := len(writer.transport.dataBuffer) - writer.transport.offset):
                await turns(40)
            # How the bytes are passed on depends on how they come: now and then they are copied.
            if self.isHolding():
                return
            self.assertGreater(last, MIB, "there was never anything in a pipe: this test proves nothing")

    def isHolding(self) -> bool:
        """
        Whether there are bytes in any pipe of this process, by the kernel's
        own account (ioctl_list(2), C{FIONREAD}).
        """
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{name}").startswith("pipe:"):
                    if (
                        int.from_bytes(fcntl.ioctl(int(name), termios.FIONREAD, bytes(4)), sys.byteorder)
                        > 1000
                    ):
                        return True
            except OSError:
                continue
        return False

    async def test_tunnel(self) -> None:
        """
        A spliced tunnel is reset by either side while its pipe is full; the
        next tunnels carry their own bytes and no others.
        """
        port, origin = await self.port(), self.origin()
        await self.use(Route("raw", (port,), Forward((origin.target,)), "tcp"))
        for turn in range(4):
            client = await self.client(port)
            server = await origin.accepts()
            writer, reader = (client, server) if turn % 2 else (server, client)
            writer.sends(b"secret%d!" % turn * (3 * MIB))
            await self.stuck(reader, writer, 0)
            if turn < 2:
                # It is the write that is told of the reset; the other side must be told all the same.
                reader.breaks()
                await writer.breaksOff()
            else:
                writer.breaks()
                await turns(5)
                reader.breaks()
            await self.isIdle()
            for size in (5, 2 * MIB):
                one = await self.client(port)
                other = await origin.accepts()
                for speaker, hearer in ((one, other), (other, one)):
                    payload = b"fresh" * (size // 5)
                    speaker.sends(payload)
                    self.assertTrue(await hearer.takes(len(payload)) == payload)
                    self.assertEqual(bytes(hearer.data), b"")
                one.breaks()
                await other.loses()
                other.breaks()
                await self.isIdle()

    async def test_body(self) -> None:
        """
        The same of long bodies, in either direction.
        """
        port, origin = await self.port(), self.origin()
        await self.use(Route("web", (port,), Forward((origin.target,)), "http"))
        size = 24 * MIB
        for turn in range(4):
            client = await self.client(port)
            if turn % 2:
                client.sends(b"PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size)
                server = await origin.accepts()
                await server.head()
                client.sends(b"secret! " * (size // 8))
                writer, reader = client, server
            else:
                client.sends(_GET)
                server = await origin.accepts()
                await server.head()
                server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                await client.head()
                server.sends(b"secret! " * (size // 8))
                writer, reader = server, client
            await self.stuck(reader, writer, reader.received)
            if turn < 2:
                reader.breaks()
                # A client has an answer, and is listened to for a while if it does not leave.
                await writer.loses()
                writer.breaks()
            else:
                writer.breaks()
                await turns(5)
                reader.breaks()
            await self.isIdle()
            for length in (5, 2 * MIB):
                client = await self.client(port)
                payload = b"fresh" * (length // 5)
                client.sends(b"PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % len(payload))
                client.sends(payload)
                server = await origin.accepts()
                self.assertTrue((await server.message())[1] == payload)
                server.sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(payload) + payload)
                self.assertTrue((await client.message())[1] == payload)
                self.assertEqual((bytes(server.data), bytes(client.data)), (b"", b""))
                client.breaks()
                server.breaks()
                await self.isIdle()
