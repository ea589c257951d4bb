"""
What clients get to see under one identity, as far as an authority issued it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from .stock import isCovered

if TYPE_CHECKING:
    from ..acme.x509 import CertificateFacts
    from ..facts import Credential
    from .ways import Way

__all__ = ["Served"]

#: A certificate for all the names is kept, when some of them cannot be proved any
#: more, until this part of its life is left; and from then on whoever can is asked
#: for its successor.  The renewal of all of them has been tried since a third was
#: left.
_ENDING = 1 / 5


class Served:
    """
    One certificate, or none.

    @ivar facts: What it says; L{None} while what is served is self-signed.
    @ivar credential: Itself; L{None} likewise.
    @ivar issuer: Whose it is.
    @ivar isRevoked: Whether it is to be replaced by any other, since its authority
        has declared it invalid.
    """

    def __init__(self, issuer: Way, clock: IReactorTime) -> None:
        """
        @param issuer: Whose it is to be.
        @param clock: The time, POSIX seconds.
        """
        self.facts: CertificateFacts | None = None
        self.credential: Credential | None = None
        self.issuer = issuer
        self.isRevoked = False
        self._clock = clock

    def become(self, credential: Credential, facts: CertificateFacts, issuer: Way) -> None:
        """
        Another one is served.
        """
        self.credential, self.facts, self.issuer = credential, facts, issuer
        self.isRevoked = False

    def covers(self, names: Iterable[str]) -> bool:
        """
        Whether it is for all of these.
        """
        return self.facts is not None and all(isCovered(name, self.facts.names) for name in names)

    def isFor(self, names: Iterable[str]) -> bool:
        """
        Whether it is for these, and no others.
        """
        return self.facts is not None and set(self.facts.names) == set(names)

    def ends(self, names: Iterable[str]) -> float:
        """
        Until when it is good for these names, POSIX seconds; 0: it is not.
        """
        if self.facts is None or self.isRevoked or not self.covers(names):
            return 0.0
        return self.facts.notAfter

    def urgentAt(self, names: Iterable[str]) -> float:
        """
        From when on there is need for another one, POSIX seconds; 0: there is.
        """
        if self.facts is None or self.isRevoked or not self.covers(names):
            return 0.0
        return self.facts.notAfter - _ENDING * self.facts.lifetime

    @property
    def isOver(self) -> bool:
        """
        Whether it has ended.
        """
        return self.facts is not None and self.facts.notAfter <= self._clock.seconds()
