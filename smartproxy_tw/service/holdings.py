"""
Which certificates there are, by kind and by identity.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from ..config.model import Auto
from ..config.names import pattern
from .automatic import AutoCertificate
from .stock import isCovered

if TYPE_CHECKING:
    from .files import FileCertificate
    from .internal import InternalCertificate
    from .status import CertificateStatus
    from .succession import AnyCertificate, Succession

__all__ = ["Holdings"]


class Holdings:
    """
    Those of one proxy.

    @ivar first: Those by ACME.
    @ivar twins: The second ones to them, by the identity of the first.
    @ivar internal: Those by the local authority.
    @ivar files: Those in files.
    """

    def __init__(self) -> None:
        """
        None yet.
        """
        self.first: list[AutoCertificate] = []
        self.twins: dict[str, AutoCertificate] = {}
        self.internal: list[InternalCertificate] = []
        self.files: list[FileCertificate] = []
        self._automatic: dict[str, AutoCertificate] = {}
        self._every: dict[str, AnyCertificate] = {}

    def admit(self, coming: Succession) -> None:
        """
        Have more.
        """
        self.first += coming.first
        self.twins |= coming.twins
        self.internal += coming.internal
        self.files += coming.files
        self._automatic |= {each.key: each for each in (*coming.first, *coming.twins.values())}
        self._every |= {each.key: each for each in coming.every}

    def release(self, keys: Collection[str]) -> list[AnyCertificate]:
        """
        Have fewer.  Those by ACME can still be found as such, until L{forget}.

        @param keys: Whose; one that is not there is nothing.
        @return: Them.
        """
        gone = [each for key in keys if (each := self._every.pop(key, None)) is not None]
        self.first = [each for each in self.first if each.key in self._every]
        self.twins = {key: each for key, each in self.twins.items() if each.key in self._every}
        self.internal = [each for each in self.internal if each.key in self._every]
        self.files = [each for each in self.files if each.key in self._every]
        return gone

    def forget(self, key: str) -> None:
        """
        Know nothing of one that was released.
        """
        self._automatic.pop(key, None)

    def find(self, name: str) -> tuple[str, ...]:
        """
        Which ones somebody means.

        @param name: A name as people write it, or an identity.
        @return: Identities: of those that have this very name, or else of those that
            are for it.
        @raise ValueError: It is no name; the text is the end of a sentence.
        """
        if name in self._every:
            return (name,)
        wanted = pattern(name)
        names = {key: _namesOf(each) for key, each in self._every.items()}
        exact = tuple(key for key, each in names.items() if wanted in each)
        return exact or tuple(key for key, each in names.items() if isCovered(wanted, each))

    def has(self, key: str) -> bool:
        """
        Whether there is one of this identity.
        """
        return key in self._every

    def byACME(self, key: str | None) -> AutoCertificate | None:
        """
        The one of this identity, if it is by ACME.
        """
        return None if key is None else self._automatic.get(key)

    @property
    def keys(self) -> tuple[str, ...]:
        """
        The identities of all.
        """
        return tuple(self._every)

    @property
    def renewable(self) -> Collection[str]:
        """
        The identities of those by ACME.
        """
        return self._automatic.keys()

    @property
    def automatic(self) -> list[AutoCertificate]:
        """
        Those by ACME, second ones included.
        """
        return [*self.first, *self.twins.values()]

    def __iter__(self) -> Iterator[AnyCertificate]:
        """
        All, those by ACME first.
        """
        return iter((*self.automatic, *self.internal, *self.files))

    def statusOf(self, key: str) -> CertificateStatus | None:
        """
        How it stands with one; L{None} if there is none of this identity.
        """
        found = self._every.get(key)
        return None if found is None else found.status()

    def unneeded(self, needed: Collection[str]) -> frozenset[str]:
        """
        The identities of those that nobody needs.

        @param needed: The identities of sources: a second certificate is needed where
            the first one is.
        """
        return frozenset(key for key, each in self._every.items() if _needOf(each) not in needed)


def _needOf(certificate: AnyCertificate) -> str:
    """
    The identity of the source that a certificate is there for.
    """
    if isinstance(certificate, AutoCertificate) and certificate.auto.isTwin:
        return Auto(certificate.auto.names).key
    return certificate.key


def _namesOf(certificate: AnyCertificate) -> tuple[str, ...]:
    if isinstance(certificate, AutoCertificate):
        return certificate.auto.names
    return certificate.status().names
