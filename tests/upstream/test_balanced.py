"""
Tests for L{smartproxy_tw.upstream.balanced}, and for what every group makes of standings.
"""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import replace
from typing import Any

from smartproxy_tw.config.model import Balance, Check, Ejection, Health, Sticky, Target, checkedOf
from smartproxy_tw.facts import Address, ConnectionFacts, RequestFacts, Verdict
from smartproxy_tw.plane.link import Link
from smartproxy_tw.upstream.balanced import LAST_RESORT, clientOf

from .groups import PORT, Caller, GroupCase, target

SICK = Verdict(False, "it answers with status 500", 1000.0)
WELL = Verdict(True, "it answers with status 200", 1000.0)
CHECKED = Health(Check())


class Asker:
    """
    An exchange, as a group sees one.
    """

    def __init__(self, client: str = "192.0.2.1", cookie: str = "") -> None:
        self.connection = ConnectionFacts(PORT, Address("10.9.9.9", 9))
        self.wire = None
        self.client = client
        self.cookie = cookie

    def facts(self) -> RequestFacts:
        """
        What is known of the request.
        """
        return RequestFacts(self.connection, "GET", "a.test", "/", client=self.client)

    def fields(self) -> list[tuple[str, str]]:
        """
        Its head.
        """
        return [("cookie", self.cookie)] if self.cookie else []


class BalancedCase(GroupCase):
    """
    Groups with three servers.
    """

    def setUp(self) -> None:
        super().setUp()
        self.servers = [self.listens() for _ in range(3)]
        self.targets = [target(server) for server in self.servers]

    def weighted(self, *weights: int) -> list[Target]:
        """
        The servers with weights.
        """
        return [replace(each, weight=weight) for each, weight in zip(self.targets, weights, strict=False)]

    def asks(self, times: int = 1) -> str:
        """
        Ask so often, each time when the one before was answered: who was asked.
        """
        asked = []
        for _ in range(times):
            link = self.group.borrow(PORT, self.whose)
            if link is None:
                caller = Caller(lambda then: self.group.connect(PORT, then, self.whose))
                self.loop.turns()
                link = caller.link
            asked.append(self.number(link))
            self.answered(link)
        return "".join(asked)

    def number(self, link: Link) -> str:
        """
        Which of the servers a link leads to.
        """
        return str([str(each) for each in self.targets].index(link.target))

    def holds(self) -> Link:
        """
        Somebody asks, and is not answered yet.
        """
        caller = self.connects()
        self.loop.turns()
        return caller.link

    def judges(self, number: int, verdict: Verdict) -> None:
        """
        A check has found something.
        """
        checked = checkedOf(self.forward, self.forward.targets[number])
        assert checked is not None
        self.standings.judge(checked, verdict)
        self.group.heed()


class StandingTests(BalancedCase):
    """
    Who may be sent something, in groups of either kind.
    """

    def test_drained(self) -> None:
        """
        Nothing new goes to a target that is drained, and what is kept to it is closed; what
        it has is finished.
        """
        for balance in (Balance(), Balance("least-connections")):
            self.begin(*self.targets, balance=balance)
            self.assertEqual(set(self.asks(3)), set("012"))
            held = [self.holds_or_borrows() for _ in range(3)]
            self.standings.diverted.add(str(self.targets[1]))
            self.group.heed()
            self.assertEqual(set(self.asks(6)), set("02"))
            [busy] = [each for each in held if self.number(each) == "1"]
            self.assertIsNotNone(busy.wire.sock)
            for each in held:
                self.answered(each)
            self.assertEqual([len(place.idle) for place in self.group._all[PORT]][1], 0)
            self.standings.diverted.clear()
            self.group.heed()
            self.assertEqual(set(self.asks(3)), set("012"))
            self.group.close()

    def holds_or_borrows(self) -> Link:
        """
        Somebody asks, and is not answered yet.
        """
        link = self.group.borrow(PORT, self.whose)
        if link is None:
            caller = Caller(lambda then: self.group.connect(PORT, then, self.whose))
            self.loop.turns()
            return caller.link
        return link

    def test_unhealthy(self) -> None:
        """
        Nor to one that checks have found unhealthy, until they find it healthy.
        """
        self.begin(*self.targets, health=CHECKED)
        self.judges(0, SICK)
        self.assertEqual(self.asks(4), "1212")
        self.judges(0, WELL)
        self.assertIn("0", self.asks(3))

    def test_nobodyLeft(self) -> None:
        """
        Where there is none that may be sent anything nobody is served: that is told as
        what becomes 503, with the reasons, and never before anybody asked.
        """
        self.begin(*self.targets[:2], health=CHECKED)
        self.judges(0, SICK)
        self.standings.diverted.add(str(self.targets[1]))
        self.group.heed()
        for begin in (self.connects, self.dials, self.repeats):
            caller = begin()
            self.assertEqual(caller.got, [])
            self.loop.turns()
            failure = caller.failure
            self.assertTrue(failure.isBusy)
            self.assertEqual(
                failure.reason,
                f"no target can be had: {self.targets[0]}: it is unhealthy (it answers with status 500); "
                f"{self.targets[1]}: it is drained",
            )

    def repeats(self) -> Caller:
        """
        Somebody asks for the second time.
        """
        return Caller(lambda then: self.group.repeat(PORT, "x", True, then, self.whose))

    def test_leaves(self) -> None:
        """
        Who does not want to know any more is not told.
        """
        self.begin(self.targets[0])
        self.standings.diverted.add(str(self.targets[0]))
        self.group.heed()
        caller = self.connects()
        caller.attempt.cancel()
        self.loop.turns()
        self.assertEqual(caller.got, [])

    def test_waiting(self) -> None:
        """
        Who waits for a free connection has one to a target that is back, and none to one
        that was drained meanwhile.
        """
        self.begin(*self.targets[:2], most=1)
        self.standings.diverted.add(str(self.targets[1]))
        held = self.holds()
        self.assertEqual(self.number(held), "0")
        caller = self.connects()
        self.loop.turns()
        self.assertEqual(caller.got, [])
        self.standings.diverted = {str(self.targets[0])}
        self.group.heed()
        later = self.connects()
        self.loop.turns()
        self.assertEqual(self.number(later.link), "1")
        self.assertEqual(caller.got, [])
        caller.attempt.cancel()
        self.answered(held)
        self.answered(later.link)
        self.assertEqual(self.asks(2), "11")

    def test_knownBefore(self) -> None:
        """
        What was known before there was a group holds for it too, as after a reload.
        """
        self.begin(*self.targets)
        self.standings.diverted.add(str(self.targets[2]))
        self.assertEqual(set(self.asks(6)), set("01"))


class WeightTests(BalancedCase):
    """
    Shares.
    """

    def test_proportion(self) -> None:
        """
        Requests are in proportion to the weights, over kept connections too.
        """
        self.begin(*self.weighted(3, 1, 2))
        asked = self.asks(12)
        self.assertEqual([asked.count(each) for each in "012"], [6, 2, 4])

    def test_streams(self) -> None:
        """
        So are connections.
        """
        self.begin(*self.weighted(3, 1))
        for _ in range(8):
            self.drops(self.dialled())
        self.assertEqual([self.accepted(server) for server in self.servers[:2]], [6, 2])

    def dialled(self) -> Caller:
        """
        Somebody has a bare connection.
        """
        caller = self.dials()
        self.loop.turns()
        return caller

    def accepted(self, server: socket.socket) -> int:
        """
        How many have come.
        """
        count = 0
        while True:
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def test_lastResort(self) -> None:
        """
        One without weight has its turn when no other can be had, whatever the reason.
        """
        self.begin(*self.weighted(1, 0), health=CHECKED)
        self.assertEqual(self.asks(4), "0000")
        self.judges(0, SICK)
        self.assertEqual(self.asks(2), "11")
        self.judges(0, WELL)
        self.assertEqual(self.asks(2), "00")
        for _ in range(5):
            self.places()[0].failed("no reason")
        self.assertEqual(self.asks(2), "11")
        self.assertEqual(self.places()[1].tier, LAST_RESORT)

    def test_resortAtOnce(self) -> None:
        """
        Also for a request that has just met the refusal.
        """
        refuses = target(self.refuses())
        self.begin(refuses, replace(self.targets[1], weight=0))
        link = self.holds()
        self.assertEqual(self.number(link), "1")
        link.close()


class LeastConnectionsTests(BalancedCase):
    """
    What each has to do.
    """

    def wronged(self, algorithm: Any) -> int:
        """
        One of three is slow: it keeps what it was given, while the others answer at once.

        @return: How many of 30 requests went to one that had more to do than another.
        """
        self.begin(*self.targets, balance=Balance(algorithm))
        held: dict[str, list[Link]] = {"0": [], "1": [], "2": []}
        wrong = 0
        for _ in range(30):
            least = min(map(len, held.values()))
            link = self.group.borrow(PORT)
            if link is None:
                caller = Caller(lambda then: self.group.connect(PORT, then))
                self.loop.turns()
                link = caller.link
            number = self.number(link)
            wrong += len(held[number]) > least
            if number == "0":
                held["0"].append(link)
            else:
                self.answered(link)
        for link in held["0"]:
            link.close()
        self.group.close()
        return wrong

    def test_neverABusierOne(self) -> None:
        """
        Each request goes to one that has least, counted by connections in use, and not by
        those that are kept; whoever just takes turns is sent to the slow one again and again.
        """
        self.assertEqual(self.wronged("least-connections"), 0)
        self.assertEqual(self.wronged("round-robin"), 9)

    def test_tunnels(self) -> None:
        """
        Streams count for as long as they go on.
        """
        self.begin(*self.targets[:2], balance=Balance("least-connections"))
        long = self.dials()
        self.loop.turns()
        asked = self.asks(3)
        self.assertEqual(len(set(asked)), 1)
        self.drops(long)
        self.assertEqual(set(self.asks(2)), set("01"))


class IPHashTests(BalancedCase):
    """
    Whose target.
    """

    def test_byClient(self) -> None:
        """
        A client, which is the one that a trusted proxy speaks for, has the same target
        each time; those of one that is away are shared, and come back.
        """
        self.begin(*self.targets, balance=Balance("ip-hash"), health=CHECKED)

        def owners() -> list[str]:
            found = []
            for number in range(30):
                self.whose = Asker(f"192.0.2.{number}")
                found.append(self.asks())
            return found

        before = owners()
        self.assertEqual(set(before), set("012"))
        self.assertEqual(owners(), before)
        self.judges(1, SICK)
        for was, now in zip(before, owners(), strict=True):
            self.assertTrue(now == was if was != "1" else now in "02")
        self.judges(1, WELL)
        self.assertEqual(owners(), before)

    def test_who(self) -> None:
        """
        For bytes it is who has connected.
        """
        stream: Any = Asker()
        self.assertEqual(clientOf(stream), "192.0.2.1")
        stream.client = ""
        self.assertEqual(clientOf(stream), "10.9.9.9")
        stream.facts = lambda: stream.connection
        self.assertEqual(clientOf(stream), "10.9.9.9")
        self.assertEqual(clientOf(None), "")
        self.begin(*self.targets)


class StickyTests(BalancedCase):
    """
    Clients that come back.
    """

    def setUp(self) -> None:
        super().setUp()
        self.begin(*self.targets, balance=Balance(sticky=Sticky("sid")), health=CHECKED)
        self.standings.secret = b"s" * 32

    def bearer(self, number: int) -> Asker:
        """
        Somebody who was told of a server.
        """
        crumbs = self.group.crumbs
        assert crumbs is not None
        return Asker(cookie=f"sid={crumbs.crumb(str(self.targets[number]))}")

    def test_comesBack(self) -> None:
        """
        Who has a cookie comes to its target each time; who has none, or one that nobody
        made, has whoever is next.
        """
        for number in range(3):
            self.whose = self.bearer(number)
            self.assertEqual(self.asks(4), str(number) * 4)
        for whose in (
            Asker(),
            Asker(cookie="sid=" + "A" * 24),
            Asker(cookie=f"sid={self.targets[0]}"),
        ):
            self.whose = whose
            self.assertEqual(Counter(self.asks(6)), {"0": 2, "1": 2, "2": 2})

    def test_away(self) -> None:
        """
        While its target cannot be had a client has another, and then its own again.
        """
        self.whose = self.bearer(1)
        self.judges(1, SICK)
        self.assertNotIn("1", self.asks(4))
        self.judges(1, WELL)
        self.assertEqual(self.asks(2), "11")

    def test_closedOnce(self) -> None:
        """
        Whose kept connection was closed is sent to the same target again only if he is bound
        to it, by a cookie or by where he comes from; to one that waits for the others to fail
        (weight 0) nobody is sent for that.
        """
        bound = self.bearer(1)
        self.assertEqual(self.again(bound, 1), "1")
        for whose in (Asker(), Asker(cookie="sid=" + "A" * 24)):
            self.assertNotEqual(self.again(whose, 1), "1")
        self.group.close()
        self.begin(*self.targets, balance=Balance("ip-hash"))
        self.whose = Asker()
        own = int(self.asks())
        self.assertEqual(self.again(Asker(), own), str(own))
        self.group.close()
        self.begin(*self.weighted(1, 0), balance=Balance())
        self.assertEqual(self.again(Asker(), 0), "0")

    def again(self, whose: Asker, number: int) -> str:
        """
        What was sent to this server met a closed connection: where it is sent now.
        """
        name = str(self.targets[number])
        caller = Caller(lambda then: self.group.repeat(PORT, name, True, then, whose))
        self.loop.turns()
        self.answered(caller.link)
        return self.number(caller.link)

    def test_secret(self) -> None:
        """
        With a secret of its own a route knows the cookies of every proxy that has it, and no others.
        """
        known = {}
        for secret, other in (("a" * 16, b"x" * 32), ("a" * 16, b"y" * 32), ("b" * 16, b"y" * 32)):
            self.begin(*self.targets, balance=Balance(sticky=Sticky("sid", secret=secret)))
            self.standings.secret = other
            crumbs = self.group.crumbs
            assert crumbs is not None
            known.setdefault(secret, set()).add(crumbs.crumb(str(self.targets[0])))
        self.assertEqual([len(each) for each in known.values()], [1, 1])
        self.assertNotEqual(*known.values())


class SlowStartTests(BalancedCase):
    """
    Targets that are back.
    """

    def test_grows(self) -> None:
        """
        Its share grows from a tenth to all of it within the time, and then stays; at the
        start of a group everybody has all of it.
        """
        self.begin(*self.targets[:2], balance=Balance(slowStart=100.0), health=CHECKED)
        self.assertEqual(self.asks(4).count("0"), 2)
        self.judges(0, SICK)
        self.judges(0, WELL)
        shares = []
        for _ in range(5):
            asked = self.asks(40)
            shares.append((round(self.places()[0].share, 2), asked.count("0")))
            self.loop.turns(30.0)
        self.assertEqual([share for share, _ in shares], [0.1, 0.3, 0.6, 0.9, 1.0])
        counts = [count for _, count in shares]
        self.assertEqual(counts, sorted(counts))
        self.assertTrue(2 <= counts[0] <= 5 and counts[-1] == 20, counts)

    def test_ejected(self) -> None:
        """
        So it is for one that was ejected.
        """
        self.begin(
            *self.targets[:2],
            balance=Balance(slowStart=100.0),
            health=Health(None, Ejection(2, 10.0, 60.0, True)),
        )
        self.asks(2)
        for _ in range(2):
            self.places()[0].failed("no reason")
        self.assertEqual(self.asks(3), "111")
        self.loop.turns(10.0)
        asked = self.asks(20)
        self.assertTrue(1 <= asked.count("0") <= 4, asked)

    def test_told(self) -> None:
        """
        How large its share is just now is told, for as long as it is not all.
        """
        self.begin(*self.targets[:2], balance=Balance(slowStart=100.0), health=CHECKED)
        self.asks(2)
        standing: dict[str, int] = {}
        self.group.tell({}, standing, 5000.0)
        self.assertFalse([name for name in standing if name.startswith("target_share")])
        self.judges(0, SICK)
        self.judges(0, WELL)
        self.loop.turns(50.0)
        self.group.tell({}, standing, 5000.0)
        self.assertEqual(standing[f"target_share - {self.targets[0]}"], 500)


class EjectionTests(BalancedCase):
    """
    Targets that fail those who are sent there.
    """

    def begins(self) -> None:
        """
        A group that ejects after two failures.
        """
        self.begin(*self.targets, health=Health(None, Ejection(2, 8.0, 32.0, True)))
        self.asks(3)

    def test_half(self) -> None:
        """
        At most half of the targets are ejected; the others have their turns even if they
        fail.
        """
        self.begins()
        for place in self.places():
            for _ in range(4):
                place.failed("no reason")
        self.assertEqual([place.isAway for place in self.places()], [True, False, False])
        self.assertEqual(set(self.asks(4)), set("12"))

    def test_longer(self) -> None:
        """
        One that fails again soon after it was back is ejected for twice as long; after a
        long time without failures it begins anew.
        """
        self.begins()
        place = self.places()[0]
        pauses = []
        for wait in (0.0, 5.0, 5.0, 5.0, 50.0):
            self.loop.turns(wait)
            place.failed("no reason")
            place.failed("no reason")
            assert place.breaker is not None
            pauses.append(place.breaker.until - self.poller.now)
            self.loop.turns(pauses[-1])
            place.probed()
            place.answered()
        self.assertEqual(pauses, [8.0, 16.0, 32.0, 32.0, 8.0])

    def test_told(self) -> None:
        """
        Until when one is ejected is told, by the time of day.
        """
        self.begins()
        for _ in range(2):
            self.places()[0].failed("no reason")
        standing: dict[str, int] = {}
        self.group.tell({}, standing, 5000.0)
        self.assertEqual(standing[f"target_until - {self.targets[0]}"], 5008)
        self.assertEqual(standing[f"target_away - {self.targets[0]}"], 1)
