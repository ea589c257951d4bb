"""
Tests for L{smartproxy_tw.wire.endings}.
"""

from __future__ import annotations

from smartproxy_tw.wire.endings import MOST_GONE
from smartproxy_tw.wire.events import Closed, Data, RequestBegan
from smartproxy_tw.wire.floods import FULL, MOST_REPLIES
from smartproxy_tw.wire.frames import (
    CANCEL,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    INTERNAL_ERROR,
    PROTOCOL_ERROR,
    RST_STREAM,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    frame,
    reset,
    windowUpdate,
)

from .conversations import Conversation, Frame, data, head


class OurResetTests(Conversation):
    """
    RFC 9113 section 5.1: what a peer still sends on a stream that we have reset.
    """

    def given(self) -> None:
        self.hears(head(1))
        self.session.reset(1, CANCEL)
        self.assertEqual(self.says(), [Frame(RST_STREAM, 0, 1, b"\0\0\0\x08")])

    def test_passedOver(self) -> None:
        """
        Data, trailers, updates and a reset are passed over; then comes nothing more.
        """
        self.given()
        late = (windowUpdate(1, 5), data(1, bytes(1000)), head(1, fields=[(b"a", b"b")], isEnd=True))
        self.assertEqual(self.hears(*late, reset(1, CANCEL)), [])
        self.assertEqual(self.says(), [])
        self.assertFails(STREAM_CLOSED, data(1))

    def test_tableInStep(self) -> None:
        """
        Trailers that are passed over still count for the table of the fields.
        """
        self.given()
        indexed = b"\x40\x03abc\x03def"
        self.hears(frame(HEADERS, 5, 1, indexed))
        (event,) = self.hears(frame(HEADERS, 5, 3, b"\xbe"))
        self.assertEqual(event, RequestBegan(3, [(b"abc", b"def")], True))

    def test_windowOfConnection(self) -> None:
        """
        Data that are passed over count for the connection's window, and are given back.
        """
        self.meetsClient(window=600000)
        self.given()
        self.hears(*[data(1, bytes(16384)) for _ in range(32)])
        self.assertEqual(
            [(each.kind, each.stream, each.number) for each in self.says()], [(WINDOW_UPDATE, 0, 1 << 19)]
        )

    def test_windowOfStream(self) -> None:
        """
        More data than the stream's window had are not passed over.
        """
        self.given()
        self.assertFails(FLOW_CONTROL_ERROR, *[data(1, bytes(16384)) for _ in range(8)], data(1, b"x"))

    def test_ended(self) -> None:
        """
        A peer whose side had ended has nothing more to send.
        """
        self.hears(head(1, isEnd=True))
        self.session.reset(1, CANCEL)
        self.assertFails(STREAM_CLOSED, data(1))

    def test_bounded(self) -> None:
        """
        Only the last of such streams are remembered.
        """
        for each in range(MOST_GONE + 1):
            self.hears(head(2 * each + 1))
            self.session.reset(2 * each + 1, INTERNAL_ERROR)
        self.assertEqual(self.hears(data(3, b"x")), [])
        self.assertFails(STREAM_CLOSED, data(1, b"x"))


class BlameTests(Conversation):
    """
    Resets for the peer's fault count against it, others do not.
    """

    def test_codes(self) -> None:
        """
        Streams that are given up for a reason of our own may be as many as there are;
        those that the peer is to blame for may not.
        """
        stream = 1
        for code, isBlame in ((INTERNAL_ERROR, False), (CANCEL, False), (PROTOCOL_ERROR, True)):
            for _ in range(FULL):
                if self.session.isClosed:
                    break
                self.hears(head(stream, isEnd=True))
                self.session.reset(stream, code)
                self.says()
                stream += 2
            self.assertEqual(self.session.isClosed, isBlame)

    def test_unread(self) -> None:
        """
        A peer that goes on while it does not read that its streams are reset, and its
        windows opened, is not kept for long.
        """
        self.hears(head(1))
        stream = 3
        for _ in range(MOST_REPLIES + 1):
            self.assertFalse(self.session.isClosed)
            for event in self.hears(head(stream, isEnd=True), data(1, bytes(600)), data(1, bytes(600))):
                if isinstance(event, Data):
                    self.session.credit(1, event.credit)
            self.session.reset(stream, INTERNAL_ERROR)
            stream += 2
            if self.session._replies > MOST_REPLIES:
                break
        (event,) = self.hears(head(stream))
        assert isinstance(event, Closed)
        self.assertEqual(event.code, ENHANCE_YOUR_CALM)
