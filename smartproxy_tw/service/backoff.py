"""
How long to leave an authority alone after it could not give a certificate, in
this process and in the next one.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..acme.schedule import LONGEST_WAIT, retryAfter
from ..store.attempts import Attempt

if TYPE_CHECKING:
    from .memory import Memory

__all__ = ["Backoff"]

#: What a look beforehand has found is looked at again after so many seconds at most: it
#: costs the authority nothing, and whoever mends it wants to see that.
_LOOKING = 600.0

#: After a restart an order that failed twice or more is tried again so many
#: seconds after it failed: Let's Encrypt allows five failures an hour.
_BETWEEN_STARTS = 900.0

#: Between looks whether there is room on the disk again, in seconds.
_SOON = 5.0


class Backoff:
    """
    The failures in a row of one certificate.

    @ivar problem: What went wrong last, for people, without a full stop;
        L{None} since the last success.
    @ivar heldUntil: Until then the authority that failed wants to be left alone,
        POSIX seconds; 0: it said nothing of that.
    """

    _log = Logger()

    def __init__(
        self, key: str, names: tuple[str, ...], memory: Memory, clock: IReactorTime, chance: Random
    ) -> None:
        """
        @param key: The identity of the certificate.
        @param names: What it is for, for the log.
        @param memory: Remembers failures beyond this process.
        @param clock: The time, POSIX seconds.
        @param chance: Spreads what would happen at one moment.
        """
        self._key = key
        self._names = ", ".join(names)
        self._memory = memory
        self._clock = clock
        self._chance = chance
        self._failures = 0
        self._looks = 0
        self.problem: str | None = None
        self.heldUntil = 0.0

    @property
    def failures(self) -> int:
        """
        How many in a row, looks beforehand included.
        """
        return self._failures + self._looks

    def recall(self) -> float | None:
        """
        Take up what an earlier process ran into.  It is not waited for in full,
        for operators mend things and restart: just so that a restart in a
        circle stays within what is allowed, and leaves alone who asked for it.

        @return: When to ask again, POSIX seconds; L{None}: when one likes.
        """
        known = self._memory.recall(self._key)
        if known is None:
            return None
        now = self._clock.seconds()
        wait = retryAfter(1) if known.failures == 1 else _BETWEEN_STARTS
        at = min(max(known.at + wait, known.notBefore), now + LONGEST_WAIT)
        if at <= now:
            return None
        self._failures, self.problem, self.heldUntil = known.failures, known.problem, known.notBefore
        return at

    def succeed(self) -> None:
        """
        There is a certificate.
        """
        self._failures = self._looks = 0
        self.problem = None
        self.heldUntil = 0.0
        self._memory.forget(self._key)

    def stall(self, why: Exception) -> None:
        """
        There is none, and nobody is to blame but who could not be reached: when
        to ask again is no matter of this certificate.
        """
        problem = _text(why)
        if problem != self.problem:
            self._log.debug(
                "No certificate for {names}: {problem}",
                event="certificate-stalled",
                names=self._names,
                problem=problem,
            )
        self.problem = problem

    def postpone(self, why: Exception) -> float:
        """
        There is none, for want of something that is ours to mend, and no authority
        was asked: room on the disk, say.  It is tried again soon, as that costs
        nobody anything, and told once.

        @return: When to ask again, POSIX seconds.
        """
        problem = _text(why)
        if problem != self.problem:
            self._log.warn(
                "No certificate for {names}: {problem}. It is tried again every {wait:g} s.",
                event="certificate-failed",
                names=self._names,
                problem=problem,
                wait=_SOON,
            )
        self.problem = problem
        return self._clock.seconds() + _SOON

    def fail(self, why: Exception) -> float:
        """
        There is none.

        @return: When to ask again, POSIX seconds.
        """
        from ..acme.errors import IssuanceFailed, PreflightFailed

        if isinstance(why, PreflightFailed):
            return self._seen(why)
        self._failures += 1
        asked = why.retryAfter if isinstance(why, IssuanceFailed) else None
        wait = retryAfter(self._failures, self._chance.random(), asked)
        self.problem = _text(why)
        now = self._clock.seconds()
        self.heldUntil = 0.0 if asked is None else now + asked
        self._memory.note(self._key, Attempt(now, self._failures, self.heldUntil, self.problem))
        if not isinstance(why, IssuanceFailed | OSError | RuntimeError | ValueError):
            self._log.failure("A defect while ordering the certificate for {names}", names=self._names)
        self._log.warn(
            "No certificate for {names}: {problem}. Next attempt in {wait} s.",
            event="certificate-failed",
            names=self._names,
            problem=self.problem,
            wait=round(wait),
        )
        return now + wait

    def _seen(self, why: Exception) -> float:
        """
        No order was placed.
        """
        self._looks += 1
        wait = min(_LOOKING, retryAfter(self._looks, self._chance.random()))
        before, self.problem = self.problem, _text(why)
        now = self._clock.seconds()
        self._memory.note(self._key, Attempt(now, max(1, self._failures), 0.0, self.problem))
        log = self._log.debug if self.problem == before else self._log.warn
        log(
            "No certificate for {names}: {problem}. It is looked at again in {wait} s, and every"
            " {longest} minutes.",
            event="certificate-failed",
            names=self._names,
            problem=self.problem,
            wait=round(wait),
            longest=round(_LOOKING / 60),
        )
        return now + wait


def _text(why: Exception) -> str:
    return str(why).rstrip(".") or type(why).__name__
