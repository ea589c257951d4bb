"""
What another configuration comes to, in certificates: those that it wants and that are
not there are made, one machine for each, and those that it does not want are named.

What is made here has asked nobody and serves nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from ..config.model import Auto, CertificateSource, Config, Files
from ..routing.steps import Steps, paused
from .alarm import Timetable
from .automatic import AutoCertificate
from .files import FileCertificate, interval
from .internal import InternalCertificate
from .succession import Succession

if TYPE_CHECKING:
    from ..interfaces import IPlane
    from .authorities import Authorities
    from .caution import Preflight
    from .events import Events
    from .holdings import Holdings
    from .memory import Memory
    from .rehearsal import Rehearsal
    from .storage import Storage

__all__ = ["Making"]


class Making:
    """
    Of the certificates of one proxy.
    """

    def __init__(
        self,
        plane: IPlane,
        storage: Storage,
        authorities: Authorities,
        memory: Memory,
        clock: IReactorTime,
        chance: Random,
        had: Callable[[str], object],
        divide: Callable[[], object],
        *,
        rehearsal: Rehearsal | None = None,
        preflight: Preflight | None = None,
        events: Events | None = None,
    ) -> None:
        """
        @param plane: What serves them.
        @param storage: Has the local authority.
        @param authorities: Whom certificates by ACME are had of.
        @param memory: Remembers failed orders.
        @param clock: The time, POSIX seconds.
        @param chance: Spreads what would happen at one moment.
        @param had: Told of the identity of each by ACME, second ones not included, once there
            is one for all of its names.
        @param divide: Called when an authority says that the names of one are too many.
        @param rehearsal: Tries out what failed again and again.
        @param preflight: Looks whether an order can succeed; L{None}: nobody does.
        @param events: Told what happens.
        """
        self._plane = plane
        self._storage = storage
        self._authorities = authorities
        self._memory = memory
        self._clock = clock
        self._chance = chance
        self._had = had
        self._divide = divide
        self._rehearsal = rehearsal
        self._preflight = preflight
        self._events = events
        self._timetable = Timetable(clock)

    def succession(self, config: Config, holdings: Holdings) -> Steps[Succession]:
        """
        What a configuration needs that is not there, and what is there that it does
        not need.

        @param config: Which, its routes with as many certificates as the authorities demand.
        @param holdings: Which ones are there; they are not to change before the last step.
        """
        sources = _sources(config)
        gone = holdings.unneeded({source.key for source in sources})
        succession = Succession(config, config, gone=gone)
        seconds = interval(sum(isinstance(source, Files) for source in sources))
        for source, isPause in paused(sources):
            if not holdings.has(source.key):
                self._add(source, succession, seconds)
            if isPause:
                yield
        return succession

    def _add(self, source: CertificateSource, succession: Succession, seconds: float) -> None:
        clock, plane = self._clock, self._plane
        if isinstance(source, Auto):
            self._addAuto(source, succession)
        elif isinstance(source, Files):
            succession.files.append(FileCertificate(source, plane, clock, seconds))
        else:
            authority = self._storage.authority
            succession.internal.append(InternalCertificate(source, plane, authority, clock, self._timetable))

    def _addAuto(self, auto: Auto, succession: Succession) -> None:
        if self._authorities.hasTwins:
            succession.twins[auto.key] = self._automatic(replace(auto, isTwin=True))
        succession.first.append(self._automatic(auto, lambda: self._had(auto.key)))

    def _automatic(self, auto: Auto, then: Callable[[], object] | None = None) -> AutoCertificate:
        return AutoCertificate(
            auto,
            self._plane,
            self._authorities.ways(auto),
            self._clock,
            timetable=self._timetable,
            memory=self._memory,
            chance=self._chance,
            rehearsal=self._rehearsal,
            preflight=self._preflight,
            events=self._events,
            then=then,
            divide=self._divide,
        )


def _sources(config: Config) -> tuple[CertificateSource, ...]:
    found: dict[str, CertificateSource] = {}
    for route in config.routes:
        for source in () if route.tls is None else route.tls.sources:
            found.setdefault(source.key, source)
    return tuple(found.values())
