"""
Which way to prove a name is tried next: the preferred one, until it has failed for
that name by a cause that another way may not meet.

What has failed is remembered as long as the process lives, for each name by itself
and whichever authority looked: they all come from outside, and meet the same
firewall or the same wrong record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .challenges import Kind
    from .objects import AuthorizationFacts

__all__ = ["Choices"]

#: RFC 8555 section 6.7, those that tell of the way and not of the name: another one
#: may be open.  What forbids the name (C{caa}, C{rejectedIdentifier}), counts too
#: much (C{rateLimited}) or is the authority's own trouble is the same by each way.
_OF_THE_WAY = frozenset({"connection", "dns", "incorrectResponse", "tls", "unauthorized"})


class Choices:
    """
    The ways that there are.
    """

    def __init__(self, preference: Iterable[Kind]) -> None:
        """
        @param preference: The kinds of challenge that can be answered, best first.
        """
        self._preference = tuple(preference)
        self._failures: Counter[tuple[str, str]] = Counter()

    def prefer(self, preference: Iterable[Kind]) -> None:
        """
        From now on others can be answered, or in another order.
        """
        self._preference = tuple(preference)

    def of(self, name: str) -> tuple[Kind, ...]:
        """
        For one name: what failed least comes first, and of equals what is
        preferred.

        @param name: As it will stand in the certificate.
        """
        return tuple(sorted(self._preference, key=lambda kind: self._failures[name, kind]))

    def settled(self, facts: AuthorizationFacts) -> None:
        """
        An authorization was decided, well or not.
        """
        for offer in facts.offers:
            if facts.status == "valid" and offer.status == "valid":
                self._failures.pop((facts.wanted, offer.kind), None)
            elif offer.problem is not None and offer.problem.word in _OF_THE_WAY:
                self._failures[facts.wanted, offer.kind] += 1

    def unserved(self, name: str, kind: str) -> None:
        """
        An answer could not be presented: whoever keeps the DNS refused it, say.

        @param name: As it will stand in the certificate.
        @param kind: Of the challenge.
        """
        self._failures[name, kind] += 1
