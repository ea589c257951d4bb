"""
Whether another authority might give what one did not: who is to blame for a
failure, by what was said.

C{refused}: this authority will not, for these names or for this account, however
often it is asked; another one has other rules.  C{busy}: it cannot just now, or
speaks nonsense.  C{away}: it cannot be reached.  And L{None}, whoever is asked:
a name that could not be proved (its DNS, a firewall), and whatever is to be
mended here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from .errors import (
    AuthorityNonsense,
    AuthorityProblem,
    AuthorityUndecided,
    AuthorityUnreachable,
    ExternalAccountUnusable,
    HeldBack,
    NoChallengeUsable,
    PreflightFailed,
    Problem,
    ProfileNotOffered,
)

__all__ = ["Cause", "blame"]

Cause = Literal["refused", "busy", "away"]

#: Problems (RFC 8555 section 6.7) by which an authority tells its own rules.
_REFUSED = frozenset(
    {
        "badCSR",
        "badPublicKey",
        "badSignatureAlgorithm",
        "caa",
        "externalAccountRequired",
        "invalidContact",
        "invalidProfile",
        "rejectedIdentifier",
        "unsupportedContact",
        "unsupportedIdentifier",
        "userActionRequired",
    }
)
_BUSY = frozenset({"badNonce", "orderNotReady", "rateLimited", "serverInternal"})

#: HTTP's: too many requests, and the authority's own trouble from here on.
_TOO_MANY, _TROUBLE = 429, 500


def blame(why: BaseException) -> Cause | None:
    """
    Why an authority gave no certificate, as far as it is its own matter.

    @param why: What the order failed with.
    """
    if isinstance(why, AuthorityUnreachable):
        return "away"
    if isinstance(why, AuthorityNonsense | AuthorityUndecided | HeldBack):
        return "busy"
    if isinstance(why, ExternalAccountUnusable | NoChallengeUsable | ProfileNotOffered):
        return "refused"
    if isinstance(why, PreflightFailed):
        return "refused" if why.isForbidden else None
    if not isinstance(why, AuthorityProblem):
        return None
    problems = tuple(why.byName.values()) or (why.problem,)
    words = {each.word for problem in problems for each in _leaves(problem)}
    if words <= _REFUSED:
        return "refused"
    if why.byName:
        return None
    isTrouble = why.status == _TOO_MANY or why.status >= _TROUBLE
    return "busy" if isTrouble or words <= _BUSY else None


def _leaves(problem: Problem) -> Iterator[Problem]:
    if not problem.subproblems:
        yield problem
    for each in problem.subproblems:
        yield from _leaves(each)
