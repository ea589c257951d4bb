"""
The way to a connection: whom it tries, and how it ends, in every state.
"""

from __future__ import annotations

import resource
from socket import AF_INET, AF_INET6
from typing import Any

from twisted.trial.unittest import SkipTest

from smartproxy_tw.config.model import Balance, Check, Ejection, Health, Target, UpstreamTLS, checkedOf
from smartproxy_tw.facts import Verdict
from smartproxy_tw.upstream.outcome import Failed, Found, Nothing
from smartproxy_tw.upstream.place import Place

from ..plane.harness import lacksIPv6
from .groups import PORT, Caller, GroupCase, target

FAILURES, PAUSE = Ejection().failures, Ejection().seconds
#: Whoever is passed over again and again is for longer, and half of the targets at most are.
GROWING = Ejection(FAILURES, PAUSE, 300.0, True)
CHECKED = Health(Check())


def standing(place: Place) -> tuple[Any, ...]:
    """
    How well a target does: nothing where all is well, or the state with the number of
    failures, or the time until when it is passed over.
    """
    breaker = place.breaker
    if breaker is None:
        return ()
    if breaker.state == "probing":
        return ("probing",)
    return breaker.state, breaker.failures if breaker.state == "closed" else breaker.until


class CancelTests(GroupCase):
    """
    Whoever waits for a connection goes: he is told nothing, nothing is left,
    and the counts are right.
    """

    def states(self) -> list[tuple[str, Any]]:
        """
        How to begin, by what is under way then.
        """
        server, deaf = self.listens(), self.ignores()
        name = Target("a.test", deaf.getsockname()[1])

        def racing() -> None:
            self.begin(name, most=9)

        def silence() -> None:
            self.begin(target(server), tls=UpstreamTLS(verify=False), most=9)

        return [
            ("connecting", lambda: self.begin(target(deaf), most=9)),
            ("resolving", lambda: self.begin(name, most=9)),
            ("racing", racing),
            ("shaking hands", silence),
            ("failed already", lambda: self.begin(Target("/nowhere/at/all", 0), most=9)),
            ("without bound", lambda: self.begin(target(deaf))),
        ]

    def advanceTo(self, state: str) -> None:
        """
        From the beginning to there.
        """
        if state == "racing":
            self.sage.says(Found(("127.0.0.1", "127.0.0.1"), 60.0))
            self.loop.turns(0.3)
            self.assertEqual(len(self.poller.handlers), 2)
        elif state not in ("failed already", "resolving"):
            self.loop.turns()
            self.assertEqual(len(self.poller.handlers), 1, state)

    def test_cancelled(self) -> None:
        """
        In every state, for links and for bare connections.
        """
        for begin in (self.connects, self.dials):
            for state, prepare in self.states():
                prepare()
                caller = begin()
                self.advanceTo(state)
                if state != "without bound":
                    self.assertEqual(self.open(), [1], state)
                caller.attempt.cancel()
                self.assertEqual((self.poller.handlers, self.poller.mortals), ({}, {}), state)
                self.assertIn(self.open(), ([0], []), state)
                caller.attempt.cancel()
                while self.sage.open:
                    self.sage.says(Nothing(0.0))
                self.loop.turns(10)
                self.assertEqual(caller.got, [], state)
                self.assertIn(self.open(), ([0], []), state)
                self.group.close()

    def test_expired(self) -> None:
        """
        Likewise when the time is over, but that is told, once.
        """
        for begin in (self.connects, self.dials):
            for state, prepare in self.states():
                if state == "failed already":
                    continue
                prepare()
                caller = begin()
                self.advanceTo(state)
                self.loop.turns(3.1)
                self.assertTrue(caller.failure.isTimeout, state)
                self.assertEqual((self.poller.handlers, self.poller.mortals), ({}, {}), state)
                self.assertIn(self.open(), ([0], []), state)
                while self.sage.open:
                    self.sage.says(Nothing(0.0))
                self.loop.turns(10)
                caller.attempt.cancel()
                self.assertIn(self.open(), ([0], []), state)
                self.group.close()

    def test_crashed(self) -> None:
        """
        And after a bug.
        """
        for state, prepare in self.states():
            prepare()
            caller = self.dials()
            self.advanceTo(state)
            caller.attempt.crash()
            self.assertIn("a bug while connecting", caller.failure.reason)
            self.assertEqual((self.poller.handlers, self.poller.mortals), ({}, {}), state)
            self.assertIn(self.open(), ([0], []), state)
            while self.sage.open:
                self.sage.says(Failed("too late"))
            self.group.close()

    def test_waiting(self) -> None:
        """
        Who cancels while he waits makes room for the next one.
        """
        self.begin(target(self.listens()), most=1, queue=1)
        link = self.linked()
        first = self.connects()
        self.loop.turns()
        first.attempt.cancel()
        second = self.connects()
        self.loop.turns(1)
        link.close()
        self.loop.turns()
        self.assertEqual(first.got, [])
        second.link.close()
        self.assertEqual(self.open(), [0])

    def test_turnedAway(self) -> None:
        """
        Who is about to be turned away and cancels is not told.
        """
        self.begin(target(self.listens()), most=1, queue=0)
        link = self.linked()
        caller = self.connects()
        caller.attempt.cancel()
        self.loop.turns(1)
        self.assertEqual(caller.got, [])
        link.close()


class BreakerTests(GroupCase):
    """
    Targets that fail again and again.
    """

    def test_passedOver(self) -> None:
        """
        One that has refused five times is not tried for ten seconds, and its
        turns are those of the others.
        """
        self.begin(target(dead := self.refuses()), target(server := self.listens()))
        for _ in range(2 * FAILURES):
            self.drops(self.dial())
        self.assertEqual(standing(self.places()[0]), ("open", self.poller.now + PAUSE))
        dead.close()
        back = self.listens(port=self.places()[0].port)
        for _ in range(4):
            self.drops(self.dial())
        self.assertRaises(BlockingIOError, back.accept)
        self.loop.turns(PAUSE)
        for _ in range(2):
            self.drops(self.dial())
        back.accept()[0].close()
        self.assertIsNone(self.places()[0].breaker)
        for _ in range(2 * FAILURES + 5):
            server.accept()[0].close()
        self.assertRaises(BlockingIOError, server.accept)

    def dial(self) -> Caller:
        """
        Somebody has a bare connection.
        """
        caller = self.dials()
        self.loop.turns()
        return caller

    def test_oneProbe(self) -> None:
        """
        While one probes it the others still pass it over; when he loses
        interest the next one probes.
        """
        self.begin(target(self.ignores()), target(self.listens()))
        self.drops(self.dial())
        for _ in range(FAILURES):
            self.places()[0].failed("no reason")
        self.loop.turns(PAUSE)
        self.group._turn = 1
        prober = self.dials()
        self.loop.turns()
        self.assertEqual((prober.got, standing(self.places()[0])), ([], ("probing",)))
        for _ in range(3):
            self.drops(self.dial())
        prober.attempt.cancel()
        self.assertEqual(standing(self.places()[0]), ("open", self.poller.now))
        self.group._turn = 1
        prober = self.dials()
        self.assertEqual(standing(self.places()[0]), ("probing",))
        self.loop.turns(3.1)
        self.assertEqual(standing(self.places()[0]), ("open", self.poller.now + PAUSE))
        self.drops(prober)

    def test_probeByLink(self) -> None:
        """
        For HTTP being connected is no answer yet: one failure more and it is
        passed over again; an answer makes it well.
        """
        self.begin(target(self.listens()))
        self.linked().close()
        place = self.places()[0]
        for _ in range(FAILURES):
            place.failed("no reason")
        self.loop.turns(PAUSE)
        link = self.linked()
        self.assertEqual(standing(place), ("closed", FAILURES - 1))
        place.failed("no answer")
        self.assertEqual(standing(place), ("open", self.poller.now + PAUSE))
        self.answered(link)
        self.assertIsNone(place.breaker)

    def test_ownTrouble(self) -> None:
        """
        That this process has no descriptors left says nothing of a target.
        """
        self.begin(target(self.listens()), target(self.listens()))
        self.drops(self.dial())
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            callers = [self.dials() for _ in range(2 * FAILURES)]
            self.loop.turns()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for caller in callers:
            self.assertIn("Too many open files", caller.failure.reason)
        self.assertEqual([place.breaker for place in self.places()], [None, None])

    def test_localhost(self) -> None:
        """
        The family that answered is the one to begin with from then on.
        """
        if why := lacksIPv6():
            raise SkipTest(why)
        server = self.listens()
        self.begin(Target("a.test", server.getsockname()[1]))
        for number in range(3):
            caller = self.dials()
            if not number:
                self.sage.says(Found(("::1", "127.0.0.1"), 60.0))
            self.assertEqual(caller.attempt._race._running[0].sock.family, AF_INET if number else AF_INET6)
            self.loop.turns()
            self.drops(caller)

    def test_keptConnections(self) -> None:
        """
        When it opens, what is kept is closed: it would lead to the same.
        """
        self.begin(target(self.listens()))
        self.answered(self.linked())
        place = self.places()[0]
        self.assertEqual(len(place.idle), 1)
        for _ in range(FAILURES):
            place.failed("no reason")
        self.assertEqual(place.idle, [])

    def test_allOpen(self) -> None:
        """
        When all are open one is tried all the same, and just one: that which
        opened first.
        """
        self.begin(target(one := self.refuses()), target(self.refuses()))
        for _ in range(FAILURES):
            caller = self.dials()
            self.loop.turns()
            self.assertEqual(caller.failure.reason.count("Connection refused"), 2)
        last = self.places()[1].breaker
        assert last is not None
        last._facts.until += PAUSE
        for _ in range(2):
            caller = self.dials()
            self.loop.turns()
            self.assertEqual(caller.failure.reason, f"127.0.0.1:{one.getsockname()[1]}: Connection refused")
            self.assertFalse(caller.failure.isBusy)

    def test_alone(self) -> None:
        """
        So one that is alone is always tried.
        """
        self.begin(target(server := self.refuses()))
        for _ in range(3 * FAILURES):
            caller = self.dials()
            self.loop.turns()
            self.assertIn("Connection refused", caller.failure.reason)
        server.close()
        back = self.listens(port=self.places()[0].port)
        self.drops(self.dial())
        back.accept()[0].close()
        self.assertIsNone(self.places()[0].breaker)

    # The last resort.

    def passedOver(self, number: int) -> Place:
        """
        A target is passed over from now on, whatever becomes of it.
        """
        self.group._placesFor(PORT)
        place = self.places()[number]
        for _ in range(FAILURES):
            place.failed("no reason")
        self.assertEqual(standing(place), ("open", self.poller.now + PAUSE))
        return place

    def test_lastResort(self) -> None:
        """
        One is still passed over, though it is back, and the other one is away: it is tried
        before anybody is told of an error, whether the group bounds its connections, speaks
        HTTP or not, or has rules; and then it has its turns again.
        """
        ways: list[dict[str, Any]] = [{}, {"most": 2}, {"balance": Balance("least-connections")}]
        for more in ways:
            for begin in (self.connects, self.dials, self.repeats):
                self.begin(target(self.listens()), target(self.refuses()), **more)
                back = self.passedOver(0)
                for _ in range(2 * FAILURES):
                    caller = begin()
                    self.loop.turns()
                    if begin == self.dials:
                        self.drops(caller)
                    else:
                        self.answered(caller.link)
                    self.assertEqual(standing(back), ())
                    self.assertIn(self.open(), ([], [0, 0], [1, 0]))
                    for link in list(back.idle):
                        link.close()
                self.group.close()

    def repeats(self) -> Caller:
        """
        Somebody asks again, the second one of the targets having failed him.
        """
        return Caller(lambda then: self.group.repeat(PORT, self.group.names[1], True, then, self.whose))

    def test_lastResortAway(self) -> None:
        """
        When that one is away too both are told, each once, and it is passed over no longer
        than it would be by any failure.  Of several that are passed over one is tried.
        """
        self.begin(*(target(self.refuses()) for _ in range(3)), health=Health(None, GROWING))
        place = self.passedOver(0)
        for _ in range(3 * FAILURES):
            caller = self.dials()
            self.loop.turns()
            self.assertEqual(caller.failure.reason.count("Connection refused"), 3)
            self.assertTrue(caller.failure.reason.endswith(f"{place.name}: Connection refused"))
            self.assertFalse(caller.failure.isTimeout or caller.failure.isBusy)
            assert place.breaker is not None
            self.assertEqual(
                (standing(place), place.breaker.openings), (("open", self.poller.now + PAUSE), 1)
            )
        self.group.close()
        self.begin(*(target(self.refuses()) for _ in range(3)))
        self.passedOver(0)
        self.passedOver(2)
        caller = self.dials()
        self.loop.turns()
        self.assertEqual(caller.failure.reason.count("Connection refused"), 2)

    def test_lastResortFull(self) -> None:
        """
        While those that do well are full one waits for them, and for nobody who is passed over.
        """
        self.begin(target(self.listens()), target(self.listens()), most=1)
        self.passedOver(0)
        link = self.linked()
        waiting = self.connects()
        self.loop.turns(1)
        self.assertEqual((waiting.got, self.open()), ([], [0, 1]))
        self.answered(link)
        self.assertEqual(waiting.link, link)
        link.close()

    def test_lastResortLeft(self) -> None:
        """
        Whoever tries it out of turn and loses interest says nothing of it.
        """
        self.begin(target(self.ignores()), target(self.refuses()))
        place = self.passedOver(0)
        until = self.poller.now + PAUSE
        caller = self.dials()
        self.loop.turns(1)
        self.assertEqual((caller.got, standing(place)), ([], ("probing",)))
        caller.attempt.cancel()
        self.assertEqual(standing(place), ("open", until))

    def test_lastResortDrained(self) -> None:
        """
        One that is drained, or that checks have found unhealthy, is no resort at all, not even
        when that has come about meanwhile.
        """
        for more in ({}, {"health": CHECKED}):
            for isLate in (False, True):
                back = self.listens()
                self.begin(target(back), target(self.refuses()), **more)  # type: ignore[arg-type]
                self.passedOver(0)
                caller = self.dials() if isLate else None
                if more:
                    checked = checkedOf(self.forward, self.forward.targets[0])
                    assert checked is not None
                    self.standings.judge(checked, Verdict(False, "it answers with status 500", 1000.0))
                else:
                    self.standings.diverted.add(str(target(back)))
                self.group.heed()
                caller = caller or self.dials()
                self.loop.turns()
                self.assertEqual(caller.failure.reason.count(": Connection refused"), 1)
                self.assertNotIn(str(target(back)), caller.failure.reason)
                self.assertRaises(BlockingIOError, back.accept)
                self.group.close()
