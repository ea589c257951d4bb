"""
Tests for L{smartproxy_tw.service.keeper}.
"""

from __future__ import annotations

import errno

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Credential
from smartproxy_tw.service.keeper import Keeper


def credential(text: bytes) -> Credential:
    """
    Something to be kept.
    """
    return Credential(chain=text, key=text)


class Shelf:
    """
    A store that is full, slow or fine.
    """

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.tries = 0
        self.isFull = False
        self.slow: list[Deferred[None]] | None = None

    def save(self, credential: Credential) -> Deferred[None]:
        return Deferred.fromCoroutine(self._save(credential))

    async def _save(self, credential: Credential) -> None:
        self.tries += 1
        if self.slow is not None:
            waiting: Deferred[None] = Deferred()
            self.slow.append(waiting)
            await waiting
        if self.isFull:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.kept.append(credential.chain)


class KeeperTests(SynchronousTestCase):
    """
    Serve first, keep afterwards.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.shelf = Shelf()
        self.keeper = Keeper(self.shelf.save, self.clock, ("shop.example",))
        self.events: list[str] = []

        def observe(event: dict[str, object]) -> None:
            if "event" in event:
                self.events.append(str(event["event"]))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def test_kept(self) -> None:
        """
        What is kept is in the store, and nothing is left to do.
        """
        self.keeper.keep(credential(b"1"))
        self.assertEqual(self.shelf.kept, [b"1"])
        self.assertFalse(self.keeper.isBehind)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_fullDisk(self) -> None:
        """
        A full disk is told once, and tried again until there is room: what is
        served is written within five seconds of that, however long it took.
        """
        self.shelf.isFull = True
        self.keeper.keep(credential(b"1"))
        self.assertTrue(self.keeper.isBehind)
        self.assertIn("No space left", self.keeper.problem or "")
        waits = []
        for _ in range(9):
            assert self.keeper.nextAttempt is not None
            waits.append(self.keeper.nextAttempt - self.clock.seconds())
            self.clock.advance(waits[-1])
        self.assertEqual(waits, [1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0])
        self.shelf.isFull = False
        self.clock.advance(5.0)
        self.assertEqual(self.shelf.kept, [b"1"])
        self.assertFalse(self.keeper.isBehind)
        self.assertIsNone(self.keeper.problem)
        self.assertEqual(self.events, ["certificate-unsaved", "certificate-saved"])

    def test_newestWins(self) -> None:
        """
        What was replaced while it could not be saved is never saved.
        """
        self.shelf.isFull = True
        self.keeper.keep(credential(b"1"))
        self.shelf.isFull = False
        self.keeper.keep(credential(b"2"))
        self.assertEqual(self.shelf.kept, [b"2"])
        self.clock.advance(3600.0)
        self.assertEqual(self.shelf.kept, [b"2"])

    def test_replacedWhileBeingSaved(self) -> None:
        """
        A newer one that comes during a save is saved after it, never at the
        same time.
        """
        self.shelf.slow = []
        self.keeper.keep(credential(b"1"))
        self.keeper.keep(credential(b"2"))
        self.assertEqual(self.shelf.tries, 1)
        idle = self.keeper.whenIdle()
        self.shelf.slow.pop().callback(None)
        self.assertNoResult(idle)
        self.shelf.slow.pop().callback(None)
        self.successResultOf(idle)
        self.assertEqual(self.shelf.kept, [b"1", b"2"])

    def test_stopTriesALastTime(self) -> None:
        """
        What is not saved at the end is tried once more.
        """
        self.shelf.isFull = True
        self.keeper.keep(credential(b"1"))
        self.shelf.isFull = False
        self.successResultOf(self.keeper.stop())
        self.assertEqual(self.shelf.kept, [b"1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopInVain(self) -> None:
        """
        What is lost with the process is told.
        """
        self.shelf.isFull = True
        self.keeper.keep(credential(b"1"))
        self.successResultOf(self.keeper.stop())
        self.assertEqual(self.events[-1], "certificate-lost")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopWaits(self) -> None:
        """
        A save that goes on is waited for.
        """
        self.shelf.slow = []
        self.keeper.keep(credential(b"1"))
        stopped = self.keeper.stop()
        self.assertNoResult(stopped)
        self.shelf.slow.pop().callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.shelf.kept, [b"1"])
