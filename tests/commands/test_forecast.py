"""
Tests for L{smartproxy_tw.commands.forecast}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.budget import UNLIMITED, Budget, Limit, Limits, Wait
from smartproxy_tw.acme.x509 import describe
from smartproxy_tw.commands.forecast import Step, forecast
from smartproxy_tw.commands.survey import Record
from smartproxy_tw.config.model import Auto, Internal

from ..store.test_imports import DAY, NOW, SIGNER

TWO = Limits(orders=Limit(2, 200.0, "2 orders in 200 s"))


def wanted(*names: str, at: float | None = None, **more: Any) -> Record:
    """
    A certificate that is wanted from some time on.
    """
    return Record(Auto(names), ("route",), more.pop("state", "missing"), next=at, **more)


def served(*names: str, covers: tuple[str, ...], at: float) -> Record:
    """
    One whose successor is wanted at some time.
    """
    chain = SIGNER.issue(list(covers), lifetime=90 * DAY, now=NOW).chain
    return wanted(*names, at=at, state="valid", facts=describe(chain), why="a third of its life is left")


class ForecastTests(SynchronousTestCase):
    """
    L{forecast}.
    """

    def steps(self, *records: Record, limits: Limits = UNLIMITED, **budget: Any) -> tuple[Step, ...]:
        """
        What would be ordered.
        """
        return forecast(records, Budget(limits, **budget), NOW)

    def test_nothing(self) -> None:
        """
        Where nothing is wanted by ACME nothing is ordered.
        """
        self.assertEqual(self.steps(), ())
        self.assertEqual(self.steps(Record(Internal(("a.test",)), (), "valid")), ())

    def test_order(self) -> None:
        """
        The first one is first, each at its time; what is due already is due now.
        """
        late, soon, now, past = (
            wanted("late.example", at=NOW + 9 * DAY),
            wanted("soon.example", at=NOW + DAY),
            wanted("now.example"),
            wanted("past.example", at=NOW - DAY),
        )
        steps = self.steps(late, soon, now, past)
        self.assertEqual([step.record for step in steps], [now, past, soon, late])
        self.assertEqual([round(step.at - NOW) for step in steps], [0, 0, round(DAY), round(9 * DAY)])

    def test_budget(self) -> None:
        """
        The authority's budget spreads the orders, and is told as the reason.
        """
        steps = self.steps(*(wanted(f"n{number}.example") for number in range(5)), limits=TWO)
        self.assertEqual([round(step.at - NOW) for step in steps], [0, 0, 102, 204, 306])
        self.assertEqual([step.why for step in steps[:2]], ["", ""])
        self.assertEqual({step.why for step in steps[2:]}, {"the authority allows 2 orders in 200 s"})

    def test_many(self) -> None:
        """
        However many there are, nothing holds them up where the authority does not.
        """
        steps = self.steps(*(wanted(f"n{number}.example") for number in range(50)))
        self.assertEqual([step.at for step in steps], [NOW] * 50)

    def test_used(self) -> None:
        """
        What of it was used up before counts, and so does what the authority has asked for.
        """
        [step] = self.steps(
            wanted("a.example"), limits=TWO, holds={"all": Wait(NOW + 500.0, "it asked for that")}
        )
        self.assertEqual((round(step.at - NOW), step.why), (500, "it asked for that"))

    def test_kinds(self) -> None:
        """
        A successor for the same names is a renewal; for more, or for what is missing, it is new.
        """
        a, b = "a.example", "b.example"
        same, more, missing = (
            served(a, covers=(a,), at=NOW),
            served(a, b, covers=(a,), at=NOW),
            wanted("c.example"),
        )
        kinds = {step.record.names: step.kind for step in self.steps(same, more, missing)}
        self.assertEqual(kinds, {(a,): "renewal", (a, b): "new", ("c.example",): "new"})

    def test_why(self) -> None:
        """
        Why one is due is why it is ordered, where nothing holds it up.
        """
        [step] = self.steps(served("a.example", covers=("a.example",), at=NOW + DAY))
        self.assertEqual(step.why, "a third of its life is left")
