"""
Tests for L{smartproxy_tw.upstream.serviced} and L{smartproxy_tw.upstream.expectation}.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Check, Health, Target, checkedOf
from smartproxy_tw.facts import Verdict
from smartproxy_tw.upstream.balanced import LAST_RESORT
from smartproxy_tw.upstream.serviced import ranked
from smartproxy_tw.upstream.services import Member, Services

from ..examples import examples
from .groups import PORT, Caller, GroupCase, target
from .test_services import NAME, Oracle

SERVICE = Target(NAME, None, isService=True)


class RankedTests(SynchronousTestCase):
    """
    What records say.
    """

    def test_shares(self) -> None:
        """
        Those of one priority share the weight of the service as their weights say; a
        weight of 0 is next to nothing beside others.
        """
        members = [Member(5, 30, "a", 1), Member(5, 10, "b", 1), Member(9, 0, "c", 1), Member(9, 0, "d", 1)]
        self.assertEqual([(tier, share) for _, tier, share in ranked(members, 4)], [
            (0, 3.0), (0, 1.0), (1, 2.0), (1, 2.0),
        ])  # fmt: skip
        [(_, _, rare), (_, _, usual)] = ranked([Member(0, 0, "a", 1), Member(0, 9, "b", 1)], 1)
        self.assertTrue(0 < rare < usual / 50)
        self.assertEqual([tier for _, tier, _ in ranked(members, 0)][::3], [LAST_RESORT, LAST_RESORT + 1])

    @examples()
    @given(
        st.lists(
            st.builds(Member, st.integers(0, 3), st.integers(0, 65535), st.just("a"), st.integers(1, 99))
        ),
        st.integers(0, 1000),
    )
    def test_whole(self, members: list[Member], weight: int) -> None:
        """
        In every tier the shares are together what the service has, and all are above 0.
        """
        found = ranked(members, weight)
        for wanted in {tier for _, tier, _ in found}:
            shares = [share for _, tier, share in found if tier == wanted]
            self.assertTrue(all(share > 0 for share in shares))
            self.assertLess(abs(sum(shares) - max(weight, 1)), 1e-6 * max(weight, 1))


class ServicedTests(GroupCase):
    """
    Groups whose places come and go.
    """

    def setUp(self) -> None:
        super().setUp()
        self.servers = [self.listens() for _ in range(3)]
        self.oracle = Oracle()
        self.services = Services(self.oracle.ask, self.loop.callLater)
        self.addCleanup(lambda: [call.cancel() for call in self.loop.getDelayedCalls()])

    def member(self, number: int, priority: int = 0, weight: int = 1) -> Member:
        """
        What a record says of a server.
        """
        return Member(priority, weight, "127.0.0.1", self.servers[number].getsockname()[1])

    def asks(self, times: int = 1) -> str:
        """
        Ask so often, each time when the one before was answered: who was asked.
        """
        names = [str(target(server)) for server in self.servers]
        asked = []
        for _ in range(times):
            link = self.group.borrow(PORT, None)
            if link is None:
                caller = Caller(lambda then: self.group.connect(PORT, then, None))
                self.loop.turns()
                link = caller.link
            asked.append(str(names.index(link.target)))
            self.answered(link)
        return "".join(asked)

    def test_comeAndGo(self) -> None:
        """
        They have their turns by weight; when the records change, those that stay keep
        their connections, those that are gone have theirs closed.
        """
        self.begin(SERVICE, services=self.services)
        self.oracle.says(self.member(0, weight=2), self.member(1))
        asked = self.asks(6)
        self.assertEqual((asked.count("0"), asked.count("1")), (4, 2))
        kept = self.group._all[PORT][0].idle[:]
        gone = self.group._all[PORT][1].idle[:]
        self.loop.advance(54.0)
        self.oracle.says(self.member(0), self.member(2))
        self.assertEqual(set(self.asks(4)), set("02"))
        self.assertEqual(self.group._all[PORT][0].idle, kept)
        self.assertTrue(all(link not in self.poller.mortals for link in gone))

    def test_priorities(self) -> None:
        """
        Those with a higher number are used while none with a lower one can be had.
        """
        self.begin(SERVICE, services=self.services, health=Health(Check()))
        self.oracle.says(self.member(0, 1), self.member(1, 2))
        self.assertEqual(self.asks(3), "000")
        checked = checkedOf(self.forward, target(self.servers[0]))
        assert checked is not None
        self.standings.judge(checked, Verdict(False, "no", 0.0))
        self.group.heed()
        self.assertEqual(self.asks(3), "111")

    def test_beside(self) -> None:
        """
        A service has its weight beside other targets, however many it has.
        """
        self.begin(SERVICE, target(self.servers[2]), services=self.services)
        self.oracle.says(self.member(0), self.member(1))
        asked = self.asks(8)
        self.assertEqual([asked.count(each) for each in "012"], [2, 2, 4])

    def test_weight(self) -> None:
        """
        So it is where it has another one than they.
        """
        self.begin(replace(SERVICE, weight=6), target(self.servers[2]), services=self.services)
        self.oracle.says(self.member(0), self.member(1))
        asked = self.asks(14)
        self.assertEqual([asked.count(each) for each in "012"], [6, 6, 2])

    def test_waits(self) -> None:
        """
        Whoever comes before it is known waits; for no longer than a connection may take,
        and not if he has left.
        """
        self.begin(SERVICE, services=self.services)
        link, wire, left = self.connects(), self.dials(), self.connects()
        left.attempt.cancel()
        self.loop.turns()
        self.oracle.says(self.member(0))
        self.loop.turns()
        self.assertEqual(left.got, [])
        link.link.close()
        self.drops(wire)

    def test_waitsInVain(self) -> None:
        """
        After that time it is 504.
        """
        self.begin(SERVICE, services=self.services)
        callers = [self.connects(), self.dials()]
        self.loop.turns(3.1)
        for caller in callers:
            self.assertTrue(caller.failure.isTimeout)
        self.oracle.says(self.member(0))
        self.loop.turns()
        self.assertEqual([len(caller.got) for caller in callers], [1, 1])

    def test_waitingCostsNothing(self) -> None:
        """
        However many wait, one that comes or leaves costs the same; none is kept that waits no more.
        """
        self.begin(SERVICE, services=self.services)
        callers = [self.connects() for _ in range(500)]
        expecting = self.group._expecting  # type: ignore[attr-defined]
        self.assertEqual(len(expecting), 500)
        for caller in callers[:250]:
            caller.attempt.cancel()
        # The same that it was: nobody has made it anew.
        self.assertIs(self.group._expecting, expecting)  # type: ignore[attr-defined]
        self.assertEqual(len(expecting), 250)
        self.loop.turns(60.0)
        self.assertEqual(len(expecting), 0)

    def test_leavesLate(self) -> None:
        """
        Who leaves while he is being connected is not told.
        """
        self.begin(SERVICE, services=self.services)
        caller = self.connects()
        self.oracle.says(self.member(0))
        caller.attempt.cancel()
        self.loop.turns()
        self.assertEqual(caller.got, [])

    def test_nothing(self) -> None:
        """
        Where a service has nothing nobody is served.
        """
        self.begin(SERVICE, services=self.services)
        self.oracle.says()
        caller = self.connects()
        self.loop.turns()
        self.assertTrue(caller.failure.isBusy)

    def test_counted(self) -> None:
        """
        What it has is counted under its own name, and told one by one.
        """
        self.begin(SERVICE, services=self.services)
        self.oracle.says(self.member(0), self.member(1))
        self.linked().close()
        self.standings.diverted.add(str(target(self.servers[1])))
        self.group.heed()
        counts: dict[str, int] = {}
        standing: dict[str, int] = {}
        for place in self.group._all[PORT]:
            place.requests = 2
        self.group.tell(counts, standing, 0.0)
        self.assertEqual(counts, {f"target_requests - srv:{NAME}": 4})
        for number, word in enumerate(("well", "drained")):
            name = f"target_member {word} srv:{NAME} {target(self.servers[number])}"
            self.assertEqual(standing[name], 1)
        place = self.group._all[PORT][0]
        while not place.isAway:
            place.failed("no reason")
        standing.clear()
        self.group.tell({}, standing, 5000.0)
        until = standing[f"target_until member srv:{NAME} {target(self.servers[0])}"]
        self.assertGreater(until, 5000)
        # That of the whole is the latest of all.
        self.assertEqual(standing[f"target_until - srv:{NAME}"], until)
        self.assertNotIn(f"target_until member srv:{NAME} {target(self.servers[1])}", standing)

    def test_drainedAsAWhole(self) -> None:
        """
        A service can be drained by its own name.
        """
        self.begin(SERVICE, target(self.servers[2]), services=self.services)
        self.oracle.says(self.member(0), self.member(1))
        self.standings.diverted.add(f"srv:{NAME}")
        self.assertEqual(self.asks(3), "222")
