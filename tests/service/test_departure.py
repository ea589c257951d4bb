"""
Tests for L{smartproxy_tw.service.departure}; whole lives depart in L{tests.service.test_life}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.departure import Departure
from smartproxy_tw.service.errors import UpgradeRefused

from .parts import Part


class Duties(Part):
    """
    What only one process at a time does.
    """

    isResting = False

    async def rest(self, before: Callable[[], Awaitable[None]]) -> None:
        """
        Lay them down.
        """
        self.isResting = True
        await before()
        self._story.append("duties: rest")

    async def resume(self, plane: object, milestones: Any) -> None:
        """
        Take them up.
        """
        self._story.append(f"duties: resume with {plane} after {milestones.elapsed:g} s")
        self.isResting = False


class DepartureTests(SynchronousTestCase):
    """
    L{Departure}.
    """

    def setUp(self) -> None:
        self.story: list[str] = []
        self.clock = Clock()
        self.duties: Any = Duties("duties", self.story)
        self.binding: Any = Part("binding", self.story)
        self.binding.bequest = lambda: ((None, False),)
        self.storage: Any = Part("storage", self.story)
        self.storage.lock = 9
        self.path: Any = Part("path", self.story)
        self.path.plane = "the data path"
        self.isServing = True
        self.changing: Deferred[None] = Deferred()
        self.departure = Departure(
            self.binding,
            self.storage,
            self.duties,
            self.path,
            self.clock,
            isServing=lambda: self.isServing,
            settle=self.settle,
        )

    async def settle(self) -> None:
        """
        A change of the configuration comes to its end.
        """
        await self.changing

    def test_estate(self) -> None:
        """
        What is served can be handed over, its sockets and its lock, and nothing else can.
        """
        estate = self.departure.estate()
        self.assertEqual((estate.sockets, estate.lock), (((None, False),), 9))
        self.isServing = False
        self.assertRaises(UpgradeRefused, self.departure.estate)

    def test_rest(self) -> None:
        """
        It rests once the change that goes on is over; none may begin meanwhile.
        """
        self.assertFalse(self.departure.isResting)
        resting = Deferred.fromCoroutine(self.departure.rest())
        self.assertTrue(self.departure.isResting)
        self.assertNoResult(resting)
        self.assertEqual(self.story, [])
        self.changing.callback(None)
        self.successResultOf(resting)
        self.assertEqual(self.story, ["duties: rest"])

    def test_giveWay(self) -> None:
        """
        To give way closes nothing.
        """
        self.assertIsNone(self.departure.successor)
        self.departure.giveWay(4321)
        self.assertEqual((self.departure.successor, self.departure.hasDeparted), (4321, False))
        self.assertEqual(self.story, [])

    def test_depart(self) -> None:
        """
        Whoever comes is sent elsewhere before the ports close, and targets are looked at until then.
        """
        self.departure.giveWay(4321)
        closed = self.binding.slow["close"] = Deferred()
        departing = Deferred.fromCoroutine(self.departure.depart())
        self.assertTrue(self.departure.hasDeparted)
        self.assertEqual(self.story, ["duties: giveWay", "binding: close"])
        closed.callback(None)
        self.successResultOf(departing)
        self.assertEqual(self.story[-1], "path: lookAway")
        self.assertEqual(self.departure.successor, 4321)

    def test_departInSpite(self) -> None:
        """
        Ports that cannot be closed well are logged, and the other process looks at targets all the
        same.
        """
        self.binding.broken["close"] = RuntimeError("a bug")
        self.successResultOf(Deferred.fromCoroutine(self.departure.depart()))
        self.assertEqual(self.story[-1], "path: lookAway")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_resume(self) -> None:
        """
        What goes on does so with the same data path, measures its time anew, and has no successor.
        """
        self.clock.advance(60)
        self.departure.giveWay(4321)
        self.successResultOf(Deferred.fromCoroutine(self.departure.resume()))
        self.assertEqual(self.story, ["duties: resume with the data path after 0 s"])
        self.assertIsNone(self.departure.successor)

    def test_resumeTooLate(self) -> None:
        """
        What ends, or has no data path any more, does not go on; nobody takes its place either.
        """
        for isServing, plane in ((False, "the data path"), (True, None)):
            self.isServing, self.path.plane = isServing, plane
            self.departure.giveWay(4321)
            self.successResultOf(Deferred.fromCoroutine(self.departure.resume()))
            self.assertEqual((self.story, self.departure.successor), ([], None))
