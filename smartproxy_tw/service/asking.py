"""
The orders for one certificate: of whom they are asked, how they count, what they
replace, and whether they are rehearsed.  When to ask is
L{smartproxy_tw.service.appointment}'s, and what is done after a failure
L{smartproxy_tw.service.pursuit}'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..acme.agenda import Wish
from ..acme.errors import AuthorityProblem, PreflightFailed, TooManyNames
from ..acme.excess import mostAllowed
from ..acme.rehearsal import isUnproved, rehearses
from .caution import Caution
from .errors import NotNow
from .status import when
from .ways import Way, Ways

if TYPE_CHECKING:
    from ..acme.budget import Kind, Wait
    from ..facts import Credential
    from ..preflight.findings import Finding
    from .caution import Preflight
    from .rehearsal import Rehearsal
    from .renewal import Renewal
    from .served import Served

__all__ = ["Asking"]

#: What an authority says of a certificate that it does not let another one replace
#: (RFC 9773 section 5): another account's, one it does not know, one that has a
#: successor.
_NOT_REPLACEABLE = frozenset({"alreadyReplaced", "conflict", "malformed", "notFound", "unauthorized"})


class Asking:
    """
    One order at a time.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        ways: Sequence[Way],
        served: Served,
        renewal: Renewal,
        install: Callable[[Credential, Way], Awaitable[None]],
        clock: IReactorTime,
        rehearsal: Rehearsal | None = None,
        preflight: Preflight | None = None,
    ) -> None:
        """
        @param names: All that the certificate is to be for.
        @param ways: Whom to ask, in this order.
        @param served: What there is.
        @param renewal: Knows what is replaced.
        @param install: Serves a certificate, and keeps it.
        @param clock: The time, POSIX seconds.
        @param rehearsal: Tries out what failed again and again; L{None}: nothing
            is tried out.
        @param preflight: Looks whether an order can succeed; L{None}: nobody does.
        """
        self._caution = Caution(preflight, clock)
        self._names = names
        self._served = served
        self._renewal = renewal
        self._install = install
        self._clock = clock
        self._rehearsal = rehearsal
        self.ways = Ways(ways, clock, ", ".join(names))
        self._way = self._first = ways[0]
        self._wish: Wish | None = None
        self._unproved = 0
        self._real = 0.0

    def recall(self, failures: int) -> None:
        """
        An earlier process has failed so often.
        """
        self._unproved, self._real = failures, self._clock.seconds()

    @property
    def isWaiting(self) -> bool:
        """
        Whether an order's turn has not come.
        """
        return self._wish is not None and self._way.admission.isWaiting(self._wish)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """
        What is seen to be in the way.
        """
        return self._caution.findings

    def wait(self) -> Wait | None:
        """
        Why an order waits; L{None}: it does not, or just for its turn.
        """
        return None if self._wish is None else self._way.admission.waitOf(self._wish)

    def touch(self, asked: float) -> None:
        """
        A client has asked for the certificate.

        @param asked: When, POSIX seconds.
        """
        if self._wish is not None and self.isWaiting:
            self._way.admission.touch(self._wish, asked)

    def obstacle(self) -> NotNow | None:
        """
        Why an order for all the names, if it were placed now, would come to nothing
        or be kept waiting; L{None}: for no reason that is known.
        """
        way = self.ways.first
        if not self.ways.asksOneOnly(self._served.urgentAt(self._names)):
            return None
        if way.admission.outage is not None:
            again = way.admission.nextProbe
            return NotNow("away", str(way.admission.outage), again)
        wish = self._wishFor(self._names, way, self._replacedBy(self._names, way))
        held = way.admission.holdOf(self._names, wish.kind)
        if held is None:
            return None
        return NotNow("held", f"No order may be placed before {when(held.until)}: {held.why}.", held.until)

    async def askForAll(self) -> None:
        """
        Have a certificate for all the names.

        @raise IssuanceFailed: There is none.
        """
        try:
            if self._rehearsal is not None and rehearses(self._unproved, self._clock.seconds() - self._real):
                await self._rehearse(self._rehearsal)
            real, self._real = self._real, self._clock.seconds()
            await self.askFor(self._names)
        except PreflightFailed:
            self._real = real
            raise
        except Exception as why:
            self._unproved = self._unproved + 1 if isUnproved(why) else 0
            raise
        self._unproved = 0

    async def _rehearse(self, rehearsal: Rehearsal) -> None:
        try:
            await self._look(self._first, self._names)
        except PreflightFailed:
            # Those who are asked hear of it, one after the other.
            return
        await rehearsal.tryOut(self._names)

    async def _look(self, way: Way, names: tuple[str, ...]) -> None:
        isEnding = self._served.covers(names) and self._served.urgentAt(names) <= self._clock.seconds()
        await self._caution.before(names, way.identify, isUrgent=isEnding)

    async def askFor(self, names: tuple[str, ...]) -> None:
        """
        Have a certificate for some of the names.

        @raise IssuanceFailed: There is none.
        """
        await self.ways.follow(lambda way: self._ask(way, names), self.wait, self._served.urgentAt(names))

    async def _ask(self, way: Way, names: tuple[str, ...]) -> None:
        def install(credential: Credential) -> Deferred[None]:
            return Deferred.fromCoroutine(self._installed(credential, way))

        def obtain() -> Deferred[Credential]:
            if replaces is None:
                return way.obtain(names, install)
            return way.obtain(names, install, replaces=replaces)

        def order() -> Deferred[Credential]:
            return Deferred.fromCoroutine(self._caution.beside(names, way.identify, obtain))

        await self._look(way, names)
        replaces = self._replacedBy(names, way)
        self._way, self._wish = way, self._wishFor(names, way, replaces)
        try:
            await way.admission.admit(self._wish, order)
        except AuthorityProblem as why:
            most = mostAllowed(why, len(names))
            if most is not None:
                way.admission.learn(most)
                raise TooManyNames(way.directory, len(names), most) from why
            if replaces is None or why.byName or why.problem.word not in _NOT_REPLACEABLE:
                raise
            self._renewal.refused()
        else:
            return
        finally:
            self._wish = None
        await self._ask(way, names)

    def _replacedBy(self, names: tuple[str, ...], way: Way) -> bytes | None:
        isOwn = way is self._served.issuer and names == self._names and self._served.covers(names)
        return self._renewal.replaces if isOwn else None

    async def _installed(self, credential: Credential, way: Way) -> None:
        await self._install(credential, way)

    def _wishFor(self, names: tuple[str, ...], way: Way, replaces: bytes | None) -> Wish:
        kind: Kind = "renewal" if self._served.isFor(names) and way is self._served.issuer else "new"
        if replaces is not None and self._renewal.isSuggested:
            kind = "suggested"
        return Wish(names, kind, ends=self._served.ends(names))
