"""
Tests for L{smartproxy_tw.acme.agenda}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.agenda import Agenda, Wish
from smartproxy_tw.acme.budget import Budget, limitsOf
from smartproxy_tw.config.model import LETSENCRYPT

NOW = 1_800_000_000.0
DAY = 86400.0


class AgendaTests(SynchronousTestCase):
    """
    Who goes next.
    """

    def setUp(self) -> None:
        self.now = NOW
        self.use(Budget())

    def use(self, budget: Budget, atOnce: int = 1) -> None:
        """
        Begin anew, with this budget.
        """
        self.budget = budget
        self.agenda = Agenda(budget, atOnce)

    def add(self, name: str, **facts: object) -> Wish:
        """
        Somebody comes.
        """
        wish = Wish((name,), **facts)  # type: ignore[arg-type]
        self.agenda.add(wish, self.now)
        return wish

    def go(self) -> str | None:
        """
        The next one goes, and has what it wants.
        """
        wish = self.agenda.next(self.now)
        if wish is None:
            return None
        self.agenda.settle(wish, self.now, isPlaced=True, isIssued=True)
        return wish.names[0]

    def everybody(self) -> list[str | None]:
        """
        All who may go now, in their order.
        """
        return list(iter(self.go, None))

    def test_order(self) -> None:
        """
        Missing before renewals; of the missing, those that clients ask for, the
        last asked for first, then who came first; of renewals, the one that ends
        next.  What has ended is missing.
        """
        self.add("renewal-late", kind="renewal", ends=NOW + 30 * DAY)
        self.add("missing-1")
        self.add("renewal-suggested", kind="suggested", ends=NOW + 20 * DAY)
        self.add("asked-once", asked=NOW - 500)
        self.add("missing-2")
        self.add("asked-just-now", asked=NOW - 1)
        self.add("renewal-soon", kind="renewal", ends=NOW + DAY)
        self.add("ended", kind="renewal", ends=NOW - DAY)
        self.assertEqual(
            self.everybody(),
            [
                "asked-just-now",
                "asked-once",
                "missing-1",
                "missing-2",
                "ended",
                "renewal-soon",
                "renewal-suggested",
                "renewal-late",
            ],
        )

    def test_atOnce(self) -> None:
        """
        No more are under way than may be.
        """
        self.use(Budget(), atOnce=2)
        for name in "abc":
            self.add(name)
        first = self.agenda.next(NOW)
        assert first is not None
        self.assertIsNotNone(self.agenda.next(NOW))
        self.assertIsNone(self.agenda.next(NOW))
        self.assertIsNone(self.agenda.wakeAt(NOW))
        self.agenda.settle(first, NOW, isPlaced=True, isIssued=True)
        self.assertIsNotNone(self.agenda.next(NOW))
        self.assertEqual(len(self.agenda), 0)

    def test_removed(self) -> None:
        """
        Who has changed its mind does not go.
        """
        wish = self.add("a.test")
        self.add("b.test")
        self.agenda.remove(wish)
        self.assertEqual([each.names for each in self.agenda.waiting], [("b.test",)])
        self.assertEqual(self.everybody(), ["b.test"])

    def test_askedMeanwhile(self) -> None:
        """
        What clients ask for while it waits goes before what they do not ask for,
        the last asked for first; what is held back, and who does not wait, stay
        as they are.
        """
        self.budget.refused(("held.test",), "exact set of identifiers", 3600.0, NOW)
        wishes = {name: self.add(name) for name in ("held.test", "a", "b", "c", "d")}
        soon = self.add("renewal", kind="renewal", ends=NOW + DAY)
        gone = self.agenda.next(NOW)
        assert gone is wishes["a"]
        self.agenda.settle(gone, NOW, isPlaced=True, isIssued=True)
        for name, asked in (("d", 5), ("held.test", 9), ("a", 9), ("c", 7), ("c", 6), ("d", 8)):
            self.agenda.touch(wishes[name], NOW + asked, NOW)
        self.agenda.touch(soon, NOW + 9, NOW)
        self.assertEqual(self.everybody(), ["d", "c", "b", "renewal"])
        self.now += 3600.0
        self.assertEqual(self.everybody(), ["held.test"])

    def test_askedAgainAndAgain(self) -> None:
        """
        Who is asked for ten thousand times stands in line once.
        """
        wish, _ = self.add("a"), self.add("b")
        for number in range(10_000):
            self.agenda.touch(wish, NOW + number, NOW)
        self.assertLess(sum(map(len, self.agenda._lanes.values())), 200)
        self.assertEqual(self.everybody(), ["a", "b"])

    def test_heldBackAlone(self) -> None:
        """
        One whose own names have to wait lets the others pass, says why, and
        goes when its time has come.
        """
        self.budget.refused(("a.test",), "exact set of identifiers", 3600.0, NOW)
        held, _ = self.add("a.test", asked=NOW), self.add("b.test")
        self.assertEqual(self.everybody(), ["b.test"])
        wait = self.agenda.waitOf(held, NOW)
        assert wait is not None
        self.assertIn("exact set", wait.why)
        self.assertEqual(self.agenda.wakeAt(NOW), NOW + 3600.0)
        self.now += 3600.0
        self.assertEqual(self.everybody(), ["a.test"])

    def test_budgetIsForThoseWhoMatter(self) -> None:
        """
        When the account's orders are used up, the ones that matter more are
        first in what comes free; renewals that do not count go on.
        """
        self.use(Budget(limitsOf(LETSENCRYPT)), atOnce=16)
        for number in range(400):
            self.add(f"site{number}.test{number}", asked=float(number))
        gone = self.everybody()
        self.assertEqual(gone, [f"site{number}.test{number}" for number in range(399, 99, -1)])
        self.add("renewal.test", kind="suggested", ends=NOW + DAY)
        self.add("urgent.test", asked=NOW)
        self.assertEqual(self.everybody(), ["renewal.test"])
        at = self.agenda.wakeAt(self.now)
        assert at is not None
        self.now = at
        self.assertEqual(self.everybody(), ["urgent.test"])

    def test_oneByOne(self) -> None:
        """
        Where they have to go one by one, the end of one lets the next one go.
        """
        self.use(Budget(limitsOf(LETSENCRYPT)), atOnce=16)
        for number in range(53):
            self.add(f"shop{number}.co.test")
        under = [self.agenda.next(NOW) for _ in range(16)]
        for _ in range(37):
            wish = under.pop(0)
            assert wish is not None
            self.agenda.settle(wish, NOW, isPlaced=True, isIssued=True)
            under.append(self.agenda.next(NOW))
        left = [each for each in under if each is not None]
        # 50 are had or under way; those after them wait for each other.
        self.assertEqual(len(self.agenda) + len(left), 16)
        self.assertIsNone(self.agenda.wakeAt(NOW))
        while left:
            self.agenda.settle(left.pop(), NOW, isPlaced=True, isIssued=True)
        for _ in range(len(self.agenda)):
            wish = self.agenda.next(NOW)
            assert wish is not None
            self.assertIsNone(self.agenda.next(NOW))
            self.agenda.settle(wish, NOW, isPlaced=True, isIssued=True)
        self.assertEqual(len(self.agenda), 0)

    def test_clockGoesBack(self) -> None:
        """
        After a clock went back by years, who was held is looked at again.
        """
        self.budget.refused(("a.test",), "exact set of identifiers", 3600.0, NOW)
        wish = self.add("a.test")
        self.assertIsNone(self.go())
        self.now -= 3650 * DAY
        self.assertIsNone(self.go())
        held = self.agenda.waitOf(wish, self.now)
        assert held is not None
        self.assertLessEqual(held.until - self.now, 7 * DAY)
