"""
The way to the certificate authority, built with the first order.

What speaks ACME costs time to import that is better spent after the ports are
bound, and a proxy whose certificates are all valid never needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from ..config.model import Config
from ..facts import Credential
from ..interfaces import IAccountStore, IPlane
from .milestones import Milestones

if TYPE_CHECKING:
    from .automatic import Obtain

__all__ = ["lateIssuer"]


def lateIssuer(
    reactor: Any, config: Config, plane: IPlane, accounts: IAccountStore, milestones: Milestones
) -> Obtain:
    """
    Place orders as the configuration says.

    @param reactor: For connections and time.
    @param config: Whom to ask, and which challenges can be answered.
    @param plane: What answers them.
    @param accounts: Where the account rests.
    @param milestones: Told when a first challenge is presented, and a first
        certificate installed.
    """
    issuers: list[Any] = []

    def obtain(
        names: tuple[str, ...], install: Callable[[Credential], Deferred[None]]
    ) -> Deferred[Credential]:
        if not issuers:
            from ..acme.issuer import Issuer

            issuers.append(Issuer(reactor, config.acme, accounts, plane, config.challenges))
        found: Deferred[Credential] = issuers[0].obtain(names, install)
        return found

    return obtain
