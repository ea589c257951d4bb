"""
Tests for L{smartproxy_tw.actions.files}.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.files import FilesAction
from smartproxy_tw.config.filetree import FileTree
from smartproxy_tw.facts import AnswerHead
from smartproxy_tw.interfaces import IAction

from .recording import RecordingExchange, RecordingStream

#: A moment long before any test, in nanoseconds.
OLD = 1_000_000_000 * 10**9


def written(path: Path, text: str) -> None:
    """
    A file that was written long ago.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(OLD, OLD))


class FilesTests(SynchronousTestCase):
    """
    L{FilesAction}.
    """

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        written(self.root / "a.txt", "text")
        written(self.root / "index.html", "<p>root")
        written(self.root / "sub" / "b.css", "p{}")
        written(self.root / "sub" / "b.css.gz", "gz")
        written(self.root / "sub" / "b.css.br", "br")
        written(self.root / "bare" / "x&y<.txt", "x")

    def ask(
        self, path: str, method: str = "GET", query: str = "", fields: Any = (), **settings: Any
    ) -> tuple[int, dict[str, str], bytes]:
        """
        What a request is answered with: status, fields by lower-case name, body.
        """
        action = FilesAction(FileTree(str(self.root), **settings), Clock())
        verifyObject(IAction, action)
        exchange = RecordingExchange.to("a.test", path, query, 80, *fields, method=method)
        before = len(os.listdir("/proc/self/fd"))
        action.request(exchange)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        ((verb, status, lines, last),) = exchange.asked
        found = {}
        for line in lines.split(b"\r\n")[:-1]:
            name, _, value = line.decode("latin-1").partition(": ")
            self.assertNotIn(name.lower(), found)
            found[name.lower()] = value
        if verb == "begin":
            assert exchange.outlet is not None
            self.assertEqual(exchange.outlet.end, "finish")
            found["length"] = str(last)
            return status, found, exchange.outlet.data
        return status, found, last

    def test_file(self) -> None:
        """
        A file comes with what is known of it.
        """
        status, fields, body = self.ask("/a.txt")
        self.assertEqual((status, body), (200, b"text"))
        self.assertEqual(fields["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(fields["last-modified"], "Sun, 09 Sep 2001 01:46:40 GMT")
        self.assertRegex(fields["etag"], r'\A"[0-9a-f-]+"\Z')
        self.assertEqual(fields["accept-ranges"], "bytes")
        self.assertNotIn("vary", fields)

    def test_head(self) -> None:
        """
        HEAD has the fields of GET, and the length, also where parts are asked for.
        """
        _, fields, _ = self.ask("/a.txt")
        status, found, body = self.ask("/a.txt", "HEAD", fields=(("range", "bytes=0-0"),))
        self.assertEqual((status, found.pop("length"), body), (200, "4", b""))
        self.assertEqual(found, fields)

    def test_methods(self) -> None:
        """
        Nothing else is possible, and what is is told.
        """
        for method, status in (("POST", 405), ("DELETE", 405), ("OPTIONS", 204)):
            found = self.ask("/a.txt", method)
            self.assertEqual((found[0], found[1]["allow"]), (status, "GET, HEAD, OPTIONS"))

    def test_young(self) -> None:
        """
        A file that was just written may change unseen: its tag is weak, and parts of it are not
        put together with others.
        """
        (self.root / "a.txt").write_text("text")
        _, fields, _ = self.ask("/a.txt")
        self.assertTrue(fields["etag"].startswith('W/"'))
        asked = (("range", "bytes=0-0"), ("if-range", fields["etag"]))
        self.assertEqual(self.ask("/a.txt", fields=asked)[0], 200)

    def test_conditions(self) -> None:
        """
        Who has it already gets no body; who supposes something else is told.
        """
        _, fields, _ = self.ask("/a.txt")
        for asked, wanted in (
            ((("if-none-match", fields["etag"]),), 304),
            ((("if-none-match", '"x"'), ("if-none-match", fields["etag"])), 304),
            ((("if-modified-since", fields["last-modified"]),), 304),
            ((("if-match", '"x"'),), 412),
            ((("if-match", fields["etag"]), ("range", "bytes=1-")), 206),
        ):
            status, found, body = self.ask("/a.txt", fields=asked)
            self.assertEqual(status, wanted, asked)
            self.assertEqual(found["etag"], fields["etag"])
            if wanted == 304:
                self.assertNotIn("content-type", found)
                self.assertEqual(body, b"")

    def test_ranges(self) -> None:
        """
        One part, several parts, none.
        """
        status, fields, body = self.ask("/a.txt", fields=(("range", "bytes=1-2"),))
        self.assertEqual((status, fields["content-range"], body), (206, "bytes 1-2/4", b"ex"))
        status, fields, body = self.ask("/a.txt", fields=(("range", "bytes=9-"),))
        self.assertEqual((status, fields["content-range"]), (416, "bytes */4"))
        status, fields, body = self.ask("/a.txt", fields=(("range", "bytes=0-0,-1"),))
        boundary = fields["content-type"].removeprefix("multipart/byteranges; boundary=")
        part = "\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes %s/4\r\n\r\n%s"
        whole = part % (boundary, "0-0", "t") + part % (boundary, "3-3", "t") + f"\r\n--{boundary}--\r\n"
        self.assertEqual((status, body.decode(), fields["length"]), (206, whole, str(len(whole))))
        self.assertEqual(self.ask("/a.txt", fields=(("range", "lines=1-2"),))[0], 200)

    def test_empty(self) -> None:
        """
        A file without anything in it.
        """
        written(self.root / "empty", "")
        status, fields, body = self.ask("/empty")
        self.assertEqual((status, body, fields["content-type"]), (200, b"", "application/octet-stream"))
        self.assertEqual(self.ask("/empty", fields=(("range", "bytes=0-"),))[0], 416)

    def test_large(self) -> None:
        """
        A file of many pieces comes whole.
        """
        data = os.urandom(300_000)
        (self.root / "large").write_bytes(data)
        status, fields, body = self.ask("/large")
        self.assertEqual((status, fields["length"], body), (200, "300000", data))
        status, fields, body = self.ask("/large", fields=(("range", "bytes=100000-250000"),))
        self.assertEqual((status, body), (206, data[100000:250001]))

    def test_directories(self) -> None:
        """
        A directory needs its slash, and is its index; a file has none.
        """
        self.assertEqual(self.ask("/")[2], b"<p>root")
        self.assertEqual(self.ask("/", index=("nothing.html", "a.txt"))[2], b"text")
        status, fields, _ = self.ask("/sub", query="x=1")
        self.assertEqual((status, fields["location"]), (301, "/sub/?x=1"))
        self.assertEqual(self.ask("/a.txt/")[0], 404)
        self.assertEqual(self.ask("/bare/")[0], 404)
        self.assertEqual(self.ask("/", index=("sub",))[0], 404)

    def test_noOpenRedirect(self) -> None:
        """
        No path is redirected to another host.
        """
        for path in ("//sub", "//evil.test", "//evil.test/%2e%2e", "/\\evil.test", "/%5cevil.test"):
            self.assertEqual(self.ask(path)[0], 400, path)
            self.assertEqual(self.ask("/x" + path, stripPrefix="/x")[0], 400, path)

    def test_listing(self) -> None:
        """
        A list has nothing in it that is taken for HTML, and no link that leads elsewhere.
        """
        written(self.root / "bare" / "javascript:alert(1)", "x")
        status, fields, body = self.ask("/bare/", listing=True)
        self.assertEqual((status, fields["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(b'<a href="./x%26y%3C.txt">x&amp;y&lt;.txt</a>', body)
        self.assertIn(b'<a href="./javascript%3Aalert%281%29">', body)
        self.assertIn(b'<a href="../">', body)
        self.assertEqual(self.ask("/", listing=True)[2], b"<p>root")
        self.assertNotIn(b"../", self.ask("/", listing=True, index=())[2])

    def test_precompressed(self) -> None:
        """
        What is compressed already is sent to who takes it, under its own tag.
        """
        asked = {"precompressed": ("br", "zstd", "gzip")}
        plain = self.ask("/sub/b.css", **asked)
        self.assertEqual((plain[2], plain[1]["vary"]), (b"p{}", "Accept-Encoding"))
        for accepted, wanted, coding in (
            ("gzip, br", b"br", "br"),
            ("gzip;q=1, br;q=0.1", b"gz", "gzip"),
            ("zstd", b"p{}", None),
            ("zstd, gzip;q=0.5", b"gz", "gzip"),
        ):
            _, fields, body = self.ask("/sub/b.css", fields=(("accept-encoding", accepted),), **asked)
            self.assertEqual((body, fields.get("content-encoding")), (wanted, coding))
            self.assertEqual(fields["content-type"], "text/css; charset=utf-8")
            self.assertEqual(fields["vary"], "Accept-Encoding")
            self.assertEqual(fields["etag"] == plain[1]["etag"], coding is None)
        _, fields, body = self.ask("/sub/b.css.gz", fields=(("accept-encoding", "gzip"),), **asked)
        self.assertEqual((body, fields["content-type"]), (b"gz", "application/gzip"))
        self.assertNotIn("content-encoding", fields)

    def test_cache(self) -> None:
        """
        The first glob that matches says how long it may be kept.
        """
        cache = (("/sub/*", "max-age=9"), ("*.txt", "no-cache"), ("*", "no-store"))
        for path, wanted in (
            ("/sub/b.css", "max-age=9"),
            ("/a.txt", "no-cache"),
            ("/bare/x%26y%3C.txt", "no-cache"),
            ("/", "no-store"),
        ):
            self.assertEqual(self.ask(path, cache=cache)[1]["cache-control"], wanted)
        self.assertNotIn("cache-control", self.ask("/a.txt", cache=cache[:1])[1])

    def test_nothing(self) -> None:
        """
        What stands for nothing, and nothing.
        """
        self.assertEqual(self.ask("/x/y")[0], 404)
        status, fields, body = self.ask("/x/y", fallback="/index.html")
        self.assertEqual(
            (status, body, fields["content-type"]), (200, b"<p>root", "text/html; charset=utf-8")
        )
        status, fields, body = self.ask("/x/y", notFound="/a.txt", fields=(("range", "bytes=0-0"),))
        self.assertEqual((status, body), (404, b"text"))
        self.assertNotIn("etag", fields)
        # It is a page already, which others are not put in the place of.
        exchange = RecordingExchange.to("a.test", "/x")
        FilesAction(FileTree(str(self.root), notFound="/a.txt"), Clock()).request(exchange)
        self.assertFalse(exchange.seen(AnswerHead(404, b"", 4, isOurs=True))[0].isOurs)
        for settings in ({"fallback": "/gone"}, {"notFound": "/gone"}, {"notFound": "/sub"}):
            self.assertEqual(self.ask("/x", **settings)[2], b"Not Found\n")  # type: ignore[arg-type]
        status, fields, body = self.ask("/x/y", "HEAD", notFound="/a.txt")
        self.assertEqual((status, fields["length"], body), (404, "4", b""))

    def test_exhausted(self) -> None:
        """
        Whatever cannot be opened since too many files are open is 503, to be asked for again, and
        nothing is left open; what is compressed is sent plain rather.
        """
        usual, scan = os.open, os.scandir
        left = 0

        def counted(*args: Any, **named: Any) -> int:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(24, "Too many open files")
            return usual(*args, **named)

        def scanned(*args: Any) -> Any:
            if left < 1:
                raise OSError(24, "Too many open files")
            return scan(*args)

        self.patch(os, "open", counted)
        self.patch(os, "scandir", scanned)
        asked: Any
        for path, asked in (
            ("/a.txt", {}),
            ("/", {}),
            ("/bare/", {"listing": True}),
            ("/x", {"notFound": "/a.txt"}),
            ("/x", {"fallback": "/a.txt"}),
        ):
            left = 100
            usually = self.ask(path, **asked)
            for enough in range(10):
                left = enough
                status, fields, body = found = self.ask(path, **asked)
                if status != 503:
                    break
                self.assertEqual((body, fields["retry-after"]), (b"Service Unavailable\n", "1"))
            self.assertGreater(enough, 1)
            self.assertEqual((found[0], found[2]), (usually[0], usually[2]), path)
        left = 3
        status, fields, body = self.ask(
            "/sub/b.css", fields=(("accept-encoding", "gzip"),), precompressed=("gzip",)
        )
        self.assertEqual((status, body), (200, b"p{}"))

    def test_prefix(self) -> None:
        """
        What is cut off.
        """
        self.assertEqual(self.ask("/static/a.txt", stripPrefix="/static")[2], b"text")
        self.assertEqual(self.ask("/static/", stripPrefix="/static")[2], b"<p>root")
        self.assertEqual(self.ask("/static", stripPrefix="/static")[1]["location"], "/static/")
        self.assertEqual(self.ask("/static/sub", stripPrefix="/static")[1]["location"], "/static/sub/")
        for path in ("/a.txt", "/statica.txt", "/staticx/a.txt"):
            self.assertEqual(self.ask(path, stripPrefix="/static")[0], 404)

    def test_forbidden(self) -> None:
        """
        What may not be read is forbidden.
        """
        opening = os.open

        def refusing(path: Any, *args: Any, **named: Any) -> int:
            if path == b"a.txt":
                raise PermissionError
            return opening(path, *args, **named)

        self.patch(os, "open", refusing)
        self.assertEqual(self.ask("/a.txt")[0], 403)

    def test_stream(self) -> None:
        """
        A stream has no path.
        """
        stream = RecordingStream()
        FilesAction(FileTree(str(self.root)), Clock()).stream(stream)
        self.assertEqual(stream.asked, [("abort",)])
