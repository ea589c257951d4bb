"""
WebSockets of an ASGI application in a whole process, in one and in two workers: by the library
C{websockets}, over TLS, and through a reload.
"""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from ..ports import freePorts
from .chatting import Chat, chatting
from .running import PATIENCE
from .test_http2 import NEEDS_CHROMIUM
from .test_process import HERE, TWISTD, ProcessCase

_FILE = """
bind: 127.0.0.1
state_dir: ./state
workers: {workers}
access_log: {{format: json, file: access.log}}
timeouts: {{drain: 2}}
routes:
  - name: chat
    match: {{ports: {port}, domains: a.localhost}}
    action:
      {{type: socket, kind: asgi, factory: chat_of_this_test.app, python_path: app, body_bytes: 1048576,
       tls: {{mode: terminate, certificate: internal}}}}
    websocket: {{origins: ["https://a.localhost", "https://a.localhost:{port}"]}}
{more}
"""

_PAGE = """<!doctype html><title>chat</title><script>
const chat = new WebSocket(`wss://${location.host}/browser`, ["a", "b"]);
const long = "x".repeat(100000);
chat.binaryType = "arraybuffer";
chat.onmessage = ({data}) => {
  if (typeof data !== "string") {
    chat.close(4002, `${chat.protocol} ${chat.extensions} ${data.byteLength}`);
  } else {
    chat.send(data === long ? new Uint8Array(70000) : long);
  }
};
</script><img src="/told">"""

_CODE = (
    f"""
import asyncio, os

page = {_PAGE!r}
"""
    """
told = asyncio.Event()

async def app(scope, receive, send):
    if scope["type"] == "http":
        if scope["path"] == "/told":
            # The page is not whole before this has come.
            await asyncio.wait_for(told.wait(), 90)
        kind = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        await send({"type": "http.response.body", "body": page.encode()})
        return
    if scope["type"] != "websocket":
        raise RuntimeError("only WebSockets are spoken here")
    await receive()
    path = scope["path"]
    if path == "/no":
        await send({"type": "websocket.close"})
        return
    if path == "/paid":
        await send({"type": "websocket.http.response.start", "status": 402, "headers": [(b"x-price", b"5")]})
        await send({"type": "websocket.http.response.body", "body": b"pay first"})
        return
    if path == "/bug":
        raise RuntimeError("a bug")
    offered = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": offered[0] if offered else None})
    await send({"type": "websocket.send", "text": f"{os.getpid()} {scope['scheme']}"})
    if path == "/late":
        raise RuntimeError("a bug in the middle")
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            with open("told", "a") as file:
                file.write(f"{path} {message['code']} {message['reason']}\\n")
            told.set()
            return
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4005, "reason": "as you like"})
            return
        await send({**message, "type": "websocket.send"})
"""
)


class DialogueCase(ProcessCase):
    """
    One process that serves it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.port, self.further = freePorts(2)
        (self.directory / "app").mkdir()
        (self.directory / "app" / "chat_of_this_test.py").write_text(_CODE)

    def write(self, workers: int, more: str = "") -> None:
        """
        Write the configuration.
        """
        (self.directory / "c.yaml").write_text(_FILE.format(workers=workers, port=self.port, more=more))


class DialogueTests(DialogueCase):
    """
    The library for a client.
    """

    @contextmanager
    def chat(self, path: str = "/", **options: Any) -> Iterator[Chat]:
        """
        A WebSocket.
        """
        context = ssl.create_default_context(cafile=self.directory / "state" / "authority" / "root.pem")
        url = f"wss://a.localhost:{self.port}{path}"
        options.setdefault("origin", "https://a.localhost")
        sock = socket.create_connection((HERE, self.port))
        with chatting(url, ssl=context, sock=sock, **options) as chat:
            yield chat

    def refused(self, path: str, **options: Any) -> Any:
        """
        The answer of one that is refused.
        """
        with self.assertRaises(InvalidStatus) as caught, self.chat(path, **options):
            pass
        return caught.exception.response

    def says(self, chat: Chat) -> None:
        """
        Messages of all sizes come back, and pings.
        """
        for message in ("hello", bytes(5), "\u20ac" * 70_000, bytes(1 << 20), ""):
            chat.send(message)
            self.assertEqual(chat.recv(), message)
        chat.send(iter(["in ", "several ", "pieces"]))
        self.assertEqual(chat.recv(), "in several pieces")
        chat.ping()

    def speaks(self, workers: int) -> None:
        """
        Everything, and through a reload.
        """
        self.write(workers)
        with self.going([*TWISTD, "-n", "smartproxy", "--config", "c.yaml"]) as process:
            self.until(process, "Admin socket at")
            with self.chat(subprotocols=[Subprotocol("b"), Subprotocol("a")]) as chat:
                self.assertEqual(chat.recv().split()[1], "wss")
                # Compression was offered, and declined.
                self.assertEqual((chat.subprotocol, chat.extensions), ("b", []))
                self.says(chat)
                more = (
                    f"  - {{name: more, match: {{ports: {self.further}}}, action: {{type: block, body: no}}}}"
                )
                self.write(workers, more)
                process.send_signal(signal.SIGHUP)
                self.until(process, "route added: more")
                self.says(chat)
                self.ends(chat)
            self.crowd(workers)
            self.assertEqual(self.refused("/no").status_code, 403)
            answer = self.refused("/paid")
            self.assertEqual((answer.status_code, answer.headers["x-price"]), (402, "5"))
            self.assertEqual(bytes(answer.body), b"pay first")
            self.assertEqual(self.refused("/bug").status_code, 500)
            self.assertEqual(self.refused("/", origin="https://evil.test").status_code, 403)
            self.assertEqual(self.closing("/late"), 1011)
            with self.chat() as chat:
                chat.recv()
                chat.send(bytes((1 << 20) + 1))
                with self.assertRaises(ConnectionClosed) as caught:
                    chat.recv()
                received = caught.exception.rcvd
                assert received is not None
                self.assertEqual(received.code, 1009)
            with self.chat() as chat:
                chat.recv()
                process.send_signal(signal.SIGTERM)
                # It is cut when its time is over, as any stream.
                with self.assertRaises(ConnectionClosed):
                    chat.recv()
            process.wait(PATIENCE)
        self.assertIn('"status":101', (self.directory / "access.log").read_text().replace(" ", ""))

    def ends(self, chat: Chat) -> None:
        """
        The application ends it.
        """
        chat.send("close")
        with self.assertRaises(ConnectionClosed) as caught:
            chat.recv()
        received = caught.exception.rcvd
        assert received is not None
        self.assertEqual((received.code, received.reason), (4005, "as you like"))
        self.assertEqual(caught.exception.rcvd_then_sent, True)

    def closing(self, path: str) -> int:
        """
        The code of one that the application ends.
        """
        with self.chat(path) as chat:
            chat.recv()
            with self.assertRaises(ConnectionClosed) as caught:
                chat.recv()
            received = caught.exception.rcvd
            assert received is not None
            return int(received.code)

    def crowd(self, workers: int) -> None:
        """
        Many at a time, wherever they are.
        """
        found: list[str] = []
        wrong: list[Exception] = []

        def one() -> None:
            try:
                with self.chat() as chat:
                    found.append(chat.recv().split()[0])
                    self.says(chat)
            except Exception as why:
                wrong.append(why)

        threads = [threading.Thread(target=one) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(wrong, [])
        self.assertEqual(len(found), 20)
        self.assertLessEqual(len(set(found)), workers)

    def test_alone(self) -> None:
        """
        See L{speaks}, in the one process that there is.
        """
        self.speaks(1)

    def test_workers(self) -> None:
        """
        See L{speaks}, where each of two workers has an application of its own.
        """
        self.speaks(2)


class BrowserTests(DialogueCase):
    """
    A browser.
    """

    skip = NEEDS_CHROMIUM
    timeout = 900

    def test_browser(self) -> None:
        """
        A page opens a WebSocket by the connection of HTTP/2 that it came by, says and hears something,
        and closes it.
        """
        self.write(1)
        with self.going([*TWISTD, "-n", "smartproxy", "--config", "c.yaml"]) as process:
            self.until(process, "Admin socket at")
            ran = subprocess.run(
                [
                    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
                    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
                    *("--disable-sync", "--disable-dev-shm-usage", "--ignore-certificate-errors"),
                    *(f"--user-data-dir={self.directory / 'browser'}", "--dump-dom"),
                    f"https://a.localhost:{self.port}/",
                ],
                capture_output=True,
                check=False,
                timeout=2 * PATIENCE,
            )
            self.assertIn(b"<title>chat</title>", ran.stdout, ran.stderr[-2000:])
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        self.assertEqual((self.directory / "told").read_text(), "/browser 4002 a  70000\n")
        entries = [json.loads(line) for line in (self.directory / "access.log").read_text().splitlines()]
        (entry,) = [each for each in entries if each["status"] == 101]
        self.assertEqual((entry["target"], entry["version"]), ("/browser", "HTTP/2.0"))
