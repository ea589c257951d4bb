"""
A server that proves to be the authority and then answers whatever a test wants,
byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from smartproxy_tw.acme.x509 import Signer

__all__ = ["Liar", "said"]


def said(status: int, body: bytes = b"", *fields: str) -> bytes:
    """
    A whole answer.
    """
    head = [f"HTTP/1.1 {status} So", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


class _Talk(Protocol):
    """
    One connection: calls back for each request.
    """

    def __init__(self, liar: Liar) -> None:
        self._liar = liar
        self._buffer = b""

    def connectionMade(self) -> None:
        self._liar.connections += 1
        self._liar.open.append(self)

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._liar.heads.append(head)
            self._liar.answer(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._liar.open.remove(self)
        waiting, self._liar.waiting = self._liar.waiting, []
        for each in waiting:
            each.callback(None)


class Liar:
    """
    Listens on a port of 127.0.0.1.

    @ivar answer: Called with the transport for each request; by default says
        C{hello}.
    @ivar heads: Of the requests so far.
    @ivar connections: How many were made.
    @ivar open: Those that are open.
    """

    def __init__(self, reactor: Any, directory: Path, names: tuple[str, ...] = ("127.0.0.1",)) -> None:
        self.answer: Callable[[Any], object] = lambda transport: transport.write(said(200, b"hello"))
        self.heads: list[bytes] = []
        self.connections = 0
        self.open: list[_Talk] = []
        self.waiting: list[Deferred[None]] = []
        signer = Signer.create("A liar's root")
        own = signer.issue(names, lifetime=3600.0)
        directory.mkdir(parents=True, exist_ok=True)
        self.caFile = str(directory / "liar.pem")
        Path(self.caFile).write_bytes(signer.root)
        certificate = PrivateCertificate.loadPEM(own.chain + own.key)
        options = CertificateOptions(
            privateKey=certificate.privateKey.original, certificate=certificate.original
        )
        factory = Factory.forProtocol(lambda: _Talk(self))
        factory.noisy = False
        doors = TLSMemoryBIOFactory(options, False, factory)
        doors.noisy = False
        self._port = reactor.listenTCP(0, doors, interface="127.0.0.1")
        self.url = f"https://127.0.0.1:{self._port.getHost().port}/"

    async def allGone(self) -> None:
        """
        Wait until no connection is open.
        """
        while self.open:
            waiting: Deferred[None] = Deferred()
            self.waiting.append(waiting)
            await waiting

    async def close(self) -> None:
        """
        Listen no more and hang up.
        """
        await maybeDeferred(self._port.stopListening)
        for each in list(self.open):
            each.transport.abortConnection()
        await self.allGone()
