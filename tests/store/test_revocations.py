"""
Tests for L{smartproxy_tw.store.revocations}.
"""

from __future__ import annotations

import errno
import json
import os
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.revocations import Revocations

NOW, DAY = 1_800_000_000, 86400.0
SIGNER = Signer.create("Test root", now=NOW - DAY)


def issued(lifetime: float = 90 * DAY) -> bytes:
    """
    A certificate.
    """
    return SIGNER.issue(("shop.example",), lifetime=lifetime, now=NOW).chain


class RevocationsTests(SynchronousTestCase):
    """
    What was revoked, beyond the life of a process.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()

    def make(self, run: Any = maybeDeferred) -> Revocations:
        """
        As a process has them that starts now.
        """
        return Revocations(self.directory, run, self.clock.seconds)

    def test_acrossProcesses(self) -> None:
        """
        What was revoked is known to the next process, and nothing else is; what was
        not revoked after all is not.
        """
        revoked, other = issued(), issued()
        first = self.make()
        self.successResultOf(first.add(revoked))
        for each in (first, self.make()):
            self.assertEqual((each.has(revoked), each.has(other)), (True, False))
        self.successResultOf(first.remove(revoked))
        self.assertFalse(self.make().has(revoked))
        self.assertFalse(self.make().has(b""), "nothing is read where nothing is revoked")

    def test_ended(self) -> None:
        """
        What has ended is forgotten with the next that is added.
        """
        short = issued(DAY)
        revocations = self.make()
        revocations.add(short)
        self.clock.advance(3 * DAY)
        revocations.add(issued())
        self.assertEqual(len(json.loads(self.directory.read("revoked.json") or b"")), 1)
        self.assertFalse(revocations.has(short))

    def test_inOrder(self) -> None:
        """
        However long a write takes, the last one is the one that stays.
        """
        waiting: list[Deferred[None]] = []
        written: list[dict[str, float]] = []

        def run(save: Any, content: dict[str, float]) -> Deferred[None]:
            written.append(content)
            waiting.append(Deferred())
            return waiting[-1]

        revocations = self.make(run)
        done = [revocations.add(issued()) for _ in range(3)]
        for number, each in enumerate(done, 1):
            self.assertEqual(len(written), number)
            waiting.pop().callback(None)
            self.successResultOf(each)
        self.assertEqual(len(written[-1]), 3)

    def test_unwritten(self) -> None:
        """
        A full disk is told; for this process it counts all the same.
        """

        def run(*_: object) -> Deferred[None]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        revocations, chain = self.make(lambda *each: maybeDeferred(run, *each)), issued()
        self.failureResultOf(revocations.add(chain), OSError)
        self.assertTrue(revocations.has(chain))

    def test_nonsense(self) -> None:
        """
        A file that makes no sense is passed over.
        """
        for content in (b"", b"\xff", b"[]", b'{"a": []}', b'{"a": "x"}', b"[" * 100_000):
            self.directory.write("revoked.json", content)
            self.assertFalse(self.make().has(issued()), content[:20])
