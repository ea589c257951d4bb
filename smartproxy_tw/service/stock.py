"""
The certificates that a store had when it was read, and what has come to it since,
found by the names that they cover: thousands of them by thousands who look.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..facts import Credential

__all__ = ["Stock", "isCovered"]


class Stock:
    """
    What there is.
    """

    def __init__(self, stored: Mapping[str, Credential], issuers: Mapping[str, int] | None = None) -> None:
        """
        @param stored: By identity
            (L{Auto.key<smartproxy_tw.config.model.Auto.key>}).
        @param issuers: Which of the fallback authorities issued what, counted
            from 1, by identity; what is missing there is by the preferred one.
        """
        self._issuers = {stored[key].chain: number for key, number in (issuers or {}).items()}
        self._stored = dict(stored)
        self._byName: defaultdict[str, list[str]] = defaultdict(list)
        for key in stored:
            for name in _names(key):
                self._byName[name].append(key)

    def get(self, key: str) -> Credential | None:
        """
        The one of an identity.
        """
        return self._stored.get(key)

    def put(self, key: str, credential: Credential, issuer: int) -> None:
        """
        There is another one, in place of any of that identity.

        @param issuer: As L{issuerOf}.
        """
        if key not in self._stored:
            for name in _names(key):
                self._byName[name].append(key)
        self._stored[key] = credential
        self._issuers[credential.chain] = issuer

    def remove(self, chain: bytes) -> None:
        """
        It is not to be served again.

        @param chain: PEM.  That there is no such certificate is no error.
        """
        for key in [key for key, credential in self._stored.items() if credential.chain == chain]:
            del self._stored[key]
            for name in _names(key):
                self._byName[name].remove(key)
        self._issuers.pop(chain, None)

    def issuerOf(self, credential: Credential) -> int:
        """
        Which authority issued one of them; 0: the preferred.
        """
        return self._issuers.get(credential.chain, 0)

    def covering(self, names: Iterable[str]) -> list[tuple[tuple[str, ...], Credential]]:
        """
        Those that cover at least one of these names, each with all the names
        that it is for.
        """
        found: dict[str, None] = {}
        for name in names:
            for offered in (name, _wildcard(name)):
                found.update(dict.fromkeys(self._byName.get(offered, ())))
        return [(_names(key), self._stored[key]) for key in found]

    def bestFor(self, key: str, names: tuple[str, ...], now: float) -> Credential | None:
        """
        What to serve for some names.  An authority may have added names to what
        was asked for, and a route may have lost one: what covers all that is
        wanted needs no order.  What covers a part is better than nothing until
        there is the whole.

        @param key: Their identity.
        @param now: POSIX seconds.
        @return: The one of just these names, even if it is over; or else of
            those that are not the one that covers most; or L{None}.
        """
        from ..acme.x509 import describe

        exact = self.get(key)
        if exact is not None:
            return exact
        best: tuple[int, float, Credential] | None = None
        for offered, credential in self.covering(names):
            covered = sum(isCovered(name, offered) for name in names)
            rank = (covered, describe(credential.chain).notAfter)
            if rank[1] > now and (best is None or rank > best[:2]):
                best = (*rank, credential)
        return None if best is None else best[2]

    def standIns(self, names: Iterable[str], now: float) -> list[tuple[tuple[str, ...], Credential]]:
        """
        Valid certificates for names that are served by none: as few as there may be,
        each with the names that it is for among these.

        @param now: POSIX seconds.
        """
        from ..acme.x509 import describe

        left = set(names)
        found = []
        offers = [each for each in self.covering(left) if describe(each[1].chain).notAfter > now]
        while left:
            shares = [tuple(sorted(name for name in left if isCovered(name, offer))) for offer, _ in offers]
            share, credential = max(
                zip(shares, (each for _, each in offers), strict=True),
                key=lambda pair: (len(pair[0]), describe(pair[1].chain).notAfter),
                default=((), None),
            )
            if credential is None or not share:
                break
            found.append((share, credential))
            left.difference_update(share)
        return found


def isCovered(name: str, offered: Iterable[str]) -> bool:
    """
    Whether a certificate for some names is one for this name.
    """
    return name in offered or _wildcard(name) in offered


def _wildcard(name: str) -> str:
    return "*." + name.partition(".")[2]


def _names(key: str) -> tuple[str, ...]:
    return tuple(key.partition(":")[2].split(","))
