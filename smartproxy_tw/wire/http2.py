"""
HTTP/2 sessions (RFC 9113): one for each side of a connection, without the connection.

What was received goes in, events come out (L{smartproxy_tw.wire.events}); heads and data
go in, what is to be sent comes out, for one C{send} after each wake-up::

    for event in session.receive(data):
        ...
    line.send(session.outgoing())
    for stream in session.taking():
        ...

Sessions start with prior knowledge, by ALPN or in the clear; C{Upgrade: h2c} is not
offered.  Nothing is pushed, and no push is taken.  Priorities are passed over, which
SETTINGS_NO_RFC7540_PRIORITIES says.  Fields are handed over as they came; only what
decides the framing of a message is held against its rules here: the length of a body,
the status of an answer, and that trailers are trailers.

The parts: L{smartproxy_tw.wire.flow} sends, L{smartproxy_tw.wire.connection} deals with
what is about the connection, L{smartproxy_tw.wire.session} reads,
L{smartproxy_tw.wire.floods} says how much is too much.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from .events import AnswerBegan, Fields, HeadTooLarge, RequestBegan, Trailers
from .floods import ASIDE, OVERSIZE
from .flow import UNANSWERED, UNANSWERED_BARE, UNANSWERED_TUNNEL, UNKNOWN, Stream
from .frames import (
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    ENHANCE_YOUR_CALM,
    MAX_CONCURRENT_STREAMS,
    MAX_HEADER_LIST_SIZE,
    MOST_WINDOW,
    NO_RFC7540_PRIORITIES,
    PREFACE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    Fault,
)
from .session import ABSURD, Decodes, Session, bodyLength

__all__ = ["MOST_STREAMS", "STREAM_WINDOW", "ClientSession", "ServerSession"]

#: Streams that a client may have open at once.
MOST_STREAMS: Final = 100
#: What the other side may send on a stream before it is taken, in bytes: 128 KiB.
STREAM_WINDOW: Final = 131072

# Until a server has said how many streams it takes (section 6.5.2 recommends no fewer).
_USUAL_STREAMS = 100
# So many gaps in the numbers of a client's streams are remembered.
_MOST_GAPS = 32


class ServerSession(Session):
    """
    The server's side of a connection.
    """

    _isServer = True
    _greeting = PREFACE

    def __init__(
        self,
        decoder: Decodes,
        streams: int = MOST_STREAMS,
        window: int = STREAM_WINDOW,
        headBytes: int = 65536,
        allowsConnect: bool = True,
    ) -> None:
        """
        @param decoder: For the client's fields; with a table of the usual 4096 bytes.
        @param streams: So many may be open at once.
        @param window: What the client may send on each before it is taken, in bytes.
        @param headBytes: What the decoder takes of a head, in bytes (RFC 9113 section
            10.5.1); it is only announced here.
        @param allowsConnect: Whether extended CONNECT is offered (RFC 8441).
        @raise ValueError: The window is too small or too large.
        """
        ours = {MAX_CONCURRENT_STREAMS: streams, MAX_HEADER_LIST_SIZE: headBytes, NO_RFC7540_PRIORITIES: 1}
        if allowsConnect:
            ours[ENABLE_CONNECT_PROTOCOL] = 1
        super().__init__(decoder, window, ours)
        self._last = -1
        self._most = streams
        self._gaps: deque[range] = deque(maxlen=_MOST_GAPS)
        # The fields of the last request, and the length that they told.
        self._fields: Fields = []
        self._length = UNKNOWN

    def _began(self, stream: int, fields: Fields, isEnded: bool) -> None:
        if not self._opens(stream, isEnded):
            return
        if fields is self._fields:
            # A decoder gives the same list for the same block.
            length = self._length
        else:
            length = self._length = bodyLength(fields)
            self._fields = fields
        if length == ABSURD or (isEnded and length > 0):
            self._reject(stream, PROTOCOL_ERROR, isEnded, self._streamWindow)
            return
        self.streams[stream] = Stream(stream, isEnded, self._streamWindow, self._initial, length)
        self._events.append(RequestBegan(stream, fields, isEnded))

    def _opens(self, stream: int, isEnded: bool) -> bool:
        """
        Whether HEADERS begin a stream that we take (section 5.1.1).
        """
        last = self._last
        if stream <= last or not stream & 1:
            if not stream & 1 or any(stream in each for each in self._gaps):
                raise Fault(PROTOCOL_ERROR, f"a request on stream {stream}")
            self._strayHead(stream, isEnded)
            return False
        if stream != last + 2:
            self._gaps.append(range(last + 2, stream))
        self._last = stream
        if self._promised is not None:
            # Section 6.8: the client knows by GOAWAY that it was not taken.
            if not isEnded:
                self._ignore(stream, self._streamWindow)
            self._purse.spend(ASIDE, "a request after GOAWAY")
            return False
        if len(self.streams) + self._departed >= self._most:
            self._reject(stream, REFUSED_STREAM, isEnded, self._streamWindow)
            return False
        return True

    def _followed(self, found: Stream, fields: Fields, isEnded: bool) -> None:
        if not isEnded or found.length > 0 or not _areTrailers(fields):
            found.hasEnded = isEnded
            self._refuse(found, PROTOCOL_ERROR)
            return
        self._events.append(Trailers(found.number, fields))
        self._ended(found)

    def _tooLarge(self, stream: int, isEnded: bool) -> None:
        found = self.streams.get(stream)
        if found is not None:
            found.hasEnded = found.hasEnded or isEnded
            self._refuse(found, ENHANCE_YOUR_CALM)
        elif self._opens(stream, isEnded):
            self.streams[stream] = Stream(stream, isEnded, self._streamWindow, self._initial, UNKNOWN)
            self._events.append(HeadTooLarge(stream, isEnded))
            self._purse.spend(OVERSIZE, "a head that is too large")

    def _isNew(self, stream: int) -> bool:
        return stream > self._last or not stream & 1


class ClientSession(Session):
    """
    The client's side of a connection.

    @ivar allowsConnect: Whether the server offers extended CONNECT (RFC 8441).
    """

    _isServer = False
    _greeting = b""

    def __init__(self, decoder: Decodes, window: int = STREAM_WINDOW, headBytes: int = 65536) -> None:
        """
        @param decoder: For the server's fields; with a table of the usual 4096 bytes.
        @param window: What the server may send on each stream before it is taken, in bytes.
        @param headBytes: What the decoder takes of a head, in bytes; it is only announced
            here.
        @raise ValueError: The window is too small or too large.
        """
        super().__init__(
            decoder, window, {ENABLE_PUSH: 0, MAX_HEADER_LIST_SIZE: headBytes, NO_RFC7540_PRIORITIES: 1}
        )
        self._out.insert(0, PREFACE)
        self.allowsConnect = False
        self._next = 1

    @property
    def canRequest(self) -> bool:
        """
        Whether the server takes a request now: neither side is leaving, and the server
        allows one more stream.
        """
        return (
            self._leaving is None
            and self._promised is None
            and not self.isClosed
            and self._next <= MOST_WINDOW
            and len(self.streams) < self.peer.get(MAX_CONCURRENT_STREAMS, _USUAL_STREAMS)
        )

    def request(
        self, block: bytes, isEnd: bool = False, isHead: bool = False, isConnect: bool = False
    ) -> int:
        """
        Begin a request; its body goes on by C{data}.

        @param block: Its fields, encoded without use of a dynamic table.
        @param isEnd: Whether it has no body.
        @param isHead: Whether its method is HEAD: the answer has no body.
        @param isConnect: Whether its method is CONNECT: what follows a 2xx is no body, and the
            length that this may say it has means nothing (RFC 9110 section 9.3.6).
        @return: Its stream.
        @raise ValueError: The server does not take it, see L{canRequest}.
        """
        if not self.canRequest:
            raise ValueError("a request that the server does not take")
        stream = self._next
        self._next = stream + 2
        length = UNANSWERED_BARE if isHead else UNANSWERED_TUNNEL if isConnect else UNANSWERED
        self.streams[stream] = Stream(stream, False, self._streamWindow, self._initial, length)
        self.head(stream, block, isEnd)
        return stream

    def _settled(self, values: dict[int, int]) -> None:
        allows = values.get(ENABLE_CONNECT_PROTOCOL)
        if allows is not None:
            if self.allowsConnect and not allows:
                # RFC 8441 section 3.
                raise Fault(PROTOCOL_ERROR, "extended CONNECT that is no longer offered")
            self.allowsConnect = allows == 1

    def _began(self, stream: int, fields: Fields, isEnded: bool) -> None:
        self._strayHead(stream, isEnded)

    def _followed(self, found: Stream, fields: Fields, isEnded: bool) -> None:
        if found.length >= UNKNOWN:
            if isEnded and found.length <= 0 and _areTrailers(fields):
                self._events.append(Trailers(found.number, fields))
                self._ended(found)
                return
        elif self._answered(found, fields, isEnded):
            return
        found.hasEnded = isEnded
        self._refuse(found, PROTOCOL_ERROR)

    def _answered(self, found: Stream, fields: Fields, isEnded: bool) -> bool:
        """
        Take an answer's head, or an interim one (section 8.1).

        @return: Whether it may be so.
        """
        name, status = fields[0] if fields else (b"", b"")
        if name != b":status" or len(status) != 3 or not status.isdigit() or not b"100" <= status <= b"599":
            return False
        number = found.number
        if status < b"200":
            # Section 8.6: there is no 101, and an interim answer ends nothing.
            if isEnded or status == b"101":
                return False
            self._events.append(AnswerBegan(number, fields, False, True))
            return True
        length = bodyLength(fields)
        if length == ABSURD:
            return False
        if found.length == UNANSWERED_TUNNEL and status < b"300":
            length = UNKNOWN
        elif found.length == UNANSWERED_BARE or status == b"304" or status == b"204":
            length = 0
        if isEnded and length > 0:
            return False
        found.length = length
        self._events.append(AnswerBegan(number, fields, isEnded, False))
        if isEnded:
            self._ended(found)
        return True

    def _tooLarge(self, stream: int, isEnded: bool) -> None:
        found = self.streams.get(stream)
        if found is None:
            self._strayHead(stream, isEnded)
            return
        found.hasEnded = found.hasEnded or isEnded
        self._refuse(found, ENHANCE_YOUR_CALM)

    def _isNew(self, stream: int) -> bool:
        return stream >= self._next or not stream & 1


def _areTrailers(fields: Fields) -> bool:
    """
    Whether fields may follow a body: none is a pseudo-header (section 8.1).
    """
    return not any(name.startswith(b":") for name, _ in fields)
