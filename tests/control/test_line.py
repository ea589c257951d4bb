"""
Tests for L{smartproxy_tw.control.line}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.protocols.amp import AMP
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.line import Line
from smartproxy_tw.control.messages import Drain, Leaving, Recent, Report, Tally


def text(**counts: int) -> bytes:
    """
    Counts, as they travel.
    """
    return json.dumps(counts).encode("ascii")


class Worker(AMP):
    """
    The other end: has counts to tell, some at a time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pieces: list[dict[str, Any]] = []
        self.drained: list[tuple[float, float]] = []

    @Tally.responder
    def tally(self) -> dict[str, Any]:
        return self.pieces.pop(0)

    @Drain.responder
    def drain(self, seconds: float, streams: float) -> dict[str, Any]:
        self.drained.append((seconds, streams))
        return {"cut": 2}

    @Recent.responder
    def recent(self) -> dict[str, Any]:
        return {"keys": b"auto:a.test\nauto:b.test\n"}


class LineTests(SynchronousTestCase):
    """
    A line whose bytes are carried by hand.
    """

    def setUp(self) -> None:
        self.heard: list[Any] = []
        self.line, self.worker = Line(self), Worker()
        self.ends = [StringTransport(), StringTransport()]
        self.line.makeConnection(self.ends[0])
        self.worker.makeConnection(self.ends[1])  # type: ignore[no-untyped-call]

    def leaves(self) -> None:
        self.heard.append("leaves")

    def reports(self, tally: dict[str, int]) -> None:
        self.heard.append(dict(tally))

    def lost(self) -> None:
        self.heard.append("lost")

    def carry(self) -> None:
        """
        Until nobody has anything to say.
        """
        while any(end.value() for end in self.ends):
            for end, other in zip(self.ends, (self.worker, self.line), strict=True):
                data = end.value()
                end.clear()
                if data:
                    other.dataReceived(data)  # type: ignore[no-untyped-call]

    def test_tally(self) -> None:
        """
        What was gained is added up, however many pieces it comes in, and in one
        dictionary for good.
        """
        self.worker.pieces = [
            {"tally": text(a=1), "isMore": True},
            {"tally": text(b=2), "isMore": False},
            {"tally": text(a=4), "isMore": False},
        ]
        asked = self.line.tally()
        self.carry()
        first = self.successResultOf(asked)
        self.assertEqual(first, {"a": 1, "b": 2})
        asked = self.line.tally()
        self.carry()
        self.assertIs(self.successResultOf(asked), first)
        self.assertEqual(first, {"a": 5, "b": 2})

    def test_asked(self) -> None:
        """
        An answer comes as what it means.
        """
        cut, keys = self.line.drain(3, 60), self.line.recent()
        self.carry()
        self.assertEqual((self.successResultOf(cut), self.worker.drained), (2, [(3.0, 60.0)]))
        self.assertEqual(self.successResultOf(keys), ("auto:a.test", "auto:b.test"))

    def test_heard(self) -> None:
        """
        What the worker says by itself is heard, its last counts with those before.
        """
        self.worker.pieces = [{"tally": text(a=1), "isMore": False}]
        self.line.tally()
        self.carry()
        self.worker.callRemote(Leaving)  # type: ignore[no-untyped-call]
        self.worker.callRemote(Report, tally=text(a=2))  # type: ignore[no-untyped-call]
        self.carry()
        self.assertEqual(self.heard, ["leaves", {"a": 3}])

    def test_lost(self) -> None:
        """
        When the line is lost whoever waits is told, and hanging up is nothing then.
        """
        asked = self.line.recent()
        self.line.hangUp()
        self.assertTrue(self.ends[0].disconnecting)
        self.line.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(asked, ConnectionLost)
        self.assertEqual(self.heard, ["lost"])
        self.line.hangUp()
