"""
Tests for L{smartproxy_tw.preflight.http}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.preflight.facts import Elsewhere, Ours, Stranger
from smartproxy_tw.preflight.http import MOST_BYTES, Again, Told, read, request, shown

from ..examples import examples

steady = examples(200)

URL = "http://a.test/.well-known/acme-challenge/token"
WANTED = b"token.thumbprint"

#: Answers, and what they say; all of them end when the connection does.
ANSWERS: list[tuple[bytes, Told]] = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + WANTED, Ours()),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + WANTED + b"\r\n0\r\n\r\n", Ours()),
    (b"HTTP/1.0 200 OK\nServer: old\n\n" + WANTED + b"\n", Ours()),
    (b"HTTP/1.1 200 OK\r\nServer: x/1\r\nContent-Length: 5\r\n\r\ntoken", Stranger("status 200 by x/1")),
    (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\ntoken", Stranger("status 200")),
    (b"HTTP/1.1 404 Not Found\r\nserver:\tnginx \r\n\r\n" + WANTED, Stranger("status 404 by nginx")),
    (b"HTTP/1.1 301 \r\nLocation: https://A.test/x?y=1\r\n\r\n", Again("https", "/x?y=1")),
    (b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", Again("http", "/login")),
    (b"HTTP/1.1 302 Found\r\nLocation: http://a.test:8080/\r\n\r\n", Elsewhere("http://a.test:8080/")),
    (b"HTTP/1.1 302 Found\r\nLocation: https://a.test:8443/\r\n\r\n", Again("https", "/")),
    (b"HTTP/1.1 302 Found\r\nLocation: https://a.test:80/\r\n\r\n", Elsewhere("https://a.test:80/")),
    (b"HTTP/1.1 308 P\r\nLocation: https://b.test/\r\n\r\n", Elsewhere("https://b.test/")),
    (b"HTTP/1.1 302 Found\r\nServer: s\r\n\r\n", Stranger("status 302 by s")),
    (b"HTTP/1.1 302 Found\r\nLocation: ftp://a.test/\r\n\r\n", Stranger("status 302")),
    (b"HTTP/1.1 302 Found\r\nLocation: http://[/\r\n\r\n", Stranger("status 302")),
    (b"HTTP/1.1 302 Found\r\nLocation: /\xff\r\n\r\n", Stranger("status 302")),
    (b"SSH-2.0-x\r\n", Stranger("something that does not speak HTTP (SSH-2.0-x)")),
    (b"HTTP/1.1 999 what\r\n\r\n", Stranger("something that does not speak HTTP (HTTP/1.1 999 what)")),
    (b"HTTP/1.1 200 OK\r\nServer: x\r\n", Stranger("something that gives no whole HTTP answer")),
    (b"", Stranger("something that gives no whole HTTP answer")),
]


def reads(data: bytes, *, isOver: bool = True) -> Told | None:
    """
    What an answer says.
    """
    return read(data, WANTED, "a.test", URL, (80, 8443), isOver=isOver)


class ReadTests(SynchronousTestCase):
    """
    Answers.
    """

    def test_answers(self) -> None:
        """
        Each is read for what it is.
        """
        for data, told in ANSWERS:
            self.assertEqual(reads(data), told, data)

    def test_everySplit(self) -> None:
        """
        Whatever comes first, what is told before the end is what the whole says; but
        for a first piece that ends in a stranger's greeting, of which less is shown.
        """
        for data, told in ANSWERS:
            for index in range(len(data)):
                early = reads(data[:index], isOver=False)
                if early is not None and early != told:
                    self.assertIn("does not speak HTTP", str(told))
                    self.assertIn("does not speak HTTP", str(early))

    def test_endless(self) -> None:
        """
        An answer that never ends is judged by its beginning.
        """
        for start in (b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "):
            data = start + b"y" * MOST_BYTES
            self.assertIsInstance(reads(data, isOver=False), Stranger)
            self.assertIsNone(reads(data[:1000], isOver=False))
            self.assertEqual(reads(data + WANTED, isOver=False), reads(data, isOver=False))

    @steady
    @given(st.binary(max_size=200), st.booleans())
    def test_anything(self, data: bytes, isOver: bool) -> None:
        """
        Whatever comes is an answer, by its end at the latest, and fit for a log.
        """
        for text in (data, b"HTTP/1.1 301 X\r\nServer: " + data + b"\r\nLocation: " + data + b"\r\n\r\n"):
            told = reads(text, isOver=isOver)
            self.assertTrue(told is not None or not isOver)
            if isinstance(told, Again):
                self.assertEqual(request("a.test", told.path, "x").count(b"\r\n"), 6)
            elif isinstance(told, Stranger | Elsewhere):
                self.assertTrue((told.what if isinstance(told, Stranger) else told.url).isprintable())


class RequestTests(SynchronousTestCase):
    """
    What is asked.
    """

    def test_request(self) -> None:
        """
        As an authority asks, and no more; an address is in brackets where it has to be.
        """
        self.assertEqual(
            request("a.test", "/x", "me/1"),
            b"GET /x HTTP/1.1\r\nHost: a.test\r\nUser-Agent: me/1\r\n"
            b"Accept: */*\r\nConnection: close\r\n\r\n",
        )
        self.assertIn(b"\r\nHost: [::1]\r\n", request("::1", "/x", "me/1"))

    def test_shown(self) -> None:
        """
        Control characters are escaped, and what is long is cut.
        """
        self.assertEqual(shown(b"a\x1b[31m"), "a\\x1b[31m")
        self.assertEqual(len(shown("x" * 500)), 103)
