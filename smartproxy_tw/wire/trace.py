"""
The trace context of a request, as the W3C has it, pure: who reads a log by it knows
which requests belong together.

U{https://www.w3.org/TR/trace-context/#traceparent-header}.  The fields go on to the
target as they came: whoever takes no part in a trace passes it on, and what a client
says of one is for its readers to believe or not.
"""

from __future__ import annotations

import re

__all__ = ["traceOf"]

_FIELD = re.compile(rb"\n(?i:traceparent):[\t ]*+([^\r]*+)")

#: Of version 00 there is nothing behind the flags; those to come may have more.
_PARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.DOTALL
)


def traceOf(head: bytes) -> str | None:
    """
    Which trace a request belongs to.

    @param head: Of the request, as it came, whole lines.
    @return: Thirty-two hexadecimal digits; L{None} where the head has no such field, one
        that makes no sense, or more than one.
    """
    found = _FIELD.findall(head)
    if len(found) != 1:
        return None
    parent = _PARENT.fullmatch(found[0].rstrip(b"\t "))
    if parent is None or (parent[1] == b"00" and parent[3] is not None):
        return None
    return str(parent[2], "ascii")
