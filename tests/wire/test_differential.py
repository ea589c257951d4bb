"""
What L{smartproxy_tw.wire.http1} accepts, others read the same way: the messages
begin and end where we say, and say what we say.  This is what request smuggling
is made of where it is not so.
"""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.http1 import CHUNKED, UNTIL_CLOSE, BadMessage, Chunks, parseRequest, parseResponse

from ..examples import examples
from .oracles import Message, byH11, byLLHTTP, byTwisted, responseByH11, responseByLLHTTP

steady = examples(200)

#: What comes behind a message; only a wrong boundary could hide it.
MARKER = b"GET /marker HTTP/1.1\r\nHost: marker\r\n\r\n"

#: Lines that frame a message, or are meant to look as if they did.
FRAMING = [
    b"Content-Length: 5",
    b"content-length:5",
    b"Content-Length: 0",
    b"Content-Length: 05",
    b"Content-Length: 5 ",
    b"Content-Length: +5",
    b"Content-Length: 5, 5",
    b"Content-Length: 5;",
    b"Content-Length : 5",
    b"Content_Length: 5",
    b"Transfer-Encoding: chunked",
    b"transfer-encoding:CHUNKED",
    b"Transfer-Encoding:\tchunked ",
    b"Transfer-Encoding: chunked\t",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: xchunked",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: chunked;q=1",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\0: chunked",
    b"Transfer_Encoding: chunked",
    b"X: a\nTransfer-Encoding: chunked",
    b"X: a\rTransfer-Encoding: chunked",
    b"X: a\r\n Transfer-Encoding: chunked",
    b"\r\nTransfer-Encoding: chunked",
    b"Connection: close, content-length",
    b"Connection: transfer-encoding",
    b"Connection: x-a, close",
    b"X-Content-Length: 5",
]
PLAIN = [
    b"Accept: */*",
    b"X-A:",
    b"X-A: \xe4\t\x80 b",
    b"Cost: 5",
    b"x_forwarded_for: 6.6.6.6",
    b"Forwarded: for=6.6.6.6",
    b"Keep-Alive: 5",
    b"TE: trailers",
    b"Cookie: a=b; c",
    b"Expect: 100-continue",
]
STARTS = [
    b"GET / HTTP/1.1",
    b"POST /a/../b?c=d HTTP/1.1",
    b"PUT /%2e%2e/a HTTP/1.1",
    b"POST http://shop.example/x HTTP/1.1",
    b"DELETE //a HTTP/1.1",
    b"POST / HTTP/1.0",
    b'GET /"<>{}|^` HTTP/1.1',
]
BODIES = [
    b"",
    b"hello",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b'5;a="b"\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n',
    b"0005;a\r\nhello\r\n0000\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5\r\nhello0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5;\nhello\r\n0\r\n\r\n",
    b"0\r\nContent-Length: 9\r\n\r\n",
]

_lines = st.lists(st.sampled_from(FRAMING + PLAIN) | st.sampled_from(PLAIN), max_size=4)
_changes = st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=2)), max_size=2)


def changed(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    """
    Some bytes replaced, put in or taken away.
    """
    for place, value in changes:
        at = place % len(data)
        data = data[:at] + value + data[at + 1 :]
    return data


def dechunked(body: bytes) -> bytes:
    """
    The content of a chunked body that is all right.
    """
    found = b""
    while True:
        line, _, rest = body.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if not size:
            return found
        found, body = found + rest[:size], rest[size + 2 :]


def split(data: bytes, length: int) -> tuple[bytes, bytes] | None:
    """
    Part a body from what follows.

    @param length: As the head has it.
    @return: L{None} where the body is refused or not complete.
    """
    if length == UNTIL_CLOSE:
        return data, b""
    if length != CHUNKED:
        return (data[:length], data[length:]) if len(data) >= length else None
    chunks = Chunks()
    try:
        taken = chunks.feed(data)
    except BadMessage:
        return None
    return (data[:taken], data[taken:]) if chunks.isDone else None


class RequestTests(SynchronousTestCase):
    """
    Requests, as they came and as they go on.
    """

    def judge(self, data: bytes) -> bool:
        """
        Compare our reading with those of the others.

        @return: Whether it was accepted.
        """
        try:
            request = parseRequest(data)
        except BadMessage:
            return False
        if request is None:
            return False
        parted = split(data[len(request.raw) :], request.length)
        if parted is None:
            return False
        body, _ = parted
        content = dechunked(body) if request.length == CHUNKED else body
        start = request.method + b" " + request.target.origin
        start += b" HTTP/1.1\r\n" if request.minor else b" HTTP/1.0\r\n"
        onward = start + request.fields + b"\r\n" + body
        self.same("as it came", request.raw + body, None, content, request.minor)
        self.same("as it goes on", onward, (request.method, request.target.origin), content, request.minor)
        for line in request.fields.split(b"\r\n")[:-1]:
            self.assertNotIn(
                line.partition(b":")[0].lower().replace(b"_", b"-"),
                (b"x-forwarded-for", b"forwarded", b"connection", b"keep-alive", b"te", b"upgrade"),
            )
        return True

    def same(
        self, when: str, message: bytes, start: tuple[bytes, bytes] | None, content: bytes, minor: int
    ) -> None:
        """
        Every oracle finds this message and, behind it, the marker.
        """
        head = message.partition(b"\r\n\r\n")[0].lower()
        isLast = not minor or b"\nconnection:" in head
        data = message if isLast else message + MARKER
        for oracle in (byLLHTTP, byH11, byTwisted):
            found = oracle(data)
            where = (when, oracle.__name__, data, found)
            if found is None and _isBeyond(oracle.__name__, message):
                continue
            assert found, where
            first = found[0]
            self.assertTrue(first.isDone, where)
            self.assertEqual(first.body, content, where)
            if start is not None:
                self.assertEqual(first.start, start, where)
            rest = [] if isLast else [(b"GET", b"/marker")]
            self.assertEqual([each.start for each in found[1:]], rest, where)

    def test_known(self) -> None:
        """
        Messages that are all right are accepted, by us and by all others.
        """
        for start in STARTS:
            host = [] if b"http:" in start and b"1.0" in start else [b"Host: shop.example"]
            for lines, body in [
                ([], b""),
                ([b"Content-Length: 5"], b"hello"),
                ([b"transfer-encoding:CHUNKED"], BODIES[3]),
                ([b"X-A: \xe4", b"Transfer-Encoding:\tchunked "], BODIES[4]),
                ([b"Content-Length: 05", b"Cookie: a=b"], b"hello"),
            ]:
                if b"1.0" in start and b"ncoding" in b"".join(lines):
                    continue
                data = b"\r\n".join([start, *host, *lines, b"", b""]) + body
                self.assertTrue(self.judge(data), data)

    @steady
    @given(st.sampled_from(STARTS), _lines, st.sampled_from(BODIES), _changes)
    @example(STARTS[1], [b"Content-Length: 5", b"Transfer-Encoding: chunked"], BODIES[3], [])
    def test_anything(
        self, start: bytes, lines: list[bytes], body: bytes, changes: list[tuple[int, bytes]]
    ) -> None:
        """
        Messages made to be misunderstood.
        """
        self.judge(changed(b"\r\n".join([start, b"Host: shop.example", *lines, b"", b""]) + body, changes))

    @steady
    @given(st.sampled_from(BODIES), _changes)
    def test_chunks(self, body: bytes, changes: list[tuple[int, bytes]]) -> None:
        """
        Chunked bodies made to be misunderstood.
        """
        head = b"POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.judge(head + (changed(body, changes) if body else b""))


def _isBeyond(oracle: str, message: bytes) -> bool:
    """
    Whether an oracle is known to refuse what the RFCs allow.
    """
    head = message.partition(b"\r\n\r\n")[0]
    method = head.partition(b" ")[0]
    if oracle == "byLLHTTP":
        # It knows a list of methods.
        return method not in (b"GET", b"POST", b"PUT", b"DELETE")
    return False


class ResponseTests(SynchronousTestCase):
    """
    Responses, as they go on to the client.
    """

    def judge(self, data: bytes, method: bytes = b"GET") -> bool:
        """
        Compare our reading with those of the others.
        """
        try:
            parsed = parseResponse(data, method)
        except BadMessage:
            return False
        if parsed is None:
            return False
        response, size = parsed
        parted = split(data[size:], response.length)
        if parted is None or response.status < 200:
            return False
        body, _ = parted
        content = dechunked(body) if response.length == CHUNKED else body
        message = response.head + b"\r\n" + body
        found: list[Message | None] = [responseByH11(message, method)]
        if method != b"HEAD" and response.length != UNTIL_CLOSE:
            # It is not told of the method, and not of the end of the connection.
            several = responseByLLHTTP(message)
            assert several is not None and len(several) == 1, message
            found += several
        for each in found:
            assert each is not None, message
            self.assertTrue(each.isDone, (message, each))
            self.assertEqual(each.body, content, (message, each))
            self.assertEqual(each.start, (str(response.status).encode(),))
        return True

    def test_known(self) -> None:
        """
        Responses that are all right are accepted.
        """
        for data, method in [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"GET"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + BODIES[4], b"GET"),
            (b"HTTP/1.1 200 OK\r\n\r\nall of it", b"GET"),
            (b"HTTP/1.0 404 No\r\nContent-Length: 0\r\n\r\n", b"GET"),
            (b"HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", b"GET"),
            (b"HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n", b"GET"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HEAD"),
        ]:
            self.assertTrue(self.judge(data, method), data)

    @steady
    @given(
        st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 404", b"HTTP/1.1 500 \xe4"]),
        _lines,
        st.sampled_from(BODIES),
        _changes,
    )
    def test_anything(
        self, start: bytes, lines: list[bytes], body: bytes, changes: list[tuple[int, bytes]]
    ) -> None:
        """
        Responses made to be misunderstood.
        """
        self.judge(changed(b"\r\n".join([start, *lines, b"", b""]) + body, changes))
