"""
What stands behind the proxies: a server that answers every request with the same
bytes, as quickly as Python can.

    python benchmarks/origin.py PORT

C{/} has a body of 100 bytes and C{/big} one of 1 MiB.  It reads nothing but the
first line and the empty line of each request, which the generators send in one
piece.
"""

from __future__ import annotations

import asyncio
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
            self._transport.write(ANSWERS[request.split(b" ", 2)[1]])


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Origin, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
