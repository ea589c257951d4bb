"""
Tests for L{smartproxy_tw.control.garbage}.
"""

from __future__ import annotations

import gc
import weakref

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control import garbage
from smartproxy_tw.control.garbage import Tenure, unattended


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


class _Ring:
    """
    Something that refers to itself.
    """

    def __init__(self) -> None:
        self.self = self


class TenureTests(SynchronousTestCase):
    """
    L{Tenure}.
    """

    def setUp(self) -> None:
        isEnabled = gc.isenabled()
        self.addCleanup(gc.enable if isEnabled else gc.disable)
        # Only what is asked for here.
        gc.disable()
        self.addCleanup(gc.unfreeze)
        gc.unfreeze()
        self.before = gc.get_threshold(), list(gc.callbacks)
        self.tenure = Tenure()
        self.addCleanup(self.tenure.end)

    def isLookedAt(self, wanted: object) -> bool:
        """
        Whether a collection would look at something.
        """
        return any(each is wanted for each in gc.get_objects())

    def test_survivors(self) -> None:
        """
        What has survived a whole collection has tenure, what has survived a lesser one does not.
        """
        self.tenure.begin()
        first: list[object] = []
        gc.collect(1)
        self.assertTrue(self.isLookedAt(first))
        gc.collect()
        second: list[object] = []
        self.assertFalse(self.isLookedAt(first))
        self.assertTrue(self.isLookedAt(second))

    def test_oftener(self) -> None:
        """
        By itself a collection that gives tenure comes when some twenty thousand objects have.
        """
        self.tenure.begin()
        # Python puts a whole one off until a quarter of what the last one has looked at has come anew: that
        # was all that these tests are made of, and is nothing then.
        for _ in range(2):
            gc.collect()
        passes = []
        gc.callbacks.append(seen := lambda phase, about: passes.append(about["generation"]))
        self.addCleanup(gc.callbacks.remove, seen)
        gc.enable()
        made = [[] for _ in range(40_000)]
        gc.disable()
        self.assertIn(2, passes)
        self.assertFalse(self.isLookedAt(made[0]))

    def test_young(self) -> None:
        """
        Garbage goes as it did before.
        """
        self.tenure.begin()
        ring = weakref.ref(_Ring())
        gc.collect()
        self.assertIsNone(ring())

    def test_old(self) -> None:
        """
        What has become garbage since it had tenure goes when there is twice as much as there was, and
        so much more.
        """
        self.patch(garbage, "_MORE", 500)
        self.tenure.begin()
        ring = _Ring()
        known = weakref.ref(ring)
        for _ in range(garbage._PASSES):
            gc.collect()
        usual = gc.get_freeze_count()
        del ring
        for _ in range(3 * garbage._PASSES):
            gc.collect()
        self.assertIsNotNone(known())
        more = [[] for _ in range(usual + 2000)]
        for _ in range(garbage._PASSES):
            gc.collect()
        self.assertIsNotNone(known())
        gc.collect()
        self.assertIsNone(known())
        # What is there now is usual.
        self.assertGreater(gc.get_freeze_count(), len(more))
        for _ in range(2 * garbage._PASSES):
            gc.collect()
        self.assertFalse(self.isLookedAt(more))

    def test_settled(self) -> None:
        """
        What comes with another table is no reason to look at all.
        """
        self.patch(garbage, "_MORE", 500)
        self.tenure.begin()
        for _ in range(garbage._PASSES):
            gc.collect()
        table = [[] for _ in range(gc.get_freeze_count() + 2000)]
        self.tenure.begin()
        for _ in range(3 * garbage._PASSES):
            gc.collect()
            self.assertFalse(self.isLookedAt(table))

    def test_manyTables(self) -> None:
        """
        Garbage is not kept for ever by tables that come again and again: after so many of them everything is
        looked at.
        """
        self.tenure.begin()
        known = []
        for _ in range(3 * garbage._TABLES):
            ring = _Ring()
            known.append(weakref.ref(ring))
            # As a new table does.
            gc.freeze()
            self.tenure.begin()
            gc.freeze()
            del ring
            gc.collect()
        kept = sum(each() is not None for each in known)
        self.assertTrue(0 < kept <= garbage._TABLES, kept)

    def test_tableInBetween(self) -> None:
        """
        A table that comes before all has been looked at anew does not keep that from happening.
        """
        self.patch(garbage, "_MORE", 500)
        self.tenure.begin()
        known = weakref.ref(_Ring())
        gc.freeze()
        for _ in range(garbage._PASSES):
            gc.collect()
        more = [[] for _ in range(gc.get_freeze_count() + 2000)]
        for _ in range(garbage._PASSES):
            gc.collect()
        self.assertIsNotNone(known())
        self.tenure.begin()
        gc.freeze()
        gc.collect()
        self.assertIsNone(known())
        self.assertFalse(self.isLookedAt(more))

    def test_end(self) -> None:
        """
        Everything is as it was, and all are looked at; nothing comes of a second beginning or end.
        """
        self.tenure.begin()
        self.tenure.begin()
        made: list[object] = []
        gc.collect()
        for _ in range(2):
            self.tenure.end()
            self.assertEqual((gc.get_threshold(), gc.callbacks), self.before)
            self.assertTrue(self.isLookedAt(made))
