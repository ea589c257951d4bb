"""
Certificates that nobody needs any more: each is served no longer at once, and its order,
if there is one, takes its time to end.

Whoever wants another one for the same names waits for that, since an authority is not to
have two orders for one thing, nor a challenge of the one be withdrawn by the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.logger import Logger
from twisted.python.failure import Failure

from .automatic import AutoCertificate
from .readiness import Readiness

if TYPE_CHECKING:
    from ..interfaces import IPlane
    from .holdings import Holdings
    from .standins import StandIns
    from .succession import AnyCertificate

__all__ = ["Leaving"]


class Leaving:
    """
    Those of one proxy.
    """

    _log = Logger()

    def __init__(self, plane: IPlane, holdings: Holdings, standIns: StandIns) -> None:
        """
        @param plane: What serves.
        @param holdings: Which ones there are, and are to be.
        @param standIns: What is served for others.
        """
        self._plane = plane
        self._holdings = holdings
        self._standIns = standIns
        # Of one identity there are several, where names came and went again meanwhile.
        self._under: dict[str, list[Readiness]] = {}

    def begin(self, certificate: AnyCertificate) -> None:
        """
        Have one end that L{Holdings.release} gave; it is served until L{remove}.
        """
        key = certificate.key
        self._holdings.forget(key)
        left = Readiness()
        under = self._under.setdefault(key, [])
        under.append(left)

        def end(_: object) -> None:
            under.remove(left)
            if not under:
                del self._under[key]
            if isinstance(certificate, AutoCertificate):
                certificate.dismantle()
            left.happen()

        certificate.stop().addErrback(self._defect).addBoth(end)

    def isUnderWay(self, key: str) -> bool:
        """
        Whether one of this identity has still to end.
        """
        return key in self._under

    async def over(self, key: str) -> None:
        """
        Wait until all of this identity have ended that have begun to.
        """
        while under := self._under.get(key):
            await under[0].when()

    async def allOver(self) -> None:
        """
        Wait until all that have begun to end have ended.
        """
        for key in tuple(self._under):
            await self.over(key)

    async def remove(self, key: str) -> None:
        """
        Have one served no longer, and what stood in for it neither.  Never fails.

        @param key: Its identity.
        """
        gone = self._standIns.drop(key)
        await self._uninstall(key)
        await self.removeStandIns(gone)

    async def removeStandIns(self, keys: Iterable[str]) -> None:
        """
        Have those served no longer that stood in for others, unless they are there for
        themselves too.

        @param keys: Their identities, as of L{StandIns.drop}.
        """
        for key in keys:
            if not self._holdings.has(key):
                await self._uninstall(key)

    async def _uninstall(self, key: str) -> None:
        if self._standIns.needs(key):
            # It is shown for another one.
            return
        try:
            await self._plane.uninstall(key)
        except Exception:
            self._log.failure("The certificate {key} is served still, and not needed", key=key)

    def _defect(self, failure: Failure) -> None:
        self._log.failure("A defect while ending a certificate", failure=failure)
