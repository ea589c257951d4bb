"""
Tests for L{smartproxy_tw.wire.http1}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.http1 import (
    CHUNKED,
    MAX_FIELDS,
    UNTIL_CLOSE,
    BadMessage,
    Chunks,
    Request,
    Response,
    parseRequest,
    parseResponse,
)

from ..examples import examples

steady = examples(100)


def head(*lines: str | bytes, start: str = "GET / HTTP/1.1", host: str | None = "shop.example") -> bytes:
    """
    A request head.
    """
    first = [start.encode("latin-1")] + ([b"Host: " + host.encode()] if host is not None else [])
    rest = [line if isinstance(line, bytes) else line.encode("latin-1") for line in lines]
    return b"\r\n".join([*first, *rest, b"", b""])


def request(data: bytes) -> Request:
    """
    A head that must be taken.
    """
    found = parseRequest(data)
    assert found is not None
    return found


def response(data: bytes, method: bytes = b"GET") -> Response:
    """
    A response head that must be taken, and is all there is.
    """
    found = parseResponse(data, method)
    assert found is not None
    assert found[1] == len(data), found[1]
    return found[0]


class _Refusing(SynchronousTestCase):
    def assertRefused(self, status: int, part: str, data: bytes, *limits: int) -> None:
        """
        This head is answered with a status, for a reason, which is fit for a
        log.
        """
        error = self.assertRaises(BadMessage, parseRequest, data, *limits)
        self.assertEqual((error.status, part in error.reason), (status, True), (data, error.reason))
        self.assertTrue(error.reason.isprintable())


class RequestTests(_Refusing):
    """
    Heads that are all right.
    """

    def test_simple(self) -> None:
        """
        A plain GET, with everything that is known of it.
        """
        data = head("Accept: */*", start="GET /a/../b?c HTTP/1.1", host="Shop.Example:8080")
        found = request(data + b"more")
        self.assertEqual(found.raw, data)
        self.assertEqual((found.method, found.target.origin), (b"GET", b"/b?c"))
        self.assertEqual((found.host, found.authority), ("shop.example", b"Shop.Example:8080"))
        self.assertEqual((found.minor, found.length, found.keepAlive), (1, 0, True))
        self.assertEqual((found.upgrade, found.expectsContinue, found.hasSecrets), (b"", False, False))
        self.assertEqual(found.fields, b"Host: Shop.Example:8080\r\nAccept: */*\r\n")
        self.assertEqual(found.forwarded, b"")

    def test_http10(self) -> None:
        """
        HTTP/1.0 needs no Host and ends after its answer, unless it says
        otherwise.
        """
        found = request(head(start="GET / HTTP/1.0", host=None))
        self.assertEqual((found.minor, found.host, found.authority, found.keepAlive), (0, "", b"", False))
        self.assertTrue(request(head("Connection: Keep-Alive", start="GET / HTTP/1.0")).keepAlive)

    def test_absolute(self) -> None:
        """
        An absolute target has to agree with the Host field.
        """
        found = request(head(start="GET http://shop.example/a HTTP/1.1"))
        self.assertEqual((found.host, found.target.origin), ("shop.example", b"/a"))
        # An old client that says only there whom it asks: the target is told by Host.
        for more in ((), ("X: y", "Connection: x")):
            old = request(head(*more, start="GET http://A:80/ HTTP/1.0", host=None))
            self.assertEqual((old.host, old.authority, old.fields), ("a", b"A:80", b"Host: A:80\r\n"))
        self.assertRefused(400, "another host", head(start="GET http://other.example/ HTTP/1.1"))
        self.assertRefused(400, "no Host", head(start="GET http://shop.example/ HTTP/1.1", host=None))

    def test_bodies(self) -> None:
        """
        The length of the body is told by one field or the other.
        """
        self.assertEqual(request(head("content-LENGTH:  12\t ")).length, 12)
        self.assertEqual(request(head("Content-Length: 0")).length, 0)
        chunked = request(head("Transfer-Encoding: Chunked "))
        self.assertEqual(chunked.length, CHUNKED)
        self.assertIn(b"Transfer-Encoding: Chunked \r\n", chunked.fields)

    def test_continue(self) -> None:
        """
        Who waits for 100 before a body is known; HTTP/1.0 cannot.
        """
        found = request(head("Expect: 100-Continue", "Content-Length: 1"))
        self.assertTrue(found.expectsContinue)
        self.assertIn(b"Expect:", found.fields)
        old = request(head("Expect: 100-continue", "Content-Length: 1", start="POST / HTTP/1.0"))
        self.assertFalse(old.expectsContinue)
        self.assertNotIn(b"Expect:", old.fields)

    def test_secrets(self) -> None:
        """
        Heads with credentials are known by them, and keep them.
        """
        for line in ("Cookie: a=b", "AUTHORIZATION: Basic eA=="):
            found = request(head(line))
            self.assertTrue(found.hasSecrets)
            self.assertIn(line.encode(), found.fields)

    def test_oddButRight(self) -> None:
        """
        What the grammar allows is taken as it is.
        """
        found = request(head("X-Empty:", "!#$%&'*+.^_`|~9: \x80\xff\t x ", start='X-Y /{}|^`"<> HTTP/1.1'))
        self.assertEqual(found.method, b"X-Y")
        self.assertIn(b"X-Empty:\r\n!#$%&'*+.^_`|~9: \x80\xff\t x \r\n", found.fields)


class ForwardingTests(_Refusing):
    """
    What goes on and what does not.
    """

    def test_forwardingFields(self) -> None:
        """
        Forwarding fields are set apart, in every spelling that an origin may
        take for them.
        """
        lines = [
            f"{name}: 6.6.6.6"
            for name in (
                "X-Forwarded-For",
                "x_forwarded_for",
                "X-Forwarded_Proto",
                "X-Forwarded-Host",
                "X-Forwarded-Port",
                "X-Forwarded-Prefix",
                "X-Forwarded-Ssl",
                "x-FORWARDED_Client-Cert",
                "X-Forwarded-~",
                "X-Forwarded",
                "x_FORWARDED",
                "x.forwarded",
                "X-Forwarded-",
                "X_Forwarded_",
                "Forwarded",
                "X-Real-IP",
                "x_real_ip",
                "X.Forwarded.For",
                "x!forwarded~proto",
                "X.Real.IP",
            )
        ]
        found = request(head("A: 1", *lines, "B: 2"))
        self.assertEqual(found.fields, b"Host: shop.example\r\nA: 1\r\nB: 2\r\n")
        self.assertEqual(found.forwarded, "".join(line + "\r\n" for line in lines).encode())

    def test_fieldsOfTheUser(self) -> None:
        """
        Names that resemble those we look for are nobody's business but the
        user's.
        """
        names = (
            "Cost Post He Ae E Aookie Kookie A-Forwarded-For Hpgrade X-Forwarding-For X-Forwarde "
            "XX-Real-IP XForwarded-For X0Forwarded-For X-Forwarded0For XX-Forwarded XForwarded X-Forwardeds "
            "aont_length xpect Hostt Uthorization Aeep-Alive"
        )
        mine = [f"{name}: 1" for name in names.split()]
        found = request(head(*mine))
        self.assertEqual(found.fields, head(*mine)[len("GET / HTTP/1.1\r\n") : -2])
        self.assertEqual(found.forwarded, b"")
        answer = response(
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + "\r\n".join(mine) + "\r\n\r\n").encode()
        )
        for line in mine:
            self.assertIn(f"\r\n{line}\r\n".encode(), answer.head)

    def test_hopByHop(self) -> None:
        """
        What belongs to one connection goes no further: the fields that always
        do, and those that Connection names.
        """
        found = request(
            head(
                "Connection: X-Auth , x-forwarded-for,close",
                "Keep-Alive: 5",
                "X-Auth: me",
                "X-Auth-Not: mine",
                "Proxy-Connection: keep-alive",
                "TE: trailers",
                "Trailer: X",
                "HTTP2-Settings: x",
                "X-Forwarded-For: 6.6.6.6",
                "connection: x-b",
                "X-B: 1",
            )
        )
        self.assertEqual(found.fields, b"Host: shop.example\r\nX-Auth-Not: mine\r\nTrailer: X\r\n")
        self.assertTrue(found.takesTrailers)
        self.assertEqual(found.forwarded, b"")
        self.assertFalse(found.keepAlive)

    def test_connectionNamesFraming(self) -> None:
        """
        Framing and Host cannot be taken away by naming them.
        """
        for name in ("Host", "content-length", "Transfer-Encoding"):
            self.assertRefused(400, "Connection", head(f"Connection: close, {name}", "Content-Length: 1"))

    def test_upgrade(self) -> None:
        """
        One upgrade that was asked for properly may be handed on.
        """
        found = request(head("Connection: keep-alive, Upgrade", "Upgrade: websocket"))
        self.assertEqual(found.upgrade, b"websocket")
        self.assertNotIn(b"pgrade", found.fields)
        for lines in [
            ("Upgrade: websocket",),
            ("Connection: upgrade",),
            ("Connection: upgrade", "Upgrade: h2c"),
            ("Connection: upgrade", "Upgrade: HTTP/2.0"),
            ("Connection: upgrade", "Upgrade: TLS/1.0"),
            ("Connection: upgrade", "Upgrade: websocket, h2c"),
            ("Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c"),
            ("Connection: upgrade", "Upgrade: websocket", "Content-Length: 1"),
            ("Connection: upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked"),
        ]:
            found = request(head(*lines))
            self.assertEqual(found.upgrade, b"", lines)
            self.assertNotIn(b"pgrade", found.fields)
        old = request(head("Connection: upgrade", "Upgrade: websocket", start="GET / HTTP/1.0"))
        self.assertEqual(old.upgrade, b"")


class RefusedTests(_Refusing):
    """
    Heads that two readers could understand differently.
    """

    def test_framing(self) -> None:
        """
        Lengths that are doubtful in any way.
        """
        for lines, part in [
            (("Content-Length: 1", "Transfer-Encoding: chunked"), "both"),
            (("Transfer-Encoding: chunked", "Content-Length: 1"), "both"),
            (("Content-Length: 1", "Content-Length: 1"), "more than one Content-Length"),
            (("Content-Length: 1, 1",), "not a number"),
            (("Content-Length: +1",), "not a number"),
            (("Content-Length: -1",), "not a number"),
            (("Content-Length: 0x1",), "not a number"),
            (("Content-Length: 1 1",), "not a number"),
            (("Content-Length: 1_0",), "not a number"),
            (("Content-Length:",), "not a number"),
            (("Content-Length: \xb2",), "not a number"),
            (("Content-Length: 1000000000000000000",), "not a number"),
            (("Content_Length: 1",), "underscore"),
            (("Transfer_Encoding: chunked",), "underscore"),
            (("Transfer-Encoding: gzip, chunked",), "other than chunked"),
            (("Transfer-Encoding: chunked, chunked",), "other than chunked"),
            (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "other than chunked"),
            (("Transfer-Encoding: identity",), "other than chunked"),
            (("Transfer-Encoding: xchunked",), "other than chunked"),
            (("Transfer-Encoding: chunked;a=b",), "other than chunked"),
            (("Transfer-Encoding: \x0bchunked",), "not a valid"),
            (("Transfer-Encoding:",), "other than chunked"),
            (("Transfer-Encoding: chunked\t",), "other than chunked"),
        ]:
            self.assertRefused(400, part, head(*lines, start="POST / HTTP/1.1"))
        self.assertRefused(400, "HTTP/1.0", head("Transfer-Encoding: chunked", start="POST / HTTP/1.0"))

    def test_lines(self) -> None:
        """
        Lines that are not what they should be.
        """
        for line, part in [
            (b"A: b\nC: d", "bare"),
            (b"A: b\rC: d", "bare"),
            (b"A: b\0", "bare"),
            (b"A: b\r\r", "bare"),
            (b"A: b\r\n c", "folded"),
            (b"A: b\r\n\tc", "folded"),
            (b" A: b", "folded"),
            (b"A : b", "space before a colon"),
            (b"Transfer-Encoding\t: chunked", "space before a colon"),
            (b"A b: c", "not a valid"),
            (b"A", "not a valid"),
            (b": b", "not a valid"),
            (b"A: b\x7f", "not a valid"),
            (b"A: \x1b[2J", "not a valid"),
            (b"\xc3\xa4: b", "not a valid"),
            (b'"A": b', "not a valid"),
        ]:
            self.assertRefused(400, part, head(line))

    def test_requestLines(self) -> None:
        """
        Request lines that are not what they should be.
        """
        for line in [
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            " GET / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET\t/ HTTP/1.1",
            "GET / http/1.1",
            "GET / HTTP/1.10",
            "GET /a b HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "GET /a\\b HTTP/1.1",
            "GET /\xe4 HTTP/1.1",
            "GET /\x7f HTTP/1.1",
            "G@T / HTTP/1.1",
            "GET /",
            "GET",
            "",
        ]:
            self.assertRefused(400, "not a valid", head(start=line))
        for line in ("GET / HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/1.2"):
            self.assertRefused(505, "version", head(start=line))
        self.assertRefused(400, "neither", head(start="GET shop.example:443 HTTP/1.1"))
        for method in ("TRACE", "CONNECT"):
            self.assertRefused(405, method, head(start=f"{method} / HTTP/1.1"))

    def test_hosts(self) -> None:
        """
        Exactly one valid Host.
        """
        self.assertRefused(400, "no Host", head(host=None))
        self.assertRefused(400, "more than one", head("Host: shop.example"))
        self.assertRefused(400, "more than one", head("hOST: other.example", start="GET / HTTP/1.0"))
        for host in ("", "a b", "a,b", "a/b", "user@a", "a:99999", "[::1", "a." * 200 + "a"):
            self.assertRefused(400, "not a valid Host", head(host=host))

    def test_expectations(self) -> None:
        """
        Another expectation cannot be met.
        """
        self.assertRefused(417, "expectation", head("Expect: 200-ok"))

    def test_limits(self) -> None:
        """
        Too many fields, too long a head, too long a target: at the limit all
        is well, one more is one too many.
        """
        lines = ["A: b"] * (MAX_FIELDS - 1)
        request(head(*lines))
        self.assertRefused(431, "fields", head(*lines, "A: b"))
        data = head("A: " + "b" * 1000)
        self.assertIsNotNone(parseRequest(data, len(data)))
        self.assertRefused(431, "longer", data, len(data) - 1)
        self.assertRefused(431, "longer", data[:-1], len(data) - 1)
        data = head(start="GET /" + "a" * 99 + " HTTP/1.1")
        self.assertIsNotNone(parseRequest(data, 65536, 100))
        self.assertRefused(414, "target", data, 65536, 99)
        self.assertRefused(414, "target", b"GET /" + b"a" * 9000)
        self.assertRefused(414, "target", b"GET /" + b"a" * 70000)


class ResponseTests(SynchronousTestCase):
    """
    Response heads.
    """

    def assertRefused(self, part: str, data: bytes) -> None:
        """
        This head becomes a 502.
        """
        error = self.assertRaises(BadMessage, parseResponse, data, b"GET")
        self.assertEqual((error.status, part in error.reason), (502, True), (data, error.reason))

    def test_bodies(self) -> None:
        """
        The length of the body, by RFC 9112 section 6.3.
        """
        for status, lines, method, length in [
            (200, "Content-Length: 5\r\n", b"GET", 5),
            (200, "Content-Length: 5\r\nContent-Length: 5\r\n", b"GET", 5),
            (200, "Transfer-Encoding: chunked\r\n", b"GET", CHUNKED),
            (200, "", b"GET", UNTIL_CLOSE),
            (200, "Content-Length: 5\r\n", b"HEAD", 0),
            (200, "Transfer-Encoding: chunked\r\n", b"HEAD", 0),
            (200, "", b"HEAD", 0),
            (204, "", b"GET", 0),
            (304, "Content-Length: 5\r\n", b"GET", 0),
            (100, "", b"GET", 0),
            (101, "Upgrade: websocket\r\n", b"GET", 0),
        ]:
            found = response(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode(), method)
            self.assertEqual((found.status, found.length), (status, length), (status, lines, method))

    def test_head(self) -> None:
        """
        What goes on to the client: the version is ours, hop-by-hop fields stay
        here, a repeated length is said once, a length is not said where there
        can be no body.
        """
        found = response(
            b"HTTP/1.0 200 All: right\r\nContent-Length: 5\r\nServer: x\r\nConnection: keep-alive, x-b\r\n"
            b"Keep-Alive: 5\r\ncontent-length: 5\r\nX-B: 1\r\nSet-Cookie: a\r\n\r\n"
        )
        self.assertEqual(
            found.head, b"HTTP/1.1 200 All: right\r\nContent-Length: 5\r\nServer: x\r\nSet-Cookie: a\r\n"
        )
        self.assertTrue(found.keepAlive)
        found = response(b"HTTP/1.1 204 X\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n")
        self.assertEqual(found.head, b"HTTP/1.1 204 X\r\nA: b\r\n")
        found = response(b"HTTP/1.1 200 OK\r\nConnection: x-b\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(found.head, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")

    def test_keepAlive(self) -> None:
        """
        Whether the connection may serve again.
        """
        for version, lines, expected in [
            ("1.1", "Content-Length: 0\r\n", True),
            ("1.1", "Content-Length: 0\r\nConnection: Close\r\n", False),
            ("1.1", "", False),
            ("1.0", "Content-Length: 0\r\n", False),
            ("1.0", "Content-Length: 0\r\nConnection: keep-alive\r\n", True),
        ]:
            found = response(f"HTTP/{version} 200 OK\r\n{lines}\r\n".encode())
            self.assertEqual(found.keepAlive, expected, (version, lines))

    def test_statusLines(self) -> None:
        """
        A reason is not needed; a status is.
        """
        for line in ("HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 299 \xe4\xf6"):
            response(f"{line}\r\nContent-Length: 0\r\n\r\n".encode("latin-1"))
        for line in (
            "HTTP/1.1  200 OK",
            "HTTP/1.1 20 OK",
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 600 OK",
            "HTTP/2.0 200 OK",
            "HTTP/1.1 200OK",
            "ICY 200 OK",
            "http/1.1 200 OK",
        ):
            self.assertRefused("not a valid", f"{line}\r\nContent-Length: 0\r\n\r\n".encode())

    def test_refused(self) -> None:
        """
        What could be read in two ways does not reach the client.
        """
        for lines, part in [
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "both"),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", "repeated"),
            ("Content-Length: 5, 5\r\n", "repeated"),
            ("Content-Length: +5\r\n", "not a number"),
            ("Transfer-Encoding: gzip\r\n", "other than chunked"),
            ("Transfer-Encoding: gzip, chunked\r\n", "other than chunked"),
            ("A: b\r\n c\r\n", "not a valid"),
            ("A : b\r\n", "not a valid"),
            ("A: b\rC\r\n", "not a valid"),
            ("A: b\nC: d\r\n", "not a valid"),
            ("A: \0\r\n", "not a valid"),
        ]:
            self.assertRefused(part, f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode())
        self.assertRefused("1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.assertRefused("not a valid", b"SSH-2.0-x\r\n")
        self.assertRefused("longer", b"HTTP/1.1 200 OK\r\nA: " + b"b" * 65536)
        self.assertRefused("longer", b"HTTP/1.1 200 OK\r\nA: " + b"b" * 65536 + b"\r\n\r\n")

    def test_everySplit(self) -> None:
        """
        Every shorter beginning asks for more; what follows is left alone.
        """
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x\r\nX: \xe4\r\n\r\n"
        for size in range(len(data)):
            self.assertIsNone(parseResponse(data[:size], b"GET"), data[:size])
        found = parseResponse(data + b"hello\r\n\r\n", b"GET")
        assert found is not None
        self.assertEqual(found[1], len(data))

    @steady
    @given(st.binary(max_size=60))
    def test_anything(self, data: bytes) -> None:
        """
        Only the declared error escapes.
        """
        for whole in (data, b"HTTP/1.1 200 OK\r\n" + data, b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n"):
            try:
                parseResponse(whole, b"GET")
            except BadMessage as error:
                self.assertEqual(error.status, 502)


GOOD = [
    head(),
    head("A: b", "Content-Length: 5", start="POST /a?b HTTP/1.1"),
    head("Transfer-Encoding: chunked", "Connection: close, x-a", "X-A: b", "X-Forwarded-For: c"),
    head("Connection: upgrade", "Upgrade: websocket", "Cookie: \xe4"),
    head(start="GET / HTTP/1.0", host=None),
    head(start="OPTIONS * HTTP/1.1"),
    head(start="GET http://shop.example/x HTTP/1.1"),
]

BAD = [
    head(b"A: b\nC: d"),
    head(b"A: b\rC: d"),
    head(b"A\0: b"),
    head(b"A: b\r\n c"),
    head("A : b"),
    head("Content-Length: 1", "Transfer-Encoding: chunked"),
    head(host=None),
    head(start="GET / HTTP/2.0"),
    head(start="TRACE / HTTP/1.1"),
    head("Expect: nothing"),
    head(*["A: b"] * 300),
    b"\x16\x03\x01\x00\x05hello\r\n\r\n",
]


def outcome(data: bytes) -> object:
    """
    All that is known of a head, or the status it is refused with, or L{None}.
    """
    try:
        found = parseRequest(data)
    except BadMessage as error:
        return error.status
    return found and tuple(getattr(found, name) for name in Request.__slots__)


class EverySplitTests(SynchronousTestCase):
    """
    However the bytes arrive, the answer is one and the same.
    """

    def test_good(self) -> None:
        """
        A good head is incomplete until its last byte, and the same with more
        behind it.
        """
        for data in GOOD:
            for size in range(len(data)):
                self.assertIsNone(outcome(data[:size]), data[:size])
            final = outcome(data)
            self.assertIsInstance(final, tuple)
            for more in (b"\r\n", b"\0", b"x" * 70000, data):
                self.assertEqual(outcome(data + more), final)

    def test_bad(self) -> None:
        """
        A bad head is refused as soon as it shows, and never for another
        reason later.
        """
        for data in BAD:
            final = outcome(data)
            self.assertIsInstance(final, int, data)
            for size in range(len(data)):
                self.assertIn(outcome(data[:size]), (None, final), data[:size])

    @steady
    @given(
        st.sampled_from(GOOD + BAD),
        st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=2)), max_size=3),
        st.integers(0, 400),
    )
    def test_mutations(self, data: bytes, changes: list[tuple[int, bytes]], cut: int) -> None:
        """
        Only the declared error escapes, and no beginning of a head that is
        taken is refused.
        """
        for place, value in changes:
            at = place % len(data)
            data = data[:at] + value + data[at + 1 :]
        if isinstance(outcome(data), tuple):
            complete = data.index(b"\r\n\r\n") + 4
            self.assertIsNone(outcome(data[: cut % complete]))
            self.assertEqual(outcome(data[:complete]), outcome(data))
        else:
            outcome(data[:cut])


BODIES = [
    b"0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b'5;a=b;c="d;\\"e"; f ; g = h\r\nhello\r\n00\r\n\r\n',
    b"1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n",
    b"A\r\n0123456789\r\na;x\r\n0123456789\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n",
    b"000000000000001\r\nx\r\n0;last\r\n\r\n",
]

BAD_BODIES = [
    b"\r\n",
    b"x\r\n",
    b"5",
    b"5\nhello\n0\n\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b"5;\r\nhello\r\n0\r\n\r\n",
    b"5;a=\r\nhello\r\n0\r\n\r\n",
    b'5;a="b\r\nhello\r\n0\r\n\r\n',
    b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    b"5;a\0\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    b"5\r\nhello\r\n0\r\nHost: x\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX_Forwarded_For: x\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX.Forwarded.For: x\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX.Real.IP: x\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX-Forwarded: x\r\n\r\n",
    b"5\r\nhello\r\n0\r\nx.forwarded: x\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX_Forwarded_: x\r\n\r\n",
    b"5\r\nhello\r\n0\r\nA : b\r\n\r\n",
    b"5\r\nhello\r\n0\r\n A: b\r\n\r\n",
    b"5\r\nhello\r\n0\r\nA: b\n\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\n",
    b"0000000000000001\r\nx\r\n0\r\n\r\n",
    b"5;" + b"a" * 5000 + b"\r\n",
    b"0\r\nA: " + b"b" * 20000,
]


def follow(pieces: Iterable[bytes]) -> tuple[int, bool] | None:
    """
    How many bytes belong to the body, and whether it ended; L{None} where it
    is refused.
    """
    chunks, total = Chunks(), 0
    try:
        for piece in pieces:
            taken = chunks.feed(piece)
            total += taken
            if taken != len(piece):
                assert chunks.isDone
                break
    except BadMessage as error:
        assert error.status == 400
        return None
    return total, chunks.isDone


def singly(data: bytes) -> Iterator[bytes]:
    """
    Byte by byte.
    """
    return (data[at : at + 1] for at in range(len(data)))


class ChunksTests(SynchronousTestCase):
    """
    Chunked bodies are followed to their very end, and no further.
    """

    def test_everySplit(self) -> None:
        """
        A good body ends at the same byte, cut anywhere, and byte by byte, with
        another request behind it or not.
        """
        for body in BODIES:
            for data in (body, body + b"GET / HTTP/1.1\r\n\r\n", body + b"\r\n"):
                expected = (len(body), True)
                self.assertEqual(follow([data]), expected, data)
                self.assertEqual(follow(singly(data)), expected, data)
                for cut in range(len(data)):
                    self.assertEqual(follow([data[:cut], data[cut:]]), expected, (data, cut))
            for size in range(len(body)):
                self.assertEqual(follow([body[:size]]), (size, False), (body, size))

    def test_bad(self) -> None:
        """
        A bad body is refused, cut anywhere, and byte by byte.
        """
        for body in BAD_BODIES:
            data = body if len(body) > 1 else body + b"\n"
            self.assertIsNone(follow([data]), data)
            self.assertIsNone(follow(singly(data)), data)
            for cut in range(min(len(data), 100)):
                self.assertIsNone(follow([data[:cut], data[cut:]]), (data, cut))

    def test_badTrailerAtOnce(self) -> None:
        """
        A bad line among the trailers is refused as soon as it is whole, not
        when the section is: what was looked at is passed on.
        """
        for line in (
            b"\x0b\r\n",
            b"no colon\r\n",
            b" folded\r\n",
            b"Host: x\r\n",
            b"Proxy-Authorization: x\r\n",
            b"A : b\r\n",
            b"A: \x7f\r\n",
        ):
            for before in (b"0\r\n", b"1\r\nx\r\n0\r\nGood: one\r\n"):
                self.assertIsNone(follow([before + line]), line)
                self.assertIsNone(follow([before, line]), line)
                self.assertIsNone(follow(singly(before + line)), line)

    def test_barred(self) -> None:
        """
        A trailer of a name that is not to be said is refused as soon as its line is whole, in whatever
        spelling; others pass.
        """
        for name in (b"x-user", b"X_User", b"x.user"):
            line = name + b": eve\r\n"
            for pieces in ([b"0\r\nA: b\r\n" + line], [b"0\r\n", line], singly(b"0\r\n" + line)):
                chunks = Chunks()
                chunks.bar(frozenset((b"x-user", b"x_other")))
                self.assertRaises(BadMessage, lambda c=chunks, p=pieces: [c.feed(each) for each in p])
        chunks = Chunks()
        chunks.bar(frozenset((b"x-user",)))
        chunks.feed(b"0\r\nX-Users: eve\r\nX: user\r\n\r\n")
        self.assertTrue(chunks.isDone)

    def test_barredByRule(self) -> None:
        """
        So is one that anybody who was asked has something against.
        """
        for name, isTaken in ((b"X-USER", False), (b"X_Other", False), (b"X-Mine", True)):
            chunks = Chunks()
            chunks.bar(frozenset(), lambda each: each == b"x-user")
            chunks.bar(frozenset(), lambda each: each.startswith(b"x_"))
            data = b"0\r\nA: b\r\n" + name + b": eve\r\n\r\n"
            if isTaken:
                chunks.feed(data)
                self.assertTrue(chunks.isDone)
            else:
                self.assertRaises(BadMessage, chunks.feed, data)

    def test_afterTheEnd(self) -> None:
        """
        Once it has ended nothing more belongs to it.
        """
        chunks = Chunks()
        self.assertEqual(chunks.feed(BODIES[1]), len(BODIES[1]))
        self.assertEqual((chunks.isDone, chunks.feed(b"more")), (True, 0))

    @steady
    @given(
        st.sampled_from([each for each in BODIES + BAD_BODIES if len(each) < 1000]),
        st.lists(st.tuples(st.integers(0, 100), st.binary(max_size=2)), max_size=3),
        st.lists(st.integers(1, 9), min_size=1, max_size=30),
    )
    def test_mutations(self, data: bytes, changes: list[tuple[int, bytes]], sizes: list[int]) -> None:
        """
        Whatever comes, cut anyhow, it is refused either way or ends at the
        same byte.
        """
        for place, value in changes:
            at = place % len(data)
            data = data[:at] + value + data[at + 1 :]
        whole = follow([data])
        self.assertEqual(follow(singly(data)), whole)
        pieces, at, turn = [], 0, 0
        while at < len(data):
            pieces.append(data[at : at + sizes[turn % len(sizes)]])
            at += sizes[turn % len(sizes)]
            turn += 1
        self.assertEqual(follow(pieces), whole)


class CostTests(SynchronousTestCase):
    """
    No head that fits the limit keeps the process busy.
    """

    def test_worst(self) -> None:
        """
        Heads made to be slow to read are read or refused within milliseconds.
        """
        for data in [
            head("X" + " " * 60000),
            head("X" + "\t " * 30000 + "y"),
            head("X" * 60000),
            head("X: " + " " * 60000 + "\x7f"),
            head("Content-Length: " + " " * 60000 + "1"),
            head("Connection: " + ",".join(f"n{n}" for n in range(8000))),
            head("Connection: " + "a " * 30000),
            head("Connection: " + "," * 60000),
            head(host="a." * 30000),
            head(host="a" + "-" * 60000),
            head(start="GET " + "/.." * 2500 + " HTTP/1.1"),
            head(start="GET /" + "%2e/" * 2000 + " HTTP/1.1"),
            head(start="GET http://" + "a." * 4000 + " HTTP/1.1"),
        ]:
            begin = process_time()
            outcome(data)
            self.assertLess(process_time() - begin, 0.1, data[:40])

    def test_slowly(self) -> None:
        """
        A long head that comes in small pieces is not read anew for each.
        """
        data = head("X: " + "a" * 60000, *["A: b"] * 150)[:-2]
        begin = process_time()
        for size in range(len(data) - 1000, len(data)):
            self.assertIsNone(parseRequest(data[:size]))
        self.assertLess((process_time() - begin) / 1000, 0.001)

    def test_chunkLines(self) -> None:
        """
        Nor does a chunk line or a trailer made to be slow.
        """
        for body in (b"5;" + b" " * 4000, b"5" + b";a" * 2000 + b"\r", b"0\r\n" + b"A: b\r\n" * 2500):
            begin = process_time()
            follow(singly(body))
            self.assertLess(process_time() - begin, 2.0, body[:10])
