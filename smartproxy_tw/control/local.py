"""
The data path in this process.

L{LocalPlane} provides the whole vocabulary of L{IPlane} by calling the engine;
its Deferreds have fired when they are returned, but for L{LocalPlane.drain}, and for
L{LocalPlane.useTable} where there are many routes.
"""

from __future__ import annotations

import time
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredLock, succeed
from zope.interface import implementer

from ..actions.applications import Applications
from ..actions.build import buildAction, buildFallback
from ..actions.means import Means
from ..actions.plugged import Plugged
from ..config.model import Application, Forward, Plugin
from ..guards.gatehouse import Gatehouse
from ..interfaces import IPlane
from ..plane.accept import Acceptor
from ..plane.census import cell
from ..plane.engine import Engine
from ..plane.link import Link
from ..plane.poller import Poller
from ..plane.record import AccessRecords
from ..plane.vigil import Vigil
from ..routing.steps import Steps, paused
from ..routing.table import compilingTable
from ..upstream.group import Group
from ..upstream.resolve import Resolver
from ..upstream.standings import Standings
from .garbage import Tenure, unattended
from .slices import inSlices

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from twisted.internet.interfaces import IListeningPort

    from ..config.model import AccessLog, Checked, Config, Route
    from ..facts import Challenge, Credential, Verdict
    from ..interfaces import IAction
    from ..upstream.assortment import Assortment
    from ..upstream.services import Services
    from ..upstream.sources import Source

__all__ = ["LocalPlane"]

# How often draining looks whether it is done, in seconds.
_LOOK = 0.05

#: What few connections or routes need is imported so long after the first table is in use, in seconds, and in
#: quiet moments, rather than before the first answer; but while what is installed is still the same version,
#: and not when a connection waits for it.
_SETTLED = 1.0
_SELDOM = (
    "smartproxy_tw.config.changes",
    "smartproxy_tw.wire.hpack",
    "smartproxy_tw.wire.http2",
    "smartproxy_tw.plane.multiplex",
    "smartproxy_tw.plane.trunk",
    "smartproxy_tw.upstream.shared",
    "smartproxy_tw.upstream.breaker",
    "smartproxy_tw.upstream.assortment",
    "smartproxy_tw.upstream.balanced",
    "smartproxy_tw.actions.amended",
    "smartproxy_tw.actions.block",
    "smartproxy_tw.actions.branches",
    "smartproxy_tw.actions.dynamic",
    "smartproxy_tw.actions.redirect",
    "smartproxy_tw.actions.respond",
    "smartproxy_tw.actions.seen",
    "smartproxy_tw.actions.sticky",
    "smartproxy_tw.guards.passage",
    "smartproxy_tw.guards.advice",
    "smartproxy_tw.guards.cors",
    "smartproxy_tw.guards.crowd",
    "smartproxy_tw.guards.lists",
    "smartproxy_tw.guards.pace",
    "smartproxy_tw.guards.shown",
    "smartproxy_tw.guards.sockets",
    "smartproxy_tw.guards.verifier",
)


def _connecting(route: Route, config: Config) -> float:
    """
    How long a connection to a target may take.
    """
    own = None if route.timeouts is None else route.timeouts.connect
    return config.timeouts.connect if own is None else own


def _isForeign(route: Route) -> bool:
    """
    Whether code of others is run for the requests of a route: an application, a plug-in, what is
    worked out in Python.
    """
    action = route.action
    return isinstance(action, (Application, Plugin)) or (
        isinstance(action, Forward) and action.dynamic is not None
    )


def _awaitsVerdict(route: Route) -> bool:
    """
    Whether another server is asked about the requests of a route.
    """
    return route.security is not None and route.security.forward is not None


def _names(reactor: Any) -> Source:
    # Many configurations have no names to be resolved.
    from ..upstream.sources import usualSource

    return usualSource(reactor)


@implementer(IPlane)
class LocalPlane:
    """
    @ivar engine: What does it.
    """

    def __init__(
        self,
        reactor: Any,
        clock: Callable[[], float] = time.time,
        linger: float = 0.0,
        *,
        sharesPorts: bool = False,
    ) -> None:
        """
        @param reactor: One that watches readers, tells the time and resolves
            names, as all of Twisted's do on Linux.
        @param clock: The time of day, in seconds since 1970.
        @param linger: See L{Poller<smartproxy_tw.plane.poller.Poller>}.  A process
            that may wait so does little else: what it has garbage collected for is
            then decided here too.
        @param sharesPorts: Whether other processes accept on the same sockets.
        """
        self._reactor = reactor
        self._clock = clock
        self._poller = Poller(reactor, linger)
        self._linger = linger
        self._resolver = Resolver(partial(_names, reactor), reactor.seconds, self._poller.after)
        self.engine = Engine(self._poller, clock, sharesPorts=sharesPorts)
        self._gatehouse = Gatehouse(reactor, clock, self.engine.denied)
        self._acceptors: dict[IListeningPort, Acceptor] = {}
        self._groups: dict[tuple[Forward, float], Group | Assortment] = {}
        self._plugged: Plugged | None = None
        self._standings = Standings()
        self._services: Services | None = None
        self._applications = Applications(reactor)
        self._records: AccessRecords | None = None
        self._recordsFor: AccessLog | None = None
        self._isStarted = False
        self._isAlone = linger > 0.0
        self._tenure = Tenure()
        self._seldom = list(_SELDOM[::-1])
        self._turn = DeferredLock()

    def start(self) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        self._isStarted = True
        self._poller.start()
        return succeed(None)

    def adopt(self, port: IListeningPort, number: int) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        self._acceptors[port] = Acceptor(self.engine.entrance(number), port.socket)  # type: ignore[attr-defined]
        return succeed(None)

    def release(self, port: IListeningPort) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        acceptor = self._acceptors.pop(port, None)
        if acceptor is not None:
            acceptor.finish()
        return succeed(None)

    def useTable(self, config: Config) -> Deferred[None]:
        """
        See L{IPlane}.

        What takes long is done in slices, between which connections are served
        as before; then all changes in one moment.

        @return: Fails with L{ValueError} when something that a route names
            cannot be used; everything then stays as it was.
        """
        return self._turn.run(lambda: inSlices(self._usingTable(config), self._reactor))

    def _usingTable(self, config: Config) -> Steps[None]:
        attended = unattended() if self._isAlone else None
        try:
            yield from self._replacingTable(config)
        finally:
            if attended is not None:
                attended()

    def _replacingTable(self, config: Config) -> Steps[None]:
        table = yield from compilingTable(config)
        groups: dict[tuple[Forward, float], Group | Assortment] = {}

        def upstream(seconds: float, forward: Forward) -> Group | Assortment:
            key = (forward, seconds)
            found = groups.get(key)
            if found is None:
                found = self._groups.get(key)
            if found is None and forward.dynamic is not None:
                from ..upstream.assortment import Assortment

                found = Assortment(forward, partial(self._group, seconds), self._reactor.seconds)
            elif found is None:
                found = self._group(seconds, forward)
            groups[key] = found
            return found

        chosen = self._applications.choosing(config.pythonPath)
        # Where there is one for each CPU, a worker has been told how many that is.
        posts = self._gatehouse.posts(config.workers if isinstance(config.workers, int) else 1)
        yield from posts.reading(config.routes)
        actions: dict[str, IAction] = {}
        plugged = Plugged(self._reactor, self._plugged)
        isForeign = isAwaited = False
        means = Means(self._reactor, plugged, config.pythonPath, chosen.action)
        for route, isPause in paused(config.routes):
            isForeign = isForeign or _isForeign(route)
            isAwaited = isAwaited or _awaitsVerdict(route)
            try:
                actions[route.name] = buildAction(
                    route, partial(upstream, _connecting(route, config)), means, posts.before
                )
            except ValueError as why:
                plugged.close(self._plugged)
                where = f" (line {route.line})" if route.line else ""
                raise ValueError(f"Route {route.name!r}{where}: {why}") from why
            if isPause:
                yield
        fallback = buildFallback(config.errorPages)
        if fallback is not None:
            actions[""] = fallback
        records = self._recordsOf(config.accessLog)
        self.engine.use(config, table.ports, actions, records)
        # Both have their answers by the reactor, and what code of others leaves behind is not known.
        self._poller.linger = 0.0 if isForeign or isAwaited else self._linger
        if self._isAlone and not isForeign:
            self._tenure.begin()
        else:
            self._tenure.end()
        chosen.settle()
        self._gatehouse.use(posts)
        former, self._records, self._recordsFor = self._records, records, config.accessLog
        if former is not None and former is not records:
            former.close()
        if self._seldom:
            self._poller.after(_SETTLED, self._acquaint)
        unplugged, self._plugged = self._plugged, plugged
        if unplugged is not None:
            unplugged.close(plugged)
        before, self._groups = self._groups, groups
        gone: set[str] = set()
        for (key, group), isPause in paused(before.items()):
            if key not in groups:
                # What it has counted is not lost, if another one has the same targets.
                group.tell(self.engine.counts, {})
                group.close()
                gone.update(group.names)
            if isPause:
                yield
        if gone:
            for group, isPause in paused(groups.values()):
                gone.difference_update(group.names)
                if isPause:
                    yield
            self.engine.census.forget(gone)

    def _acquaint(self) -> None:
        """
        Import one thing more that some connections need, and go on when nobody waits.
        """
        if not self._seldom:
            return
        name = self._seldom.pop()
        try:
            import_module(name)
        except OSError:
            # There is no descriptor to read it by, for instance.
            self._seldom.append(name)
            self._poller.after(_SETTLED, self._acquaint)
        else:
            self._poller.whenIdle(self._acquaint)

    def _group(self, seconds: float, forward: Forward) -> Group:
        means = self._reactor, self._poller, self._resolver, forward, seconds, self._standings
        if not any(each.isService for each in forward.targets):
            if forward.isPlain:
                return Group(*means)
            from ..upstream.balanced import BalancedGroup

            return BalancedGroup(*means)
        # Few configurations have services.
        from ..upstream.nameservers import ResolvConf
        from ..upstream.serviced import ServicedGroup
        from ..upstream.services import Services, asking

        if self._services is None:
            self._services = Services(asking(self._reactor, ResolvConf().read), self._poller.after)
        return ServicedGroup(*means, self._services)

    def _recordsOf(self, settings: AccessLog) -> AccessRecords:
        if self._records is not None and settings == self._recordsFor:
            return self._records
        return AccessRecords(self._reactor, settings.format, settings.file, self._clock, self.engine.census)

    def install(self, key: str, credential: Credential) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return Deferred.fromCoroutine(self._do(lambda: self.engine.install(key, credential)))

    def uninstall(self, key: str) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return Deferred.fromCoroutine(self._do(lambda: self.engine.uninstall(key)))

    def present(self, challenge: Challenge) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return Deferred.fromCoroutine(self._do(lambda: self.engine.present(challenge)))

    def withdraw(self, challenge: Challenge) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        return Deferred.fromCoroutine(self._do(lambda: self.engine.withdraw(challenge)))

    def judge(self, checked: Checked, verdict: Verdict) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        self._standings.judge(checked, verdict)
        return Deferred.fromCoroutine(self._do(lambda: self._heed(checked)))

    def divert(self, target: str) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        self._standings.diverted.add(target)
        return Deferred.fromCoroutine(self._do(self._heed))

    def restore(self, target: str) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        self._standings.diverted.discard(target)
        return Deferred.fromCoroutine(self._do(self._heed))

    def sign(self, secret: bytes) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        self._standings.secret = secret
        return succeed(None)

    def _heed(self, checked: Checked | None = None) -> None:
        for (forward, _), group in self._groups.items():
            if checked is None or forward.health.active == checked.check:
                group.heed()

    async def _do(self, deed: Callable[[], None]) -> None:
        deed()

    def drain(self, seconds: float, streams: float | None = None) -> Deferred[int]:
        """
        See L{IPlane}.  The plane is not to be used after this.
        """
        return Deferred.fromCoroutine(self._drain(seconds, seconds if streams is None else streams))

    async def _drain(self, seconds: float, streams: float) -> int:
        if not self._isStarted:
            # Its poll is open from the beginning, and whoever has a timer there keeps it alive.
            self._poller.stop()
            self._tenure.end()
            return 0
        self._isStarted = False
        acceptors, self._acceptors = self._acceptors, {}
        for acceptor in acceptors.values():
            acceptor.close()
        self.engine.drain()
        cut, begun = 0, self._reactor.seconds()
        for bound, isStream in sorted([(seconds, False), (streams, True)]):
            while self.engine.open and self._reactor.seconds() < begun + bound:
                await self._pause()
            cut += self.engine.cut(isStream)
        for group in self._groups.values():
            group.close()
        if self._plugged is not None:
            self._plugged.close()
        await self._applications.close()
        self._gatehouse.close()
        self._poller.stop()
        self._tenure.end()
        self.engine.pipes.close()
        if self._records is not None:
            self._records.close()
        return cut

    def _pause(self) -> Deferred[None]:
        pause: Deferred[None] = Deferred()
        self._reactor.callLater(_LOOK, pause.callback, None)
        return pause

    def recent(self) -> Deferred[tuple[str, ...]]:
        """
        See L{IPlane}.
        """
        return succeed(self.engine.showcase.recent())

    def reopen(self) -> Deferred[None]:
        """
        See L{IPlane}.
        """
        if self._records is not None:
            self._records.reopen()
        return succeed(None)

    def processes(self) -> dict[int, int]:
        """
        See L{IPlane}.
        """
        return {}

    def tally(self) -> Deferred[dict[str, int]]:
        """
        See L{IPlane}.
        """
        return inSlices(self._counting(), self._reactor)

    def _counting(self) -> Steps[dict[str, int]]:
        counts = self.engine.counts
        standing = {"open": self.engine.open, "http2_open": 0, "http2_streams": 0}
        for link, isPause in paused(list(self._poller.mortals)):
            if isinstance(link, (Link, Vigil)) and link.busy:
                name = cell("target_busy", "-", link.target)
                standing[name] = standing.get(name, 0) + link.busy
            elif (channels := getattr(link, "channels", None)) is not None:
                # A connection of HTTP/2, of a kind that may not be imported yet.
                standing["http2_open"] += 1
                standing["http2_streams"] += len(channels)
            if isPause:
                yield
        for group, isPause in paused(list(self._groups.values())):
            group.tell(counts, standing, self._clock())
            if isPause:
                yield
        if self._records is not None:
            self._records.flush()
        delays = {cell("delays", each, "-"): number for each, number in enumerate(self._poller.delays)}
        delays[cell("delayed", "-", "-")] = int(self._poller.delayed * 1e6)
        return {**counts, **delays, **standing}
