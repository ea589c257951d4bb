"""
A bridge is the near end of a stream that has become a tunnel of bytes (RFC 8441): a pair
of sockets, of which one is the target for who tunnels, and the other one is read and
written here.  So neither needs to know that no socket leads to the target.

Each direction ends for itself, and who breaks off breaks off: a pair of sockets knows no reset, so
that its other end is closed before the target has ended counts as one, to either side.

It costs one more copy in the kernel, which nobody will notice of a WebSocket.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ..wire.downgrade import acceptLine
from ..wire.http1 import unframed
from .poller import BROKEN, ENDED, READABLE, unheard
from .wires import READ, PlainWire

if TYPE_CHECKING:
    from ..wire.http1 import Response
    from .exchange import Exchange
    from .poller import Poller
    from .strand import Strand

__all__ = ["Bridge", "pair"]

# Reads at a time before others have their turn.
_ROUNDS = 8
_SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n"


class Bridge:
    """
    That of one strand.
    """

    __slots__ = ("_exchange", "_far", "_hasFinished", "_isHot", "_poller", "_strand", "_wire")

    def __init__(self, strand: Strand, exchange: Exchange) -> None:
        """
        @param exchange: Asks for another protocol.
        """
        self._strand = strand
        self._exchange = exchange
        self._poller = exchange.session.door.engine.poller
        self._wire: PlainWire | None = None
        self._far: PlainWire | None = None
        self._isHot = self._hasFinished = False

    def agreed(self, response: Response) -> None:
        """
        The target speaks the other protocol from now on.  The handshake of HTTP/1 is
        completed for it: it has accepted the key that it was not sent.

        @raise OSError: There are no sockets to be had.
        """
        exchange = self._exchange
        here, there = pair(self._poller)
        self._wire, self._far = PlainWire(here), PlainWire(there)
        self._poller.handlers[here.fileno()] = self.ready
        # What it says of a length means nothing (RFC 9110 section 9.3.6), and must not go on (section 8.6).
        fields, _ = unframed(response.head)
        head = _SWITCHING + fields + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        head += acceptLine(exchange.request.fields)
        self._strand.exchange = None
        exchange.becomeTunnel(self._far, head + b"\r\n", b"", False, None)

    def ready(self, event: int) -> None:
        """
        The client has said something, or takes something.
        """
        wire = self._wire
        if wire is None:
            return
        if event & BROKEN and not self._strand.hasEnded:
            # Who tunnels closes in order only when both directions have ended.
            self._strand.close()
            return
        if event & READABLE:
            self._isHot = True
            if event & ENDED:
                wire.isEnding = True
        if wire.pending and wire.flush():
            self._strand.repay()
            self._endIfDone()
        self._pump()

    def _pump(self) -> None:
        """
        Pass on what the client has said, while the target takes it.
        """
        strand = self._strand
        for _ in range(_ROUNDS):
            wire = self._wire
            if wire is None or self._hasFinished or strand.pending or not self._isHot:
                return
            try:
                data = wire.recv(READ)
            except BlockingIOError:
                self._isHot = False
                return
            except OSError:
                strand.close()
                return
            self._hasFinished = not data
            if len(data) < READ and not wire.isEnding:
                self._isHot = False
            strand.say(data, not data)
            self._endIfDone()
        self._poller.later(self._pump)

    def flushed(self) -> None:
        """
        The target has room again.
        """
        self._pump()

    def take(self, data: bytes, isEnded: bool) -> None:
        """
        The target has said something.
        """
        wire = self._wire
        if wire is None:
            return
        if data:
            wire.write(data)
        if isEnded:
            wire.finish()
        if not wire.pending:
            self._strand.repay()
            self._endIfDone()

    def _endIfDone(self) -> None:
        wire = self._wire
        if wire is not None and self._hasFinished and self._strand.hasEnded and not wire.pending:
            self._strand.close()

    def lose(self) -> None:
        """
        The strand is over.
        """
        wire, self._wire = self._wire, None
        far, self._far = self._far, None
        if wire is not None:
            if far is not None and not self._strand.hasEnded:
                far.breakAtEnd()
            self._poller.forget(wire.fd)
            wire.close()


def pair(poller: Poller) -> tuple[socket.socket, socket.socket]:
    """
    Two sockets that are one another's other end, registered with the poller: whoever has one
    puts itself in place of the handler.

    @raise OSError: There are no sockets to be had.
    """
    both = socket.socketpair()
    try:
        for each in both:
            each.setblocking(False)
            poller.add(each.fileno(), unheard)
    except OSError:
        # epoll may refuse the second one (fs.epoll.max_user_watches).
        for each in both:
            poller.forget(each.fileno())
            each.close()
        raise
    return both
