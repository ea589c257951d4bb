"""
L{SmartProxy}, the service that users run or embed: fits the life of the parts, which
L{smartproxy_tw.service.composition} puts together, into the phases that a Twisted
service has.

It is handed its reactor and touches no other, installs no signal handlers, and
never ends the process it lives in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.threads import deferToThreadPool

from ..acme.clocks import wallClock
from ..config.selection import homebound
from .composition import Composition, Means
from .errors import ChangeRefused, UpgradeRefused
from .events import Events
from .following import Following
from .gathering import gathered
from .lives import Lives
from .reception import Reception
from .reloading import Read, Reloading
from .responders import Respondents
from .status import figuresOf
from .testator import Testator
from .wishes import Wishes

if TYPE_CHECKING:
    from txacme.interfaces import ICertificateStore, IResponder

    from ..config.changes import Changes
    from ..config.model import Config, Route
    from ..interfaces import IAccountStore, IPlane
    from ..store.certificates import Run
    from .admission import Probe
    from .certificates import Certificates
    from .deposit import Deposit
    from .eventlog import Verbosity
    from .handover import Heir
    from .inherited import Inherited
    from .life import Life
    from .listeners import Listen, Listeners
    from .milestones import Milestones
    from .renewal import Advise
    from .revoking import Revoke
    from .status import CertificateStatus, Figures
    from .upgrading import Successor
    from .ways import Obtain

__all__ = ["SmartProxy"]


class SmartProxy(MultiService):
    """
    A reverse proxy with automatic certificates, as one service.

    Its phases are those of C{twistd}: C{privilegedStartService} binds the ports
    and does nothing else; C{startService} binds what is not bound, and begins
    everything else in its order, the end of which is L{whenReady};
    C{stopService} goes the same way backwards and answers with a Deferred.  It
    may be started again after that.

    What it does can be changed while it runs, see L{reconfigure}.

    Services that are added to it are started and stopped along with it.

    @ivar events: Tells whoever observes it what happens to certificates, for as
        long as the service exists.
    @ivar testator: What another process deals with that is to take the place of this one.
    """

    def __init__(
        self,
        config: Config,
        reactor: Any,
        *,
        plane: Callable[[], IPlane] | None = None,
        listen: Listen | None = None,
        obtain: Obtain | None = None,
        probe: Probe | None = None,
        advise: Advise | None = None,
        revoke: Revoke | None = None,
        certificates: ICertificateStore | None = None,
        accounts: IAccountStore | None = None,
        responders: Iterable[IResponder] = (),
        run: Run | None = None,
        chance: Random | None = None,
        linger: float = 0.0,
        leave: Callable[[], object] | None = None,
        verbosity: Verbosity | None = None,
        read: Read | None = None,
        inherited: Inherited | None = None,
        heir: Heir | None = None,
        upgrade: Callable[[str], Deferred[Successor]] | None = None,
        deposit: Deposit | None = None,
    ) -> None:
        """
        @param config: What to do.
        @param reactor: Provides time, ports, and threads for the disk.
        @param plane: Makes the data path for one life; by default, one in this
            process, or one in as many processes as the configuration says.
        @param listen: Binds a port; by default, with the reactor.
        @param obtain: Places an order; by default, with C{config.acme}.
        @param probe: Looks whether whoever is behind C{obtain} can be reached; by
            default, the next orders do.
        @param advise: Asks whoever is behind C{obtain} when to renew a certificate;
            by default, nobody is asked.
        @param revoke: Has whoever is behind C{obtain} revoke a certificate; by
            default, nobody can be asked.
        @param certificates: Where certificates rest; by default, in
            C{config.stateDir}.  Any C{txacme.interfaces.ICertificateStore}.
        @param accounts: Where ACME accounts rest; likewise.
        @param responders: Who else answers challenges: any
            C{txacme.interfaces.IResponder} for http-01, asked besides the data
            path, or for dns-01, asked in place of C{config.acme.dns}.  With one for
            dns-01 that is the way preferred, unless C{config.acme.challenges} has
            it in a place of its own.
        @param run: Does what waits for the disk; by default, in a thread of
            the reactor's.
        @param chance: Spreads what would happen at one moment.
        @param linger: How long the data path, if it is in this process, may wait
            for its own next event before the rest of the reactor has its turn;
            see L{Poller<smartproxy_tw.plane.poller.Poller>}.
        @param leave: Ends what the proxy is part of, in order, when whoever runs it
            asks for that by the admin socket; by default the proxy itself is stopped.
        @param verbosity: How much the log has, if that can be changed.
        @param read: Reads the configuration anew, for L{reload}; by default the file
            that it came from is read, in a process of its own.
        @param inherited: Sockets that listen already, to be used where a port of the
            configuration has one.
        @param heir: Speaks to the process that this one is to replace.
        @param upgrade: Has another process replace this one, when that is asked for by
            the admin socket.
        @param deposit: Where listening sockets are left for the next process.
        @raise ValueError: The configuration has functions that its workers cannot have.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        _requireTravelling(config)
        self._respondents = Respondents(reactor, responders)
        self._reactor = reactor
        self._clock = wallClock(reactor)
        self.events = Events()
        self._means = Means(
            reactor,
            self.events,
            self._respondents,
            run or partial(_inThread, reactor),
            chance or Random(),
            plane=plane,
            listen=listen,
            obtain=obtain,
            probe=probe,
            advise=advise,
            revoke=revoke,
            certificates=certificates,
            accounts=accounts,
            linger=linger,
            inherited=inherited,
            heir=heir,
            deposit=deposit,
        )
        self._reception = Reception(
            reactor,
            self,
            self.events,
            leave or self.stopService,
            self._withHooks,
            verbosity,
            upgrade or _embedded,
        )
        self._wishes = Wishes(lambda: self.certificates, self.whenReady, self._withHooks)
        self._reloading = Reloading(self, read or self._readAgain)
        self._following = Following(reactor, self.reload)
        self._lives = Lives(
            self._completed(config),
            self._completed,
            self._newLife,
            self._following.follow,
            self.events.tellRoutes,
        )
        self.testator = Testator(self._lives, self._following)

    @property
    def config(self) -> Config:
        """
        What it does.
        """
        return self._lives.config

    @property
    def certificates(self) -> Certificates | None:
        """
        The certificates of the life that goes on; L{None} before their storage
        is open.
        """
        return self._lives.current.certificates

    @property
    def milestones(self) -> Milestones:
        """
        How long the steps of the start took.
        """
        return self._lives.current.milestones

    @property
    def listeners(self) -> Listeners:
        """
        The ports.
        """
        return self._lives.current.listeners

    @property
    def error(self) -> BaseException | None:
        """
        Why the start failed, known as soon as it has; L{None} otherwise.
        """
        return self._lives.current.error

    def status(self) -> tuple[CertificateStatus, ...]:
        """
        How it stands with each certificate.
        """
        return self._wishes.status()

    def figures(self) -> tuple[Figures, ...]:
        """
        How it stands with each certificate, in numbers.
        """
        now = self._clock.seconds()
        return tuple(figuresOf(each, now) for each in self.status())

    def metrics(self) -> Deferred[dict[str, int]]:
        """
        What is counted, since the start, and how it stands now.

        @return: As of L{IPlane.tally<smartproxy_tw.interfaces.IPlane.tally>}; nothing while the
            proxy does not run.
        """
        plane = self._lives.current.plane
        return succeed({}) if plane is None else plane.tally()

    def renew(self, name: str, *, force: bool = False) -> Deferred[tuple[str, ...]]:
        """
        Have certificates by ACME ordered now, be it the first ones or successors.

        @param name: A name that they are for, or the identity of one.
        @param force: As of L{Certificates.renew}.
        @return: The identities of those for which an order was placed; for the others one is
            under way.  Fails with L{ValueError} for what is no name,
            with L{NotPossible<smartproxy_tw.service.errors.NotPossible>} when there is none for
            it, or with L{NotNow<smartproxy_tw.service.errors.NotNow>}.
        """
        return maybeDeferred(self._wishes.renew, name, force=force)

    def certificateStatus(self, route: str) -> tuple[CertificateStatus, ...]:
        """
        How it stands with the certificates of a route.

        @param route: Its name.
        @return: As of L{status}; none for a route without TLS that ends here.
        @raise NotPossible: There is no such route, or the proxy does not run.
        """
        return self._wishes.statusOf(route)

    def provisionCertificate(self, route: str) -> Deferred[tuple[CertificateStatus, ...]]:
        """
        Have the certificates of a route by ACME ordered that are not there or due, and wait for
        them.  At the start that is done by itself for all routes.

        @param route: Its name.
        @return: Fires with how it stands, as soon as all are served; at once when they are.  Fails
            with L{NotProvisioned<smartproxy_tw.service.errors.NotProvisioned>} when an order came
            to nothing, with L{NotNow<smartproxy_tw.service.errors.NotNow>} when none may be placed now,
            with L{NotPossible<smartproxy_tw.service.errors.NotPossible>} when there is no such
            route, or it has no certificate by ACME, and as L{whenReady}.  Cancelling it stops
            nothing but the waiting.
        """
        return self._wishes.provision(route)

    def renewCertificate(self, route: str, *, force: bool = False) -> Deferred[tuple[CertificateStatus, ...]]:
        """
        Have successors of the certificates of a route, due or not, and wait for them.

        @param route: Its name.
        @param force: As of L{renew}.
        @return: As of L{provisionCertificate}.
        """
        return self._wishes.provision(route, isRenewal=True, force=force)

    def reopenLogs(self) -> None:
        """
        Open the access log anew: whoever rotates it has moved it away.
        """
        self._lives.current.reopenLogs()

    def whenReady(self) -> Deferred[None]:
        """
        Wait until every port is bound and served and provisioning has begun.

        @return: A Deferred for this caller.  Fails, once everything is stopped
            again, with L{StartError<smartproxy_tw.service.errors.StartError>}
            for what an operator has to mend, with
            L{StoppedError<smartproxy_tw.service.errors.StoppedError>} when it
            was stopped first, or with whatever else went wrong.
        """
        return self._lives.current.whenReady()

    def compare(self, config: Config) -> Changes:
        """
        What another configuration would change.

        @raise ChangeRefused: It is none.
        """
        return self._lives.compare(config)

    def reconfigure(self, config: Config) -> Deferred[Changes]:
        """
        Go by another configuration from now on.  Only the difference acts: routes that
        are in both keep their connections, pools and tunnels, certificates that both
        need their orders.  Several calls have their turn one after the other, so that
        the last one is what stays.

        @param config: All of it.
        @return: Fires when it is in use, with what has changed.  Fails with
            L{ChangeRefused<smartproxy_tw.service.errors.ChangeRefused>}, whose text is
            all that an operator needs, and everything is as before; of these
            L{RestartNeeded<smartproxy_tw.service.errors.RestartNeeded>} says that no
            running proxy can do it.  Fails with
            L{StoppedError<smartproxy_tw.service.errors.StoppedError>} when the proxy is
            stopped first.  Cancelling it stops nothing but the waiting.
        """
        return self._lives.change(lambda _: config)

    def updateRoutes(self, routes: Iterable[Route]) -> Deferred[Changes]:
        """
        Have these routes in place of all that there are.

        @return: As of L{reconfigure}.
        """
        wanted = tuple(routes)
        return self._lives.change(lambda config: replace(config, routes=wanted))

    def addRoute(self, route: Route) -> Deferred[Changes]:
        """
        Have one more route, which comes last.

        @return: As of L{reconfigure}; a name that is taken is refused.
        """
        return self._lives.change(lambda config: replace(config, routes=(*config.routes, route)))

    def removeRoute(self, name: str) -> Deferred[Changes]:
        """
        Have one route less.

        @return: As of L{reconfigure}; a name that no route has is refused.
        """

        def without(config: Config) -> Config:
            routes = tuple(route for route in config.routes if route.name != name)
            if len(routes) == len(config.routes):
                raise ChangeRefused(f"No route is called {name!r}.")
            return replace(config, routes=routes)

        return self._lives.change(without)

    def reload(self, asker: str = "the program") -> Deferred[Changes]:
        """
        Read the configuration anew and go by it, see L{reconfigure}.  The log says what
        has changed, or why nothing has.

        @param asker: Who wants it, for the log.
        @return: As of L{reconfigure}.  Fails with
            L{ConfigError<smartproxy_tw.config.errors.ConfigError>} too.
        """
        return self._reloading.reload(asker)

    def preview(self) -> Deferred[Changes]:
        """
        What L{reload} would change.
        """
        return self._reloading.preview()

    def privilegedStartService(self) -> None:
        """
        Bind the ports.

        @raise ListenError: One was refused; the others are closed again.
        """
        self._lives.bind()
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """
        Bind what is not bound, and begin the rest.

        @raise ListenError: As in L{privilegedStartService}.
        """
        self._lives.begin()
        super().startService()  # type: ignore[no-untyped-call]

    def stopService(self) -> Deferred[None]:
        """
        Stop everything in reverse: no orders, no new connections, requests in
        flight finished within C{timeouts.drain}.

        @return: Fires when all is closed.
        """
        self._reloading.stop()
        self._following.stop()
        children = maybeDeferred(super().stopService)
        return gathered([children, self._lives.end()]).addCallback(lambda _: None)

    def _readAgain(self) -> Deferred[Config]:
        path = self.config.source
        if path is None:
            why = "There is no file to be read again: the command line, or Python, said what to do."
            return fail(ChangeRefused(why))
        from .reader import readAside

        return readAside(self._reactor, path)

    def _withHooks(self, status: CertificateStatus) -> CertificateStatus:
        hooks = self._lives.current.hooks
        problem = None if hooks is None else hooks.problemOf(status.key)
        if problem is None:
            return status
        return replace(status, problem="; ".join(filter(None, (status.problem, problem))))

    def _completed(self, config: Config) -> Config:
        _requireTravelling(config)
        acme = config.acme
        if self._respondents.records is None or "dns-01" in acme.challenges:
            return config
        return replace(config, acme=replace(acme, challenges=("dns-01", *acme.challenges)))

    def _newLife(self, config: Config) -> Life:
        return Composition(config, self._means, self._reception.serving).life


def _requireTravelling(config: Config) -> None:
    """
    @raise ValueError: Workers are to have what they cannot.
    """
    why = None if config.workers == 1 else homebound(config)
    if why is not None:
        raise ValueError(why)


def _embedded(asker: str) -> Deferred[Successor]:
    return fail(UpgradeRefused("It is part of another program, which alone can be begun anew."))


def _inThread(reactor: Any, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)
