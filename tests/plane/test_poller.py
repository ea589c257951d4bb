"""
One epoll for all sockets, inside of any reactor.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from itertools import pairwise
from select import EPOLLET, EPOLLIN
from threading import Timer
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.census import DELAYS
from smartproxy_tw.plane.poller import ARRIVALS, BROKEN, ENDED, READABLE, WRITABLE, Poller

from .harness import descriptors


class Readers(Clock):
    """
    A clock that also keeps readers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        """Keep it."""
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        """Let it go."""
        self.readers.remove(reader)


class Mortal:
    """
    Something that dies at a time.
    """

    def __init__(self, deadline: float, deed: Callable[[], None] = lambda: None) -> None:
        self.deadline = deadline
        self.deaths = 0
        self._deed = deed
        self.crashes = 0

    def expire(self) -> None:
        """Die."""
        self.deaths += 1
        self._deed()

    def crash(self) -> None:
        """Be found out."""
        self.crashes += 1


class PollerTests(SynchronousTestCase):
    """
    L{Poller}.
    """

    def setUp(self) -> None:
        """A poller that has started, and a pair of sockets."""
        self.reactor: Any = Readers()
        self.poller = Poller(self.reactor)
        self.poller.start()
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.events: list[int] = []

    def tearDown(self) -> None:
        """Nothing is left."""
        self.near.close()
        self.far.close()
        self.poller.stop()
        self.assertEqual(self.reactor.readers, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def watches(self) -> None:
        """
        Keep the events of one of the sockets.
        """
        self.poller.add(self.near.fileno(), self.events.append)
        self.polls()

    def polls(self) -> list[int]:
        """
        The events since the last time.
        """
        self.events.clear()
        self.poller.doRead()
        return list(self.events)

    def test_edges(self) -> None:
        """
        An event comes once, until there is something new.
        """
        self.watches()
        self.assertEqual(self.polls(), [])
        self.far.send(b"x")
        [event] = self.polls()
        self.assertTrue(event & READABLE and event & WRITABLE and not event & ENDED)
        self.assertEqual(self.polls(), [])
        self.far.send(b"y")
        self.assertEqual(len(self.polls()), 1)
        self.far.shutdown(socket.SHUT_WR)
        [event] = self.polls()
        self.assertTrue(event & ENDED and not event & BROKEN)
        self.far.close()
        [event] = self.polls()
        self.assertTrue(event & BROKEN)

    def test_arrivals(self) -> None:
        """
        Of one that is registered for what arrives nothing else is heard, until more is asked for.
        """
        self.poller.add(self.near.fileno(), self.events.append, ARRIVALS)
        self.assertEqual(self.polls(), [])
        self.far.send(b"x")
        self.assertEqual(self.polls(), [EPOLLIN])
        self.near.recv(1)
        self.poller.widen(self.near.fileno())
        self.assertEqual(self.polls(), [WRITABLE])
        self.assertEqual(self.polls(), [])
        self.far.shutdown(socket.SHUT_WR)
        [event] = self.polls()
        self.assertTrue(event & ENDED)

    def test_handedOver(self) -> None:
        """
        Another handler in its place gets what comes next.
        """
        self.watches()
        other: list[int] = []
        self.poller.handlers[self.near.fileno()] = other.append
        self.far.send(b"x")
        self.assertEqual(self.polls(), [])
        self.assertEqual(len(other), 1)

    def test_hushed(self) -> None:
        """
        What is hushed is not heard, but for its end; heeded again, it is heard
        at once.
        """
        self.watches()
        self.polls()
        self.poller.hush(self.near.fileno())
        self.far.send(b"x")
        self.assertFalse([event for event in self.polls() if event & EPOLLIN])
        self.far.shutdown(socket.SHUT_WR)
        self.assertTrue([event for event in self.polls() if event & ENDED])
        self.poller.heed(self.near.fileno())
        self.assertTrue([event for event in self.polls() if event & EPOLLIN])

    def test_linger(self) -> None:
        """
        With patience a batch waits for the next event, for so long and no
        longer; without, the reactor has its turn.
        """
        for linger, heard in ((0.0, 1), (0.5, 2)):
            poller = Poller(self.reactor, linger)
            self.addCleanup(poller.stop)
            poller.start()
            near, far = socket.socketpair()
            for each in (near, far):
                each.setblocking(False)
                self.addCleanup(each.close)
            events: list[int] = []
            poller.add(near.fileno(), events.append)
            sending = Timer(0.05, far.send, (b"x",))
            sending.start()
            poller.doRead()
            sending.join()
            self.assertEqual(len(events), heard)

    def test_noLinger(self) -> None:
        """
        Nobody who asked to be called later waits for what may come next.
        """
        poller = Poller(self.reactor, 20.0)
        self.addCleanup(poller.stop)
        poller.start()
        poller.add(self.near.fileno(), lambda event: poller.later(lambda: None))
        began = time.monotonic()
        poller.doRead()
        self.assertLess(time.monotonic() - began, 10.0)

    def test_beckoned(self) -> None:
        """
        Nor does a thread that wakes up the reactor.
        """
        near, far = socket.socketpair()
        for each in (near, far):
            self.addCleanup(each.close)
        self.reactor.waker = near
        poller = Poller(self.reactor, 20.0)
        self.addCleanup(poller.stop)
        poller.start()
        for _ in range(2):
            sending = Timer(0.05, far.send, (b"x",))
            sending.start()
            began = time.monotonic()
            poller.doRead()
            self.assertLess(time.monotonic() - began, 10.0)
            sending.join()
            near.recv(1)

    def oneByOne(self, poller: Poller, many: int) -> int:
        """
        Each of a hundred events makes the next one, and takes a bit less than a millisecond.

        @param many: How many come at a time.
        @return: How many were heard before the reactor had its turn.
        """
        self.addCleanup(poller.stop)
        poller.start()
        heard = []
        pairs = [socket.socketpair() for _ in range(many)]
        for near, far in pairs:
            self.addCleanup(near.close)
            self.addCleanup(far.close)

            def hears(event: int, near: socket.socket = near, far: socket.socket = far) -> None:
                near.recv(1)
                heard.append(event)
                self.reactor.advance(0.0009 / many)
                if len(heard) < 100:
                    far.send(b"x")

            poller.add(near.fileno(), hears, ARRIVALS)
            far.send(b"x")
        poller.doRead()
        return len(heard)

    def test_dwells(self) -> None:
        """
        The reactor waits twice as long for its turn where what is left of the time is spent waiting for
        events that come one by one.
        """
        self.assertEqual(self.oneByOne(Poller(self.reactor, 0.2), 1), 13)
        self.assertEqual(self.oneByOne(Poller(self.reactor), 1), 7)
        self.assertEqual(self.oneByOne(Poller(self.reactor, 0.2), 5), 35)

    def test_dwellsUntil(self) -> None:
        """
        It has its turn when somebody has asked to be called.
        """
        poller = Poller(self.reactor, 0.2)
        poller.soon(0.003, lambda: None)
        self.assertEqual(self.oneByOne(poller, 1), 5)
        self.reactor.advance(0.1)
        self.assertEqual(poller._soonest, float("inf"))

    def test_forgotten(self) -> None:
        """
        One that is forgotten, or removed, gets nothing more.
        """
        self.watches()
        self.poller.forget(self.near.fileno())
        self.far.send(b"x")
        self.assertEqual(self.polls(), [])
        self.poller.handlers[self.near.fileno()] = self.events.append
        self.poller.remove(self.near.fileno())
        self.poller.remove(self.near.fileno())
        self.far.send(b"x")
        self.assertEqual(self.polls(), [])
        self.watches()
        self.far.send(b"x")
        self.assertEqual(len(self.polls()), 1)

    def test_numberUsedAgain(self) -> None:
        """
        An event for a descriptor that was closed within the same batch does not
        reach the one that has its number now.
        """
        pairs = [socket.socketpair() for _ in range(2)]
        heard: list[str] = []

        def closesTheOther(which: int) -> Callable[[int], None]:
            def handler(event: int) -> None:
                heard.append(f"first {which}")
                other = pairs[1 - which][0]
                number = other.fileno()
                self.poller.forget(number)
                other.close()
                fresh = socket.socketpair()
                self.addCleanup(fresh[0].close)
                self.addCleanup(fresh[1].close)
                assert fresh[0].fileno() == number
                self.poller.add(number, lambda event: heard.append("fresh"))

            return handler

        for near, far in pairs:
            self.addCleanup(near.close)
            self.addCleanup(far.close)
            self.poller.add(near.fileno(), lambda event: None)
        self.poller.doRead()
        for index, (near, far) in enumerate(pairs):
            self.poller.handlers[near.fileno()] = closesTheOther(index)
            far.send(b"x")
        events = self.poller._epoll.poll(0)
        self.assertEqual(len(events), 2)
        for _, far in pairs:
            far.send(b"y")
        self.poller.doRead()
        # Its own first event, that it can be written to, comes in a later batch.
        self.assertEqual(len([word for word in heard if word.startswith("first")]), 1)

    def test_bug(self) -> None:
        """
        An exception is logged and crashes its owner; the others get their
        events.  The same one is counted from then on.
        """

        class Owner(Mortal):
            def ready(self, event: int) -> None:
                raise ZeroDivisionError

        owner = Owner(0.0)
        other, peer = socket.socketpair()
        self.addCleanup(other.close)
        self.addCleanup(peer.close)
        self.poller.add(other.fileno(), owner.ready)
        self.watches()
        self.assertEqual(owner.crashes, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.far.send(b"x")
        peer.send(b"x")
        self.assertEqual(len(self.polls()), 1)
        self.assertEqual(owner.crashes, 2)
        self.assertEqual(self.flushLoggedErrors(ZeroDivisionError), [])
        told: list[str | None] = []

        def see(logged: dict[str, Any]) -> None:
            told.append(formatEvent(logged))

        globalLogPublisher.addObserver(see)
        self.addCleanup(globalLogPublisher.removeObserver, see)
        self.reactor.advance(61.0)
        [line] = told
        self.assertRegex(line or "", "^1 more, the last one: A connection ended by a bug in .*ready: Zero")

    def test_soon(self) -> None:
        """
        What is to be called soon is called once; who stops has nobody called any more, and
        leaves the reactor nothing to wait for.
        """
        called: list[str] = []
        self.poller.soon(0.002, lambda: called.append("first"))
        self.reactor.advance(0.002)
        self.poller.soon(0.002, lambda: called.append("too late"))
        self.poller.stop()
        self.poller.soon(0.002, lambda: called.append("later still"))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reactor.advance(0.01)
        self.assertEqual(called, ["first"])
        self.poller = Poller(self.reactor)
        self.poller.start()

    def test_share(self) -> None:
        """
        However much there is to do, the rest of the reactor has its turn soon;
        nothing that was ready is forgotten.
        """
        self.reactor.advance(1.0)
        done: list[int] = []
        pairs = [socket.socketpair() for _ in range(400)]
        for near, far in pairs:
            self.addCleanup(near.close)
            self.addCleanup(far.close)
            far.send(b"x")

            def work(event: int, near: socket.socket = near) -> None:
                near.recv(1)
                done.append(near.fileno())
                self.reactor.advance(0.0005)

            self.poller.add(near.fileno(), work, READABLE | EPOLLET)
        turns = 0
        while len(done) < len(pairs):
            before, began = len(done), self.reactor.seconds()
            self.poller.doRead()
            turns += 1
            self.assertGreater(len(done), before)
            self.assertLess(self.reactor.seconds() - began, 0.04)
        self.assertEqual(sorted(done), sorted(near.fileno() for near, _ in pairs))
        self.assertGreater(turns, 3)

    def ready(self, count: int, work: Callable[[int], None]) -> list[socket.socket]:
        """
        So many sockets with something to read.

        @param work: Called with the number of each whose turn it is.
        """
        near = []
        for number in range(count):
            here, there = socket.socketpair()
            self.addCleanup(here.close)
            self.addCleanup(there.close)
            there.send(b"x")
            self.poller.add(here.fileno(), lambda event, number=number: work(number), READABLE | EPOLLET)  # type: ignore[misc]
            near.append(here)
        return near

    def test_behind(self) -> None:
        """
        Where more is ready than there is time for, that is known until a turn had time for everything;
        what is put off to the end of a batch waits for no more than that turn.
        """
        self.reactor.advance(1.0)
        done: list[int] = []
        said: list[int] = []

        def work(number: int) -> None:
            done.append(number)
            self.poller.last(lambda: said.append(number))
            self.reactor.rightNow += 0.002

        self.ready(40, work)
        before = 0
        while len(done) < 40:
            self.poller.doRead()
            self.assertGreater(len(done), before)
            self.assertLessEqual(len(done) - before, 16)
            self.assertEqual(said, done)
            before = len(done)
            self.assertEqual(self.poller.isBehind, before < 40)
        self.poller.doRead()
        self.assertFalse(self.poller.isBehind)

    def test_together(self) -> None:
        """
        What is put off to the end of a batch waits for the batches that are ready behind it.
        """
        heard: list[str] = []

        def work(number: int) -> None:
            heard.append("event")
            self.poller.last(lambda: heard.append("end"))

        self.ready(40, work)
        self.poller.doRead()
        self.assertEqual(heard, 40 * ["event"] + 40 * ["end"])

    def test_stoppedWithinABatch(self) -> None:
        """
        Who stops has nobody called any more, who had nothing ready yet.
        """
        done: list[int] = []

        def work(number: int) -> None:
            done.append(number)
            if number == 3:
                self.poller.stop()

        self.ready(40, work)
        self.poller.whenIdle(lambda: done.append(99))
        self.poller.doRead()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reactor.advance(1)
        self.assertEqual(done, list(range(16)))
        self.poller = Poller(self.reactor)
        self.poller.start()

    def test_stoppedByWhatWasPostponed(self) -> None:
        """
        Likewise where it is a postponed call that stops it, while others wait for a quiet moment.
        """
        done: list[str] = []
        self.poller.later(self.poller.stop)
        self.poller.whenIdle(lambda: done.append("idle"))
        self.reactor.advance(0)
        self.assertEqual((done, self.reactor.getDelayedCalls()), ([], []))
        self.poller = Poller(self.reactor)
        self.poller.start()

    def test_manyPostponed(self) -> None:
        """
        However much is postponed, the rest of the reactor has its turn soon; the order stays.
        """
        done: list[int] = []

        def work(number: int) -> None:
            done.append(number)
            self.reactor.rightNow += 0.002

        for number in range(20):
            self.poller.later(lambda number=number: work(number))  # type: ignore[misc]
        turns = []
        # A Clock has all calls that are due in one go; the turns are seen by what comes between.
        self.reactor.callLater(0, lambda: turns.append(len(done)))
        self.reactor.advance(0)
        self.assertEqual(done, list(range(20)))
        self.assertLess(turns[0], 5)

    def test_whenIdle(self) -> None:
        """
        Who waits for a quiet moment has it when no event is ready any more, one after the other, and is
        overtaken by those that come meanwhile.
        """
        heard: list[str] = []
        other, far = socket.socketpair()
        self.addCleanup(other.close)
        self.addCleanup(far.close)
        self.poller.add(other.fileno(), lambda event: heard.append("event"), READABLE | EPOLLET)

        def first() -> None:
            heard.append("first")
            far.send(b"x")

        far.send(b"x")
        self.poller.whenIdle(first)
        self.poller.whenIdle(lambda: heard.append("second"))
        self.reactor.advance(0)
        self.assertEqual(heard, ["event", "first", "event", "second"])
        self.assertFalse(self.poller.isBehind)

    def test_neverIdle(self) -> None:
        """
        While events never end, it has a share all the same; and a bug of one of those is its own.
        """
        self.reactor.advance(1.0)
        waited: list[int] = []

        def bug() -> None:
            self.reactor.rightNow += 0.002
            raise ZeroDivisionError

        def work(number: int) -> None:
            self.reactor.rightNow += 0.003

        self.poller.whenIdle(bug)
        self.poller.whenIdle(lambda: waited.append(1))
        turns = 0
        while not waited:
            self.ready(16, work)
            self.poller.doRead()
            self.assertTrue(self.poller.isBehind)
            self.reactor.advance(0)
            turns += 1
            self.assertLess(turns, 4)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_hardlyIdle(self) -> None:
        """
        That is so as well while there are few events at a time, but always some: every turn has time for all
        of them, and no moment is quiet.
        """
        self.reactor.advance(1.0)
        waited: list[int] = []

        def work(event: int) -> None:
            self.reactor.rightNow += 0.0005
            self.near.recv(1)
            self.far.send(b"x")

        self.poller.add(self.near.fileno(), work, READABLE | EPOLLET)
        self.far.send(b"x")
        self.poller.whenIdle(lambda: waited.append(1))
        self.poller.whenIdle(lambda: waited.append(2))
        turns = 0
        while len(waited) < 2:
            self.poller.doRead()
            self.assertFalse(self.poller.isBehind)
            self.reactor.advance(0)
            turns += 1
            self.assertLess(turns, 4)
        self.assertEqual(waited, [1, 2])

    def test_later(self) -> None:
        """
        What is postponed comes in the next turn, in order, each guarded from
        the others; what is postponed then comes in the turn after.
        """
        heard = []

        def again() -> None:
            heard.append("again")
            self.poller.later(lambda: heard.append("next turn"))

        def bug() -> None:
            raise ZeroDivisionError

        for call in (lambda: heard.append("one"), bug, again):
            self.poller.later(call)
        self.poller.later(lambda: heard.append("last"))
        self.assertEqual(heard, [])
        self.reactor.advance(0)
        self.assertEqual(heard, ["one", "again", "last", "next turn"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_last(self) -> None:
        """
        What is put off to the end of a batch comes when all of its events had their turn, what is put
        off then comes right behind it, each guarded from the others.
        """
        heard: list[str] = []

        def bug() -> None:
            raise ZeroDivisionError

        def end() -> None:
            heard.append("end")
            self.poller.last(lambda: heard.append("end of the end"))

        def event(mask: int) -> None:
            heard.append("event")
            self.poller.last(bug)
            self.poller.last(end)

        other, far = socket.socketpair()
        self.addCleanup(other.close)
        self.addCleanup(far.close)
        self.poller.add(self.near.fileno(), event)
        self.poller.add(other.fileno(), event)
        self.poller.doRead()
        self.assertEqual(heard, ["event", "event", "end", "end", "end of the end", "end of the end"])
        # The second one is the same.
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_lastOfNone(self) -> None:
        """
        Outside of a batch it comes in the next turn.
        """
        heard: list[str] = []
        self.poller.last(lambda: heard.append("one"))
        self.poller.last(lambda: heard.append("two"))
        self.assertEqual(heard, [])
        self.reactor.advance(0)
        self.assertEqual(heard, ["one", "two"])

    def test_delays(self) -> None:
        """
        How much later than it should have it had its turn is counted.
        """
        for seconds, late in ((0.25, 0.0), (0.25 + 2**-8, 2**-8), (9.0, 8.75)):
            self.reactor.advance(seconds)
            which = 0 if not late else 2 if late < 1 else len(DELAYS)
            self.assertEqual(self.poller.delays[which], 1, seconds)
        self.assertEqual(sum(self.poller.delays), 3)
        self.assertEqual(self.poller.delayed, 8.75 + 2**-8)

    def test_deadlines(self) -> None:
        """
        Deadlines are looked at four times a second; who moved his own lives on.
        """
        early, late, moved = Mortal(1.0), Mortal(2.0), Mortal(1.0)
        for each in (early, late, moved):
            self.poller.mortals[each] = None
        self.reactor.pump([0.25] * 3)
        moved.deadline = 5.0
        self.assertEqual((early.deaths, late.deaths, moved.deaths), (0, 0, 0))
        self.reactor.advance(0.25)
        self.assertEqual((early.deaths, late.deaths, moved.deaths), (1, 0, 0))

    def test_deathOfAnother(self) -> None:
        """
        One that takes another along does not have it die twice.
        """
        second = Mortal(1.0)
        first = Mortal(1.0, lambda: self.poller.mortals.pop(second, None) and None)
        for each in (first, second):
            self.poller.mortals[each] = None
        self.reactor.pump([0.25] * 4)
        self.assertEqual((first.deaths, second.deaths), (1, 0))

    def test_bugInDeath(self) -> None:
        """
        A bug in one's death is its own.
        """

        def bug() -> None:
            raise ZeroDivisionError

        first, second = Mortal(1.0, bug), Mortal(1.0)
        for each in (first, second):
            self.poller.mortals[each] = None
        self.reactor.pump([0.25] * 4)
        self.assertEqual((first.crashes, second.deaths), (1, 1))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_manyDeaths(self) -> None:
        """
        When many deadlines pass at once, they are not seen to at once; each is once.
        """

        def deed() -> None:
            self.reactor.rightNow += 0.002

        mortals = [Mortal(1.0, deed) for _ in range(500)]
        for each in mortals:
            self.poller.mortals[each] = None
        said: list[float] = []
        self.poller.after(1.0, lambda: said.append(self.reactor.seconds()))
        seen: list[int] = []

        def look() -> None:
            seen.append(sum(each.deaths for each in mortals))
            self.reactor.callLater(0.001, look)

        look()
        for each in mortals:
            each.expire = lambda each=each: (Mortal.expire(each), setattr(each, "deadline", 9.0))  # type: ignore[method-assign,misc]
        self.reactor.advance(1.0)
        self.reactor.pump([0.25] * 4)
        self.assertEqual({each.deaths for each in mortals}, {1})
        self.assertLess(max(after - before for before, after in pairwise(seen)), 10)
        self.assertEqual(len(said), 1)
        for call in self.reactor.getDelayedCalls():
            if call is not self.poller._tick:
                call.cancel()

    def test_after(self) -> None:
        """
        Timers come in the order of their times.
        """
        heard: list[str] = []
        for seconds, word in ((2.0, "two"), (1.0, "one"), (1.0, "also one")):
            self.poller.after(seconds, lambda word=word: heard.append(word))  # type: ignore[misc]
        self.reactor.pump([0.25] * 5)
        self.assertEqual(heard, ["one", "also one"])
        self.reactor.pump([0.25] * 4)
        self.assertEqual(heard, ["one", "also one", "two"])

    def test_leavesNothing(self) -> None:
        """
        Stopping closes the epoll, also in the midst of everything.
        """
        before = descriptors()
        poller = Poller(self.reactor)
        poller.start()
        poller.later(lambda: None)
        poller.after(1, lambda: None)
        poller.stop()
        self.assertEqual(poller.fileno(), -1)
        self.assertEqual(descriptors(), before)
