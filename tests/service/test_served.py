"""
Tests for L{smartproxy_tw.service.served}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.service.served import Served

NOW = 1_800_000_000.0
DAY = 86400.0
SIGNER = Signer.create("Test root", now=NOW - DAY)
FIRST: Any = object()
SECOND: Any = object()


class ServedTests(SynchronousTestCase):
    """
    L{Served}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.served = Served(FIRST, self.clock)

    def serve(self, *names: str, lifetime: float = 90 * DAY) -> None:
        """
        A certificate for some names.
        """
        credential = SIGNER.issue(list(names), lifetime=lifetime, now=NOW)
        self.served.become(credential, describe(credential.chain), SECOND)

    def test_none(self) -> None:
        """
        As long as it is self-signed it is for nobody, and is missed; it has not ended either.
        """
        self.assertFalse(self.served.covers(["a.example"]))
        self.assertFalse(self.served.isFor([]))
        self.assertEqual((self.served.ends(["a.example"]), self.served.urgentAt(["a.example"])), (0.0, 0.0))
        self.assertFalse(self.served.isOver)
        self.assertIs(self.served.issuer, FIRST)

    def test_become(self) -> None:
        """
        What is served is known with who issued it.
        """
        self.serve("a.example")
        assert self.served.credential is not None and self.served.facts is not None
        self.assertEqual(self.served.facts, describe(self.served.credential.chain))
        self.assertIs(self.served.issuer, SECOND)

    def test_covers(self) -> None:
        """
        It is for its names and for what its wildcards stand for, and for some of them too; one that
        is for more is not just for these.
        """
        self.serve("a.example", "*.b.example")
        for names, isCovered, isJust in (
            (["a.example"], True, False),
            (["a.example", "x.b.example"], True, False),
            (["*.b.example", "a.example"], True, True),
            (["b.example"], False, False),
            (["x.y.b.example"], False, False),
            (["a.example", "c.example"], False, False),
        ):
            self.assertEqual(self.served.covers(names), isCovered, names)
            self.assertEqual(self.served.isFor(names), isJust, names)

    def test_ends(self) -> None:
        """
        It is good until its end, and there is need for another when a fifth of its life is left;
        for names that it is not for it is no good at all.
        """
        self.serve("a.example", lifetime=100 * DAY)
        facts = self.served.facts
        assert facts is not None
        self.assertEqual(self.served.ends(["a.example"]), facts.notAfter)
        self.assertAlmostEqual(
            self.served.urgentAt(["a.example"]), facts.notAfter - 0.2 * facts.lifetime, delta=1.0
        )
        self.assertEqual((self.served.ends(["b.example"]), self.served.urgentAt(["b.example"])), (0.0, 0.0))

    def test_over(self) -> None:
        """
        It has ended when its time is over, to the second.
        """
        self.serve("a.example")
        facts = self.served.facts
        assert facts is not None
        self.clock.advance(facts.notAfter - NOW - 1)
        self.assertFalse(self.served.isOver)
        self.clock.advance(1)
        self.assertTrue(self.served.isOver)

    def test_revoked(self) -> None:
        """
        One that is revoked is to be replaced now, until another one is served.
        """
        self.serve("a.example")
        self.served.isRevoked = True
        self.assertEqual((self.served.ends(["a.example"]), self.served.urgentAt(["a.example"])), (0.0, 0.0))
        self.assertTrue(self.served.covers(["a.example"]))
        self.serve("a.example")
        self.assertFalse(self.served.isRevoked)
        self.assertGreater(self.served.ends(["a.example"]), NOW)
