"""
When one certificate is to be renewed: the authority is asked for its wish (RFC
9773) soon after the certificate is served, and again as often as it says; where it
has none, or cannot be asked, the fraction of the certificate's life decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..acme.errors import IssuanceFailed
from ..acme.schedule import Due, Window, adviceAfter, renewalDue, renewAt
from .status import when

if TYPE_CHECKING:
    from ..acme.objects import RenewalFacts
    from ..acme.x509 import CertificateFacts
    from .alarm import Timetable

__all__ = ["Advise", "Renewal"]

#: The first questions are spread over so many seconds: a start with thousands of
#: certificates is no burst, and has better things to do at first.
_SPREAD = 60.0

#: An authority that does not say when to renew is asked again after so many seconds.
_SAYS_NOTHING = 86400.0

#: A successor that the authority wants to be renewed as well, and so its successor,
#: waits this long, in seconds, doubled by each further one: an authority whose wish
#: is nonsense does not make us order in a circle.  Who lived longer than the second
#: does not count.
_HURRY = 3600.0
_NO_HURRY = 86400.0

#: Asks an authority when to renew a certificate, PEM, leaf first; gives L{None} where
#: it does not say so.
Advise = Callable[[bytes], "Deferred[RenewalFacts | None]"]


class Renewal:
    """
    Of the certificate that is served under one identity.

    @ivar advise: Asks whoever issued it; to be set before L{follow} where that
        changes.
    """

    _log = Logger()

    def __init__(
        self,
        names: tuple[str, ...],
        advise: Advise | None,
        timetable: Timetable,
        clock: IReactorTime,
        chance: Random,
        changed: Callable[[], object],
    ) -> None:
        """
        @param names: What it is for, for the log.
        @param advise: Asks the authority; L{None}: nobody is asked.
        @param timetable: For the next question.
        @param clock: The time, POSIX seconds.
        @param chance: Spreads what would happen at one moment.
        @param changed: Called when L{due} has changed.
        """
        self._names = ", ".join(names)
        self.advise = advise
        self._clock = clock
        self._chance = chance
        self._changed = changed
        self._bell = timetable.bell(self._ask)
        self._facts: CertificateFacts | None = None
        self._chain = b""
        self._window: Window | None = None
        self._asking: Deferred[RenewalFacts | None] | None = None
        self._failures = 0
        self._mayAsk = False
        self._canReplace = False
        self._hurries = 0
        self._since = 0.0

    def follow(self, facts: CertificateFacts, chain: bytes) -> None:
        """
        This one is served from now on.

        @param facts: What it says.
        @param chain: Itself, PEM, leaf first.
        """
        self.stop()
        now = self._clock.seconds()
        isHurry = self._facts is not None and self.due().isSuggested and now < self._since + _NO_HURRY
        self._hurries = self._hurries + 1 if isHurry else 0
        self._since = now
        self._facts, self._chain, self._window, self._failures = facts, chain, None, 0
        self._canReplace = self.advise is not None
        if self._mayAsk:
            self._askSoon()

    def begin(self) -> None:
        """
        From now on the authority may be asked.
        """
        if not self._mayAsk:
            self._mayAsk = True
            self._askSoon()

    def due(self) -> Due:
        """
        When to renew what is served, and why then.
        """
        assert self._facts is not None
        # The same for one certificate however often it is asked for: a due date
        # that moves would make a restart ask again.
        jitter = Random(self._facts.serial).random()
        due = renewalDue(self._facts.notBefore, self._facts.notAfter, jitter, self._window)
        if not (due.isSuggested and self._hurries):
            return due
        latest = renewAt(self._facts.notBefore, self._facts.notAfter)
        soonest = self._since + _HURRY * 2.0 ** min(self._hurries - 1, 16)
        return replace(due, at=max(due.at, min(soonest, latest)))

    @property
    def isSuggested(self) -> bool:
        """
        Whether the authority's window has begun and is not over, or is over
        because there was no time to renew: then it counts the renewal against
        no limit.
        """
        return self._canReplace and self._window is not None and self._window.start <= self._clock.seconds()

    @property
    def replaces(self) -> bytes | None:
        """
        What the next order is to be told to replace (RFC 9773 section 5), PEM;
        L{None}: nothing.
        """
        if not self._canReplace or self._facts is None or self._facts.notAfter <= self._clock.seconds():
            return None
        return self._chain

    def refused(self) -> None:
        """
        The authority does not take what is served for one that can be replaced.
        """
        self._canReplace = False

    def stop(self) -> None:
        """
        Ask for nothing any more, until another one is served.
        """
        self._bell.clear()
        if self._asking is not None:
            self._asking.cancel()

    def end(self) -> None:
        """
        Ask for nothing ever again.
        """
        self.stop()
        self._bell.end()

    def _askSoon(self) -> None:
        if self.advise is not None and self._facts is not None:
            self._bell.set(self._clock.seconds() + _SPREAD * self._chance.random())

    def _ask(self) -> None:
        if self.advise is not None:
            self._asking = asking = self.advise(self._chain)
            asking.addCallbacks(self._advised, self._unadvised)

    def _advised(self, said: RenewalFacts | None) -> None:
        self._asking, self._failures = None, 0
        # Who says nothing of any certificate may begin to, some day.
        asked = _SAYS_NOTHING if said is None else said.retryAfter
        self._bell.set(self._clock.seconds() + adviceAfter(0, asked=asked))
        window = None if said is None else Window(said.start, said.end, said.explanation)
        if window == self._window:
            return
        before, self._window = self._window, window
        if before is not None and window is not None:
            self._log.info(
                "The authority wants the certificate for {names} to be renewed between {start} and {end}",
                event="renewal-moved",
                names=self._names,
                start=when(window.start),
                end=when(window.end),
                explanation=window.explanation,
            )
        self._changed()

    def _unadvised(self, failure: Failure) -> None:
        self._asking = None
        why = failure.value
        if isinstance(why, CancelledError):
            return
        self._failures += 1
        asked = why.retryAfter if isinstance(why, IssuanceFailed) else None
        wait = adviceAfter(self._failures, self._chance.random(), asked)
        self._bell.set(self._clock.seconds() + wait)
        # Nothing depends on it: what is known of the window stays, and where
        # nothing is known the fraction of the life decides.
        self._log.debug(
            "When to renew the certificate for {names} could not be asked: {why}",
            event="renewal-unadvised",
            names=self._names,
            why=str(why),
        )
        if not isinstance(why, IssuanceFailed | OSError | ValueError):
            self._log.failure("A defect while asking when to renew", failure=failure)
