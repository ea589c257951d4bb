"""
Which parts of a representation a client asks for: the Range field (RFC 9110 section 14).

Takes what the field says and how long the representation is, and says which bytes those
are, in the order that they were asked for.  A field that makes no sense is as if it were
not there; one that asks for a heap of parts is refused, because each costs more to send
than to ask for.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["MOST", "Span", "Unsatisfiable", "spans"]

#: So many parts are sent at once; viewers of long documents ask for a few dozen.
MOST = 64
# So many of them may cover bytes that one before them has (RFC 9110 section 14.2).
_MOST_OVERLAPPING = 2

_UNIT = re.compile(r"bytes[ \t]*=[ \t]*", re.IGNORECASE | re.ASCII)
# RFC 9110 section 5.6.1: empty members of a list count for nothing.
_MEMBER = re.compile(r"[^, \t][^,]*+")
_PART = re.compile(r"(\d{1,19})-(\d{1,19})?|-(\d{1,19})", re.ASCII)


class Span(NamedTuple):
    """
    One part.

    @ivar start: Of its first byte.
    @ivar end: After its last byte; more than C{start}.
    """

    start: int
    end: int


class Unsatisfiable(Exception):
    """
    None of the parts is there, or there are too many: the answer is 416.
    """


def spans(text: str, length: int) -> tuple[Span, ...] | None:
    """
    @param text: The value of the field.
    @param length: Of the representation, in bytes.
    @return: The parts, at least one; L{None} when the field counts for nothing.
    @raise Unsatisfiable: See there.
    """
    unit = _UNIT.match(text)
    if unit is None:
        return None
    count = 0
    found: list[Span] = []
    for member in _MEMBER.finditer(text, unit.end()):
        match = _PART.fullmatch(member[0].rstrip(" \t"))
        if match is None or (match[2] is not None and int(match[2]) < int(match[1])):
            return None
        count += 1
        if count > MOST:
            # Whatever else there is of it.
            raise Unsatisfiable
        span = _span(match, length)
        if span is not None:
            found.append(span)
    if not count:
        return None
    if not found or _overlapping(found) > _MOST_OVERLAPPING:
        raise Unsatisfiable
    return tuple(found)


def _span(match: re.Match[str], length: int) -> Span | None:
    if match[3] is not None:
        start, end = max(0, length - int(match[3])), length
    else:
        start = int(match[1])
        end = length if match[2] is None else min(length, int(match[2]) + 1)
    return Span(start, end) if start < end else None


def _overlapping(found: list[Span]) -> int:
    """
    How many begin before the end of one that begins no later.
    """
    count = reached = 0
    for span in sorted(found):
        count += span.start < reached
        reached = max(reached, span.end)
    return count
