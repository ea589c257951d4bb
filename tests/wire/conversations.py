"""
Conversations in HTTP/2: one side is ours, the other is played frame by frame.
"""

from __future__ import annotations

from typing import NamedTuple

from hpack import Decoder as HyperDecoder
from hpack import HPACKError, OversizedHeaderListError
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.events import Closed, Event, Fields, Reset
from smartproxy_tw.wire.frames import (
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADER,
    HEADERS,
    LONG,
    PREFACE,
    RST_STREAM,
    frame,
    settings,
)
from smartproxy_tw.wire.hpack import BadBlock, TooLarge
from smartproxy_tw.wire.http2 import ClientSession, ServerSession

__all__ = ["ASK", "OK", "Conversation", "Frame", "HyperFields", "block", "data", "framesOf", "head"]


class HyperFields:
    """
    Decodes as hyper's library does, so that these tests depend on no decoder of ours.
    """

    def __init__(self, most: int = 65536) -> None:
        self._decoder = HyperDecoder(max_header_list_size=most)
        self._known: dict[bytes, Fields] = {}

    def decode(self, block: bytes) -> Fields:
        # What meant something while its table was empty, and left it so, means that still; floods of
        # one request spent their time here.
        isEmpty = not self._decoder.header_table.dynamic_entries
        if isEmpty and block in self._known:
            return list(self._known[block])
        try:
            found = [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError as why:
            raise TooLarge("too large") from why
        except HPACKError as why:
            raise BadBlock("no block") from why
        if isEmpty and not self._decoder.header_table.dynamic_entries and block[:1] == b"\0":
            self._known[block] = list(found)
        return found


def block(*fields: tuple[bytes, bytes]) -> bytes:
    """
    Encode fields as literals without indexing.
    """
    return b"".join(
        [b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value for name, value in fields]
    )


#: A request, and an answer.
ASK = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"shop.example"), (b":path", b"/")]
OK = [(b":status", b"200")]


def head(
    stream: int, *more: tuple[bytes, bytes], isEnd: bool = False, fields: Fields = ASK, flags: int = 0
) -> bytes:
    """
    HEADERS with a whole head.

    @param more: Further fields.
    """
    flags |= END_HEADERS | (END_STREAM if isEnd else 0)
    return frame(HEADERS, flags, stream, block(*fields, *more))


def data(stream: int, payload: bytes = b"", isEnd: bool = False) -> bytes:
    """
    DATA without padding.
    """
    return frame(0, END_STREAM if isEnd else 0, stream, payload)


class Frame(NamedTuple):
    """
    A frame that was sent.
    """

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def number(self) -> int:
        """
        The last four bytes.
        """
        number: int = LONG.unpack(self.payload[-4:])[0]
        return number


def framesOf(sent: bytes) -> list[Frame]:
    """
    Take apart what was sent; it must consist of whole frames.
    """
    found: list[Frame] = []
    if sent.startswith(PREFACE):
        sent = sent[len(PREFACE) :]
    while sent:
        word, flags, stream = HEADER.unpack_from(sent)
        end = 9 + (word >> 8)
        assert len(sent) >= end, sent
        assert word >> 8 <= 16384
        found.append(Frame(word & 255, flags, stream, sent[9:end]))
        sent = sent[end:]
    return found


class Conversation(SynchronousTestCase):
    """
    A server of ours that has been greeted, and a client.
    """

    def setUp(self) -> None:
        self.meetsClient()

    def meetsClient(self, settingsOfPeer: dict[int, int] | None = None, **options: int) -> ServerSession:
        """
        Given is a server whose client has sent its preface.
        """
        self.session: ServerSession | ClientSession
        self.session = server = ServerSession(HyperFields(), **options)
        server.receive(PREFACE + settings(settingsOfPeer or {}) + frame(4, 1, 0))
        self.says()
        return server

    def meetsServer(self, settingsOfPeer: dict[int, int] | None = None, **options: int) -> ClientSession:
        """
        Given is a client whose server has sent its preface.
        """
        self.session = client = ClientSession(HyperFields(), **options)
        client.receive(settings(settingsOfPeer or {}) + frame(4, 1, 0))
        self.says()
        return client

    def hears(self, *frames: bytes) -> list[Event]:
        """
        The peer sends.
        """
        return self.session.receive(b"".join(frames))

    def says(self) -> list[Frame]:
        """
        What our side sends.
        """
        return framesOf(self.session.outgoing())

    def assertFails(self, code: int, *frames: bytes) -> str:
        """
        The last of these frames, and only that, ends the connection with a code.

        @return: The reason.
        """
        for each in frames[:-1]:
            self.hears(each)
            self.assertFalse(self.session.isClosed, each)
        events = self.hears(frames[-1])
        closed = events[-1] if events else None
        assert isinstance(closed, Closed), events
        self.assertEqual((closed.code, closed.isOurs), (code, True), closed)
        self.assertTrue(closed.reason.isprintable())
        self.assertTrue(self.session.isClosed)
        last = self.says()[-1]
        self.assertEqual((last.kind, last.stream), (GOAWAY, 0))
        self.assertEqual(LONG.unpack(last.payload[4:8])[0], code)
        self.assertEqual(self.hears(frames[-1]), [])
        self.assertEqual(self.says(), [])
        return closed.reason

    def assertResets(self, code: int, stream: int, *frames: bytes, isKnown: bool = True) -> None:
        """
        The last of these frames, and only that, resets a stream with a code; the
        connection goes on.

        @param isKnown: Whether the stream was announced before, so that its end is too.
        """
        for each in frames[:-1]:
            self.hears(each)
        self.assertNotIn(RST_STREAM, [each.kind for each in self.says()])
        events = self.hears(frames[-1])
        self.assertFalse(self.session.isClosed, events)
        resets = [each for each in self.says() if each.kind == RST_STREAM]
        self.assertEqual([(each.stream, each.number) for each in resets], [(stream, code)])
        told = [each for each in events if isinstance(each, Reset)]
        self.assertEqual(told, [Reset(stream, code, True)] if isKnown else [])
        self.assertNotIn(stream, self.session.streams)
