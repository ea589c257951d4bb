"""
Certificates as a program asks its proxy for them: by the name of their route, or by one that
they are for.

A wish is no way of its own to an authority: it is put to the same machines that see to
certificates in any case, and one that comes early waits until everything is served.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, maybeDeferred

from .errors import NotPossible, NotProvisioned
from .gathering import gathered
from .shielding import shielded

if TYPE_CHECKING:
    from .certificates import Certificates
    from .status import CertificateStatus

__all__ = ["Wishes"]


class Wishes:
    """
    Those of one program.
    """

    def __init__(
        self,
        certificates: Callable[[], Certificates | None],
        whenReady: Callable[[], Deferred[None]],
        complete: Callable[[CertificateStatus], CertificateStatus],
    ) -> None:
        """
        @param certificates: Those that there are now; L{None} while the proxy does not run.
        @param whenReady: Waits until everything is served.
        @param complete: Adds what others know about one.
        """
        self._certificates = certificates
        self._whenReady = whenReady
        self._complete = complete

    def status(self) -> tuple[CertificateStatus, ...]:
        """
        How it stands with each certificate; none while the proxy does not run.
        """
        known = self._certificates()
        return () if known is None else tuple(map(self._complete, known.status()))

    def statusOf(self, route: str) -> tuple[CertificateStatus, ...]:
        """
        How it stands with the certificates of a route.

        @param route: Its name.
        @return: As of L{status}; none for a route without TLS that ends here.
        @raise NotPossible: There is no such route, or the proxy does not run.
        """
        known = self._certificates()
        if known is None:
            raise NotPossible("The proxy does not run.")
        keys = set(known.ofRoute(route))
        return tuple(each for each in self.status() if each.key in keys)

    def renew(self, name: str, *, force: bool) -> tuple[str, ...]:
        """
        Have certificates by ACME ordered now, and wait for none.

        @param name: A name that they are for, or the identity of one.
        @param force: As of L{Certificates.renew}.
        @return: The identities of those for which an order was placed; for the others one is
            under way.
        @raise ValueError: The name is none.
        @raise NotPossible: There is none for it.
        @raise NotNow: As of L{Certificates.renew}.
        """
        known = self._certificates()
        keys = () if known is None else [key for key in known.find(name) if key in known.renewable]
        if known is None or not keys:
            raise NotPossible(f"There is no certificate by ACME for {name}.")
        return tuple(key for key in keys if known.renew(key, force=force))

    def provision(
        self, route: str, *, isRenewal: bool = False, force: bool = False
    ) -> Deferred[tuple[CertificateStatus, ...]]:
        """
        Have the certificates of a route by ACME ordered, and wait for them.

        @param route: Its name.
        @param isRenewal: Whether also those are that are there and not due.
        @param force: As of L{Certificates.renew}.
        @return: Fires with how it stands, as soon as all are served; at once when they are.  Fails
            with L{NotProvisioned} when an order came to nothing, with
            L{NotNow<smartproxy_tw.service.errors.NotNow>} when none may be placed now,
            with L{NotPossible} when there is no such route, or it has no certificate by ACME, and
            when the proxy does not come to serve.  Cancelling it stops nothing but the waiting.
        """
        return shielded(self._provision(route, isRenewal=isRenewal, force=force))

    async def _provision(self, route: str, *, isRenewal: bool, force: bool) -> tuple[CertificateStatus, ...]:
        await self._whenReady()
        known = self._certificates()
        keys = [] if known is None else [key for key in known.ofRoute(route) if key in known.renewable]
        if known is None or not keys:
            raise NotPossible(f"The route {route!r} has no certificate by ACME.")
        await gathered(
            [maybeDeferred(known.provision, key, isRenewal=isRenewal, force=force) for key in keys]
        )
        found = self.statusOf(route)
        failed = [each for each in found if each.state not in ("valid", "unsaved")]
        if failed:
            raise NotProvisioned(
                "; ".join(f"{', '.join(each.names)}: {each.problem or each.state}" for each in failed)
            )
        return found
