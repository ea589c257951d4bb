"""
Tests for L{smartproxy_tw.plane.arrears}.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.arrears import Arrears
from smartproxy_tw.wire.frames import PREFACE, frame, settings, windowUpdate
from smartproxy_tw.wire.http2 import ServerSession

from ..wire.conversations import HyperFields, head


class Line:
    """
    A socket of which the kernel says nothing, so that nothing has been taken.
    """

    def getsockopt(self, *arguments: int) -> bytes:
        """What the kernel says."""
        raise OSError


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

    def passes(self, seconds: float, opens: bytes = b"") -> None:
        """
        Time passes as the poller has it.

        @param opens: What the client sends each second.
        """
        until = self.around.now + seconds
        while self.around.now < until:
            self.around.now += 1.0
            self.session.receive(opens)
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
