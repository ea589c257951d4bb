"""
One life of a proxy, from the first port to the last connection.

The order is the whole point of this module, so here it is, as it is awaited:

 1. the ports are bound (or that has begun, where binding takes its time);
 2. the state directory is taken into use;
 3. the data path says that it is ready, and has its routes;
 4. certificates are loaded into it, from stores that are read meanwhile;
 5. every C{listen} has answered, and the data path accepts on every port;
 6. only now the gate opens, and certificates are asked for;
 7. whoever runs the proxy can speak to it.

The operator's programs hear of certificates from there on.

What fails ends the life: all that had begun is stopped in reverse, and not one
request has gone to an authority.  The end of a proxy is the same way backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..control.errors import PlaneLost
from ..store.directory import StateError
from .binding import Binding
from .changing import Changing
from .datapath import DataPath
from .departure import Departure
from .duties import Duties, MakeAdmin, MakeCertificates
from .errors import ChangeRefused, ListenError, StartError, StoppedError
from .gathering import gathered
from .milestones import Milestones
from .readable import requireReadable, unreadable
from .readiness import Readiness
from .stopping import quietly
from .turnover import Turnover

if TYPE_CHECKING:
    from ..config.model import Config
    from ..interfaces import IPlane
    from .berths import Berths
    from .certificates import Certificates
    from .checkups import Checkups
    from .events import Events
    from .handover import Heir
    from .hooks import CertificateHooks
    from .listeners import Listeners
    from .nameserver import NameServer
    from .storage import Storage

__all__ = ["Life"]


class Life:
    """
    Begins once and ends once.

    @ivar listeners: The ports.
    @ivar milestones: When what happened.
    @ivar departure: How it makes room for another process.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        listeners: Listeners,
        storage: Storage,
        makePlane: Callable[[], IPlane],
        makeCertificates: MakeCertificates,
        clock: IReactorTime,
        nameServer: NameServer | None = None,
        makeHooks: Callable[[], CertificateHooks] | None = None,
        events: Events | None = None,
        makeAdmin: MakeAdmin = lambda *_: None,
        heir: Heir | None = None,
        berths: Berths | None = None,
        makeCheckups: Callable[[IPlane], Checkups] | None = None,
    ) -> None:
        """
        @param config: What to do.
        @param listeners: The ports, not bound yet.
        @param storage: The state directory, not open yet.
        @param makePlane: Makes the data path; called after the ports were
            bound.
        @param makeCertificates: Makes the certificates; called once the
            storage is open; they say what the data path is to know of them.
        @param clock: Measures how long it takes.
        @param nameServer: The proxy's own, if it has one.
        @param makeHooks: Makes what runs the operator's programs, if there are any;
            called once the storage is open.
        @param events: Tells them what happens to certificates.
        @param makeAdmin: Makes what it is spoken to by; called when everything is
            served.
        @param heir: Speaks to the process that this one is to replace.
        @param berths: What else listens.
        @param makeCheckups: Makes what looks at targets; by default nobody does.
        """
        self._heir = heir
        self._config = config
        self._clock = clock
        self._loaded = clock.seconds()
        self.listeners = listeners
        self._binding = Binding(listeners, nameServer, berths)
        self._storage = storage
        self._path = DataPath(makePlane, storage.cookieSecret, makeCheckups)
        self.milestones = Milestones(clock.seconds)
        self._ready = Readiness()
        self._gate = Readiness()
        self._duties = Duties(
            storage, self._binding, makeCertificates, self._gate.when, makeHooks, events, makeAdmin
        )
        self._starting: Deferred[None] | None = None
        self._begun = Readiness()
        self._stopped: Readiness | None = None
        self._ended: Readiness | None = None
        self._error: BaseException | None = None
        self._changing = Changing()
        self.departure = Departure(
            self._binding,
            storage,
            self._duties,
            self._path,
            clock,
            isServing=lambda: self._ready.isReady and not self.isOver,
            settle=self._changing.over,
        )

    @property
    def config(self) -> Config:
        """
        What it goes by.
        """
        return self._config

    @property
    def age(self) -> float:
        """
        For how long it goes by that, in seconds.
        """
        return self._clock.seconds() - self._loaded

    @property
    def plane(self) -> IPlane | None:
        """
        The data path; L{None} before there is one, and when it is being stopped, unless another
        process serves in its place.
        """
        return self._path.plane

    @property
    def checkups(self) -> Checkups | None:
        """
        What looks at targets; L{None} until the data path is there, or where nobody does.
        """
        return self._path.checkups

    @property
    def diverted(self) -> dict[str, float]:
        """
        Since when which targets are drained, POSIX seconds by name.
        """
        return self._path.diverted

    @property
    def certificates(self) -> Certificates | None:
        """
        The certificates; L{None} until the storage is open.
        """
        return self._duties.certificates

    @property
    def hooks(self) -> CertificateHooks | None:
        """
        What runs the operator's programs; L{None} until the ports are served, or where there are
        none.
        """
        return self._duties.hooks

    @property
    def error(self) -> BaseException | None:
        """
        Why this life failed to begin, known at once; L{None} as long as
        nothing failed.
        """
        return self._error

    @property
    def isOver(self) -> bool:
        """
        Whether it ended, is ending, or failed to begin.
        """
        return self._ended is not None or self._stopped is not None

    @property
    def isResting(self) -> bool:
        """
        Whether another process is about to take its place, or has, so that nothing is to be changed
        here.
        """
        return self.departure.isResting

    @property
    def hasDeparted(self) -> bool:
        """
        Whether another process serves in its place.
        """
        return self.departure.hasDeparted

    @property
    def successor(self) -> int | None:
        """
        The process that serves already and takes the place of this one, if there is one.
        """
        return self.departure.successor

    @property
    def hasBegun(self) -> bool:
        """
        Whether anything was bound for it.
        """
        return self._binding.hasBegun

    def whenReady(self) -> Deferred[None]:
        """
        Wait for the moment in which everything is served and provisioning has
        begun.

        @return: A Deferred for this caller.  Fails, once all is stopped again,
            with L{StartError} for what the operator has to mend, with
            L{StoppedError} when the proxy was stopped first, or with a defect.
        """
        return self._ready.when()

    def reopenLogs(self) -> None:
        """
        Have the data path open the access log anew.
        """
        self._path.reopenLogs()

    def bind(self) -> None:
        """
        Begin to bind, the first time that this is called.

        @raise ListenError: A port was refused already; the others are being
            closed.
        """
        if self._heir is not None and not self._binding.hasBegun:
            self._heir.begin(self._clock)
        try:
            self._binding.begin(
                self._config.ports, lambda: self.milestones.reach("bound"), isAlone=self._heir is None
            )
        except ListenError as why:
            self._error = why
            self.end()
            raise

    def begin(self) -> None:
        """
        Go through all the steps; L{whenReady} tells the end of it.

        @raise ListenError: As in L{bind}.
        """
        self.bind()
        self._starting = Deferred.fromCoroutine(self._begin())

    def change(self, config: Config) -> Deferred[None]:
        """
        Go by another configuration.  Not to be called while that goes on.

        @param config: It has nothing in it that needs a restart.
        @return: Fires when it is in use.  Fails with L{ChangeRefused} when it cannot
            be, or with L{StoppedError} when the proxy is stopped first; everything is
            as before then.
        """
        return Deferred.fromCoroutine(self._change(config))

    def end(self) -> Deferred[None]:
        """
        Stop everything, in reverse.

        @return: Fires when all is stopped and closed; never fails.
        """
        if self._ended is None:
            self._ended = Readiness()
            Deferred.fromCoroutine(self._end(self._ended))
        return self._ended.when()

    async def _begin(self) -> None:
        try:
            await self._steps()
        except CancelledError:
            pass
        except Exception as why:
            error = _forTheOperator(why)
            self._error = error
            if not isinstance(error, StartError):
                self._log.failure("A defect while starting", event="start-failed")
            await self._stop()
            self._ready.fail(error)
        else:
            self._ready.happen()
        finally:
            self._begun.happen()

    async def _steps(self) -> None:
        requireReadable()
        lock = None
        if self._heir is not None:
            lock = await self._heir.given()
            # The one before has closed its own, as it orders nothing any more.
            self._binding.bindNames()
        self._storage.open(lock)
        # From here on there is something to be ended, also when it does not begin well.
        plane = self._path.make()
        certificates = self._duties.take(plane, self.milestones)
        # Workers import while this process reads its stores.
        config = certificates.config
        preparing = Deferred.fromCoroutine(self._path.begin(plane, config, self._drainedBefore))
        await gathered([preparing, certificates.load()])
        if certificates.shown is not config:
            await plane.useTable(certificates.shown)
        # What the process before this one has presented is known now.
        self._binding.answerNames()
        # Link one, bound: every listen has answered.
        await self._binding.whenBound()
        # Link two, adopted: all of the data path accepts on all of them.
        await self.listeners.adopt(plane)
        self.milestones.reach("adopted")
        self._log.info(
            "Listening on {addresses}",
            event="listening",
            addresses=", ".join(str(address) for address in self.listeners.addresses) or "no port at all",
        )
        if self._heir is not None:
            # Who asks about a challenge is to find it, whichever process accepts.
            admin = self._config.admin
            await self._heir.alone(None if admin is None else admin.socket)
        # The gate.  Links three and four are awaited inside of each order.
        self._gate.happen()
        self._duties.perform(certificates, plane)

    def _drainedBefore(self) -> Mapping[str, float]:
        if self._heir is None:
            return {}
        # Not once more, if this process is stopped and started.
        drained, self._heir.drained = self._heir.drained, {}
        return drained

    async def _change(self, config: Config) -> None:
        await self.whenReady()
        plane = self._path.plane
        if self.isOver or plane is None or self.certificates is None:
            raise StoppedError("The proxy is stopping.")
        if self.isResting:
            raise ChangeRefused("Another process is about to take over; it has read its configuration.")
        turnover = Turnover(self._config, config, self.listeners, self.certificates, plane, self._clock)
        await self._changing.run(
            turnover, lambda: self._path.sign(plane, config), lambda: self._haveChanged(config)
        )

    def _haveChanged(self, config: Config) -> None:
        self._config, self._loaded = config, self._clock.seconds()
        self._path.follow(config)

    async def _end(self, ended: Readiness) -> None:
        if self._starting is not None and not self._ready.isSettled:
            if self._error is None:
                self._starting.cancel()
            await self._begun.when()
        await self._stop()
        self._ready.fail(self._error or StoppedError("The proxy was stopped before it was ready."))
        ended.happen()

    async def _stop(self) -> None:
        if self._stopped is not None:
            await self._stopped.when()
            return
        stopped = self._stopped = Readiness()
        self._gate.fail(StoppedError("The proxy was stopped before its ports were served."))
        await quietly("the change of the configuration", self._changing.end)
        await self._duties.stop(self._stopServing, hasDeparted=self.departure.hasDeparted)
        self._storage.close()
        stopped.happen()

    async def _stopServing(self) -> None:
        await quietly("the ports", self._binding.close)
        await self._path.stop(self._config.timeouts, hasDeparted=self.departure.hasDeparted)


def _forTheOperator(why: Exception) -> Exception:
    if isinstance(why, StateError | PlaneLost):
        return StartError(str(why))
    if isinstance(why, ImportError):
        # What is imported late is imported by the user that twistd changed to.
        return StartError(unreadable(f"{why}: it cannot be imported"))
    return why
