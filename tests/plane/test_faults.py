"""
Tests for L{smartproxy_tw.plane.faults}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.faults import Faults
from smartproxy_tw.plane.minute import PERIOD


def divides() -> Failure:
    """
    A bug.
    """
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        return Failure()  # type: ignore[no-untyped-call]
    raise AssertionError


def raises(why: BaseException) -> Failure:
    """
    Another one.
    """
    try:
        raise why
    except BaseException:
        return Failure()  # type: ignore[no-untyped-call]


class Unspeakable(Exception):
    """
    One that cannot be told.
    """

    def __str__(self) -> str:
        raise ValueError("no words")


class FaultsTests(SynchronousTestCase):
    """
    L{Faults}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.faults = Faults(self.clock.callLater)
        self.told: list[tuple[int, str]] = []
        globalLogPublisher.addObserver(self.see)
        self.addCleanup(globalLogPublisher.removeObserver, self.see)

    def see(self, event: dict[str, Any]) -> None:
        """
        What is told of those that follow.
        """
        if event.get("event") == "fault-again":
            self.told.append((event["more"], event.get("why", "")))

    def test_flood(self) -> None:
        """
        One traceback, and then counts for as long as it goes on.
        """
        for _ in range(10_000):
            self.faults.add(divides(), "{name} failed", name="shop")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.told, [])
        self.clock.advance(PERIOD)
        self.assertEqual(self.told, [(9999, "ZeroDivisionError: division by zero")])
        self.faults.add(divides(), "{name} failed", name="shop")
        self.clock.advance(PERIOD)
        self.assertEqual([each[0] for each in self.told], [9999, 1])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_again(self) -> None:
        """
        After a minute without any it is told as at first, and nothing waits for it meanwhile.
        """
        self.faults.add(divides(), "a")
        self.clock.advance(PERIOD)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), ([], []))
        self.faults.add(divides(), "a")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_kinds(self) -> None:
        """
        What was going on, in what, the exception, and where: each makes a kind of its own.
        """
        self.faults.add(divides(), "{name} failed", name="a")
        self.faults.add(divides(), "{name} failed", name="b")
        self.faults.add(divides(), "{name} ended", name="b")
        self.faults.add(raises(ZeroDivisionError()), "{name} ended", name="b")
        self.faults.add(raises(KeyError()), "{name} ended", name="b")
        self.assertEqual(len(self.flushLoggedErrors()), 5)
        self.faults.add(raises(KeyError("x\n\x1b[0m")), "{name} ended", name="b")
        self.assertEqual(self.flushLoggedErrors(), [])
        self.clock.advance(PERIOD)
        self.assertEqual(self.told, [(1, "KeyError: 'x\\\\n\\\\x1b[0m'")])

    def test_manyKinds(self) -> None:
        """
        However many kinds there are, a few are told and kept; of the others the number is told.
        """
        for number in range(1000):
            self.faults.add(divides(), "a", name=str(number))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 32)
        self.clock.advance(PERIOD)
        self.assertEqual(self.told, [(968, "")])

    def test_unspeakable(self) -> None:
        """
        Whatever is raised can be told of, also without a traceback.
        """
        for kind in (Unspeakable, SystemExit, KeyboardInterrupt):
            for _ in range(2):
                self.faults.add(raises(kind()), "a")
            for _ in range(2):
                self.faults.add(Failure(kind()), "a")  # type: ignore[no-untyped-call]
            self.assertEqual(len(self.flushLoggedErrors()), 2)
        self.clock.advance(PERIOD)
        self.assertEqual(
            [each[1] for each in self.told],
            ["Unspeakable: ?"] * 2 + ["SystemExit"] * 2 + ["KeyboardInterrupt"] * 2,
        )

    def test_close(self) -> None:
        """
        At the end the rest is told, and nothing waits any more.
        """
        for _ in range(3):
            self.faults.add(divides(), "a")
        self.faults.close()
        self.assertEqual([each[0] for each in self.told], [2])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.faults.close()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_afterwards(self) -> None:
        """
        What fails after the end is told, and can be ended too.
        """
        self.faults.add(divides(), "a")
        self.faults.close()
        self.faults.add(divides(), "a")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.faults.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_notCancelled(self) -> None:
        """
        Where what was asked for cannot be cancelled it comes to nothing.
        """
        calls: list[Any] = []
        faults = Faults(lambda _, call: calls.append(call))
        faults.add(divides(), "a")
        faults.close()
        calls[0]()
        self.assertEqual(len(calls), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
