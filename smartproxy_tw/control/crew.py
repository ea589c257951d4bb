"""
The workers that are there: one at each place, those that others take the place of and
that end by themselves, and what the ones that are gone have counted.

A place is filled anew whenever nobody is there, see L{smartproxy_tw.control.post}, until
L{Crew.end}.  What a worker is told before it serves is for somebody else to say: it is asked
for in the moment in which the worker is begun.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.logger import Logger

from ..facts import WorkerFacts
from .errors import PlaneLost, WorkerGone
from .hand import Hand, Patience
from .messages import Letter
from .post import Post, Serving, pause
from .state import added

if TYPE_CHECKING:
    from twisted.internet.base import DelayedCall

    from .processes import Spawn

__all__ = ["Brief", "Crew"]

#: A start has failed when every place has seen so many die.
_TRIES = 2

#: What a worker is told first: letters, the first one with everything but the ports, and the
#: descriptor that goes with each.
Brief = Sequence[tuple[Letter, int | None]]


class Crew:
    """
    N places, and who is there.

    @ivar hands: Who is at a place, by its number.
    @ivar past: What those have counted that have ended, and how often one died.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        workers: int,
        spawn: Spawn,
        patience: Patience,
        brief: Callable[[], Brief],
        drain: Callable[[], float],
    ) -> None:
        """
        @param reactor: Tells the time.
        @param workers: How many, from 1.
        @param spawn: Begins one.
        @param patience: How long is waited for one.
        @param brief: What one is told that begins now.
        @param drain: For how many seconds one may take to end.
        """
        self._reactor = reactor
        self._spawn = spawn
        self._patience = patience
        self._brief = brief
        self._drain = drain
        self._posts = {number: Post(number) for number in range(1, workers + 1)}
        self.hands: dict[int, Hand] = {}
        self._leaving: list[Hand] = []
        self._due: dict[int, DelayedCall] = {}
        self._ticking: DelayedCall | None = None
        self.past: dict[str, int] = {}
        self._expecting: list[Deferred[None]] = []
        self._beginning: Deferred[None] | None = None
        self._reason = ""
        self._isOver = False

    @property
    def size(self) -> int:
        """
        How many places there are.
        """
        return len(self._posts)

    @property
    def everyone(self) -> list[Hand]:
        """
        All whose processes there are.
        """
        return [*self.hands.values(), *self._leaving]

    def facts(self) -> tuple[WorkerFacts, ...]:
        """
        Who is at each place, and then who is leaving.
        """
        there = [self._standing(post) for _, post in sorted(self._posts.items())]
        return (*there, *(WorkerFacts(hand.number, hand.pid, "leaving") for hand in self._leaving))

    def _standing(self, post: Post) -> WorkerFacts:
        hand = self.hands.get(post.number)
        if hand is None:
            return WorkerFacts(post.number, None, "vacant")
        if hand.isLeaving:
            return WorkerFacts(post.number, hand.pid, "leaving")
        return WorkerFacts(post.number, hand.pid, "serving" if hand.isSettled else "starting")

    def start(self) -> Deferred[None]:
        """
        Fill every place.

        @return: Fires when every worker is ready, or given up for now while
            others are.  Fails with L{PlaneLost} when none can be had.
        """
        beginning = self._beginning = Deferred()
        self._ticking = self._reactor.callLater(1.0, self._tick)
        for number in self._posts:
            self._fill(number)
        return beginning

    def first(self) -> Hand | None:
        """
        Who is asked first: one that serves, if there is one.
        """
        found = None
        for hand in self.hands.values():
            if hand.isLeaving:
                continue
            if hand.isSettled:
                return hand
            found = found or hand
        return found

    def another(self) -> Deferred[None]:
        """
        Wait until there is a worker again.

        @return: Fails with L{PlaneLost} when there is none in time, or never will be.
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

    def end(self, seconds: float, streams: float) -> Deferred[int]:
        """
        Have every worker end, and fill no place any more.

        @param seconds: How long they may finish what goes on.
        @param streams: How long those of its streams may.
        @return: Fires when every process has ended, with how many connections were cut; at
            once where nothing was started, or the end has begun before.
        """
        return Deferred.fromCoroutine(self._end(seconds, streams))

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
        self.hands[number] = hand
        Deferred.fromCoroutine(self._settle(hand))
        expecting, self._expecting = self._expecting, []
        for each in expecting:
            each.callback(None)

    async def _settle(self, hand: Hand) -> None:
        # All is sent in this one moment; what changes after it is sent by who changes it.
        brief = self._brief()
        told = [
            hand.tell(letter, descriptor, isWhole=not place)
            for place, (letter, descriptor) in enumerate(brief)
        ]
        outcomes = await DeferredList(told, consumeErrors=True)
        for letter, _ in brief:
            letter.close()
        failures: list[Any] = [outcome for isDone, outcome in outcomes if not isDone]
        if not failures:
            self._settled(hand)
        elif not failures[0].check(WorkerGone):
            hand.condemn(f"it cannot take over what is served: {failures[0].getErrorMessage()}")

    def _settled(self, hand: Hand) -> None:
        if hand.isLeaving or self.hands.get(hand.number) is not hand:
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
        if self._isOver or self.hands.get(hand.number) is not hand:
            # Where all end anyway one that is begun now would be ended by nobody.
            return
        hand.allow(self._drain())
        del self.hands[hand.number]
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
        elif self.hands.get(hand.number) is hand:
            del self.hands[hand.number]
            if not self._isOver:
                self._died(hand.number, how, hand.pid)

    def _keep(self, counts: dict[str, int]) -> None:
        """
        Of one that has ended: they are not to go back.
        """
        self.past = added((), [self.past, counts])

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
                pids=", ".join(str(hand.pid) for hand in self.hands.values() if hand.isSettled),
            )
            beginning.callback(None)
        else:
            beginning.errback(PlaneLost(f"No worker can be started: {self._reason}."))

    def _tick(self) -> None:
        self._ticking = self._reactor.callLater(1.0, self._tick)
        for hand in self.everyone:
            hand.tick()

    async def _end(self, seconds: float, streams: float) -> int:
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
        serving = [hand for hand in self.hands.values() if hand.isSettled]
        for hand in list(self.hands.values()):
            if not hand.isSettled:
                # It has nothing to finish.
                hand.condemn("it was not needed any more")
        cut = await gatherResults([hand.drain(seconds, streams) for hand in serving])
        for hand in serving:
            hand.hangUp()
        await DeferredList([hand.whenGone() for hand in self.everyone])
        return sum(cut)
