"""
Tests for L{smartproxy_tw.acme.schedule}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.schedule import (
    LONGEST_WAIT,
    Window,
    adviceAfter,
    lookAfter,
    probeAfter,
    renewalDue,
    renewAt,
    retryAfter,
)

from ..examples import examples

HOUR, DAY = 3600.0, 86400.0
NOW = 1_800_000_000.0

chances = some.floats(0, 1, exclude_max=True)


class RenewTests(SynchronousTestCase):
    def test_ninetyDays(self) -> None:
        """
        With 90 days of life it is renewed when 30 are left.
        """
        self.assertEqual(renewAt(NOW, NOW + 90 * DAY), NOW + 60 * DAY)

    def test_shortLived(self) -> None:
        """
        A certificate of an hour is renewed after 40 minutes: no constant of
        days makes it be renewed for ever.
        """
        self.assertEqual(renewAt(NOW, NOW + HOUR), NOW + 2400)

    def test_spread(self) -> None:
        """
        Chance spreads renewals over a twentieth of the life.
        """
        early, late = renewAt(NOW, NOW + 90 * DAY, 0.999999), renewAt(NOW, NOW + 90 * DAY)
        self.assertAlmostEqual((late - early) / DAY, 4.5, places=3)

    @examples()
    @given(some.floats(1, 400 * DAY), chances)
    def test_within(self, lifetime: float, chance: float) -> None:
        """
        It is always in the second half of the life, and before its end.
        """
        due = renewAt(NOW, NOW + lifetime, chance)
        self.assertLess(NOW + lifetime * 0.6, due)
        self.assertLess(due, NOW + lifetime)

    def test_notYetBegun(self) -> None:
        """
        A validity that ends before it begins makes no due date of its own.
        """
        self.assertEqual(renewAt(NOW, NOW - 5), NOW - 5)


class WindowTests(SynchronousTestCase):
    """
    When the authority has a wish (RFC 9773).
    """

    END = NOW + 90 * DAY

    def test_evenlyWithin(self) -> None:
        """
        Chance chooses a moment of the window, and why is told.
        """
        window = Window(NOW + 50 * DAY, NOW + 52 * DAY, "https://ca.test/why")
        found = [renewalDue(NOW, self.END, chance, window) for chance in (0.0, 0.5, 0.75)]
        self.assertEqual([each.at - NOW for each in found], [50 * DAY, 51 * DAY, 51.5 * DAY])
        self.assertEqual(found[0].why, "the authority asks for it: https://ca.test/why")
        self.assertTrue(found[0].isSuggested)

    def test_past(self) -> None:
        """
        A window that is over is a time in the past.
        """
        due = renewalDue(NOW, self.END, 0.9, Window(NOW - 2, NOW - 1))
        self.assertLess(due.at, NOW)
        self.assertEqual(due.why, "the authority asks for it")

    def test_overlapping(self) -> None:
        """
        Of a window that goes on when a third of the life is left, only the part
        before counts, evenly.
        """
        window = Window(NOW + 58 * DAY, NOW + 70 * DAY)
        found = [renewalDue(NOW, self.END, chance, window).at - NOW for chance in (0.0, 0.5, 0.999999)]
        self.assertEqual(found[:2], [58 * DAY, 59 * DAY])
        self.assertAlmostEqual(found[2] / DAY, 60, places=3)

    def test_tooLate(self) -> None:
        """
        A window that begins after that does not count.
        """
        due = renewalDue(NOW, self.END, 0.5, Window(NOW + 70 * DAY, NOW + 71 * DAY))
        self.assertEqual(due.at, renewAt(NOW, self.END, 0.5))
        self.assertFalse(due.isSuggested)
        self.assertIn("would have it later", due.why)

    def test_none(self) -> None:
        """
        Without a window the fraction of the life decides.
        """
        due = renewalDue(NOW, self.END, 0.5)
        self.assertEqual((due.at, due.isSuggested), (renewAt(NOW, self.END, 0.5), False))

    @examples()
    @given(some.floats(-200, 200), some.floats(0.001, 100), chances, some.floats(0.01, 400))
    def test_neverLate(self, start: float, length: float, chance: float, days: float) -> None:
        """
        Whatever an authority wishes, a third of the life is left.
        """
        end = NOW + days * DAY
        window = Window(NOW + start * DAY, NOW + (start + length) * DAY)
        self.assertLessEqual(renewalDue(NOW, end, chance, window).at, renewAt(NOW, end) + 1e-3)

    def test_askedAgain(self) -> None:
        """
        It is asked again as it says, within an hour and a day, or else after six
        hours; after failures within that too, later each time.
        """
        self.assertEqual(
            [adviceAfter(0, asked=asked) for asked in (None, 5.0, 7200.0, 1e9)],
            [6 * HOUR, HOUR, 2 * HOUR, DAY],
        )
        self.assertEqual(
            [adviceAfter(each) for each in (1, 2, 3, 4, 1000)], [HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 6 * HOUR]
        )
        self.assertEqual(adviceAfter(1, 1.0), 1.25 * HOUR)
        self.assertEqual(
            [adviceAfter(1, asked=asked) for asked in (5.0, 5 * HOUR, 1e9)], [HOUR, 5 * HOUR, DAY]
        )


class RetryTests(SynchronousTestCase):
    def test_table(self) -> None:
        """
        One minute, ten, up to once a day, and so on every day.
        """
        waits = [retryAfter(failures) for failures in (1, 2, 3, 4, 5, 6, 7, 1000)]
        self.assertEqual(waits, [60, 600, HOUR, 4 * HOUR, 12 * HOUR, DAY, DAY, DAY])

    def test_budgetOfAName(self) -> None:
        """
        Let's Encrypt's five failures of a name in an hour are never reached.
        """
        at, attempts = 0.0, []
        for failures in range(1, 20):
            attempts.append(at)
            at += retryAfter(failures)
        for begin in attempts:
            self.assertLess(sum(begin <= each < begin + HOUR for each in attempts), 5)

    def test_asked(self) -> None:
        """
        What the authority asks for is the least that is waited.
        """
        self.assertEqual(retryAfter(1, 0.0, 5000.0), 5000.0)
        self.assertEqual(retryAfter(3, 0.0, 5.0), HOUR)

    def test_askedTooMuch(self) -> None:
        """
        An authority cannot silence us for good.
        """
        self.assertEqual(retryAfter(1, 0.0, 1e12), LONGEST_WAIT)

    @examples()
    @given(some.integers(-3, 10**9), chances)
    def test_jitter(self, failures: int, chance: float) -> None:
        """
        Chance makes a wait longer by up to a quarter, never shorter.
        """
        wait = retryAfter(failures, chance)
        self.assertTrue(retryAfter(failures) <= wait <= retryAfter(failures) * 1.25)


class ProbeTests(SynchronousTestCase):
    def test_table(self) -> None:
        """
        One second, two, four, up to every half minute.
        """
        waits = [probeAfter(each) for each in range(1, 20)]
        self.assertEqual(waits, [1] * 8 + [2] * 3 + [4, 4, 8, 8, 16, 16, 30, 30])

    @examples()
    @given(some.lists(chances, min_size=12, max_size=12), some.floats(0, 6.0))
    def test_endOfAShortOutage(self, chance: list[float], rest: float) -> None:
        """
        The end of an outage of six seconds is noticed within one, whenever in it
        the first try was, and whatever chance does.
        """
        at = 0.0
        for failures, jitter in enumerate(chance, 1):
            at += probeAfter(failures, jitter)
            if at >= rest:
                break
        self.assertLessEqual(at - rest, 1.0)

    @examples()
    @given(some.integers(-3, 10**9), chances)
    def test_jitter(self, failures: int, chance: float) -> None:
        """
        Chance makes a wait shorter by up to a quarter, never longer.
        """
        wait = probeAfter(failures, chance)
        self.assertTrue(probeAfter(failures) * 0.75 <= wait <= probeAfter(failures))

    def test_asked(self) -> None:
        """
        An authority that answers just how long to wait is obeyed here too.
        """
        self.assertEqual(probeAfter(1, 0.0, 120.0), 120.0)


class LookTests(SynchronousTestCase):
    def test_quickAtFirst(self) -> None:
        """
        Five looks fall into the first third of a second, and then they become
        rare.
        """
        self.assertLess(sum(lookAfter(each) for each in range(1, 6)), 0.34)
        self.assertEqual([lookAfter(each) for each in (20, 10**6)], [5.0, 5.0])

    def test_asked(self) -> None:
        """
        A wish is obeyed when a second has passed, within reason.
        """
        own = [lookAfter(each) for each in range(1, 9)]
        self.assertEqual([lookAfter(each, 3.0) for each in range(1, 9)], own)
        self.assertTrue(0.95 < sum(own) <= 1.0, sum(own))
        self.assertEqual(lookAfter(9, 3.0), 3.0)
        self.assertEqual(lookAfter(30, 3.0), 5.0)
        self.assertEqual(lookAfter(9, 1e9), 60.0)
