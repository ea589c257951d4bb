"""
Clients that use a proxy all the time, each in its own way, and note whatever is not as it
should be: a connection that is refused or reset, an answer that is cut, a WebSocket that is
closed.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from .running import PATIENCE

__all__ = ["HERE", "Onlookers", "Origins", "QuietServer"]

HERE = "127.0.0.1"

#: What is downloaded: large enough that it goes on through several reloads at this pace.
_PART = hashlib.sha256(b"smartproxy").digest() * 4096
_PARTS, _PAUSE = 60, 0.05


class Origins:
    """
    Two servers of HTTP, which tell who they are, and one of WebSockets, which says what
    it hears.
    """

    def __init__(self) -> None:
        self.http = [_origin(name) for name in ("first", "second")]
        self.chat = serve(_echo, HERE, 0, ping_interval=None, open_timeout=PATIENCE)
        self._threads = [
            threading.Thread(target=each.serve_forever, daemon=True) for each in (*self.http, self.chat)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def ports(self) -> tuple[int, int, int]:
        """
        Theirs, in this order.
        """
        chat: int = self.chat.socket.getsockname()[1]
        return self.http[0].server_port, self.http[1].server_port, chat

    def close(self) -> None:
        """
        End them.
        """
        for each in self.http:
            each.shutdown()
            each.server_close()
        self.chat.shutdown()
        for thread in self._threads:
            thread.join(PATIENCE)


class QuietServer(ThreadingHTTPServer):
    """
    Has no traceback printed for a client that is gone, and room for all that connect at a moment.  With
    the usual five the kernel drops what completes a sixth connection, which looks made to who made it;
    what he sends goes unheard until the kernel tries again, in up to half a minute.
    """

    request_queue_size = 1024

    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        See L{socketserver.BaseServer.handle_error}.
        """
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _origin(name: str) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            isLarge = self.path == "/large"
            self.send_response(200)
            self.send_header("Content-Length", str(len(_PART) * _PARTS if isLarge else len(name)))
            self.end_headers()
            if not isLarge:
                self.wfile.write(name.encode())
                return
            try:
                for _ in range(_PARTS):
                    self.wfile.write(_PART)
                    time.sleep(_PAUSE)
            except (BrokenPipeError, ConnectionResetError):
                # Who downloads it has gone.
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = QuietServer((HERE, 0), Handler)
    server.daemon_threads = True
    return server


def _echo(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        for message in connection:
            connection.send(message)


class Onlookers:
    """
    @ivar wrong: What was not as it should be.
    @ivar done: How often each of them has had what it wanted.
    """

    def __init__(self, plain: int, secure: int, root: Path) -> None:
        """
        @param plain: A port with HTTP.
        @param secure: A port with HTTPS for C{a.localhost}.
        @param root: Who has signed its certificate.
        """
        self._plain = plain
        self._secure = secure
        self._context = ssl.create_default_context(cafile=str(root))
        self._isOver = threading.Event()
        self.wrong: list[str] = []
        self.done: dict[str, int] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """
        Use it as long as this goes on.
        """
        ways: list[Callable[[], None]] = [
            *([self._fresh] * 2),
            self._kept,
            self._secured,
            self._chatting,
            self._tunnelled,
            self._loading,
        ]
        threads = [threading.Thread(target=self._guarded, args=(way,), daemon=True) for way in ways]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._isOver.set()
            for thread in threads:
                thread.join(PATIENCE)
                if thread.is_alive():
                    self.wrong.append("somebody hangs")

    def _guarded(self, way: Callable[[], None]) -> None:
        try:
            way()
        except Exception as why:
            self.wrong.append(f"{way.__name__}: {type(why).__name__}: {why}")

    def _note(self, what: str, isGood: bool, found: object) -> None:
        self.done[what] = self.done.get(what, 0) + 1
        if not isGood:
            self.wrong.append(f"{what}: {found!r}")

    def _fresh(self) -> None:
        while not self._isOver.is_set():
            try:
                connection = http.client.HTTPConnection(HERE, self._plain, timeout=PATIENCE)
                self._asks("fresh", connection)
                connection.close()
            except (OSError, http.client.HTTPException) as why:
                self._note("fresh", False, why)

    def _kept(self) -> None:
        connection = http.client.HTTPConnection(HERE, self._plain, timeout=PATIENCE)
        connection.connect()
        sock = connection.sock
        while not self._isOver.wait(0.002):
            self._asks("kept", connection)
            self._note("kept", connection.sock is sock, "another connection was needed")
        connection.close()

    def _secured(self) -> None:
        while not self._isOver.is_set():
            with (
                socket.create_connection((HERE, self._secure), timeout=PATIENCE) as plain,
                self._context.wrap_socket(plain, server_hostname="a.localhost") as secure,
            ):
                secure.sendall(b"GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while part := secure.recv(65536):
                    answer += part
                self._note("secured", answer.endswith(b"\r\n\r\nsecure"), answer)

    def _chatting(self) -> None:
        with connect(f"ws://{HERE}:{self._plain}/chat", ping_interval=None, open_timeout=PATIENCE) as chat:
            while not self._isOver.wait(0.005):
                number = str(self.done.get("chatting", 0))
                chat.send(number)
                heard = chat.recv(timeout=PATIENCE)
                self._note("chatting", heard == number, heard)

    def _tunnelled(self) -> None:
        # By a route that each reload changes: what is under way goes on.
        with connect(
            f"ws://{HERE}:{self._plain}/changing", ping_interval=None, open_timeout=PATIENCE
        ) as chat:
            while not self._isOver.wait(0.02):
                chat.send("x" * 100000)
                heard = chat.recv(timeout=PATIENCE)
                self._note("tunnelled", heard == "x" * 100000, len(heard))

    def _loading(self) -> None:
        wanted = hashlib.sha256(_PART * _PARTS).digest()
        while not self._isOver.is_set():
            connection = http.client.HTTPConnection(HERE, self._plain, timeout=PATIENCE)
            connection.request("GET", "/large")
            body = connection.getresponse().read()
            self._note("loading", hashlib.sha256(body).digest() == wanted, len(body))
            connection.close()

    def _asks(self, what: str, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", "/either")
        response = connection.getresponse()
        body = response.read()
        self._note(what, response.status == 200 and body in (b"first", b"second"), body)
