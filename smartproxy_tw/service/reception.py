"""
Who takes the questions that are put to a proxy, and the doors by which they come in:
the admin socket and the metrics, where the configuration has them.

What is behind a door is imported with the first life that has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..acme.clocks import wallClock
from .doors import Doors

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..config.changes import Changes
    from ..config.model import Config
    from ..interfaces import IPlane
    from .admin import Party
    from .certificates import Certificates
    from .composition import Composition
    from .doors import Door
    from .duties import MakeAdmin
    from .eventlog import Verbosity
    from .events import Events
    from .status import CertificateStatus
    from .upgrading import Successor
    from .upstreams import Upstreams

__all__ = ["Reception", "Subject"]


class Subject(Protocol):
    """
    What is asked about.
    """

    @property
    def config(self) -> Config:
        """
        What it does now.
        """

    def reload(self, asker: str) -> Deferred[Changes]:
        """
        See L{smartproxy_tw.service.reloads.Subject}.
        """

    def preview(self) -> Deferred[Changes]:
        """
        Likewise.
        """


class Reception:
    """
    Of one proxy, through all its lives.
    """

    def __init__(
        self,
        reactor: Any,
        subject: Subject,
        events: Events,
        leave: Callable[[], object],
        complete: Callable[[CertificateStatus], CertificateStatus],
        verbosity: Verbosity | None,
        upgrade: Callable[[str], Deferred[Successor]],
    ) -> None:
        """
        @param reactor: Listens, and tells the time.
        @param subject: What is asked about.
        @param events: What happens to its certificates.
        @param leave: Ends it in order, when somebody asks for that.
        @param complete: Adds to the status of a certificate what others know.
        @param verbosity: How much the log has, if that can be changed.
        @param upgrade: Has another process take its place.
        """
        self._upgrade = upgrade
        self._reactor = reactor
        self._subject = subject
        self._events = events
        self._leave = leave
        self._complete = complete
        self._verbosity = verbosity

    def serving(self, composition: Composition) -> MakeAdmin:
        """
        What makes the doors of one life, once everything in it is served.

        @param composition: The life, not made yet.
        """
        return partial(self._doors, composition)

    def _doors(self, composition: Composition, certificates: Certificates, plane: IPlane) -> Doors | None:
        config = composition.config
        if config.admin is None and config.metrics is None:
            return None
        from .metrics import Exporter, Metrics

        def statuses() -> Iterator[CertificateStatus]:
            return map(self._complete, certificates.statuses())

        from .upstreams import Upstreams

        upstreams = Upstreams(composition.life, wallClock(self._reactor))
        metrics = Metrics(lambda: self._subject.config, plane, statuses, upstreams)
        doors: list[Door] = []
        if config.admin is not None:
            from .admin import Admin

            parties = [*self._parties(composition, certificates, upstreams), metrics]
            doors.append(Admin(self._reactor, config.admin, parties, composition.berths))
        if config.metrics is not None:
            where = config.metrics.listen
            doors.append(Exporter(self._reactor, where, metrics, composition.berths))
        return Doors(doors)

    def _parties(
        self, composition: Composition, certificates: Certificates, upstreams: Upstreams
    ) -> Iterator[Party]:
        from .accounts import AccountInquiries, Holder
        from .farewell import Farewell
        from .inquiries import Inquiries
        from .loudness import Loudness
        from .overview import Overview
        from .reloads import Reloads
        from .upgrades import Upgrades

        life, clock = composition.life, wallClock(self._reactor)
        farewell = Farewell(
            self._reactor, self._leave, lambda: life.config.timeouts.drain, lambda: life.hasDeparted
        )
        yield Overview(life, farewell, clock, self._complete, upstreams.summary)
        yield upstreams
        yield Inquiries(certificates, self._events, clock, self._complete)
        yield Reloads(self._subject)
        yield farewell
        yield Upgrades(self._upgrade)
        yield Loudness(self._verbosity)
        holders = [Holder(url, each.changeKey, each.deactivate) for url, each in composition.issuers.items()]
        if holders:
            yield AccountInquiries(holders, composition.storage.accounts)
