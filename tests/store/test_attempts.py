"""
Tests for L{smartproxy_tw.store.attempts}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.store.attempts import Attempt, DirectoryAttempts
from smartproxy_tw.store.directory import SecureDirectory

ATTEMPTS = {
    "auto:a.example": Attempt(1_800_000_000.5, 3, 1_800_003_600.0, "wrong answer"),
    "auto:b.example,c.example": Attempt(1.0, 1, 0.0, 'no "DNS" für\nb'),
}


class DirectoryAttemptsTests(SynchronousTestCase):
    """
    Failed orders in a file.
    """

    def setUp(self) -> None:
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.attempts = DirectoryAttempts(self.directory)

    def test_roundTrip(self) -> None:
        """
        They come back as they were; at first there are none.
        """
        self.assertEqual(self.attempts.load(), {})
        self.attempts.save(ATTEMPTS)
        self.assertEqual(self.attempts.load(), ATTEMPTS)

    def test_nonsense(self) -> None:
        """
        What makes no sense is forgotten: it never stops a start.
        """
        for content in (
            b"",
            b"[]",
            b"[" * 100_000,
            b"\xff",
            b'{"auto:a": 3}',
            b'{"auto:a": {"at": 1}}',
            b'{"auto:a": {"at": "x", "failures": 1, "not_before": 0, "problem": ""}}',
        ):
            self.directory.write("attempts.json", content)
            self.assertEqual(self.attempts.load(), {})
