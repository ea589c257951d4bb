"""
Tests for L{smartproxy_tw.plane.recognition}.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.recognition import Recognition
from smartproxy_tw.wire.downgrade import Malformed
from smartproxy_tw.wire.http1 import BadMessage, Request

Fields = list[tuple[bytes, bytes]]


def fields(path: bytes = b"/", *more: tuple[bytes, bytes], scheme: bytes = b"https") -> Fields:
    """
    Those of a request; a list of its own each time, as for another block.
    """
    return [(b":method", b"GET"), (b":scheme", scheme), (b":authority", b"a.test"), (b":path", path), *more]


class Deciding:
    """
    What a recognition needs of a door and its engine.

    @ivar decided: The targets of the requests that were decided, in order.
    @ivar isLasting: Whether decisions may be remembered.
    @ivar isTrusted: Whether the peer speaks for others.
    """

    def __init__(self) -> None:
        self.engine = self
        self.limits = SimpleNamespace(headBytes=4096, urlBytes=100)
        self.memo: dict[bytes, Any] = {}
        self.decided: list[bytes] = []
        self.isLasting = True
        self.isTrusted = False

    def trusts(self, host: str) -> bool:
        """Whether it may speak for others."""
        return self.isTrusted

    def decide(self, request: Request, connection: object, wire: object) -> Any:
        """Written down."""
        self.decided.append(request.target.path)
        return SimpleNamespace(request=request, isLasting=self.isLasting)


class RecognitionTests(SynchronousTestCase):
    """
    What is parsed and decided once, and what each time.
    """

    def setUp(self) -> None:
        self.door = Deciding()
        connection: Any = SimpleNamespace(client=SimpleNamespace(host="192.0.2.1"), isTLS=True)
        self.recognition = Recognition(self.door, connection, None)  # type: ignore[arg-type]

    def test_again(self) -> None:
        """
        The same list of fields, which is the same block, is known; an equal one of another block is not.
        """
        block = fields(b"/a")
        first = self.recognition.prepare(block, True)
        self.assertIs(self.recognition.prepare(block, True), first)
        self.assertIsNot(self.recognition.prepare(fields(b"/a"), True), first)
        self.assertEqual(self.door.decided, [b"/a", b"/a"])

    def test_anotherTable(self) -> None:
        """
        What was decided by a table dies with it.
        """
        block = fields()
        first = self.recognition.prepare(block, True)
        self.door.memo = {}
        self.assertIsNot(self.recognition.prepare(block, True), first)
        self.assertEqual(len(self.door.decided), 2)

    def test_notLasting(self) -> None:
        """
        What holds for this one request only is decided each time, and so is what has a body, or asks for
        another protocol.
        """
        self.door.isLasting = False
        block = fields()
        for _ in range(2):
            self.recognition.prepare(block, True)
        self.door.isLasting = True
        connect = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *block[1:]]
        for _ in range(2):
            self.recognition.prepare(block, False)
            self.recognition.prepare(connect, True)
        self.assertEqual(len(self.door.decided), 6)
        self.recognition.prepare(block, True)
        self.recognition.prepare(block, False)
        self.assertEqual(len(self.door.decided), 8)

    def test_keys(self) -> None:
        """
        Each WebSocket is given a key of its own.
        """
        connect = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *fields()[1:]]
        keys = set()
        for _ in range(3):
            prepared = self.recognition.prepare(connect, False)
            (key,) = [
                line
                for line in prepared.request.fields.split(b"\r\n")
                if line.lower().startswith(b"sec-websocket-key:")
            ]
            keys.add(key)
        self.assertEqual(len(keys), 3)

    def test_bounded(self) -> None:
        """
        Only so many are remembered, and a list that is remembered is kept, so that no other one can be
        taken for it.
        """
        blocks = [fields(b"/%d" % number) for number in range(100)]
        for block in blocks:
            self.recognition.prepare(block, True)
        known = self.recognition._known
        self.assertLessEqual(len(known), 16)
        for identity, (kept, _) in known.items():
            self.assertEqual(id(kept), identity)
        self.assertEqual(self.recognition.prepare(blocks[99], True).request.target.path, b"/99")
        self.assertEqual(len(self.door.decided), 100)

    def test_scheme(self) -> None:
        """
        A scheme that the connection does not have is misdirected, but for who speaks for others.
        """
        bad = self.assertRaises(BadMessage, self.recognition.prepare, fields(scheme=b"http"), True)
        self.assertEqual(bad.status, 421)
        self.door.isTrusted = True
        self.recognition.prepare(fields(scheme=b"http"), True)
        self.assertEqual(self.door.decided, [b"/"])

    def test_refused(self) -> None:
        """
        What is malformed or too long is not decided, nor remembered.
        """
        long, odd = fields(b"/" + b"x" * 200), fields(b"/", (b"connection", b"close"))
        for _ in range(2):
            bad = self.assertRaises(BadMessage, self.recognition.prepare, long, True)
            self.assertEqual(bad.status, 414)
            self.assertRaises(Malformed, self.recognition.prepare, odd, True)
        self.assertEqual((self.door.decided, self.recognition._known), ([], {}))
