"""
Header lines that guards say something by, and the names that nobody else may say it by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import product

__all__ = ["line", "twins"]

#: Names that end up as one where names are made into variables (CGI, WSGI) are one.
_MEMO = 256


def line(name: str, value: str | bytes) -> bytes:
    """
    A header line.

    @param value: What can be no value (it has a line break or a control character, or is
        too long) is not said: nothing is returned.
    """
    data = value.encode("utf-8", "replace") if isinstance(value, str) else value
    data = data.strip(b" \t")
    if len(data) > 8192 or _BAD.search(data):
        return b""
    return name.encode("ascii") + b": " + data + b"\r\n"


_BAD = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


@lru_cache(maxsize=_MEMO)
def _twins(names: tuple[str, ...]) -> frozenset[bytes]:
    found: set[bytes] = set()
    for name in names:
        pieces = re.split("[-_]", name.lower())
        for joints in product("-_", repeat=len(pieces) - 1):
            text = "".join(a + b for a, b in zip(pieces, (*joints, ""), strict=True))
            found.add(text.encode("ascii"))
    return frozenset(found)


def twins(names: Iterable[str]) -> frozenset[bytes]:
    """
    The names, in lower case, and all that some programs do not tell from them, with C{_} for
    C{-}: whoever is told something by a field is told it by nobody else.
    """
    return _twins(tuple(names))
