"""
Which program is run next, of all that are to be run after something has happened to
certificates: no thread, no process, no clock.

For each certificate they are run one after another, in the order of the
configuration; those of different certificates take turns, so many at a time.  What
waits is bounded by the certificates that there are, not by what happens to them: a
newer certificate takes the place of an older one that nobody was told of yet, and of
failures that it makes a matter of the past.

Failures wait for everything else, and for their own pace: when a thousand orders fail
at once, the first few are told, and the others little by little, each with the newest
that is known of it, as long as that is still true.  That a certificate is expiring, which is said
just once, goes before them at the same pace, and no failure takes the place of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import field
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from ..values import dataclass

if TYPE_CHECKING:
    from ..config.model import CertificateHook
    from .events import CertificateEvent

__all__ = ["Errand", "Errands"]

#: So many failures are told at once, and one more each so many seconds.
_AT_ONCE, _SECONDS = 10, 60.0


@dataclass(frozen=True, slots=True)
class Errand:
    """
    A program that is to be run.

    @ivar hook: The program.
    @ivar identity: What it is known by beyond this process.
    @ivar event: What it is told.
    @ivar failures: How often it has come to nothing.
    """

    hook: CertificateHook
    identity: str
    event: CertificateEvent
    failures: int = 0


@dataclass(slots=True)
class _Line:
    """
    Those of one certificate.
    """

    ready: list[Errand] = field(default_factory=list)
    later: list[tuple[float, Errand]] = field(default_factory=list)
    isBusy: bool = False


class Errands:
    """
    What waits, and how many are under way.

    @ivar underWay: So many were taken and are not done.
    """

    def __init__(self, most: int) -> None:
        """
        @param most: So many are under way at a time.
        """
        self._most = most
        self._lines: dict[str, _Line] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        self._alarms: list[tuple[float, int, str]] = []
        self._numbers = count()
        self._failures: dict[str, Sequence[Errand]] = {}
        self._expiring: dict[str, Sequence[Errand]] = {}
        self._allowed = float(_AT_ONCE)
        self._since = 0.0
        self.underWay = 0

    def put(self, key: str, errands: Sequence[Errand]) -> None:
        """
        There is a certificate: this is to be run for it, and nothing else.

        @param key: The identity of the certificate.
        @param errands: In this order; all of them, also what is still to be run
            for an earlier one.
        """
        line = self._lines.setdefault(key, _Line())
        line.ready, line.later = list(errands), []
        self._failures.pop(key, None)
        self._expiring.pop(key, None)
        self._settle(key, line)

    def putFailure(self, key: str, errands: Sequence[Errand]) -> None:
        """
        An order for one has failed.

        @param key: The identity of the certificate.
        @param errands: In this order; in place of those of an earlier failure.
        """
        self._failures.pop(key, None)
        if errands:
            self._failures[key] = errands

    def putExpiring(self, key: str, errands: Sequence[Errand]) -> None:
        """
        One is about to end, and there is no other.

        @param key: The identity of the certificate.
        @param errands: In this order.
        """
        if errands:
            self._expiring[key] = errands

    def next(self, now: float) -> Errand | None:
        """
        Take the one that is to be run now.

        @param now: Seconds, by any clock that does not go back.
        @return: L{None}: none is, until L{nextAt} or something is put or done.
        """
        self._wake(now)
        if self.underWay >= self._most:
            return None
        key = self._turns.popitem(last=False)[0] if self._turns else self._troubleAt(now)
        if key is None:
            return None
        line = self._lines[key]
        line.isBusy = True
        self.underWay += 1
        return line.ready.pop(0)

    def nextAt(self, now: float) -> float | None:
        """
        When to look again if nothing else happens; L{None}: never.
        """
        self._refill(now)
        found = [self._alarms[0][0]] if self._alarms else []
        if (self._failures or self._expiring) and self._allowed < 1.0:
            found.append(now + (1.0 - self._allowed) * _SECONDS)
        return min(found, default=None)

    def done(self, errand: Errand) -> None:
        """
        One that was taken is over.
        """
        key = errand.event.key
        self.underWay -= 1
        line = self._lines[key]
        line.isBusy = False
        self._settle(key, line)

    def again(self, errand: Errand, at: float) -> bool:
        """
        One that was taken came to nothing, and is to be run again, unless something
        newer waits for the same program.  Tell this before it is L{done}.

        @param errand: As it is to be run then.
        @param at: Not before.
        @return: Whether it is.
        """
        line = self._lines[errand.event.key]
        if any(each.identity == errand.identity for each in line.ready):
            return False
        line.later.append((at, errand))
        heappush(self._alarms, (at, next(self._numbers), errand.event.key))
        return True

    def _settle(self, key: str, line: _Line) -> None:
        self._queue(key, line)
        if not line.ready and not line.later and not line.isBusy:
            del self._lines[key]

    def _queue(self, key: str, line: _Line) -> None:
        if line.ready and not line.isBusy:
            self._turns.setdefault(key)
        else:
            self._turns.pop(key, None)

    def _wake(self, now: float) -> None:
        while self._alarms and self._alarms[0][0] <= now:
            _, _, key = heappop(self._alarms)
            line = self._lines.get(key)
            if line is not None:
                line.ready += [errand for at, errand in line.later if at <= now]
                line.later = [(at, errand) for at, errand in line.later if at > now]
                self._queue(key, line)

    def _troubleAt(self, now: float) -> str | None:
        """
        The certificate whose end or failure is told next, its errands ready.
        """
        self._refill(now)
        if self._allowed < 1.0:
            return None
        for waiting in (self._expiring, self._failures):
            for key, errands in waiting.items():
                line = self._lines.setdefault(key, _Line())
                if not line.isBusy:
                    self._allowed -= 1.0
                    line.ready += errands
                    del waiting[key]
                    return key
        return None

    def _refill(self, now: float) -> None:
        self._allowed = min(float(_AT_ONCE), self._allowed + max(0.0, now - self._since) / _SECONDS)
        self._since = now
