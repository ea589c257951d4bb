"""
Tests for L{smartproxy_tw.wire.downgrade}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.downgrade import Malformed, acceptFor, acceptLine, isAcceptedBy, requestOf, trailersOf
from smartproxy_tw.wire.hpack import Field
from smartproxy_tw.wire.http1 import CHUNKED, MAX_FIELDS, BadMessage, Chunks, Request, parseRequest

from ..examples import examples

_LIMITS = (65536, 8192)


def get(
    *fields: Field,
    method: bytes | None = b"GET",
    scheme: bytes | None = b"https",
    authority: bytes | None = b"shop.example",
    path: bytes | None = b"/",
) -> list[Field]:
    """
    The fields of a request.
    """
    pseudo = ((b":method", method), (b":scheme", scheme), (b":authority", authority), (b":path", path))
    return [*((name, value) for name, value in pseudo if value is not None), *fields]


def request(fields: list[Field], isEnded: bool = True) -> Request:
    """
    One that must be taken.
    """
    return requestOf(fields, *_LIMITS, isEnded)


class _Refusing(SynchronousTestCase):
    def assertMalformed(self, part: str, fields: list[Field], isEnded: bool = True) -> None:
        """
        These end the stream, for a reason that is fit for a log.
        """
        error = self.assertRaises(Malformed, request, fields, isEnded)
        self.assertIn(part, error.reason)
        self.assertTrue(error.reason.isprintable())

    def assertAnswered(self, status: int, part: str, fields: list[Field], isEnded: bool = True) -> None:
        """
        These are answered with a status.
        """
        error = self.assertRaises(BadMessage, request, fields, isEnded)
        self.assertEqual((error.status, part in error.reason), (status, True), error.reason)


class RequestTests(_Refusing):
    """
    Requests that are all right.
    """

    def test_simple(self) -> None:
        """
        A plain GET, with everything that is known of it; its raw head has the version for the log.
        """
        given = get((b"accept", b"*/*"), authority=b"Shop.Example:8443", path=b"/a/../b?c")
        found = request(given)
        self.assertEqual((found.method, found.target.origin, found.minor), (b"GET", b"/b?c", 1))
        self.assertEqual((found.host, found.authority), ("shop.example", b"Shop.Example:8443"))
        self.assertEqual((found.length, found.keepAlive, found.upgrade), (0, True, b""))
        self.assertEqual(found.fields, b"host: Shop.Example:8443\r\naccept: */*\r\n")
        self.assertEqual(
            found.raw, b"GET /a/../b?c HTTP/2.0\r\nhost: Shop.Example:8443\r\naccept: */*\r\n\r\n"
        )
        self.assertEqual(given, get((b"accept", b"*/*"), authority=b"Shop.Example:8443", path=b"/a/../b?c"))

    def test_orders(self) -> None:
        """
        Pseudo-headers may come in any order.
        """
        plain = get()
        for turn in range(4):
            self.assertEqual(request([*plain[turn:], *plain[:turn], (b"a", b"b")]).host, "shop.example")

    def test_host(self) -> None:
        """
        Host stands in for :authority, or says the same and is said once.
        """
        found = request(get((b"a", b"b"), (b"host", b"Shop.example"), authority=None))
        self.assertEqual((found.host, found.authority), ("shop.example", b"Shop.example"))
        found = request(get((b"a", b"b"), (b"host", b"Shop.example")))
        self.assertEqual(found.fields, b"host: shop.example\r\na: b\r\n")

    def test_bodies(self) -> None:
        """
        A body whose length nobody tells goes on in chunks.
        """
        found = request(get((b"content-length", b"12"), method=b"POST"), False)
        self.assertEqual((found.length, b"content-length: 12\r\n" in found.fields), (12, True))
        found = request(get(method=b"POST"), False)
        self.assertEqual(found.length, CHUNKED)
        self.assertEqual(found.fields, b"host: shop.example\r\ntransfer-encoding: chunked\r\n")
        self.assertEqual(request(get((b"content-length", b"0"), method=b"POST")).length, 0)
        self.assertEqual(request(get((b"content-length", b"0"), method=b"POST"), False).length, 0)
        self.assertEqual(request(get(method=b"POST")).length, 0)

    def test_cookies(self) -> None:
        """
        Crumbs become one field (RFC 9113 section 8.2.3).
        """
        found = request(get((b"cookie", b"a=b"), (b"x", b"y"), (b"cookie", b"c=d"), (b"cookie", b"e")))
        self.assertEqual(found.fields, b"host: shop.example\r\nx: y\r\ncookie: a=b; c=d; e\r\n")
        self.assertTrue(found.hasSecrets)
        found = request(get((b"cookie", b""), (b"cookie", b"a=b"), (b"cookie", b"")))
        self.assertEqual(found.fields, b"host: shop.example\r\ncookie: ; a=b; \r\n")
        self.assertMalformed("white space", get((b"cookie", b"a=b"), (b"cookie", b" c=d")))
        self.assertIn(b"cookie: a=b\r\nx: y\r\n", request(get((b"cookie", b"a=b"), (b"x", b"y"))).fields)

    def test_trailersTaken(self) -> None:
        """
        TE says one thing only.
        """
        found = request(get((b"te", b"trailers")))
        self.assertEqual((found.takesTrailers, found.fields), (True, b"host: shop.example\r\n"))

    def test_forwarded(self) -> None:
        """
        Forwarding fields and identifiers are set apart as those of HTTP/1 are.
        """
        found = request(
            get(
                (b"x-forwarded-for", b"1.2.3.4"),
                (b"x_real_ip", b"a"),
                (b"x-forwarded", b"c"),
                (b"x_forwarded", b"d"),
                (b"x-request-id", b"7"),
                (b"a", b"b"),
            )
        )
        self.assertEqual(
            found.forwarded,
            b"x-forwarded-for: 1.2.3.4\r\nx_real_ip: a\r\nx-forwarded: c\r\nx_forwarded: d\r\n",
        )
        self.assertEqual(found.identified, b"x-request-id: 7\r\n")
        self.assertEqual(found.fields, b"host: shop.example\r\na: b\r\n")

    def test_options(self) -> None:
        """
        The target * is for OPTIONS.
        """
        self.assertEqual(request(get(method=b"OPTIONS", path=b"*")).target.path, b"*")
        self.assertAnswered(400, "OPTIONS", get(path=b"*"))

    def test_values(self) -> None:
        """
        What the grammar allows is taken as it is.
        """
        found = request(get((b"a", b""), (b"!#$%&'*+-.^_`|~09", b"\xff\ta: b"), (b"b", b":")))
        self.assertEqual(
            found.fields, b"host: shop.example\r\na: \r\n!#$%&'*+-.^_`|~09: \xff\ta: b\r\nb: :\r\n"
        )

    def test_scheme(self) -> None:
        """
        It is http or https, and may be held to the connection.
        """
        self.assertEqual(request(get(scheme=b"http")).host, "shop.example")
        for odd in (b"ftp", b"", b"HTTPS", b"https://evil/?"):
            self.assertAnswered(400, "scheme", get(scheme=odd))
        requestOf(get(), *_LIMITS, True, scheme=b"https")
        error = self.assertRaises(BadMessage, requestOf, get(scheme=b"http"), *_LIMITS, True, scheme=b"https")
        self.assertEqual(error.status, 421)


class MalformedTests(_Refusing):
    """
    RFC 9113 sections 8.2 and 8.3, rule by rule.
    """

    def test_missing(self) -> None:
        """
        There is one method, one scheme and one path, and a name.
        """
        self.assertMalformed("no :method", get(method=None))
        self.assertMalformed("no :scheme", get(scheme=None))
        self.assertMalformed("no :path", get(path=None))
        self.assertMalformed("neither", get(authority=None))
        self.assertMalformed("no :method", [])
        self.assertMalformed("no :method", [(b"a", b"b")])

    def test_repeated(self) -> None:
        """
        None comes twice, also not with the same value.
        """
        for field in get():
            self.assertMalformed("pseudo-header", [field, *get()])
            self.assertMalformed("pseudo-header", [*get(), field])

    def test_unknown(self) -> None:
        """
        There are no others, and none behind regular fields.
        """
        for name in (b":status", b":a", b":", b":Method", b":method "):
            self.assertMalformed("pseudo-header", [(name, b"200"), *get()])
            self.assertMalformed("pseudo-header", get((name, b"200")))
        self.assertMalformed("no :path", [*get(path=None), (b"a", b"b"), (b":path", b"/")])

    def test_authority(self) -> None:
        """
        Host and :authority agree.
        """
        self.assertMalformed("another host", get((b"host", b"other.example")))
        self.assertMalformed("another host", get((b"host", b"shop.example"), (b"host", b"other.example")))
        self.assertMalformed("another host", get((b"host", b"")))
        self.assertAnswered(400, "more than one Host", get((b"host", b"a"), (b"host", b"a"), authority=None))
        for odd in (b"", b"user@shop.example", b"shop.example:99999", b"a b", b"a/b", b"a,b"):
            self.assertAnswered(400, "Host", get(authority=odd))

    def test_names(self) -> None:
        """
        Names are tokens in lower case.
        """
        for name in (
            b"",
            b"A",
            b"aB",
            b"a b",
            b"a:",
            b"a: b",
            b"a\r",
            b"a\n",
            b"a\0",
            b"a\x7f",
            b"\xe4",
            b"a(",
        ):
            self.assertMalformed("name", get((name, b"x")))
            self.assertMalformed("name", get((b"x", b"y"), (name, b"")))
        self.assertMalformed("name", get((b"a\r\nb", b"c")))
        self.assertMalformed("name", get((b"a\0b\nc", b"d")))

    def test_values(self) -> None:
        """
        Values have no line breaks, no white space at their ends and no controls.
        """
        for value in (b"\r", b"\n", b"\0", b"a\r\nb: c", b"a\nb\0c", b"a\n", b"a\r\n b"):
            self.assertMalformed("line break", get((b"a", value)))
            self.assertMalformed("line break", get(authority=b"shop.example" + value))
        for value in (b" ", b"\t", b" a", b"a ", b"\ta", b"a\t"):
            self.assertMalformed("white space", get((b"a", value)))
        for value in (b"\x01", b"\x7f", b"a\x1fb"):
            self.assertMalformed("control", get((b"a", value)))

    def test_splitting(self) -> None:
        """
        Fields that would be lines of their own, or separators of ours, are none.
        """
        for value in (b"b\nc\0d", b"b\r\ntransfer-encoding: chunked", b"b\n:path\0/admin"):
            self.assertMalformed("line break", get((b"a", value)))
        self.assertMalformed("name", get((b"transfer-encoding: chunked\r\nx", b"y")))
        self.assertMalformed("name", get((b"transfer-encoding:", b"chunked")))

    def test_lines(self) -> None:
        """
        Nor are there line breaks in method and path.
        """
        for odd in (b"\r\n", b"\n", b"\0", b" HTTP/1.1\r\nHost: evil\r\n\r\nGET /"):
            self.assertMalformed("pseudo-header", get(method=b"GET" + odd))
            self.assertMalformed("pseudo-header", get(path=b"/" + odd))

    def test_targets(self) -> None:
        """
        A path begins with a slash; what else it may have is the same as for HTTP/1.
        """
        for odd in (b"", b"a", b"http://shop.example/", b"?a", b"*a"):
            self.assertMalformed(":path", get(path=odd))
        for odd in (b"/ ", b"/a b", b"/#a", b"/\\", b"/\xe4", b"/\x7f", b"/ HTTP/1.1"):
            self.assertAnswered(400, "target", get(path=odd))
        for odd in (b"", b"G T", b"GET /x", b"G:T", b"G\xe4T"):
            self.assertAnswered(400, "method", get(method=odd))

    def test_connection(self) -> None:
        """
        Fields of a connection have no place (section 8.2.2).
        """
        for name in (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"):
            self.assertMalformed("connection", get((name, b"close")))
            self.assertMalformed("connection", get((name, b"chunked"), method=b"POST"), False)
        for value in (b"", b"gzip", b"trailers, gzip", b"trailers;q=1"):
            self.assertMalformed("TE", get((b"te", value)))

    def test_lengths(self) -> None:
        """
        A length is a number, is told once, and is that of a body.
        """
        self.assertMalformed("without a body", get((b"content-length", b"1")))
        for value in (b"", b"+1", b"1,1", b"0x1", b"-0", b"1 1"):
            self.assertAnswered(400, "Content-Length", get((b"content-length", value)), False)
        self.assertAnswered(
            400, "Content-Length", get((b"content-length", b"1"), (b"content-length", b"1")), False
        )
        self.assertAnswered(400, "underscore", get((b"content_length", b"1")))
        self.assertAnswered(400, "underscore", get((b"transfer_encoding", b"chunked")))

    def test_methods(self) -> None:
        """
        CONNECT and TRACE are not served, however they are written.
        """
        self.assertAnswered(405, "CONNECT", get(method=b"CONNECT", scheme=None, path=None))
        self.assertAnswered(405, "CONNECT", get(method=b"CONNECT"))
        self.assertAnswered(405, "TRACE", get(method=b"TRACE"))

    def test_expectation(self) -> None:
        """
        100-continue is the one that there is.
        """
        self.assertTrue(request(get((b"expect", b"100-continue"), method=b"POST"), False).expectsContinue)
        self.assertAnswered(417, "expectation", get((b"expect", b"more")))

    def test_limits(self) -> None:
        """
        They are those of HTTP/1.
        """
        fields = get((b"a", b"b" * 30), path=b"/1234567")
        size = len(request(fields).raw)
        requestOf(fields, size, 8, True)
        for limits, status in (((size - 1, 8), 431), ((size, 7), 414), ((10, 7), 414)):
            self.assertEqual(self.assertRaises(BadMessage, requestOf, fields, *limits, True).status, status)
        error = self.assertRaises(BadMessage, requestOf, get(path=b"/ 34"), size, 3, True)
        self.assertEqual(error.status, 414)
        request(get(*[(b"a", b"b")] * (MAX_FIELDS - 1)))
        self.assertAnswered(431, "200", get(*[(b"a", b"b")] * MAX_FIELDS))


class ConnectTests(_Refusing):
    """
    WebSockets by HTTP/2 (RFC 8441).
    """

    def open(self, *fields: Field, protocol: bytes = b"websocket", method: bytes = b"CONNECT") -> Request:
        """
        An extended CONNECT where it is allowed.
        """
        head = [(b":protocol", protocol), *get((b"sec-websocket-version", b"13"), *fields, method=method)]
        return requestOf(head, *_LIMITS, False, key=lambda: b"dGhlIHNhbXBsZSBub25jZQ==")

    def test_websocket(self) -> None:
        """
        It becomes the handshake of HTTP/1.
        """
        found = self.open((b"origin", b"https://shop.example"))
        self.assertEqual((found.method, found.upgrade, found.length), (b"GET", b"websocket", 0))
        self.assertEqual(
            found.fields,
            b"host: shop.example\r\nsec-websocket-version: 13\r\norigin: https://shop.example\r\n"
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        )

    def test_anyPlace(self) -> None:
        """
        The protocol may stand behind the other pseudo-headers too, as browsers have it.
        """
        usual = get((b"sec-websocket-version", b"13"), method=b"CONNECT")
        for at in range(5):
            head = [*usual[:at], (b":protocol", b"websocket"), *usual[at:]]
            request = requestOf(head, *_LIMITS, False, key=lambda: b"dGhlIHNhbXBsZSBub25jZQ==")
            self.assertEqual(request.upgrade, b"websocket", at)

    def test_accept(self) -> None:
        """
        The example of RFC 6455 section 1.3.
        """
        self.assertEqual(acceptFor(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    def test_isAccepted(self) -> None:
        """
        The key that was sent is the one that is accepted, however the fields are written.
        """
        asks = b"Host: a\r\nsec-websocket-key: \tdGhlIHNhbXBsZSBub25jZQ== \r\nA: b\r\n"
        good = b"HTTP/1.1 101 X\r\nsec-WebSocket-accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\n"
        self.assertTrue(isAcceptedBy(asks, good))
        self.assertFalse(isAcceptedBy(asks, good.replace(b"s3p", b"S3p")))
        self.assertFalse(isAcceptedBy(asks, b"HTTP/1.1 101 X\r\n"))
        self.assertFalse(isAcceptedBy(b"Host: a\r\n", good))
        self.assertTrue(isAcceptedBy(asks, b"HTTP/1.1 101 X\r\n" + acceptLine(asks)))
        self.assertEqual(acceptLine(b"Host: a\r\n"), b"")

    def test_refused(self) -> None:
        """
        Not where it was not allowed, with another method, or with what a handshake by HTTP/2 has
        not.
        """
        self.assertMalformed(":protocol", [(b":protocol", b"websocket"), *get(method=b"CONNECT")])
        self.assertRaises(Malformed, self.open, method=b"GET")
        for name in (b"sec-websocket-key", b"sec-websocket-accept", b"content-length", b"connection"):
            self.assertRaises(Malformed, self.open, (name, b"0"))
        for protocol in (b"h2c", b"connect-udp", b"", b"websocket\r\na: b"):
            self.assertEqual(self.assertRaises(BadMessage, self.open, protocol=protocol).status, 501)


class TrailerTests(_Refusing):
    """
    What comes behind a body.
    """

    def test_lines(self) -> None:
        """
        They are lines that the reader of chunks takes.
        """
        lines = trailersOf([(b"grpc-status", b"0"), (b"grpc-message", b"")])
        self.assertEqual(lines, b"grpc-status: 0\r\ngrpc-message: \r\n")
        chunks = Chunks()
        chunks.feed(b"0\r\n" + lines + b"\r\n")
        self.assertTrue(chunks.isDone)
        self.assertEqual(trailersOf([]), b"")

    def test_refused(self) -> None:
        """
        No pseudo-headers, nothing that is no field, nothing that frames or authorizes.
        """
        for name in (
            b":path",
            b":status",
            b"A",
            b"a b",
            b"",
            b"connection",
            b"transfer-encoding",
            b"upgrade",
        ):
            self.assertRaises(Malformed, trailersOf, [(b"a", b"b"), (name, b"c")])
        self.assertRaises(Malformed, trailersOf, [(b"a", b"b\r\nc: d")])
        for name in (
            b"content-length",
            b"host",
            b"te",
            b"cookie",
            b"authorization",
            b"x-forwarded-for",
            b"x-forwarded",
            b"expect",
        ):
            self.assertRaises(BadMessage, trailersOf, [(b"a", b"b"), (name, b"c")])
        self.assertRaises(BadMessage, trailersOf, [(b"a", b"b" * 20000)])


_NAMES = (
    b"accept",
    b"cookie",
    b"authorization",
    b"x-forwarded-for",
    b"x_forwarded_host",
    b"x-forwarded",
    b"forwarded",
    b"x-request-id",
    b"x-real-ip",
    b"content-length",
    b"content_length",
    b"expect",
    b"te",
    b"http2-settings",
    b"cost",
    b"x-a",
)
_VALUES = (b"", b"a", b"1", b"12", b"trailers", b"100-continue", b"a, b;c=d", b"\xe4: \t\xff", b"9" * 20)
_PATHS = (b"/", b"/a?b", b"/a/../b", b"/a/%2e%2e/", b"/?", b"//", b"*", b"/#", b"/a b", b"/\xe4")
_HOSTS = (b"shop.example", b"Shop.Example.:8443", b"[::ffff:1.2.3.4]", b"", b"a b", b"a:99999", b"-")
_METHODS = (b"GET", b"POST", b"OPTIONS", b"TRACE", b"get", b"G@T", b"PROPFIND")


def facts(made: Request) -> list[object]:
    """
    Everything about a request but its bytes.
    """
    return [getattr(made, name) for name in Request.__slots__ if name != "raw"]


class EqualTests(SynchronousTestCase):
    """
    There is one set of rules.
    """

    @examples(600)
    @given(
        st.sampled_from(_METHODS),
        st.sampled_from(_PATHS),
        st.sampled_from(_HOSTS),
        st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_VALUES)), max_size=6),
        st.booleans(),
    )
    def test_bothWays(
        self, method: bytes, path: bytes, host: bytes, fields: list[Field], isEnded: bool
    ) -> None:
        """
        A request that both protocols can express is the same request, or is refused with the
        same status.
        """
        fields = [(name, b"trailers") if name == b"te" else (name, value) for name, value in fields]
        lines = [b"%b: %b\r\n" % field for field in fields if field[0] != b"cookie"]
        crumbs = [value for name, value in fields if name == b"cookie"]
        if len(crumbs) > 1:
            lines.append(b"cookie: %b\r\n" % b"; ".join(crumbs))
        else:
            lines = [b"%b: %b\r\n" % field for field in fields]
        if not isEnded and not any(name == b"content-length" for name, _ in fields):
            lines.append(b"transfer-encoding: chunked\r\n")
        try:
            expected = parseRequest(
                b"%b %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (method, path, host, b"".join(lines))
            )
        except BadMessage as bad:
            error = self.assertRaises(
                BadMessage,
                requestOf,
                get(*fields, method=method, authority=host, path=path),
                *_LIMITS,
                isEnded,
            )
            self.assertEqual(error.status, bad.status)
            return
        assert expected is not None
        head = get(*fields, method=method, authority=host, path=path)
        if isEnded and expected.length:
            self.assertRaises(Malformed, request, head)
            return
        self.assertEqual(facts(request(head, isEnded)), facts(expected))

    @examples(400)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from((*_NAMES, b":path", b":method", b":protocol", b"host", b"connection"))
                | st.binary(max_size=4),
                st.sampled_from((*_VALUES, *_PATHS, *_METHODS)) | st.binary(max_size=6),
            ),
            max_size=5,
        ),
        st.integers(0, 4),
        st.booleans(),
        st.booleans(),
    )
    def test_anything(self, fields: list[Field], left: int, isEnded: bool, mayConnect: bool) -> None:
        """
        Whatever comes, only the declared errors escape; and what comes out is what HTTP/1 reads the
        same way, of the same fields and no others.
        """
        given = [*get()[left:], *fields]
        try:
            made = requestOf(given, *_LIMITS, isEnded, key=(lambda: b"key") if mayConnect else None)
        except (BadMessage, Malformed):
            return
        again = parseRequest(made.raw.replace(b" HTTP/2.0\r\n", b" HTTP/1.1\r\n", 1))
        assert again is not None
        self.assertEqual(facts(again), facts(made))
        regular = len([name for name, _ in given if name[:1] != b":"])
        self.assertLessEqual(made.raw.count(b"\n"), regular + 6)

    @examples(200)
    @given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=3))
    def test_anyTrailers(self, fields: list[Field]) -> None:
        """
        So it is for trailers.
        """
        try:
            lines = trailersOf(fields)
        except (BadMessage, Malformed):
            return
        self.assertEqual(lines.count(b"\n"), len(fields))
