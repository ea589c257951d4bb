"""
The data path in other processes: the supervisor of N workers.

It provides the whole vocabulary of L{IPlane} and has no data path of its own.  The
ports stay bound here, open and unread; each worker accepts on a duplicate of their
sockets, so what waits in the kernel waits for whichever worker is there.

How a change comes about:

  1. Changes about one subject come one after the other.
  2. One worker is asked first.  If it finds the change unusable nobody else hears of
     it, and all stays as it was; if it dies, another one is asked.
  3. In one moment the change becomes part of the L{State} and is sent to all the
     others.  A worker that begins before that moment is one of the others; one that
     begins after it is given the state.  So nobody misses it.
  4. The call is over when each of them has answered, or is gone.  The successor of
     one that is gone is given the whole state before it accepts anything.

A worker that does not answer is killed after a bounded time, and one that finds
unusable what another one uses is killed at once: both are then gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..acme.turns import Turns
from ..facts import WorkerFacts
from ..interfaces import IPlane, IWorkers
from .errors import Broken, PlaneLost, Refused, WorkerGone
from .hand import Hand, Patience
from .messages import Letter
from .packing import packing
from .post import Post, Serving, pause
from .processes import Processes
from .slices import inSlices
from .state import (
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
    adding,
    shared,
    subject,
    takesAway,
)

if TYPE_CHECKING:
    from twisted.internet.base import DelayedCall
    from twisted.internet.interfaces import IListeningPort

    from ..config.model import Checked, Config
    from ..facts import Challenge, Credential, Verdict
    from .processes import Spawn

__all__ = ["Supervisor"]

#: A start has failed when every place has seen so many die.
_TRIES = 2


@implementer(IPlane, IWorkers)
class Supervisor:
    """
    N workers that are one data path.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, workers: int, *, spawn: Spawn | None = None, patience: Patience | None = None
    ) -> None:
        """
        @param reactor: Runs processes, adopts sockets and tells the time.
        @param workers: How many, from 1.
        @param spawn: Begins one; by default, a process.
        @param patience: How long is waited for one.
        """
        self._reactor = reactor
        self._spawn = spawn or Processes(reactor)
        self._patience = patience or Patience()
        self._state = State()
        self._turns = Turns()
        self._posts = {number: Post(number) for number in range(1, workers + 1)}
        self._hands: dict[int, Hand] = {}
        self._leaving: list[Hand] = []
        self._due: dict[int, DelayedCall] = {}
        self._ticking: DelayedCall | None = None
        self._identities = count(1)
        self._ports: dict[int, IListeningPort] = {}
        self._past: dict[str, int] = {}
        self._expecting: list[Deferred[None]] = []
        self._beginning: Deferred[None] | None = None
        self._reason = ""
        self._isOver = False

    @property
    def pids(self) -> dict[int, int | None]:
        """
        The processes of the workers that are there, by the number of their place.
        """
        return {number: hand.pid for number, hand in sorted(self._hands.items())}

    def workers(self) -> tuple[WorkerFacts, ...]:
        """
        See L{IWorkers}.
        """
        there = [self._standing(post) for _, post in sorted(self._posts.items())]
        return (*there, *(WorkerFacts(hand.number, hand.pid, "leaving") for hand in self._leaving))

    def _standing(self, post: Post) -> WorkerFacts:
        hand = self._hands.get(post.number)
        if hand is None:
            return WorkerFacts(post.number, None, "vacant")
        if hand.isLeaving:
            return WorkerFacts(post.number, hand.pid, "leaving")
        return WorkerFacts(post.number, hand.pid, "serving" if hand.isSettled else "starting")

    # The vocabulary.

    def start(self) -> Deferred[None]:
        """
        See L{IPlane}.

        @return: Fires when every worker is ready, or given up for now while
            others are.  Fails with L{PlaneLost} when none can be had.
        """
        beginning = self._beginning = Deferred()
        self._ticking = self._reactor.callLater(1.0, self._tick)
        for number in self._posts:
            self._fill(number)
        return beginning

    def adopt(self, port: IListeningPort, number: int) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        identity = next(self._identities)
        self._ports[identity] = port

        def forget(failure: Failure) -> Failure:
            if identity not in self._state.ports:
                del self._ports[identity]
            return failure

        return self._change(Adopt(identity, number)).addErrback(forget)

    def release(self, port: IListeningPort) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        found = [identity for identity, each in self._ports.items() if each is port]
        released = gatherResults([self._change(Release(identity)) for identity in found])

        def forget(_: object) -> None:
            for identity in found:
                self._ports.pop(identity, None)

        return released.addCallback(forget)

    def useTable(self, config: Config) -> Deferred[None]:
        """
        See L{IPlane}.

        @return: Fails with L{ValueError} when something that a route names cannot
            be used; everything then stays as it was.
        """
        return self._change(UseTable(shared(config, len(self._posts))))

    def install(self, key: str, credential: Credential) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._change(Install(key, credential))

    def uninstall(self, key: str) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._change(Uninstall(key))

    def present(self, challenge: Challenge) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._change(Present(challenge))

    def withdraw(self, challenge: Challenge) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._change(Withdraw(challenge))

    def judge(self, checked: Checked, verdict: Verdict) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._change(Judge(checked, verdict))

    def divert(self, target: str) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._change(Divert(target))

    def restore(self, target: str) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._change(Restore(target))

    def sign(self, secret: bytes) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return self._change(Sign(secret))

    def drain(self, seconds: float, streams: float | None = None) -> Deferred[int]:
        """
        See L{IPlane}.  Fires when every process has ended; the plane is not to be
        used after this.
        """
        return Deferred.fromCoroutine(self._drain(seconds, seconds if streams is None else streams))

    def tally(self) -> Deferred[dict[str, int]]:
        """
        See L{IPlane}.  Of a worker that was killed, what it told last, which is
        some seconds old.
        """
        asked = gatherResults([hand.tally() for hand in self._everyone if hand.isSettled])
        return asked.addCallback(lambda living: inSlices(adding(living, [self._past]), self._reactor))

    def reopen(self) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return gatherResults([hand.reopen() for hand in self._everyone]).addCallback(lambda _: None)

    def processes(self) -> dict[int, int]:
        """
        See L{IPlane}.
        """
        return {number: pid for number, pid in self.pids.items() if pid is not None}

    def recent(self) -> Deferred[tuple[str, ...]]:
        """
        See L{IPlane}.  The first of each worker first.
        """
        asked = gatherResults([hand.recent() for hand in self._everyone if hand.isSettled])
        return asked.addCallback(_merged)

    # Changes.

    def _change(self, change: Change) -> Deferred[None]:
        # Whoever loses interest stops nothing but the waiting: half a change
        # would be worse than all of it.
        outcome: Deferred[None] = Deferred()
        Deferred.fromCoroutine(self._bringAbout(change)).chainDeferred(outcome)
        return outcome

    async def _bringAbout(self, change: Change) -> None:
        async with self._turns.of((subject(change),)):
            if isinstance(change, UseTable):
                packed = await inSlices(packing((change,)), self._reactor)
                change = replace(change, packed=packed)
            with Letter((change,)) as letter:
                port = self._socketFor(change)
                first = None if takesAway(change) else await self._agreedWith(letter, port)
                # From here to the first wait is one moment, see above.
                self._state.take(change)
                others = [hand for hand in self._hands.values() if hand is not first]
                await DeferredList([self._also(hand, letter, port) for hand in others])

    async def _agreedWith(self, letter: Letter, port: int | None) -> Hand:
        """
        Have one worker do it.

        @raise Refused: It cannot be done.
        """
        while True:
            hand = self._first()
            if hand is None:
                await self._another()
                continue
            try:
                await hand.tell(letter, port)
            except WorkerGone:
                continue
            return hand

    def _also(self, hand: Hand, letter: Letter, port: int | None) -> Deferred[None]:
        return Deferred.fromCoroutine(self._tellAlso(hand, letter, port))

    async def _tellAlso(self, hand: Hand, letter: Letter, port: int | None) -> None:
        try:
            await hand.tell(letter, port)
        except WorkerGone:
            return
        except (Refused, Broken) as why:
            hand.condemn(f"it could not do what others did: {why}")
            await hand.whenGone()

    def _first(self) -> Hand | None:
        """
        Who is asked first: one that serves, if there is one.
        """
        found = None
        for hand in self._hands.values():
            if hand.isLeaving:
                continue
            if hand.isSettled:
                return hand
            found = found or hand
        return found

    def _another(self) -> Deferred[None]:
        """
        Wait until there is a worker again.
        """
        waiting: Deferred[None] = Deferred()
        if self._isOver:
            waiting.errback(PlaneLost("The workers have been stopped."))
            return waiting
        self._expecting.append(waiting)
        waiting.addTimeout(self._patience.answer, self._reactor, onTimeoutCancel=self._lost)
        return waiting

    def _lost(self, value: object, seconds: float) -> None:
        raise PlaneLost(f"There was no worker for {seconds:g} s: {self._reason}")

    def _socketFor(self, change: Change) -> int | None:
        if not isinstance(change, Adopt):
            return None
        return self._ports[change.identity].fileno()  # type: ignore[attr-defined,no-any-return]

    # Places.

    @property
    def _everyone(self) -> list[Hand]:
        return [*self._hands.values(), *self._leaving]

    def _fill(self, number: int) -> None:
        """
        Begin a worker, and give it everything there is to know.
        """
        self._due.pop(number, None)
        hand = Hand(number, self, self._patience)
        self._posts[number] = self._posts[number].filled()
        try:
            self._spawn(hand)
        except OSError as why:
            self._died(number, f"could not be begun: {why}")
            return
        self._hands[number] = hand
        Deferred.fromCoroutine(self._settle(hand))
        expecting, self._expecting = self._expecting, []
        for each in expecting:
            each.callback(None)

    async def _settle(self, hand: Hand) -> None:
        # All is sent in this one moment; what changes after it is sent by who changes it.
        letters = [Letter(self._state.letter())]
        told = [hand.tell(letters[0], isWhole=True)]
        for adoption in self._state.adoptions():
            letters.append(Letter((adoption,)))
            told.append(hand.tell(letters[-1], self._socketFor(adoption)))
        outcomes = await DeferredList(told, consumeErrors=True)
        for letter in letters:
            letter.close()
        failures: list[Any] = [outcome for isDone, outcome in outcomes if not isDone]
        if not failures:
            self._settled(hand)
        elif not failures[0].check(WorkerGone):
            hand.condemn(f"it cannot take over what is served: {failures[0].getErrorMessage()}")

    def _settled(self, hand: Hand) -> None:
        if hand.isLeaving or self._hands.get(hand.number) is not hand:
            return
        hand.isSettled = True
        self._posts[hand.number] = self._posts[hand.number].settled(self._reactor.seconds())
        if self._beginning is None:
            self._log.info(
                "Worker {worker} serves again (process {pid})",
                event="worker-serves",
                worker=hand.number,
                pid=hand.pid,
            )
        self._haveBegun()

    def hasLeft(self, hand: Hand) -> None:
        """
        See L{Owner<smartproxy_tw.control.hand.Owner>}.
        """
        if self._hands.get(hand.number) is not hand:
            return
        config = self._state.config
        hand.allow(0 if config is None else config.timeouts.drain)
        del self._hands[hand.number]
        self._leaving.append(hand)
        self._log.info(
            "Worker {worker} was asked to end (process {pid}), and another takes its place",
            event="worker-leaves",
            worker=hand.number,
            pid=hand.pid,
        )
        self._posts[hand.number] = self._posts[hand.number].left()
        self._fill(hand.number)

    def hasEnded(self, hand: Hand, how: str) -> None:
        """
        See L{Owner<smartproxy_tw.control.hand.Owner>}.
        """
        self._keep(hand.counts)
        if hand in self._leaving:
            self._leaving.remove(hand)
        elif self._hands.get(hand.number) is hand:
            del self._hands[hand.number]
            if not self._isOver:
                self._died(hand.number, how, hand.pid)

    def _keep(self, counts: dict[str, int]) -> None:
        """
        Of one that has ended: they are not to go back.
        """
        self._past = added((), [self._past, counts])

    def _died(self, number: int, how: str, pid: int | None = None) -> None:
        post = self._posts[number] = self._posts[number].died(self._reactor.seconds())
        self._keep({"worker_restarts": 1})
        seconds = pause(post.state.failures)
        self._reason = f"worker {number} {how}"
        self._log.warn(
            "Worker {worker} (process {pid}) {how}; another takes its place {when}",
            event="worker-died",
            worker=number,
            pid=pid,
            how=how,
            when=f"in {seconds:g} s" if seconds else "now",
        )
        self._due[number] = self._reactor.callLater(seconds, self._fill, number)
        self._haveBegun()

    def _haveBegun(self) -> None:
        """
        See whether the start is over.
        """
        if self._beginning is None:
            return
        states = [post.state for post in self._posts.values()]
        serving = sum(isinstance(state, Serving) for state in states)
        hopeless = sum(not isinstance(state, Serving) and state.failures >= _TRIES for state in states)
        if serving + hopeless < len(states):
            return
        beginning, self._beginning = self._beginning, None
        if serving:
            self._log.info(
                "{count} workers serve (processes {pids})",
                event="workers-ready",
                count=serving,
                pids=", ".join(str(hand.pid) for hand in self._hands.values() if hand.isSettled),
            )
            beginning.callback(None)
        else:
            beginning.errback(PlaneLost(f"No worker can be started: {self._reason}."))

    def _tick(self) -> None:
        self._ticking = self._reactor.callLater(1.0, self._tick)
        for hand in self._everyone:
            hand.tick()

    # The end.

    async def _drain(self, seconds: float, streams: float) -> int:
        if self._ticking is None or self._isOver:
            return 0
        self._isOver = True
        for call in self._due.values():
            call.cancel()
        self._due = {}
        if self._beginning is not None:
            beginning, self._beginning = self._beginning, None
            beginning.errback(PlaneLost("The workers have been stopped."))
        expecting, self._expecting = self._expecting, []
        for each in expecting:
            each.errback(PlaneLost("The workers have been stopped."))
        cut = await self._finished(seconds, streams)
        self._ticking.cancel()
        return cut

    async def _finished(self, seconds: float, streams: float) -> int:
        serving = [hand for hand in self._hands.values() if hand.isSettled]
        for hand in list(self._hands.values()):
            if not hand.isSettled:
                # It has nothing to finish.
                hand.condemn("it was not needed any more")
        cut = await gatherResults([hand.drain(seconds, streams) for hand in serving])
        for hand in serving:
            hand.hangUp()
        await DeferredList([hand.whenGone() for hand in self._everyone])
        return sum(cut)


def _merged(told: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    places: dict[str, int] = {}
    for keys in told:
        for place, key in enumerate(keys):
            places[key] = min(place, places.get(key, place))
    return tuple(sorted(places, key=places.__getitem__))
