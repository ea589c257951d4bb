"""
HTTP/2 with programs that others wrote: curl, nghttp, h2load, a WebSocket server and Chromium.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from smartproxy_tw.config.model import AccessLog, Forward, Respond, Route, Target

from ..plane.conversation import Doing
from ..plane.harness import TERMINATE
from ..plane.streams import Client
from .onlookers import HERE, Origins
from .running import PATIENCE
from .test_clients import MIB, NEEDS_CURL, LiveTests
from .test_process import TWISTD, ProcessCase

NEEDS_NGHTTP = (
    None if shutil.which("nghttp") and shutil.which("h2load") else "needs the Debian package nghttp2-client"
)
NEEDS_CHROMIUM = None if shutil.which("chromium") else "needs the Debian package chromium"

#: What a page is made of.
PICTURES = 100


class HTTP2Tests(LiveTests):
    """
    One plane in this process.
    """

    async def begin(self) -> None:
        """
        The same routes in plain and over TLS.
        """
        self.plain, self.secret = await self.port(), await self.port()
        await self.certify("a.test", "a.localhost")
        self.log = self.fresh()
        routes = []
        for number, tls in ((self.plain, None), (self.secret, TERMINATE)):
            names = ("a.test", "a.localhost")
            routes += [
                Route(f"all-{number}", (number,), Forward((self.mirror(),)), "http", names, tls=tls),
                Route(f"here-{number}", (number,), Respond(body="here"), "http", names, "/here", tls=tls),
            ]
        await self.use(*routes, http2PriorKnowledge=True, accessLog=AccessLog("json", str(self.log)))

    async def versions(self, count: int) -> list[dict[str, Any]]:
        """
        The lines of the access log, once there are so many.
        """

        def lines() -> list[str]:
            return self.log.read_text().splitlines() if self.log.exists() else []

        await self.settles(lambda: len(lines()) >= count, f"there are {count} lines in the log")
        return [json.loads(line) for line in lines()]


class CurlTests(HTTP2Tests):
    """
    curl.
    """

    skip = NEEDS_CURL

    async def curl(self, *arguments: str, secret: bool = True, path: str = "/") -> bytes:
        """
        What curl prints, by HTTP/2.
        """
        number = self.secret if secret else self.plain
        way = ("--http2", "--cacert", str(self.ca)) if secret else ("--http2-prior-knowledge",)
        out, err, code = await self.run_(
            *("curl", "-sS", "--max-time", str(PATIENCE), "--noproxy", "*", *way),
            *("--resolve", f"a.test:{number}:127.0.0.1", *arguments),
            f"{'https' if secret else 'http'}://a.test:{number}{path}",
        )
        self.assertEqual(code, 0, err)
        return out

    async def test_get(self) -> None:
        """
        GET and HEAD, by ALPN and with prior knowledge, several on one connection.
        """
        await self.begin()
        for secret in (True, False):
            said = await self.curl("-w", "|%{http_version}", secret=secret, path="/x?y")
            self.assertEqual(said, b"GET /x?y from 127.0.0.1|2")
            head = await self.curl("--head", secret=secret, path="/?size=100000")
            self.assertTrue(head.startswith(b"HTTP/2 200"), head)
            self.assertIn(b"content-length: 100000\r\n", head)
        # Debian's curl of 2023 uses no connection without TLS a second time, whoever serves it.
        out = await self.curl("-w", "|%{num_connects}\n", path="/[1-3]")
        self.assertEqual([line.rpartition(b"|")[2] for line in out.splitlines()], [b"1", b"0", b"0"])
        found = await self.versions(7)
        self.assertEqual({entry["version"] for entry in found}, {"HTTP/2.0"})

    async def test_bulk(self) -> None:
        """
        Much, there and back.
        """
        await self.begin()
        body = random.Random(5).randbytes(20 * MIB)
        digest = hashlib.sha256(body).hexdigest().encode()
        file = self.fresh(body)
        for secret in (True, False):
            self.assertEqual(await self.curl("-T", str(file), secret=secret, path="/up"), digest)
            self.assertEqual(await self.curl("--data-binary", f"@{file}", secret=secret), digest)
            found = await self.curl(secret=secret, path="/?size=20000000")
            self.assertTrue(found == random.Random(20000000).randbytes(20000000))


class NghttpTests(HTTP2Tests):
    """
    The client of nghttp2, with trailers, padding and many streams.
    """

    skip = NEEDS_NGHTTP

    async def nghttp(self, *arguments: str, path: str) -> list[int]:
        """
        The statuses that it has had.
        """
        out, err, code = await self.run_(
            *("nghttp", "--null-out", "--stat", "-H", ":authority: a.test", *arguments),
            f"http://127.0.0.1:{self.plain}{path}",
        )
        self.assertEqual(code, 0, err)
        return [int(status) for status in re.findall(rb"(?m)^ *\d+ +\+.*s +(\d{3}) ", out)]

    async def test_many(self) -> None:
        """
        Thirty at once, with windows as small as they may be.
        """
        await self.begin()
        for size in (1, 1000, 200000):
            found = await self.nghttp(
                *("--multiply=30", "--window-bits=14", "--padding=64"), path=f"/?size={size}"
            )
            self.assertEqual(found, [200] * 30)

    async def test_unwanted(self) -> None:
        """
        Who is answered while sending has the answer.
        """
        await self.begin()
        file = self.fresh(bytes(5 * MIB))
        self.assertEqual(await self.nghttp("-d", str(file), path="/here"), [200])

    async def test_trailers(self) -> None:
        """
        A body with trailers behind it.
        """
        await self.begin()
        file = self.fresh(bytes(100000))
        self.assertEqual(await self.nghttp("-d", str(file), "--trailer", "a: b", path="/"), [200])


class WebSocketTests(HTTP2Tests):
    """
    A WebSocket over HTTP/2 to the library C{websockets}, which knows HTTP/1.1 only.
    """

    async def test_echo(self) -> None:
        """
        It says what it hears.
        """
        port = await self.port()
        await self.certify("a.test")
        origins = Origins()
        self._stops.append(origins.close)
        target = Target(HERE, origins.ports[2])
        await self.use(Route("chat", (port,), Forward((target,)), "http", ("a.test",), tls=TERMINATE))
        client = Client(await self.tls(port, alpn=(b"h2",)))
        stream = client.asks(
            "/chat",
            (":protocol", "websocket"),
            ("sec-websocket-version", "13"),
            method="CONNECT",
            isEnd=False,
        )
        answer = await client.begun(stream)
        self.assertEqual(answer.status, 200)
        # RFC 6455 section 5.2: a text of five bytes, masked with zeros.
        client.says(stream, b"\x81\x85\0\0\0\0hello")
        await client.until(lambda: answer.body.endswith(b"hello"), "an echo")
        client.says(stream, b"\x88\x82\0\0\0\0\x03\xe8", True)
        await client.answer(stream)
        client.peer.leaves()
        await self.isIdle()


class ChromiumTests(HTTP2Tests):
    """
    A browser.
    """

    skip = NEEDS_CHROMIUM
    timeout = 900

    async def test_page(self) -> None:
        """
        A page of a hundred pictures comes by HTTP/2, and all of it by one connection.
        """
        await self.begin()
        ports: list[int] = []
        page = "".join(f'<script src="/{number}.js"></script>' for number in range(PICTURES))

        def serve(exchange: Any) -> None:
            facts = exchange.facts()
            ports.append(facts.connection.client.port)
            if facts.path.endswith(".js"):
                text = "window.count = (window.count || 0) + 1;"
                exchange.respond(200, b"Content-Type: text/javascript\r\n", text.encode())
            else:
                text = f"<!doctype html><body>{page}<script>document.title = 'got ' + window.count</script>"
                exchange.respond(200, b"Content-Type: text/html\r\n", text.encode())

        for entrance in self.plane.engine._entrances.values():
            entrance.actions[f"all-{self.secret}"] = Doing(serve)
        directory = Path(self.mktemp()).absolute()
        dom, err, _ = await self.run_(
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--disable-dev-shm-usage", "--ignore-certificate-errors", f"--user-data-dir={directory}"),
            *("--dump-dom", f"https://a.localhost:{self.secret}/"),
        )
        self.assertIn(f"<title>got {PICTURES}</title>".encode(), dom, err[-2000:])
        found = await self.versions(PICTURES + 1)
        self.assertEqual({entry["version"] for entry in found}, {"HTTP/2.0"})
        self.assertEqual(len(set(ports)), 1)


_FILE = """
bind: {here}
state_dir: ./state
workers: {workers}
http2_prior_knowledge: true
access_log: {{format: json, file: ./access.log}}
timeouts: {{drain: 20}}
routes:
  # {number}
  - {{name: forward, match: {{ports: {plain}, protocol: http}},
     action: {{type: forward, targets: [{{host: {here}, port: {first}}}]}}}}
  - {{name: number, match: {{ports: {plain}, path: /number}}, action: {{type: respond, body: "{number}"}}}}
  - {{name: secure, match: {{ports: {secure}, domains: a.localhost}},
     action: {{type: respond, body: "{number}", tls: {{mode: terminate, certificate: internal}}}}}}
"""


class LoadTests(ProcessCase):
    """
    h2load on whole processes, in one and in two workers.
    """

    skip = NEEDS_NGHTTP or NEEDS_CURL

    def setUp(self) -> None:
        super().setUp()
        self.origins = Origins()
        self.addCleanup(self.origins.close)
        self.path = self.directory / "smartproxy.yaml"
        self.log = self.directory / "log"

    def write(self, number: int, workers: int) -> None:
        """
        The configuration.
        """
        first, _, _ = self.origins.ports
        self.path.write_text(
            _FILE.format(
                here=HERE, workers=workers, number=number, plain=self.http, secure=self.https, first=first
            )
        )

    def waits(self, *command: str, wanted: str) -> None:
        """
        Until a program says something.
        """
        end = time.monotonic() + PATIENCE
        said = ""
        while time.monotonic() < end:
            said = self.end(list(command)).stdout
            if wanted in said:
                return
            time.sleep(0.1)
        self.fail(f"{wanted!r} did not come, but {said!r}")

    def load(self, url: str, requests: int) -> subprocess.Popen[str]:
        """
        Begin.
        """
        # It finds no names in .localhost by itself.
        port = url.split("/")[2].rpartition(":")[2]
        command = ["h2load", f"--connect-to={HERE}:{port}", "-n", str(requests), "-c", "8", "-m", "10", url]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def assertAll(self, load: subprocess.Popen[str], requests: int) -> None:
        """
        All were answered, and well.
        """
        said, _ = load.communicate(timeout=PATIENCE)
        wanted = (
            f"requests: {requests} total, {requests} started, {requests} done, {requests} succeeded, 0 failed"
        )
        self.assertIn(wanted, said)
        self.assertIn(f"status codes: {requests} 2xx", said)

    def loads(self, workers: int) -> None:
        """
        Ten thousand requests without an error, while it is reloaded.
        """
        self.write(0, workers)
        command = [*TWISTD, "-n", "--logfile", str(self.log), "smartproxy", "--config", str(self.path)]
        url = f"http://{HERE}:{self.http}/number"
        curl = ("curl", "-sS", "--http2-prior-knowledge", "--noproxy", "*", "--max-time", str(PATIENCE))
        with self.going(command) as process:
            self.waits(*curl, url, wanted="0")
            load = self.load(url, 10000)
            for number in range(1, 4):
                self.write(number, workers)
                process.send_signal(signal.SIGHUP)
                self.waits(*curl, url, wanted=str(number))
            self.assertAll(load, 10000)
            self.assertAll(self.load(f"https://a.localhost:{self.https}/", 1000), 1000)
            # One that is in flight when the process is told to end comes to its end.
            slow = subprocess.Popen(
                [*curl, "--limit-rate", "2M", f"http://{HERE}:{self.http}/large"], stdout=subprocess.PIPE
            )
            assert slow.stdout is not None
            first = slow.stdout.read(100000)
            process.send_signal(signal.SIGTERM)
            rest, _ = slow.communicate(timeout=PATIENCE)
            self.assertEqual(slow.returncode, 0)
            self.assertGreater(len(first + rest), 100000)
            self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
        self.assertNotIn("Traceback", self.log.read_text())

    def test_oneProcess(self) -> None:
        """
        In one process.
        """
        self.loads(1)

    def test_twoWorkers(self) -> None:
        """
        In two.
        """
        self.loads(2)
