"""
Whether an authority refused an order because it has too many names, and how many it
takes.

RFC 8555 has no type of problem for that, so the text has to tell.  Let's Encrypt says
C{malformed}, I{Order cannot contain more than 100 identifiers}; others say it in words
of their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import AuthorityProblem

__all__ = ["mostAllowed"]

#: Where the words are about something else: too many orders, a name that is not liked.
_OTHER = frozenset({"rateLimited", "badNonce", "caa", "connection", "dns", "unauthorized", "serverInternal"})

_NAMES = re.compile(r"\b(names?|identifiers?|domains?|sans?|subject alternative)\b", re.IGNORECASE)
_TOO_MANY = re.compile(
    r"more than|at most|no more|too many|too large|exceed|maximum|\bmax\b|up to|\blimit|\b1 to\b|allowed",
    re.IGNORECASE,
)
#: A number that is no part of a name or of an address.
_NUMBER = re.compile(r"(?<![\w.:-])\d{1,5}(?![\w:-]|\.\w)")


def mostAllowed(why: AuthorityProblem, count: int) -> int | None:
    """
    How many names an authority takes in one order.

    @param why: Its refusal.
    @param count: How many the order had.
    @return: Less than C{count}: what it said, or half when it gave no number; L{None}
        when it refused for another reason.
    """
    problem = why.problem
    isClear = not why.byName and not problem.subproblems and problem.name is None
    if count < 2 or not isClear or why.status == 429 or problem.word in _OTHER:
        return None
    if not _NAMES.search(problem.detail) or not _TOO_MANY.search(problem.detail):
        return None
    numbers = [int(each) for each in _NUMBER.findall(problem.detail)]
    if not numbers:
        return count // 2
    # What it counted may be among them, and more than what it takes.
    return max((each for each in numbers if 1 <= each < count), default=None)
