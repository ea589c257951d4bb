"""
Who may place an order now: every order of a proxy passes here, and what came of it
is noted here.

The order of those who wait, and the budget, are L{smartproxy_tw.acme.agenda}'s and
L{smartproxy_tw.acme.budget}'s; here they meet the time.  And the way is closed
here, for all at once, when the authority cannot be reached: one cheap request
looks whether it is back, again and again, while nobody else asks it anything; when
it answers, all go on, as the agenda has them.  If then it takes no order after all,
one order at a time follows each probe, until one is dealt with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from random import Random
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..acme.agenda import Agenda, Wish
from ..acme.budget import Budget, Kind, Limits, Wait
from ..acme.errors import (
    AccountNotKept,
    AuthorityProblem,
    AuthorityUnreachable,
    IssuanceFailed,
)
from ..acme.schedule import LONGEST_WAIT, probeAfter
from ..store.uses import Uses
from .alarm import Alarm
from .readiness import Readiness

if TYPE_CHECKING:
    from .memory import Memory

__all__ = ["Admission", "Probe"]

#: How many orders are under way at once.  An authority takes many more; this
#: bounds what one process spends on cryptography beside its real work.
_AT_ONCE = 16

#: How many other questions are.
_QUESTIONS = 4

#: The budget is written so long after it has changed, in seconds: many orders make
#: one write.  What an authority asked for is written at once.
_UNWRITTEN = 5.0

#: Looks whether the authority answers; fails with
#: L{AuthorityUnreachable<smartproxy_tw.acme.errors.AuthorityUnreachable>} when it
#: does not.
Probe = Callable[[], Deferred[None]]

T = TypeVar("T")


class Admission:
    """
    The way to one authority.

    @ivar outage: Why the authority cannot be reached; L{None} as long as it can.
    """

    _log = Logger()

    def __init__(
        self,
        limits: Limits,
        memory: Memory | None,
        clock: IReactorTime,
        chance: Random,
        probe: Probe | None = None,
        *,
        atOnce: int = _AT_ONCE,
        profile: str | None = None,
    ) -> None:
        """
        @param limits: What is known of the authority beforehand.
        @param memory: Remembers the budget beyond this process; L{None}: nobody
            does.
        @param clock: The time, POSIX seconds.
        @param chance: Spreads what would happen at one moment.
        @param probe: Looks whether the authority answers; where there is none,
            the next orders find out.
        @param atOnce: So many orders may be under way.
        @param profile: What it is asked for, or L{None}.
        """
        self._memory = memory
        self._clock = clock
        self._chance = chance
        self._probe = probe
        uses = Uses() if memory is None else memory.uses
        self._budget = Budget(limits, uses.buckets, uses.holds)
        self._mostNames = dict(uses.mostNames)
        self._profile = profile or ""
        self._agenda = Agenda(self._budget, atOnce)
        self._atOnce = atOnce
        self._waiting: dict[Wish, Deferred[None]] = {}
        self._alarm = Alarm(clock, self._pump)
        self._isBusy = False
        self._questions = DeferredSemaphore(_QUESTIONS)
        self._writing: IDelayedCall | None = None
        self.outage: AuthorityUnreachable | None = None
        self._back = Readiness()
        self._back.happen()
        self._probes = 0
        self._since = 0.0
        self._probing = Alarm(clock, self._look)
        self._looking: Deferred[None] | None = None

    def admit(self, wish: Wish, order: Callable[[], Deferred[T]]) -> Deferred[T]:
        """
        Place an order when its turn has come.

        @param order: Places it.
        @return: What the order gives.  Fails as it does, or with why the
            authority cannot be reached, without having asked it.  Cancelling
            gives the turn up, or ends the order.
        """
        return Deferred.fromCoroutine(self._admit(wish, order))

    def ask(self, question: Callable[[], Deferred[T]]) -> Deferred[T]:
        """
        Ask the authority something that is no order: a few at once, and nothing
        while it cannot be reached.

        @return: Fails as the question does, or with L{outage}.
        """
        return Deferred.fromCoroutine(self._ask(question))

    def waitOf(self, wish: Wish) -> Wait | None:
        """
        Why an order waits; L{None}: it does not, or just for its turn.
        """
        return self._agenda.waitOf(wish, self._clock.seconds()) if self.isWaiting(wish) else None

    def holdOf(self, names: tuple[str, ...], kind: Kind) -> Wait | None:
        """
        What would keep an order from being placed for some time, if somebody wanted
        to; L{None}: at most the orders under way.

        @param names: What it would be for.
        @param kind: How it would count.
        """
        held = self._budget.wait(names, kind, self._clock.seconds())
        return None if held is None or held.until == inf else held

    @property
    def mostNames(self) -> int | None:
        """
        How many names the authority takes in one order, if it has said so.
        """
        return self._mostNames.get(self._profile)

    def learn(self, mostNames: int) -> None:
        """
        The authority has said how many names it takes in one order.  Written at
        once: the next process is not to ask for more.
        """
        self._mostNames[self._profile] = mostNames
        self._writeNow()

    @property
    def waiting(self) -> int:
        """
        How many orders wait for their turn.
        """
        return len(self._waiting)

    def isWaiting(self, wish: Wish) -> bool:
        """
        Whether an order's turn has not come.
        """
        return wish in self._waiting

    def touch(self, wish: Wish, asked: float) -> None:
        """
        A client has asked for what an order waits for.

        @param asked: When, POSIX seconds.
        """
        self._agenda.touch(wish, asked, self._clock.seconds())

    def whenBack(self) -> Deferred[None]:
        """
        Wait until the authority can be reached; fires at once when it can.
        """
        return self._back.when()

    @property
    def awaySince(self) -> float | None:
        """
        Since when the authority cannot be reached, POSIX seconds; L{None}: it can.
        """
        return None if self.outage is None else self._since

    @property
    def nextProbe(self) -> float | None:
        """
        When it is looked next whether the authority is back, POSIX seconds;
        L{None}: it is, or just now.
        """
        return self._probing.at

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """
        Let those who come within C{with} go by what matters, and not by who
        came first.
        """
        if self._isBusy:
            yield
            return
        self._isBusy = True
        try:
            yield
        finally:
            self._isBusy = False
            self._pump()

    def stop(self) -> None:
        """
        Look for nobody any more, and write what is not written.  Orders are for
        those who placed them to end, before.
        """
        self._alarm.clear()
        self._probing.clear()
        if self._looking is not None:
            self._looking.cancel()
        if self._writing is not None:
            self._writing.cancel()
            self._write()

    async def _admit(self, wish: Wish, order: Callable[[], Deferred[T]]) -> T:
        await self._turn(wish)
        try:
            result = await order()
        except BaseException as why:
            self._ended(wish, why)
            raise
        self._settle(wish, isPlaced=True, isIssued=True)
        self._heard()
        self._pump()
        return result

    async def _ask(self, question: Callable[[], Deferred[T]]) -> T:
        await self._questions.acquire()
        try:
            if self.outage is not None:
                raise self.outage
            return await question()
        finally:
            self._questions.release()

    async def _turn(self, wish: Wish) -> None:
        if self.outage is not None:
            raise self.outage
        turn: Deferred[None] = Deferred()
        self._waiting[wish] = turn
        self._agenda.add(wish, self._clock.seconds())
        self._pump()
        try:
            await turn
        except BaseException:
            if self._waiting.pop(wish, None) is not None:
                self._agenda.remove(wish)
            raise

    def _pump(self) -> None:
        if self._isBusy or self.outage is not None:
            return
        self._isBusy = True
        try:
            while self.outage is None and (wish := self._agenda.next(self._clock.seconds())) is not None:
                self._writeSoon()
                self._waiting.pop(wish).callback(None)
        finally:
            self._isBusy = False
        at = self._agenda.wakeAt(self._clock.seconds()) if self.outage is None else None
        if at is None:
            self._alarm.clear()
        else:
            self._alarm.set(at)

    def _ended(self, wish: Wish, why: BaseException) -> None:
        now = self._clock.seconds()
        isPlaced = not isinstance(why, AuthorityUnreachable | AccountNotKept)
        if isinstance(why, AuthorityProblem):
            if why.problem.word == "rateLimited" or why.status == 429:
                isPlaced = False
                self._budget.refused(wish.names, why.detail or str(why), why.retryAfter, now)
                self._writeNow()
            elif why.status == 503 and why.retryAfter is not None:
                self._hold(why)
            self._budget.failed((name for name in why.byName if name in wish.names), now)
        self._settle(wish, isPlaced=isPlaced, isIssued=False)
        if isinstance(why, AuthorityUnreachable):
            self._lost(why)
        elif isinstance(why, IssuanceFailed) and isPlaced:
            self._heard()
        self._pump()

    def _settle(self, wish: Wish, *, isPlaced: bool, isIssued: bool) -> None:
        self._agenda.settle(wish, self._clock.seconds(), isPlaced=isPlaced, isIssued=isIssued)
        self._writeSoon()

    def _heard(self) -> None:
        """
        The authority has dealt with an order.
        """
        self._probes = 0
        self._agenda.atOnce = self._atOnce
        if self.outage is not None:
            self._returned()

    def _hold(self, why: IssuanceFailed) -> None:
        wait = min(LONGEST_WAIT, why.retryAfter or 0.0)
        self._budget.hold(self._clock.seconds() + wait, f"the authority asked for it: {str(why).rstrip('.')}")
        self._writeNow()

    def _lost(self, why: AuthorityUnreachable) -> None:
        if self.outage is not None:
            return
        self.outage = why
        # It was there for a probe, and not for an order: next time one finds out,
        # and not all.
        self._agenda.atOnce = 1 if self._probes else self._atOnce
        self._since = self._clock.seconds()
        self._back = Readiness()
        self._alarm.clear()
        wait = self._probeIn(why)
        waiting, self._waiting = self._waiting, {}
        self._log.warn(
            "{problem} {count} orders wait for its return, which is looked for in {wait:.1f} s",
            event="authority-away",
            problem=str(why),
            count=len(waiting),
            wait=wait,
        )
        for wish, turn in waiting.items():
            self._agenda.remove(wish)
            turn.errback(why)

    def _probeIn(self, why: IssuanceFailed) -> float:
        self._probes += 1
        wait = probeAfter(self._probes, self._chance.random(), why.retryAfter)
        if why.retryAfter is not None:
            self._hold(why)
        self._probing.set(self._clock.seconds() + wait)
        return wait

    def _look(self) -> None:
        if self._probe is None:
            self._returned()
            return
        self._looking = self._probe()
        self._looking.addCallbacks(lambda _: None, lambda failure: failure.value)
        self._looking.addCallback(self._seen)

    def _seen(self, why: BaseException | None) -> None:
        self._looking = None
        if self.outage is None or isinstance(why, CancelledError):
            return
        isBusy = isinstance(why, AuthorityProblem) and why.status in (429, 503)
        if isinstance(why, IssuanceFailed) and (isBusy or isinstance(why, AuthorityUnreachable)):
            self._probeIn(why)
        else:
            # Whatever it said: it answers.
            self._returned()

    def _returned(self) -> None:
        self.outage = None
        self._probing.clear()
        self._log.info(
            "The certificate authority can be reached again, after {seconds:.1f} s",
            event="authority-back",
            seconds=self._clock.seconds() - self._since,
        )
        with self.gathering():
            self._back.happen()

    def _writeSoon(self) -> None:
        if self._writing is None:
            self._writing = self._clock.callLater(_UNWRITTEN, self._write)

    def _writeNow(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
        self._write()

    def _write(self) -> None:
        self._writing = None
        now = self._clock.seconds()
        if self._memory is not None:
            uses, holds = self._budget.uses(now), self._budget.holds(now)
            self._memory.noteUses(Uses(uses, holds, dict(self._mostNames)))
