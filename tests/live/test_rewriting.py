"""
What routes change of requests and answers, as curl sees it: by a whole process, in one and in
two workers, before and after a reload.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import brotli
import zstandard

from .onlookers import QuietServer
from .running import PATIENCE
from .test_process import HERE, TWISTD, ProcessCase

_FILE = """
bind: {here}
state_dir: ./state
workers: {workers}
access_log: {{format: off}}
error_pages:
  404: [404.html, {{body: '{{"error": "{{reason}}", "path": "{{path}}"}}'}}]
  502: {{body: "gone: {{route}} {{request_id}}"}}
routes:
  - name: api
    match: {{ports: {port}, path: /api/:user/*}}
    action: {{type: forward, targets: "{here}:{origin}"}}
    headers:
      request: {{set: {{Host: inner.test, X-User: "{{param:user}}"}}, remove: [cookie, x-debug-*]}}
      response: {{set: {{Server: mine, X-Number: "{{request_id}}"}}, remove: x-secret}}
    rewrite:
      strip_prefix: /api
      regex: [{{match: "^/([^/]+)/old/(.*)$", to: "/{{1}}/new/{{2}}"}}]
      query: {{remove: utm_*, set: {{from: "{{client_ip}}"}}}}
      map_location: true
    compress: true
  - name: down
    match: {{ports: {port}, path: /down}}
    action: {{type: forward, targets: "{here}:1"}}
  - name: hello
    match: {{ports: {port}, path: /hello/*}}
    action:
      type: respond
      headers: {{Content-Type: text/plain}}
      body: "{word} {{param:*}} {{header:x-a}}"
"""

_TEXT = b"<li>smartproxy</li>\n" * 5000


class _Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Tells what it was asked, or what its path says."""
        if "/login" in self.path:
            self._say(302, b"", Location="/u/welcome")
        elif "/text" in self.path:
            self._say(200, _TEXT, **{"Content-Type": "text/html", "ETag": '"a"', "X-Secret": "s"})
        elif "/stream" in self.path:
            self._stream()
        else:
            told = {name.lower(): value for name, value in self.headers.items()}
            self._say(200, json.dumps({"line": self.path, **told}).encode())

    do_HEAD = do_GET

    def _say(self, status: int, body: bytes, **fields: str) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(3):
            self.wfile.write(b"6\r\nline %d\r\n" % number)
            self.server.heard.wait(PATIENCE)  # type: ignore[attr-defined]
            self.server.heard.clear()  # type: ignore[attr-defined]
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class RewritingTests(ProcessCase):
    """
    C{twistd -n smartproxy --config}, asked by curl.
    """

    if shutil.which("curl") is None:
        skip = "needs the Debian package curl"

    def setUp(self) -> None:
        super().setUp()
        self.origin = QuietServer((HERE, 0), _Origin)
        self.origin.daemon_threads = True
        self.origin.heard = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=self.origin.serve_forever, daemon=True).start()
        self.addCleanup(self.origin.server_close)
        self.addCleanup(self.origin.shutdown)

    def write(self, workers: int, word: str, page: str) -> None:
        """
        The configuration, and its page.
        """
        (self.directory / "404.html").write_text(page)
        (self.directory / "proxy.yaml").write_text(
            _FILE.format(
                here=HERE, workers=workers, port=self.http, origin=self.origin.server_port, word=word
            )
        )

    def curl(self, path: str, *options: str) -> tuple[str, bytes]:
        """
        The head and the body of an answer.
        """
        done = subprocess.run(
            [
                "curl",
                "-sS",
                "-i",
                "--path-as-is",
                "--max-time",
                str(PATIENCE),
                *options,
                f"http://{HERE}:{self.http}{path}",
            ],
            capture_output=True,
            check=False,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        return head.decode("latin-1") + "\r\n", body

    def waits(self, claim: Callable[[], bool], what: str) -> None:
        """
        Until it has come about.
        """
        end = time.monotonic() + PATIENCE
        while not claim():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def requests(self) -> None:
        """
        What the origin is asked.
        """
        _, body = self.curl(
            "/api/u7/old/x%20y?utm_a=1&b=2",
            "-b",
            "a=b",
            "-H",
            "X-Debug-1: z",
            "-H",
            "X-User: forged",
            "-H",
            "X-Keep: k",
        )
        told = json.loads(body)
        self.assertEqual(told["line"], f"/u7/new/x%20y?b=2&from={HERE}")
        for name, value in (
            ("host", "inner.test"),
            ("x-user", "u7"),
            ("x-keep", "k"),
            ("cookie", None),
            ("x-debug-1", None),
            ("x-forwarded-prefix", "/api"),
            ("x-forwarded-host", f"{HERE}:{self.http}"),
        ):
            self.assertEqual(told.get(name), value, name)
        head, _ = self.curl("/api/u/login")
        self.assertIn("\r\nLocation: /api/u/welcome\r\n", head)

    def codings(self) -> None:
        """
        What is compressed, and what is not.
        """
        for accept, undo in (
            ("gzip", lambda data: zlib.decompress(data, 31)),
            ("gzip;q=0.5, br", brotli.decompress),
            ("gzip, br, zstd", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
        ):
            head, body = self.curl("/api/u/text", "-H", f"Accept-Encoding: {accept}")
            self.assertEqual(undo(body), _TEXT)
            self.assertLess(len(body), len(_TEXT) / 50)
            for line in ('ETag: W/"a"', "Vary: Accept-Encoding", "Server: mine"):
                self.assertIn(f"\r\n{line}\r\n", head)
            self.assertNotIn("X-Secret", head)
            bare, _ = self.curl("/api/u/text", "-I", "-H", f"Accept-Encoding: {accept}")
            self.assertIn(head[head.index("Content-Encoding") :].split("\r\n")[0], bare)
        self.assertEqual(self.curl("/api/u/text", "--compressed")[1], _TEXT)
        head, body = self.curl("/api/u/text")
        self.assertEqual(body, _TEXT)
        self.assertIn("\r\nVary: Accept-Encoding\r\n", head)
        self.assertNotIn("Content-Encoding", head)

    def streams(self) -> None:
        """
        Each piece of a stream is with the client before the next one is sent.
        """
        url = f"http://{HERE}:{self.http}/api/u/stream"
        client = subprocess.Popen(
            ["curl", "-sSN", "--compressed", "--max-time", str(PATIENCE), url], stdout=subprocess.PIPE
        )
        assert client.stdout is not None
        try:
            for number in range(3):
                self.assertEqual(client.stdout.read(6), b"line %d" % number)
                self.origin.heard.set()  # type: ignore[attr-defined]
            self.assertEqual(client.stdout.read(), b"")
            self.assertEqual(client.wait(PATIENCE), 0)
        finally:
            client.stdout.close()

    def pages(self, page: bytes) -> None:
        """
        What errors look like.
        """
        head, body = self.curl("/n<o>", "-g")
        self.assertEqual((head[:12], body), ("HTTP/1.1 404", page % b"/n&lt;o&gt;"))
        head, body = self.curl('/n"o', "-g", "-H", "Accept: application/json")
        self.assertEqual(json.loads(body), {"error": "Not Found", "path": '/n"o'})
        self.assertIn("\r\nVary: Accept\r\n", head)
        head, body = self.curl("/down")
        number = head[head.index("X-Request-ID: ") + 14 :].split("\r\n")[0]
        self.assertEqual((head[:12], body.decode()), ("HTTP/1.1 502", f"gone: down {number}"))

    def story(self, workers: int) -> None:
        """
        The whole of it.
        """
        self.write(workers, "hi", "<p>{path}</p>")
        with self.going([*TWISTD, "-n", "smartproxy", "--config", "proxy.yaml"]) as process:
            self.until(process, "Listening on")
            self.waits(lambda: self.curl("/hello/x")[1] == b"hi x ", "it never served")
            self.requests()
            self.codings()
            self.streams()
            self.pages(b"<p>%b</p>")
            self.assertEqual(self.curl("/hello/a/b", "-H", "X-A: {path} c")[1], b"hi a/b {path} c")
            self.write(workers, "again", "<b>{path}</b>")
            process.send_signal(signal.SIGHUP)
            self.waits(lambda: self.curl("/hello/x")[1] == b"again x ", "it was never reloaded")
            for _ in range(4):
                self.pages(b"<b>%b</b>")
            (self.directory / "404.html").write_text("<p>\n{pth}")
            process.send_signal(signal.SIGHUP)
            self.until(process, "404.html:2:1: the error page uses {pth}")
            self.pages(b"<b>%b</b>")
            process.terminate()
            self.until(process, "Server Shut Down")
            process.wait(PATIENCE)

    def test_oneProcess(self) -> None:
        """
        In one process.
        """
        self.story(1)

    def test_workers(self) -> None:
        """
        In two workers.
        """
        self.story(2)
