"""
Tests for L{smartproxy_tw.control.crew}, with workers that pretend.  What they are told is
looked at in L{tests.control.test_supervisor}, real processes in L{tests.live.test_workers}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from smartproxy_tw.config.model import Config
from smartproxy_tw.control.crew import Brief, Crew
from smartproxy_tw.control.errors import Broken, PlaneLost
from smartproxy_tw.control.hand import Patience
from smartproxy_tw.control.messages import Letter
from smartproxy_tw.control.state import Adopt, State, UseTable
from smartproxy_tw.facts import WorkerFacts

from .workers import FakeWorker, HerePort, WorkersCase

CONFIG = Config((), "/x")
PORT = HerePort()


class CrewCase(WorkersCase):
    """
    Three places.
    """

    def setUp(self) -> None:
        super().setUp()
        self.state = State()
        self.state.take(UseTable(CONFIG))
        self.state.take(Adopt(1, 80))
        self.briefs = 0
        self.crew = Crew(self.clock, 3, self.workers, Patience(answer=5, start=20), self.brief, lambda: 20.0)

    def brief(self) -> Brief:
        """
        What one that begins is told: a table, and a port.
        """
        self.briefs += 1
        whole: list[tuple[Letter, int | None]] = [(Letter(self.state.letter()), None)]
        return whole + [(Letter((each,)), PORT.fileno()) for each in self.state.adoptions()]

    def begun(self) -> list[FakeWorker]:
        """
        Workers that serve.
        """
        starting = self.crew.start()
        self.workers.obey()
        self.successResultOf(starting)
        return self.workers.living

    def pids(self) -> dict[int, int | None]:
        """
        The processes at the places.
        """
        return {number: hand.pid for number, hand in sorted(self.crew.hands.items())}


class StartTests(CrewCase):
    """
    The start.
    """

    def test_allAtOnce(self) -> None:
        """
        All workers are begun at once, and it is ready when each of them is.
        """
        starting = self.crew.start()
        self.assertEqual([worker.hand.number for worker in self.workers.all], [1, 2, 3])
        for worker in self.workers.all:
            self.assertNoResult(starting)
            worker.obeys()
        self.successResultOf(starting)
        (event,) = self.logged("workers-ready")
        self.assertEqual((event["count"], event["pids"]), (3, "1001, 1002, 1003"))
        self.assertEqual(self.pids(), {1: 1001, 2: 1002, 3: 1003})

    def test_oneFails(self) -> None:
        """
        One that cannot start does not hold up the others for long, and is tried
        again later, less and less often.
        """
        starting = self.crew.start()
        first, second, third = self.workers.all
        first.obeys()
        third.obeys()
        second.dies("ended with status 1 (no luck)")
        self.seconds(0.25)
        self.assertNoResult(starting)
        self.workers.all[-1].dies()
        self.successResultOf(starting)
        self.assertEqual(self.logged("workers-ready")[0]["count"], 2)
        begun = len(self.workers.all)
        for _ in range(200):
            self.seconds(1)
            for worker in self.workers.living[2:]:
                worker.dies()
        self.assertLess(len(self.workers.all) - begun, 15)
        died = self.logged("worker-died")
        self.assertEqual({event["worker"] for event in died}, {2})
        self.assertIn("no luck", died[0]["how"])
        self.assertEqual(died[-1]["when"], "in 30 s")

    def test_noneCanStart(self) -> None:
        """
        When none can, that is told once, with the reason, and soon.
        """
        starting = self.crew.start()
        for _ in range(3):
            for worker in self.workers.living:
                worker.dies("ended with status 1 (ModuleNotFoundError: No module named 'x')")
            self.seconds(0.25)
        why = self.failureResultOf(starting, PlaneLost)
        self.assertIn("No worker can be started: worker", str(why.value))
        self.assertIn("No module named 'x'", str(why.value))
        self.successResultOf(self.crew.end(1, 1))
        self.seconds(60)
        self.assertEqual(self.workers.living, [])

    def test_noProcesses(self) -> None:
        """
        When there can be no more processes, likewise.
        """
        self.workers.broken = OSError(11, "Resource temporarily unavailable")
        starting = self.crew.start()
        self.seconds(1)
        why = self.failureResultOf(starting, PlaneLost)
        self.assertIn("Resource temporarily unavailable", str(why.value))

    def test_neverReady(self) -> None:
        """
        One that hangs from its beginning is killed after its time.
        """
        starting = self.crew.start()
        self.seconds(60)
        self.assertIn("it did not answer for 20 s", str(self.failureResultOf(starting, PlaneLost).value))

    def test_stoppedMeanwhile(self) -> None:
        """
        Stopped before it is ready, it ends every process at once and begins none.
        """
        starting = self.crew.start()
        self.workers.all[0].obeys()
        self.workers.all[1].dies()
        drained = self.crew.end(30, 30)
        assert self.workers.all[0].draining is not None
        self.workers.all[0].draining.callback(0)
        self.successResultOf(drained)
        self.failureResultOf(starting, PlaneLost)
        self.seconds(60)
        self.assertEqual((self.workers.living, len(self.workers.all)), ([], 3))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_givenUp(self) -> None:
        """
        Whoever stops waiting for the start may still drain.
        """
        starting = self.crew.start()
        starting.cancel()
        self.failureResultOf(starting, CancelledError)
        self.workers.obey()
        drained = self.crew.end(1, 1)
        for worker in self.workers.all:
            assert worker.draining is not None
            worker.draining.callback(0)
        self.successResultOf(drained)

    def test_neverStarted(self) -> None:
        """
        What was never started has nothing to drain.
        """
        self.assertEqual(self.successResultOf(self.crew.end(1, 1)), 0)


class LifeTests(CrewCase):
    """
    Workers that come and go.
    """

    def test_brief(self) -> None:
        """
        Each is told everything that holds in the moment in which it begins.
        """
        workers = self.begun()
        self.assertEqual([worker.known for worker in workers], [self.state] * 3)
        self.state.take(Adopt(2, 443))
        workers[0].dies()
        self.seconds(0.25)
        self.workers.obey()
        self.assertEqual(self.workers.all[-1].known, self.state)
        self.assertEqual(self.briefs, 4)

    def test_unfit(self) -> None:
        """
        One that cannot take over what is served is killed, and the next one tried.
        """
        workers = self.begun()
        workers[0].dies()
        self.seconds(0.25)
        self.workers.all[-1].refuses = lambda change: Broken("no memory")
        self.workers.obey()
        self.assertIn("it cannot take over what is served", self.logged("worker-died")[-1]["how"])
        self.seconds(1)
        self.workers.obey()
        self.assertEqual(self.pids(), {1: 1005, 2: 1002, 3: 1003})

    def test_first(self) -> None:
        """
        Who serves is asked before who begins, and nobody who leaves.
        """
        self.assertIsNone(self.crew.first())
        self.crew.start()
        self.assertIs(self.crew.first(), self.workers.all[0].hand)
        self.workers.all[2].obeys()
        self.assertIs(self.crew.first(), self.workers.all[2].hand)
        self.workers.all[2].leaves()
        self.assertIs(self.crew.first(), self.workers.all[0].hand)

    def test_another(self) -> None:
        """
        Whoever waits for a worker hears of the next one that begins, or of none in time.
        """
        for worker in self.begun():
            worker.dies("ended by signal 9")
        waiting = self.crew.another()
        self.assertNoResult(waiting)
        self.seconds(0.25)
        self.successResultOf(waiting)
        for worker in self.workers.living:
            worker.dies("ended by signal 9")
        self.workers.broken = OSError(12, "Cannot allocate memory")
        waiting = self.crew.another()
        self.seconds(6)
        why = str(self.failureResultOf(waiting, PlaneLost).value)
        self.assertIn("There was no worker for 5 s: worker", why)
        self.assertIn("Cannot allocate memory", why)

    def test_past(self) -> None:
        """
        What one has counted is kept when it ends, with that it died, unless it was asked to.
        """
        workers = self.begun()
        workers[0].hand.reports({"requests": 5, "open": 2})
        workers[0].dies()
        self.assertEqual(self.crew.past, {"requests": 5, "worker_restarts": 1})
        workers[1].hand.reports({"requests": 2})
        workers[1].leaves()
        workers[1].dies("ended")
        self.assertEqual(self.crew.past, {"requests": 7, "worker_restarts": 1})

    def test_workers(self) -> None:
        """
        How it stands with each place is told in each of its states, and with those that
        are leaving.
        """

        def told() -> list[tuple[int, int | None, str]]:
            found = self.crew.facts()
            self.assertTrue(all(isinstance(each, WorkerFacts) for each in found))
            return [(each.number, each.process, each.state) for each in found]

        self.assertEqual(told(), [(number, None, "vacant") for number in (1, 2, 3)])
        workers = self.begun()
        self.assertEqual(told(), [(number, 1000 + number, "serving") for number in (1, 2, 3)])
        workers[1].dies()
        self.assertEqual(told()[1], (2, None, "vacant"))
        self.seconds(0.25)
        self.assertEqual(told()[1], (2, 1004, "starting"))
        self.workers.obey()
        workers[0].leaves()
        self.workers.obey()
        self.assertEqual(
            told(),
            [(1, 1005, "serving"), (2, 1004, "serving"), (3, 1003, "serving"), (1, 1001, "leaving")],
        )

    def test_asked(self) -> None:
        """
        A worker that was asked to end by somebody else is replaced while it still
        drains.
        """
        workers = self.begun()
        workers[0].leaves()
        self.workers.obey()
        self.assertEqual(self.pids()[1], 1004)
        self.assertTrue(workers[0].alive)
        self.seconds(23)
        self.assertTrue(workers[0].alive)
        self.seconds(5)
        self.assertFalse(workers[0].alive)
        self.assertEqual(self.logged("worker-died"), [])

    def test_drain(self) -> None:
        """
        Drained is when every process has ended; what each cut is added, one that
        dies instead is not replaced, one that leaves already is waited for.
        """
        first, second, third = self.begun()
        third.leaves()
        drained = self.crew.end(10, 10)
        self.assertFalse(self.workers.living[-1] not in (first, second, third))
        assert first.draining is not None and second.draining is not None
        first.draining.callback(4)
        second.dies()
        self.assertNoResult(drained)
        third.dies("ended")
        self.assertEqual(self.successResultOf(drained), 4)
        self.assertTrue(first.hungUp)
        self.seconds(60)
        self.assertEqual(self.workers.living, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.successResultOf(self.crew.end(1, 1)), 0)

    def test_askedWhileEnding(self) -> None:
        """
        One that somebody else asks to end while all do, before it serves, has no successor:
        nobody would end that one.
        """
        starting = self.crew.start()
        for worker in self.workers.all:
            # It takes a moment until its process has ended.
            self.patch(worker, "kill", lambda: None)
        ended = self.crew.end(1, 1)
        self.failureResultOf(starting, PlaneLost)
        for worker in self.workers.living:
            worker.leaves()
            worker.dies("ended by signal 9")
        self.assertEqual(self.successResultOf(ended), 0)
        self.assertEqual(len(self.workers.all), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_drainOfOneThatHangs(self) -> None:
        """
        One that hangs holds up the end for a bounded time.
        """
        for worker in self.begun():
            worker.isDeaf = True
        drained = self.crew.end(2, 2)
        self.seconds(15)
        self.assertEqual(self.successResultOf(drained), 0)
        self.assertEqual(self.workers.living, [])
