"""
Tests for L{smartproxy_tw.service.memory}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.memory import Memory
from smartproxy_tw.store.attempts import Attempt, DirectoryAttempts
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.uses import DirectoryUses, Uses

ATTEMPT = Attempt(1000.0, 3, 0.0, "wrong answer")


class MemoryTests(SynchronousTestCase):
    """
    Failures beyond the life of a process.
    """

    def setUp(self) -> None:
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.attempts = DirectoryAttempts(self.directory)
        self.uses = DirectoryUses(self.directory)

    def test_acrossProcesses(self) -> None:
        """
        What one noted the next one knows, until it is forgotten.
        """
        Memory(self.attempts, self.uses, maybeDeferred).note("auto:a", ATTEMPT)
        memory = Memory(self.attempts, self.uses, maybeDeferred)
        self.assertEqual(memory.recall("auto:a"), ATTEMPT)
        self.assertIsNone(memory.recall("auto:b"))
        memory.forget("auto:a")
        memory.forget("auto:b")
        self.successResultOf(memory.whenWritten())
        self.assertIsNone(Memory(self.attempts, self.uses, maybeDeferred).recall("auto:a"))

    def test_manyAtOnce(self) -> None:
        """
        However many fail at one moment, there are two writes, one after the
        other, and the last one has them all.
        """
        waiting: list[Deferred[None]] = []

        def slowly(function: Any, *arguments: Any) -> Deferred[None]:
            waiting.append(Deferred())
            return waiting[-1].addCallback(lambda _: function(*arguments))

        memory = Memory(self.attempts, self.uses, slowly)
        for number in range(100):
            memory.note(f"auto:{number}", ATTEMPT)
        written = memory.whenWritten()
        self.assertEqual(len(waiting), 1)
        waiting[0].callback(None)
        self.assertNoResult(written)
        waiting[1].callback(None)
        self.successResultOf(written)
        self.assertEqual(len(waiting), 2)
        self.assertEqual(len(self.attempts.load()), 100)

    def test_cannotBeWritten(self) -> None:
        """
        A full disk is told, and nothing else comes of it.
        """
        told = []

        def observe(event: dict[str, Any]) -> None:
            told.append(event.get("event"))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

        def full(*_: Any) -> Deferred[None]:
            raise OSError(28, "No space left on device")

        memory = Memory(self.attempts, self.uses, full)
        memory.note("auto:a", ATTEMPT)
        self.successResultOf(memory.whenWritten())
        self.assertEqual(told, ["attempts-unsaved"])
        self.assertEqual(memory.recall("auto:a"), ATTEMPT)

    def test_budget(self) -> None:
        """
        What is used of the budget the next one knows too.
        """
        uses = Uses({"orders": 5.0})
        memory = Memory(self.attempts, self.uses, maybeDeferred)
        self.assertEqual(memory.uses, Uses())
        memory.noteUses(uses)
        self.successResultOf(memory.whenWritten())
        self.assertEqual(Memory(self.attempts, self.uses, maybeDeferred).uses, uses)

    def test_sameBudget(self) -> None:
        """
        A budget that has not changed is written once; after a write that failed it is
        written all the same.
        """
        writes: list[Uses] = []
        isFull = True

        def run(function: Any, uses: Uses) -> Deferred[None]:
            writes.append(uses)
            return maybeDeferred(failing if isFull else function, uses)

        def failing(_: Uses) -> None:
            raise OSError(28, "No space left on device")

        memory = Memory(self.attempts, self.uses, run)
        first, second = Uses(), Uses({"orders": 5.0})
        memory.noteUses(first)
        memory.noteUses(first)
        self.assertEqual(writes, [first, first])
        isFull = False
        for uses in (Uses(), Uses(), second, Uses({"orders": 5.0}), first, first):
            memory.noteUses(uses)
            self.successResultOf(memory.whenWritten())
            self.assertEqual(self.uses.load(), uses)
        self.assertEqual(writes[2:], [first, second, first])

    def test_budgetThatFailsLate(self) -> None:
        """
        So is one whose write was under way when it was noted again, and then failed.
        """
        writes: list[Deferred[None]] = []

        def slowly(function: Any, uses: Uses) -> Deferred[None]:
            writes.append(Deferred())
            return writes[-1].addCallback(lambda _: function(uses))

        memory = Memory(self.attempts, self.uses, slowly)
        memory.noteUses(Uses({"orders": 5.0}))
        memory.noteUses(Uses({"orders": 5.0}))
        writes[0].errback(OSError(28, "No space left on device"))
        self.assertEqual((len(writes), self.uses.load()), (1, Uses()))
        memory.noteUses(Uses({"orders": 5.0}))
        writes[1].callback(None)
        self.assertEqual(self.uses.load(), Uses({"orders": 5.0}))
