"""
Looks at targets where the configuration says so: once for all of the data path, however
many processes that is, and tells it what changes.

What is looked at in the same way for several routes is looked at once.  A reload goes on
with what both configurations have looked at, and with what is known of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..config.model import Checked, Forward, checkedOf
from ..control.errors import PlaneLost
from ..facts import Verdict
from ..upstream.condition import Condition

if TYPE_CHECKING:
    from ..config.model import Config, Target
    from ..interfaces import IPlane
    from ..upstream.services import Member, Services

__all__ = ["Checkups", "Look"]

#: So many looks are under way at a time.
_AT_ONCE = 100

#: The first looks are spread over so many seconds, or a whole interval if that is less.
_SOON = 1.0

#: A look comes so much earlier or later than it is due, as a part of the interval.
_JITTER = 0.1

#: Looks at something: see L{smartproxy_tw.upstream.looking.look}.
Look = Callable[[Checked], "Deferred[str]"]


class Checkups:
    """
    All of one life of a proxy.
    """

    _log = Logger()

    def __init__(
        self,
        plane: IPlane,
        clock: IReactorTime,
        seconds: Callable[[], float],
        look: Look,
        services: Callable[[], Services],
        chance: Random,
    ) -> None:
        """
        @param plane: Is told what is found.
        @param clock: Waits.
        @param seconds: The time of day, POSIX seconds.
        @param look: Looks.
        @param services: Gives what knows services; called when there is one.
        @param chance: Spreads the looks.
        """
        self._plane = plane
        self._clock = clock
        self._seconds = seconds
        self._look = look
        self._makeServices = services
        self._services: Services | None = None
        self._chance = chance
        self._turns = DeferredSemaphore(_AT_ONCE)
        self._lives: dict[Checked, _Life] = {}
        self._offers: dict[str, tuple[Member, ...]] = {}
        self._config: Config | None = None

    def use(self, config: Config) -> None:
        """
        Look at the targets of these routes from now on, and at no others.
        """
        self._config = config
        wanted = {each.host for _, each in self._targets(config) if each.isService}
        for name in [name for name in self._offers if name not in wanted]:
            del self._offers[name]
            if self._services is not None:
                self._services.unwatch(name, self)
        for name in wanted:
            if name not in self._offers:
                self._offers[name] = ()
                self._services = self._services or self._makeServices()
                self._services.watch(name, self)
        self._settle()

    def found(self, name: str, members: Sequence[Member]) -> None:
        """
        See L{Watcher<smartproxy_tw.upstream.services.Watcher>}.
        """
        if name in self._offers:
            self._offers[name] = tuple(members)
            self._settle()

    def verdict(self, checked: Checked) -> Verdict | None:
        """
        What was found; L{None}: nothing yet, or nobody looks.
        """
        life = self._lives.get(checked)
        return None if life is None else life.verdict

    def stop(self) -> None:
        """
        Look no more.
        """
        for name in self._offers:
            if self._services is not None:
                self._services.unwatch(name, self)
        self._offers = {}
        lives, self._lives = self._lives, {}
        for life in lives.values():
            life.stop()

    def _targets(self, config: Config) -> Iterator[tuple[Forward, Target]]:
        for route in config.routes:
            for forward in route.action.groups if isinstance(route.action, Forward) else ():
                if forward.health.active is not None:
                    for target in forward.targets:
                        yield forward, target

    def _settle(self) -> None:
        assert self._config is not None
        wanted: dict[Checked, None] = {}
        for forward, target in self._targets(self._config):
            places = [target]
            if target.isService:
                offered = self._offers.get(target.host, ())
                places = [
                    replace(target, host=each.host, port=each.port, isService=False) for each in offered
                ]
            for place in places:
                checked = checkedOf(forward, place)
                if checked is not None:
                    wanted[checked] = None
        for checked in [each for each in self._lives if each not in wanted]:
            life = self._lives.pop(checked)
            life.stop()
            if life.verdict is not None and not life.verdict.isHealthy:
                # Whoever has it looked at again begins anew.
                self._tell(checked, replace(life.verdict, isHealthy=True))
        for checked in wanted:
            if checked not in self._lives:
                life = self._lives[checked] = _Life(self, checked)
                life.wait(self._chance.uniform(0.0, min(_SOON, checked.check.interval)))

    # For those that look.

    def later(self, seconds: float, then: Callable[[], None]) -> Any:
        """
        Call something after a while.
        """
        return self._clock.callLater(seconds, then)

    def turn(self, checked: Checked) -> Deferred[str]:
        """
        Look, when there are not too many looking.
        """
        found: Deferred[str] = self._turns.run(self._look, checked)
        return found

    def pause(self, checked: Checked) -> float:
        """
        How long until the next look.
        """
        return checked.check.interval * self._chance.uniform(1.0 - _JITTER, 1.0 + _JITTER)

    def judged(self, checked: Checked, before: Verdict | None, isHealthy: bool, reason: str) -> Verdict:
        """
        There is a new verdict.

        @return: It.
        """
        verdict = Verdict(isHealthy, reason, self._seconds())
        if before is None and isHealthy:
            return verdict
        if isHealthy:
            self._log.info(
                "Target {target} is healthy again: {reason}",
                event="target-healthy",
                target=str(checked.target),
                reason=reason,
            )
        else:
            self._log.warn(
                "Target {target} is unhealthy, and nothing is sent there: {reason}",
                event="target-unhealthy",
                target=str(checked.target),
                reason=reason,
            )
        self._tell(checked, verdict)
        return verdict

    def _tell(self, checked: Checked, verdict: Verdict) -> None:
        self._plane.judge(checked, verdict).addErrback(self._untold)

    def _untold(self, failure: Any) -> None:
        if not failure.check(PlaneLost, CancelledError):
            self._log.failure("A defect while telling of a target", failure)


class _Life:
    """
    The looks at one target.
    """

    def __init__(self, owner: Checkups, checked: Checked) -> None:
        self._owner = owner
        self._checked = checked
        self._condition = Condition()
        self._waiting: Any = None
        self._looking: Deferred[str] | None = None
        self._isOver = False
        self.verdict: Verdict | None = None

    def wait(self, seconds: float) -> None:
        self._waiting = self._owner.later(seconds, self._begin)

    def stop(self) -> None:
        self._isOver = True
        if self._waiting is not None and self._waiting.active():
            self._waiting.cancel()
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()

    def _begin(self) -> None:
        self._looking = looking = self._owner.turn(self._checked)
        looking.addCallbacks(
            lambda seen: self._seen(True, seen), lambda failure: self._seen(False, failure.getErrorMessage())
        )

    def _seen(self, isWell: bool, reason: str) -> None:
        self._looking = None
        if self._isOver:
            return
        check, before = self._checked.check, self._condition
        self._condition = after = before.after(isWell, check.rise, check.fall)
        if after.isHealthy is not before.isHealthy or not before.isKnown:
            self.verdict = self._owner.judged(self._checked, self.verdict, after.isHealthy, reason)
        elif self.verdict is not None and isWell is after.isHealthy:
            self.verdict = replace(self.verdict, reason=reason)
        self.wait(self._owner.pause(self._checked))
