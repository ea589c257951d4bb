"""
All the certificates of one proxy: loaded before anything listens, asked for only
once everything does.

The second half of that is not left to the caller.  Whoever calls
L{Certificates.provisionAll} early is made to wait at the gate, and if the ports
cannot be had, nothing is asked of any authority at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, Literal

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..acme.reasons import REASONS
from ..config.model import Config, twinOf
from .authorities import Asked, Authorities
from .crowd import Crowd
from .errors import NotNow, NotPossible
from .holdings import Holdings
from .leaving import Leaving
from .loading import Loading
from .making import Making
from .presenting import Presenter
from .provisioning import Provisioning
from .replacing import Replacing
from .standins import StandIns

if TYPE_CHECKING:
    from ..acme.choices import Choices
    from ..interfaces import IPlane
    from ..preflight.findings import Finding
    from .automatic import AutoCertificate
    from .caution import Preflight
    from .events import CertificateEvent, Events
    from .rehearsal import Rehearsal
    from .revoking import Revocation
    from .status import CertificateStatus
    from .storage import Storage
    from .succession import Succession

__all__ = ["Certificates"]

#: What the states are called where they are counted.
_WORDS = {
    "missing": "self-signed until there is one",
    "failed": "that could not be had last time",
    "expired": "expired",
    "valid": "valid",
}


def _leftAlone() -> Callable[[], None]:
    """
    Whoever embeds the proxy decides about garbage.
    """
    return lambda: None


class Certificates:
    """
    Sees to it that every terminating route has something to show, and that it
    is as good as can be had.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        plane: IPlane,
        storage: Storage,
        asked: Sequence[Asked],
        clock: IReactorTime,
        *,
        gate: Callable[[], Deferred[None]],
        presenter: Presenter | None = None,
        chance: Random,
        rehearsal: Rehearsal | None = None,
        preflight: Preflight | None = None,
        events: Events | None = None,
        choices: Choices | None = None,
        unattended: Callable[[], Callable[[], None]] = _leftAlone,
    ) -> None:
        """
        @param config: Which are wanted.
        @param plane: What serves.
        @param storage: What was kept; open.
        @param asked: Whom to ask, in this order; at least one.
        @param clock: The time, POSIX seconds.
        @param gate: Gives a Deferred that fires once every port is bound and
            adopted, and fails when that cannot be.
        @param presenter: Presents their answers; by default the data path alone does.
        @param chance: Spreads what would happen at one moment.
        @param rehearsal: Tries out what failed again and again.
        @param preflight: Looks whether an order can succeed; L{None}: nobody does.
        @param events: Told what happens.
        @param choices: Knows how names can be proved.
        @param unattended: Has no garbage collected while very many are asked for, where that
            is ours to decide: see L{smartproxy_tw.control.garbage}.
        """
        self._gate = gate
        self._choices = choices
        self._rehearsal = rehearsal
        self._preflight = preflight
        self._identify = asked[0].identify
        self._authorities = Authorities(
            asked, config.acme, presenter or Presenter(plane, None), clock, chance
        )
        self._crowd = Crowd(plane, clock, lambda: self._authorities.isBusy, self._touch)
        self._holdings = Holdings()
        making = Making(
            plane,
            storage,
            self._authorities,
            asked[0].memory,
            clock,
            chance,
            self._had,
            self._tooMany,
            rehearsal=rehearsal,
            preflight=preflight,
            events=events,
        )
        standIns = StandIns(plane, clock)
        self._leaving = Leaving(plane, self._holdings, standIns)
        self._provisioning = Provisioning(self._holdings, self._leaving, self._authorities, clock, unattended)
        self._replacing = Replacing(
            config,
            plane,
            self._holdings,
            self._authorities,
            making,
            Loading(self._authorities, storage, standIns, clock),
            standIns,
            self._leaving,
            self._provisioning,
            clock,
            asked[0].memory.forget,
        )

    def _had(self, key: str) -> None:
        """
        There is a certificate for all that it is to be for.
        """
        twin = self._holdings.twins.get(key)
        if twin is not None:
            twin.provision()
        self._replacing.showWhole(key)

    def _tooMany(self) -> None:
        self._replacing.divideSoon()

    def load(self) -> Deferred[None]:
        """
        Have something served for every certificate that is wanted: from the
        store, from files, by the local authority, or else self-signed.

        @return: Fires when all of it is installed.  Fails with
            L{CertificateError}, whose text names every pair of files that
            cannot be used, or with L{StateError}.
        """
        return Deferred.fromCoroutine(self._load())

    @property
    def config(self) -> Config:
        """
        The configuration, its routes with as many certificates as the authorities demand.
        """
        return self._replacing.config

    @property
    def shown(self) -> Config:
        """
        The configuration that the data path is to go by: L{config}, but for the
        certificates that stand in for others.
        """
        return self._replacing.shown

    def prepare(self, config: Config) -> Deferred[Succession]:
        """
        Have something served for every certificate that another configuration needs
        besides those that are there: as L{load} does, and nothing is asked for.

        @return: Fires with what the data path is to go by, and what L{settle} or
            L{abandon} has to be called with: until then nothing else is shown anew.
            Fails as L{load}; all is as before then.
        """
        return Deferred.fromCoroutine(self._replacing.prepare(config))

    def abandon(self, succession: Succession) -> Deferred[None]:
        """
        Take back what was prepared.
        """
        return Deferred.fromCoroutine(self._replacing.abandon(succession))

    def settle(self, succession: Succession) -> Deferred[None]:
        """
        Go by another configuration, which the data path does already: ask for what is
        missing, end what nobody needs, and leave everything else alone.  What rests in
        the store stays there.

        @return: Fires when the data path has let go of what nobody needs; the orders
            go on.
        """
        if self._choices is not None:
            self._choices.prefer(succession.config.challenges)
        return Deferred.fromCoroutine(self._replacing.settle(succession))

    def provisionAll(self) -> Deferred[tuple[CertificateStatus, ...]]:
        """
        Ask for every certificate that is missing or due, once the ports are
        bound and adopted, and renew them all in time from then on.  Calling it
        again is harmless: an order that is under way is waited for, and after
        a failure nothing is asked before its time.

        @return: Fires with L{status} when every order has ended, well or not.
            Fails as the gate fails; nothing was asked then.
        """
        return Deferred.fromCoroutine(self._provisionAll())

    def find(self, name: str) -> tuple[str, ...]:
        """
        Which certificates somebody means.

        @param name: A name as people write it, or the identity of a certificate.
        @return: Identities: of those that have this very name, or else of those that
            are for it.
        @raise ValueError: It is no name; the text is the end of a sentence.
        """
        return self._holdings.find(name)

    def ofRoute(self, route: str) -> tuple[str, ...]:
        """
        Which certificates a route has.

        @param route: Its name.
        @return: Identities; of two for the same names, of which one is of RSA, both.
        @raise NotPossible: There is no such route.
        """
        found = next((each for each in self.config.routes if each.name == route), None)
        if found is None:
            raise NotPossible(f"No route is called {route!r}.")
        keys = [source.key for source in (() if found.tls is None else found.tls.sources)]
        twins = [twin for key in keys if (twin := twinOf(key)) is not None and self._holdings.byACME(twin)]
        return (*keys, *twins)

    def provision(self, key: str, *, isRenewal: bool = False, force: bool = False) -> Deferred[None]:
        """
        Have a certificate by ACME if there is none, or if its successor is due; and wait for that.

        @param key: The identity of the certificate.
        @param isRenewal: Whether to have a successor in any case.
        @param force: As of L{renew}.
        @return: Fires when the order has ended, well or not, and at once where there is nothing
            to be done.
        @raise NotNow: As of L{renew}.
        @raise NotPossible: Likewise.
        """
        certificate = self._chosen(key)
        if isRenewal or certificate.standing.isWanting:
            certificate.renew(force=force)
        return certificate.provision()

    @property
    def keys(self) -> tuple[str, ...]:
        """
        The identities of all there are.
        """
        return self._holdings.keys

    def statuses(self) -> Iterator[CertificateStatus]:
        """
        How it stands with each, when it is asked for: for who takes them piece by piece.
        """
        for key in self.keys:
            status = self.statusOf(key)
            if status is not None:
                yield status

    def statusOf(self, key: str) -> CertificateStatus | None:
        """
        How it stands with one of them.

        @param key: Its identity.
        """
        return self._holdings.statusOf(key)

    @property
    def renewable(self) -> Collection[str]:
        """
        The identities of those that L{renew} and L{revoke} take.
        """
        return self._holdings.renewable

    def renew(self, key: str, *, force: bool = False) -> bool:
        """
        Have a successor of a certificate by ACME now, whether it is due or not; it
        is served and saved like any other.  If the order fails it is placed again by
        the usual rules.

        @param key: The identity of the certificate.
        @param force: Whether to do so even if an order has just failed and the next
            is to wait.  What an authority asked for is waited for all the same.
        @return: Whether an order was placed; otherwise one is under way.
        @raise NotNow: None can be placed; nothing has changed then.
        @raise NotPossible: It is none by ACME.
        """
        return self._chosen(key).renew(force=force)

    def look(self, names: Iterable[str]) -> Deferred[tuple[Finding, ...]]:
        """
        Look whether orders for names could succeed, as is done beside each order.

        @param names: Of certificates by ACME.
        @return: Fires within some seconds.  Fails with L{NotPossible} where nobody
            looks.
        """
        if self._preflight is None:
            return fail(NotPossible("The configuration says acme.preflight: off: nothing is looked at."))
        preflight = self._preflight
        return Deferred.fromCoroutine(preflight.find(preflight.ways(names), self._identify))

    def revoke(self, key: str, reason: str = "unspecified") -> Deferred[Revocation]:
        """
        Have whoever issued a certificate declare it invalid, and order another one
        at once; it is served until that one is.  No later process serves it.

        @param key: The identity of the certificate.
        @param reason: One of L{REASONS<smartproxy_tw.acme.reasons.REASONS>}.
        @return: Fires when it is revoked.  Fails with L{NotNow}, L{NotPossible}, or
            an L{IssuanceFailed<smartproxy_tw.acme.errors.IssuanceFailed>} that says
            what the authority says; it is not revoked then, or nobody knows.
        @raise ValueError: There is no such reason.
        """
        if reason not in REASONS:
            raise ValueError(f"{reason!r} is no reason to revoke: {', '.join(REASONS)} are")
        try:
            certificate = self._chosen(key)
        except (NotNow, NotPossible) as why:
            return fail(why)
        return certificate.revoke(reason)

    def _chosen(self, key: str) -> AutoCertificate:
        asking = self._provisioning
        if not asking.isOpen:
            code: Literal["starting", "stopping"] = "stopping" if asking.isStopped else "starting"
            raise NotNow(code, f"The proxy is {code}.")
        found = self._holdings.byACME(key)
        if found is None:
            raise NotPossible(f"{key} is no certificate by ACME: only those are ordered and revoked.")
        return found

    def status(self) -> tuple[CertificateStatus, ...]:
        """
        How it stands with each.
        """
        return tuple(each.status() for each in self._holdings)

    def kept(self) -> tuple[CertificateEvent, ...]:
        """
        What there is to say of each by ACME that is served and in the store, whether
        or not anybody was told of it.
        """
        return tuple(event for each in self._holdings.automatic if (event := each.kept) is not None)

    def stop(self) -> Deferred[None]:
        """
        End every order, withdraw its challenges, and renew nothing any more.

        @return: Fires when that is done.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _load(self) -> None:
        await self._replacing.load()
        states = Counter(status.state for status in self.status())
        self._log.info(
            "Loaded the certificates: {summary}",
            event="certificates-loaded",
            summary=", ".join(f"{count} {_WORDS[state]}" for state, count in states.items()) or "none wanted",
        )

    async def _provisionAll(self) -> tuple[CertificateStatus, ...]:
        await self._gate()
        self._provisioning.begin()
        self._crowd.watch()
        await self._provisioning.all()
        while self._replacing.isDividing:
            await self._replacing.divided()
            await self._provisioning.all()
        return self.status()

    def _touch(self, key: str, asked: float) -> None:
        for each in (key, twinOf(key)):
            certificate = self._holdings.byACME(each)
            if certificate is not None:
                certificate.touch(asked)

    async def _stop(self) -> None:
        self._replacing.stop()
        self._crowd.stop()
        self._provisioning.stop()
        for certificate in self._holdings:
            await certificate.stop()
        await self._leaving.allOver()
        self._authorities.stop()
        if self._rehearsal is not None:
            await self._rehearsal.stop()
        await self._authorities.close()
