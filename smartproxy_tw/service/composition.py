"""
What one life of a proxy is made of: chosen by the configuration, and by what whoever
embeds the proxy has handed in.

Nothing is opened, bound or asked here.  A part that is needed late is made late, so
that no port waits for what it has to import.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from ..acme.budget import limitsOf
from ..acme.choices import Choices
from ..acme.clocks import wallClock
from ..acme.journal import Journal
from ..acme.rehearsal import stagingOf
from ..control.garbage import unattended
from ..values import dataclass
from .admission import Admission
from .authorities import Asked
from .berths import Berths, namesIn
from .caution import Preflight
from .certificates import Certificates
from .issuing import LateIssuer
from .life import Life
from .listeners import Listen, Listeners, listenBy, takeBy
from .memory import Memory
from .milestones import Milestones
from .presenting import Presenter, nameServerOf, recordsOf
from .rehearsal import Rehearsal
from .storage import Shelf, Storage

if TYPE_CHECKING:
    from txacme.interfaces import ICertificateStore

    from ..config.model import Authority, Checked, Config
    from ..interfaces import IAccountStore, IOrderStore, IPlane
    from ..preflight.look import Look
    from ..store.certificates import Run
    from ..upstream.services import Services
    from .admission import Probe
    from .checkups import Checkups
    from .deposit import Deposit
    from .duties import MakeAdmin
    from .events import Events
    from .handover import Heir
    from .hooks import CertificateHooks
    from .inherited import Inherited
    from .renewal import Advise
    from .responders import Respondents
    from .revoking import Revoke
    from .ways import Obtain

__all__ = ["Composition", "Means"]


@dataclass(frozen=True, slots=True)
class Means:
    """
    What is handed in, for every life: see
    L{SmartProxy<smartproxy_tw.service.tree.SmartProxy>}, which says what each is.
    """

    reactor: Any
    events: Events
    respondents: Respondents
    run: Run
    chance: Random
    plane: Callable[[], IPlane] | None = None
    listen: Listen | None = None
    obtain: Obtain | None = None
    probe: Probe | None = None
    advise: Advise | None = None
    revoke: Revoke | None = None
    certificates: ICertificateStore | None = None
    accounts: IAccountStore | None = None
    linger: float = 0.0
    inherited: Inherited | None = None
    heir: Heir | None = None
    deposit: Deposit | None = None


class Composition:
    """
    The parts of one life.

    @ivar config: What it begins with.
    @ivar berths: The ports beside those of routes, none open yet.
    @ivar storage: The state directory, not open yet.
    @ivar issuers: The ways to authorities that there are, by the URL of each; none
        before the certificates are made.
    @ivar life: What is made of all that.
    """

    def __init__(self, config: Config, means: Means, makeAdmin: Callable[[Composition], MakeAdmin]) -> None:
        """
        @param config: What to do.
        @param means: What to do it with.
        @param makeAdmin: Makes what makes what the proxy is spoken to by.
        """
        self.config = config
        self._means = means
        self._clock = wallClock(means.reactor)
        self._choices = Choices(config.challenges)
        self.issuers: dict[str, LateIssuer] = {}
        self.storage = self._newStorage()
        self.berths = Berths(means.reactor, means.inherited, means.deposit)
        self._records = recordsOf(means.reactor, config)
        self.life = Life(
            config,
            self._newListeners(),
            self.storage,
            means.plane or self._usualPlane,
            self._newCertificates,
            means.reactor,
            nameServerOf(self.berths, config, self._records),
            self._newHooks if config.acme.hooks else None,
            means.events,
            makeAdmin(self),
            means.heir,
            self.berths,
            self._newCheckups,
        )

    def _newStorage(self) -> Storage:
        acme, means = self.config.acme, self._means
        return Storage(
            self.config.stateDir,
            acme.directory,
            self._clock.seconds,
            means.run,
            fallbacks=[each.directory for each in acme.fallbacks],
            hasTwins=acme.keyType == "both",
            certificates=self._foreignStore(),
            accounts=means.accounts,
        )

    def _foreignStore(self) -> ICertificateStore | None:
        if self._means.certificates is None:
            return None
        from ..store.foreign import ForeignCertificates

        return ForeignCertificates(self._means.certificates, self._means.reactor)

    def _newListeners(self) -> Listeners:
        reactor, inherited = self._means.reactor, self._means.inherited
        return Listeners(
            self._means.listen or listenBy(reactor),
            self.config.bind,
            inherited=inherited,
            take=None if inherited is None else takeBy(reactor),
            deposit=self._means.deposit,
            beside=namesIn(self.config),
        )

    def _usualPlane(self) -> IPlane:
        if self.config.workers != 1:
            from ..control.state import counted

            workers = counted(self.config.workers)
            if workers > 1:
                from ..control.supervisor import Supervisor

                return Supervisor(self._means.reactor, workers)
        from ..control.local import LocalPlane

        return LocalPlane(self._means.reactor, linger=self._means.linger)

    def _newCheckups(self, plane: IPlane) -> Checkups:
        from .checkups import Checkups

        means = self._means

        def look(checked: Checked) -> Deferred[str]:
            # Few configurations have anything looked at.
            from ..upstream.looking import look

            return look(means.reactor, checked)

        def services() -> Services:
            from ..upstream.nameservers import ResolvConf
            from ..upstream.services import Services, asking

            return Services(asking(means.reactor, ResolvConf().read), means.reactor.callLater)

        return Checkups(plane, means.reactor, self._clock.seconds, look, services, means.chance)

    def _newHooks(self) -> CertificateHooks:
        from ..programs.running import Programs
        from .hooks import CertificateHooks

        means, deliveries = self._means, self.storage.deliveries
        programs = Programs(means.reactor)
        return CertificateHooks(
            self.config.acme.hooks, programs, means.reactor, deliveries, means.run, means.chance
        )

    def _newCertificates(
        self, plane: IPlane, gate: Callable[[], Deferred[None]], milestones: Milestones
    ) -> Certificates:
        means, storage = self._means, self.storage
        respondents = means.respondents
        presenter = Presenter(plane, respondents.records or self._records, respondents.http)
        preferred = self._newAsked(self.config.acme, storage.own, presenter, milestones)
        isOwn = means.obtain is None
        if means.obtain is not None:
            preferred = replace(
                preferred,
                obtain=means.obtain,
                probe=means.probe,
                advise=means.advise,
                revoke=means.revoke,
                identify=None,
            )
        fallbacks = zip(self.config.acme.fallbacks, storage.fallbacks, strict=True) if isOwn else ()
        return Certificates(
            self.config,
            plane,
            storage,
            [preferred, *(self._newAsked(*each, presenter, milestones) for each in fallbacks)],
            self._clock,
            gate=gate,
            presenter=presenter,
            chance=means.chance,
            events=means.events,
            choices=self._choices,
            **({"unattended": unattended} if means.linger > 0.0 else {}),
            preflight=self._newPreflight(presenter) if isOwn else None,
            rehearsal=self._newRehearsal(presenter) if isOwn else None,
        )

    def _newPreflight(self, presenter: Presenter) -> Preflight | None:
        mode, reactor = self.config.acme.preflight.mode, self._means.reactor
        if mode == "off":
            return None

        def look() -> Look:
            from ..preflight.build import lookFor

            isForeign = self._means.respondents.records is not None
            return lookFor(reactor, self.config, presenter, isForeign=isForeign)

        return Preflight(look, self._choices, reactor, isStrict=mode == "strict")

    def _newAsked(
        self, authority: Authority, shelf: Shelf, presenter: Presenter, milestones: Milestones
    ) -> Asked:
        journal = self._journal(shelf.orders, authority.directory)
        twins = self._journal(shelf.twins, authority.directory)
        issuer = self._newIssuer(presenter, journal, milestones, authority, twins)
        if self._means.obtain is None:
            # Otherwise who hands in how orders are placed says all there is about authorities.
            self.issuers[authority.directory] = issuer
        return Asked(
            shelf,
            issuer.obtain,
            issuer.close,
            Memory(shelf.attempts, shelf.uses, self._means.run),
            issuer.probe,
            issuer.advise,
            journal,
            twins,
            issuer.revoke,
            identify=issuer.identify,
        )

    def _newRehearsal(self, presenter: Presenter) -> Rehearsal | None:
        directory = stagingOf(self.config.acme.directory)
        if directory is None:
            return None
        means = self._means
        authority = replace(self.config.acme, directory=directory, external=None)
        # What happens there is no milestone of a start.
        milestones = Milestones(means.reactor.seconds)
        issuer = self._newIssuer(presenter, Journal(), milestones, authority)
        admission = Admission(limitsOf(directory), None, self._clock, means.chance, issuer.probe)
        return Rehearsal(directory, admission, issuer.obtain, issuer.close)

    def _newIssuer(
        self,
        presenter: Presenter,
        journal: Journal,
        milestones: Milestones,
        authority: Authority,
        twins: Journal | None = None,
    ) -> LateIssuer:
        accounts, reactor = self.storage.accounts, self._means.reactor
        return LateIssuer(
            reactor,
            self.config,
            presenter,
            accounts,
            journal,
            milestones,
            authority,
            twins=twins,
            choices=self._choices,
        )

    def _journal(self, kept: IOrderStore | None, directory: str) -> Journal:
        return Journal(kept, directory, self._clock.seconds())
