"""
The dispatch of a strand is its request on the way to the target: what the exchange hands
over in the form of HTTP/1 goes out by frames, the head as a block of fields and the body
without its chunks.

What was handed over is kept, up to 64 KiB, for as long as the target may yet refuse to act
on it.

This is hot: one is made for each exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.hpack import encodeLines
from ..wire.http1 import CHUNKED, Chunks
from ..wire.translation import blockOf, connectOf

if TYPE_CHECKING:
    from ..wire.http1 import Request
    from .strand import Strand

__all__ = ["Dispatch"]

# So much of a request is kept until its answer begins, in bytes.
_KEPT = 65536


class Dispatch:
    """
    That of one strand.

    @ivar kept: All that was handed over; L{None} when it was too much, or is not needed any
        more.
    """

    __slots__ = ("_chunks", "_due", "_room", "_strand", "kept")

    def __init__(self, strand: Strand, data: bytes) -> None:
        """
        @param data: The request's head, and as much of its body as there is.
        """
        self._strand = strand
        self._due = 0
        self._chunks: Chunks | None = None
        self.kept: list[bytes] | None = [data]
        self._room = _KEPT - len(data)

    def begin(self, data: bytes, request: Request) -> None:
        """
        Open the stream.

        @param data: As before.
        @param request: What it is.
        """
        strand = self._strand
        trunk = strand.trunk
        at = data.index(b"\r\n\r\n")
        length = request.length
        trunk.begin(strand, blockOf(data[: at + 2], trunk.scheme), not length, request.method == b"HEAD")
        if length:
            self._due = length
            if length == CHUNKED:
                self._chunks = Chunks()
            if len(data) > at + 4:
                self._send(data[at + 4 :])

    def change(self, protocol: bytes) -> None:
        """
        Open the stream for another protocol.

        @param protocol: Its name.
        """
        assert self.kept is not None
        head = self.kept[0]
        trunk = self._strand.trunk
        block = connectOf(head[: head.index(b"\r\n\r\n") + 2], trunk.scheme, protocol)
        trunk.begin(self._strand, block, False, False, True)

    def write(self, data: bytes) -> None:
        """
        Send more of the body.

        @param data: As HTTP/1 has it.
        """
        if self.kept is not None:
            self._room -= len(data)
            if self._room < 0:
                self.kept = None
            else:
                self.kept.append(data)
        self._send(data)

    def _send(self, data: bytes) -> None:
        chunks = self._chunks
        trailers = b""
        if chunks is None:
            self._due -= len(data)
            isEnd = self._due <= 0
        else:
            payload: list[bytes] = []
            chunks.feed(data, payload)
            data = b"".join(payload)
            isEnd = chunks.isDone
            trailers = chunks.trailers
        strand = self._strand
        if data or isEnd:
            strand.say(data, isEnd and not trailers)
        if trailers:
            strand.trunk.session.trailers(strand.number, encodeLines(trailers))
            strand.trunk.touch()
