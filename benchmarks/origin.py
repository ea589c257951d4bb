"""
What stands behind the proxies: a server that answers every request with the same
bytes, as quickly as Python can.

    python benchmarks/origin.py PORT [TLSPORT CERTIFICATE KEY]

C{/} has a body of 100 bytes and C{/big} one of 1 MiB.  It reads nothing but the
first line and the empty line of each request, which the generators send in one
piece.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

_HEAD = b"HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"

#: What each path is answered with.
ANSWERS = {
    b"/": _HEAD % 100 + b"x" * 100,
    b"/big": _HEAD % (1 << 20) + b"x" * (1 << 20),
}


class Origin(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._held = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        *requests, self._held = (self._held + data).split(b"\r\n\r\n")
        for request in requests:
            answer = ANSWERS[request.split(b" ", 2)[1]]
            if b"\r\nConnection: close" in request:
                head, _, body = answer.partition(b"\r\n\r\n")
                self._transport.write(head + b"\r\nConnection: close\r\n\r\n" + body)
                self._transport.close()
            else:
                self._transport.write(answer)


async def serve(port: int, secret: int = 0, certificate: str = "", key: str = "") -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Origin, "127.0.0.1", port, backlog=1024)
    if secret:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        await loop.create_server(Origin, "127.0.0.1", secret, backlog=1024, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int([*sys.argv, "", "0"][2] or 0), *sys.argv[3:5]))
