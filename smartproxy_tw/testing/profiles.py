"""
The kinds of certificate that an authority has, where it has several
(draft-ietf-acme-profiles).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..values import dataclass
from .signed import Refused

__all__ = ["Profile", "select"]


@dataclass(frozen=True, slots=True)
class Profile:
    """
    One kind.

    @ivar lifetime: Of its certificates, in seconds.
    @ivar takesAddresses: Whether they may be for IP addresses.
    @ivar mostNames: So many may be on one.
    """

    lifetime: float
    takesAddresses: bool = True
    mostNames: int = 100


def select(
    profiles: Mapping[str, Profile], wanted: object, identifiers: Iterable[tuple[str, str]]
) -> str | None:
    """
    What an order gets.

    @param profiles: What there is; the first is for who asks for none.
    @param wanted: The member C{profile} of the order.
    @param identifiers: Of the order, types and values.
    @return: L{None} where there are no kinds.
    @raise Refused: There is no such kind, or it is not for these.
    """
    name = next(iter(profiles), None) if wanted is None else wanted
    if name is None:
        return None
    if not isinstance(name, str) or name not in profiles:
        raise Refused(400, "invalidProfile", f"there is no profile {name!r}")
    profile, each = profiles[name], list(identifiers)
    if not profile.takesAddresses and any(kind == "ip" for kind, _ in each):
        detail = f"the profile {name} is not for IP addresses"
        raise Refused(400, "invalidProfile" if wanted else "unsupportedIdentifier", detail)
    return name
