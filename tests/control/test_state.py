"""
Tests for L{smartproxy_tw.control.state}.
"""

from __future__ import annotations

import os
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Admin, Check, Checked, Config, Limits, Target
from smartproxy_tw.control.state import (
    Adopt,
    Change,
    Divert,
    Install,
    Judge,
    Present,
    Release,
    Restore,
    Sign,
    State,
    Uninstall,
    UseTable,
    Withdraw,
    added,
    counted,
    shared,
    subject,
    takesAway,
)
from smartproxy_tw.facts import HTTP01, TLSALPN01, Credential, Verdict

from ..examples import examples

ONE, TWO = Config((), "/one"), Config((), "/two")
OLD, NEW = Credential(b"old", b"key"), Credential(b"new", b"key")
LOOKED = Checked(Check(), Target("a", 1))
SICK, WELL = Verdict(False, "it is away", 1.0), Verdict(True, "it is back", 2.0)
TOKEN, PROOF = HTTP01("a.test", "token", "token.x"), TLSALPN01("a.test", OLD)

CHANGES = st.sampled_from(
    [
        *(UseTable(ONE), UseTable(TWO), Install("a", OLD), Install("a", NEW), Install("b", OLD)),
        *(Uninstall("a"), Uninstall("b")),
        *(Present(TOKEN), Withdraw(TOKEN), Present(PROOF), Withdraw(PROOF)),
        *(Judge(LOOKED, SICK), Judge(LOOKED, WELL), Divert("a:1"), Restore("a:1"), Divert("b:2")),
        *(Sign(b"one"), Sign(b"two")),
        *(Adopt(1, 80), Adopt(2, 443), Release(1), Release(2)),
    ]
)


def after(*changes: Change) -> State:
    """
    What is known after some changes.
    """
    state = State()
    for change in changes:
        state.take(change)
    return state


class StateTests(SynchronousTestCase):
    """
    L{State}.
    """

    def test_letter(self) -> None:
        """
        A letter has the newest of everything that is served, and no port.
        """
        state = after(
            Adopt(1, 80), Install("a", OLD), UseTable(ONE), Install("a", NEW), Present(TOKEN), Present(PROOF)
        )
        state.take(Withdraw(PROOF))
        state.take(UseTable(TWO))
        self.assertEqual(state.letter(), (UseTable(TWO), Install("a", NEW), Present(TOKEN)))
        self.assertEqual(state.adoptions(), (Adopt(1, 80),))

    def test_standings(self) -> None:
        """
        What is known of targets, and the secret, come before what is routed by; what is
        healthy, or has its turns again, is nothing to tell.
        """
        state = after(UseTable(ONE), Judge(LOOKED, SICK), Divert("a:1"), Divert("b:2"), Sign(b"x"))
        state.take(Restore("b:2"))
        self.assertEqual(state.letter(), (Sign(b"x"), Judge(LOOKED, SICK), Divert("a:1"), UseTable(ONE)))
        state.take(Judge(LOOKED, WELL))
        state.take(Restore("a:1"))
        self.assertEqual(state.letter(), (Sign(b"x"), UseTable(ONE)))
        self.assertNotIn("x", repr(Sign(b"x")).replace("Sign", ""))

    def test_largest(self) -> None:
        """
        Of moments and shares the largest is told, of all other gauges the sum.
        """
        living = [
            {"target_until - a": 5, "target_away - a": 1},
            {"target_until - a": 9, "target_away - a": 1},
        ]
        self.assertEqual(added(living), {"target_until - a": 9, "target_away - a": 2})
        self.assertEqual(added([], living), {})

    def test_nothing(self) -> None:
        """
        Who knows nothing has nothing to tell; what is not there can be taken away.
        """
        state = after(Withdraw(TOKEN), Release(3), Uninstall("a"))
        self.assertEqual((state.letter(), state.adoptions()), ((), ()))

    @given(st.lists(CHANGES, max_size=20))
    @examples(100)
    def test_letterIsEverything(self, changes: list[Change]) -> None:
        """
        Whoever is given the letter and the ports knows what the others know.
        """
        state = after(*changes)
        self.assertEqual(after(*state.letter(), *state.adoptions()), state)

    @given(st.lists(CHANGES, max_size=12), CHANGES, CHANGES)
    @examples(200)
    def test_subjects(self, before: list[Change], one: Change, other: Change) -> None:
        """
        Changes about different subjects may come in any order.
        """
        if subject(one) != subject(other):
            self.assertEqual(after(*before, one, other), after(*before, other, one))

    def test_takesAway(self) -> None:
        """
        Only what ends something can never be refused.
        """
        self.assertTrue(all(map(takesAway, (Withdraw(TOKEN), Release(1), Uninstall("a")))))
        self.assertFalse(any(map(takesAway, (UseTable(ONE), Install("a", OLD), Present(TOKEN), Adopt(1, 2)))))


class SharedTests(SynchronousTestCase):
    """
    What is divided, and what is added up.
    """

    def test_connections(self) -> None:
        """
        The limit of connections is divided and rounded up; everything else stays.
        """
        config = Config((), "/x", limits=Limits(connections=10), workers="auto")
        self.assertEqual(shared(config, 3), Config((), "/x", limits=Limits(connections=4), workers=3))
        self.assertEqual(shared(config, 10).limits.connections, 1)
        spoken = replace(config, admin=Admin("/x/admin.sock", token="0123456789abcdef" * 2))
        self.assertIsNone(shared(spoken, 3).admin, "no worker knows the token")
        self.assertEqual(shared(config, 64).limits.connections, 1)

    def test_counted(self) -> None:
        """
        C{auto} is what this process may use, not what the machine has.
        """
        before = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, before)
        self.assertEqual(counted("auto"), len(before))
        os.sched_setaffinity(0, {min(before)})
        self.assertEqual(counted("auto"), 1)
        self.assertEqual(counted(5), 5)

    def test_added(self) -> None:
        """
        Counts are added, those of workers that have ended too; what is open there is
        nothing.
        """
        living = [{"requests": 2, "open": 1}, {"requests": 3, "open": 4, "misses": 1}]
        ended = [{"requests": 10, "open": 99}]
        self.assertEqual(added(living, ended), {"requests": 15, "open": 5, "misses": 1})
        self.assertEqual(added([]), {})
