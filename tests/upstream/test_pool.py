"""
Connections that are bounded, and those who wait for one.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smartproxy_tw.config.model import Target
from smartproxy_tw.plane.link import Link, UpstreamFailure
from smartproxy_tw.upstream.outcome import Found

from ..examples import examples
from .groups import PORT, Caller, GroupCase, target

_DEEDS = ("connect", "connect", "dial", "repeat", "cancel", "end", "keep", "keep", "retire", "fail", "wait")


class BoundTests(GroupCase):
    """
    One target with two connections at most.
    """

    def setUp(self) -> None:
        """Both are in use."""
        super().setUp()
        self.server = self.listens()
        self.begin(target(self.server), most=2)
        self.one, self.two = self.linked(), self.linked()
        self.addCleanup(lambda: self.assertEqual(self.open(), [0]))
        self.addCleanup(lambda: [self.one.close(), self.two.close()])

    def test_waits(self) -> None:
        """
        A third waits, and has the connection that is given back.
        """
        caller = self.connects()
        self.loop.turns(4)
        self.assertEqual((caller.got, self.open()), ([], [2]))
        self.answered(self.one)
        self.assertIs(caller.link, self.one)
        self.assertEqual((self.open(), self.places()[0].idle), ([2], []))

    def test_order(self) -> None:
        """
        Who came first is served first, and nobody gets in before him.
        """
        first, second = self.connects(), self.connects()
        self.answered(self.one)
        self.assertIs(first.link, self.one)
        self.one._lender.giveBack(self.one)
        # The connection is free now, but promised.
        third = self.connects()
        self.loop.turns()
        self.assertIs(second.link, self.one)
        self.assertEqual(third.got, [])
        self.answered(self.two)
        self.assertIs(third.link, self.two)

    def test_closed(self) -> None:
        """
        When a connection is closed instead, a new one is made.
        """
        caller = self.connects()
        self.one.close()
        self.one.close()
        self.loop.turns()
        self.assertIsNot(caller.link, self.one)
        self.assertEqual(self.open(), [2])
        caller.link.close()

    def test_retired(self) -> None:
        """
        Likewise when it has given its last answer.
        """
        caller = self.connects()
        self.one._lender.retire(self.one)
        self.loop.turns()
        self.assertEqual(self.open(), [2])
        caller.link.close()

    def test_tunnel(self) -> None:
        """
        One that becomes a tunnel counts until that has ended.
        """
        caller = self.connects()
        wire = self.one.release()
        ended = self.one._lender.released(self.one)
        self.loop.turns(1)
        self.assertEqual((caller.got, self.open()), ([], [2]))
        self.poller.forget(wire.fd)
        wire.close()
        assert ended is not None
        ended()
        self.loop.turns()
        self.assertEqual(self.open(), [2])
        caller.link.close()

    def test_keptCount(self) -> None:
        """
        Those that are kept count, and are lent before another is made; for a
        bare connection one of them is closed.
        """
        self.answered(self.one)
        self.answered(self.two)
        self.assertEqual(self.open(), [2])
        caller = self.dials()
        self.loop.turns()
        self.assertEqual((self.open(), len(self.places()[0].idle)), ([2], 1))
        self.drops(caller)
        self.assertEqual(self.open(), [1])
        link = self.group.borrow(PORT)
        self.assertIn(link, (self.one, self.two))

    def test_tooLong(self) -> None:
        """
        Nobody waits for longer than five seconds.
        """
        caller = self.connects()
        self.loop.turns(4.9)
        self.assertEqual(caller.got, [])
        self.loop.turns(0.4)
        failure = caller.failure
        self.assertTrue(failure.isBusy)
        name = self.places()[0].name
        self.assertEqual(failure.reason, f"no connection to {name} came free in 5 s")
        self.assertEqual(len(self.group._queue or ()), 0)

    def test_full(self) -> None:
        """
        Nor behind more than three others.
        """
        callers = [self.connects() for _ in range(5)]
        self.loop.turns()
        name = self.places()[0].name
        for caller in callers[3:]:
            self.assertTrue(caller.failure.isBusy)
            reason = f"all connections to {name} are in use, and 3 wait for one"
            self.assertEqual(caller.failure.reason, reason)
        self.loop.turns(5.1)
        self.assertEqual([len(caller.got) for caller in callers], [1] * 5)

    def test_bare(self) -> None:
        """
        Bare connections wait too, and free theirs when they have ended.
        """
        self.one.close()
        first = self.dials()
        self.loop.turns()
        second, third = self.dials(), self.connects()
        self.loop.turns(1)
        self.assertEqual((second.got, third.got), ([], []))
        self.drops(first)
        self.drops(second)
        self.loop.turns()
        third.link.close()

    def test_brokenWhileKept(self) -> None:
        """
        A kept connection that the target closes is none any more.
        """
        self.server.accept()[0].close()
        self.answered(self.one)
        self.loop.turns()
        self.assertEqual(self.open(), [1])
        self.assertIsNone(self.group.borrow(PORT))

    def test_closedGroup(self) -> None:
        """
        When its routes are gone, whoever waits is still served.
        """
        caller = self.connects()
        self.group.close()
        self.answered(self.one)
        self.loop.turns()
        self.assertEqual(len(caller.got), 1)
        caller.link.close()


class WaitTests(GroupCase):
    """
    A target of which it is said how long somebody may wait for it.
    """

    def test_wait(self) -> None:
        """
        Nobody waits for longer than that.
        """
        self.begin(target(self.listens()), most=1, wait=0.5)
        link, caller = self.linked(), self.connects()
        self.loop.turns(0.4)
        self.assertEqual(caller.got, [])
        self.loop.turns(0.5)
        name = self.places()[0].name
        self.assertEqual(caller.failure.reason, f"no connection to {name} came free in 0.5 s")
        link.close()


class SeveralTests(GroupCase):
    """
    Several targets with one connection each.
    """

    def test_anyTarget(self) -> None:
        """
        Whatever target comes free serves whoever waits first.
        """
        self.begin(target(self.listens()), target(self.listens()), most=1)
        one, two = self.linked(), self.linked()
        self.assertEqual(self.open(), [1, 1])
        first, second = self.connects(), self.connects()
        self.answered(two)
        self.assertIs(first.link, two)
        self.answered(one)
        self.assertIs(second.link, one)
        one.close()
        two.close()
        self.assertEqual(self.open(), [0, 0])

    def test_otherTargetFirst(self) -> None:
        """
        Nobody waits for the target whose turn it is while another has room.
        """
        self.begin(target(self.listens()), target(self.listens()), most=1)
        one = self.linked()
        self.group._turn = 0 if one.target == self.places()[1].name else 1
        two = self.linked()
        self.assertNotEqual(one.target, two.target)
        one.close()
        two.close()

    def test_keptElsewhere(self) -> None:
        """
        A connection that is kept to another target is lent to whom none can be
        made, but not before he knows whom he asked.
        """
        self.begin(target(self.listens()), target(self.listens()), most=1)
        one, two = self.linked(), self.linked()
        self.answered(one)
        self.group._turn = 1 if one.target == self.places()[1].name else 0
        caller = self.connects()
        self.assertEqual(caller.got, [])
        self.loop.turns()
        self.assertIs(caller.link, one)
        one.close()
        two.close()

    def test_keptElsewhereCancelled(self) -> None:
        """
        It stays where it is when he goes.
        """
        self.begin(target(self.listens()), target(self.listens()), most=1)
        one, two = self.linked(), self.linked()
        self.answered(one)
        self.group._turn = 1 if one.target == self.places()[1].name else 0
        caller = self.connects()
        caller.attempt.cancel()
        self.loop.turns(1)
        self.assertEqual(caller.got, [])
        self.assertEqual(sum(self.open()), 2)
        one.close()
        two.close()

    def test_refusedThenFull(self) -> None:
        """
        Who was refused by one waits for the other, and says both when that
        does not come free.
        """
        self.begin(target(dead := self.refuses()), target(self.listens()), most=1, wait=2.0)
        link = self.linked()
        self.group._turn = 1
        caller = self.connects()
        self.loop.turns()
        self.assertEqual((caller.got, self.open()), ([], [0, 1]))
        self.loop.turns(2.3)
        self.assertTrue(caller.failure.isBusy)
        port = dead.getsockname()[1]
        self.assertTrue(caller.failure.reason.startswith(f"127.0.0.1:{port}: Connection refused; no connec"))
        link.close()

    def test_failureFrees(self) -> None:
        """
        A target that could not be connected to has room for the next.
        """
        self.begin(target(self.ignores()), most=1)
        first, second = self.connects(), self.connects()
        self.loop.turns(3.1)
        self.assertTrue(first.failure.isTimeout)
        self.assertEqual((second.got, self.open()), ([], [1]))
        second.attempt.cancel()
        self.assertEqual(self.open(), [0])

    def test_unbounded(self) -> None:
        """
        Without a bound nobody waits, and nothing is counted.
        """
        self.begin(target(self.listens()))
        links = [self.linked() for _ in range(10)]
        self.assertEqual(self.open(), [])
        for link in links:
            link.close()


class NameTests(GroupCase):
    """
    A target whose name moves.
    """

    def setUp(self) -> None:
        """Two connections to where it is."""
        super().setUp()
        here = self.listens()
        self.there = self.listens("127.0.0.2", here.getsockname()[1])
        self.begin(Target("a.test", here.getsockname()[1]))
        first, second = self.connects(), self.connects()
        self.sage.says(Found(("127.0.0.1",), 60.0))
        self.loop.turns()
        self.one, self.two = first.link, second.link
        self.addCleanup(lambda: self.assertEqual(self.open(), [0]))

    def moves(self, *addresses: str) -> None:
        """
        The name is asked for again, and has these addresses.
        """
        self.loop.turns(54)
        self.loop.turns(0.3)
        self.sage.says(Found(addresses, 60.0))
        self.loop.turns()

    def test_moved(self) -> None:
        """
        A kept connection to where it is no more is closed at once, one in use
        when its answer is given, and new ones lead to where it is.
        """
        self.loop.turns(10)
        self.answered(self.one)
        self.moves("127.0.0.2")
        self.assertEqual((self.open(), self.places()[0].idle), ([1], []))
        caller = self.connects()
        self.loop.turns()
        self.there.accept()[0].close()
        caller.link.close()
        self.answered(self.two)
        self.assertEqual((self.open(), self.places()[0].idle), ([0], []))

    def test_movedAndBack(self) -> None:
        """
        One in use whose address has come back by then is kept.
        """
        self.moves("127.0.0.2")
        self.loop.turns(1)
        self.loop.turns(54)
        self.sage.says(Found(("127.0.0.1",), 60.0))
        self.answered(self.two)
        self.assertEqual(self.places()[0].idle, [self.two])
        self.one.close()
        self.two.close()

    def test_more(self) -> None:
        """
        When addresses are added nothing is closed.
        """
        self.answered(self.one)
        self.moves("127.0.0.2", "127.0.0.1")
        self.assertEqual(self.open(), [2])
        self.one.close()
        self.two.close()

    def test_renewedWhileConnected(self) -> None:
        """
        The name is asked for as long as there are connections, and no longer.
        """
        for _ in range(4):
            self.moves("127.0.0.1")
        self.one.close()
        self.two.close()
        asked = len(self.sage.asked)
        self.loop.turns(55)
        self.loop.turns(55)
        self.assertEqual((len(self.sage.asked), self.sage.open), (asked, 0))


class RepeatTests(GroupCase):
    """
    Requests that are sent a second time.
    """

    def repeats(self, name: str, isStale: bool = False) -> Caller:
        """
        Somebody's request met no answer at a target.
        """
        return Caller(lambda then: self.group.repeat(PORT, name, isStale, then))

    def test_otherTarget(self) -> None:
        """
        Another target is preferred, also when it was just a kept connection that was
        closed: a target that is killed closes those, and may take one more before it is gone.
        """
        self.begin(target(self.listens()), target(self.listens()))
        one = self.linked()
        for turn in (0, 1):
            self.group._turn = turn
            for isStale in (False, True):
                caller = self.repeats(one.target, isStale)
                self.loop.turns()
                self.assertNotEqual(caller.link.target, one.target)
                caller.link.close()
        one.close()

    def test_alone(self) -> None:
        """
        A single target is tried again.
        """
        self.begin(target(self.listens()))
        one = self.linked()
        caller = self.repeats(one.target)
        self.loop.turns()
        caller.link.close()
        one.close()

    def test_fresh(self) -> None:
        """
        By a new connection: what is kept may be as stale as the first, but
        makes room when there is none.
        """
        self.begin(target(self.listens()), most=2)
        one, two = self.linked(), self.linked()
        self.answered(one)
        caller = self.repeats(one.target, True)
        self.loop.turns()
        self.assertNotIn(caller.link, (one, two))
        self.assertEqual(self.open(), [2])
        caller.link.close()
        two.close()

    def test_budget(self) -> None:
        """
        When a fifth of the requests has been repeated there is no more, but
        for what was stale.
        """
        self.begin(target(self.listens()))
        for _ in range(100):
            self.group.borrow(PORT)
        name = "127.0.0.1:1"
        callers = [self.repeats(name) for _ in range(20)]
        self.assertIsNone(self.group.repeat(PORT, name, False, lambda outcome: None))
        callers.append(self.repeats(name, True))
        for caller in callers:
            caller.attempt.cancel()


class AnythingTests(GroupCase):
    """
    Whatever happens, in whatever order.
    """

    @examples(60)
    @given(st.lists(st.tuples(st.sampled_from(_DEEDS), st.integers(0, 99)), max_size=40))
    def test_counts(self, deeds: list[tuple[str, int]]) -> None:
        """
        There are never more connections than allowed, nobody waits while one
        could be had, everybody is told exactly once, and in the end nothing
        is left.
        """
        servers = [self.listens(), self.listens(), self.refuses()]
        self.begin(*[target(each) for each in servers], most=2)
        self.callers: list[Caller] = []
        for deed, number in deeds:
            getattr(self, "do_" + deed)(number)
            self.loop.turns()
            self.assertTrue(all(count <= 2 for count in self.open()))
            waiting = [caller for caller in self.callers if not caller.got]
            self.assertTrue(all(len(caller.got) <= 1 for caller in self.callers))
            if waiting:
                self.assertFalse(any(place.hasRoom or place.idle for place in self.places()[:2]))
        for caller in self.callers:
            caller.attempt.cancel()
        for caller in list(self.callers):
            self.let(caller)
        self.group.close()
        self.loop.turns(1)
        self.assertIn(self.open() if deeds else [], ([0, 0, 0], []))
        self.assertEqual(len(self.group._queue or ()), 0)
        self.assertEqual((self.poller.handlers, self.poller.mortals), ({}, {}))
        for server in servers:
            server.close()

    def let(self, caller: Caller) -> None:
        """
        Close what he has.
        """
        self.callers.remove(caller)
        for outcome in caller.got:
            if isinstance(outcome, Link):
                outcome.close()
            elif not isinstance(outcome, UpstreamFailure):
                self.drops(caller)

    def one(self, number: int, hasLink: bool | None = None) -> Caller | None:
        """
        Any of them; with a link, or still waiting.
        """
        found = [
            caller
            for caller in self.callers
            if hasLink is None or (bool(caller.got) and isinstance(caller.got[0], Link)) is hasLink
        ]
        return found[number % len(found)] if found else None

    def do_connect(self, number: int) -> None:
        """Somebody wants a link."""
        link = self.group.borrow(PORT)
        if link is not None:
            caller = Caller(lambda then: None)
            caller.got.append(link)
            caller.attempt = Idle()
        else:
            caller = Caller(lambda then: self.group.connect(PORT, then))
        self.callers.append(caller)

    def do_dial(self, number: int) -> None:
        """Somebody wants a bare connection."""
        self.callers.append(self.dials())

    def do_repeat(self, number: int) -> None:
        """Somebody sends a request again."""
        if PORT in self.group._places:
            name = self.places()[number % 3].name
            self.callers.append(Caller(lambda then: self.group.repeat(PORT, name, True, then)))

    def do_cancel(self, number: int) -> None:
        """Somebody goes."""
        caller = self.one(number, False)
        if caller is not None and not caller.got:
            caller.attempt.cancel()
            self.callers.remove(caller)

    def do_end(self, number: int) -> None:
        """A connection ends."""
        caller = self.one(number)
        if caller is not None and caller.got:
            self.let(caller)

    def do_keep(self, number: int) -> None:
        """A link is given back."""
        caller = self.one(number, True)
        if caller is not None:
            self.callers.remove(caller)
            caller.link._lender.giveBack(caller.link)

    def do_retire(self, number: int) -> None:
        """A link has given its last answer."""
        caller = self.one(number, True)
        if caller is not None:
            self.callers.remove(caller)
            caller.link._lender.retire(caller.link)

    def do_fail(self, number: int) -> None:
        """A target has failed."""
        if PORT in self.group._places:
            self.places()[number % 2].failed("a whim")

    def do_wait(self, number: int) -> None:
        """Time passes."""
        self.loop.turns(number / 10)


class Idle:
    """
    Nothing is under way.
    """

    def cancel(self) -> None:
        """Nothing happens."""
