"""
Tests for L{smartproxy_tw.store.deliveries}.
"""

from __future__ import annotations

import os

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.store.deliveries import DirectoryDeliveries
from smartproxy_tw.store.directory import SecureDirectory


class DeliveriesTests(SynchronousTestCase):
    """
    Across the life of a process.
    """

    def setUp(self) -> None:
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.deliveries = DirectoryDeliveries(self.directory)

    def test_kept(self) -> None:
        """
        What was told is known to the next process; at first nothing is.
        """
        self.assertEqual(self.deliveries.load(), {})
        told = {"auto:a.test": {"c0ffee": "1f"}, "auto:b.test": {"c0ffee": "20", "d0": "21"}}
        self.deliveries.save(told)
        self.assertEqual(DirectoryDeliveries(self.directory).load(), told)
        self.assertEqual(os.stat(self.directory.pathOf("hooks.json")).st_mode & 0o777, 0o600)

    def test_nonsense(self) -> None:
        """
        What makes no sense is forgotten, and the log says what that means.
        """
        warned = []
        globalLogPublisher.addObserver(warned.append)
        self.addCleanup(globalLogPublisher.removeObserver, warned.append)
        wrong = (b"", b"[]", b'{"a": []}', b'{"a": {"b": 1}}', b"\xff", b"{", b"[" * 100_000)
        for content in wrong:
            self.directory.write("hooks.json", content)
            self.assertEqual(self.deliveries.load(), {}, content[:20])
        events = [each for each in warned if each.get("event") == "hooks-unusable"]
        self.assertEqual(len(events), len(wrong))
        self.assertIn("hooks may be run once more", events[0]["log_format"])
