"""
Tests for L{smartproxy_tw.plane.minute}.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from weakref import ref

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.minute import PERIOD, Minute


class Owner:
    """
    Whoever counts.
    """

    def __init__(self, clock: Clock) -> None:
        self.minute = Minute(clock.callLater)

    def over(self) -> None:
        """
        It is over.
        """


class MinuteTests(SynchronousTestCase):
    """
    L{Minute}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.over = 0
        self.minute = Minute(self.clock.callLater)

    def count(self) -> None:
        """
        It is over.
        """
        self.assertFalse(self.minute.isOn)
        self.over += 1

    def test_once(self) -> None:
        """
        It begins once, however many events there are, is over once, and nothing waits after that.
        """
        self.assertEqual((self.minute.isOn, self.clock.getDelayedCalls()), (False, []))
        for _ in range(3):
            self.minute.begin(self.count)
        self.clock.advance(PERIOD - 1)
        self.minute.begin(self.count)
        self.assertEqual((self.minute.isOn, self.over), (True, 0))
        self.clock.advance(1)
        self.assertEqual((self.minute.isOn, self.over), (False, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_another(self) -> None:
        """
        Whoever is told that it is over may begin another one.
        """

        def again() -> None:
            self.count()
            self.minute.begin(again)

        self.minute.begin(again)
        self.clock.pump([PERIOD] * 3)
        self.assertEqual((self.minute.isOn, self.over), (True, 3))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_end(self) -> None:
        """
        One that is ended tells nobody, and may be followed by another one.
        """
        self.minute.end()
        self.minute.begin(self.count)
        self.minute.end()
        self.assertEqual((self.minute.isOn, self.clock.getDelayedCalls()), (False, []))
        self.minute.begin(self.count)
        self.clock.advance(PERIOD)
        self.assertEqual(self.over, 1)

    def test_endLate(self) -> None:
        """
        To end one that is over already does nothing.
        """
        self.minute.begin(self.count)
        self.clock.advance(PERIOD)
        self.minute.end()
        self.assertEqual((self.minute.isOn, self.over), (False, 1))

    def test_fault(self) -> None:
        """
        Where those who are told fail another one can begin all the same.
        """
        self.minute.begin(lambda: 1 / 0)
        self.assertRaises(ZeroDivisionError, self.clock.advance, PERIOD)
        self.assertFalse(self.minute.isOn)
        self.minute.begin(self.count)
        self.clock.advance(PERIOD)
        self.assertEqual(self.over, 1)

    def test_noCircle(self) -> None:
        """
        When none goes on nobody is held who was told, be it over or ended.
        """
        owner = Owner(self.clock)
        for finish in (lambda: self.clock.advance(PERIOD), owner.minute.end):
            owner.minute.begin(owner.over)
            finish()
        gc.disable()
        self.addCleanup(gc.enable)
        known = ref(owner)
        del owner, finish
        self.assertIsNone(known())

    def test_notCancelled(self) -> None:
        """
        What cannot be cancelled goes on, and no second one begins beside it.
        """
        calls: list[Callable[[], None]] = []
        self.minute = Minute(lambda _, call: calls.append(call))
        self.minute.begin(self.count)
        self.minute.end()
        self.minute.begin(self.count)
        self.assertEqual((self.minute.isOn, len(calls)), (True, 1))
        calls[0]()
        self.assertEqual((self.minute.isOn, self.over), (False, 1))
