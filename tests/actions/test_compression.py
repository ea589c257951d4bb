"""
Tests for L{smartproxy_tw.actions.compression}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.compression import Compression
from smartproxy_tw.config.revision import Compress
from smartproxy_tw.facts import AnswerHead
from smartproxy_tw.interfaces import ILens
from smartproxy_tw.routing.filling import Words

from .recording import RecordingExchange
from .test_coders import decoded

USUAL = Compress()
BODY = b"all work and no play " * 100
HTML = b"Content-Type: text/html; charset=utf-8\r\n"


def asking(*accept: str) -> Words:
    """
    A request with these fields.
    """
    exchange = RecordingExchange.to("h", "/", "", 80, *(("accept-encoding", each) for each in accept))
    return Words(exchange.facts, exchange.fields)


class CompressionTests(SynchronousTestCase):
    """
    L{Compression}.
    """

    def seen(
        self,
        fields: bytes,
        accept: str | None = "gzip",
        status: int = 200,
        length: int | None = len(BODY),
        settings: Compress = USUAL,
        method: str = "GET",
    ) -> tuple[AnswerHead, bytes]:
        """
        An answer as the client gets it.
        """
        sent = [] if accept is None else [("accept-encoding", accept)]
        exchange = RecordingExchange.to("h", "/", "", 80, *sent, method=method)
        exchange.through(Compression(settings).lens(Words(exchange.facts, exchange.fields)))
        return exchange.seen(AnswerHead(status, fields, length), BODY[:50], BODY[50:])

    def test_compressed(self) -> None:
        """
        The body is in the coding that the client likes, and the head says so; the ETag is a weak one,
        and what was said of the bytes is gone.
        """
        fields = HTML + (
            b'ETag: "a"\r\nAccept-Ranges: bytes\r\nContent-MD5: x\r\nRepr-Digest: x\r\n'
            b"Content-Encoding: identity\r\nX: y\r\n"
        )
        for accept, coding in (
            ("gzip", "gzip"),
            ("gzip, br", "br"),
            ("gzip, br, zstd", "zstd"),
            ("*", "zstd"),
        ):
            head, body = self.seen(fields, accept)
            self.assertEqual(decoded(coding, body), BODY)
            self.assertEqual(
                head.fields,
                HTML
                + b'ETag: W/"a"\r\nX: y\r\nVary: Accept-Encoding\r\nContent-Encoding: %b\r\n'
                % coding.encode(),
            )
            self.assertIs(head.length, None)
        verifyObject(ILens, Compression(Compress()).lens(Words(lambda: None, list)))  # type: ignore[arg-type, return-value]

    def test_notTaken(self) -> None:
        """
        Who takes none gets the answer as it is, which says that others may get another.
        """
        for accept in (None, "", "identity", "gzip;q=0", "deflate"):
            head, body = self.seen(HTML + b'ETag: "a"\r\n', accept)
            self.assertEqual(body, BODY)
            self.assertEqual(head.fields, HTML + b'ETag: "a"\r\nVary: Accept-Encoding\r\n')
            self.assertEqual((head.length, head.filters), (len(BODY), ()))

    def test_leftAlone(self) -> None:
        """
        What has been coded, has no body or a part of one, must not be changed, or would not gain, goes
        on untouched.
        """
        for fields, status, length in (
            (HTML + b"Content-Encoding: br\r\n", 200, None),
            (HTML, 204, None),
            (HTML, 304, None),
            (HTML, 206, 5000),
            (HTML + b"Cache-Control: public, No-Transform\r\n", 200, None),
            (HTML, 200, 1023),
            (HTML, 200, 0),
            (b"", 200, None),
            (b"Content-Type: image/png\r\n", 200, None),
            (b"Content-Type: application/octet-stream\r\n", 200, None),
            (b"Content-Type: text/event-stream\r\n", 200, None),
            (b"Content-Type: application/zip\r\n", 200, None),
        ):
            head, body = self.seen(fields, "gzip", status, length)
            self.assertEqual((head, body), (AnswerHead(status, fields, length), BODY), fields)

    def test_types(self) -> None:
        """
        Types are compared without case and parameters, by globs too.
        """
        for kind in (b"TEXT/Plain", b"application/ld+json", b"image/svg+xml;x=y", b"application/wasm"):
            self.assertEqual(len(self.seen(b"content-type: %b\r\n" % kind)[0].filters), 1, kind)
        some = Compress(types=("image/*",), minBytes=0)
        self.assertEqual(
            len(self.seen(b"Content-Type: image/png\r\n", length=1, settings=some)[0].filters), 1
        )
        self.assertEqual(len(self.seen(HTML, settings=some)[0].filters), 0)

    def test_events(self) -> None:
        """
        Event streams are compressed where they are named in full, each event at once.
        """
        settings = Compress(types=("text/event-stream",))
        exchange = RecordingExchange.to("h", "/", "", 80, ("accept-encoding", "gzip"))
        lens = Compression(settings).lens(Words(exchange.facts, exchange.fields))
        head = lens.look(exchange.facts, AnswerHead(200, b"Content-Type: text/event-stream\r\n", None))
        self.assertTrue(head.filters[0].data(b"data: 1\n\n").endswith(b"\0\0\xff\xff"))

    def test_held(self) -> None:
        """
        Where the length is known a coder may wait for more; where it is not nobody has to.
        """
        for length, isHeld in ((5000, True), (None, False)):
            exchange = RecordingExchange.to("h", "/", "", 80, ("accept-encoding", "gzip"))
            lens = Compression(Compress()).lens(Words(exchange.facts, exchange.fields))
            head = lens.look(exchange.facts, AnswerHead(200, HTML, length))
            head.filters[0].data(b"first")
            self.assertEqual(head.filters[0].data(b"second") == b"", isHeld)

    def test_vary(self) -> None:
        """
        What an answer varies by stays.
        """
        for fields, wanted in (
            (b"Vary: Accept\r\nVARY: X\r\n", b"Vary: Accept, X, Accept-Encoding\r\n"),
            (b"Vary: a, ACCEPT-Encoding\r\n", b"Vary: a, ACCEPT-Encoding\r\n"),
            (b"Vary: *\r\n", b"Vary: *\r\n"),
        ):
            self.assertEqual(self.seen(HTML + fields, None)[0].fields, HTML + wanted)

    def test_etags(self) -> None:
        """
        Weak ones stay, and what is no ETag at all.
        """
        for fields in (b'ETag: W/"a"\r\n', b"ETag: a\r\n", b'X-ETag: "a"\r\n'):
            self.assertTrue(self.seen(HTML + fields)[0].fields.startswith(HTML + fields))

    def test_notModified(self) -> None:
        """
        Who has kept what was compressed, with its weak ETag, is told by that one that it is still good: a
        cache renews nothing by a strong tag that it has not (RFC 9111 section 4.3.4).
        """
        fields = b'ETag: "a"\r\nX: y\r\n'
        weak = b'ETag: W/"a"\r\nX: y\r\nVary: Accept-Encoding\r\n'
        for known, accept, wanted in (
            ('W/"a"', "gzip", weak),
            ('"b", W/"a" ,W/"c"', "gzip", weak),
            ('W/"a"', "zstd;q=0, br", weak),
            ('"a", W/"a"', "gzip", fields),
            ('W/"b"', "gzip", fields),
            ('"a"', "gzip", fields),
            ("*", "gzip", fields),
            ("W/a", "gzip", fields),
            (None, "gzip", fields),
            ('W/"a"', "", fields),
        ):
            sent = [("accept-encoding", accept)]
            if known is not None:
                sent.append(("if-none-match", known))
            exchange = RecordingExchange.to("h", "/", "", 80, *sent)
            lens = Compression(USUAL).lens(Words(exchange.facts, exchange.fields))
            head = AnswerHead(304, fields, None)
            self.assertEqual(lens.look(exchange.facts, head), head._replace(fields=wanted), (known, accept))
            # Whatever else the answer is, it is what it would have been.
            usual = lens.look(exchange.facts, AnswerHead(200, HTML, None))
            self.assertEqual(len(usual.filters), bool(accept))
            for strange in (b"", b'ETag: W/"a"\r\n', b"ETag: a\r\n", b'ETag: "a"\r\nETag: "a"\r\n'):
                head = AnswerHead(304, strange, None)
                self.assertEqual(lens.look(exchange.facts, head), head)

    def test_head(self) -> None:
        """
        An answer to HEAD has the head of one to GET.
        """
        self.assertEqual(self.seen(HTML, method="HEAD")[0][:3], self.seen(HTML)[0][:3])

    def test_several(self) -> None:
        """
        A field that comes twice counts as one, and one lens serves all who say the same.
        """
        compression = Compression(Compress())
        twice = asking("br;q=0", "br, gzip")
        self.assertIs(compression.lens(twice), compression.lens(asking("zstd;q=0,br")))
        for number in range(200):
            compression.lens(asking(f"gzip, x{number}"))
        self.assertLessEqual(len(compression._known), 64)

    def test_level(self) -> None:
        """
        More work makes fewer bytes; each coding takes what is said, and no other is used than those that
        are named.
        """
        words = b" ".join(b"%d" % (number * number % 977) for number in range(5000))
        for coding in ("gzip", "br", "zstd"):
            sizes = []
            for level in (1, 9):
                exchange = RecordingExchange.to("h", "/", "", 80, ("accept-encoding", "gzip, br, zstd"))
                settings = Compress((coding,), level=level)
                exchange.through(Compression(settings).lens(Words(exchange.facts, exchange.fields)))
                head, body = exchange.seen(AnswerHead(200, HTML, len(words)), words)
                self.assertIn(f"Content-Encoding: {coding}".encode(), head.fields)
                self.assertEqual(decoded(coding, body), words)
                sizes.append(len(body))
            self.assertLess(sizes[1], sizes[0], coding)

    def test_minBytes(self) -> None:
        """
        What is shorter than is said stays as it is.
        """
        for least, isCoded in ((len(BODY), True), (len(BODY) + 1, False)):
            _, body = self.seen(HTML, settings=Compress(minBytes=least))
            self.assertIs(body != BODY, isCoded)
