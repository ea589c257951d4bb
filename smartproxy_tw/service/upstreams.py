"""
What can be asked about targets while the proxy runs, and that one be drained: how it
stands with each, as all of the data path has it together with what the checks have found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..config.model import Config, Forward, Route, Target, checkedOf
from ..control.slices import inSlices
from ..plane.census import cell, words
from ..routing.steps import Steps, paused
from ..values import dataclass
from .desk import Desk, Question, Refusal, Reply

if TYPE_CHECKING:
    from ..facts import Verdict
    from ..interfaces import IPlane
    from .checkups import Checkups

__all__ = ["Standing", "Upstreams"]


#: The states of a target; of several routes the last one of these is told at a glance.
_GRAVITY = ("healthy", "ejected", "unhealthy", "draining")


class Life(Protocol):
    """
    What is looked at: see L{smartproxy_tw.service.life.Life}.
    """

    @property
    def checkups(self) -> Checkups | None:
        """
        What looks at targets.
        """

    @property
    def diverted(self) -> dict[str, float]:
        """
        Since when which targets are drained, POSIX seconds by name; to be changed here.
        """

    @property
    def isResting(self) -> bool:
        """
        Whether another process is about to take over, or has.
        """

    @property
    def config(self) -> Config:
        """
        What it goes by.
        """

    @property
    def plane(self) -> IPlane | None:
        """
        The data path.
        """


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How it stands with the targets of one route.

    @ivar route: Its name.
    @ivar algorithm: Who is next.
    @ivar targets: Each of them, as it is told.
    """

    route: str
    algorithm: str
    targets: tuple[Mapping[str, Any], ...]


class Upstreams:
    """
    Of one life of a proxy.
    """

    _log = Logger()

    def __init__(self, life: Life, clock: IReactorTime) -> None:
        """
        @param life: What there is.
        @param clock: The time, POSIX seconds.
        """
        self._life = life
        self._clock = clock

    @property
    def diverted(self) -> Mapping[str, float]:
        """
        Since when which targets are drained, POSIX seconds by name.
        """
        return self._life.diverted

    def begin(self, desk: Desk) -> None:
        """
        Take questions.
        """
        desk.take("GET", "/v1/upstreams", self._tell)
        desk.take("POST", "/v1/upstreams/drain", self._drain)
        desk.take("POST", "/v1/upstreams/restore", self._restore)

    def end(self) -> None:
        """
        Nothing is to be ended.
        """

    def verdicts(self) -> dict[str, bool]:
        """
        What the checks have found, by the name of the target: whether it is healthy for
        all that look at it.  Of services what they have is not told one by one.
        """
        found: dict[str, bool] = {}
        for route in self._life.config.routes:
            for forward in route.action.groups if isinstance(route.action, Forward) else ():
                for target in forward.targets if forward.health.active is not None else ():
                    verdict = self._verdict(forward, target)
                    if verdict is not None:
                        name = str(target)
                        found[name] = found.get(name, True) and verdict.isHealthy
        return found

    async def summary(self, tally: Mapping[str, int]) -> dict[str, Any]:
        """
        All of it at a glance.

        @param tally: As L{IPlane.tally<smartproxy_tw.interfaces.IPlane.tally>} has it.
        @return: How many targets there are, and what is not as it should be.
        """
        seen: dict[str, Mapping[str, Any]] = {}
        for standing in await inSlices(self._standings(tally), self._clock):
            for told in standing.targets:
                known = seen.get(told["target"])
                if known is None or _GRAVITY.index(told["state"]) > _GRAVITY.index(known["state"]):
                    seen[told["target"]] = told
        others = [told for told in seen.values() if told["state"] != "healthy"]
        return {
            "targets": len(seen),
            "healthy": len(seen) - len(others),
            "others": [
                {name: told[name] for name in ("target", "state", "reason", "since", "ejected_until")}
                for told in others[:20]
            ],
        }

    async def _tell(self, question: Question) -> Reply:
        question.only("route", "target")
        routes, targets = question.parameters.get("route", ()), question.parameters.get("target", ())
        plane = self._life.plane
        tally: Mapping[str, int] = {} if plane is None else await plane.tally()
        found = await inSlices(self._standings(tally), self._clock)

        def told() -> Iterator[Mapping[str, Any]]:
            for each in found:
                wanted = [one for one in each.targets if not targets or one["target"] in targets]
                if wanted and (not routes or each.route in routes):
                    yield {"route": each.route, "algorithm": each.algorithm, "targets": wanted}

        return Reply({}, listing=("upstreams", told()))

    def _standings(self, tally: Mapping[str, int]) -> Steps[list[Standing]]:
        members: dict[str, dict[str, None]] = {}
        for (name, _), isPause in paused(tally.items()):
            if name.startswith("target_member "):
                service, _, member = words(name)[2].partition(" ")
                members.setdefault(service, {})[member] = None
            if isPause:
                yield
        found = []
        for route, isPause in paused(self._life.config.routes):
            if isinstance(route.action, Forward):
                found.append(self._standing(route, route.action, tally, members))
            if isPause:
                yield
        return found

    def _standing(
        self,
        route: Route,
        forward: Forward,
        tally: Mapping[str, int],
        members: Mapping[str, Mapping[str, None]],
    ) -> Standing:
        targets = []
        for group, target in ((each, target) for each in forward.groups for target in each.targets):
            name = str(target)
            told = self._target(group, target, name, tally)
            if target.isService:
                told["members"] = [
                    self._member(group, target, name, each, tally) for each in members.get(name, ())
                ]
            targets.append(told)
        return Standing(route.name, forward.balance.algorithm, tuple(targets))

    def _target(
        self, forward: Forward, target: Target, name: str, tally: Mapping[str, int]
    ) -> dict[str, Any]:
        def count(word: str) -> int:
            return tally.get(cell(word, "-", name), 0)

        verdict = self._verdict(forward, target)
        until = count("target_until") if count("target_away") else 0
        state, reason, since = self._state(name, verdict, until)
        share = count("target_share")
        return {
            "target": name,
            "state": state,
            "reason": reason,
            "since": _iso(since),
            "draining": name in self.diverted,
            "check": None
            if verdict is None
            else {"healthy": verdict.isHealthy, "reason": verdict.reason, "since": _iso(verdict.since)},
            "ejected_until": _iso(until or None),
            "ejected_in": count("target_away"),
            "weight": target.weight,
            "weight_now": round(target.weight * share / 1000, 3) if share else target.weight,
            "in_use": max(count("target_busy"), count("target_in_use")),
            "kept": count("target_idle"),
            "requests": count("target_requests"),
            "failures": count("target_failures"),
            "members": [],
        }

    def _state(self, name: str, verdict: Verdict | None, until: int) -> tuple[str, str | None, float | None]:
        if name in self.diverted:
            return "draining", "somebody asked for that", self.diverted[name]
        if verdict is not None and not verdict.isHealthy:
            return "unhealthy", verdict.reason, verdict.since
        if until:
            return "ejected", "it has failed several times in a row", None
        return (
            "healthy",
            None if verdict is None else verdict.reason,
            None if verdict is None else verdict.since,
        )

    def _member(
        self, forward: Forward, service: Target, name: str, member: str, tally: Mapping[str, int]
    ) -> dict[str, Any]:
        host, _, port = member.rpartition(":")
        verdict = self._verdict(forward, replace(service, host=host, port=int(port), isService=False))
        isAway = bool(tally.get(cell("target_member", "ejected", f"{name} {member}")))
        until = tally.get(cell("target_until", "member", f"{name} {member}"), 0) if isAway else 0
        state, reason, since = self._state(member, verdict, int(isAway))
        return {
            "target": member,
            "state": state,
            "reason": reason,
            "since": _iso(since),
            "ejected_until": _iso(until or None),
        }

    def _verdict(self, forward: Forward, target: Target) -> Verdict | None:
        checked, checkups = checkedOf(forward, target), self._life.checkups
        return None if checked is None or checkups is None else checkups.verdict(checked)

    async def _drain(self, question: Question) -> Reply:
        name = self._named(question)
        plane = self._plane()
        if not await self._isKnown(name, plane):
            raise Refusal(
                404, "unknown-target", f"No route has the target {name}: it is written as status has it."
            )
        self._log.info(
            "{asker} asks that nothing new be sent to {target}",
            event="target-drained",
            asker=question.asker,
            target=name,
        )
        # Looked at once more: to ask all of the data path takes its time.
        self._plane()
        self._life.diverted.setdefault(name, self._clock.seconds())
        await plane.divert(name)
        return Reply({"target": name, "draining": True})

    async def _restore(self, question: Question) -> Reply:
        name = self._named(question)
        plane = self._plane()
        if name not in self.diverted:
            raise Refusal(409, "not-drained", f"{name} is not drained.")
        self._log.info(
            "{asker} asks that {target} be sent something again",
            event="target-restored",
            asker=question.asker,
            target=name,
        )
        del self._life.diverted[name]
        await plane.restore(name)
        return Reply({"target": name, "draining": False})

    def _named(self, question: Question) -> str:
        question.only("target")
        name = question.members.get("target")
        if not isinstance(name, str) or not name:
            raise Refusal(400, "bad-question", "Say which: 'target', as the configuration has it.")
        return name

    def _plane(self) -> IPlane:
        if self._life.plane is None:
            raise Refusal(409, "not-possible", "The proxy is about to end.")
        if self._life.isResting:
            raise Refusal(
                409,
                "not-possible",
                "Another process takes the place of this one, and knows already what is drained: ask it.",
            )
        return self._life.plane

    async def _isKnown(self, name: str, plane: IPlane) -> bool:
        for route in self._life.config.routes:
            if isinstance(route.action, Forward) and name in map(str, route.action.targets):
                return True
        tally = await plane.tally()
        return any(
            each.startswith("target_member ") and words(each)[2].partition(" ")[2] == name for each in tally
        )


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
