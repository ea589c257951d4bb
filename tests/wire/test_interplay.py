"""
Our HTTP/2 sessions and hyper's, talking to each other: whatever is asked and answered,
in whatever pieces, arrives as it was, with our decoder and encoder as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.events import AnswerBegan, Closed, Data, RequestBegan, Reset, Trailers
from smartproxy_tw.wire.hpack import Decoder, encodeHead, encodeStatus
from smartproxy_tw.wire.http2 import ClientSession, ServerSession

from ..examples import examples

_Fields = list[tuple[bytes, bytes]]


@dataclass
class Message:
    """
    What one side says on a stream.
    """

    pieces: list[bytes]
    padding: int | None = None
    hasLength: bool = False
    trailers: bool = False

    @property
    def body(self) -> bytes:
        """
        All of its body.
        """
        return b"".join(self.pieces)

    @property
    def more(self) -> _Fields:
        """
        Fields besides those that every head has.
        """
        return [(b"content-length", b"%d" % len(self.body))] if self.hasLength else []


@dataclass
class Heard:
    """
    What the other side heard of it.
    """

    heads: list[_Fields] = field(default_factory=list)
    body: bytes = b""
    trailers: _Fields | None = None
    isEnded: bool = False


_messages = st.builds(
    Message,
    st.lists(
        st.binary(max_size=40) | st.sampled_from((b"x" * 16384, b"y" * 16385, b"z" * 70000)),
        max_size=4,
    ),
    st.none() | st.integers(0, 255),
    st.booleans(),
    st.booleans(),
)
_pairs = st.lists(st.tuples(_messages, _messages), min_size=1, max_size=4)
_windows = st.sampled_from((65535, 70000, 1 << 20))
# Hyper's side may open its window late and by little.
_theirWindows = st.sampled_from((5000, 16384, 65535, 1 << 20))
_cuts = st.sampled_from((501, 9000, 16393, 200000))

TRAILERS: _Fields = [(b"checksum", b"abc")]


class HyperSide:
    """
    Hyper's side of a connection, which says what it has to as its windows allow.
    """

    def __init__(self, isClient: bool, window: int) -> None:
        self.line = H2Connection(H2Configuration(client_side=isClient, header_encoding=None))
        self.line.initiate_connection()
        self.line.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.heard: dict[int, Heard] = {}
        self.waiting: dict[int, tuple[bytearray, Message]] = {}

    def says(self, stream: int, message: Message) -> None:
        """
        Begin to say the rest of a message whose head was said.
        """
        self.waiting[stream] = (bytearray(message.body), message)

    def goesOn(self) -> None:
        """
        Say as much as is possible now.
        """
        for stream, (body, message) in list(self.waiting.items()):
            padding = message.padding
            while body:
                room = min(
                    self.line.local_flow_control_window(stream),
                    self.line.max_outbound_frame_size,
                    len(body) + 256,
                ) - (0 if padding is None else padding + 1)
                if room <= 0:
                    break
                self.line.send_data(stream, bytes(body[:room]), pad_length=padding)
                del body[:room]
            else:
                del self.waiting[stream]
                if message.trailers:
                    self.line.send_headers(stream, TRAILERS, end_stream=True)
                else:
                    self.line.end_stream(stream)

    def hears(self, data: bytes) -> list[int]:
        """
        Take what came, and give the windows back.

        @return: The streams whose message began.
        """
        began: list[int] = []
        for event in self.line.receive_data(data):
            assert not isinstance(event, (StreamReset, ConnectionTerminated)), event
            if isinstance(event, (RequestReceived, ResponseReceived, InformationalResponseReceived)):
                self.heard.setdefault(event.stream_id, Heard()).heads.append(
                    [(bytes(name), bytes(value)) for name, value in event.headers]
                )
                began.append(event.stream_id)
            elif isinstance(event, DataReceived):
                self.heard[event.stream_id].body += event.data
                self.line.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, TrailersReceived):
                self.heard[event.stream_id].trailers = [(bytes(a), bytes(b)) for a, b in event.headers]
            elif isinstance(event, StreamEnded):
                self.heard[event.stream_id].isEnded = True
        return began


class OurSide:
    """
    Our side of a connection, which keeps to what the session says.
    """

    def __init__(self, session: ServerSession | ClientSession) -> None:
        self.session = session
        self.heard: dict[int, Heard] = {}
        self.waiting: dict[int, tuple[list[bytes], bool]] = {}
        self.full: set[int] = set()

    def says(self, stream: int, message: Message) -> None:
        """
        Begin to say the rest of a message whose head was said.
        """
        self.waiting[stream] = (list(message.pieces), message.trailers)
        self.goesOn(stream)

    def goesOn(self, stream: int) -> None:
        """
        Say more on a stream, until it has enough.
        """
        if stream not in self.waiting:
            return
        pieces, hasTrailers = self.waiting[stream]
        while pieces:
            if not self.session.data(stream, pieces.pop(0)):
                self.full.add(stream)
                return
        del self.waiting[stream]
        if hasTrailers:
            self.session.trailers(stream, encodeHead(TRAILERS))
        else:
            self.session.data(stream, b"", True)

    def sends(self, limit: int) -> bytes:
        """
        What goes out now.
        """
        sent = self.session.outgoing(limit)
        for stream in self.session.taking():
            self.full.discard(stream)
            self.goesOn(stream)
        return sent

    def hears(self, data: bytes) -> list[int]:
        """
        Take what came.

        @return: The streams whose message began.
        """
        began: list[int] = []
        for event in self.session.receive(data):
            assert not isinstance(event, (Reset, Closed)), event
            if isinstance(event, (RequestBegan, AnswerBegan)):
                heard = self.heard.setdefault(event.stream, Heard())
                heard.heads.append(event.fields)
                heard.isEnded = event.isEnded
                began.append(event.stream)
            elif isinstance(event, Data):
                heard = self.heard[event.stream]
                heard.body += event.data
                heard.isEnded = event.isEnded
                self.session.credit(event.stream, event.credit)
            elif isinstance(event, Trailers):
                self.heard[event.stream].trailers = event.fields
                self.heard[event.stream].isEnded = True
        return began


class InterplayTests(SynchronousTestCase):
    """
    Both roles.
    """

    def assertHeard(self, heard: Heard, message: Message, heads: list[_Fields]) -> None:
        """
        What arrived is what was said.
        """
        self.assertEqual(heard.heads, heads)
        self.assertEqual(len(heard.body), len(message.body))
        self.assertTrue(heard.body == message.body)
        self.assertTrue(heard.isEnded)
        self.assertEqual(heard.trailers, TRAILERS if message.trailers else None)

    @examples(75)
    @given(_pairs, _windows, _theirWindows, _cuts, _cuts)
    def test_server(
        self, pairs: list[tuple[Message, Message]], ourWindow: int, theirWindow: int, cut: int, limit: int
    ) -> None:
        """
        Hyper asks, our side answers, with an interim answer before.
        """
        ours = OurSide(ServerSession(Decoder(), window=ourWindow))
        theirs = HyperSide(True, theirWindow)
        asked: dict[int, _Fields] = {}
        for number, (message, _) in enumerate(pairs):
            stream = 2 * number + 1
            asked[stream] = [
                (b":method", b"POST"),
                (b":scheme", b"https"),
                (b":authority", b"shop.example"),
                (b":path", b"/%d" % (number % 2)),
                *message.more,
            ]
            theirs.line.send_headers(stream, asked[stream])
            theirs.says(stream, message)
        while True:
            theirs.goesOn()
            sent = theirs.line.data_to_send()
            for at in range(0, len(sent), cut):
                for stream in ours.hears(sent[at : at + cut]):
                    answer = pairs[stream >> 1][1]
                    ours.session.head(stream, encodeHead([(b":status", b"103"), (b"link", b"</a>")]))
                    ours.session.head(stream, encodeHead([(b":status", b"200"), *answer.more]))
                    ours.says(stream, answer)
            answered = ours.sends(limit)
            theirs.hears(answered)
            if not sent and not answered:
                break
        early = [(b":status", b"103"), (b"link", b"</a>")]
        for number, (message, answer) in enumerate(pairs):
            stream = 2 * number + 1
            self.assertHeard(ours.heard[stream], message, [asked[stream]])
            self.assertHeard(theirs.heard[stream], answer, [early, [(b":status", b"200"), *answer.more]])
        self.assertTrue(ours.session.isIdle)
        self.assertEqual(ours.full, set())
        self.assertEqual(encodeStatus(200), b"\x88")

    @examples(75)
    @given(_pairs, _windows, _theirWindows, _cuts, _cuts)
    def test_client(
        self, pairs: list[tuple[Message, Message]], ourWindow: int, theirWindow: int, cut: int, limit: int
    ) -> None:
        """
        Our side asks, hyper answers.
        """
        client = ClientSession(Decoder(), window=ourWindow)
        ours = OurSide(client)
        theirs = HyperSide(False, theirWindow)
        # Hyper's side does not recover from data that come before a smaller window is known.
        ours.hears(theirs.line.data_to_send())
        theirs.hears(client.outgoing())
        asked: dict[int, _Fields] = {}
        for message, _ in pairs:
            fields = [
                (b":method", b"POST"),
                (b":scheme", b"http"),
                (b":authority", b"origin"),
                (b":path", b"/a"),
                *message.more,
            ]
            stream = client.request(encodeHead(fields))
            asked[stream] = fields
            ours.says(stream, message)
        while True:
            sent = ours.sends(limit)
            for at in range(0, len(sent), cut):
                for stream in theirs.hears(sent[at : at + cut]):
                    answer = pairs[stream >> 1][1]
                    theirs.line.send_headers(stream, [(b":status", b"200"), *answer.more])
                    theirs.says(stream, answer)
            theirs.goesOn()
            answered = theirs.line.data_to_send()
            for at in range(0, len(answered), cut):
                ours.hears(answered[at : at + cut])
            if not sent and not answered:
                break
        for number, (message, answer) in enumerate(pairs):
            stream = 2 * number + 1
            self.assertHeard(theirs.heard[stream], message, [asked[stream]])
            self.assertHeard(ours.heard[stream], answer, [[(b":status", b"200"), *answer.more]])
        self.assertTrue(client.isIdle)
        self.assertEqual(ours.full, set())
