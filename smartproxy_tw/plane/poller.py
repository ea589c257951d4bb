"""
One edge-triggered epoll for all sockets of the data path, which any Twisted
reactor sees as a single reader.

A socket is registered once, and not again until it is closed, unless it has to
wait for room.  One that is being connected is registered for both directions.  To one
that was accepted, or is connected already, something can be written from the first
moment: each event would say so, and some would say nothing else, a fifth of those of a
short TLS connection that is passed through.  It is registered for what
L{arrives<ARRIVALS>}, and its wire asks to be told of room when there is none
(L{Poller.widen}).

The handler of a descriptor is one callable in a dictionary; replacing
the entry hands a socket from one owner to the next without a system call.

What edge triggering asks of the handlers:

  - An event says that something I{may} be possible; what counts is what C{recv}
    and C{send} say.
  - Read until a read comes back short or would block; after C{RDHUP}, C{HUP}
    or C{ERR} read until the end is read.
  - A handler that stops early, for fairness or because its peer is slow, must
    ask to be called L{later<Poller.later>} or remember that it has something to
    read: no further event will remind it.

An exception from a handler ends that handler's connection, never the poller.

Nobody has more than his turn.  A handler does a bounded piece of work and asks to be called
later for the rest; of events, of what was postponed, and of deadlines that have passed,
each has its share of the time before the rest of the reactor goes on.  Who asks for
more and more is called when there is nothing else to do (L{Poller.whenIdle}): what has been
begun, and whoever wants little, overtakes him.

This is hot.  Nesting an epoll in the reactor's own brings a proxied request from
18 to below 2 times HAProxy's CPU: a reactor turn costs four dispatches, a batch
of sockets shares one.
"""

from __future__ import annotations

import select
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .census import DELAYS
from .faults import Faults

if TYPE_CHECKING:
    from twisted.internet.base import DelayedCall

__all__ = [
    "ARRIVALS",
    "BROKEN",
    "ENDED",
    "LINGER",
    "Mortal",
    "Poller",
    "READABLE",
    "Reactor",
    "WRITABLE",
    "unheard",
]

_log = Logger()

#: Something can be read, or the end has come.
READABLE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
#: The peer has shut down its side, or worse: read to the end.
ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
#: Something can be written.
WRITABLE = select.EPOLLOUT
#: Nothing can be sent any more: the peer is gone, or both sides have ended.
BROKEN = select.EPOLLHUP | select.EPOLLERR

#: For a process that does little else: how long a batch of events may wait for the
#: next one, in seconds.
LINGER = 0.001

#: What comes from the peer, edge-triggered; not that there is room for more of what goes there.
ARRIVALS = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_EDGES = ARRIVALS | select.EPOLLOUT
# Small, as a handshake takes half a millisecond: three hundred at one moment, in batches of 256, had kept
# everything else waiting for a quarter of a second; and the time is looked at between batches.
_BATCH = 16
# So many batches at most before the rest of the reactor has its turn, and none that begins after so long, in
# seconds; nor any call that was postponed, nor any deadline.
_ROUNDS = 64
_SHARE = 0.005
# Where events are waited for, and come by fewer than so many, it is this that bounds them, in seconds: what
# passes then is hardly work, and a turn of the reactor costs as much as five events.
_FEW = 4
_DWELL = 0.01
# And so long for those who are called when there is nothing else to do, while there is something else to do.
_LEAST = 0.001
_NEVER = float("inf")
# How often deadlines are looked at, in seconds.
_TICK = 0.25


def unheard(event: int) -> None:
    """
    Stands in for a handler that is about to come: nothing can happen before.
    """


class Reactor(Protocol):
    """
    What the poller needs of a reactor.
    """

    def addReader(self, reader: IReadDescriptor) -> None:
        """See L{twisted.internet.interfaces.IReactorFDSet}."""

    def removeReader(self, reader: IReadDescriptor) -> None:
        """See L{twisted.internet.interfaces.IReactorFDSet}."""

    def callLater(self, delay: float, call: Callable[[], object]) -> DelayedCall:
        """See L{twisted.internet.interfaces.IReactorTime}."""

    def seconds(self) -> float:
        """See L{twisted.internet.interfaces.IReactorTime}."""


class Mortal(Protocol):
    """
    Something with a deadline.

    @ivar deadline: On the reactor's clock, in seconds; infinity for never.
    """

    deadline: float

    def expire(self) -> None:
        """
        The deadline has passed.  Either die or set another one.
        """


@implementer(IReadDescriptor)
class Poller:
    """
    @ivar handlers: For each descriptor the callable that takes its events.
    @ivar mortals: All that have deadlines.  They are looked at every quarter
        of a second; moving a deadline is one assignment.
    @ivar now: The reactor's clock at the beginning of this batch, in seconds.
    @ivar linger: How long a batch may wait for the next one, in seconds; nothing where an answer may need
        the reactor.
    @ivar isBehind: Whether more was ready than the last turn had time for: whoever is about to begin
        something new is to begin little.
    @ivar delays: How often the look at deadlines came so much later than it should
        have, by L{DELAYS<smartproxy_tw.plane.census.DELAYS>}: what everything else has waited for its turn.
    @ivar delayed: How much later it came in all, in seconds.
    """

    def __init__(self, reactor: Reactor, linger: float = 0.0) -> None:
        """
        @param reactor: Any reactor that watches readers; L{start} registers
            with it.
        @param linger: How long a batch may wait for the next one before the
            rest of the reactor has its turn, in seconds; again and again, for
            ten milliseconds in all, or until a thread wakes the reactor up.  In a process that does
            little else a millisecond saves most
            of the reactor's turns (a fifth of the instructions of a short TLS
            connection passed through); beside other services it should be
            nothing.
        """
        self.linger = self._pause = linger
        # When the next call is due that was asked for by C{soon}.
        self._soonest = _NEVER
        self._reactor = reactor
        self._epoll = select.epoll(_BATCH)
        self._register = self._epoll.register
        self._postponed: deque[Callable[[], None]] = deque()
        self._patient: deque[Callable[[], None]] = deque()
        # Who was the first of those after the last turn.
        self._passedOver: Callable[[], None] | None = None
        # When the share of this turn is over.
        self._end = 0.0
        # Those whose deadlines have passed, and whether what is due waits for the next turn.
        self._expired: deque[Mortal] = deque()
        self._isExpiring = False
        # Registered since the batch was polled: an event for one of these numbers is for who had it before.
        self._fresh: set[int] = set()
        self._endings: list[Callable[[], None]] = []
        self._isReading = self._isStopped = False
        self._wake: DelayedCall | None = None
        self._tick: DelayedCall | None = None
        self._soon: set[DelayedCall] = set()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._faults = Faults(self.after)
        self.handlers: dict[int, Callable[[int], None]] = {}
        self.mortals: dict[Mortal, None] = {}
        self.now = reactor.seconds()
        self.isBehind = False
        self.delays = [0] * (len(DELAYS) + 1)
        self.delayed = 0.0
        self._due = 0.0

    def start(self) -> None:
        """
        Begin to watch.
        """
        self._reactor.addReader(self)
        # What a thread has to say, an application's answer, is not to wait for the clients of others.
        waker: IReadDescriptor | None = getattr(self._reactor, "waker", None)
        if self.linger and waker is not None:
            self.add(waker.fileno(), self._beckoned, select.EPOLLIN | select.EPOLLET)
        self._wait()

    def _beckoned(self, event: int) -> None:
        self._pause = 0.0

    def _wait(self) -> None:
        self._due = self._reactor.seconds() + _TICK
        self._tick = self._reactor.callLater(_TICK, self._sweep)

    def stop(self) -> None:
        """
        Watch no more.  What is still registered stays open and unwatched.
        """
        self._reactor.removeReader(self)
        for call in (self._tick, self._wake, *self._soon):
            if call is not None and call.active():
                call.cancel()
        self._tick = self._wake = None
        self._soon.clear()
        self._isStopped = True
        self._epoll.close()
        self._faults.close()

    def add(self, descriptor: int, handler: Callable[[int], None], events: int = _EDGES) -> None:
        """
        Register a non-blocking descriptor.  It leaves by being closed, after
        L{forget}.

        @param handler: Called with the mask of each event.
        @param events: Both directions, edge-triggered, unless told otherwise.
        """
        self._register(descriptor, events)
        self.handlers[descriptor] = handler
        self._fresh.add(descriptor)

    def forget(self, descriptor: int) -> None:
        """
        Deliver nothing more for a descriptor that is about to be closed.
        """
        self.handlers.pop(descriptor, None)

    def hush(self, descriptor: int) -> None:
        """
        Say no more that something can be read, until L{heed}: for a stream that
        is not going to be read before another one takes something.
        """
        self._epoll.modify(descriptor, _EDGES & ~select.EPOLLIN)

    def heed(self, descriptor: int) -> None:
        """
        Say again that something can be read, at once if something can.
        """
        self._epoll.modify(descriptor, _EDGES)

    def widen(self, descriptor: int) -> None:
        """
        Say from now on also that something can be written, at once if it can: for a
        descriptor that was registered for L{ARRIVALS}.  Nobody says anything any more after
        L{stop}.
        """
        if not self._isStopped:
            self._epoll.modify(descriptor, _EDGES)

    def remove(self, descriptor: int) -> None:
        """
        Unregister a descriptor that stays open.
        """
        if self.handlers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def later(self, call: Callable[[], None]) -> None:
        """
        Call this after the other events of this moment have had their turn.
        """
        self._postponed.append(call)
        if self._wake is None:
            self._wakeUp()

    def whenIdle(self, call: Callable[[], None]) -> None:
        """
        Call this when everything that is on its way has had its turn: for who has more to begin than
        others.  While there is always something on its way, such calls have a sixth of the time.
        """
        self._patient.append(call)
        if self._wake is None:
            self._wakeUp()

    def _wakeUp(self) -> None:
        self._wake = self._reactor.callLater(0, self._awake)

    @property
    def isSpent(self) -> bool:
        """
        Whether this turn has had its share of the time: who could go on is to leave it at that, and
        to be called L{later}.
        """
        return self._reactor.seconds() > self._end

    def last(self, call: Callable[[], None]) -> None:
        """
        Call this when all events of this batch have had their turn, so that what they
        have to say to one peer goes out together; outside of a batch: in a moment.
        """
        self._endings.append(call)
        if not self._isReading and len(self._endings) == 1:
            self.later(self._endBatch)

    def _endBatch(self) -> None:
        while self._endings:
            calls, self._endings = self._endings, []
            for call in calls:
                self.guard(call, getattr(call, "__self__", None))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """
        Call this once, in so many seconds or up to a quarter of a second
        later.  It cannot be cancelled: the callable is to know whether it is
        still wanted.
        """
        heappush(self._timers, (self._reactor.seconds() + seconds, next(self._numbers), call))

    def soon(self, seconds: float, call: Callable[[], None]) -> None:
        """
        Call this once, in so many seconds, as exactly as the reactor can.  It cannot be
        cancelled either.
        """

        def due() -> None:
            self._soon.discard(delayed)
            self._soonest = min([each.getTime() for each in self._soon], default=_NEVER)
            self.now = self._reactor.seconds()
            self.guard(call, None)

        if not self._isStopped:
            delayed = self._reactor.callLater(seconds, due)
            self._soon.add(delayed)
            self._soonest = min(self._soonest, delayed.getTime())

    def _awake(self) -> None:
        self._wake = None
        self.now = now = self._reactor.seconds()
        if self._postponed:
            self._run(self._postponed, now + _SHARE)
        if self._patient and not self._isStopped:
            # Where few events come at a time, but always some, a turn has time for all and none to spare.
            if self.isBehind or self._patient[0] is self._passedOver:
                self._run(self._patient, self._reactor.seconds() + _LEAST)
            if not self._isStopped:
                self.doRead()
        self._passedOver = self._patient[0] if self._patient else None
        if (self._postponed or self._patient) and self._wake is None and not self._isStopped:
            self._wakeUp()

    def _run(self, calls: deque[Callable[[], None]], end: float) -> None:
        """
        Do what was postponed, but nothing that is postponed meanwhile.

        @param end: Nothing is begun after that.
        """
        seconds = self._reactor.seconds
        self._end = end
        self._isReading = True
        for _ in range(len(calls)):
            self._call(calls)
            if seconds() > end:
                break
        self._isReading = False
        if self._endings:
            self._endBatch()

    def _call(self, calls: deque[Callable[[], None]]) -> None:
        call = calls.popleft()
        self.guard(call, getattr(call, "__self__", None))

    def _sweep(self) -> None:
        self.now = now = self._reactor.seconds()
        delay = max(0.0, now - self._due)
        self.delays[bisect_left(DELAYS, delay)] += 1
        self.delayed += delay
        self._wait()
        if not self._isExpiring:
            self._expired.extend([each for each in self.mortals if each.deadline <= now])
            self._expire()

    def _expire(self) -> None:
        """
        See to what is due.
        """
        seconds = self._reactor.seconds
        self.now = now = seconds()
        self._end = end = now + _SHARE
        self._isExpiring = False
        expired, timers = self._expired, self._timers
        while expired or (timers and timers[0][0] <= now):
            if expired:
                mortal = expired.popleft()
                if mortal in self.mortals and mortal.deadline <= now:
                    self.guard(mortal.expire, mortal)
            else:
                call = heappop(timers)[2]
                self.guard(call, getattr(call, "__self__", None))
            if seconds() > end:
                self._isExpiring = True
                self.later(self._expire)
                break

    def guard(self, call: Callable[[], None], owner: object) -> None:
        """
        Call something that may have a bug.

        @param owner: See L{crashed}.
        """
        try:
            call()
        except BaseException:
            # What asks for the end of the process is no better: it would end the reactor's interest in us.
            self.crashed(call, owner)

    def crashed(self, call: Callable[..., object], owner: object) -> None:
        """
        A bug: say so, and take down the one connection it happened in.  Called
        while the exception is handled.

        @param call: Where it came from.
        @param owner: Its C{crash} is called, if it has one.
        """
        doer = getattr(call, "__qualname__", repr(call))
        self._faults.add(Failure(), "A connection ended by a bug in {doer}", doer=doer)  # type: ignore[no-untyped-call]
        crash = getattr(owner, "crash", None)
        if crash is not None:
            try:
                crash()
            except BaseException:
                _log.failure("And it could not be closed")

    # IReadDescriptor

    def fileno(self) -> int:
        """
        The nested epoll's own descriptor.
        """
        return -1 if self._epoll.closed else self._epoll.fileno()

    def doRead(self) -> None:
        """
        Handle what is ready, in a few batches.
        """
        poll = self._epoll.poll
        seconds = self._reactor.seconds
        get = self.handlers.get
        fresh = self._fresh
        patient, postponed = self._patient, self._postponed
        wait = end = until = 0.0
        isBehind = False
        self._pause = self.linger
        self._isReading = True
        for _ in range(_ROUNDS):
            if fresh:
                fresh.clear()
            events = poll(wait, _BATCH)
            if not events and not patient:
                break
            self.now = now = seconds()
            if not end:
                self._end = end = now + _SHARE
                until = min(now + _DWELL, self._soonest)
            for descriptor, event in events:
                handler = get(descriptor)
                if handler is not None and descriptor not in fresh:
                    try:
                        handler(event)
                    except BaseException:
                        self.crashed(handler, getattr(handler, "__self__", None))
            if patient and not events:
                self._call(patient)
            # The clock is a call: after a batch that was not full, the next one asks it anyway.
            if len(events) == _BATCH:
                now = seconds()
                isBehind = now > end
                if not isBehind and not self._isStopped:
                    # There is more, and what it has to say goes out with the rest.
                    wait = 0.0
                    continue
            if self._endings:
                self._endBatch()
            wait = 0.0 if patient or postponed else self._pause
            if now > (until if wait and len(events) < _FEW else end) or self._isStopped:
                break
        self._isReading = False
        self.isBehind = isBehind
        if self._endings:
            self._endBatch()

    def connectionLost(self, reason: object) -> None:
        """
        The reactor has lost the poller; there is nothing to do about that.
        """

    def logPrefix(self) -> str:
        """
        How the reactor names it.
        """
        return "smartproxy"
