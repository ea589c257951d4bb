"""
Tests for L{smartproxy_tw.service.errands}.
"""

from __future__ import annotations

import time
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import CertificateHook
from smartproxy_tw.service.errands import Errand, Errands
from smartproxy_tw.service.events import CertificateEvent

from ..examples import examples


def errand(key: str, hook: str = "a", kind: str = "issued", serial: str = "1") -> Errand:
    """
    Run this for that.
    """
    failed = kind == "failed"
    event = CertificateEvent(kind, key, (key,), 0.0, serial=None if failed else serial)  # type: ignore[arg-type]
    return Errand(CertificateHook((hook,)), hook, event)


class TurnTests(SynchronousTestCase):
    """
    Whose turn it is.
    """

    def setUp(self) -> None:
        self.errands = Errands(2)

    def take(self, now: float = 0.0) -> list[Errand]:
        """
        All that may be run now.
        """
        found = []
        while (each := self.errands.next(now)) is not None:
            found.append(each)
        return found

    def test_oneAfterAnother(self) -> None:
        """
        Those of one certificate are run in their order, each when the one before is
        over.
        """
        first, second = errand("x", "a"), errand("x", "b")
        self.errands.put("x", [first, second])
        self.assertEqual(self.take(), [first])
        self.errands.done(first)
        self.assertEqual(self.take(), [second])
        self.errands.done(second)
        self.assertEqual(self.take(), [])
        self.assertIsNone(self.errands.nextAt(0.0))
        self.assertEqual(self.errands._lines, {})

    def test_most(self) -> None:
        """
        Certificates take turns, so many at a time.
        """
        for key in "xyz":
            self.errands.put(key, [errand(key, "a"), errand(key, "b")])
        taken = self.take()
        self.assertEqual([each.event.key for each in taken], ["x", "y"])
        self.errands.done(taken[0])
        self.assertEqual([each.event.key for each in self.take()], ["z"])
        self.errands.done(taken[1])
        self.assertEqual(self.take(), [errand("x", "b")])

    def test_newer(self) -> None:
        """
        A newer certificate takes the place of what waits, not of what runs, and what
        runs is over first.
        """
        old = [errand("x", "a"), errand("x", "b")]
        new = [errand("x", "a", "renewed", "2"), errand("x", "b", serial="2")]
        self.errands.put("x", old)
        self.assertEqual(self.take(), old[:1])
        self.errands.put("x", new)
        self.assertEqual(self.take(), [])
        self.errands.done(old[0])
        self.assertEqual(self.take(), new[:1])
        self.errands.done(new[0])
        self.assertEqual(self.take(), new[1:])

    def test_nothingLeft(self) -> None:
        """
        A newer certificate that nobody is told of ends what waited.
        """
        self.errands.put("x", [errand("x")])
        self.errands.put("x", [])
        self.assertEqual(self.take(), [])
        self.assertEqual(self.errands._lines, {})

    def test_again(self) -> None:
        """
        One that came to nothing is run again when it is time, and does not hold up
        the others of its certificate.
        """
        first, second = errand("x", "a"), errand("x", "b")
        self.errands.put("x", [first, second])
        self.take()
        self.assertTrue(self.errands.again(first, 60.0))
        self.errands.done(first)
        self.assertEqual(self.take(), [second])
        self.errands.done(second)
        self.assertEqual(self.take(59.0), [])
        self.assertEqual(self.errands.nextAt(59.0), 60.0)
        self.assertEqual(self.take(60.0), [first])

    def test_notAgain(self) -> None:
        """
        It is not when there is something newer, whether that came before it failed or
        after.
        """
        old, new = errand("x"), errand("x", serial="2")
        self.errands.put("x", [old])
        self.take()
        self.errands.put("x", [new])
        self.assertFalse(self.errands.again(old, 60.0))
        self.errands.done(old)
        self.assertEqual(self.take(), [new])
        self.assertTrue(self.errands.again(new, 60.0))
        self.errands.done(new)
        newest = errand("x", serial="3")
        self.errands.put("x", [newest])
        self.assertEqual(self.take(), [newest])
        self.errands.done(newest)
        self.assertEqual(self.take(100.0), [])
        self.assertIsNone(self.errands.nextAt(100.0))

    def test_many(self) -> None:
        """
        Ten thousand take no longer each than ten.
        """
        began = time.process_time()
        for number in range(10_000):
            self.errands.put(f"k{number}", [errand(f"k{number}")])
        for _ in range(10_000):
            found = self.errands.next(0.0)
            assert found is not None
            self.errands.done(found)
        self.assertLess(time.process_time() - began, 5.0)


class FailureTests(SynchronousTestCase):
    """
    Orders that failed.
    """

    def setUp(self) -> None:
        self.errands = Errands(4)

    def drained(self, now: float) -> list[str]:
        """
        The certificates of all that is run now, each over at once.
        """
        found = []
        while (each := self.errands.next(now)) is not None:
            found.append(each.event.key)
            self.errands.done(each)
        return found

    def test_storm(self) -> None:
        """
        A thousand that fail at once are ten programs, and one more each minute.
        """
        for number in range(1000):
            self.errands.putFailure(f"k{number}", [errand(f"k{number}", kind="failed")])
        self.assertEqual(len(self.drained(1e9)), 10)
        self.assertEqual(self.errands.nextAt(1e9), 1e9 + 60.0)
        self.assertEqual(self.drained(1e9 + 59.0), [])
        self.assertEqual(self.drained(1e9 + 60.0), ["k10"])
        self.assertEqual(len(self.drained(1e9 + 1e6)), 10)

    def test_past(self) -> None:
        """
        One that is a matter of the past is not told, nor an older one in place of a
        newer; a certificate goes before all of them.
        """
        for key in "xyz":
            self.errands.putFailure(key, [errand(key, kind="failed")])
        newest = errand("y", "b", kind="failed")
        self.errands.putFailure("y", [newest])
        self.errands.put("x", [errand("x")])
        found = []
        while (each := self.errands.next(0.0)) is not None:
            found.append((each.event.key, each.event.kind, each.identity))
        self.assertEqual(found, [("x", "issued", "a"), ("z", "failed", "a"), ("y", "failed", "b")])
        self.errands.putFailure("v", [])
        self.assertIsNone(self.errands.next(0.0))

    def test_busy(self) -> None:
        """
        One waits until what runs for the same certificate is over, and lets another
        go before it.
        """
        running = errand("x")
        self.errands.put("x", [running])
        self.errands.next(0.0)
        self.errands.putFailure("x", [errand("x", kind="failed")])
        self.errands.putFailure("y", [errand("y", kind="failed")])
        self.assertEqual(self.drained(0.0), ["y"])
        self.errands.done(running)
        self.assertEqual(self.drained(0.0), ["x"])

    def test_expiring(self) -> None:
        """
        That a certificate ends soon is told before all failures, and none of them takes its place;
        both go by one pace, and a newer certificate makes both a matter of the past.
        """
        for key in "xyz":
            self.errands.putFailure(key, [errand(key, kind="failed")])
            self.errands.putExpiring(key, [errand(key, kind="expiring")])
            self.errands.putFailure(key, [errand(key, "b", kind="failed")])
        self.errands.put("z", [])
        found = []
        while (each := self.errands.next(0.0)) is not None:
            found.append((each.event.key, each.event.kind, each.identity))
            self.errands.done(each)
        told = [("x", "expiring", "a"), ("y", "expiring", "a"), ("x", "failed", "b"), ("y", "failed", "b")]
        self.assertEqual(found, told)
        self.errands.putExpiring("x", [])
        self.assertIsNone(self.errands.next(0.0))
        self.assertEqual(self.errands._lines, {})
        for number in range(20):
            self.errands.putExpiring(f"k{number}", [errand(f"k{number}", kind="expiring")])
        self.assertEqual(len(self.drained(0.0)), 6)
        self.assertEqual(self.errands.nextAt(0.0), 60.0)
        self.assertEqual(self.drained(60.0), ["k6"])

    def test_expiringBusy(self) -> None:
        """
        It waits, too, for what runs for the same certificate, and lets a failure of another go before it.
        """
        running = errand("x")
        self.errands.put("x", [running])
        self.errands.next(0.0)
        self.errands.putExpiring("x", [errand("x", kind="expiring")])
        self.errands.putFailure("y", [errand("y", kind="failed")])
        self.assertEqual(self.drained(0.0), ["y"])
        self.errands.done(running)
        self.assertEqual(self.drained(0.0), ["x"])


class AnythingTests(SynchronousTestCase):
    """
    Whatever happens, in whichever order.
    """

    @examples()
    @given(st.lists(st.tuples(st.sampled_from("pfendam"), st.integers(0, 3), st.integers(1, 3)), max_size=60))
    def test_bounds(self, steps: list[tuple[str, int, int]]) -> None:
        """
        No more are under way than may be, one for each certificate; in the end every
        certificate's newest errands were run, and nothing waits.
        """
        errands = Errands(2)
        now, serial = 0.0, 0
        running: list[Errand] = []
        newest: dict[str, set[tuple[str, str | None]]] = {}
        ran: dict[str, set[tuple[str, str | None]]] = {}

        def take() -> bool:
            found = errands.next(now)
            if found is None:
                return False
            running.append(found)
            self.assertLessEqual(len(running), 2)
            self.assertEqual(max(Counter(each.event.key for each in running).values()), 1)
            return True

        def finish(each: Errand) -> None:
            ran.setdefault(each.event.key, set()).add((each.identity, each.event.serial))
            errands.done(each)

        for step, number, size in steps:
            key = f"k{number}"
            if step == "p":
                serial += 1
                made = [errand(key, hook, serial=str(serial)) for hook in "abc"[: size - 1]]
                newest[key] = {(each.identity, each.event.serial) for each in made}
                errands.put(key, made)
            elif step == "f":
                errands.putFailure(key, [errand(key, "abc"[size - 1], "failed")])
            elif step == "e":
                errands.putExpiring(key, [errand(key, "abc"[size - 1], "expiring", "none")])
            elif step == "n":
                take()
            elif step == "d" and running:
                finish(running.pop(0))
            elif step == "a" and running:
                each = running.pop(0)
                errands.again(each, now + 60.0)
                errands.done(each)
            elif step == "m":
                now += 30.0
        for _ in range(200):
            while running:
                finish(running.pop())
            if not take():
                at = errands.nextAt(now)
                if at is None:
                    break
                now = max(at, now) + 0.001
        self.assertEqual(errands.underWay, 0)
        self.assertEqual(errands._lines, {})
        for key, owed in newest.items():
            self.assertLessEqual(owed, ran.get(key, set()))
