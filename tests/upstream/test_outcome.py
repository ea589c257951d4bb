"""
Tests for L{smartproxy_tw.upstream.outcome}.
"""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.outcome import Failed, Found, Nothing, Outcome

FOUND = Found(("10.0.0.1", "10.0.0.2"), 60.0)


def told(outcome: Outcome) -> str:
    """
    What somebody makes of it who asks for its kind.
    """
    match outcome:
        case Found(addresses, seconds, isPartial):
            return f"{','.join(addresses)} for {seconds:g} s" + (" at least" if isPartial else "")
        case Nothing(seconds):
            return f"nothing for {seconds:g} s"
        case Failed(reason):
            return f"no telling: {reason}"


class OutcomeTests(SynchronousTestCase):
    """
    L{Outcome}.
    """

    def test_kinds(self) -> None:
        """
        There are three, told apart by what they are: that a name has no addresses is not that nobody
        knows, nor that there are none just now.
        """
        self.assertEqual(get_args(Outcome), (Found, Nothing, Failed))
        for outcome, expected in (
            (FOUND, "10.0.0.1,10.0.0.2 for 60 s"),
            (Found(("::1",), 0.5, isPartial=True), "::1 for 0.5 s at least"),
            (Nothing(5.0), "nothing for 5 s"),
            (Failed("timeout"), "no telling: timeout"),
        ):
            self.assertEqual(told(outcome), expected)
            self.assertEqual([isinstance(outcome, kind) for kind in get_args(Outcome)].count(True), 1)

    def test_values(self) -> None:
        """
        Two are the same when all that they say is, order and time included; a copy is.
        """
        same = Found(("10.0.0.1", "10.0.0.2"), 60.0)
        self.assertEqual((FOUND, hash(FOUND)), (same, hash(same)))
        self.assertEqual(copy.deepcopy(FOUND), FOUND)
        for other in (
            Found(("10.0.0.2", "10.0.0.1"), 60.0),
            Found(("10.0.0.1", "10.0.0.2"), 61.0),
            Found(("10.0.0.1", "10.0.0.2"), 60.0, isPartial=True),
            Nothing(60.0),
            Failed("10.0.0.1"),
        ):
            self.assertNotEqual(FOUND, other)
        self.assertNotEqual(Nothing(1.0), Nothing(2.0))
        self.assertNotEqual(Failed("a"), Failed("b"))

    def test_whole(self) -> None:
        """
        Who says nothing of it has learnt all.
        """
        self.assertFalse(FOUND.isPartial)

    def test_fixed(self) -> None:
        """
        Those who share one cannot change it for one another.
        """
        for outcome, name in ((FOUND, "addresses"), (Nothing(1.0), "seconds"), (Failed("a"), "reason")):
            self.assertRaises(FrozenInstanceError, setattr, outcome, name, None)
            self.assertRaises((FrozenInstanceError, TypeError, AttributeError), setattr, outcome, "other", 1)
