"""
Header lines as pairs of name and value, for whoever needs to look at fields that mean
nothing to the proxy itself.

That is nobody, for most requests: L{smartproxy_tw.wire.http1} hands lines on as they are.
"""

from __future__ import annotations

import re

__all__ = ["pairs"]

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
