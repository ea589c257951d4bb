"""
Workers for the tests of their supervisor: some that only pretend, and do one thing
at a time when they are told to, and some that really carry bytes, in this process.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.duty import Duty
from smartproxy_tw.control.errors import Broken
from smartproxy_tw.control.hand import Hand
from smartproxy_tw.control.local import LocalPlane
from smartproxy_tw.control.messages import Letter, opened
from smartproxy_tw.control.packing import unpacking
from smartproxy_tw.control.processes import lineOver
from smartproxy_tw.control.state import Change, State
from smartproxy_tw.facts import Credential
from smartproxy_tw.routing.steps import finish

__all__ = ["FakeWorker", "FakeWorkers", "HerePort", "HereWorkers", "WorkersCase"]


class WorkersCase(SynchronousTestCase):
    """
    Workers that pretend, the time, and the log.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.workers = FakeWorkers()
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: dict[str, Any]) -> None:
        """
        The log.
        """
        if "event" in event:
            self.events.append(event)

    def logged(self, name: str) -> list[dict[str, Any]]:
        """
        The events of a name.
        """
        return [event for event in self.events if event["event"] == name]

    def seconds(self, count: float) -> None:
        """
        Time passes.
        """
        self.clock.pump([0.25] * int(count * 4))


class HerePort:
    """
    Something with a descriptor, which is all that a supervisor asks of a port.
    """

    def fileno(self) -> int:
        """
        Standard input: it is never read.
        """
        return 0


class FakeWorker:
    """
    Both ends of a line, and the process behind it.

    @ivar known: What it has done of what it was told.
    @ivar refuses: Whether it finds a change unusable.
    @ivar alive: Whether its process is there.
    @ivar draining: Who waits for the end of its drain.
    """

    def __init__(self, hand: Hand, pid: int) -> None:
        self.hand = hand
        self.pid: int | None = pid
        self.known = State()
        self.refuses: Callable[[Change], Exception | None] = lambda change: None
        self.alive = True
        self.isDeaf = False
        self.isUnfit = False
        self.draining: Deferred[int] | None = None
        self.hungUp = False
        self.tallied = {"requests": 0, "open": 0}
        self.wanted: tuple[str, ...] = ()
        self.reopened = 0
        self._inbox: deque[tuple[tuple[Change, ...], bool, Deferred[Any]]] = deque()
        self._outbox: deque[Callable[[], None]] = deque()
        self._asking: list[Deferred[Any]] = []
        self._isLeaving = False

    # The supervisor's side.

    def tell(self, letter: Letter, port: int | None, isWhole: bool) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        arguments = letter.arguments
        memory = os.dup(arguments["memory"]) if "memory" in arguments else None
        changes = finish(unpacking(opened(arguments.get("letter"), memory)))
        self._inbox.append((changes, isWhole, answer))
        return answer

    def drain(self, seconds: float, streams: float) -> Deferred[int]:
        self.draining = Deferred()
        return self.draining

    def tally(self) -> Deferred[dict[str, int]]:
        answer: Deferred[dict[str, int]] = Deferred()
        if self.isDeaf:
            self._asking.append(answer)
        else:
            answer.callback(dict(self.tallied))
        return answer

    def reopen(self) -> Deferred[Any]:
        self.reopened += 1
        answer: Deferred[Any] = Deferred()
        if self.isDeaf:
            self._asking.append(answer)
        else:
            answer.callback({})
        return answer

    def recent(self) -> Deferred[tuple[str, ...]]:
        answer: Deferred[tuple[str, ...]] = Deferred()
        if self.isDeaf:
            self._asking.append(answer)
        else:
            answer.callback(self.wanted)
        return answer

    def hangUp(self) -> None:
        self.hungUp = True
        self.dies("ended")

    def kill(self) -> None:
        self.dies("ended by signal 9")

    # The worker's side.

    def does(self) -> bool:
        """
        Do the next thing that it was told.
        """
        if not self._inbox or not self.alive:
            return False
        changes, isWhole, answer = self._inbox.popleft()
        why: Exception | None = None
        for change in changes:
            why = why or (Broken("unfit") if self.isUnfit else self.refuses(change))
            if why is None and not (self._isLeaving and type(change).__name__ == "Adopt"):
                self.known.take(change)
        if why is not None:
            self.isUnfit = self.isUnfit or isWhole
        failure = why
        self._outbox.append(lambda: answer.callback({}) if failure is None else answer.errback(failure))
        return True

    def answers(self) -> bool:
        """
        Have the answer to the oldest thing that it has done arrive.
        """
        if not self._outbox or not self.alive:
            return False
        self._outbox.popleft()()
        return True

    def obeys(self) -> bool:
        """
        Do and answer everything.
        """
        busy = False
        while self.does() or self.answers():
            busy = True
        return busy

    @property
    def isAccepting(self) -> bool:
        """
        Whether a connection could come here.
        """
        return self.alive and bool(self.known.ports)

    def leaves(self) -> None:
        """
        Somebody sends it SIGTERM.
        """
        if self.alive:
            self._isLeaving = True
            self.known.ports.clear()
            self.hand.leaves()

    def dies(self, how: str = "ended by signal 11") -> None:
        """
        Its process ends.
        """
        if not self.alive:
            return
        self.alive = False
        waiting = [answer for *_, answer in self._inbox] + self._asking
        self._inbox.clear()
        for answer in waiting:
            answer.errback(ConnectionDone())
        if self.draining is not None and not self.draining.called:
            self.draining.errback(ConnectionDone())
        self.hand.lost()
        self.hand.ended(how)


class FakeWorkers:
    """
    Begins them.

    @ivar all: Every one there was.
    @ivar broken: What the next ones fail with, if anything.
    """

    def __init__(self) -> None:
        self.all: list[FakeWorker] = []
        self.broken: OSError | None = None
        self.isDoomed = False
        self._pids = count(1001)

    def __call__(self, hand: Hand) -> None:
        if self.broken is not None:
            raise self.broken
        worker = FakeWorker(hand, next(self._pids))
        hand.process = worker
        hand.line = worker
        self.all.append(worker)

    @property
    def living(self) -> list[FakeWorker]:
        """
        Those that are there now.
        """
        return [worker for worker in self.all if worker.alive]

    def obey(self) -> None:
        """
        All do and answer everything.
        """
        while sum(worker.obeys() for worker in self.living):
            pass


class HerePlane(LocalPlane):
    """
    A data path of which it is known what it was given.

    @ivar installed: The keys of its certificates.
    """

    def __init__(self, world: Any, clock: Callable[[], float]) -> None:
        super().__init__(world, clock)
        self.installed: set[str] = set()

    def install(self, key: str, credential: Credential) -> Deferred[None]:
        self.installed.add(key)
        return super().install(key, credential)


class HereWorkers:
    """
    Workers with a real line and a real data path, but in this process.

    @ivar planes: Every data path there was.
    """

    def __init__(self, reactor: Any, world: Any, clock: Callable[[], float]) -> None:
        self._reactor = reactor
        self._world = world
        self._clock = clock
        self._pids = count(1)
        self.planes: list[HerePlane] = []

    def __call__(self, hand: Hand) -> None:
        ours, theirs = socket.socketpair()
        plane = HerePlane(self._world, self._clock)
        plane.start()
        self.planes.append(plane)
        with ours, theirs:
            worker = _Here(next(self._pids), hand, plane)
            duty = Duty(plane, self._reactor, worker.done)
            worker.duty = duty
            theirs.setblocking(False)
            factory = Factory.forProtocol(lambda: duty)
            self._reactor.adoptStreamConnection(theirs.fileno(), socket.AF_UNIX, factory)
            hand.process = worker
            hand.line = lineOver(self._reactor, ours, hand)


class _Here:
    """
    Stands for a process.
    """

    def __init__(self, pid: int, hand: Hand, plane: LocalPlane) -> None:
        self.pid: int | None = pid
        self._hand = hand
        self._plane = plane
        self.duty: Any = None

    def kill(self) -> None:
        if self.duty.transport is not None:
            self.duty.transport.abortConnection()
        self._plane.drain(0).addCallback(lambda _: self.done())

    def done(self) -> None:
        self._hand.ended("ended")
