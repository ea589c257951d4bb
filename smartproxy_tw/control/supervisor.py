"""
The data path in other processes: the supervisor of N workers.

It provides the whole vocabulary of L{IPlane} and has no data path of its own.  Who is
there is known to L{Crew<smartproxy_tw.control.crew.Crew>}.  The ports stay bound here,
open and unread; each worker accepts on a duplicate of their sockets, so what waits in
the kernel waits for whichever worker is there.

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
from twisted.python.failure import Failure
from zope.interface import implementer

from ..acme.turns import Turns
from ..interfaces import IPlane, IWorkers
from .crew import Brief, Crew
from .errors import Broken, Refused, WorkerGone
from .hand import Hand, Patience
from .messages import Letter
from .packing import packing
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
    adding,
    shared,
    subject,
    takesAway,
)

if TYPE_CHECKING:
    from twisted.internet.interfaces import IListeningPort

    from ..config.model import Checked, Config
    from ..facts import Challenge, Credential, Verdict, WorkerFacts
    from .processes import Spawn

__all__ = ["Supervisor"]


@implementer(IPlane, IWorkers)
class Supervisor:
    """
    N workers that are one data path.
    """

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
        self._state = State()
        self._turns = Turns()
        self._identities = count(1)
        self._ports: dict[int, IListeningPort] = {}
        self._crew = Crew(
            reactor,
            workers,
            spawn or Processes(reactor),
            patience or Patience(),
            self._brief,
            self._drainOf,
        )

    @property
    def pids(self) -> dict[int, int | None]:
        """
        The processes of the workers that are there, by the number of their place.
        """
        return {number: hand.pid for number, hand in sorted(self._crew.hands.items())}

    def workers(self) -> tuple[WorkerFacts, ...]:
        """
        See L{IWorkers}.
        """
        return self._crew.facts()

    def start(self) -> Deferred[None]:
        """
        See L{IPlane}.

        @return: Fires when every worker is ready, or given up for now while
            others are.  Fails with L{PlaneLost} when none can be had.
        """
        return self._crew.start()

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
        return self._change(UseTable(shared(config, self._crew.size)))

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
        return self._crew.end(seconds, seconds if streams is None else streams)

    def tally(self) -> Deferred[dict[str, int]]:
        """
        See L{IPlane}.  Of a worker that was killed, what it told last, which is
        some seconds old.
        """
        asked = gatherResults([hand.tally() for hand in self._crew.everyone if hand.isSettled])
        return asked.addCallback(lambda living: inSlices(adding(living, [self._crew.past]), self._reactor))

    def reopen(self) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return gatherResults([hand.reopen() for hand in self._crew.everyone]).addCallback(lambda _: None)

    def processes(self) -> dict[int, int]:
        """
        See L{IPlane}.
        """
        return {number: pid for number, pid in self.pids.items() if pid is not None}

    def recent(self) -> Deferred[tuple[str, ...]]:
        """
        See L{IPlane}.  The first of each worker first.
        """
        asked = gatherResults([hand.recent() for hand in self._crew.everyone if hand.isSettled])
        return asked.addCallback(_merged)

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
                others = [hand for hand in self._crew.hands.values() if hand is not first]
                await DeferredList([self._also(hand, letter, port) for hand in others])

    async def _agreedWith(self, letter: Letter, port: int | None) -> Hand:
        """
        Have one worker do it.

        @raise Refused: It cannot be done.
        """
        while True:
            hand = self._crew.first()
            if hand is None:
                await self._crew.another()
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

    def _brief(self) -> Brief:
        whole: list[tuple[Letter, int | None]] = [(Letter(self._state.letter()), None)]
        ports = [(Letter((each,)), self._socketFor(each)) for each in self._state.adoptions()]
        return whole + ports

    def _drainOf(self) -> float:
        config = self._state.config
        return 0.0 if config is None else config.timeouts.drain

    def _socketFor(self, change: Change) -> int | None:
        if not isinstance(change, Adopt):
            return None
        return self._ports[change.identity].fileno()  # type: ignore[attr-defined,no-any-return]


def _merged(told: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    places: dict[str, int] = {}
    for keys in told:
        for place, key in enumerate(keys):
            places[key] = min(place, places.get(key, place))
    return tuple(sorted(places, key=places.__getitem__))
