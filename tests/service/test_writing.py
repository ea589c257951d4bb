"""
Tests for L{smartproxy_tw.service.writing}; what it is used for is told by
L{tests.service.test_memory}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.writing import Writing


class WritingTests(SynchronousTestCase):
    """
    The newest state of one thing.
    """

    def setUp(self) -> None:
        self.state = 0
        self.written: list[int] = []
        self.problems: list[Exception] = []
        self.result: Deferred[None] = succeed(None)
        self.writing: Writing[int] = Writing(
            self.disk, self.written.append, lambda: self.state, self.problems.append
        )

    def disk(self, save: object, state: int) -> Deferred[None]:
        """
        The disk.
        """
        save(state)  # type: ignore[operator]
        return self.result

    def test_oneAtATime(self) -> None:
        """
        However often it changes during a write, there is one more, with the
        last of it.
        """
        self.result = first = Deferred()
        for self.state in range(1, 6):
            self.writing.write()
        self.assertEqual(self.written, [1])
        written = self.writing.whenWritten()
        self.assertNoResult(written)
        self.result = succeed(None)
        first.callback(None)
        self.successResultOf(written)
        self.assertEqual(self.written, [1, 5])
        self.successResultOf(self.writing.whenWritten())

    def test_failure(self) -> None:
        """
        What cannot be written is told, and the next change is written.
        """
        self.result = fail(OSError("full"))
        self.writing.write()
        self.successResultOf(self.writing.whenWritten())
        self.assertEqual([str(why) for why in self.problems], ["full"])
        self.result = succeed(None)
        self.writing.write()
        self.assertEqual(self.written, [0, 0])
