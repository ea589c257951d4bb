"""
Tests for L{smartproxy_tw.plane.arrears}.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.arrears import Arrears
from smartproxy_tw.wire.frames import PREFACE, frame, settings, windowUpdate
from smartproxy_tw.wire.http2 import ServerSession

from ..wire.conversations import HyperFields, head


class Line:
    """
    A socket.

    @ivar taken: What the other side's kernel has acknowledged, in bytes.
    """

    taken = 0

    def getsockopt(self, *arguments: int) -> bytes:
        """What the kernel says."""
        return bytes(120) + self.taken.to_bytes(8, sys.byteorder)


class Around:
    """
    What arrears need of a carrier; the session is a real one.

    @ivar told: The streams that were given up, and C{"unread"} and C{"settled"}.
    """

    def __init__(self, seconds: float, rate: int) -> None:
        self.now = 1000.0
        self.mortals: dict[Any, None] = {}
        self.door = self.engine = self.poller = self
        self.timeouts = SimpleNamespace(write=seconds)
        self.limits = SimpleNamespace(minRate=rate)
        self.wire = SimpleNamespace(pending=False, sock=Line())
        self.session = ServerSession(HyperFields())
        self.session.receive(PREFACE + settings({}) + frame(4, 1, 0))
        self.told: list[Any] = []

    def starve(self, stream: int) -> None:
        """It takes one not."""
        self.told.append(stream)
        self.session.reset(stream, 8)

    def unread(self) -> None:
        """It takes nothing."""
        self.told.append("unread")

    def settled(self) -> None:
        """Nothing waits."""
        self.told.append("settled")


class ArrearsTests(SynchronousTestCase):
    """
    Who is waited for, and how long.
    """

    def begin(self, seconds: float = 30.0, rate: int = 100) -> None:
        """
        Something waits.
        """
        self.around = Around(seconds, rate)
        self.session = self.around.session
        self.arrears = Arrears(self.around)  # type: ignore[arg-type]

    def answers(self, stream: int, size: int) -> None:
        """
        A request, and an answer that the session has in full.
        """
        self.session.receive(head(stream, isEnd=True))
        self.session.data(stream, bytes(size), True)
        self.session.outgoing()

    def passes(self, seconds: float, opens: bytes = b"", does: Callable[[int], None] | None = None) -> None:
        """
        Time passes as the poller has it.

        @param opens: What the client sends each second.
        @param does: What else happens then, given the second.
        """
        until = self.around.now + seconds
        while self.around.now < until:
            self.around.now += 1.0
            if does is not None:
                does(int(self.around.now))
            self.session.receive(opens)
            if not self.around.wire.pending:
                self.session.outgoing()
            for mortal in [each for each in self.around.mortals if each.deadline <= self.around.now]:
                if mortal in self.around.mortals:
                    mortal.expire()

    def test_one(self) -> None:
        """
        Who opens no window for one answer loses that one when its time is over, and then nothing is
        looked at any more.
        """
        self.begin()
        self.session.receive(windowUpdate(0, 1 << 20))
        self.answers(1, 100000)
        self.passes(29)
        self.assertEqual(self.around.told, [])
        self.passes(4)
        self.assertEqual(self.around.told, [1, "settled"])
        self.assertEqual(self.around.mortals, {})

    def test_each(self) -> None:
        """
        Each has its own time.
        """
        self.begin()
        self.session.receive(windowUpdate(0, 1 << 20))
        self.answers(1, 100000)
        self.passes(10)
        self.answers(3, 100000)
        self.passes(23)
        self.assertEqual(self.around.told, [1])
        self.passes(10)
        self.assertEqual(self.around.told, [1, 3, "settled"])

    def test_slowly(self) -> None:
        """
        Who takes it as slowly as is allowed has as long as that takes; who is slower has not.
        """
        for opened, told in ((110, ["settled"]), (50, [1, "settled"])):
            self.begin()
            self.session.receive(windowUpdate(0, 1 << 20))
            self.answers(1, 65535 + 20000)
            self.passes(210, windowUpdate(1, opened))
            self.assertEqual(self.around.told, told, opened)

    def test_whole(self) -> None:
        """
        Who opens none for the connection loses that, whatever it opens for its streams; an answer that
        waits behind others is not counted for itself.
        """
        self.begin()
        self.answers(1, 100000)
        self.answers(3, 10)
        self.session.receive(windowUpdate(1, 100000))
        self.passes(29)
        self.assertEqual(self.around.told, [])
        self.passes(4)
        self.assertEqual(self.around.told, ["unread"])

    def test_line(self) -> None:
        """
        So does who takes nothing off the line, and who takes it in time does not.
        """
        self.begin()
        self.around.wire.pending = True
        self.passes(20)
        self.around.wire.pending = False
        self.passes(2)
        self.assertEqual(self.around.told, ["settled"])
        self.begin()
        self.around.wire.pending = True
        self.passes(33)
        self.assertEqual(self.around.told, ["unread"])

    def test_inTurns(self) -> None:
        """
        Nobody gets new time by opening one window while the other one is closed, a byte at a time.
        """
        self.begin()
        self.answers(1, 100000)
        self.session.receive(windowUpdate(0, 1))
        causes = []

        def opens(second: int) -> None:
            if not self.around.told:
                causes.append(self.session.isHeldUp)
                self.session.receive(windowUpdate(1, 2) if len(causes) % 2 else windowUpdate(0, 2))

        self.passes(100, does=opens)
        self.assertIn(self.around.told[0], (1, "unread"))
        self.assertEqual(causes[:4], [False, True, False, True])
        self.assertIn(len(causes), range(30, 70))

    def test_lineInTurns(self) -> None:
        """
        Nor by taking what waits for the line now and then, while a window is closed.
        """
        self.begin()
        self.session.receive(windowUpdate(0, 1 << 20))
        self.answers(1, 100000)
        causes = []

        def takes(second: int) -> None:
            wire = self.around.wire
            if self.around.told:
                return
            causes.append(wire.pending)
            if wire.pending:
                wire.sock.taken += 10
                wire.pending = False
            else:
                self.session.receive(windowUpdate(1, 1))
                self.session.outgoing()
                wire.pending = True
                self.session.receive(windowUpdate(1, 1))

        self.passes(100, does=takes)
        self.assertIn(self.around.told[0], (1, "unread"))
        self.assertEqual(causes[:4], [False, True, False, True])
        self.assertIn(len(causes), range(30, 70))

    def test_resting(self) -> None:
        """
        What waited for a window and has all gone is no reason to be hasty with what comes later.
        """
        self.begin()
        self.session.receive(windowUpdate(0, 1 << 20))
        self.session.receive(head(1, isEnd=True))
        self.session.data(1, bytes(65535 + 10), False)
        self.session.outgoing()
        self.passes(25)
        self.session.receive(windowUpdate(1, 10))
        self.session.outgoing()
        self.session.data(1, bytes(10), False)
        self.passes(20)
        self.assertEqual(self.around.told, [])
        self.passes(20)
        self.assertEqual(self.around.told, [1, "settled"])

    def test_beside(self) -> None:
        """
        Who takes other things, such as answers that need no window, does not have those that wait for
        that of the connection wait for ever.
        """
        for rate in (100, 0):
            self.begin(rate=rate)
            self.answers(1, 100000)
            self.session.receive(windowUpdate(1, 100000))

            def takes(second: int) -> None:
                self.around.wire.sock.taken += 10000

            self.passes(33, does=takes)
            self.assertEqual(self.around.told, ["unread"], rate)

    def test_whileItMoves(self) -> None:
        """
        A client that is quick enough has all the time it needs, whichever window is closed when it is
        looked at.
        """
        self.begin()
        self.answers(1, 65535 + 40000)

        def opens(second: int) -> None:
            self.session.receive(windowUpdate(1, 400) if second % 2 else windowUpdate(0, 400))

        self.passes(150, does=opens)
        self.assertEqual(self.around.told, [])
        self.assertGreater(self.session.streams[1].moved, 65535 + 20000)

    def test_gone(self) -> None:
        """
        An answer that was reset meanwhile is none that is waited for.
        """
        self.begin()
        self.session.receive(windowUpdate(0, 1 << 20))
        self.answers(1, 100000)
        self.passes(5)
        self.session.reset(1, 8)
        self.passes(2)
        self.assertEqual((self.around.told, self.around.mortals), (["settled"], {}))

    def test_end(self) -> None:
        """
        With the connection everything ends.
        """
        self.begin()
        self.answers(1, 100000)
        self.passes(5)
        self.arrears.end()
        self.assertEqual(self.around.mortals, {})
