"""
Whether a name that could not be proved again and again is tried at the staging
environment of its authority first, where failures are cheap: Let's Encrypt allows
five an hour, and two hundred there.

What goes wrong elsewhere with this is that the real authority is never asked again
when staging has a trouble of its own.  So only a name that cannot be proved there
either postpones the real order, and that is placed every few days all the same.
"""

from __future__ import annotations

from .errors import AuthorityProblem, NoChallengeUsable

__all__ = ["isUnproved", "rehearses", "stagingOf"]

_STAGING = {
    "https://acme-v02.api.letsencrypt.org/directory": "https://acme-staging-v02.api.letsencrypt.org/directory"
}

#: After so many failures in a row an order is rehearsed.
_FAILURES = 3

#: An order is placed for real when the last real one is so many seconds ago.
_REAL = 3 * 86400.0


def stagingOf(directory: str) -> str | None:
    """
    Where to rehearse what is to be asked of an authority.

    @param directory: The URL of its directory.
    @return: The URL of another; L{None}: nothing is known of one.
    """
    return _STAGING.get(directory)


def rehearses(failures: int, seconds: float) -> bool:
    """
    Whether an order is to be rehearsed.

    @param failures: Of how many before it in a row names could not be proved.
    @param seconds: How long ago the last one was that was not only rehearsed.
    """
    return failures >= _FAILURES and seconds < _REAL


def isUnproved(why: Exception) -> bool:
    """
    Whether an order failed because names could not be proved.
    """
    return isinstance(why, NoChallengeUsable) or (isinstance(why, AuthorityProblem) and bool(why.byName))
