"""
Where certificates come from: one account at one authority
(L{smartproxy_tw.acme.registration}), and as many orders as are asked for.

Orders that share a name follow one another.  An order that was under way when the
process ended, or the last try, is taken up again rather than placed a second time
(L{smartproxy_tw.acme.resumption}).  How one order goes is
L{smartproxy_tw.acme.issuance}'s; when to ask again after a failure is the
caller's, with L{smartproxy_tw.acme.schedule}.

This module is cheap to import; what costs time is imported by the first order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from .choices import Choices
from .clocks import wallClock
from .entry import Entry
from .errors import (
    AccountBusy,
    AuthorityNonsense,
    AuthorityProblem,
    NoChallengeUsable,
)
from .journal import Journal
from .registration import MakeClient, Registration
from .resumption import Resumption
from .turns import Turns

if TYPE_CHECKING:
    from ..config.model import Authority
    from ..facts import Credential
    from ..interfaces import IAccountStore, IPresenter
    from .challenges import Kind
    from .client import Client
    from .issuance import Install, Observe
    from .objects import OrderFacts, RenewalFacts

__all__ = ["Issuer"]

T = TypeVar("T")


class Issuer:
    """
    Obtains certificates from one authority.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: Authority,
        *,
        challenges: tuple[Kind, ...],
        accounts: IAccountStore,
        plane: IPresenter,
        observe: Observe | None = None,
        journal: Journal | None = None,
        twins: Journal | None = None,
        makeClient: MakeClient | None = None,
        choices: Choices | None = None,
    ) -> None:
        """
        @param reactor: Makes connections and tells the time.
        @param settings: Whom to ask, and as who.
        @param challenges: The kinds that can be answered, best first, as
            L{Config.challenges<smartproxy_tw.config.model.Config.challenges>}
            has them.
        @param accounts: Where the account rests.
        @param plane: What presents the answers.
        @param observe: Called as C{observe(event, **facts)} at each milestone,
            with C{names} among the facts: C{"ordered"} (C{order}, its URL), or
            C{"resumed"} in its place (likewise),
            C{"presented"}, C{"authorized"}, C{"issued"} (C{notAfter},
            C{issuer}), C{"installed"} (C{seconds} since the order).  What it
            raises ends the order.
        @param journal: The orders under way, read already; by default one that
            is forgotten with the process.
        @param twins: Likewise, of the second certificates for the same names.
        @param makeClient: Makes a client from an account's key and URL; by
            default one that asks C{settings.directory}.
        @param choices: Knows which of C{challenges} have failed; shared by those who
            ask several authorities.
        """
        self._reactor = reactor
        self._clock = wallClock(reactor)
        self._settings = settings
        self._choices = choices or Choices(challenges)
        self._plane = plane
        self._observe: Observe = observe or _unobserved
        self._journal = journal or Journal()
        self._twins = twins or Journal()
        self._registration = Registration(reactor, settings, accounts, makeClient)
        self._resumption = Resumption(self._clock, (self._journal, self._twins), plane)
        self._underWay = 0
        self._turns = Turns()

    def obtain(
        self, names: tuple[str, ...], install: Install, *, replaces: bytes | None = None, isTwin: bool = False
    ) -> Deferred[Credential]:
        """
        Order a certificate and see it installed.

        @param names: What it is to be for, in normal form; one order for all.
        @param install: Called with the certificate, which was checked to fit
            its key and the names; what it returns is awaited.  What it raises
            is what this fails with.
        @param replaces: PEM of the certificate that this one follows, leaf first
            (RFC 9773 section 5), or L{None}.
        @param isTwin: Whether it is the one with a key of RSA, where there are
            two for the same names.
        @return: Fires with the certificate when it is installed and no answer
            is presented any more.  Fails with an
            L{IssuanceFailed<smartproxy_tw.acme.errors.IssuanceFailed>}.  When
            it is cancelled, all answers are withdrawn before it fails with
            L{CancelledError<twisted.internet.defer.CancelledError>}.
        """
        self._underWay += 1
        return Deferred.fromCoroutine(self._obtain(names, install, replaces, isTwin)).addBoth(self._ended)

    def changeKey(self) -> Deferred[None]:
        """
        Give the account a new key; one that does not exist yet is registered.

        @return: Fires when the new key is kept.  Fails with
            L{AccountBusy<smartproxy_tw.acme.errors.AccountBusy>} while orders are
            under way, otherwise as L{changeKey<smartproxy_tw.acme.account.changeKey>}.
        """
        return Deferred.fromCoroutine(self._changeKey())

    def deactivate(self) -> Deferred[None]:
        """
        Give the account up for good.  The next order registers another one.

        @return: Fires when that is done.  Fails as L{changeKey} does.
        """
        return Deferred.fromCoroutine(self._deactivate())

    def revoke(
        self, credential: Credential, reason: int | None = None, *, byKey: bool = False
    ) -> Deferred[None]:
        """
        Have a certificate declared invalid.

        @param reason: One of L{REASONS<smartproxy_tw.acme.account.REASONS>}, or
            L{None}.
        @param byKey: Whether its own key is to ask for it, and not the account.
        @return: Fires when it is revoked.  Fails with an
            L{IssuanceFailed<smartproxy_tw.acme.errors.IssuanceFailed>}, or with
            L{ValueError} when the certificate or its key cannot be read.
        """
        return Deferred.fromCoroutine(self._revoke(credential, reason, byKey))

    def advise(self, chain: bytes) -> Deferred[RenewalFacts | None]:
        """
        Ask when a certificate is to be renewed (RFC 9773), by one request
        without an account.

        @param chain: PEM, leaf first.
        @return: L{None} where the authority does not say so.  Fails with an
            L{IssuanceFailed<smartproxy_tw.acme.errors.IssuanceFailed>}.
        """
        return Deferred.fromCoroutine(self._advise(chain))

    def probe(self) -> Deferred[None]:
        """
        Look whether the authority answers, by one cheap request.

        @return: Fails with
            L{AuthorityUnreachable<smartproxy_tw.acme.errors.AuthorityUnreachable>}
            when it does not, with another
            L{IssuanceFailed<smartproxy_tw.acme.errors.IssuanceFailed>} when it
            answers with a refusal.
        """
        return Deferred.fromCoroutine(self._probe())

    def identify(self) -> Deferred[tuple[tuple[str, ...], str | None]]:
        """
        Tell by which names the authority knows itself in CAA records, and the URL of
        our account there; L{None} before it is registered.

        @return: Fails as L{probe} does.
        """
        return Deferred.fromCoroutine(self._identify())

    def close(self) -> Deferred[None]:
        """
        Close the kept connections to the authority; fires when they are
        closed.  Orders in flight are for their callers to cancel before.
        """
        return self._registration.close()

    async def _probe(self) -> None:
        await self._registration.loaded().refresh()

    async def _identify(self) -> tuple[tuple[str, ...], str | None]:
        client = self._registration.loaded()
        directory = await client.directory()
        return directory.caaIdentities, client.account

    async def _changeKey(self) -> None:
        await self._beAtLeisure()
        await self._registration.changeKey()

    async def _deactivate(self) -> None:
        await self._beAtLeisure()
        await self._registration.deactivate()

    async def _revoke(self, credential: Credential, reason: int | None, byKey: bool) -> None:
        from .account import revoke

        # Who has the key needs no account.
        client = self._registration.loaded() if byKey else await self._registration.signedUp()
        await revoke(client, credential, reason, byKey=byKey)

    async def _beAtLeisure(self) -> None:
        await self._registration.signedUp()
        if self._underWay:
            raise AccountBusy(self._settings.directory, self._underWay)

    def _ended(self, result: T) -> T:
        self._underWay -= 1
        return result

    async def _advise(self, chain: bytes) -> RenewalFacts | None:
        return await self._registration.loaded().renewalInfo(chain)

    async def _obtain(
        self, names: tuple[str, ...], install: Install, replaces: bytes | None, isTwin: bool
    ) -> Credential:
        journal = self._twins if isTwin else self._journal
        async with self._turns.of(names):
            began = self._reactor.seconds()
            entry = journal.unfinished(names)
            wasInherited = journal.isInherited(names)
            order = None if entry is None else await self._resume(entry, journal)
            try:
                credential = await self._follow(names, order, install, replaces, journal)
            except AuthorityProblem as why:
                if order is None or not wasInherited:
                    raise
                # While nobody answered, the authority may have come in vain: that
                # is no fault of the names, and is tried anew at once.
                self._log.info(
                    "Nothing came of the order for {names} that was taken up, another is placed: {why}",
                    event="order-abandoned",
                    names=", ".join(names),
                    why=str(why),
                )
                credential = await self._follow(names, None, install, replaces, journal)
            seconds = self._reactor.seconds() - began
            self._log.debug(
                "The certificate for {names} took {seconds:.3f} s",
                event="order-done",
                names=", ".join(names),
                seconds=seconds,
            )
            self._observe("installed", names=names, seconds=seconds)
            return credential

    async def _follow(
        self,
        names: tuple[str, ...],
        order: OrderFacts | None,
        install: Install,
        replaces: bytes | None,
        journal: Journal,
    ) -> Credential:
        """
        Go through with an order.

        @param order: One to be taken up, or L{None} to place one.
        @param journal: Where it is noted.
        """
        from .issuance import Issuance

        if order is None:
            order = await self._place(names, replaces, journal)
        entry, client = journal.find(names), self._registration.loaded()
        assert entry is not None
        issuance = Issuance(
            self._reactor,
            client,
            self._plane,
            names,
            self._choices,
            self._observe,
            key=entry.key,
            journal=journal,
            presented=journal.challengesOf(entry),
        )
        try:
            credential = await issuance.run(order, install)
        except (AuthorityProblem, AuthorityNonsense, NoChallengeUsable):
            await journal.forget(names)
            raise
        journal.done(names)
        return credential

    async def _place(self, names: tuple[str, ...], replaces: bytes | None, journal: Journal) -> OrderFacts:
        key = await self._newKey(journal is self._twins)
        entry = Entry(self._settings.directory, names, key, self._clock.seconds())
        # The note is on its way to the disk while the authority is asked for its directory.
        noting = journal.begin(entry)
        try:
            client = await self._registration.signedUp()
            profile = await self._profile(client, names)
            # Another order may have found meanwhile that the account is unknown.
            client = await self._registration.signedUp()
            await noting
        except Exception:
            # Nothing was asked for.
            await journal.forget(names)
            raise
        try:
            order = await self._placeWith(client, names, profile, replaces)
        except AuthorityProblem:
            # It was heard, and refused: there is no order.
            await journal.forget(names)
            raise
        await journal.placed(names, client.account, order.url)
        self._log.info("Ordered a certificate for {names}", event="order-placed", names=", ".join(names))
        self._observe("ordered", names=names, order=order.url)
        return order

    async def _placeWith(
        self, client: Client, names: tuple[str, ...], profile: str | None, replaces: bytes | None
    ) -> OrderFacts:
        account = client.account
        try:
            return await client.placeOrder(names, profile, replaces)
        except AuthorityProblem as why:
            if why.problem.word != "accountDoesNotExist":
                raise
            client = await self._registration.renewed(client, account)
            return await client.placeOrder(names, profile, replaces)

    async def _newKey(self, isTwin: bool) -> bytes:
        from .x509 import newKey

        kind = self._settings.keyType
        if kind == "both":
            kind = "rsa" if isTwin else "ecdsa"
        if kind == "ecdsa":
            return newKey()
        # Too long for the data path to stand still.
        return await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), newKey, kind)

    async def _profile(self, client: Client, names: tuple[str, ...]) -> str | None:
        from .profiles import choose

        url, wanted = self._settings.directory, self._settings.profile
        directory = await client.directory()
        if wanted is not None and wanted not in directory.profiles:
            # What is known of the directory may be an hour old.
            directory = await client.refresh()
        return choose(url, wanted, names, directory.profiles)

    async def _resume(self, entry: Entry, journal: Journal) -> OrderFacts | None:
        client = await self._registration.signedUp()
        order = await self._resumption.resume(client, entry, journal)
        if order is not None:
            self._observe("resumed", names=entry.names, order=order.url)
        return order


def _unobserved(event: str, **facts: object) -> None:
    """
    Nobody wants to know.
    """
