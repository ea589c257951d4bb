"""
Tests for L{smartproxy_tw.wire.floods}.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from itertools import count, islice

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.wire.events import Closed, Data, Event, RequestBegan
from smartproxy_tw.wire.floods import FULL, MOST_CONTINUATIONS, MOST_REPLIES, RESET, Purse
from smartproxy_tw.wire.frames import (
    CANCEL,
    CONTINUATION,
    DATA,
    ENHANCE_YOUR_CALM,
    HEADERS,
    MOST_WINDOW,
    NO_ERROR,
    PADDED,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    SETTINGS,
    Fault,
    frame,
    goAway,
    ping,
    reset,
    settings,
    windowUpdate,
)

from ..examples import examples
from .conversations import OK, Conversation, data, head


class PurseTests(SynchronousTestCase):
    """
    The arithmetic.
    """

    def test_full(self) -> None:
        """
        A purse holds no more than its fill.
        """
        purse = Purse()
        purse.earn(5)
        self.assertEqual(purse.left, FULL)
        purse.spend(3, "x")
        purse.earn(2)
        self.assertEqual(purse.left, FULL - 1)

    def test_empty(self) -> None:
        """
        What can't be paid is a fault that names it.
        """
        purse = Purse()
        purse.spend(FULL, "x")
        error = self.assertRaises(Fault, purse.spend, 1, "PING")
        self.assertEqual(error.code, ENHANCE_YOUR_CALM)
        self.assertIn("PING", error.reason)

    def test_updates(self) -> None:
        """
        Giving back what was sent is free, for the stream and for the connection; more
        than that, or in crumbs, is not.
        """
        purse = Purse()
        purse.sent(16384, False)
        for _ in range(8):
            purse.updated(4096)
        self.assertEqual((purse.left, purse.owed), (FULL, 0))
        purse.updated(4096)
        self.assertEqual(purse.left, FULL - 1)
        purse.sent(16384, False)
        purse.updated(1)
        self.assertEqual((purse.left, purse.owed), (FULL - 1, 32768))

    def test_dribble(self) -> None:
        """
        Small frames earn something only when it is not a window that makes them small.
        """
        purse = Purse()
        purse.spend(100, "x")
        purse.sent(1, True)
        self.assertEqual(purse.left, FULL - 100)
        purse.sent(1, False)
        self.assertEqual(purse.left, FULL - 98)
        purse.sent(16384, True)
        self.assertEqual(purse.left, FULL - 88)


def requests() -> Iterator[tuple[int, bytes]]:
    """
    Requests without end, and without a body.
    """
    for each in count(1, 2):
        yield each, head(each, isEnd=True)


class FloodTests(Conversation):
    """
    Peers that keep us busy with nothing.
    """

    def assertCalmed(
        self, flood: Iterator[bytes], frames: int = 1000, answer: Callable[[Event], None] = lambda event: None
    ) -> int:
        """
        A flood is ended with ENHANCE_YOUR_CALM, within a number of frames.

        @param flood: Bytes of one or more frames.
        @return: How many it took.
        """
        seen = 0
        for each in islice(flood, frames):
            at = 0
            while at < len(each):
                at += 9 + int.from_bytes(each[at : at + 3], "big")
                seen += 1
            for event in self.session.receive(each):
                if isinstance(event, Closed):
                    self.assertEqual((event.code, event.isOurs), (ENHANCE_YOUR_CALM, True), event.reason)
                    self.assertLessEqual(seen, frames)
                    self.assertLess(len(self.session.outgoing()), 40000)
                    return seen
                answer(event)
            self.session.outgoing()
        self.fail(f"{seen} frames were taken")

    def test_continuation(self) -> None:
        """
        CVE-2024-27316: a head of more than eight CONTINUATION frames, empty ones too.
        """
        for payload in (b"", bytes(16384)):
            self.meetsClient()
            first = frame(HEADERS, 0, 1, payload)
            more = [frame(CONTINUATION, 0, 1, payload)] * MOST_CONTINUATIONS
            self.assertEqual(self.hears(first, *more), [])
            self.assertFails(ENHANCE_YOUR_CALM, frame(CONTINUATION, 4, 1, payload))

    def test_rapidReset(self) -> None:
        """
        CVE-2023-44487: streams that are opened and reset at once, with any code.
        """
        for code in (CANCEL, NO_ERROR):
            self.meetsClient()
            seen = self.assertCalmed(each + reset(stream, code) for stream, each in requests())
            self.assertGreater(seen, 2 * 100)

    def test_madeYouReset(self) -> None:
        """
        CVE-2025-8671: streams that we have to reset, by each way to make us.
        """
        for mistake in (
            lambda stream: windowUpdate(stream, 0),
            lambda stream: windowUpdate(stream, MOST_WINDOW),
            lambda stream: data(stream, b"x"),
            lambda stream: head(stream, isEnd=True),
            lambda stream: frame(PRIORITY, 0, stream, b""),
        ):
            self.meetsClient()
            self.assertCalmed(each + mistake(stream) for stream, each in requests())
        self.meetsClient()
        self.assertCalmed(head(stream, (b"content-length", b"1"), isEnd=True) for stream in count(1, 2))
        self.meetsClient()
        self.assertCalmed(
            (each for _, each in requests()),
            answer=lambda event: self.session.reset(event[0], PROTOCOL_ERROR),
        )

    def test_tooManyStreams(self) -> None:
        """
        Streams that are refused because too many are open.
        """
        self.assertCalmed(each for _, each in requests())

    def test_idle(self) -> None:
        """
        Frames that mean nothing.
        """
        for each in (
            settings({}),
            settings({4: 1}),
            ping(bytes(8)),
            frame(PING, 1, 0, bytes(8)),
            frame(SETTINGS, 1, 0),
            frame(PRIORITY, 0, 1, bytes(5)),
            windowUpdate(0, 1),
            goAway(0, 0),
            frame(99, 0, 0, b"x"),
        ):
            self.meetsClient()
            seen = self.assertCalmed(iter([each] * 1000))
            self.assertGreaterEqual(seen, 50)

    def test_onAStream(self) -> None:
        """
        Frames that mean nothing, on a stream that is open, closed or reset.
        """
        for each in (data(1), frame(DATA, PADDED, 1, b"\x05" + bytes(5)), windowUpdate(1, 1)):
            self.meetsClient()
            self.hears(head(1))
            self.assertCalmed(iter([each] * 1000))
        for each in (data(1), data(1, b"x"), windowUpdate(1, 1), windowUpdate(1, 0)):
            self.meetsClient()
            self.hears(head(1))
            self.session.reset(1, CANCEL)
            self.assertCalmed(iter([each] * 1000))
        for each in (reset(1, CANCEL), windowUpdate(1, 1)):
            self.meetsClient()
            self.hears(head(1, isEnd=True))
            self.session.head(1, b"\x88", True)
            self.assertCalmed(iter([each] * 1000))

    def test_afterGoAway(self) -> None:
        """
        Requests that we said would not be taken.
        """
        self.session.goAway()
        self.assertCalmed(each for _, each in requests())

    def test_dataDribble(self) -> None:
        """
        CVE-2019-9511: a large answer, drawn out byte by byte.
        """
        self.meetsClient({4: 0})
        self.hears(head(1, isEnd=True))
        self.session.data(1, bytes(60000))
        self.assertCalmed(iter([windowUpdate(1, 1)] * 1000))

    def test_byServer(self) -> None:
        """
        A server that resets whatever it is asked.
        """
        client = self.meetsServer()

        def refused() -> Iterator[bytes]:
            while True:
                yield reset(client.request(b"\x82", True), CANCEL)

        self.assertCalmed(refused())


class UnreadTests(Conversation):
    """
    CVE-2019-9512 and others: peers that do not read what they are answered.
    """

    def test_replies(self) -> None:
        """
        Replies do not pile up, although the peer does something useful in between.
        """
        self.hears(head(1))
        body = data(1, bytes(600))
        taken = 0
        while not self.session.isClosed:
            taken += 1
            for event in self.hears(ping(bytes(8)), body):
                if isinstance(event, Data):
                    self.session.credit(1, event.credit)
                elif isinstance(event, Closed):
                    self.assertEqual(event.code, ENHANCE_YOUR_CALM)
        # Windows that are opened count as well.
        self.assertTrue(MOST_REPLIES - 20 < taken <= MOST_REPLIES + 1, taken)
        self.assertEqual(len(self.says()), MOST_REPLIES + 1)

    def test_memory(self) -> None:
        """
        A peer that asks, pings and resets for as long as it is let leaves nothing behind.
        """
        self.hears(head(1))
        stream = 3
        tracemalloc.start()
        try:
            grown: list[int] = []
            for turn in range(900):
                for event in self.session.receive(
                    head(stream, isEnd=True)
                    + head(stream + 2)
                    + data(stream + 2, bytes(600))
                    + ping(bytes(8))
                    + reset(stream + 2, CANCEL)
                    + windowUpdate(0, 5000)
                ):
                    self.assertNotIsInstance(event, Closed)
                    if type(event) is RequestBegan and event.isEnded:
                        self.session.head(stream, b"\x88")
                        self.session.data(stream, bytes(5000), True)
                        self.session.rest(10)
                stream += 6
                self.session.outgoing()
                if turn % 300 == 299:
                    grown.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        self.assertLess(grown[2] - grown[0], 10000)


class UsefulTests(Conversation):
    """
    Peers that work hard are left in peace.
    """

    def answers(self, events: list[Event], size: int = 100) -> None:
        """
        Our side answers each request.
        """
        for event in events:
            self.assertNotIsInstance(event, Closed)
            if type(event) is RequestBegan:
                self.session.head(event.stream, b"\x88")
                self.session.data(event.stream, bytes(size), True)

    def test_browser(self) -> None:
        """
        A client that sends PRIORITY and an update with each request, and gives up every
        third, may do so for ever.
        """
        for turn in range(1500):
            stream = 6 * turn + 1
            self.answers(
                self.hears(
                    head(stream, isEnd=True),
                    frame(16, 0, 0, b"u=1"),
                    head(stream + 2, isEnd=True),
                    windowUpdate(0, 200),
                )
            )
            self.hears(head(stream + 4, isEnd=True), reset(stream + 4, CANCEL))
            self.says()
        self.assertFalse(self.session.isClosed)

    def test_pageClosed(self) -> None:
        """
        A client that gives up a hundred requests at once is not suspected.
        """
        self.hears(*[head(stream, isEnd=True) for stream in range(1, 201, 2)])
        self.hears(*[reset(stream, CANCEL) for stream in range(1, 201, 2)])
        self.assertFalse(self.session.isClosed)

    def test_download(self) -> None:
        """
        A client that gives back a large download by 4096 bytes, long after it came, pays
        nothing for it.
        """
        self.meetsClient({4: 1 << 25})
        self.hears(windowUpdate(0, 1 << 26), head(1, isEnd=True))
        for _ in range(100):
            self.session.data(1, bytes(65536))
            self.session.outgoing(1 << 20)
        for _ in range(100 * 16):
            self.hears(windowUpdate(0, 4096), windowUpdate(1, 4096))
        self.assertFalse(self.session.isClosed)

    def test_upload(self) -> None:
        """
        A client that sends small pieces and measures the line with each is left to do so.
        """
        self.hears(head(1))
        for _ in range(1500):
            for event in self.hears(data(1, bytes(600)), ping(bytes(8))):
                assert isinstance(event, Data)
                self.session.credit(1, event.credit)
            self.says()

    def test_quiet(self) -> None:
        """
        A connection that is only held open lives as long as its holder forgives it.
        """
        for _ in range(3000):
            self.hears(ping(bytes(8)))
            self.session.rest(1)
            self.says()
        self.assertFalse(self.session.isClosed)

    def test_answered(self) -> None:
        """
        A client that resets what it has had its answer to, since that came before its body had ended,
        pays nothing; one that has no answer yet does.
        """
        for stream in range(1, 3001, 2):
            self.hears(head(stream))
            self.session.head(stream, b"\x88", True)
            self.hears(reset(stream, CANCEL))
            self.says()
        self.assertFalse(self.session.isClosed)
        self.assertEqual(self.session.streams, {})

    def test_earlyAnswers(self) -> None:
        """
        A server may answer before it has read the whole of a request, and say so.
        """
        client = self.meetsServer()
        for _ in range(FULL // RESET + 10):
            stream = client.request(b"\x82")
            self.hears(head(stream, fields=OK, isEnd=True), reset(stream, NO_ERROR))
            self.says()
        self.assertFalse(client.isClosed)


class AnyFloodTests(Conversation):
    """
    Whatever is repeated.
    """

    @examples(60)
    @given(
        st.lists(
            st.builds(
                frame,
                st.sampled_from((2, 3, 4, 6, 7, 8, 16)),
                st.sampled_from((0, 1)),
                st.sampled_from((0, 1, 3)),
                st.sampled_from((b"", bytes(4), b"\0\0\0\1", bytes(5), bytes(8))),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_ends(self, said: list[bytes]) -> None:
        """
        No round of frames that ask for nothing goes on for more than a thousand of them.
        """
        self.meetsClient()
        self.hears(head(1), head(3, isEnd=True))
        self.session.head(3, b"\x88", True)
        for _ in range(1000 // len(said)):
            self.session.receive(b"".join(said))
            self.session.outgoing()
            if self.session.isClosed:
                return
        self.fail("it goes on")
