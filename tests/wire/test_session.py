"""
Tests for L{smartproxy_tw.wire.session}.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from smartproxy_tw.wire.events import Closed, Data, Event, RequestBegan, SettingsChanged, Trailers
from smartproxy_tw.wire.frames import (
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PRIORITY_FLAG,
    PROTOCOL_ERROR,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    frame,
    goAway,
    ping,
    reset,
    settings,
    windowUpdate,
)
from smartproxy_tw.wire.http2 import ClientSession, ServerSession
from smartproxy_tw.wire.session import ABSURD, CONNECTION_WINDOW, bodyLength

from ..examples import examples
from .conversations import ASK, OK, Conversation, HyperFields, block, data, framesOf, head


class PrefaceTests(Conversation):
    """
    RFC 9113 section 3.4.
    """

    def test_server(self) -> None:
        """
        A server says its settings at once, and waits for the client's preface.
        """
        server = ServerSession(HyperFields(), streams=7, window=70000, headBytes=5000)
        said = framesOf(server.outgoing())
        self.assertEqual([each.kind for each in said], [SETTINGS, WINDOW_UPDATE])
        pairs = [said[0].payload[at : at + 6] for at in range(0, len(said[0].payload), 6)]
        self.assertEqual(
            {int.from_bytes(each[:2], "big"): int.from_bytes(each[2:], "big") for each in pairs},
            {3: 7, 4: 70000, 6: 5000, 8: 1, 9: 1},
        )
        self.assertEqual((said[1].stream, said[1].number), (0, CONNECTION_WINDOW - 65535))
        self.assertEqual(server.receive(PREFACE + settings({})), [SettingsChanged(True)])
        self.assertEqual([each.kind for each in framesOf(server.outgoing())], [SETTINGS])

    def test_client(self) -> None:
        """
        A client says its preface and that it wants no pushes, and may ask at once.
        """
        client = ClientSession(HyperFields())
        self.assertEqual(client.request(b"\x82", True), 1)
        sent = client.outgoing()
        self.assertTrue(sent.startswith(PREFACE))
        said = framesOf(sent)
        self.assertEqual([each.kind for each in said], [SETTINGS, WINDOW_UPDATE, HEADERS])
        self.assertIn(b"\0\2\0\0\0\0", said[0].payload)
        self.assertIn(b"\0\x09\0\0\0\1", said[0].payload)

    def test_wrong(self) -> None:
        """
        Anything else is refused with its first byte that differs.
        """
        for at in range(len(PREFACE)):
            self.session = ServerSession(HyperFields())
            self.assertEqual(self.hears(PREFACE[:at]), [])
            self.assertFails(PROTOCOL_ERROR, b"x")
        self.session = ServerSession(HyperFields())
        self.assertFails(PROTOCOL_ERROR, b"GET / HTTP/1.1\r\n\r\n")

    def test_settingsFirst(self) -> None:
        """
        The first frame is SETTINGS, and no acknowledgement, on both sides.
        """
        for first in (ping(bytes(8)), frame(SETTINGS, 1, 0), head(1), goAway(0, 0)):
            self.session = ServerSession(HyperFields())
            self.assertFails(PROTOCOL_ERROR, PREFACE, first)
            self.session = ClientSession(HyperFields())
            self.assertFails(PROTOCOL_ERROR, first)

    def test_window(self) -> None:
        """
        A window that would hold only after an acknowledgement is not offered.
        """
        self.assertRaises(ValueError, ServerSession, HyperFields(), window=65534)
        self.assertRaises(ValueError, ClientSession, HyperFields(), window=1 << 31)


class FrameSizeTests(Conversation):
    """
    RFC 9113 section 4.2.
    """

    def test_most(self) -> None:
        """
        Frames of 16,384 bytes are taken; a longer one is refused by its header alone.
        """
        self.assertEqual(
            self.hears(head(1), data(1, bytes(16384)))[1:], [Data(1, bytes(16384), 16384, False)]
        )
        for kind in (DATA, HEADERS, SETTINGS, CONTINUATION, 99):
            self.meetsClient()
            self.assertFails(FRAME_SIZE_ERROR, head(1), frame(kind, 0, 1, bytes(16385))[:9])

    def test_streamBit(self) -> None:
        """
        Section 4.1: the reserved bit of a stream means nothing.
        """
        odd = bytearray(head(1, isEnd=True))
        odd[5] |= 0x80
        self.assertEqual(self.hears(bytes(odd)), [RequestBegan(1, ASK, True)])


class CompressionTests(Conversation):
    """
    RFC 9113 section 4.3.
    """

    def test_badBlock(self) -> None:
        """
        A block that can't be read ends the connection, in a head, in trailers, and on a
        stream that was reset.
        """
        bad = frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff")
        self.assertFails(COMPRESSION_ERROR, bad)
        self.meetsClient()
        self.assertFails(COMPRESSION_ERROR, head(1), bad)
        self.meetsClient()
        self.hears(head(1))
        self.session.reset(1, 8)
        self.says()
        self.assertFails(COMPRESSION_ERROR, bad)

    def test_continued(self) -> None:
        """
        A block may be cut anywhere.
        """
        whole = block(*ASK)
        for at in range(len(whole) + 1):
            self.meetsClient()
            self.assertEqual(self.hears(frame(HEADERS, END_STREAM, 1, whole[:at])), [])
            found = self.hears(frame(CONTINUATION, END_HEADERS, 1, whole[at:]))
            self.assertEqual(found, [RequestBegan(1, ASK, True)])


class DataTests(Conversation):
    """
    RFC 9113 section 6.1.
    """

    def test_body(self) -> None:
        """
        A body comes in parts; the last says so, and may be empty.
        """
        self.hears(head(1), head(3))
        self.assertEqual(
            self.hears(data(1, b"a"), data(3, b"b"), data(1, b"c", True), data(3, b"", True)),
            [Data(1, b"a", 1, False), Data(3, b"b", 1, False), Data(1, b"c", 1, True), Data(3, b"", 0, True)],
        )

    def test_streamZero(self) -> None:
        """
        DATA on stream 0 is an error of the connection.
        """
        self.assertFails(PROTOCOL_ERROR, data(0, b"x"))

    def test_padding(self) -> None:
        """
        Padding is taken off, and given back as soon as it amounts to something.
        """
        self.hears(head(1))
        padded = frame(DATA, PADDED, 1, b"\x03abc" + bytes(3))
        self.assertEqual(self.hears(padded), [Data(1, b"abc", 3, False)])
        self.assertEqual((self.session.streams[1].left, self.session.streams[1].owed), (131072 - 7, 4))
        self.assertEqual(
            self.hears(frame(DATA, PADDED | END_STREAM, 1, b"\x00abc")), [Data(1, b"abc", 3, True)]
        )

    def test_tooMuchPadding(self) -> None:
        """
        Padding that does not leave room for its own length is an error of the connection,
        on any stream.
        """
        for payload in (b"", b"\x01", b"\x04abc", b"\xff"):
            self.meetsClient()
            self.assertFails(PROTOCOL_ERROR, head(1), frame(DATA, PADDED, 1, payload))
        self.meetsClient()
        self.assertEqual(self.hears(head(1), frame(DATA, PADDED, 1, b"\x03\0\0\0"))[1:], [])


class HeadersTests(Conversation):
    """
    RFC 9113 section 6.2.
    """

    def test_paddingAndPriority(self) -> None:
        """
        Padding and a priority, a dependency on itself included, are taken off.
        """
        whole = block(*ASK)
        priority = b"\x80\0\0\1\xff"
        for flags, payload in (
            (PADDED, b"\x02" + whole + b"\0\0"),
            (PRIORITY_FLAG, priority + whole),
            (PADDED | PRIORITY_FLAG, b"\x02" + priority + whole + b"\0\0"),
        ):
            self.meetsClient()
            found = self.hears(frame(HEADERS, flags | END_HEADERS | END_STREAM, 1, payload))
            self.assertEqual(found, [RequestBegan(1, ASK, True)])

    def test_tooShort(self) -> None:
        """
        Padding and priority that are longer than the frame are errors of the connection.
        """
        for flags, payload, code in (
            (PADDED, b"", PROTOCOL_ERROR),
            (PADDED, b"\x03\x82\x82", PROTOCOL_ERROR),
            (PRIORITY_FLAG, bytes(4), FRAME_SIZE_ERROR),
            (PADDED | PRIORITY_FLAG, b"\x01" + bytes(5), FRAME_SIZE_ERROR),
        ):
            self.meetsClient()
            self.assertFails(code, frame(HEADERS, flags | END_HEADERS, 1, payload))

    def test_streamZero(self) -> None:
        """
        HEADERS on stream 0 are an error of the connection.
        """
        self.assertFails(PROTOCOL_ERROR, head(0))
        self.meetsClient()
        self.assertFails(PROTOCOL_ERROR, frame(HEADERS, 0, 0, b""))


class ContinuationTests(Conversation):
    """
    RFC 9113 section 6.10.
    """

    def test_nothingBetween(self) -> None:
        """
        Between HEADERS and CONTINUATION nothing may come, on whichever stream.
        """
        for between in (
            data(1),
            head(3),
            frame(PRIORITY, 0, 3, bytes(5)),
            reset(1, 8),
            settings({}),
            ping(bytes(8)),
            goAway(0, 0),
            windowUpdate(0, 1),
            frame(CONTINUATION, END_HEADERS, 3, b""),
            frame(CONTINUATION, END_HEADERS, 0, b""),
            frame(99, 0, 1, b""),
        ):
            self.meetsClient()
            self.assertFails(PROTOCOL_ERROR, frame(HEADERS, 0, 1, block(*ASK)), between)

    def test_alone(self) -> None:
        """
        CONTINUATION without a head, or after its end, is an error of the connection.
        """
        self.assertFails(PROTOCOL_ERROR, frame(CONTINUATION, END_HEADERS, 1, b""))
        self.meetsClient()
        self.assertFails(PROTOCOL_ERROR, head(1), frame(CONTINUATION, END_HEADERS, 1, b""))

    def test_trailers(self) -> None:
        """
        Trailers may be continued as well.
        """
        self.hears(head(1), frame(HEADERS, END_STREAM, 1, b"\0\1a"))
        self.assertEqual(
            self.hears(frame(CONTINUATION, END_HEADERS, 1, b"\1b")), [Trailers(1, [(b"a", b"b")])]
        )


class WindowTests(Conversation):
    """
    RFC 9113 sections 5.2 and 6.9: what the peer may send.
    """

    def test_stream(self) -> None:
        """
        More than a stream's window is an error of the stream.
        """
        self.assertResets(
            FLOW_CONTROL_ERROR, 1, head(1), *[data(1, bytes(16384)) for _ in range(8)], data(1, b"x")
        )

    def test_streamGivenBack(self) -> None:
        """
        A stream's window is given back when its data were taken, half a window at once.
        """
        self.hears(head(1), *[data(1, bytes(16384)) for _ in range(8)])
        self.session.credit(1, 65535)
        self.assertEqual(self.says(), [])
        self.session.credit(1, 1)
        self.assertEqual([(each.stream, each.number) for each in self.says()], [(1, 65536)])
        self.assertResets(FLOW_CONTROL_ERROR, 1, *[data(1, bytes(16384)) for _ in range(4)], data(1, b"x"))

    def test_ended(self) -> None:
        """
        A stream whose peer has ended gets nothing back.
        """
        self.hears(head(1), data(1, bytes(16384)), data(1, b"", True))
        self.session.credit(1, 100000)
        self.assertEqual(self.says(), [])

    def test_spareAhead(self) -> None:
        """
        It goes before the end of the answer, and behind our settings.
        """
        room = [WINDOW_UPDATE, WINDOW_UPDATE]
        for isFirst, kinds in (
            (False, [*room, HEADERS, DATA]),
            (True, [SETTINGS, *room, WINDOW_UPDATE, SETTINGS, HEADERS, DATA]),
        ):
            if isFirst:
                self.session = ServerSession(HyperFields())
                self.hears(PREFACE, settings({}))
            self.hears(head(1))
            self.session.head(1, b"\x88")
            self.session.data(1, b"no", True)
            self.session.spare(1, 1 << 22)
            self.assertEqual([each.kind for each in self.says()], kinds)

    def test_spare(self) -> None:
        """
        Room for all of a body that nobody keeps comes at once, that of the connection only the first
        time; what is beyond it is an error.
        """
        self.hears(head(1), head(3), data(3, bytes(9)))
        for stream in (1, 3):
            self.session.spare(stream, 1 << 22)
        self.assertEqual(
            [(each.stream, each.number) for each in self.says()], [(3, 1 << 22), (0, 1 << 22), (1, 1 << 22)]
        )
        self.hears(*[data(1, bytes(16384)) for _ in range(264)])
        self.assertFalse(self.session.isClosed)
        self.assertResets(FLOW_CONTROL_ERROR, 1, data(1, b"x"))
        self.hears(data(3, b"", True))
        self.says()
        for stream in (1, 3, 5):
            self.session.spare(stream, 10)
        self.assertEqual(self.says(), [])

    def test_connection(self) -> None:
        """
        The connection's window is given back at once, so that a stream whose data nobody
        takes does not hold up the others.
        """
        for stream in range(1, 41, 2):
            self.hears(head(stream), *[data(stream, bytes(16384)) for _ in range(8)])
        given = [each for each in self.says() if each.kind == WINDOW_UPDATE]
        self.assertEqual({each.stream for each in given}, {0})
        self.assertEqual(sum([each.number for each in given]), 20 * 131072 // (1 << 19) * (1 << 19))
        self.assertFalse(self.session.isClosed)

    def test_padding(self) -> None:
        """
        Padding counts for the windows, and comes back although nobody takes it.
        """
        self.hears(head(1))
        padded = frame(DATA, PADDED, 1, b"\xff" + b"x" * 745 + bytes(255))
        for _ in range(100):
            self.assertEqual(self.hears(padded), [Data(1, b"x" * 745, 745, False)])
        self.session.credit(1, 65535 - 25600)
        self.assertEqual(self.says(), [])
        self.session.credit(1, 1)
        self.assertEqual([(each.stream, each.number) for each in self.says()], [(1, 65536)])


class BodyLengthTests(Conversation):
    """
    RFC 9113 section 8.1.1, as far as it is about one field.
    """

    def test_values(self) -> None:
        """
        A length is digits, and there once.
        """
        self.assertEqual(bodyLength(ASK), -1)
        self.assertEqual(bodyLength([*ASK, (b"content-length", b"007")]), 7)
        for bad in (b"", b"+1", b"-1", b"1,1", b" 1", b"0x1", b"1" * 19, b"\xb2"):
            self.assertEqual(bodyLength([(b"content-length", bad)]), ABSURD, bad)
        self.assertEqual(bodyLength([(b"content-length", b"1")] * 2), ABSURD)


def conversations() -> list[tuple[Callable[[], ServerSession | ClientSession], bytes]]:
    """
    What peers say from the beginning, with what goes right and what goes wrong.
    """

    def asked() -> ClientSession:
        client = ClientSession(HyperFields())
        client.request(b"\x82", True)
        client.request(b"\x82")
        return client

    def serving() -> ServerSession:
        return ServerSession(HyperFields())

    whole = block(*ASK)
    hello = PREFACE + settings({4: 100000, 3: 100}) + frame(SETTINGS, 1, 0)
    right = (
        head(1, (b"content-length", b"5"))
        + ping(b"12345678")
        + data(1, b"ab")
        + frame(HEADERS, END_STREAM, 3, whole[:9])
        + frame(CONTINUATION, 0, 3, b"")
        + frame(CONTINUATION, END_HEADERS, 3, whole[9:])
        + frame(PRIORITY, 0, 9, bytes(5))
        + windowUpdate(0, 1000)
        + frame(DATA, PADDED, 1, b"\x02c\0\0")
        + windowUpdate(3, 7)
        + data(1, b"de")
        + head(1, fields=[(b"a", b"b")], isEnd=True)
        + reset(3, 8)
        + settings({4: 1})
        + goAway(0, 0, b"bye")
    )
    answers = (
        settings({8: 1})
        + frame(SETTINGS, 1, 0)
        + head(1, fields=[(b":status", b"103"), (b"link", b"x")])
        + head(1, (b"content-length", b"3"), fields=OK)
        + head(3, fields=[(b":status", b"204")], isEnd=True)
        + data(1, b"abc", True)
        + goAway(3, 0)
    )
    return [
        (serving, hello + right),
        (serving, hello + head(1) + data(1, b"", True) + data(1, b"x") + head(3) + head(2)),
        (
            serving,
            hello + head(1, (b"content-length", b"1"), isEnd=True) + head(3) + windowUpdate(3, 0) + data(3),
        ),
        (serving, hello + frame(HEADERS, 0, 1, whole) + ping(bytes(8))),
        (serving, hello + frame(PING, 0, 0, bytes(9)) + ping(bytes(8))),
        (serving, hello + head(1) + frame(DATA, 0, 1, bytes(16385))),
        (serving, PREFACE + ping(bytes(8))),
        (serving, PREFACE[:20] + b"xyz"),
        (asked, answers),
        (asked, answers[:-17] + head(3, fields=OK)),
        (asked, settings({}) + frame(5, 4, 1, bytes(4) + b"\x82")),
    ]


def heard(session: ServerSession | ClientSession, parts: list[bytes]) -> tuple[list[Event], bytes]:
    """
    Say something in parts.
    """
    events: list[Event] = []
    sent = b""
    for each in parts:
        events += session.receive(each)
        sent += session.outgoing()
    return events, sent


class SplitTests(Conversation):
    """
    However it arrives.
    """

    def test_everySplit(self) -> None:
        """
        Cut in two anywhere, or byte by byte, the same bytes mean the same, and are
        answered by the same.
        """
        for begin, whole in conversations():
            wanted = heard(begin(), [whole])
            self.assertTrue(wanted[1])
            for at in range(1, len(whole)):
                if at > 1000 and at % 1000:
                    # Within the one long frame a place is as good as another.
                    continue
                found = heard(begin(), [whole[:at], whole[at:]])
                self.assertEqual([*map(repr, found)], [*map(repr, wanted)], (whole, at))
            found = heard(begin(), [whole[at : at + 1] for at in range(len(whole))])
            self.assertEqual([*map(repr, found)], [*map(repr, wanted)], whole)

    def test_slowFrame(self) -> None:
        """
        A frame that comes byte by byte is put together once, and not with each byte.
        """
        self.hears(head(1))
        whole = data(1, bytes(4000))
        for at in range(len(whole) - 1):
            self.assertEqual(self.session.receive(whole[at : at + 1]), [])
        self.assertEqual(self.hears(whole[-1:]), [Data(1, bytes(4000), 4000, False)])


_frames = st.builds(
    frame,
    st.integers(0, 11),
    st.integers(0, 255) | st.sampled_from((0, 1, 4, 5)),
    st.integers(0, 9),
    st.binary(max_size=12)
    | st.sampled_from((block(*ASK), block(*OK), bytes(4), bytes(5), bytes(8), b"\0\4\0\0\0\x10")),
)


class AnythingTests(Conversation):
    """
    Whatever arrives.
    """

    @examples(400)
    @given(st.lists(_frames | st.binary(max_size=30), max_size=30), st.booleans())
    def test_anything(self, said: list[bytes], isServer: bool) -> None:
        """
        No bytes make a session raise; it answers with whole frames, and an end is told
        once, last, with a GOAWAY.
        """
        session: ServerSession | ClientSession
        if isServer:
            session = ServerSession(HyperFields())
            session.receive(PREFACE + settings({}))
        else:
            session = ClientSession(HyperFields())
            session.receive(settings({}))
            session.request(b"\x82")
            session.request(b"\x82", True, True)
        framesOf(session.outgoing())
        for each in said:
            events = session.receive(each)
            for event in events:
                if type(event) is RequestBegan:
                    session.head(event.stream, b"\x88")
                    session.data(event.stream, bytes(5000), event.stream & 2 == 2)
                elif type(event) is Data:
                    session.credit(event.stream, event.credit)
            sent = framesOf(session.outgoing())
            if session.isClosed:
                self.assertIsInstance(events[-1], Closed)
                self.assertEqual(sent[-1].kind, 7)
                self.assertEqual(session.streams, {})
                break
            self.assertNotIn(Closed, [type(event) for event in events])


class EnhanceTests(Conversation):
    """
    Heads that are too long.
    """

    def test_trailers(self) -> None:
        """
        Trailers that are too large end their stream, and later heads can be read.
        """
        self.session = ServerSession(HyperFields(200))
        self.hears(PREFACE, settings({}))
        self.says()
        long = [(b"a", b"b" * 120), (b"c", b"d" * 120)]
        self.assertResets(ENHANCE_YOUR_CALM, 1, head(1), head(1, fields=long, isEnd=True))
        self.assertEqual(self.hears(head(3, isEnd=True)), [RequestBegan(3, ASK, True)])

    def test_afterEnd(self) -> None:
        """
        A stream that has ended takes no head, and a further one is an error of the stream.
        """
        self.assertResets(STREAM_CLOSED, 1, head(1, isEnd=True), head(1))
