"""
Tests for L{smartproxy_tw.acme.keeping}.
"""

from __future__ import annotations

import errno
import os

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.keeping import Keeping
from smartproxy_tw.facts import Account

HERE = "https://ca.example/dir"
KEY = Account(b"key")
REGISTERED = Account(b"key", "https://ca.example/1")


class Shelf:
    """
    Keeps accounts, unless something is wrong with it.

    @ivar wrong: The number of the error, or C{None}.
    """

    def __init__(self) -> None:
        self.kept: list[Account] = []
        self.tries = 0
        self.wrong: int | None = None

    def load(self, directory: str) -> Account | None:
        raise AssertionError("nobody asked for that")

    def save(self, directory: str, account: Account) -> None:
        assert directory == HERE
        self.tries += 1
        if self.wrong is not None:
            raise OSError(self.wrong, os.strerror(self.wrong))
        self.kept.append(account)


class KeepingTests(SynchronousTestCase):
    """
    An account and a shelf.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.shelf = Shelf()
        self.keeping = Keeping(self.clock, HERE, self.shelf)  # type: ignore[arg-type]
        self.events: list[str] = []

        def observe(event: dict[str, object]) -> None:
            if "event" in event:
                self.events.append(str(event["event"]))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def test_kept(self) -> None:
        """
        Where there is room it is kept at once, and nothing is left to do.
        """
        self.keeping.keep(KEY)
        self.keeping.keep(REGISTERED)
        self.keeping.close()
        self.assertEqual(self.shelf.kept, [KEY, REGISTERED])
        self.assertEqual((self.clock.getDelayedCalls(), self.events), ([], []))

    def test_noRoom(self) -> None:
        """
        Where there is none it is told once, and what was to be kept last is
        kept within five seconds of there being room, however long that took.
        """
        for number in (errno.ENOSPC, errno.EDQUOT):
            self.events.clear()
            self.shelf.kept.clear()
            self.shelf.wrong = number
            self.keeping.keep(KEY)
            self.keeping.keep(REGISTERED)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            for _ in range(100):
                self.clock.advance(1.0)
            self.shelf.wrong = None
            self.clock.pump([1.0] * 5)
            self.assertEqual(self.shelf.kept, [REGISTERED])
            self.assertEqual(self.events, ["account-unkept", "account-kept"])
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_otherwiseWrong(self) -> None:
        """
        What is wrong otherwise is the caller's to know, and nothing is tried
        again for it.
        """
        self.shelf.wrong = errno.EACCES
        self.assertRaises(PermissionError, self.keeping.keep, KEY)
        self.assertEqual((self.clock.getDelayedCalls(), self.events), ([], []))

    def test_wrongMeanwhile(self) -> None:
        """
        What was to be kept later is not given up for another error.
        """
        self.shelf.wrong = errno.ENOSPC
        self.keeping.keep(KEY)
        self.shelf.wrong = errno.EIO
        self.clock.pump([1.0] * 9)
        self.shelf.wrong = None
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.shelf.kept, [KEY])

    def test_required(self) -> None:
        """
        What has to be kept first is kept or fails, and takes the place of what
        was on its way.
        """
        self.shelf.wrong = errno.ENOSPC
        self.assertRaises(OSError, self.keeping.require, KEY)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.keeping.keep(KEY)
        self.assertRaises(OSError, self.keeping.require, REGISTERED)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.shelf.wrong = None
        self.keeping.require(REGISTERED)
        self.clock.advance(100.0)
        self.assertEqual(self.shelf.kept, [REGISTERED])

    def test_closed(self) -> None:
        """
        At the end it is tried a last time.
        """
        self.shelf.wrong = errno.ENOSPC
        self.keeping.keep(KEY)
        self.shelf.wrong = None
        self.keeping.close()
        self.assertEqual(self.shelf.kept, [KEY])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closedWithoutRoom(self) -> None:
        """
        That it is lost then is told.
        """
        self.shelf.wrong = errno.ENOSPC
        self.keeping.keep(KEY)
        self.keeping.close()
        self.assertEqual(self.events, ["account-unkept", "account-lost"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
