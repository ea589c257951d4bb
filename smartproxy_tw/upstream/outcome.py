"""
What comes of asking for a name: L{Found}, L{Nothing} or L{Failed}.
"""

from __future__ import annotations

from ..values import dataclass

__all__ = ["Failed", "Found", "Nothing", "Outcome"]


@dataclass(frozen=True, slots=True)
class Found:
    """
    It has addresses.

    @ivar addresses: At least one, the preferred first, none twice.
    @ivar seconds: How long they may be used.
    @ivar isPartial: Whether nothing could be learnt of the other family.
    """

    addresses: tuple[str, ...]
    seconds: float
    isPartial: bool = False


@dataclass(frozen=True, slots=True)
class Nothing:
    """
    Somebody who must know says that it has none.

    @ivar seconds: How long that may be believed.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """
    There is no telling.

    @ivar reason: Why not.
    """

    reason: str


Outcome = Found | Nothing | Failed
