"""
TLS: records, contexts, and both kinds of wire.
"""

from __future__ import annotations

import socket
import subprocess
import sys

from hypothesis import given, settings
from hypothesis.strategies import integers, lists
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import acmeTLS, selfSigned
from smartproxy_tw.config.model import UpstreamTLS
from smartproxy_tw.plane import tls
from smartproxy_tw.plane.tls import (
    TLSWire,
    challengeContext,
    clientContext,
    hasFastPath,
    owed,
    serverContext,
    verifyPeer,
)

from . import test_session, test_tunnel
from .harness import credentialFor


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


class ContextTests(SynchronousTestCase):
    """
    What a context is made of.
    """

    def test_badCredentials(self) -> None:
        """
        See tests.control.test_local; here that the message says what is wrong.
        """
        good, other = selfSigned(("a.test",)), selfSigned(("b.test",))
        for chain, key, words in (
            (b"", good.key, "no certificate"),
            (good.chain[:100], good.key, "chain cannot be read"),
            (good.chain, other.key, "private key"),
            (good.chain, b"junk", "private key"),
        ):
            error = self.assertRaises(ValueError, serverContext, type(good)(chain, key), True)
            self.assertIn(words, str(error))

    def test_missingTrust(self) -> None:
        """
        A file that is not there is named.
        """
        error = self.assertRaises(ValueError, clientContext, UpstreamTLS(caFile="/nowhere.pem"))
        self.assertIn("/nowhere.pem", str(error))

    def test_floor(self) -> None:
        """
        Nothing below TLS 1.2 and nothing but AEAD with an ephemeral key; no
        renegotiation, no compression.
        """
        context = serverContext(selfSigned(("a.test",)), True)
        ciphers = SSL.Connection(context, None).get_cipher_list()
        old = [name for name in ciphers if not name.startswith(("TLS_", "ECDHE-", "DHE-"))]
        self.assertEqual(old, [])
        self.assertEqual([name for name in ciphers if "CBC" in name or name.endswith("-SHA")], [])

    def test_challenge(self) -> None:
        """
        A challenge's context agrees on nothing but C{acme-tls/1}.
        """
        context = challengeContext(acmeTLS("a.test", "x").credential)
        for offer, agreed in ((b"acme-tls/1", b"acme-tls/1"), (b"http/1.1", b"")):
            mine = SSL.Context(SSL.TLS_CLIENT_METHOD)
            mine.set_alpn_protos([offer])
            client, server = SSL.Connection(mine, None), SSL.Connection(context, None)
            client.set_connect_state()
            server.set_accept_state()
            self.assertTrue(shake(client, server))
            self.assertEqual(client.get_alpn_proto_negotiated(), agreed)


def shake(client: SSL.Connection, server: SSL.Connection) -> bool:
    """
    Have two connections shake hands in memory.
    """
    for _ in range(6):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error:
                return False
            try:
                other.bio_write(one.bio_read(65536))
            except SSL.Error:
                pass
    return client.get_finished() is not None and server.get_peer_finished() is not None


class VerifyTests(SynchronousTestCase):
    """
    L{verifyPeer}.
    """

    def test_names(self) -> None:
        """
        A certificate is for the names and addresses in it and for no others.
        """
        context = serverContext(credentialFor("a.test", "*.b.test", "127.0.0.1", "::1"), False)
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        server = SSL.Connection(context, None)
        client.set_connect_state()
        server.set_accept_state()
        self.assertTrue(shake(client, server))
        for host in ("a.test", "x.b.test", "127.0.0.1", "::1"):
            verifyPeer(client, host)
        for host in ("b.test", "x.y.b.test", "c.test", "127.0.0.2", "::2"):
            self.assertRaises(ValueError, verifyPeer, client, host)


class WireTests(SynchronousTestCase):
    """
    Two TLS wires over a pair of sockets.
    """

    kinds: tuple[type[TLSWire], ...] = (TLSWire, tls._PublicWire)

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
        self.patch(tls, "hasFastPath", False)
        await super().setUp()


class PublicTunnelTests(test_tunnel.SecretEndTests):
    """
    Ends inside of TLS with the public names only.
    """

    async def setUp(self) -> None:
        """Without the fast path."""
        self.patch(tls, "hasFastPath", False)
        await super().setUp()


class FastPathTests(SynchronousTestCase):
    """
    The names that pyOpenSSL does not promise.
    """

    def test_there(self) -> None:
        """
        With the pyOpenSSL at hand they are there.
        """
        self.assertTrue(hasFastPath)

    def test_notThere(self) -> None:
        """
        Without one of them the module still imports, and says so.
        """
        code = (
            "from OpenSSL import SSL\n"
            "class Lib:\n"
            "    def __getattr__(self, name):\n"
            "        if name == 'BIO_write': raise AttributeError(name)\n"
            "        return getattr(lib, name)\n"
            "lib, SSL._lib = SSL._lib, Lib()\n"
            "from smartproxy_tw.plane import tls\n"
            "print(tls.hasFastPath)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        self.assertEqual((done.stdout, done.stderr), ("False\n", ""))
