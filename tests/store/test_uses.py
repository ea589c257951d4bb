"""
Tests for L{smartproxy_tw.store.uses}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.budget import Wait
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.uses import DirectoryUses, Uses

USES = Uses(
    {"orders": 1_800_000_000.5}, {"all": Wait(1_800_000_100.0, "it said: später")}, {"": 100, "short": 25}
)


class UsesTests(SynchronousTestCase):
    """
    A budget beyond the life of a process.
    """

    def setUp(self) -> None:
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.uses = DirectoryUses(self.directory)

    def test_acrossProcesses(self) -> None:
        """
        What was saved is loaded; before anything was, there is nothing.
        """
        self.assertEqual(self.uses.load(), Uses())
        self.uses.save(USES)
        self.assertEqual(DirectoryUses(self.directory).load(), USES)

    def test_nonsense(self) -> None:
        """
        What makes no sense is forgotten.
        """
        for content in (
            b"",
            b"\xff",
            b"[]",
            b"[" * 100_000,
            b"{}",
            b'{"buckets": {"orders": "x"}, "holds": {}}',
            b'{"buckets": {}, "holds": {"all": 5}}',
            b'{"buckets": {}, "holds": {"all": {"until": 5}}}',
            b'{"buckets": {}, "holds": {}, "most_names": {"": "x"}}',
            b'{"buckets": {}, "holds": {}, "most_names": 5}',
        ):
            self.directory.write("budget.json", content)
            self.assertEqual(self.uses.load(), Uses(), content)

    def test_earlier(self) -> None:
        """
        What an earlier release wrote, which did not ask how many names there may be,
        is taken as it is.
        """
        self.directory.write("budget.json", b'{"buckets": {"orders": 5}, "holds": {}}')
        self.assertEqual(self.uses.load(), Uses({"orders": 5.0}))
