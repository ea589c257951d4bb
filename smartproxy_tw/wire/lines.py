"""
Header lines as pairs of name and value, for whoever needs to look at fields that mean
nothing to the proxy itself.

That is nobody, for most requests: L{smartproxy_tw.wire.http1} hands lines on as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["has", "pairs", "valueOf", "without"]

_LINE = re.compile(rb"([^:\r\n]++):[\t ]*+([^\r\n]*+)\r\n")


def pairs(lines: bytes) -> list[tuple[str, str]]:
    """
    Read header lines.

    @param lines: Each with its CR LF, and valid, as L{Request.fields
        <smartproxy_tw.wire.http1.Request.fields>} has them.
    @return: Names in lower case, and values without white space at their ends, in the order
        in which they came; bytes that are no UTF-8 become U+FFFD.
    """
    return [
        (name.decode("ascii", "replace").lower(), value.rstrip(b"\t ").decode("utf-8", "replace"))
        for name, value in _LINE.findall(lines)
    ]


_WHOLE = re.compile(rb"(?m)^([^:\r\n]++):[^\r\n]*+\r\n")


def without(lines: bytes, isGone: Callable[[bytes], bool]) -> bytes:
    """
    Header lines without some.

    @param lines: As for L{pairs}; a first line of a message before them stays.
    @param isGone: Says of a name, in lower case, whether its lines go.
    """
    # One pass for all names: a pass for each let one request cost minutes.
    return _WHOLE.sub(lambda line: b"" if isGone(line[1].lower()) else line[0], lines)


def has(lines: bytes, name: bytes) -> bool:
    """
    Whether there is a field of a name.

    @param lines: As for L{pairs}.
    @param name: In lower case.
    """
    lower = lines.lower()
    return lower.startswith(name + b":") or b"\n" + name + b":" in lower


def valueOf(lines: bytes, name: bytes) -> bytes | None:
    """
    What one field says.

    @param lines: As for L{pairs}.
    @param name: In lower case.
    @return: All of its values, with commas between (RFC 9110 section 5.3); L{None}: it is not there.
    """
    found = [value.rstrip(b"\t ") for each, value in _LINE.findall(lines) if each.lower() == name]
    return b", ".join(found) if found else None
