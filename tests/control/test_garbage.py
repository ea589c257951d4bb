"""
Tests for L{smartproxy_tw.control.garbage}.
"""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.garbage import unattended


class GarbageTests(SynchronousTestCase):
    """
    L{unattended}.
    """

    def setUp(self) -> None:
        isEnabled = gc.isenabled()
        self.addCleanup(gc.enable if isEnabled else gc.disable)
        self.addCleanup(gc.unfreeze)
        gc.unfreeze()

    def test_meanwhile(self) -> None:
        """
        Nothing is collected meanwhile, as before afterwards, and what was made is
        looked at no more.
        """
        gc.enable()
        attended = unattended()
        self.assertFalse(gc.isenabled())
        made = [[] for _ in range(1000)]
        attended()
        self.assertTrue(gc.isenabled())
        self.assertGreater(gc.get_freeze_count(), 1000)
        self.assertEqual(len(made), 1000)

    def test_within(self) -> None:
        """
        Where nothing is collected in any case, that stays so.
        """
        gc.disable()
        attended = unattended()
        attended()
        self.assertFalse(gc.isenabled())
        self.assertEqual(gc.get_freeze_count(), 0)
