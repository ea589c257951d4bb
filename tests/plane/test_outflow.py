"""
Tests for L{smartproxy_tw.plane.outflow}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.outflow import Outflow
from smartproxy_tw.wire.frames import (
    DATA,
    HEADERS,
    NO_ERROR,
    PREFACE,
    RST_STREAM,
    frame,
    settings,
    windowUpdate,
)
from smartproxy_tw.wire.http2 import ServerSession

from ..wire.conversations import Frame, HyperFields, framesOf, head


class Around:
    """
    What an outflow needs of a carrier, its wire and the poller; the session is a real one.

    @ivar written: What each write was.
    @ivar room: How many writes the line takes before it is full.
    @ivar told: The streams that were told that there is room, and C{"sent"}.
    @ivar calls: What is to be called at the end of the moment, and later.
    """

    def __init__(self) -> None:
        self.door = self.engine = self.poller = self.wire = self
        self.session = ServerSession(HyperFields())
        self.session.receive(PREFACE + settings({}) + frame(4, 1, 0))
        self.session.outgoing()
        self.written: list[bytes] = []
        self.room = 1000
        self.told: list[Any] = []
        self.calls: list[Callable[[], None]] = []
        self.isGone = self.isLeaving = self.hasCrashed = False
        self.outflow = Outflow(self)  # type: ignore[arg-type]

    @property
    def pending(self) -> bool:
        """Whether the line has not taken all."""
        return len(self.written) >= self.room

    def write(self, data: bytes) -> None:
        """Written down."""
        self.written.append(data)

    def last(self, call: Callable[[], None]) -> None:
        """At the end of this moment."""
        self.calls.append(call)

    def later(self, call: Callable[[], None]) -> None:
        """After others."""
        self.calls.append(call)

    def flushed(self, stream: int) -> None:
        """There is room."""
        self.told.append(stream)

    def sent(self) -> None:
        """As much as can go has gone."""
        self.told.append("sent")

    def crash(self) -> None:
        """A bug."""
        self.hasCrashed = True

    def turns(self) -> int:
        """
        Have the moment end, and what comes of that, and so on.

        @return: How often something was called.
        """
        count = 0
        while self.calls:
            calls, self.calls = self.calls, []
            for call in calls:
                count += 1
                call()
        return count

    @property
    def frames(self) -> list[Frame]:
        """What has gone."""
        return framesOf(b"".join(self.written))


class OutflowTests(SynchronousTestCase):
    """
    What goes when.
    """

    def setUp(self) -> None:
        self.around = Around()
        self.session, self.outflow = self.around.session, self.around.outflow

    def asks(self, *streams: int) -> None:
        """
        Requests that have not ended.
        """
        self.session.receive(b"".join(map(head, streams)))

    def test_together(self) -> None:
        """
        What several channels have to say goes out by one write, when the moment is over.
        """
        self.asks(1, 3)
        for stream in (1, 3):
            self.session.head(stream, b"\x88")
            self.outflow.touch()
        self.assertEqual(self.around.written, [])
        self.assertEqual(self.around.turns(), 1)
        self.assertEqual(len(self.around.written), 1)
        self.assertEqual(
            [(each.kind, each.stream) for each in self.around.frames], [(HEADERS, 1), (HEADERS, 3)]
        )
        self.assertEqual(self.around.told, [])

    def test_held(self) -> None:
        """
        Nobody asks for a flush while one is certain to come.
        """
        self.outflow.isHeld = True
        self.outflow.touch()
        self.assertEqual(self.around.calls, [])

    def test_fullLine(self) -> None:
        """
        Nothing is written to a line that has not taken what it was given; the carrier is told that it
        waits, and goes on when it has.
        """
        self.around.room = 1
        self.asks(1)
        self.session.receive(windowUpdate(0, 1 << 20) + windowUpdate(1, 1 << 20))
        self.session.head(1, b"\x88")
        self.assertFalse(self.session.data(1, bytes(300000), True))
        self.outflow.flush()
        self.assertEqual(len(self.around.written), 1)
        self.assertEqual(self.around.told, ["sent"])
        self.outflow.flush()
        self.assertEqual(len(self.around.written), 1)
        self.around.room = 1000
        self.outflow.flush()
        self.around.turns()
        self.assertEqual(sum(len(each.payload) for each in self.around.frames if each.kind == DATA), 300000)

    def test_room(self) -> None:
        """
        Channels that had enough are told when there is room, and may go on at once.
        """
        self.asks(1)
        self.session.receive(windowUpdate(0, 1 << 20) + windowUpdate(1, 1 << 20))
        self.assertFalse(self.session.data(1, bytes(100000)))
        self.outflow.flush()
        self.around.turns()
        self.assertEqual(self.around.told, [1])

    def test_turns(self) -> None:
        """
        However much there is, others have their turn after a few writes.
        """
        self.asks(1)
        self.session.receive(windowUpdate(0, 1 << 24) + windowUpdate(1, 1 << 24))
        self.session.data(1, bytes(2_000_000), True)
        self.outflow.flush()
        first = len(self.around.written)
        self.assertLess(sum(map(len, self.around.written)), 1_000_000)
        self.assertGreater(self.around.turns(), 1)
        self.assertGreater(len(self.around.written), first)
        self.assertEqual(
            sum(len(each.payload) for each in self.around.frames if each.kind == DATA), 2_000_000
        )

    def test_dismissed(self) -> None:
        """
        Who is told that no more of its request is wanted is told so behind its answer, however long that
        takes to go; one that has ended meanwhile is told nothing.
        """
        self.asks(1, 3)
        self.session.head(3, b"\x88", True)
        self.session.data(1, bytes(70000), True)
        for stream in (1, 3):
            self.outflow.dismiss(stream)
        self.session.receive(frame(DATA, 1, 3))
        self.around.turns()
        self.assertNotIn(RST_STREAM, [each.kind for each in self.around.frames])
        self.session.receive(windowUpdate(0, 100000) + windowUpdate(1, 100000))
        self.outflow.touch()
        self.around.turns()
        found = [(each.kind, each.stream) for each in self.around.frames]
        self.assertEqual(found[-1], (RST_STREAM, 1))
        self.assertEqual(self.around.frames[-1].number, NO_ERROR)
        self.assertEqual(found.count((RST_STREAM, 3)), 0)
        self.assertTrue(self.around.frames[-2].flags & 1)

    def test_gone(self) -> None:
        """
        Nothing is written to a connection that is gone.
        """
        self.asks(1)
        self.session.head(1, b"\x88")
        self.outflow.touch()
        self.around.isGone = True
        self.around.turns()
        self.assertEqual((self.around.written, self.around.told), ([], []))

    def test_leaving(self) -> None:
        """
        A connection that is to end hears each time that everything has gone.
        """
        self.around.isLeaving = True
        self.outflow.flush()
        self.assertEqual(self.around.told, ["sent"])

    def test_bug(self) -> None:
        """
        A bug in it ends the connection.
        """
        self.outflow.crash()
        self.assertTrue(self.around.hasCrashed)
