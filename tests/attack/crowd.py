"""
Clients of every kind, many at once, in a process of their own: good ones that measure how long
they wait, slow ones, those that go in the midst of everything, and those that say what is almost a
request.

L{Crowd} starts one; C{python -m tests.attack.crowd} is what it starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from .torrents import TORRENTS, Answers, Torrent, farewell, starved, whole

__all__ = ["BASE", "Crowd", "mutated"]

_ROOT = Path(__file__).parent.parent.parent
_RESET = struct.pack("ii", 1, 0)
_GOOD = b"GET / HTTP/1.1\r\nHost: good.test\r\nUser-Agent: good\r\n\r\n"
# How long a torrent waits for an answer before it goes on, in seconds.
_PACE = 0.005
# As in /usr/include/netinet/tcp.h.
_ESTABLISHED = 1
_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")

#: What is mutated, cut and chopped: requests with every kind of body, some one after the other.
BASE = (
    b"GET /a?b=c HTTP/1.1\r\nHost: a.test\r\nUser-Agent: x/1\r\nAccept: */*\r\nCookie: a=b\r\n\r\n",
    b"POST /b HTTP/1.1\r\nHost: a.test\r\nContent-Length: 11\r\n\r\nhello world",
    b"PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;n=v\r\nhello\r\n1\r\n0\r\n0\r\n\r\n",
    b"PUT /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\nU: y\r\n\r\n",
    b"HEAD /d HTTP/1.1\r\nHost: a\r\nConnection: close, X-A\r\nX-A: b\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
    b"GET /chunks HTTP/1.1\r\nHost: a.test\r\n\r\nGET /end HTTP/1.1\r\nHost: a.test\r\n\r\n",
    b"GET http://a.test/e HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive\r\nTE: trailers\r\n\r\n",
    b"POST /f HTTP/1.0\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody",
    b"OPTIONS * HTTP/1.1\r\nHost: a.test:80\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
)
_SNIPPETS = (
    *(b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b"\r\n ", b"0\r\n\r\n", b"\x0b", b"\x7f"),
    *(
        b"\xff",
        b"%00",
        b"..",
        b"/../",
        b"#",
        b"\\",
        b";",
        b",",
        b"-1",
        b"+5",
        b"0x5",
        b"HTTP/1.0",
        b"HTTP/2.0",
    ),
    *(b"Content-Length: 5\r\n", b"Content-Length: 5, 5\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding : chunked\r\n"),
    *(b"Transfer-Encoding:\x0bchunked\r\n", b"Host: b.test\r\n", b"Host:\r\n", b"Connection: Host\r\n"),
    *(b"GET / HTTP/1.1\r\n", b"http://b.test/", b"X" * 300, b"99999999999999999999", b"ffffffffffffffff\r\n"),
)


def mutated(source: random.Random) -> bytes:
    """
    What is almost a request, or several.
    """
    data = bytearray(source.choice(BASE))
    for _ in range(source.randrange(1, 5)):
        at = source.randrange(len(data) + 1)
        deed = source.randrange(7)
        if deed == 0 and at < len(data):
            data[at] = source.randrange(256)
        elif deed == 1:
            del data[at : at + source.randrange(1, 4)]
        elif deed in (2, 3):
            data[at:at] = source.choice(_SNIPPETS)
        elif deed == 4:
            lines = bytes(data).split(b"\r\n")
            lines.insert(source.randrange(len(lines)), source.choice(lines))
            data = bytearray(b"\r\n".join(lines))
        elif deed == 5:
            end = data.find(b"\r\n") + 2
            data[end:end] = source.choice(_SNIPPETS)
        else:
            data += source.choice(BASE)
    return bytes(data)


class Crowd:
    """
    A crowd, as a test holds it.
    """

    def __init__(self, ports: dict[str, int], seconds: float, kinds: dict[str, int], **settings: Any) -> None:
        """
        @param ports: Of the proxy, by name.
        @param seconds: How long it stays.
        @param kinds: How many of each.
        @param settings: C{pause}, between two bytes of a slow one, in seconds;
            C{count}, of mutated requests for each who makes them; C{seed}; C{patience}: so
            much longer those stay who have answers wait for them, and are not rid of
            them, in seconds.
        """
        given = {"ports": ports, "seconds": seconds, "kinds": kinds, **settings}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(given)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)])},
        )
        assert self._process.stdout is not None
        # It says when everybody is there.
        self._process.stdout.readline()

    def tells(self) -> dict[str, Any]:
        """
        Wait until they are gone; what happened to them, by kind.
        """
        said, _ = self._process.communicate()
        found: dict[str, Any] = json.loads(said)
        return found

    def close(self) -> None:
        """
        Send them away, where nobody wants to know any more.
        """
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class _Clients:
    def __init__(self, ports: dict[str, int], seconds: float, **settings: Any) -> None:
        self.ports = ports
        self.half = time.monotonic() + seconds / 2
        self.until = time.monotonic() + seconds
        self.pause: float = settings.get("pause", 0.5)
        self.count: int = settings.get("count", 0)
        self.seed: int = settings.get("seed", 1)
        self.patience: float = settings.get("patience", 0.0)
        self.found: dict[str, Counter[str]] = {}
        self.waits: list[float] = []
        self.examples: list[str] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    @property
    def isOver(self) -> bool:
        return time.monotonic() >= self.until

    async def connected(self, name: str, small: bool = False) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        try:
            if small:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.ports[name]))
        except BaseException:
            sock.close()
            raise
        return sock

    async def stay(
        self, kind: str, life: Callable[[random.Random, Counter[str]], Awaitable[None]], index: int
    ) -> None:
        """Live again and again."""
        told = self.found.setdefault(kind, Counter())
        source = random.Random(f"{self.seed} {kind} {index}")
        await asyncio.sleep(source.random() * min(self.pause, 1.0))
        holds = self._holds(kind)
        last, until = (self.half, self.until + self.patience) if holds else (self.until, self.until)
        while time.monotonic() < last:
            told["lives"] += 1
            try:
                await asyncio.wait_for(life(source, told), max(0.05, until - time.monotonic()))
            except TimeoutError:
                return
            except (OSError, EOFError, ssl.SSLError):
                told["broken"] += 1
                await asyncio.sleep(0.02)

    @staticmethod
    def _holds(kind: str) -> bool:
        return kind in TORRENTS and TORRENTS[kind].asks > 0

    # The kinds.

    async def good(self, source: random.Random, told: Counter[str]) -> None:
        """Ask now and then on a kept connection, and measure."""
        loop = asyncio.get_running_loop()
        sock = await self.connected("http")
        with sock:
            while not self.isOver:
                began = time.monotonic()
                await loop.sock_sendall(sock, _GOOD)
                data = b""
                while b"\r\n\r\nhello" not in data:
                    more = await loop.sock_recv(sock, 65536)
                    if not more:
                        raise EOFError
                    data += more
                self.waits.append(time.monotonic() - began)
                told["answers"] += 1
                if not data.startswith(b"HTTP/1.1 200 "):
                    told["wrong"] += 1
                await asyncio.sleep(0.005 + source.random() * 0.01)

    async def slowHead(self, source: random.Random, told: Counter[str]) -> None:
        """A head, byte by byte."""
        await self._drips("http", b"GET / HTTP/1.1\r\nHost: a.test\r\nX: ", told)

    async def slowBody(self, source: random.Random, told: Counter[str]) -> None:
        """A body, byte by byte."""
        await self._drips("http", b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n", told)

    async def slowHello(self, source: random.Random, told: Counter[str]) -> None:
        """A ClientHello, byte by byte."""
        await self._drips("https", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", told)

    async def _drips(self, port: str, first: bytes, told: Counter[str]) -> None:
        loop = asyncio.get_running_loop()
        with await self.connected(port) as sock:
            await loop.sock_sendall(sock, first)
            while True:
                try:
                    said = await asyncio.wait_for(loop.sock_recv(sock, 4096), self.pause)
                except TimeoutError:
                    await loop.sock_sendall(sock, b"x")
                    continue
                told["cut"] += 1
                if match := _STATUS.match(said):
                    told[match[1].decode()] += 1
                return

    async def slowReader(self, source: random.Random, told: Counter[str]) -> None:
        """A big answer, a few bytes at a time."""
        loop = asyncio.get_running_loop()
        with await self.connected("http", True) as sock:
            await loop.sock_sendall(sock, b"GET /big/30000000 HTTP/1.1\r\nHost: a.test\r\n\r\n")
            while data := await loop.sock_recv(sock, 512):
                told["bytes"] += len(data)
                await asyncio.sleep(self.pause)
            told["cut"] += 1

    async def idle(self, source: random.Random, told: Counter[str]) -> None:
        """One request, and then nothing."""
        loop = asyncio.get_running_loop()
        with await self.connected("http") as sock:
            await loop.sock_sendall(sock, _GOOD)
            said = b""
            while data := await loop.sock_recv(sock, 4096):
                said = said or data
            if said.startswith(b"HTTP/1.1 503"):
                told["503"] += 1
            elif not said:
                told["unanswered"] += 1
        await asyncio.sleep(self.pause)

    async def storm(self, source: random.Random, told: Counter[str]) -> None:
        """A handshake at the very moment when all others of this kind begin theirs."""
        loop = asyncio.get_running_loop()
        outgoing = ssl.MemoryBIO()
        shaking = self._context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="a.test")
        with contextlib.suppress(ssl.SSLWantReadError):
            shaking.do_handshake()
        with await self.connected("https") as sock:
            await asyncio.sleep(1.0 - time.monotonic() % 1.0)
            sock.send(outgoing.read())
            told["answered" if await loop.sock_recv(sock, 65536) else "cut"] += 1

    async def big(self, source: random.Random, told: Counter[str]) -> None:
        """Big bodies, either way."""
        loop = asyncio.get_running_loop()
        size = source.choice((100_000, 3_000_000))
        with await self.connected("http") as sock:
            if source.random() < 0.5:
                head = b"POST /up HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                await loop.sock_sendall(sock, head % size + bytes(size))
            else:
                request = b"GET /big/%d HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n" % size
                await loop.sock_sendall(sock, request)
            while data := await loop.sock_recv(sock, 1 << 18):
                told["bytes"] += len(data)

    async def leaving(self, source: random.Random, told: Counter[str]) -> None:
        """
        Say something on some port, hear a little, and go in some way.
        """
        name = source.choice(("http", "http", "https", "tcp", "sni"))
        data = source.choice(BASE) * source.randrange(1, 3)
        if source.random() < 0.3:
            data = b"GET /big/2000000 HTTP/1.1\r\nHost: a.test\r\n\r\n"
        if source.random() < 0.6:
            data = data[: source.randrange(1, len(data) + 1)]
        if name in ("https", "sni") and source.random() < 0.7:
            server = "a.test" if name == "https" else "through.test"
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.ports[name], ssl=self._context, server_hostname=server
            )
            try:
                writer.write(data)
                await self._hears(reader.read, source)
                if source.random() < 0.5:
                    writer.close()
            finally:
                # Python 3.11.2 has nothing to abort any more where the proxy has closed it meanwhile.
                with contextlib.suppress(AttributeError):
                    writer.transport.abort()
            return
        loop = asyncio.get_running_loop()
        with await self.connected(name, source.random() < 0.2) as sock:
            await loop.sock_sendall(sock, data)
            await self._hears(lambda size: loop.sock_recv(sock, size), source)
            way = source.randrange(3)
            if way == 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            elif way == 1:
                sock.shutdown(socket.SHUT_WR)
                await self._hears(lambda size: loop.sock_recv(sock, size), source)

    async def _hears(self, read: Callable[[int], Awaitable[bytes]], source: random.Random) -> None:
        for _ in range(source.randrange(3)):
            try:
                if not await asyncio.wait_for(read(source.choice((1, 300, 100_000))), 0.2):
                    return
            except TimeoutError:
                return

    async def torrent(self, name: str, told: Counter[str]) -> None:
        """One of L{TORRENTS}, until it is over; then a pause."""
        await self._pours(name, told)
        await asyncio.sleep(self.pause)

    async def _pours(self, name: str, told: Counter[str]) -> None:
        torrent = TORRENTS[name]
        answers = Answers()
        until = self.until + self.patience if self._holds(name) else self.until
        with await self.connected("http", not torrent.isReading) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, torrent.first)
            try:
                if torrent.isReading:
                    await self._floods(sock, torrent, until, answers, told)
                else:
                    await self._ignores(sock, until, answers, told)
            finally:
                if torrent.asks and answers.begun:
                    told["held" if answers.open else "late" if self.isOver else "over"] += 1

    async def _ignores(self, sock: socket.socket, until: float, answers: Answers, told: Counter[str]) -> None:
        """Whether anybody is there, and has begun to answer, is all that it wants to know."""
        while time.monotonic() < until:
            await asyncio.sleep(0.2)
            if not answers.begun:
                answers.hear(whole(_unread(sock)))
            if _isCut(sock):
                told["cut"] += 1
                answers.open.clear()
                return

    async def _floods(
        self, sock: socket.socket, torrent: Torrent, until: float, answers: Answers, told: Counter[str]
    ) -> None:
        loop = asyncio.get_running_loop()
        said, count = bytearray(), 0
        code: int | None = None
        due = 0.0
        # A cancellation is lost where what is waited for comes at the same moment.
        while time.monotonic() < until:
            pause: float | None = None
            if torrent.again is not None and code is None:
                if time.monotonic() >= due:
                    due = time.monotonic() + torrent.pause
                    many = 1 if torrent.pause else 50
                    more = b"".join(map(torrent.again, range(count, count + many)))
                    count += many
                    with contextlib.suppress(OSError):
                        await loop.sock_sendall(sock, more)
                pause = max(_PACE, due - time.monotonic())
            try:
                data = await asyncio.wait_for(loop.sock_recv(sock, 65536), pause)
            except TimeoutError:
                continue
            except OSError:
                data = b""
            said += data
            told["431"] += data.count(b"431")
            frames = whole(said)
            answers.hear(frames)
            told["starved"] += starved(frames)
            found = farewell(frames)
            code = code if found is None else found
            if not data:
                told["closed" if code is None else f"GOAWAY {code}"] += 1
                told["most"] = max(told["most"], count)
                answers.open.clear()
                return
            if torrent.asks and answers.areOver(torrent.asks):
                return

    async def mutant(self, source: random.Random, told: Counter[str]) -> None:
        """Say what is almost a request, so many times."""
        loop = asyncio.get_running_loop()
        for _ in range(self.count):
            if self.isOver:
                told["unsaid"] += 1
                continue
            data = mutated(source)
            told["said"] += 1
            try:
                with await self.connected("http") as sock:
                    await loop.sock_sendall(sock, data)
                    sock.shutdown(socket.SHUT_WR)
                    answer = b""
                    while len(answer) < 1 << 20:
                        more = await asyncio.wait_for(loop.sock_recv(sock, 65536), 5)
                        if not more:
                            break
                        answer += more
            except TimeoutError:
                told["no end"] += 1
                self.examples.append(f"no end: {data!r}")
                continue
            except OSError:
                told["broken"] += 1
                continue
            for status in _STATUS.findall(answer) or [b"nothing"]:
                told[status.decode()] += 1
                if status in (b"500", b"502", b"504") and len(self.examples) < 20:
                    self.examples.append(f"{status.decode()}: {data!r}")


def _unread(sock: socket.socket) -> bytearray:
    """What has come, and stays where it is."""
    try:
        return bytearray(sock.recv(65536, socket.MSG_PEEK))
    except OSError:
        return bytearray()


def _isCut(sock: socket.socket) -> bool:
    """Whether the other end has gone, whatever it has said before."""
    state: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state != _ESTABLISHED


async def _flooding(clients: _Clients, name: str, source: random.Random, told: Counter[str]) -> None:
    await clients.torrent(name, told)


async def _be(ports: dict[str, int], seconds: float, kinds: dict[str, int], **settings: Any) -> None:
    clients = _Clients(ports, seconds, **settings)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    lives = []
    for kind, count in kinds.items():
        if kind in TORRENTS:
            life = partial(_flooding, clients, kind)
        else:
            life = getattr(clients, kind)
        for index in range(count):
            if kind == "mutant":
                life = clients.mutant(
                    random.Random(f"{clients.seed} {index}"), clients.found.setdefault(kind, Counter())
                )
                lives.append(asyncio.ensure_future(life))
            else:
                lives.append(asyncio.ensure_future(clients.stay(kind, life, index)))
    await asyncio.sleep(min(0.2, seconds / 4))
    print(flush=True)
    await asyncio.gather(*lives)
    waits = sorted(clients.waits)
    found: dict[str, Any] = {kind: dict(told) for kind, told in clients.found.items()}
    if waits:
        found["good"].update(
            {f"p{part}": waits[len(waits) * part // 100] for part in (50, 90, 99)}, max=waits[-1]
        )
    found["examples"] = clients.examples
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    import resource

    _, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
    asyncio.run(_be(**json.loads(sys.argv[1])))
