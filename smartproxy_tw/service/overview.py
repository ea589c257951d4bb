"""
What can be asked about a proxy as a whole while it runs: how it stands, by which routes
it goes and which of them takes a URL, and how many connections there are.

Whatever is long is made piece by piece, and whatever thinks long thinks in slices: ten
thousand routes or certificates hold up nobody.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ..control.slices import inSlices
from ..control.state import isGauge
from ..facts import WorkerFacts
from ..interfaces import IPlane, IWorkers
from .desk import Desk, Question, Refusal, Reply

if TYPE_CHECKING:
    from ..config.model import Config
    from ..routing.explain import Circumstances
    from .certificates import Certificates
    from .farewell import Farewell
    from .listeners import Listeners
    from .milestones import Milestones
    from .status import CertificateStatus

__all__ = ["Life", "Overview"]

#: So many certificates that something is wrong with are told at a glance.
_MOST_PROBLEMS = 20

#: After so many certificates in one turn somebody else has his.
_AT_ONCE = 200

#: States in which a certificate is there and good.
_GOOD = ("valid", "unsaved")


class Life(Protocol):
    """
    What is looked at: see L{smartproxy_tw.service.life.Life}.
    """

    listeners: Listeners
    milestones: Milestones

    @property
    def certificates(self) -> Certificates | None:
        """
        The certificates, once there are any.
        """

    @property
    def config(self) -> Config:
        """
        What it goes by.
        """

    @property
    def age(self) -> float:
        """
        For how long, in seconds.
        """

    @property
    def successor(self) -> int | None:
        """
        The process that takes the place of this one.
        """

    @property
    def plane(self) -> IPlane | None:
        """
        The data path.
        """


class Overview:
    """
    Of one life of a proxy.
    """

    def __init__(
        self,
        life: Life,
        farewell: Farewell,
        clock: IReactorTime,
        complete: Callable[[CertificateStatus], CertificateStatus] = lambda status: status,
        upstreams: Callable[[Mapping[str, int]], Awaitable[Mapping[str, Any]]] | None = None,
    ) -> None:
        """
        @param life: What there is.
        @param farewell: Knows whether it is about to end.
        @param clock: The time, POSIX seconds.
        @param complete: Adds to the status of a certificate what others know.
        @param upstreams: Tells of the targets at a glance, of what was counted.
        """
        self._upstreams = upstreams
        self._life = life
        self._farewell = farewell
        self._clock = clock
        self._complete = complete

    def begin(self, desk: Desk) -> None:
        """
        Take questions.
        """
        desk.take("GET", "/v1/status", self._status)
        desk.take("GET", "/v1/routes", self._routes)
        desk.take("GET", "/v1/explain", self._explain)
        desk.take("GET", "/v1/connections", self._connections)
        desk.take("GET", "/openapi.json", self._describe)

    def end(self) -> None:
        """
        Nothing is to be ended.
        """

    async def _status(self, question: Question) -> Reply:
        from .. import __version__

        question.only()
        now, life = self._clock.seconds(), self._life
        uptime = life.milestones.elapsed
        workers, listening = self._workers(), self._listening()
        reason = self._objection(workers, listening)
        tally: Mapping[str, int] = {} if life.plane is None else await life.plane.tally()
        upstreams = {} if self._upstreams is None else await self._upstreams(tally)
        return Reply(
            {
                "version": __version__,
                "process": os.getpid(),
                "started": _iso(now - uptime),
                "uptime": uptime,
                "ready": reason is None,
                "reason": reason,
                "configuration": {
                    "source": life.config.source,
                    "loaded": _iso(now - life.age),
                    "age": life.age,
                    "routes": len(life.config.routes),
                },
                "workers": [
                    {"number": each.number, "process": each.process, "state": each.state} for each in workers
                ],
                "listening": listening,
                "connections": await self._figures(tally),
                "upstreams": upstreams or {"targets": 0, "healthy": 0, "others": []},
                "certificates": await self._certificates(),
            }
        )

    def _workers(self) -> tuple[WorkerFacts, ...]:
        plane: Any = self._life.plane
        if plane is None:
            return ()
        if IWorkers.providedBy(plane):
            found: tuple[WorkerFacts, ...] = plane.workers()
            return found
        return (WorkerFacts(1, os.getpid(), "serving"),)

    def _listening(self) -> list[dict[str, Any]]:
        listeners = self._life.listeners
        adopted = listeners.adopted
        return [
            {"address": each.host, "port": each.port, "adopted": each in adopted}
            for each in listeners.addresses
        ]

    def _objection(self, workers: tuple[WorkerFacts, ...], listening: list[dict[str, Any]]) -> str | None:
        """
        Why no new connection should be sent here; L{None}: one may.
        """
        if self._life.successor is not None:
            return f"process {self._life.successor} serves in its place"
        if self._farewell.hasBegun:
            return "it was asked to finish what it has, and to end"
        if self._life.plane is None:
            return "it is being stopped"
        if not any(each.state == "serving" for each in workers):
            return "no worker serves"
        # Those of a configuration that is not in use yet are no affair of who is served.
        wanted = set(self._life.config.ports)
        if not all(each["adopted"] for each in listening if each["port"] in wanted):
            return "there are ports on which nobody accepts yet"
        return None

    async def _certificates(self) -> dict[str, Any]:
        certificates = self._life.certificates
        states: Counter[str] = Counter()
        problems: list[dict[str, Any]] = []
        failing = valid = 0
        keys = () if certificates is None else certificates.keys
        for number, key in enumerate(keys, 1):
            status = None if certificates is None else certificates.statusOf(key)
            if status is None:
                continue
            status = self._complete(status)
            states[status.state] += 1
            valid += status.state in _GOOD
            if _isFailing(status):
                failing += 1
                if failing <= _MOST_PROBLEMS:
                    problems.append(_problem(status))
            if number % _AT_ONCE == 0:
                await deferLater(self._clock, 0.0)
        return {
            "wanted": states.total(),
            "valid": valid,
            "failing": failing,
            "states": dict(states),
            "problems": problems,
        }

    async def _connections(self, question: Question) -> Reply:
        question.only()
        plane = self._life.plane
        return Reply(await self._figures({} if plane is None else await plane.tally()))

    async def _figures(self, tally: Mapping[str, int]) -> dict[str, Any]:
        limit = self._life.config.limits.connections
        from .busiest import figures

        found = await inSlices(figures(tally), self._clock)
        since = {name: value for name, value in found.counts.items() if not isGauge(name)}
        return {
            "open": found.counts.get("open", 0),
            "limit": limit,
            "counts": since,
            "routes": list(found.routes),
        }

    async def _routes(self, question: Question) -> Reply:
        question.only()
        from ..routing.roster import entry

        routes = self._life.config.routes

        def told() -> Iterator[Mapping[str, Any]]:
            for place, route in enumerate(routes, 1):
                yield entry(route, place)

        return Reply({}, listing=("routes", told()))

    async def _explain(self, question: Question) -> Reply:
        question.only("url", "method", "header", "client", "tls_version")
        urls = question.parameters.get("url", ())
        if len(urls) != 1:
            raise Refusal(
                400, "bad-question", "Say which, once: ?url=https://name/path, with all but letters as %XX."
            )
        from ..routing.explain import explaining
        from ..routing.roster import verdict

        try:
            found = await inSlices(
                explaining(self._life.config, urls[0], _circumstances(question)), self._clock
            )
        except ValueError as why:
            raise Refusal(400, "bad-url", f"{why}.") from None
        members = {
            "url": found.url,
            "route": None if found.route is None else found.route.name,
            "line": None if found.route is None else found.route.line or None,
            "miss": found.miss,
            "deeds": [{"what": word, "text": text} for word, text in found.deeds],
        }
        return Reply(members, listing=("verdicts", map(verdict, found.verdicts)))

    async def _describe(self, question: Question) -> Reply:
        question.only()
        from .openapi import description

        return Reply(description())


def _circumstances(question: Question) -> Circumstances:
    """
    What is told of a request beside its URL.

    @raise Refusal: It is told twice, or cannot be.
    """
    told: dict[str, str] = {}
    for name in ("method", "client", "tls_version"):
        values = question.parameters.get(name, ())
        if len(values) > 1:
            raise Refusal(400, "bad-question", f"{name} is there twice: give it once.")
        told[name] = values[0] if values else ""
    headers, version = question.parameters.get("header", ()), told["tls_version"]
    if version not in ("", "1.2", "1.3"):
        raise Refusal(400, "bad-question", f"{version[:20]!r} is no version of TLS: it is 1.2 or 1.3.")
    tlsVersion: Literal["1.2", "1.3"] | None = "1.2" if version == "1.2" else "1.3" if version else None
    from ..routing.explain import Circumstances

    return Circumstances(tuple(headers), told["method"] or "GET", told["client"], tlsVersion)


def _isFailing(status: CertificateStatus) -> bool:
    return status.state in ("failed", "expired") or status.problem is not None


def _problem(status: CertificateStatus) -> dict[str, Any]:
    return {
        "key": status.key,
        "names": list(status.names),
        "state": status.state,
        "problem": status.problem or status.reason,
        "next_attempt": None if status.nextAttempt is None else _iso(status.nextAttempt),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
