"""
Which names a refusal does not speak of: a certificate for those may be had all the same.
"""

from __future__ import annotations

from .errors import AuthorityProblem, NoChallengeUsable, PreflightFailed

__all__ = ["spared"]


def spared(names: tuple[str, ...], why: Exception) -> tuple[str, ...]:
    """
    The names that an order failed for the sake of others only.

    @param names: All that it was for.
    @param why: What it failed with.
    @return: In the order given; none when that speaks of no name in particular.
    """
    concerned: set[str | None] = set()
    if isinstance(why, NoChallengeUsable):
        concerned = {why.name}
    elif isinstance(why, PreflightFailed):
        concerned = set(why.byName)
    elif isinstance(why, AuthorityProblem):
        concerned = set(why.byName) or {each.name for each in why.subproblems if each.name}
    return tuple(name for name in names if name not in concerned) if concerned else ()
