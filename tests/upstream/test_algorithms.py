"""
Tests for L{smartproxy_tw.upstream.algorithms}: what each rule promises, for whatever
targets there are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.algorithms import IPHash, LeastConnections, Rule, SmoothTurns, TwoChoices

from ..examples import examples


@dataclass(eq=False)
class Target:
    """
    Somebody who can be chosen.
    """

    name: str
    share: float = 1.0
    busy: int = 0
    credit: float = 0.0


WEIGHTS = st.lists(st.integers(1, 20), min_size=1, max_size=8)
LOADS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 30)), min_size=1, max_size=8)


def targets(*weights: float) -> list[Target]:
    """
    Some with these weights.
    """
    return [Target(f"10.0.0.{number}:80", float(weight)) for number, weight in enumerate(weights)]


def loaded(loads: list[tuple[int, int]]) -> list[Target]:
    """
    Some with weights, and with so much to do.
    """
    return [Target(f"t{number}", float(weight), busy) for number, (weight, busy) in enumerate(loads)]


class RuleTests(SynchronousTestCase):
    """
    All of them.
    """

    @examples()
    @given(LOADS, st.binary(max_size=9).map(bytes.hex), st.integers())
    def test_everybodyOnce(self, loads: list[tuple[int, int]], client: str, seed: int) -> None:
        """
        Whoever there is is in the order, once.
        """
        rules: list[Rule] = [SmoothTurns(), LeastConnections(), IPHash(), TwoChoices(Random(seed).random)]
        for rule in rules:
            some = loaded(loads)
            for _ in range(3):
                order = rule.order(some, client)
                self.assertEqual(sorted(map(id, order)), sorted(map(id, some)))


class SmoothTurnsTests(SynchronousTestCase):
    """
    Turns by weight.
    """

    @examples()
    @given(WEIGHTS, st.integers(1, 3))
    def test_proportion(self, weights: list[int], rounds: int) -> None:
        """
        In as many turns as all weights together, or some times as many, each has exactly
        its weight of them.
        """
        rule, some = SmoothTurns(), targets(*weights)
        turns = Counter(rule.order(some, "")[0].name for _ in range(rounds * sum(weights)))
        self.assertEqual([turns[each.name] for each in some], [rounds * weight for weight in weights])

    @examples()
    @given(st.lists(st.integers(1, 9), min_size=2, max_size=6))
    def test_spread(self, weights: list[int]) -> None:
        """
        Within a round nobody is ever a whole turn ahead of its share, or more behind.
        """
        rule, some = SmoothTurns(), targets(*weights)
        total, had = sum(weights), Counter[str]()
        for turn in range(1, total + 1):
            had[rule.order(some, "")[0].name] += 1
            for each in some:
                due = turn * each.share / total
                self.assertLess(abs(had[each.name] - due), len(some))

    def test_smooth(self) -> None:
        """
        The heavy one is not chosen five times in a row.
        """
        rule, some = SmoothTurns(), targets(5, 1, 1)
        order = "".join(rule.order(some, "")[0].name[7] for _ in range(7))
        self.assertEqual((order.count("0"), "000" in order), (5, False))

    def test_equal(self) -> None:
        """
        Those with the same weight take turns.
        """
        rule, some = SmoothTurns(), targets(1, 1, 1)
        self.assertEqual([rule.order(some, "")[0].name[7] for _ in range(6)], list("012012"))


class LeastConnectionsTests(SynchronousTestCase):
    """
    Who has least to do.
    """

    @examples()
    @given(LOADS)
    def test_neverABusierOne(self, loads: list[tuple[int, int]]) -> None:
        """
        Nobody else has less to do for its share than the one that is chosen, and the
        others follow in that order.
        """
        order = [each.busy / each.share for each in LeastConnections().order(loaded(loads), "")]
        self.assertEqual(order, sorted(order))

    def test_takeTurns(self) -> None:
        """
        Those that have nothing to do take turns by weight.
        """
        rule, some = LeastConnections(), targets(2, 1)
        turns = Counter(rule.order(some, "")[0].name for _ in range(6))
        self.assertEqual([turns[each.name] for each in some], [4, 2])


class IPHashTests(SynchronousTestCase):
    """
    The same one for the same client.
    """

    CLIENTS = [f"192.0.2.{number}" for number in range(250)] + [f"2001:db8::{n:x}" for n in range(250)]

    def shares(self, some: list[Target]) -> dict[str, str]:
        """
        Whose each client is.
        """
        rule = IPHash()
        return {client: rule.order(some, client)[0].name for client in self.CLIENTS}

    @examples(30)
    @given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.data())
    def test_onlyItsClientsMove(self, weights: list[int], data: st.DataObject) -> None:
        """
        When one goes its clients move, each to the one that was next for it, and nobody
        else's do; when it is back everything is as before.
        """
        some = targets(*weights)
        gone = data.draw(st.sampled_from(some))
        before, rule = self.shares(some), IPHash()
        after = self.shares([each for each in some if each is not gone])
        for client, name in before.items():
            if name != gone.name:
                self.assertEqual(after[client], name)
            else:
                self.assertEqual(after[client], rule.order(some, client)[1].name)
        self.assertEqual(self.shares(list(reversed(some))), before)

    @examples(30)
    @given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.data())
    def test_growing(self, weights: list[int], data: st.DataObject) -> None:
        """
        One whose share grows takes clients from others, and moves nobody between them.
        """
        some = targets(*weights)
        grows = data.draw(st.sampled_from(some))
        whole, grows.share = grows.share, grows.share / 10
        before = self.shares(some)
        grows.share = whole
        for client, name in self.shares(some).items():
            self.assertIn(name, (before[client], grows.name))

    def test_proportion(self) -> None:
        """
        Of many clients each has about its share.
        """
        some = targets(1, 2, 2)
        rule = IPHash()
        many = Counter(rule.order(some, f"10.{n >> 8}.{n & 255}.7")[0].name for n in range(5000))
        for each in some:
            self.assertLess(abs(many[each.name] / 5000 - each.share / 5), 0.03)


class TwoChoicesTests(SynchronousTestCase):
    """
    The better one of two.
    """

    @examples()
    @given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 30)), min_size=2, max_size=8), st.integers())
    def test_betterOfTwo(self, loads: list[tuple[int, int]], seed: int) -> None:
        """
        The first one has no more to do for its share than the second, and the busiest
        of all is never chosen where it is busier than any other.
        """
        some = loaded(loads)
        order = TwoChoices(Random(seed).random).order(some, "")
        first, second = ((each.busy / each.share) for each in order[:2])
        self.assertLessEqual(first, second)
        most = max(each.busy / each.share for each in some)
        if sum(each.busy / each.share == most for each in some) == 1:
            self.assertLess(first, most)

    def test_proportion(self) -> None:
        """
        Where nobody has anything to do each is chosen as often as its weight says.
        """
        rule, some = TwoChoices(Random(7).random), targets(1, 3)
        many = Counter(rule.order(some, "")[0].name for _ in range(4000))
        self.assertLess(abs(many[some[0].name] / 4000 - 0.25), 0.03)

    def test_balances(self) -> None:
        """
        Of those with the same weight nobody gets much more than another, when what was
        given is never finished.
        """
        rule, some = TwoChoices(Random(3).random), targets(*[1] * 10)
        for _ in range(1000):
            rule.order(some, "")[0].busy += 1  # type: ignore[misc]
        loads = [each.busy for each in some]
        self.assertLess(max(loads) - min(loads), 8)
