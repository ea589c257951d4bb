"""
When the next order for one certificate is placed, and what it waits for: the time of its
renewal, the end of the wait after one that failed, an authority that is away, or nothing.

An order that failed is placed again by the rules of
L{Backoff<smartproxy_tw.service.backoff.Backoff>}; one that failed because nobody could be
reached, as soon as somebody can.  Somebody may have one placed before its time: only what an
authority has asked for is waited for all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from ..acme.errors import AccountNotKept, AuthorityUnreachable
from .errors import NotNow
from .outage import Outage
from .status import when

if TYPE_CHECKING:
    from .alarm import Timetable
    from .backoff import Backoff
    from .renewal import Renewal
    from .served import Served
    from .ways import Ways

__all__ = ["Appointment"]


class Appointment:
    """
    That of one certificate.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        ways: Ways,
        backoff: Backoff,
        served: Served,
        renewal: Renewal,
        timetable: Timetable,
        clock: IReactorTime,
        *,
        isUnderWay: Callable[[], bool],
        come: Callable[[], object],
        failed: Callable[[float | None], object],
    ) -> None:
        """
        @param names: All that the certificate is to be for.
        @param ways: To who is asked.
        @param backoff: How long to wait after a failure.
        @param served: What there is.
        @param renewal: When that is to be renewed.
        @param timetable: For what is to be done later.
        @param clock: The time, POSIX seconds.
        @param isUnderWay: Whether an order is.
        @param come: Called when it may be the time; not while an order is under way.
        @param failed: Called with when the next one is placed, when L{problem} is news.
        """
        self._names = names
        self._ways = ways
        self._backoff = backoff
        self._served = served
        self._renewal = renewal
        self._clock = clock
        self._isUnderWay = isUnderWay
        self._come = come
        self._failed = failed
        self._alarm = timetable.bell(come)
        self._outage = Outage(ways, timetable, self._outageOver)
        self._isDemanded = False
        self._isOver = False

    @property
    def problem(self) -> str | None:
        """
        Why the last order failed; L{None} when none did since the last success.
        """
        return self._backoff.problem

    @property
    def failures(self) -> int:
        """
        How many have failed in a row.
        """
        return self._backoff.failures

    @property
    def due(self) -> float:
        """
        From when on one is wanted, POSIX seconds.
        """
        if self._backoff.problem is not None and self._alarm.at is not None:
            return self._alarm.at
        if self._isDemanded or not self._served.covers(self._names):
            return 0.0
        return self._renewal.due().at

    @property
    def at(self) -> float | None:
        """
        When something is done for it next, POSIX seconds; L{None}: not by the clock.
        """
        return self._ways.nextProbe() if self._outage.isOn else self._alarm.at

    @property
    def reason(self) -> str | None:
        """
        Why then, for people; L{None} where L{problem} says so, or there is no time.
        """
        if self._outage.isOn:
            return "then it is looked whether the authority can be reached again"
        if self._backoff.problem is None and self._served.facts is not None and self._alarm.at is not None:
            return self._renewal.due().why
        return None

    @property
    def isAway(self) -> bool:
        """
        Whether it waits for an authority that is away.
        """
        return self._outage.isOn

    @property
    def isWanting(self) -> bool:
        """
        Whether it is due, or to be tried again.
        """
        return self._backoff.problem is not None or self.due <= self._clock.seconds()

    def recall(self) -> int:
        """
        Take up what an earlier process ran into.

        @return: How often it has failed.
        """
        again = self._backoff.recall()
        if again is None:
            return 0
        self._alarm.set(again)
        return self._backoff.failures

    def isNow(self) -> bool:
        """
        Whether to place an order; otherwise it is seen to when it is time.
        """
        due = self.due
        if due <= self._clock.seconds():
            self._alarm.clear()
            return True
        if self._backoff.problem is not None and self._alarm.at is None:
            # What failed was wanted by somebody who is gone: nothing is amiss.
            self._backoff.succeed()
        self._alarm.set(due)
        return False

    def demand(self) -> None:
        """
        Have an order as soon as nothing is in the way but the authority's wish.
        """
        self._isDemanded = True
        if self._isUnderWay():
            return
        self._alarm.clear()
        if self._backoff.heldUntil > self._clock.seconds():
            self._alarm.set(self._backoff.heldUntil)
        self._come()

    def obstacle(self, *, force: bool) -> NotNow | None:
        """
        Why no order is to be placed now, after those that failed.

        @param force: Whether only what an authority asked for counts.
        """
        problem, again = self._backoff.problem, self._alarm.at
        if self._outage.isOn:
            return NotNow("away", f"{problem}.", self._ways.nextProbe())
        if problem is None or again is None or again <= self._clock.seconds():
            return None
        held = min(self._backoff.heldUntil, again)
        if held > self._clock.seconds():
            said = f"The authority asked for no order before {when(held)}: {problem}."
            return NotNow("held", said, held)
        if force:
            return None
        return NotNow(
            "failed", f"The last order failed, the next is placed at {when(again)}: {problem}.", again
        )

    def postpone(self, why: Exception) -> None:
        """
        An order came to nothing.
        """
        before = self._backoff.problem
        if isinstance(why, AuthorityUnreachable):
            self._backoff.stall(why)
            if self._backoff.problem != before:
                self._failed(self._ways.nextProbe())
            if not self._isOver:
                self._outage.wait(self._served.urgentAt(self._names))
            return
        isOurs = isinstance(why, AccountNotKept)
        at = self._backoff.postpone(why) if isOurs else self._backoff.fail(why)
        if not isOurs or self._backoff.problem != before:
            self._failed(at)
        if not self._isOver:
            self._alarm.set(at)

    def succeed(self) -> float:
        """
        There is a certificate for all the names.

        @return: When its successor is due, POSIX seconds.
        """
        self._backoff.succeed()
        self._isDemanded = False
        due = max(self.due, self._clock.seconds() + 1.0)
        if not self._isOver:
            self._alarm.set(due)
        return due

    def stop(self) -> None:
        """
        Wait for nothing any more.
        """
        self._isOver = True
        self._alarm.clear()
        self._outage.end()

    def dismantle(self) -> None:
        """
        As L{AutoCertificate.dismantle<smartproxy_tw.service.automatic.AutoCertificate.dismantle>}.
        """
        self._alarm.end()
        vars(self).clear()

    def _outageOver(self) -> None:
        if self._isUnderWay():
            # It came back before this order had ended.
            self._alarm.set(self._clock.seconds())
        else:
            self._come()
