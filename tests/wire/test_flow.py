"""
Tests for L{smartproxy_tw.wire.flow}.
"""

from __future__ import annotations

from smartproxy_tw.wire.events import RequestBegan
from smartproxy_tw.wire.flow import SESSION_QUEUE, STREAM_QUEUE, Waiting
from smartproxy_tw.wire.frames import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    RST_STREAM,
    reset,
    settings,
    windowUpdate,
)

from .conversations import Conversation, Frame, data, head


class FlowConversation(Conversation):
    """
    A server with some requests, and room to speak of.
    """

    def asks(self, *streams: int, window: int = 1 << 20, connection: int = 1 << 24) -> None:
        """
        Given are requests of a client with windows of a size.
        """
        self.hears(settings({4: window}))
        if connection > 65535:
            self.hears(windowUpdate(0, connection - 65535))
        self.hears(*[head(each, isEnd=True) for each in streams])
        self.says()

    def sizes(self, limit: int = 65536) -> list[tuple[int, int]]:
        """
        Stream and size of the frames that are sent.
        """
        sent = self.session.outgoing(limit)
        found: list[tuple[int, int]] = []
        while sent:
            size = int.from_bytes(sent[:3], "big")
            found.append((int.from_bytes(sent[5:9], "big"), size))
            sent = sent[9 + size :]
        return found


class HeadTests(FlowConversation):
    """
    RFC 9113 sections 4.3, 6.2 and 6.10.
    """

    def test_interimAndFinal(self) -> None:
        """
        Interim answers, an answer and trailers go out as they come.
        """
        self.asks(1)
        self.session.head(1, b"a")
        self.session.head(1, b"b")
        self.assertTrue(self.session.data(1, b"c"))
        self.session.trailers(1, b"d")
        self.assertEqual(
            self.says(),
            [
                Frame(HEADERS, 4, 1, b"a"),
                Frame(HEADERS, 4, 1, b"b"),
                Frame(DATA, 0, 1, b"c"),
                Frame(HEADERS, 5, 1, b"d"),
            ],
        )
        self.assertEqual(self.session.streams, {})

    def test_continued(self) -> None:
        """
        A head that is longer than a frame goes on in CONTINUATION, with nothing between.
        """
        self.asks(1, 3)
        long = bytes(range(256)) * 160
        self.session.head(1, long, True)
        self.session.head(3, b"a" * 16384, True)
        sent = self.says()
        self.assertEqual(
            [(each.kind, each.flags, each.stream, len(each.payload)) for each in sent],
            [
                (HEADERS, END_STREAM, 1, 16384),
                (CONTINUATION, 0, 1, 16384),
                (CONTINUATION, END_HEADERS, 1, 8192),
                (HEADERS, END_STREAM | END_HEADERS, 3, 16384),
            ],
        )
        self.assertEqual(b"".join([each.payload for each in sent[:3]]), long)

    def test_afterEnd(self) -> None:
        """
        After its end nothing is sent on a stream.
        """
        self.hears(head(1))
        self.session.data(1, b"", True)
        self.says()
        self.session.head(1, b"a")
        self.session.data(1, b"a")
        self.session.trailers(1, b"a")
        self.assertEqual(self.says(), [])


class SmallTests(FlowConversation):
    """
    What goes straight out.
    """

    def test_inOrder(self) -> None:
        """
        Small answers are sent in the order in which they were given.
        """
        self.asks(1, 3)
        for stream in (3, 1):
            self.session.head(stream, b"\x88")
            self.assertTrue(self.session.data(stream, b"abc", True))
        self.assertEqual(
            self.says(),
            [
                Frame(HEADERS, 4, 3, b"\x88"),
                Frame(DATA, 1, 3, b"abc"),
                Frame(HEADERS, 4, 1, b"\x88"),
                Frame(DATA, 1, 1, b"abc"),
            ],
        )
        self.assertTrue(self.session.isIdle)
        self.assertFalse(self.session.isPending)

    def test_nothing(self) -> None:
        """
        No data make no frame; an end without data needs no window.
        """
        self.asks(1, window=0)
        self.session.data(1, b"")
        self.assertEqual(self.says(), [])
        self.session.data(1, b"", True)
        self.assertEqual(self.says(), [Frame(DATA, 1, 1, b"")])

    def test_exactly(self) -> None:
        """
        Data that are just as large as the windows go out.
        """
        self.asks(1, window=5)
        self.session.data(1, b"12345")
        self.session.data(1, b"6")
        self.assertEqual(self.sizes(), [(1, 5)])
        self.hears(windowUpdate(1, 1))
        self.assertTrue(self.session.isPending)
        self.assertEqual(self.sizes(), [(1, 1)])

    def test_passAQueue(self) -> None:
        """
        A small answer does not wait behind a large one.
        """
        self.asks(1, 3)
        self.session.data(1, bytes(300000))
        self.session.data(3, b"abc", True)
        self.assertEqual(self.sizes()[:2], [(3, 3), (1, 16384)])


class WindowTests(FlowConversation):
    """
    RFC 9113 section 6.9.
    """

    def test_stream(self) -> None:
        """
        A stream whose window is used up waits, and others do not.
        """
        self.asks(1, 3, window=20000)
        for stream in (1, 3):
            self.session.data(stream, bytes(30000))
        self.assertEqual(self.sizes(), [(1, 16384), (3, 16384), (1, 3616), (3, 3616)])
        self.assertFalse(self.session.isPending)
        self.hears(windowUpdate(3, 50000))
        self.assertEqual(self.sizes(), [(3, 10000)])
        self.assertEqual([each[:2] for each in self.session.waiting()], [(1, 10000)])

    def test_connection(self) -> None:
        """
        When the connection's window is used up all wait, and then take turns where they
        were.
        """
        self.asks(1, 3, connection=65535)
        for stream in (1, 3):
            self.session.data(stream, bytes(65536))
        self.assertEqual(self.sizes(), [(1, 16384), (3, 16384), (1, 16384), (3, 16383)])
        self.assertEqual(self.sizes(), [])
        self.session.data(3, b"x")
        self.hears(windowUpdate(0, 16385))
        self.assertEqual(self.sizes(), [(1, 16384), (3, 1)])

    def test_trailers(self) -> None:
        """
        Trailers, and an end, come after what waits.
        """
        self.asks(1, 3, window=1)
        self.session.data(1, b"abc")
        self.session.trailers(1, b"t")
        self.session.data(3, b"abc", True)
        self.session.data(1, b"more")
        self.assertEqual(self.sizes(), [(1, 1), (3, 1)])
        self.hears(windowUpdate(1, 5), windowUpdate(3, 5))
        self.assertEqual(
            self.says(), [Frame(DATA, 0, 1, b"bc"), Frame(HEADERS, 5, 1, b"t"), Frame(DATA, 1, 3, b"bc")]
        )
        self.assertEqual(self.session.streams, {})


class FairnessTests(FlowConversation):
    """
    Streams take turns.
    """

    def test_turns(self) -> None:
        """
        Large bodies take turns, a frame each, across calls.
        """
        self.asks(1, 3, 5)
        for stream in (1, 3, 5):
            self.session.data(stream, bytes(100000), True)
        sent: list[tuple[int, int]] = []
        while self.session.isPending:
            sent += self.sizes(40000)
        self.assertEqual([stream for stream, _ in sent], [1, 3, 5] * 7)
        self.assertEqual({size for _, size in sent}, {16384, 100000 - 6 * 16384})
        self.assertEqual(self.session.streams, {})

    def test_limit(self) -> None:
        """
        A call gives about as much as was asked for.
        """
        self.asks(1)
        self.session.data(1, bytes(200000))
        self.assertEqual(len(self.session.outgoing(1)), 16393)
        self.assertEqual(len(self.session.outgoing(50000)), 4 * 16393)

    def test_bytes(self) -> None:
        """
        What is sent is what was given, however it was cut.
        """
        self.asks(1)
        whole = b"".join([number.to_bytes(3, "big") for number in range(40000)])
        at = 0
        for size in (1, 16384, 16385, 5, 70000, 3, 20000):
            self.session.data(1, whole[at : at + size])
            at += size
        self.session.data(1, b"", True)
        found = b""
        while self.session.isPending:
            frames = self.says()
            found += b"".join([each.payload for each in frames])
        self.assertEqual(found, whole)
        self.assertEqual(frames[-1].flags, END_STREAM)

    def test_reset(self) -> None:
        """
        A stream that is reset has no turn any more.
        """
        self.asks(1, 3)
        for stream in (1, 3):
            self.session.data(stream, bytes(50000))
        self.session.reset(1, 8)
        self.assertEqual([each.kind for each in self.says()], [RST_STREAM, DATA, DATA, DATA, DATA])


class BoundTests(FlowConversation):
    """
    How much waits.
    """

    def test_stream(self) -> None:
        """
        A stream has enough at its mark, and takes more when it is below it again; it says
        so once.
        """
        self.asks(1, window=0)
        self.assertTrue(self.session.data(1, bytes(STREAM_QUEUE - 1)))
        self.assertFalse(self.session.data(1, b"x"))
        self.assertEqual(self.sizes(), [])
        self.assertEqual(self.session.taking(), [])
        self.hears(windowUpdate(1, 1))
        self.sizes()
        self.assertEqual(self.session.taking(), [1])
        self.assertEqual(self.session.taking(), [])

    def test_drained(self) -> None:
        """
        A stream on which nothing waits any more takes more.
        """
        self.asks(1)
        self.assertFalse(self.session.data(1, bytes(STREAM_QUEUE)))
        self.sizes(1 << 20)
        self.assertEqual(self.session.taking(), [1])
        self.assertTrue(self.session.data(1, b"x"))

    def test_session(self) -> None:
        """
        When enough waits on all streams together, each takes no more than a piece.
        """
        streams = range(1, 121, 2)
        self.asks(*streams, window=0)
        piece = 32768
        for each in streams:
            while self.session.data(each, bytes(piece)):
                pass
        waiting = sum([each.size for each in self.session.waiting()])
        self.assertEqual(waiting, SESSION_QUEUE + (60 - 16) * piece)
        self.hears(settings({4: 1 << 20}), windowUpdate(0, 1 << 24))
        again: set[int] = set()
        while self.session.isPending:
            self.session.outgoing()
            again.update(self.session.taking())
        self.assertEqual(again, set(streams))

    def test_departed(self) -> None:
        """
        A stream counts as open until its end has gone out: a client that asks and does
        not read what it is answered is refused.
        """
        self.meetsClient(streams=3)
        taken = 0
        for stream in range(1, 21, 2):
            for event in self.hears(head(stream, isEnd=True)):
                self.assertIsInstance(event, RequestBegan)
                taken += 1
                self.session.head(stream, b"\x88", True)
        self.assertEqual(taken, 3)
        self.assertEqual([each.kind for each in self.says()], [HEADERS] * 3 + [RST_STREAM] * 7)
        self.assertEqual(len(self.hears(head(21, isEnd=True))), 1)

    def test_departedEarly(self) -> None:
        """
        So does one that was answered before the client had ended it: when the answer has gone out, the
        client's end, of either kind, makes room at once.
        """
        for end in (data(1, b"", True), reset(1, CANCEL)):
            for isTaken in (True, False):
                self.meetsClient(streams=1)
                self.hears(head(1))
                self.session.head(1, b"\x88", True)
                if isTaken:
                    self.says()
                events = self.hears(end, head(3, isEnd=True))
                self.assertEqual(RequestBegan in map(type, events), isTaken, end)


class StallTests(FlowConversation):
    """
    What is needed for deadlines.
    """

    def test_marks(self) -> None:
        """
        A stream on which data wait is shown, and its mark changes exactly when something
        of it goes out, a queue that was empty meanwhile included.
        """
        self.asks(1, 3, window=0)
        self.session.data(1, b"abc")
        self.session.data(3, b"abc")
        before = self.session.waiting()
        self.assertEqual([each[:2] for each in before], [(1, 3), (3, 3)])
        self.hears(windowUpdate(1, 1))
        self.assertEqual(self.session.waiting(), before)
        self.sizes()
        first, second = self.session.waiting()
        self.assertEqual((first.size, second), (2, before[1]))
        self.assertGreater(first.mark, before[0].mark)
        self.hears(windowUpdate(1, 2))
        self.sizes()
        self.session.data(1, b"ab")
        self.assertEqual(self.session.waiting()[0][:2], (1, 2))
        self.assertGreater(self.session.waiting()[0].mark, first.mark)
        self.assertIsInstance(first, Waiting)
