"""
Header lines, as bytes: which are there, and all but some.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import product

__all__ = ["hasField", "line", "twins", "without"]

#: Names that end up as one where names are made into variables (CGI, WSGI) are one.
_MEMO = 256


def hasField(lines: bytes, name: bytes) -> bool:
    """
    Whether there is a field of a name.

    @param lines: Whole lines.
    @param name: In lower case.
    """
    lower = lines.lower()
    return lower.startswith(name + b":") or b"\n" + name + b":" in lower


def without(lines: bytes, names: Collection[bytes]) -> bytes:
    """
    All lines but those of some names.

    @param lines: Whole lines.
    @param names: In lower case.
    """
    kept = [each for each in lines.splitlines(keepends=True) if each.partition(b":")[0].lower() not in names]
    return b"".join(kept)


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
