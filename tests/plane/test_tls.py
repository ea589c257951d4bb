"""
The wire with TLS on it: records, and both kinds of it.
"""

from __future__ import annotations

import socket

from hypothesis import given, settings
from hypothesis.strategies import integers, lists
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import selfSigned
from smartproxy_tw.config.model import UpstreamTLS
from smartproxy_tw.plane import binding
from smartproxy_tw.plane.contexts import clientContext, serverContext
from smartproxy_tw.plane.tls import PublicWire, TLSWire, owed

from . import test_session, test_tunnel
from .harness import shake
from .test_wires import Room


class OwedTests(SynchronousTestCase):
    """
    L{owed}.
    """

    @settings(derandomize=True, deadline=None)
    @given(lists(integers(0, 300), max_size=5), lists(integers(1, 700), max_size=6))
    def test_anyPieces(self, sizes: list[int], cuts: list[int]) -> None:
        """
        However records are cut, what is owed is what is missing of the last
        one, and unknown from the first header that was cut.
        """
        stream = b"".join(b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes(size) for size in sizes)
        ends, at = {0}, 0
        headers = set()
        for size in sizes:
            headers |= set(range(at + 1, at + 5))
            at += 5 + size
            ends.add(at)
        place, state, isLost = 0, 0, False
        for cut in cuts:
            piece = stream[place : place + cut]
            place += len(piece)
            state = owed(piece, state)
            isLost = isLost or place in headers
            if isLost:
                self.assertEqual(state, -1)
            elif place < len(stream) or place in ends:
                self.assertEqual(state, min(end for end in ends if end >= place) - place)


class WireTests(SynchronousTestCase):
    """
    Two TLS wires over a pair of sockets.
    """

    kinds: tuple[type[TLSWire], ...] = (TLSWire, PublicWire)

    def pairs(self) -> list[tuple[TLSWire, TLSWire]]:
        """
        Connected wires of each kind, after their handshake.
        """
        found = []
        for kind in self.kinds:
            near, far = socket.socketpair()
            self.addCleanup(near.close)
            self.addCleanup(far.close)
            for sock in (near, far):
                sock.setblocking(False)
            client = SSL.Connection(clientContext(UpstreamTLS(verify=False)), None)
            server = SSL.Connection(serverContext(selfSigned(("a.test",)), False), None)
            client.set_connect_state()
            server.set_accept_state()
            self.assertTrue(shake(client, server))
            found.append((kind(near, client), kind(far, server)))
        return found

    def drains(self, reader: TLSWire, writer: TLSWire, wanted: int) -> bytes:
        """
        Read so many bytes, flushing the writer meanwhile.
        """
        data = b""
        for _ in range(10_000):
            if len(data) >= wanted:
                return data
            try:
                data += reader.recv(65536)
            except BlockingIOError:
                pass
            writer.flush()
        self.fail(f"{len(data)} of {wanted} bytes came")

    def test_sizes(self) -> None:
        """
        Every size arrives whole, also beyond what one buffer holds.
        """
        for one, other in self.pairs():
            for size in (1, 16384, 16385, 65536, 131071, 131072, 200_000, 3_000_000):
                data = bytes(range(251)) * (size // 251 + 1)
                for reader, writer in ((one, other), (other, one)):
                    writer.write(data[:size])
                    self.assertTrue(self.drains(reader, writer, size) == data[:size], size)

    def test_nothing(self) -> None:
        """
        Nothing to read raises, nothing to write says so.
        """
        for one, other in self.pairs():
            self.assertRaises(BlockingIOError, other.recv, 100)
            self.assertTrue(one.write(b""))
            one.write(b"x")
            self.assertEqual(other.recv(100), b"x")
            self.assertRaises(BlockingIOError, other.recv, 100)

    def test_pending(self) -> None:
        """
        What the kernel does not take is pending, and the end waits behind it.
        """
        for one, other in self.pairs():
            self.assertFalse(one.write(bytes(5_000_000)))
            self.assertGreater(len(one.pending), 1_000_000)
            one.finish()
            self.assertEqual(len(self.drains(other, one, 5_000_000)), 5_000_000)
            self.assertEqual(other.recv(10), b"")
            self.assertFalse(other.isTruncated)

    def test_room(self) -> None:
        """
        One that is registered for what arrives is told of room when it needs some, however much
        was written.
        """
        for kind in self.kinds:
            for size in (16_000, 100_000, 5_000_000):
                (one, other), *_ = [pair for pair in self.pairs() if type(pair[0]) is kind]
                room = Room(self, one.sock)
                one = kind(one.sock, one.connection, room.poller)
                self.assertTrue(one.write(b"hello"))
                self.assertFalse(room.isTold())
                while one.write(bytes(size)):
                    pass
                self.assertTrue(room.isFoundBy(one, other.sock), (kind, size))

    def test_endBehindData(self) -> None:
        """
        Where the end comes in one piece with data it is known that the read
        was not the last.
        """
        for one, other in self.pairs():
            one.write(b"last")
            one.finish()
            self.assertEqual(other.recv(100), b"last")
            self.assertFalse(other.isShort)
            self.assertEqual(other.recv(100), b"")
            self.assertFalse(other.isTruncated)
            # The other direction goes on.
            other.write(b"answer")
            self.assertEqual(one.recv(100), b"answer")

    def test_truncated(self) -> None:
        """
        An end without close_notify is known for what it is.
        """
        for one, other in self.pairs():
            one.write(b"some")
            one.sock.close()
            self.assertEqual(other.recv(100), b"some")
            self.assertEqual(other.recv(100), b"")
            self.assertTrue(other.isTruncated)

    def test_garbage(self) -> None:
        """
        Bytes that are no TLS break the stream.
        """
        for one, other in self.pairs():
            one.sock.send(b"\x17\x03\x03\x00\x05hello")
            self.assertRaises(OSError, other.recv, 100)

    def test_broken(self) -> None:
        """
        Writing to a peer that is gone never raises, and is remembered.
        """
        for one, other in self.pairs():
            other.reset()
            for _ in range(3):
                one.write(b"x" * 1000)
            self.assertTrue(one.isBroken)
            self.assertTrue(one.flush())
            one.finish()
            one.close()

    def test_pieces(self) -> None:
        """
        Records that come in any pieces are the same data.
        """
        for one, other in self.pairs():
            near, far = socket.socketpair()
            self.addCleanup(near.close)
            self.addCleanup(far.close)
            far.setblocking(False)
            one.write(b"a" * 20_000)
            one.write(b"b" * 10)
            secret = other.sock.recv(1 << 20)
            pieces = type(other)(far, other.connection)
            found = b""
            for at in range(0, len(secret), 997):
                near.sendall(secret[at : at + 997])
                try:
                    found += pieces.recv(65536)
                except BlockingIOError:
                    pass
            self.assertEqual(found, b"a" * 20_000 + b"b" * 10)


class PublicSessionTests(test_session.OverTLSTests):
    """
    The conversations over TLS with pyOpenSSL's public names only.
    """

    async def setUp(self) -> None:
        """Without the fast path."""
        self.patch(binding, "hasFastPath", False)
        await super().setUp()


class PublicTunnelTests(test_tunnel.SecretEndTests):
    """
    Ends inside of TLS with the public names only.
    """

    async def setUp(self) -> None:
        """Without the fast path."""
        self.patch(binding, "hasFastPath", False)
        await super().setUp()
