"""
Whether an order can succeed is looked at beforehand, so that an authority's budget is
not spent on what cannot, and the reason is told in words.

There are two ways.  I{Advisory}: the order is placed as it would be, and the look is
taken beside it, when it has not ended at once; what is bad is logged, and goes along
with the message if the order fails.  So nobody ever waits for it.  I{Strict}: the
look comes first, and no order is placed while something is bad, unless what is
served is about to end: a look may err.

Whatever goes wrong with a look itself is no reason to hold an order back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..acme.errors import AuthorityProblem, IssuanceFailed, PreflightFailed
from ..acme.rehearsal import isUnproved
from ..bounds.within import within
from ..preflight.findings import Finding, bad

if TYPE_CHECKING:
    from ..acme.challenges import Kind
    from ..acme.choices import Choices
    from ..preflight.caa import Identity
    from ..preflight.facts import NameFacts
    from ..preflight.look import Look

__all__ = ["DELAY", "Caution", "Identify", "Preflight"]

#: Beside an order it is looked so many seconds after it was placed: where the authority
#: is near it has ended by then, and where it is far it cannot have.
DELAY = 0.5

#: For all names of an order, in seconds.
_LONGEST = 10.0

#: For what the directory says, likewise.
_IDENTIFYING = 3.0

#: By which an authority says that a name is at fault (RFC 8555 section 6.7).
_OF_NAMES = frozenset({"caa", "connection", "dns", "incorrectResponse", "tls", "unauthorized"})

#: Tells by which names an authority knows itself, and our account there.
Identify = Callable[[], "Deferred[Identity]"]

T = TypeVar("T")


class Preflight:
    """
    Looks at the names of orders; one for all certificates.

    @ivar isStrict: Whether an order is held back while something is bad.
    """

    _log = Logger()

    def __init__(
        self, look: Callable[[], Look], choices: Choices, clock: IReactorTime, *, isStrict: bool = False
    ) -> None:
        """
        @param look: Gives what looks at a name; called when the first is looked at.
        @param choices: Knows how a name would be proved.
        @param clock: Bounds it.
        @param isStrict: See L{Preflight.isStrict}.
        """
        self._makeLook = look
        self._look: Look | None = None
        self._choices = choices
        self._clock = clock
        self.isStrict = isStrict

    def ways(self, names: Iterable[str]) -> dict[str, Kind]:
        """
        How names would be proved by an order that is placed now; without those that
        cannot be.
        """
        return {name: kind for name in names if (kind := self._kindOf(name)) is not None}

    async def find(self, ways: Mapping[str, Kind], identify: Identify | None) -> tuple[Finding, ...]:
        """
        Look at names; never fails, but by being cancelled.

        @param ways: What a certificate is to be for, as L{ways} has it.
        @param identify: Of the authority that would be asked; L{None}: nobody
            knows.
        """
        from ..preflight.judge import judge

        try:
            seen = await self._seen(ways)
            isRuled = any(each.caa is not None and each.caa.found for each in seen)
            identity = await self._identity(identify) if isRuled and identify is not None else None
            return tuple(finding for each in seen for finding in judge(each, identity))
        except CancelledError:
            raise
        except Exception:
            self._log.failure("A defect while looking whether an order can succeed")
            return ()

    def avoid(self, findings: Iterable[Finding]) -> None:
        """
        Try another way to prove a name next time, where this one is bad.
        """
        for each in findings:
            kind = self._kindOf(each.name)
            if each.check in ("port", "records") and kind is not None:
                self._choices.unserved(each.name, kind)

    async def _seen(self, ways: Mapping[str, Kind]) -> list[NameFacts]:
        from ..acme.together import together

        if self._look is None:
            self._look = self._makeLook()
        look = self._look
        seen: dict[str, NameFacts] = {}

        async def one(name: str, kind: Kind) -> None:
            seen[name] = await look.at(name, kind)

        looking = Deferred.fromCoroutine(together([one(*each) for each in ways.items()]))
        try:
            await within(_LONGEST, self._clock, looking)
        except TimeoutError:
            # What there is has to do.
            pass
        return [seen[name] for name in ways if name in seen]

    async def _identity(self, identify: Identify) -> Identity | None:
        try:
            return await within(_IDENTIFYING, self._clock, identify())
        except (IssuanceFailed, TimeoutError):
            # The order will say so.
            return None

    def _kindOf(self, name: str) -> Kind | None:
        kinds = self._choices.of(name)
        if name.startswith("*."):
            return "dns-01" if "dns-01" in kinds else None
        return kinds[0] if kinds else None


class Caution:
    """
    What was found for one certificate.

    @ivar findings: What is bad, of each name since its last order that succeeded.
    """

    _log = Logger()

    def __init__(self, preflight: Preflight | None, clock: IReactorTime) -> None:
        """
        @param preflight: Looks; L{None}: nobody does.
        @param clock: The time.
        """
        self._preflight = preflight
        self._clock = clock
        self.findings: tuple[Finding, ...] = ()

    async def before(self, names: tuple[str, ...], identify: Identify | None, *, isUrgent: bool) -> None:
        """
        To be awaited before an order is placed.

        @param names: What it is for.
        @param identify: As of L{Preflight.find}.
        @param isUrgent: Whether it is to be placed in any case.
        @raise PreflightFailed: It is not to be placed.
        """
        if self._preflight is None or not self._preflight.isStrict:
            return
        found = bad(await self._preflight.find(self._preflight.ways(names), identify))
        if found and not isUrgent:
            self._keep(names, found)
            self._preflight.avoid(found)
            byName: dict[str, list[str]] = {}
            for each in found:
                byName.setdefault(each.name, []).append(str(each))
            raise PreflightFailed(
                ((name, "; ".join(texts)) for name, texts in byName.items()),
                isForbidden=all(each.check == "caa" for each in found),
            )
        self._note(names, found)

    async def beside(
        self, names: tuple[str, ...], identify: Identify | None, order: Callable[[], Deferred[T]]
    ) -> T:
        """
        Look beside an order.

        @param names: What it is for.
        @param identify: As of L{Preflight.find}.
        @param order: Places it.
        @raise IssuanceFailed: As the order; what was found is told along with it.
        """
        preflight = self._preflight
        if preflight is None:
            return await order()
        # Here already: when the order has failed the next one will go another way.
        ways = preflight.ways(names)
        looking: Deferred[None] | None = None
        hasFailed = False

        async def look() -> None:
            found = bad(await preflight.find(ways, identify))
            if hasFailed:
                # It is told with that.
                self._keep(names, found)
            else:
                self._note(names, found)

        def begin() -> Deferred[None]:
            nonlocal looking
            looking = Deferred.fromCoroutine(look())
            return looking

        timer = None if preflight.isStrict else self._clock.callLater(DELAY, begin)
        try:
            result = await order()
        except IssuanceFailed as why:
            hasFailed = True
            if _blames(why):
                if timer is not None:
                    if timer.active():
                        timer.cancel()
                    await (looking if looking is not None else begin())
                told = [each for each in self.findings if each.name in names]
                why.advice = f"Seen from here: {'. '.join(map(str, told))}." if told else ""
            raise
        finally:
            if timer is not None and timer.active():
                timer.cancel()
            if looking is not None:
                looking.addErrback(_left)
                looking.cancel()
        self._keep(names, ())
        return result

    def _note(self, names: tuple[str, ...], found: tuple[Finding, ...]) -> None:
        for each in found:
            if each not in self.findings:
                self._log.warn(
                    "The order for {names} is likely to fail: {finding}",
                    event="preflight",
                    names=", ".join(names),
                    finding=str(each),
                    name=each.name,
                    check=each.check,
                )
        self._keep(names, found)

    def _keep(self, names: tuple[str, ...], found: tuple[Finding, ...]) -> None:
        others = tuple(each for each in self.findings if each.name not in names)
        self.findings = (*found, *others)


def _blames(why: IssuanceFailed) -> bool:
    """
    Whether the authority says that a name is at fault.
    """
    return isUnproved(why) or (isinstance(why, AuthorityProblem) and why.problem.word in _OF_NAMES)


def _left(failure: Failure) -> None:
    failure.trap(CancelledError)  # type: ignore[no-untyped-call]
