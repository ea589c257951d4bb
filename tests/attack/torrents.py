"""
What enemies say by HTTP/2, made by hand: requests that nobody wants answered, answers that nobody
takes, frames that ask for nothing, and heads that do not end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smartproxy_tw.wire.frames import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LONG,
    MOST_WINDOW,
    PING,
    PREFACE,
    RST_STREAM,
    frame,
    reset,
    settings,
    windowUpdate,
)

from ..wire.conversations import Frame, block, framesOf

__all__ = ["TORRENTS", "Answers", "Torrent", "farewell", "starved", "whole"]

#: So many requests at a time may be on a connection.
STREAMS = 100
_FIELDS = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a.test")]
_START = PREFACE + settings({})


@dataclass(frozen=True)
class Torrent:
    """
    @ivar first: What is said once.
    @ivar again: What is said again and again, given a number that counts; nothing for who waits.
    @ivar isReading: Whether what is answered is read.
    @ivar pause: Seconds between one that is said again and the next; otherwise many are said at once.
    @ivar asks: How many answers it has wait for it.
    """

    first: bytes
    again: Callable[[int], bytes] | None = None
    isReading: bool = True
    pause: float = 0.0
    asks: int = 0


def _asks(stream: int, path: bytes, more: bytes = b"") -> bytes:
    fields = block(*_FIELDS, (b":path", path)) + more
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, fields)


def _all(path: bytes) -> bytes:
    return b"".join(_asks(2 * index + 1, path) for index in range(STREAMS))


def _bomb(index: int) -> bytes:
    """
    A field of nearly 4 KiB is put into the table, and then named a thousand times (RFC 7541
    sections 6.1 and 6.2.1).
    """
    size = 3900 - 127
    entry = b"\x40\x01a\x7f" + bytes((size % 128 + 128, size >> 7)) + b"x" * 3900
    return _asks(2 * index + 1, b"/", entry + b"\xbe" * 1000)


#: By name.
TORRENTS = {
    # Connections that are begun and nothing more, in the preface and in a head.
    "unbegun": Torrent(PREFACE[:10]),
    "halfHead": Torrent(_START + frame(HEADERS, 0, 1, block(*_FIELDS))),
    # All answers wait for windows that do not open, or for a reader.
    "closedWindows": Torrent(PREFACE + settings({INITIAL_WINDOW_SIZE: 0}) + _all(b"/"), asks=STREAMS),
    "unread": Torrent(
        PREFACE
        + settings({INITIAL_WINDOW_SIZE: MOST_WINDOW})
        + windowUpdate(0, 1 << 30)
        + _all(b"/big/1000000"),
        isReading=False,
        asks=STREAMS,
    ),
    # One byte of an answer is taken now and then, and the window that it waits for is another one each time.
    "inTurns": Torrent(
        _START + _asks(1, b"/big/30000000") + windowUpdate(0, 1),
        lambda index: windowUpdate(0, 2) if index % 2 else windowUpdate(1, 2),
        pause=1.2,
        asks=1,
    ),
    "rapidReset": Torrent(_START, lambda index: _asks(2 * index + 1, b"/") + reset(2 * index + 1, CANCEL)),
    "pings": Torrent(_START, lambda index: frame(PING, 0, 0, b"%08d" % index)),
    "continuation": Torrent(
        _START + frame(HEADERS, 0, 1, block(*_FIELDS)),
        lambda index: frame(CONTINUATION, 0, 1, block((b"x%d" % index, b"y"))),
    ),
    "bomb": Torrent(_START, _bomb),
}


class Answers:
    """
    Which of a server's answers have begun, and which of those are not over.

    @ivar begun: So many have.
    @ivar open: The streams of those that are not over.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.open: set[int] = set()

    def hear(self, frames: list[Frame]) -> None:
        """
        @param frames: What the server has said since the last time.
        """
        for each in frames:
            if each.kind == HEADERS and each.stream not in self.open:
                self.begun += 1
                self.open.add(each.stream)
            if each.kind == RST_STREAM or (each.kind in (HEADERS, DATA) and each.flags & END_STREAM):
                self.open.discard(each.stream)

    def areOver(self, asked: int) -> bool:
        """
        @return: Whether so many have begun, and none of them is left.
        """
        return self.begun >= asked and not self.open


def whole(said: bytearray) -> list[Frame]:
    """
    @param said: What a server has said, perhaps cut; whole frames are taken off.
    @return: Those.
    """
    end = 0
    while len(said) - end >= 9:
        after = end + 9 + int.from_bytes(said[end : end + 3], "big")
        if after > len(said):
            break
        end = after
    frames = framesOf(bytes(said[:end]))
    del said[:end]
    return frames


def farewell(frames: list[Frame]) -> int | None:
    """
    @return: The code of the last GOAWAY among them.
    """
    codes: list[int] = [LONG.unpack_from(each.payload, 4)[0] for each in frames if each.kind == GOAWAY]
    return codes[-1] if codes else None


def starved(frames: list[Frame]) -> int:
    """
    @return: How many answers were given up because the client did not take them.
    """
    return sum(each.kind == RST_STREAM and each.payload == LONG.pack(CANCEL) for each in frames)
