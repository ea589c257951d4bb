"""
Tests for L{smartproxy_tw.config.balance}.
"""

from __future__ import annotations

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.balance import ALGORITHMS, Algorithm, Check, Checked, Health, Sticky, checkedOf
from smartproxy_tw.config.model import Forward, Target, UpstreamTLS


class BalanceTests(SynchronousTestCase):
    """
    How targets share what there is to do.
    """

    def test_algorithms(self) -> None:
        """
        The list has every word of the type, in its order.
        """
        self.assertEqual(ALGORITHMS, get_args(Algorithm))

    def test_secret(self) -> None:
        """
        The secret is in no text about the configuration.
        """
        self.assertNotIn("geheim", repr(Sticky(secret="geheim")))

    def test_checked(self) -> None:
        """
        Two routes that have the same target looked at in the same way have one thing looked at, which a
        route that speaks TLS to it has not; without active checks there is none.
        """
        target = Target("a", 1)
        health = Health(Check(interval=3.0))
        plain = checkedOf(Forward((target,), health=health), target)
        self.assertEqual(plain, Checked(Check(interval=3.0), target))
        self.assertEqual(plain, checkedOf(Forward((Target("b", 2), target), health=health), target))
        tls = UpstreamTLS("a.b")
        forward = Forward((target,), tls, health=health)
        self.assertEqual(checkedOf(forward, target), Checked(Check(interval=3.0), target, tls))
        self.assertIsNone(checkedOf(Forward((target,)), target))
