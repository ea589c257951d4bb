"""
Tests for L{smartproxy_tw.service.doors}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.doors import Doors


class FakeDoor:
    """
    One that tells what becomes of it.
    """

    def __init__(self, name: str, told: list[str], why: Exception | None = None) -> None:
        self._name = name
        self._told = told
        self._why = why
        self.closing: Deferred[None] = succeed(None)

    async def giveWay(self) -> None:
        """
        See L{Door<smartproxy_tw.service.doors.Door>}.
        """
        self._told.append(f"{self._name} gives way")

    def open(self) -> None:
        """
        See L{Door<smartproxy_tw.service.doors.Door>}.
        """
        self._told.append(f"{self._name} opens")

    async def close(self) -> None:
        """
        Likewise.
        """
        await self.closing
        self._told.append(f"{self._name} closes")
        if self._why is not None:
            raise self._why


class DoorsTests(SynchronousTestCase):
    """
    Several as one.
    """

    def setUp(self) -> None:
        self.told: list[str] = []

    def test_order(self) -> None:
        """
        They open in their order, and close in reverse, each when the one before has closed.
        """
        first, second = FakeDoor("first", self.told), FakeDoor("second", self.told)
        second.closing = Deferred()
        doors = Doors([first, second])
        doors.open()
        self.assertEqual(self.told, ["first opens", "second opens"])
        self.told.clear()
        closed = Deferred.fromCoroutine(doors.close())
        self.assertEqual(self.told, [])
        self.assertNoResult(closed)
        second.closing.callback(None)
        self.successResultOf(closed)
        self.assertEqual(self.told, ["second closes", "first closes"])

    def test_giveWay(self) -> None:
        """
        They leave their places in reverse.
        """
        doors = Doors([FakeDoor("first", self.told), FakeDoor("second", self.told)])
        self.successResultOf(Deferred.fromCoroutine(doors.giveWay()))
        self.assertEqual(self.told, ["second gives way", "first gives way"])

    def test_defect(self) -> None:
        """
        One that cannot be closed well is told of by its kind, and keeps no other open.
        """
        doors = Doors([FakeDoor("first", self.told), FakeDoor("second", self.told, KeyError("x"))])
        self.successResultOf(Deferred.fromCoroutine(doors.close()))
        self.assertEqual(self.told, ["second closes", "first closes"])
        (failure,) = self.flushLoggedErrors(KeyError)
        self.assertEqual(failure.value.args, ("x",))
