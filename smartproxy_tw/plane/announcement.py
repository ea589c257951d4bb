"""
An announcement is the beginning of a connection by somebody who is believed when it
says for whom it speaks: it lasts until the header of the PROXY protocol is there.

What comes behind the header goes to whoever is next, who finds the connection as if
the client itself had made it.  A deadline bounds the wait and the size of a header the
bytes, and an end inside of it ends it.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from ..wire.proxyheader import MOST_BYTES, Header, Malformed, NeedMore, parse
from .greeting import greet, looksLikeHTTP
from .opening import Opening
from .poller import ARRIVALS, ENDED

if TYPE_CHECKING:
    import socket

    from ..facts import Address
    from .engine import Entrance
    from .heralds import Heralds

__all__ = ["Announcement"]

_WITHOUT = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 69\r\n"
    b"Connection: close\r\n\r\nFrom your address this port expects the PROXY protocol (send-proxy).\n"
)


class Announcement(Opening):
    """
    The wait for a header.
    """

    MOST = MOST_BYTES
    __slots__ = ("_heralds", "_peer")

    def __init__(self, entrance: Entrance, sock: socket.socket, peer: Address, heralds: Heralds) -> None:
        """
        Wait for the header.

        @param sock: Non-blocking, registered nowhere; owned from now on.
        @param peer: Who is believed.
        """
        self._peer = peer
        self._heralds = heralds
        super().__init__(entrance, sock, heralds.seconds)
        entrance.engine.poller.add(sock.fileno(), self.ready, ARRIVALS)

    def _cut(self) -> None:
        if self._data:
            self._refuse("a header that ends too early")
        else:
            # Nothing was asked for: somebody looks whether the port is open.
            self._close()

    def _read(self, data: bytes) -> None:
        found = parse(data)
        if isinstance(found, NeedMore):
            self._need = found.atLeast
        elif isinstance(found, Header):
            self._data = data[found.length :]
            if found.isTCP and found.source is not None:
                self._goOn(found.source, found.destination)
            else:
                # It speaks for itself, or cannot say for whom.
                self._goOn(self._peer, None)
        elif isinstance(found, Malformed):
            self._refuse(found.reason)
        elif self._heralds.isRequired:
            isPlain = self._entrance.takesHTTP and not self._entrance.takesTCP and looksLikeHTTP(data)
            self._refuse("no header where one is required", _WITHOUT if isPlain else b"")
        else:
            self._goOn(self._peer, None)

    def _goOn(self, client: Address, server: Address | None) -> None:
        self._over()
        event = (select.EPOLLIN if self._isHot else 0) | (ENDED if self._isEnding else 0)
        greet(self._entrance, self._sock, client, server, self._data, event)

    def _refuse(self, reason: str, answer: bytes = b"") -> None:
        self._entrance.engine.unannounced(reason, self._peer.host)
        self._end(answer)

    def expire(self) -> None:
        """
        It took too long.
        """
        if self._need == 1 and not (self._heralds.isRequired or self._entrance.engine.isDraining):
            # A client that waits for the server to speak first: nobody is spoken for.
            self._goOn(self._peer, None)
        else:
            self._refuse("no header in time")
