"""
Tests for L{smartproxy_tw.plane.dispatch}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.dispatch import Dispatch
from smartproxy_tw.wire.hpack import Decoder
from smartproxy_tw.wire.http1 import Request, parseRequest


class Recording:
    """
    What a dispatch needs of a strand, its trunk and the session.
    """

    scheme = b"https"
    number = 1

    def __init__(self) -> None:
        self.trunk = self.session = self
        self.fields: list[tuple[bytes, bytes]] = []
        self.said: list[tuple[bytes, bool]] = []
        self.last: list[tuple[bytes, bytes]] = []
        self.isEnd = self.isHead = self.isConnect = False

    def begin(self, strand: object, block: bytes, isEnd: bool, isHead: bool, isConnect: bool = False) -> None:
        """A head."""
        self.fields = Decoder().decode(block)
        self.isEnd, self.isHead, self.isConnect = isEnd, isHead, isConnect

    def say(self, data: bytes, isEnd: bool) -> None:
        """A piece of a body."""
        self.said.append((data, isEnd))

    def trailers(self, stream: int, block: bytes) -> None:
        """Its end."""
        self.last = Decoder().decode(block)

    def touch(self) -> None:
        """It is to be sent."""


class DispatchTests(SynchronousTestCase):
    """
    Requests on their way.
    """

    def begins(self, data: bytes) -> Dispatch:
        """
        A request as it is handed over.
        """
        self.strand = strand = Recording()
        request: Any = parseRequest(data)
        assert isinstance(request, Request)
        dispatch = Dispatch(strand, data)  # type: ignore[arg-type]
        dispatch.begin(data, request)
        return dispatch

    def test_bare(self) -> None:
        """
        One without a body ends with its head.
        """
        for method in (b"GET", b"HEAD"):
            self.begins(method + b" /x HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(self.strand.isEnd)
            self.assertEqual(self.strand.isHead, method == b"HEAD")
            self.assertEqual(self.strand.said, [])
            self.assertIn((b":path", b"/x"), self.strand.fields)

    def test_length(self) -> None:
        """
        One of known length ends with its last byte, however it comes.
        """
        body = b"abcdef"
        for cut in range(len(body) + 1):
            dispatch = self.begins(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n" + body[:cut])
            if cut < len(body):
                dispatch.write(body[cut:])
            self.assertEqual(b"".join(data for data, _ in self.strand.said), body)
            ends = [isEnd for _, isEnd in self.strand.said]
            self.assertEqual(ends, [False] * (len(ends) - 1) + [True])

    def test_chunks(self) -> None:
        """
        Chunks are undone, and trailers follow, however they come.
        """
        body = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
        for cut in range(len(body) + 1):
            head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            dispatch = self.begins(head + body[:cut])
            if cut < len(body):
                dispatch.write(body[cut:])
            self.assertEqual(b"".join(data for data, _ in self.strand.said), b"abcde")
            self.assertFalse(any(isEnd for _, isEnd in self.strand.said))
            self.assertEqual(self.strand.last, [(b"x-sum", b"5")])
            self.assertNotIn(b"transfer-encoding", dict(self.strand.fields))

    def test_kept(self) -> None:
        """
        What was handed over can be had again, if it is not too much.
        """
        data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\nab"
        dispatch = self.begins(data)
        dispatch.write(b"cd")
        assert dispatch.kept is not None
        self.assertEqual(b"".join(dispatch.kept), data + b"cd")
        dispatch.write(b"x" * 65536)
        self.assertIsNone(dispatch.kept)

    def test_change(self) -> None:
        """
        A handshake becomes an extended CONNECT.
        """
        self.strand = Recording()
        data = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        Dispatch(self.strand, data).change(b"websocket")  # type: ignore[arg-type]
        self.assertIn((b":protocol", b"websocket"), self.strand.fields)
        self.assertTrue(self.strand.isConnect)
        self.assertFalse(self.strand.isEnd)
