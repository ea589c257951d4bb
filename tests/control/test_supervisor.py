"""
Tests for L{smartproxy_tw.control.supervisor}, with workers that pretend: how they come and
go is told in L{tests.control.test_crew}.  Workers with real lines are in
L{tests.control.test_supervised}, real processes in L{tests.live.test_workers}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.config.model import Config, Limits, Timeouts
from smartproxy_tw.control.errors import Broken, PlaneLost, Refused
from smartproxy_tw.control.hand import Patience
from smartproxy_tw.control.state import Install, UseTable
from smartproxy_tw.control.supervisor import Supervisor
from smartproxy_tw.facts import HTTP01, Credential
from smartproxy_tw.interfaces import IPlane, IWorkers

from ..examples import examples
from .workers import FakeWorker, FakeWorkers, HerePort, WorkersCase

CONFIG = Config((), "/x", timeouts=Timeouts(drain=20))
CHALLENGE = HTTP01("a.test", "token", "token.x")


def credential(version: int) -> Credential:
    """
    One of several certificates.
    """
    return Credential(b"chain %d" % version, b"key")


class SupervisorCase(WorkersCase):
    """
    A supervisor and its workers.
    """

    count = 3

    def setUp(self) -> None:
        super().setUp()
        self.plane: Any = Supervisor(
            self.clock, self.count, spawn=self.workers, patience=Patience(answer=5, start=20)
        )

    def begun(self) -> list[FakeWorker]:
        """
        Workers that serve a port.
        """
        starting = self.plane.start()
        self.workers.obey()
        self.successResultOf(starting)
        self.does(lambda: self.plane.useTable(CONFIG))
        self.port = HerePort()
        self.does(lambda: self.plane.adopt(self.port, 80))
        return self.workers.living

    def does(self, deed: Callable[[], Deferred[Any]]) -> None:
        """
        Have all workers do something.
        """
        done = deed()
        self.workers.obey()
        self.successResultOf(done)


class InterfaceTests(SupervisorCase):
    """
    What it is to everybody else.
    """

    def test_interface(self) -> None:
        """
        It provides the interface.
        """
        verifyObject(IPlane, self.plane)
        verifyObject(IWorkers, self.plane)


class ChangeTests(SupervisorCase):
    """
    Changes, and the links that depend on them.
    """

    def held(self, deed: Callable[[], Deferred[Any]], seen: Callable[[FakeWorker], bool]) -> None:
        """
        See that something is not over before the last of the workers has done it,
        and said so.
        """
        done = deed()
        for _ in range(2):
            for worker in self.workers.living[:-1]:
                worker.obeys()
        last = self.workers.living[-1]
        self.assertNoResult(done)
        self.assertFalse(seen(last))
        last.does()
        self.assertNoResult(done)
        self.assertTrue(all(map(seen, self.workers.living)))
        last.answers()
        self.successResultOf(done)

    def test_adopted(self) -> None:
        """
        Link two: adopted is when every worker accepts.
        """
        self.begun()
        self.held(
            lambda: self.plane.adopt(HerePort(), 443), lambda worker: 443 in worker.known.ports.values()
        )

    def test_presented(self) -> None:
        """
        Link three: presented is when every worker answers the challenge.
        """
        self.begun()
        self.held(lambda: self.plane.present(CHALLENGE), lambda worker: bool(worker.known.challenges))

    def test_installed(self) -> None:
        """
        Link four: installed is when every worker serves the certificate.
        """
        self.begun()
        self.held(
            lambda: self.plane.install("a", credential(1)), lambda worker: bool(worker.known.credentials)
        )

    def test_withdrawn(self) -> None:
        """
        A challenge is withdrawn, and a port released, when no worker has it.
        """
        self.begun()
        self.does(lambda: self.plane.present(CHALLENGE))
        self.held(lambda: self.plane.withdraw(CHALLENGE), lambda worker: not worker.known.challenges)
        self.held(lambda: self.plane.release(self.port), lambda worker: not worker.known.ports)

    def test_share(self) -> None:
        """
        Each worker has its share of the connections.
        """
        self.begun()
        self.does(lambda: self.plane.useTable(Config((), "/x", limits=Limits(connections=100))))
        for worker in self.workers.living:
            assert worker.known.config is not None
            self.assertEqual((worker.known.config.limits.connections, worker.known.config.workers), (34, 3))

    def test_refused(self) -> None:
        """
        What one worker finds unusable no other one hears of, and the next worker
        is not told either.
        """
        workers = self.begun()
        for worker in workers:
            worker.refuses = lambda change: Refused("no such file") if isinstance(change, UseTable) else None
        done = self.plane.useTable(Config((), "/y"))
        self.workers.obey()
        self.assertEqual(str(self.failureResultOf(done, ValueError).value), "no such file")
        for worker in workers:
            self.assertEqual(worker.known.config.stateDir, "/x")  # type: ignore[union-attr]
        workers[0].dies()
        self.seconds(0.25)
        self.workers.obey()
        self.assertEqual(self.workers.living[-1].known.config.stateDir, "/x")  # type: ignore[union-attr]

    def test_defect(self) -> None:
        """
        A defect that something brings about in a worker is told, and costs no
        worker: all would go the same way.
        """
        for worker in self.begun():
            worker.refuses = lambda change: Broken("KeyError: 'x'")
        done = self.plane.install("a", credential(1))
        self.workers.obey()
        self.failureResultOf(done, Broken)
        self.assertEqual(self.logged("worker-died"), [])

    def test_dissent(self) -> None:
        """
        One that finds unusable what another one uses is replaced, and what the
        call waits for is that it accepts no more.
        """
        workers = self.begun()
        workers[1].refuses = lambda change: Refused("not here") if isinstance(change, Install) else None
        done = self.plane.install("a", credential(1))
        self.workers.obey()
        self.successResultOf(done)
        self.assertFalse(workers[1].alive)
        self.assertIn("not here", self.logged("worker-died")[0]["how"])
        self.seconds(0.25)
        self.workers.obey()
        self.assertTrue(all(worker.known == workers[0].known for worker in self.workers.living))

    def test_diesBeingAsked(self) -> None:
        """
        Whoever dies while being asked, the first or another, is not waited for:
        its successor is told before it accepts.
        """
        for place in range(3):
            workers = self.begun() if place == 0 else self.workers.living
            done = self.plane.present(CHALLENGE)
            victim = workers[place]
            for worker in workers:
                if worker is not victim:
                    worker.obeys()
            victim.dies()
            self.workers.obey()
            self.successResultOf(done)
            self.seconds(0.25)
            successor = self.workers.living[-1]
            successor.does()
            self.assertFalse(successor.isAccepting)
            self.assertEqual(len(successor.known.challenges), 1)
            self.workers.obey()
            self.assertTrue(successor.isAccepting)
            self.does(lambda: self.plane.withdraw(CHALLENGE))
            self.clock.advance(100)
            self.workers.obey()

    def test_hangs(self) -> None:
        """
        A worker that hangs holds a call up for a bounded time.
        """
        workers = self.begun()
        done = self.plane.present(CHALLENGE)
        for worker in (workers[0], workers[2], workers[0], workers[2]):
            worker.obeys()
        workers[1].isDeaf = True
        self.assertNoResult(done)
        self.seconds(8)
        self.successResultOf(done)
        self.assertFalse(workers[1].alive)
        self.assertIn("it did not answer for 5 s", self.logged("worker-died")[0]["how"])

    def test_unfitSuccessor(self) -> None:
        """
        A successor that cannot take over what is served accepts nothing, and is
        replaced.
        """
        workers = self.begun()
        workers[0].dies()
        self.seconds(0.25)
        successor = self.workers.living[-1]
        successor.refuses = lambda change: (
            Refused("the file is gone") if isinstance(change, UseTable) else None
        )
        successor.obeys()
        self.assertFalse(successor.alive or successor.known.ports)
        self.assertIn("the file is gone", self.logged("worker-died")[-1]["how"])
        self.seconds(1)
        self.workers.obey()
        self.assertTrue(self.workers.living[-1].isAccepting)

    def test_nobodyThere(self) -> None:
        """
        With no worker at all, a change waits for the next one; for a bounded time.
        What only takes away need not wait.
        """
        for worker in self.begun():
            worker.dies()
        self.workers.broken = OSError(12, "Cannot allocate memory")
        withdrawn, done = self.plane.withdraw(CHALLENGE), self.plane.install("a", credential(1))
        self.successResultOf(withdrawn)
        self.seconds(1)
        self.workers.broken = None
        self.seconds(3)
        self.workers.obey()
        self.successResultOf(done)
        for worker in self.workers.living:
            worker.dies()
        self.workers.broken = OSError(12, "Cannot allocate memory")
        done = self.plane.install("a", credential(2))
        self.seconds(6)
        why = self.failureResultOf(done, PlaneLost)
        self.assertIn("Cannot allocate memory", str(why.value))

    def test_lostInterest(self) -> None:
        """
        Whoever stops waiting for a change does not leave half of it behind, and
        what takes it back comes after it.
        """
        workers = self.begun()
        done = self.plane.present(CHALLENGE)
        done.addErrback(lambda _: None)
        done.cancel()
        withdrawn = self.plane.withdraw(CHALLENGE)
        self.workers.obey()
        self.successResultOf(withdrawn)
        self.assertEqual([worker.known.challenges for worker in workers], [{}, {}, {}])

    def test_large(self) -> None:
        """
        What is large reaches all of them, and none of its memory is left.
        """
        import os

        workers = self.begun()
        before = len(os.listdir("/proc/self/fd"))
        large = Credential(b"c" * 300_000, b"key")
        self.does(lambda: self.plane.install("a", large))
        self.assertTrue(all(worker.known.credentials == {"a": large} for worker in workers))
        workers[0].dies()
        self.seconds(0.25)
        self.workers.obey()
        self.assertEqual(self.workers.living[-1].known.credentials, {"a": large})
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class LifeTests(SupervisorCase):
    """
    Workers that come and go.
    """

    def test_killed(self) -> None:
        """
        A worker that was killed is replaced at once, and that is told once each.
        """
        workers = self.begun()
        workers[1].dies("ended by signal 9")
        self.seconds(0.25)
        self.workers.obey()
        self.assertEqual(self.plane.pids, {1: 1001, 2: 1004, 3: 1003})
        (died,) = self.logged("worker-died")
        self.assertEqual((died["worker"], died["pid"], died["when"]), (2, 1002, "now"))
        (serves,) = self.logged("worker-serves")
        self.assertEqual((serves["worker"], serves["pid"]), (2, 1004))

    def test_askedWhileAsked(self) -> None:
        """
        One that leaves while it is asked for something is not waited for.
        """
        workers = self.begun()
        done = self.plane.present(CHALLENGE)
        workers[0].leaves()
        self.workers.obey()
        self.successResultOf(done)

    def test_tally(self) -> None:
        """
        The counts of all are added, and none goes back when a worker ends; what is
        open there ends with it.
        """
        workers = self.begun()
        for worker in workers:
            worker.tallied = {"requests": 5, "open": 2}
        self.assertEqual(self.successResultOf(self.plane.tally()), {"requests": 15, "open": 6})
        workers[0].dies()
        self.assertEqual(
            self.successResultOf(self.plane.tally()), {"requests": 15, "open": 4, "worker_restarts": 1}
        )
        workers[1].hand.reports({"requests": 8, "open": 0})
        workers[1].leaves()
        workers[1].dies("ended")
        self.assertEqual(
            self.successResultOf(self.plane.tally()), {"requests": 18, "open": 2, "worker_restarts": 1}
        )

    def test_reopen(self) -> None:
        """
        All open the access log anew, and one that dies meanwhile is not waited for; the
        processes are known by their places.
        """
        workers = self.begun()
        self.assertEqual(
            self.plane.processes(), {number: worker.pid for number, worker in enumerate(workers, 1)}
        )
        workers[0].isDeaf = True
        reopened = self.plane.reopen()
        self.assertNoResult(reopened)
        workers[0].dies()
        self.successResultOf(reopened)
        self.assertEqual([worker.reopened for worker in workers], [1, 1, 1])

    def test_recent(self) -> None:
        """
        What clients asked any of the workers for, the last one of each first; of
        one that has ended nothing is told.
        """
        workers = self.begun()
        for worker, wanted in zip(workers, (("a", "b", "c"), ("c", "d"), ()), strict=True):
            worker.wanted = wanted
        self.assertEqual(self.successResultOf(self.plane.recent()), ("a", "c", "b", "d"))
        hand = workers[0].hand
        workers[0].dies()
        self.assertEqual(self.successResultOf(hand.recent()), ())
        self.assertEqual(self.successResultOf(self.plane.recent()), ("c", "d"))

    def test_tallyOfOneThatHangs(self) -> None:
        """
        One that hangs holds up the counts for a bounded time.
        """
        workers = self.begun()
        workers[0].isDeaf = True
        tally = self.plane.tally()
        self.seconds(8)
        self.successResultOf(tally)

    def test_drainWhileWaiting(self) -> None:
        """
        A change that waits for a worker does not wait for one that will never be.
        """
        for worker in self.begun():
            worker.dies()
        self.workers.broken = OSError(12, "Cannot allocate memory")
        self.seconds(1)
        done = self.plane.install("a", credential(1))
        self.successResultOf(self.plane.drain(1))
        self.failureResultOf(done, PlaneLost)
        self.failureResultOf(self.plane.present(CHALLENGE), PlaneLost)
        self.successResultOf(self.plane.withdraw(CHALLENGE))


#: What may happen next: what it is, and to whom.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("install", "present", "withdraw", "route", "adopt"),
                *("does", "does", "does", "answers", "answers", "answers"),
                *("dies", "leaves", "waits"),
            ]
        ),
        st.integers(0, 5),
    ),
    max_size=60,
)


class InterleavingTests(SynchronousTestCase):
    """
    Everything at once.
    """

    @given(STEPS)
    @examples(400)
    def test_nothingIsMissed(self, steps: list[tuple[str, int]]) -> None:
        """
        However changes, answers, deaths and successions are mixed: a worker that
        accepts has all that is done, at every moment; and when all is quiet, every
        worker knows the same, and every call is over.
        """
        story = _Mixture(self)
        for what, whom in steps:
            getattr(story, what)(whom)
            story.check()
        story.end()


class _Mixture:
    """
    A supervisor in a random life.
    """

    def __init__(self, test: SynchronousTestCase) -> None:
        self.test = test
        self.clock = Clock()
        self.workers = FakeWorkers()
        self.plane: Any = Supervisor(self.clock, 2, spawn=self.workers, patience=Patience(1000, 1000))
        starting = self.plane.start()
        self.workers.obey()
        test.successResultOf(starting)
        self.calls: dict[str, Deferred[None]] = {}
        self.done: dict[str, Any] = {}
        self.versions = 0
        self.adopt(0)
        self.workers.obey()

    def begin(self, subject: str, value: Any, deed: Callable[[], Deferred[None]]) -> None:
        """
        Ask for something, unless something about the same is under way: that is
        how those who decide behave.
        """
        if subject in self.calls:
            return
        # Until this is over, either may be found.
        self.done.pop(subject, None)
        call = self.calls[subject] = deed()

        def over(_: None) -> None:
            del self.calls[subject]
            self.done[subject] = value

        call.addCallback(over)

    def install(self, whom: int) -> None:
        self.versions += 1
        key, shown = f"key {whom % 2}", credential(self.versions)
        self.begin(f"certificate {key}", shown, lambda: self.plane.install(key, shown))

    def route(self, whom: int) -> None:
        self.versions += 1
        config = Config((), f"/{self.versions}")
        self.begin("table", config.stateDir, lambda: self.plane.useTable(config))

    def present(self, whom: int) -> None:
        challenge = HTTP01("a.test", f"{whom % 2}", "x")
        self.begin(f"challenge {whom % 2}", True, lambda: self.plane.present(challenge))

    def withdraw(self, whom: int) -> None:
        challenge = HTTP01("a.test", f"{whom % 2}", "x")
        self.begin(f"challenge {whom % 2}", False, lambda: self.plane.withdraw(challenge))

    def adopt(self, whom: int) -> None:
        self.begin(f"port {whom}", None, lambda: self.plane.adopt(HerePort(), 80 + whom))

    def one(self, whom: int) -> FakeWorker | None:
        """
        Somebody.
        """
        living = self.workers.living
        return living[whom % len(living)] if living else None

    def does(self, whom: int) -> None:
        if (worker := self.one(whom)) is not None:
            worker.does()

    def answers(self, whom: int) -> None:
        if (worker := self.one(whom)) is not None:
            worker.answers()

    def dies(self, whom: int) -> None:
        if (worker := self.one(whom)) is not None:
            worker.dies()

    def leaves(self, whom: int) -> None:
        if (worker := self.one(whom)) is not None:
            worker.leaves()

    def waits(self, whom: int) -> None:
        self.clock.advance(0.1 + whom)

    def check(self) -> None:
        """
        Who accepts has everything that is done.
        """
        for worker in self.workers.living:
            if not worker.isAccepting:
                continue
            known = worker.known
            for subject, value in self.done.items():
                kind, _, name = subject.partition(" ")
                if kind == "certificate":
                    self.test.assertEqual(known.credentials.get(name), value)
                elif kind == "table":
                    self.test.assertEqual(known.config and known.config.stateDir, value)
                elif kind == "challenge":
                    self.test.assertEqual(f"challenge token {name}" in known.challenges, value)

    def end(self) -> None:
        """
        All becomes quiet.
        """
        for _ in range(40):
            self.workers.obey()
            self.clock.advance(1)
            self.check()
        self.workers.obey()
        self.test.assertEqual(self.calls, {})
        serving = [worker for worker in self.workers.living if worker.isAccepting]
        self.test.assertEqual(len(serving), 2)
        for worker in serving:
            self.test.assertEqual(worker.known, self.plane._state)
        self.test.assertEqual(serving[0].known.ports, self.plane._state.ports)
