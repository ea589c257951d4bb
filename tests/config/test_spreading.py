"""
What is written of sharing and health, and what it means.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import spread
from smartproxy_tw.config.document import Path
from smartproxy_tw.config.model import Balance, Check, Ejection, Forward, Health, Sticky, Target
from smartproxy_tw.config.spreading import balanceOf, healthOf, spreadProblems

CHECKED, PORTED = Health(Check()), Health(Check(port=9))


class MeaningTests(SynchronousTestCase):
    """
    L{balanceOf} and L{healthOf}.
    """

    def test_nothing(self) -> None:
        """
        Who says nothing has what there is by default, and so has who says that with more words.
        """
        self.assertEqual((balanceOf(None), healthOf(None)), (Balance(), Health()))
        self.assertEqual(balanceOf("round-robin"), Balance())
        self.assertEqual(balanceOf(spread.Balancing.model_validate({})), Balance())
        self.assertEqual(healthOf(spread.Health.model_validate({})), Health())

    def test_something(self) -> None:
        """
        What is said is what is meant; a check that says no status wants the usual ones, and one status is
        as good as a list.
        """
        self.assertEqual(balanceOf("ip-hash"), Balance("ip-hash"))
        written = {"algorithm": "least-connections", "slow_start": 3, "sticky": {"cookie": "c"}}
        balance = balanceOf(spread.Balancing.model_validate(written))
        self.assertEqual(balance, Balance("least-connections", Sticky("c"), 3.0))
        for status, meant in (
            (None, Check().statuses),
            ("2xx", ((200, 299),)),
            ([200, "3xx"], ((200, 200), (300, 399))),
        ):
            active = {"path": "/up"} if status is None else {"path": "/up", "status": status}
            health = healthOf(spread.Health.model_validate({"active": active}))
            self.assertEqual(health, Health(Check(path="/up", statuses=meant)))
        health = healthOf(spread.Health.model_validate({"passive": {"failures": 2, "statuses": [503]}}))
        self.assertEqual(health, Health(None, Ejection(2, 10.0, 300.0, True, frozenset({503}))))


class ProblemTests(SynchronousTestCase):
    """
    L{spreadProblems}.
    """

    def problems(self, forward: Forward, protocol: Any = "http", targets: str = "targets") -> list[Path]:
        """
        Where there are any.
        """
        found: list[tuple[Path, str]] = []
        spreadProblems(lambda path, why: found.append((path, why)), ("x",), forward, protocol, targets)
        self.assertTrue(all(why for _, why in found))
        return [path for path, _ in found]

    def test_problems(self) -> None:
        """
        Each is told at its place, and all of them are.
        """
        one, kept, unix = Target("a", 1), Target("a", None), Target("/a", 0)
        service, last = Target("_a._tcp.b", None, isService=True), Target("a", 1, weight=0)
        sticky = Balance(sticky=Sticky())
        active = ("x", "health", "active")
        for forward, protocol, told in (
            (Forward((one, last)), "tcp", []),
            (Forward(()), "tcp", []),
            (Forward((one,), balance=sticky), "http", []),
            (Forward((one,), balance=sticky), "tcp", [("x", "load_balancing", "sticky")]),
            (Forward((last, last)), "http", [("x", "targets")]),
            (Forward((one, service, unix), health=CHECKED), "http", []),
            (Forward((one, kept), health=CHECKED), "http", [active]),
            (Forward((one, kept), health=PORTED), "http", []),
            (Forward((one, unix), health=PORTED), "http", [(*active, "port")]),
            (
                Forward((Target("a", None, weight=0),), balance=sticky, health=CHECKED),
                "tcp",
                [("x", "load_balancing", "sticky"), ("x", "targets"), active],
            ),
        ):
            self.assertEqual(self.problems(forward, protocol), told, forward)

    def test_word(self) -> None:
        """
        A site has another word for its targets, and the place is called by that.
        """
        self.assertEqual(self.problems(Forward((Target("a", 1, weight=0),)), targets="to"), [("x", "to")])
