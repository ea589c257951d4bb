"""
The life of one certificate by the local authority: made at each start, and anew
before it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..acme.schedule import renewAt
from ..store.localauthority import LOOPBACK, LocalAuthority
from .status import CertificateStatus

if TYPE_CHECKING:
    from ..config.model import Internal
    from ..interfaces import IPlane
    from .alarm import Timetable

__all__ = ["InternalCertificate"]

#: After a failure, in seconds.  Nobody outside is asked, so nobody is hurt.
_RETRY = 60.0


class InternalCertificate:
    """
    One set of names.
    """

    _log = Logger()

    def __init__(
        self,
        internal: Internal,
        plane: IPlane,
        authority: LocalAuthority,
        clock: IReactorTime,
        timetable: Timetable,
    ) -> None:
        """
        @param internal: The names.
        @param plane: What serves.
        @param authority: Who signs; open when L{load} is called.
        @param clock: The time, POSIX seconds.
        @param timetable: For the next one.
        """
        self._internal = internal
        self._plane = plane
        self._authority = authority
        self._clock = clock
        self._alarm = timetable.bell(self._renew)
        self._isStopped = False
        self._expires: float | None = None
        self._problem: str | None = None

    @property
    def key(self) -> str:
        """
        Its identity.
        """
        return self._internal.key

    def load(self) -> Deferred[None]:
        """
        Make the certificate and have it served.

        @return: Fails with L{ValueError} when that cannot be.
        """
        return Deferred.fromCoroutine(self._make())

    def stop(self) -> Deferred[None]:
        """
        Make no more.
        """
        self._isStopped = True
        self._alarm.end()
        return succeed(None)

    def status(self) -> CertificateStatus:
        """
        How it stands.
        """
        now = self._clock.seconds()
        return CertificateStatus(
            key=self._internal.key,
            source="internal",
            names=self._internal.names or LOOPBACK,
            state="missing" if self._expires is None else "valid" if self._expires > now else "expired",
            expires=self._expires,
            problem=self._problem or self._authority.problem,
            nextAttempt=self._alarm.at,
        )

    async def _make(self) -> None:
        from ..acme.x509 import describe

        credential = self._authority.issue(self._internal.names)
        facts = describe(credential.chain)
        await self._plane.install(self._internal.key, credential)
        self._expires = facts.notAfter
        self._problem = None
        if self._isStopped:
            return
        # Never in a circle, even if the root is about to end.
        soon = self._clock.seconds() + _RETRY
        self._alarm.set(max(renewAt(facts.notBefore, facts.notAfter), soon))

    def _renew(self) -> None:
        Deferred.fromCoroutine(self._renewed())

    async def _renewed(self) -> None:
        try:
            await self._make()
        except Exception as why:
            self._problem = str(why)
            if not self._isStopped:
                self._alarm.set(self._clock.seconds() + _RETRY)
            self._log.failure(
                "The internal certificate for {names} could not be renewed",
                event="certificate-failed",
                names=", ".join(self._internal.names or LOOPBACK),
            )
