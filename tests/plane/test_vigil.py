"""
Tests for L{smartproxy_tw.plane.vigil}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.vigil import Vigil


class Clock:
    """
    What a vigil needs of a poller.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.mortals: dict[Any, None] = {}


class Connection:
    """
    What it needs of a trunk.
    """

    target = "h:1"

    def __init__(self) -> None:
        self.isSettled = False
        self.busy = 0
        self.told: list[str] = []
        self.session = self

    @property
    def isIdle(self) -> bool:
        """Whether nobody needs it."""
        return not self.busy

    def ping(self, opaque: bytes) -> None:
        """It is asked whether it is there."""
        assert len(opaque) == 8
        self.told.append("ping")

    def touch(self) -> None:
        """There is something to be sent."""

    def lose(self, reason: str) -> None:
        """It is given up."""
        self.told.append(reason)

    def leave(self) -> None:
        """It is let go."""
        self.told.append("leave")


class VigilTests(SynchronousTestCase):
    """
    One after the other.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.connection = Connection()
        self.vigil = Vigil(self.clock, self.connection, 5.0)  # type: ignore[arg-type]

    def passes(self, seconds: float) -> list[str]:
        """
        Time passes.

        @return: What it was told.
        """
        self.clock.now += seconds
        if self.clock.now >= self.vigil.deadline:
            self.vigil.expire()
        told, self.connection.told = self.connection.told, []
        return told

    def test_unsettled(self) -> None:
        """
        Its settings are due.
        """
        self.assertEqual(self.passes(4.9), [])
        self.assertEqual(self.passes(0.2), ["it did not say in time that it speaks HTTP/2"])

    def test_idle(self) -> None:
        """
        One that nobody needs is let go after a minute.
        """
        self.connection.isSettled = True
        self.vigil.rest()
        self.assertEqual(self.passes(59), [])
        self.assertEqual(self.passes(2), ["leave"])

    def test_silence(self) -> None:
        """
        One that is silent is asked, and given up when it does not answer.
        """
        self.connection.isSettled = True
        self.connection.busy = 1
        self.vigil.listen()
        self.assertEqual(self.passes(29), [])
        self.vigil.heard()
        self.assertEqual(self.passes(2), [])
        self.assertEqual(self.passes(29), ["ping"])
        self.vigil.answered()
        self.assertEqual(self.passes(300), [])
        self.assertEqual(self.passes(11), ["ping"])
        self.vigil.heard()
        self.assertEqual(self.passes(29), [])
        self.assertEqual(self.passes(2), ["ping"])
        self.assertEqual(self.passes(16), ["it did not answer a PING in time"])

    def test_end(self) -> None:
        """
        When it is gone nothing is left.
        """
        self.assertEqual((self.vigil.busy, self.vigil.target), (0, "h:1"))
        self.vigil.end()
        self.assertEqual(self.clock.mortals, {})
