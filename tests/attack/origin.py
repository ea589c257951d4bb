"""
What stands behind the proxy under attack, in a process of its own: an origin that takes nothing
that is not exactly as RFC 9112 has it, and remembers what it had to refuse.

It answers C{/} with a few bytes, C{/big/N} with N bytes, C{/chunks} in chunks, C{/end} until the
end of the connection, and anything else, after its body, as C{/}.  Beside it are an echo, with TLS
and without.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["StrictOrigin", "requestsIn"]

_ROOT = Path(__file__).parent.parent.parent

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LINE = re.compile(rb"(" + _TOKEN + rb") (/[!-~]*|\*|[a-z]+://[!-~]+) HTTP/1\.([01])")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*((?:[!-~\x80-\xff][ \t!-~\x80-\xff]*)?)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[\t ]*;[\t !-~\x80-\xff]*)?")
_MOST_HEAD = 1 << 17

_BODY = bytes(range(256)) * 256
_SMALL = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
_CHUNKS = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\n...\r\n0\r\nT: x\r\n\r\n"
)


class Bad(Exception):
    """
    Something that no proxy may send.
    """


class StrictOrigin:
    """
    The origin, as a test holds it.

    @ivar ports: By protocol: C{http}, C{echo}, C{tls}.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)])},
        )
        self.ports: dict[str, int] = self._answer()

    def ask(self) -> dict[str, Any]:
        """
        @return: How many C{requests} there were, and what was C{bad} about how many.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        """
        End it.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def requestsIn(head: bytes) -> tuple[bytes, int]:
    """
    Read a head as strictly as can be.

    @return: The target, and the length of the body, -1 for chunks.
    @raise Bad: It is not a request, says what.
    """
    first, *lines = head[:-4].split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise Bad(f"request line {first[:200]!r}")
    fields: dict[bytes, list[bytes]] = {}
    for each in lines:
        match = _FIELD.fullmatch(each)
        if match is None:
            raise Bad(f"field {each[:200]!r}")
        fields.setdefault(match[1].lower(), []).append(match[2].rstrip(b" \t"))
    # HTTP/1.0 knows no Host.
    if len(fields.get(b"host", ())) not in ((1,) if line[3] == b"1" else (0, 1)):
        raise Bad(f"Host {fields.get(b'host')!r}")
    lengths, codings = fields.get(b"content-length", []), fields.get(b"transfer-encoding", [])
    if lengths and codings:
        raise Bad("both a length and chunks")
    if codings and codings != [b"chunked"]:
        raise Bad(f"Transfer-Encoding {codings!r}")
    if len(lengths) > 1 or (lengths and not re.fullmatch(rb"[0-9]{1,18}", lengths[0])):
        raise Bad(f"Content-Length {lengths!r}")
    return line[2], -1 if codings else int(lengths[0]) if lengths else 0


class _Server:
    def __init__(self) -> None:
        self.requests = 0
        self.bad: dict[str, int] = {}

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                target, length = requestsIn(head)
                self.requests += 1
                if b"\r\nexpect:" in head.lower():
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await self._body(reader, length)
                if not await self._answer(writer, target, head[:5] == b"HEAD "):
                    return
        except Bad as bad:
            self.bad[str(bad)] = self.bad.get(str(bad), 0) + 1
        except asyncio.LimitOverrunError:
            self.bad["endless head"] = self.bad.get("endless head", 0) + 1
        except (OSError, asyncio.IncompleteReadError):
            # The proxy may leave when it likes.
            pass
        finally:
            writer.close()

    async def _body(self, reader: asyncio.StreamReader, length: int) -> None:
        while length > 0:
            data = await reader.read(min(length, 1 << 16))
            if not data:
                raise asyncio.IncompleteReadError(b"", length)
            length -= len(data)
        if length == 0:
            return
        while True:
            size = _CHUNK.fullmatch((await reader.readuntil(b"\r\n"))[:-2])
            if size is None:
                raise Bad("chunk size")
            if not int(size[1], 16):
                break
            await self._body(reader, int(size[1], 16))
            if await reader.readexactly(2) != b"\r\n":
                raise Bad("chunk end")
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            if _FIELD.fullmatch(line[:-2]) is None:
                raise Bad(f"trailer {line[:200]!r}")

    async def _answer(self, writer: asyncio.StreamWriter, target: bytes, isHead: bool) -> bool:
        if isHead:
            writer.write(_SMALL[:-5])
        elif target.startswith(b"/big/"):
            left = int(target[5:])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
            while left > 0:
                writer.write(_BODY[:left])
                left -= len(_BODY)
                await writer.drain()
        elif target == b"/chunks":
            writer.write(_CHUNKS)
        elif target == b"/end":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
            return False
        else:
            writer.write(_SMALL)
        await writer.drain()
        return True

    async def echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say what was said."""
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


async def _serve() -> None:
    from smartproxy_tw.acme.x509 import Signer

    server = _Server()
    credential = Signer.create("Test Authority").issue(("through.test",), lifetime=86400.0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(credential.chain + credential.key)
        file.flush()
        context.load_cert_chain(file.name)
    loop = asyncio.get_running_loop()
    # Connections that the attackers break are no news.
    loop.set_exception_handler(lambda loop, context: None)
    ports = {}
    for name, serve, secret in (
        ("http", server.http, None),
        ("echo", server.echo, None),
        ("tls", server.echo, context),
    ):
        listening = await asyncio.start_server(
            serve, "127.0.0.1", 0, backlog=4096, limit=_MOST_HEAD, ssl=secret
        )
        ports[name] = listening.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    asked = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    while await asked.readline():
        print(json.dumps({"requests": server.requests, "bad": server.bad}), flush=True)


if __name__ == "__main__":
    import resource

    _, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
    asyncio.run(_serve())
