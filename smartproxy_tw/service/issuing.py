"""
The way to the certificate authority, built with the first order or question.

What speaks ACME costs time to import that is better spent after the ports are
bound, and a proxy without certificates by ACME never needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed

if TYPE_CHECKING:
    from ..acme.choices import Choices
    from ..acme.issuer import Issuer
    from ..acme.journal import Journal
    from ..acme.objects import RenewalFacts
    from ..config.model import Authority, Config
    from ..facts import Credential
    from ..interfaces import IAccountStore, IPresenter
    from ..preflight.caa import Identity
    from .milestones import Milestones

__all__ = ["LateIssuer"]


class LateIssuer:
    """
    Places orders as the configuration says.
    """

    def __init__(
        self,
        reactor: Any,
        config: Config,
        plane: IPresenter,
        accounts: IAccountStore,
        journal: Journal,
        milestones: Milestones,
        authority: Authority | None = None,
        twins: Journal | None = None,
        choices: Choices | None = None,
    ) -> None:
        """
        @param reactor: For connections and time.
        @param config: Whom to ask, and which challenges can be answered.
        @param plane: What presents the answers.
        @param accounts: Where the account rests.
        @param journal: The orders under way.
        @param milestones: Told when a first challenge is presented, and a
            first certificate installed.
        @param authority: Which of the configuration's; by default the preferred.
        @param twins: The orders under way for second certificates.
        @param choices: Knows which ways to prove a name have failed; by default one of
            its own.
        """
        self._reactor = reactor
        self._config = config
        self._authority = authority or config.acme
        self._plane = plane
        self._accounts = accounts
        self._journal = journal
        self._twins = twins
        self._milestones = milestones
        self._choices = choices
        self._issuer: Issuer | None = None

    def obtain(
        self,
        names: tuple[str, ...],
        install: Callable[[Credential], Deferred[None]],
        *,
        replaces: bytes | None = None,
        isTwin: bool = False,
    ) -> Deferred[Credential]:
        """
        See L{Obtain<smartproxy_tw.service.ways.Obtain>}.
        """
        return self._made().obtain(names, install, replaces=replaces, isTwin=isTwin)

    def revoke(
        self, credential: Credential, reason: int | None = None, *, byKey: bool = False
    ) -> Deferred[None]:
        """
        See L{Revoke<smartproxy_tw.service.revoking.Revoke>}.
        """
        return self._made().revoke(credential, reason, byKey=byKey)

    def advise(self, chain: bytes) -> Deferred[RenewalFacts | None]:
        """
        See L{Advise<smartproxy_tw.service.renewal.Advise>}.
        """
        return self._made().advise(chain)

    def probe(self) -> Deferred[None]:
        """
        See L{Probe<smartproxy_tw.service.admission.Probe>}.
        """
        return self._made().probe()

    def identify(self) -> Deferred[Identity]:
        """
        See L{Identify<smartproxy_tw.service.caution.Identify>}.
        """
        from ..preflight.caa import Identity

        return self._made().identify().addCallback(lambda found: Identity(*found))

    def changeKey(self) -> Deferred[None]:
        """
        See L{Issuer.changeKey<smartproxy_tw.acme.issuer.Issuer.changeKey>}.
        """
        return self._made().changeKey()

    def deactivate(self) -> Deferred[None]:
        """
        See L{Issuer.deactivate<smartproxy_tw.acme.issuer.Issuer.deactivate>}.
        """
        return self._made().deactivate()

    def close(self) -> Deferred[None]:
        """
        Close the connections to the authority, once no order is under way.
        """
        return succeed(None) if self._issuer is None else self._issuer.close()

    def _made(self) -> Issuer:
        if self._issuer is None:
            self._issuer = self._make()
        return self._issuer

    def _make(self) -> Issuer:
        from ..acme.issuer import Issuer

        return Issuer(
            self._reactor,
            self._authority,
            challenges=self._config.challenges,
            accounts=self._accounts,
            plane=self._plane,
            observe=self._observe,
            journal=self._journal,
            twins=self._twins,
            choices=self._choices,
        )

    def _observe(self, event: str, **_: object) -> None:
        if event == "presented":
            self._milestones.reach("presented")
        elif event == "installed":
            self._milestones.reach("installed")
