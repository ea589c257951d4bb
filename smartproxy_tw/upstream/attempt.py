"""
An attempt is the way to a connection to any target of a group: the places are
dialled in turn until one answers.  Places whose breaker is open are passed over;
when all others that are left are full it waits.

When none is left but those the one of them that opened first is tried all the same, and
just that one: at the beginning, since a group of one target would otherwise turn away
requests that might have been answered; and after all others have failed, since the one that
is passed over may be back by now, and the others have not failed often enough to be passed
over themselves, or must not be.  One that is drained or unhealthy is none of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plane.link import UpstreamFailure
from .dial import Dial

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plane.half import TargetHalf
    from ..plane.wires import Wire
    from .dial import Means
    from .introduction import Client
    from .place import Place

__all__ = ["Attempt", "DetourAttempt", "LinkAttempt"]


class Attempt(Dial):
    """
    Ends in a bare connection.
    """

    __slots__ = ("_failures", "_isWaiting", "_places", "_then")

    def __init__(
        self,
        means: Means,
        places: list[Place],
        then: Callable[[Wire | UpstreamFailure, bool, Callable[[], None] | None], None],
        whose: Client | None = None,
    ) -> None:
        """
        Begin.

        @param places: In the order to be tried, at least one; the list becomes
            the attempt's.
        @param then: See L{IUpstream.dial<smartproxy_tw.interfaces.IUpstream.dial>}.
        @param whose: On whose behalf.
        """
        super().__init__(means, whose)
        self._places = places
        self._then = then
        self._failures: list[str] = []
        self._isWaiting = False
        place = places[0]
        if place.isCounted or place.breaker is not None:
            self._start()
        else:
            del places[0]
            self.begin(place)

    # Choosing.

    def _start(self) -> None:
        """
        The same for places that may not be had.
        """
        queue = self._means.queue
        if queue is not None and len(queue):
            self._wait()
        else:
            self._next()

    def _next(self) -> None:
        place = self._pick()
        if place is None:
            self._wait()
        else:
            self._go(place)

    def _pick(self) -> Place | None:
        """
        @return: Where to go; L{None} when that is full.
        """
        now = self._means.poller.now
        isFull = False
        for place in self._places:
            # It may have been drained since this began.
            if not place.isHalted and (place.breaker is None or place.breaker.admits(now)):
                if self._canHave(place):
                    return place
                isFull = True
        if isFull:
            return None
        place = min(self._places, key=_openUntil)
        return place if self._canHave(place) else None

    def _canHave(self, place: Place) -> bool:
        """
        Whether there is a connection to be had.
        """
        return place.hasRoom or bool(place.idle)

    def _go(self, place: Place) -> None:
        self._places.remove(place)
        if not place.hasRoom:
            place.evict()
        if place.breaker is not None:
            if not place.breaker.admits(self._means.poller.now):
                # All that are left are open, and this one has its chance out of turn: no other after it.
                self._places.clear()
            place.probed()
        if place.isCounted:
            place.taken()
        self.begin(place)

    # Waiting.

    def _wait(self) -> None:
        means = self._means
        queue = means.queue
        assert queue is not None
        self._isOver = False
        self._isWaiting = True
        if queue.join(self):
            self.deadline = means.poller.now + queue.seconds
            means.poller.mortals[self] = None
        else:
            self._last = f"all connections to {self._names()} are in use, and {len(queue)} wait for one"
            means.poller.later(lambda: self._turnAway(False))

    def _names(self) -> str:
        return ", ".join(place.name for place in self._places)

    def _turnAway(self, isTimeout: bool) -> None:
        """
        @param isTimeout: Whether a connection was not made in time, where it is not that all are in use.
        """
        if self._isWaiting:
            self._isWaiting = False
            self._over()
            reason = "; ".join([*self._failures, self._last])
            self.giveUp(UpstreamFailure(reason, isTimeout, not isTimeout))

    def retry(self) -> bool:
        """
        See L{Waiter<smartproxy_tw.upstream.waiting.Waiter>}.
        """
        place = self._pick()
        if place is None:
            return False
        self._isWaiting = False
        self._take(place)
        return True

    def _take(self, place: Place) -> None:
        self._go(place)

    def expire(self) -> None:
        """
        See L{Dial}.
        """
        queue = self._means.queue
        if self._isWaiting and queue is not None:
            queue.leave(self)
            what = "came free" if queue.isBounded else "was made"
            self._last = f"no connection to {self._names()} {what} in {queue.seconds:g} s"
            self._turnAway(not queue.isBounded)
        else:
            super().expire()

    # What comes of it.

    def arrived(self, wire: Wire, isHot: bool) -> None:
        """
        See L{Dial}.
        """
        place = self._place
        if place.breaker is not None:
            place.answered()
        self._then(wire, isHot, place.left if place.isCounted else None)

    def failed(self, reason: str, isTimeout: bool) -> None:
        """
        See L{Dial}.  The next place has its chance.
        """
        place = self._place
        place.failed(reason)
        self._failures.append(f"{place.name}: {reason}")
        if place.isCounted:
            place.left()
        # They may have been drained meanwhile; those that are passed over are the last resort.
        self._places = [each for each in self._places if not each.isHalted]
        if self._places:
            self._next()
        else:
            self.giveUp(UpstreamFailure("; ".join(self._failures), isTimeout))

    def giveUp(self, failure: UpstreamFailure) -> None:
        """
        Tell whoever waits.
        """
        self._then(failure, False, None)

    def cancel(self) -> None:
        """
        See L{Dial}.
        """
        if self._isWaiting:
            self._isWaiting = False
            if self._means.queue is not None:
                self._means.queue.leave(self)
        elif not self._isOver:
            self._place.abandoned()
            if self._place.isCounted:
                self._place.left()
        super().cancel()


class LinkAttempt(Attempt):
    """
    Ends in a link, for HTTP.
    """

    __slots__ = ("_isFresh", "_whenLinked")

    isFollowed = True

    def __init__(
        self,
        means: Means,
        places: list[Place],
        then: Callable[[TargetHalf | UpstreamFailure], None],
        isFresh: bool = False,
        whose: Client | None = None,
    ) -> None:
        """
        Begin.

        @param places: As for an L{Attempt}.
        @param then: See L{IUpstream.connect<smartproxy_tw.interfaces.IUpstream.connect>}.
        @param isFresh: Whether it has to be a new connection.
        @param whose: On whose behalf.
        """
        self._whenLinked = then
        self._isFresh = isFresh
        # A method of its own here would be one more cycle for the collection of garbage.
        super().__init__(means, places, _untold, whose)

    def _next(self) -> None:
        place = self._pick()
        if place is not None and place.canLend(self._isFresh):
            # Nobody is told before he knows whom he asked.
            self._isOver = False
            self._isWaiting = True
            self._means.poller.later(self._again)
        elif place is None:
            self._wait()
        else:
            self._go(place)

    def _again(self) -> None:
        if self._isWaiting:
            self._isWaiting = False
            place = self._pick()
            if place is None:
                self._wait()
            else:
                self._take(place)

    def _take(self, place: Place) -> None:
        link = place.lend(self._isFresh)
        if link is None:
            self._go(place)
        else:
            self._over()
            self._whenLinked(link)

    def arrived(self, wire: Wire, isHot: bool) -> None:
        """
        See L{Dial}.
        """
        place = self._place
        if place.breaker is not None:
            place.reached()
        link = self.linked(place, wire, isHot)
        if place.isCounted:
            place.welcome(link)
        self._whenLinked(link)

    def linked(self, place: Place, wire: Wire, isHot: bool) -> TargetHalf:
        """
        Make a link of a connection.
        """
        return place.linked(wire, isHot)

    def giveUp(self, failure: UpstreamFailure) -> None:
        """
        See L{Attempt}.
        """
        self._whenLinked(failure)


class DetourAttempt(LinkAttempt):
    """
    Ends in a link for one exchange at a time, by HTTP/1.1, whatever else the target speaks.
    """

    __slots__ = ()

    isDetour = True

    def _canHave(self, place: Place) -> bool:
        return place.hasRoom

    def _next(self) -> None:
        place = self._pick()
        if place is None:
            self._wait()
        else:
            self._go(place)

    def _take(self, place: Place) -> None:
        self._go(place)

    def linked(self, place: Place, wire: Wire, isHot: bool) -> TargetHalf:
        """
        See L{LinkAttempt}.
        """
        return place.linkedAlone(wire, isHot)


def _untold(outcome: object, isHot: bool, ended: object) -> None:
    raise AssertionError("a link is told in its own way")


def _openUntil(place: Place) -> tuple[bool, float]:
    return place.isHalted, place.breaker.until if place.breaker is not None and place.isAway else 0.0
