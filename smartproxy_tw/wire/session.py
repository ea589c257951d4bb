"""
The receiving half of an HTTP/2 session, whichever side it is on: bytes in, events out
(RFC 9113).

One pass over what came: each frame's header is unpacked where it lies, its payload is
one slice, and HEADERS and DATA are told apart before all others.  A frame is acted on
when it is complete, so the same bytes give the same events however they are cut; what its
header alone makes wrong is refused at once.

Errors are of two kinds.  Those of the connection are a L{Fault}, which is caught in one
place: GOAWAY, L{Closed}, and nothing is read any more.  Those of a stream reset it.
Where the RFC leaves the choice: frames on a stream that is closed are an error of the
connection, unless we closed it while the peer could still send; those of such a stream
are passed over as far as its window went, for the last 256 streams.

Bounds on memory: a frame of 16 KiB, or a head of nine, is kept until it is complete.  Data
are handed on at once; what the caller has and has not given back is at most the stream's
window for each stream (128 KiB times 100 unless set otherwise).  The connection's window
is given back as soon as data were handed on, so that one slow body does not stop others.

This is hot: see L{smartproxy_tw.wire.flow}.
"""

from __future__ import annotations

from typing import Final, Protocol

from .connection import Connection
from .events import Data, Event, Fields
from .floods import ASIDE, MOST_CONTINUATIONS, MOST_REPLIES, USEFUL
from .flow import ENDED, UNKNOWN, Stream
from .frames import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    HEADER,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MOST_WINDOW,
    PADDED,
    PRIORITY_FLAG,
    PROTOCOL_ERROR,
    SETTINGS,
    STREAM_CLOSED,
    USUAL_WINDOW,
    Fault,
    settings,
    windowUpdate,
)
from .hpack import BadBlock, TooLarge

__all__ = ["ABSURD", "CONNECTION_WINDOW", "Decodes", "Session", "bodyLength"]

#: What may be on its way to us on all streams together, in bytes.
CONNECTION_WINDOW: Final = 1 << 20
#: A length that can't be.
ABSURD: Final = -4

_unpack = HEADER.unpack_from


class Decodes(Protocol):
    """
    What turns blocks of the peer into fields, such as L{smartproxy_tw.wire.hpack.Decoder}.
    """

    def decode(self, block: bytes) -> Fields:
        """
        @raise BadBlock: It can't be read, and with it no later one.
        @raise TooLarge: Its fields are too long or too many; later ones can be read.
        """


def bodyLength(fields: Fields) -> int:
    """
    Read the length of a body from its head (section 8.1.1).

    @return: L{UNKNOWN} when it says nothing, L{ABSURD} when what it says can't be.
    """
    length = UNKNOWN
    for name, value in fields:
        if name == b"content-length":
            if length != UNKNOWN or not value.isdigit() or len(value) > 18:
                return ABSURD
            length = int(value)
    return length


class Session(Connection):
    """
    What both roles have in common.  It is told what was received and gives what is to be
    sent; it is not told when the connection ends.
    """

    _greeting: bytes

    def __init__(self, decoder: Decodes, window: int, ours: dict[int, int]) -> None:
        super().__init__()
        if not USUAL_WINDOW <= window <= MOST_WINDOW:
            # A smaller one would hold only after the peer's acknowledgement.
            raise ValueError(f"a stream's window of {window} bytes; at least {USUAL_WINDOW} are needed")
        self._decode = decoder.decode
        # The beginning of a frame, how long it has to be, and whether the preface is over.
        self._rest = bytearray()
        self._need = 9
        self._isGreeted = False
        # A head that goes on in CONTINUATION: its parts, its stream, and whether that ends with it.
        self._parts: list[bytes] | None = None
        self._partsOf = 0
        self._isPartsEnd = False
        # What a stream may send us, what the connection may, and what of it is to be given back.
        self._streamWindow = window
        self._left = max(CONNECTION_WINDOW, window)
        self._owed = 0
        self._isWide = False
        self._enough = window >> 1
        self._first = settings({INITIAL_WINDOW_SIZE: window, **ours})
        self._out.append(self._first)
        self._out.append(windowUpdate(0, self._left - USUAL_WINDOW))

    def receive(self, data: bytes) -> list[Event]:
        """
        Take what the peer sent.

        @param data: It, cut anywhere.
        @return: What it means, in order.  Ask C{outgoing} afterwards: there may be replies.
        """
        if self.isClosed:
            return []
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._need:
                return []
            data = bytes(rest)
            rest.clear()
        at = 0
        try:
            if self._purse.left < 0 or self._replies > MOST_REPLIES:
                raise Fault(ENHANCE_YOUR_CALM, "too many streams to reset, or replies that nobody reads")
            if not self._isGreeted:
                at = self._greet(data)
                if at < 0:
                    return []
            size = len(data)
            need = 9
            while size - at >= 9:
                word, flags, stream = _unpack(data, at)
                if word > 0x4000FF:
                    raise Fault(FRAME_SIZE_ERROR, f"a frame of {word >> 8} bytes")
                end = at + 9 + (word >> 8)
                if end > size:
                    need = end - at
                    break
                kind = word & 255
                if self._parts is not None or kind == CONTINUATION:
                    self._takeContinuation(kind, flags, stream & MOST_WINDOW, data[at + 9 : end])
                elif kind > HEADERS:
                    self._takeOther(kind, flags, stream & MOST_WINDOW, data[at + 9 : end])
                elif kind:
                    self._takeHead(flags, stream & MOST_WINDOW, data[at + 9 : end])
                else:
                    self._takeData(flags, stream & MOST_WINDOW, data[at + 9 : end])
                at = end
            if at < size:
                self._rest += data[at:]
                self._need = need
        except Fault as fault:
            self._fail(fault)
        events = self._events
        self._events = []
        return events

    def credit(self, stream: int, size: int) -> None:
        """
        Let the peer send more of a body.

        @param stream: Its number; on one that is closed, or has ended, nothing happens.
        @param size: Bytes of L{Data.credit} that were taken.
        """
        found = self.streams.get(stream)
        if found is None or found.hasEnded:
            return
        owed = found.owed + size
        if owed >= self._enough:
            self._replies += 1
            self._out.append(windowUpdate(stream, owed))
            found.left += owed
            owed = 0
        found.owed = owed

    def spare(self, stream: int, size: int) -> None:
        """
        Let the peer send the rest of a body that nobody keeps, all of it at once: some peers hear
        nothing any more when they have their answer, and would wait for windows for ever.  So
        this goes before all that is to be sent, as the end of the answer may be.

        The connection's window is opened by as much, once for all.  What may be kept is
        bounded by the windows of streams.

        @param stream: Its number; on one that is closed, or has ended, nothing happens.
        @param size: Bytes of the rest.  No L{Data.credit} of it is to be given back.
        """
        found = self.streams.get(stream)
        if found is None or found.hasEnded:
            return
        found.left += size
        out = self._out
        # Nothing comes before our settings (section 3.4).
        at = 1 if out and out[0] is self._first else 0
        out.insert(at, windowUpdate(stream, size))
        if not self._isWide:
            self._isWide = True
            self._left += size
            out.insert(at, windowUpdate(0, size))

    @property
    def isAmidst(self) -> bool:
        """
        Whether a frame or a head has begun to come, and is not complete.
        """
        return bool(self._rest) or self._parts is not None

    def _greet(self, data: bytes) -> int:
        """
        See whether the connection begins as it should (section 3.4).

        @return: Where the first frame begins; -1 while that is not known.
        """
        preface = self._greeting
        if not data.startswith(preface[: len(data)]):
            raise Fault(PROTOCOL_ERROR, "the connection does not begin as HTTP/2 does")
        if len(data) < len(preface) + 9:
            self._rest += data
            self._need = len(self._rest) + 1
            return -1
        word, flags, _ = _unpack(data, len(preface))
        if word & 255 != SETTINGS or flags & ACK:
            raise Fault(PROTOCOL_ERROR, "the first frame is not SETTINGS")
        self._isGreeted = True
        return len(preface)

    def _takeData(self, flags: int, stream: int, payload: bytes) -> None:
        """
        DATA (section 6.1).
        """
        size = len(payload)
        if flags & PADDED:
            payload = _unpadded(payload)
        left = self._left - size
        if left < 0:
            raise Fault(FLOW_CONTROL_ERROR, "more data than the connection's window has")
        owed = self._owed + size
        if owed >= CONNECTION_WINDOW >> 1:
            self._replies += 1
            self._out.append(windowUpdate(0, owed))
            left += owed
            owed = 0
        self._left = left
        self._owed = owed
        found = self.streams.get(stream)
        if found is None or found.hasEnded:
            self._strayData(found, stream, size, flags)
            return
        found.left -= size
        if found.left < 0:
            self._refuse(found, FLOW_CONTROL_ERROR)
            return
        body = len(payload)
        isEnded = flags & END_STREAM == END_STREAM
        if found.length != UNKNOWN:
            found.length -= body
            if found.length < 0 or (isEnded and found.length):
                found.hasEnded = isEnded
                self._refuse(found, PROTOCOL_ERROR)
                return
        if isEnded:
            self._events.append(Data(stream, payload, body, True))
            self._ended(found)
            return
        if body:
            if body >= USEFUL:
                self._purse.earn(1)
            self._events.append(Data(stream, payload, body, False))
        else:
            self._purse.spend(ASIDE, "DATA without any")
        if body < size:
            self.credit(stream, size - body)

    def _takeHead(self, flags: int, stream: int, payload: bytes) -> None:
        """
        HEADERS (section 6.2).
        """
        if flags & (PADDED | PRIORITY_FLAG):
            if flags & PADDED:
                payload = _unpadded(payload)
            if flags & PRIORITY_FLAG:
                # Nobody heeds it any more (section 5.3.2).
                if len(payload) < 5:
                    raise Fault(FRAME_SIZE_ERROR, "HEADERS that are too short for their priority")
                payload = payload[5:]
        if not stream:
            raise Fault(PROTOCOL_ERROR, "HEADERS on stream 0")
        if flags & END_HEADERS:
            self._takeBlock(stream, payload, flags & END_STREAM == END_STREAM)
        else:
            self._parts = [payload]
            self._partsOf = stream
            self._isPartsEnd = flags & END_STREAM == END_STREAM

    def _takeBlock(self, stream: int, block: bytes, isEnded: bool) -> None:
        """
        A complete head, or trailers.
        """
        try:
            fields = self._decode(block)
        except TooLarge:
            self._tooLarge(stream, isEnded)
            return
        except BadBlock as why:
            raise Fault(COMPRESSION_ERROR, str(why)) from why
        found = self.streams.get(stream)
        if found is None:
            self._began(stream, fields, isEnded)
        elif found.hasEnded:
            self._refuse(found, STREAM_CLOSED)
        else:
            self._followed(found, fields, isEnded)

    def _began(self, stream: int, fields: Fields, isEnded: bool) -> None:
        """
        A head on a stream that is not open.
        """
        raise NotImplementedError

    def _followed(self, found: Stream, fields: Fields, isEnded: bool) -> None:
        """
        A further head on a stream that is open.
        """
        raise NotImplementedError

    def _tooLarge(self, stream: int, isEnded: bool) -> None:
        """
        A head whose fields are more than we take, on any stream.
        """
        raise NotImplementedError

    def _takeContinuation(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """
        What comes after HEADERS that were not the whole head (section 6.10).
        """
        parts = self._parts
        if parts is None or kind != CONTINUATION or stream != self._partsOf:
            raise Fault(PROTOCOL_ERROR, "a head and its CONTINUATION do not belong together")
        parts.append(payload)
        if len(parts) > MOST_CONTINUATIONS + 1:
            raise Fault(ENHANCE_YOUR_CALM, f"more than {MOST_CONTINUATIONS} CONTINUATION frames")
        if flags & END_HEADERS:
            self._parts = None
            self._takeBlock(stream, b"".join(parts), self._isPartsEnd)

    def _strayData(self, found: Stream | None, stream: int, size: int, flags: int) -> None:
        """
        DATA on a stream that the peer may not send on.
        """
        if found is not None:
            self._refuse(found, STREAM_CLOSED)
            return
        gone = self._gone
        if stream not in gone:
            raise self._misplaced("DATA", stream)
        gone[stream] -= size
        if gone[stream] < 0:
            raise Fault(FLOW_CONTROL_ERROR, f"more data than the window of stream {stream} had")
        if flags & END_STREAM:
            del gone[stream]
        if size < USEFUL:
            self._purse.spend(ASIDE, "DATA on a stream that was reset")

    def _strayHead(self, stream: int, isEnded: bool) -> None:
        """
        HEADERS on a stream that is closed.
        """
        if stream not in self._gone:
            raise self._misplaced("HEADERS", stream)
        if isEnded:
            del self._gone[stream]
        self._purse.spend(ASIDE, "HEADERS on a stream that was reset")

    def _ended(self, found: Stream) -> None:
        """
        The peer's side of a stream has ended.
        """
        found.hasEnded = True
        if found.sending == ENDED:
            self._complete(found, found.number in self._ending)


def _unpadded(payload: bytes) -> bytes:
    """
    Take the padding off (section 6.1).
    """
    if not payload or payload[0] >= len(payload):
        raise Fault(PROTOCOL_ERROR, "padding that is longer than its frame")
    return payload[1 : len(payload) - payload[0]]
