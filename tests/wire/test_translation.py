"""
Tests for L{smartproxy_tw.wire.translation}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.downgrade import Malformed
from smartproxy_tw.wire.hpack import Decoder
from smartproxy_tw.wire.http1 import UNTIL_CLOSE, BadMessage
from smartproxy_tw.wire.translation import blockOf, connectOf, responseOf

OK = b"HTTP/1.1 200 OK\r\n"
Fields = list[tuple[bytes, bytes]]


def fieldsOf(block: bytes) -> Fields:
    """
    What a block says.
    """
    return Decoder().decode(block)


class BlockTests(SynchronousTestCase):
    """
    Heads of requests.
    """

    def test_head(self) -> None:
        """
        The line and Host become pseudo-headers, and what belongs to a connection is left out.
        """
        head = (
            b"POST /a?b HTTP/1.1\r\nAccept: */*\r\nHOST:  a.test \r\nTransfer-Encoding: chunked\r\n"
            b"Connection: TE\r\nTE: trailers\r\nX-A: 1\r\n"
        )
        for _ in range(2):
            self.assertEqual(
                fieldsOf(blockOf(head, b"https")),
                [
                    (b":method", b"POST"),
                    (b":scheme", b"https"),
                    (b":path", b"/a?b"),
                    (b":authority", b"a.test"),
                    (b"accept", b"*/*"),
                    (b"te", b"trailers"),
                    (b"x-a", b"1"),
                ],
            )

    def test_number(self) -> None:
        """
        The number of a request is its own, whatever is remembered of its head.
        """
        for number in (b"one", b"two"):
            head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: " + number + b"\r\n"
            self.assertEqual(dict(fieldsOf(blockOf(head, b"http")))[b"x-request-id"], number)
        head = b"GET / HTTP/1.1\r\nX-Request-ID: x\r\nHost: a\r\n"
        self.assertEqual(dict(fieldsOf(blockOf(head, b"http")))[b":authority"], b"a")

    def test_nobody(self) -> None:
        """
        A request of HTTP/1.0 may have no Host.
        """
        self.assertNotIn(b":authority", dict(fieldsOf(blockOf(b"OPTIONS * HTTP/1.0\r\n", b"http"))))

    def test_secrets(self) -> None:
        """
        Nothing is remembered of heads with secrets, and many others are forgotten again.
        """
        from smartproxy_tw.wire import translation

        before = len(translation._blocks)
        for name in (b"Cookie", b"authorization", b"Proxy-Authorization"):
            blockOf(b"GET /s HTTP/1.1\r\nHost: a\r\n" + name + b": x\r\n", b"http")
        self.assertEqual(len(translation._blocks), before)
        for index in range(2000):
            blockOf(b"GET /%d HTTP/1.1\r\nHost: a\r\n" % index, b"http")
        self.assertLessEqual(len(translation._blocks), 512)

    def test_connect(self) -> None:
        """
        A handshake becomes an extended CONNECT, without its key.
        """
        head = (
            b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
            b"Sec-WebSocket-Key: abc\r\nSec-WebSocket-Version: 13\r\n"
        )
        self.assertEqual(
            fieldsOf(connectOf(head, b"https", b"WebSocket")),
            [
                (b":method", b"CONNECT"),
                (b":protocol", b"websocket"),
                (b":scheme", b"https"),
                (b":path", b"/chat"),
                (b":authority", b"a"),
                (b"sec-websocket-version", b"13"),
            ],
        )


class ResponseTests(SynchronousTestCase):
    """
    Heads of answers.
    """

    def test_head(self) -> None:
        """
        Fields are lines; the length is known where it is said.
        """
        found = responseOf([(b":status", b"200"), (b"x-a", b"1")], b"GET", OK)
        self.assertEqual((found.status, found.head, found.length), (200, OK + b"x-a: 1\r\n", UNTIL_CLOSE))
        found = responseOf([(b":status", b"200"), (b"content-length", b"7")], b"GET", OK)
        self.assertEqual(found.length, 7)
        found = responseOf([(b":status", b"200"), (b"content-length", b"7")], b"HEAD", OK)
        self.assertEqual((found.length, found.head), (0, OK + b"content-length: 7\r\n"))

    def test_malformed(self) -> None:
        """
        What HTTP/2 forbids, and what no answer may say.
        """
        for field in (
            (b"connection", b"close"),
            (b"transfer-encoding", b"chunked"),
            (b"keep-alive", b"1"),
            (b"upgrade", b"x"),
            (b"proxy-connection", b"x"),
            (b"Upper", b"1"),
            (b"a b", b"1"),
            (b"a:b", b"1"),
            (b"", b"1"),
            (b":path", b"/"),
            (b"x", b"a\r\nb: c"),
            (b"x", b"a\nb"),
            (b"x", b"\0"),
            (b"x", b" a"),
        ):
            self.assertRaises(Malformed, responseOf, [(b":status", b"200"), field], b"GET", OK)
        for value in (b"x", b"-1", b"1, 2", b"9" * 19):
            fields = [(b":status", b"200"), (b"content-length", value)]
            self.assertRaises(BadMessage, responseOf, fields, b"GET", OK)

    @given(some.lists(some.tuples(some.binary(max_size=6), some.binary(max_size=6)), max_size=4))
    def test_anything(self, fields: Fields) -> None:
        """
        Whatever comes is either an answer of so many lines, or refused.
        """
        try:
            found = responseOf([(b":status", b"200"), *fields], b"GET", OK)
        except (Malformed, BadMessage):
            return
        self.assertLessEqual(found.head.count(b"\r\n"), len(fields) + 1)
        self.assertNotIn(b"\r\n\r\n", found.head)
