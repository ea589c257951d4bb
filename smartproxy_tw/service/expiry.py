"""
Sees to it that somebody hears when a certificate is about to end without a successor.

It is looked for the first time when a tenth of its lifetime is left, which is long after its
successor is due, then each time that half of the rest has gone, and whenever an order has come to
nothing.  It is told once of each certificate: as soon as its successor cannot be had, and in any
case at the last look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

if TYPE_CHECKING:
    from ..acme.x509 import CertificateFacts
    from .alarm import Timetable

__all__ = ["Expiry"]

#: Of the lifetime so much is left when it is looked for the first time.
_FIRST = 0.1
#: Whoever begins with one that ends soon has so long to have another, in seconds.
_GRACE = 300.0
#: And so much when it is told whatever the reason is.
_LAST = 0.01


class Expiry:
    """
    Of one certificate after the other.
    """

    def __init__(
        self,
        timetable: Timetable,
        clock: IReactorTime,
        isFailing: Callable[[], bool],
        tell: Callable[[CertificateFacts], object],
    ) -> None:
        """
        @param timetable: For what is to be done later.
        @param clock: The time, POSIX seconds.
        @param isFailing: Whether its successor could not be had last time.
        @param tell: Told of it, once.  It never raises.
        """
        self._clock = clock
        self._isFailing = isFailing
        self._tell = tell
        self._bell = timetable.bell(self.look)
        self._facts: CertificateFacts | None = None

    def follow(self, facts: CertificateFacts) -> None:
        """
        This one is served from now on.
        """
        self._facts = facts
        self._bell.set(max(facts.notAfter - _FIRST * facts.lifetime, self._clock.seconds() + _GRACE))

    def look(self) -> None:
        """
        Look whether it is to be told.
        """
        facts = self._facts
        if facts is None:
            return
        left = facts.notAfter - self._clock.seconds()
        if left > _FIRST * facts.lifetime:
            return
        isLast = left <= _LAST * facts.lifetime and self._bell.at is None
        if isLast or self._isFailing():
            self._facts = None
            self._bell.clear()
            self._tell(facts)
        elif self._bell.at is None:
            self._bell.set(facts.notAfter - left / 2)

    def end(self) -> None:
        """
        Look no more.
        """
        self._facts = None
        self._bell.end()
