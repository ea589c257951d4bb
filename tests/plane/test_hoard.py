"""
Tests for L{smartproxy_tw.plane.hoard}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.hoard import Hoard


class HoardTests(SynchronousTestCase):
    """
    L{Hoard}.
    """

    def test_bounds(self) -> None:
        """
        It takes up to its bound, what does not fit takes nothing, and room that is given back can
        be taken anew; a lower bound takes nothing away.
        """
        hoard = Hoard()
        self.assertFalse(hoard.take(1))
        hoard.use(10)
        self.assertTrue(hoard.take(7))
        self.assertFalse(hoard.take(4))
        self.assertTrue(hoard.take(3))
        hoard.use(5)
        self.assertEqual(hoard.held, 10)
        hoard.give(7)
        self.assertFalse(hoard.take(3))
        self.assertTrue(hoard.take(2))
