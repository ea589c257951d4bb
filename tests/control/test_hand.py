"""
Tests for L{smartproxy_tw.control.hand}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.errors import Broken, Refused, WorkerGone
from smartproxy_tw.control.hand import Hand, Patience
from smartproxy_tw.control.messages import Letter

from .workers import FakeWorker, FakeWorkers


class HandTests(SynchronousTestCase):
    """
    One worker, as its supervisor has it.
    """

    def setUp(self) -> None:
        self.ends: list[str] = []
        self.left: list[Hand] = []
        self.hand = Hand(1, self, Patience(answer=4, start=9))
        workers = FakeWorkers()
        workers(self.hand)
        self.worker: FakeWorker = workers.all[0]
        self.letter = Letter(())
        self.addCleanup(self.letter.close)

    def hasLeft(self, hand: Hand) -> None:
        self.left.append(hand)

    def hasEnded(self, hand: Hand, how: str) -> None:
        self.ends.append(how)

    def tell(self) -> Deferred[None]:
        """
        Ask for something.
        """
        return self.hand.tell(self.letter)

    def ticks(self, count: int) -> None:
        """
        Time passes.
        """
        for _ in range(count):
            self.hand.tick()

    def test_done(self) -> None:
        """
        What is done is answered.
        """
        told = self.tell()
        self.assertNoResult(told)
        self.worker.obeys()
        self.successResultOf(told)

    def test_refused(self) -> None:
        """
        What cannot be done is answered with the reason, and the worker goes on.
        """
        for why in (Refused("no such file"), Broken("KeyError")):
            self.worker.refuses = lambda change, why=why: why  # type: ignore[misc]
            with Letter((1,)) as letter:  # type: ignore[arg-type]
                told = self.hand.tell(letter)
                self.worker.obeys()
                self.assertIs(self.failureResultOf(told).value, why)
        self.assertEqual(self.ends, [])

    def test_gone(self) -> None:
        """
        Who dies while being asked is gone, and nothing can be asked any more.
        """
        told = self.tell()
        watching = self.hand.whenGone()
        self.worker.dies()
        self.failureResultOf(told, WorkerGone)
        self.successResultOf(watching)
        self.failureResultOf(self.tell(), WorkerGone)
        self.successResultOf(self.hand.whenGone())
        self.assertEqual(self.ends, ["ended by signal 11"])

    def test_lineBeforeProcess(self) -> None:
        """
        A line that is lost does not say that the process is: until it has ended
        it may accept.  One that does not end is killed.
        """
        told = self.tell()
        self.hand.lost()
        self.assertNoResult(told)
        self.ticks(1)
        self.assertNoResult(told)
        self.ticks(1)
        self.failureResultOf(told, WorkerGone)
        self.assertEqual(self.ends, ["ended by signal 9: its line was lost"])

    def test_silence(self) -> None:
        """
        Who does not answer is killed after its time, not before.
        """
        self.hand.isSettled = True
        told = self.tell()
        self.ticks(4)
        self.assertNoResult(told)
        self.ticks(1)
        self.failureResultOf(told, WorkerGone)
        self.assertEqual(self.ends, ["ended by signal 9: it did not answer for 4 s"])

    def test_slowStart(self) -> None:
        """
        The first answer may take longer: there is much to import.
        """
        told = self.tell()
        self.ticks(9)
        self.assertNoResult(told)
        self.ticks(1)
        self.failureResultOf(told, WorkerGone)

    def test_everyAnswerCounts(self) -> None:
        """
        Who has much to do and does it, one thing after the other, is not silent.
        """
        self.hand.isSettled = True
        told = [self.tell() for _ in range(20)]
        for each in told:
            self.ticks(3)
            self.worker.does()
            self.worker.answers()
            self.successResultOf(each)
        self.assertEqual(self.ends, [])

    def test_pulse(self) -> None:
        """
        An idle worker that hangs is found too, and the counts of one that does
        not are known.
        """
        self.hand.isSettled = True
        self.worker.tallied = {"requests": 7}
        self.ticks(5)
        self.assertEqual(self.hand.counts, {"requests": 7})
        self.worker.isDeaf = True
        self.ticks(20)
        self.assertEqual(self.ends, ["ended by signal 9: it did not answer for 4 s"])

    def test_leaving(self) -> None:
        """
        Who leaves concerns nobody who waits, and ends in its time.
        """
        told = self.tell()
        self.worker.leaves()
        self.failureResultOf(told, WorkerGone)
        self.assertEqual(self.left, [self.hand])
        self.worker.obeys()
        self.hand.allow(10)
        self.hand.lost()
        self.ticks(14)
        self.assertEqual(self.ends, [])
        self.ticks(1)
        self.assertEqual(self.ends, ["ended by signal 9: it did not end in time"])

    def test_drain(self) -> None:
        """
        A drain has the time that it was given, and a little more; what was cut is
        told.
        """
        drained = self.hand.drain(20, 30)
        self.ticks(34)
        self.assertNoResult(drained)
        assert self.worker.draining is not None
        self.worker.draining.callback(3)
        self.assertEqual(self.successResultOf(drained), 3)

    def test_drainNeverEnds(self) -> None:
        """
        A drain that does not end is ended.
        """
        drained = self.hand.drain(30, 20)
        self.ticks(35)
        self.assertEqual(self.successResultOf(drained), 0)
        self.assertEqual(self.ends, ["ended by signal 9: it did not end in time"])

    def test_hangsInDrain(self) -> None:
        """
        Who hangs while it drains is found sooner than that.
        """
        self.hand.isSettled = True
        drained = self.hand.drain(3600, 3600)
        self.worker.isDeaf = True
        self.ticks(12)
        self.assertEqual(self.successResultOf(drained), 0)

    def test_lostInterest(self) -> None:
        """
        Whoever stops waiting disturbs nobody.
        """
        told = self.tell()
        told.addErrback(lambda _: None)
        told.cancel()
        self.worker.obeys()
        self.worker.dies()

    def test_lastCounts(self) -> None:
        """
        The counts that it told last outlive it.
        """
        self.hand.reports({"requests": 9})
        self.worker.dies()
        self.assertEqual(self.successResultOf(self.hand.tally()), {"requests": 9})

    def test_diedOfItself(self) -> None:
        """
        The first reason to kill it is the one that is told.
        """
        self.hand.condemn("first")
        self.hand.condemn("second")
        self.assertEqual(self.ends, ["ended by signal 9: first"])
