"""
Whether a request that knows what it has already is to be answered at all: conditional
requests (RFC 9110 section 13).

The four fields are judged in the order of section 13.2.2.  Those that make no sense are
as if they were not there, and so are dates beside entity tags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from ..values import dataclass
from . import dates

__all__ = ["Version", "isRangeCurrent", "judged", "tags"]

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_BETWEEN = re.compile(r"[ \t]*,[ \t,]*")


@dataclass(frozen=True, slots=True)
class Version:
    """
    What tells one state of a representation from another.

    @ivar tag: Its entity tag, as it is in the field ETag: weak with C{W/}.
    @ivar modified: When it was modified last, in whole seconds since 1970.
    """

    tag: str
    modified: int


def tags(text: str) -> tuple[str, ...] | None:
    """
    @param text: The value of If-Match or If-None-Match.
    @return: The entity tags in it, as they stand; C{("*",)} for any; L{None} when it
        makes no sense.
    """
    text = text.strip(" \t,")
    if text == "*":
        return ("*",)
    found: list[str] = []
    at = 0
    while at < len(text):
        tag = _TAG.match(text, at)
        if tag is None:
            return None
        found.append(tag[0])
        at = tag.end()
        if at < len(text):
            between = _BETWEEN.match(text, at)
            if between is None:
                return None
            at = between.end()
    return tuple(found) or None


def judged(fields: Mapping[str, str], version: Version | None) -> Literal[304, 412] | None:
    """
    Judge a GET or HEAD.

    @param fields: Of the request, by their names in lower case.
    @param version: Of what would be sent; L{None} when there is nothing.
    @return: 304: the client has it.  412: it is not what the client supposes.
        L{None}: go on.
    """
    wanted = _told(fields, "if-match")
    if wanted is not None:
        if version is None or not (wanted == ("*",) or _hasStrong(wanted, version.tag)):
            return 412
    elif version is not None and _isModified(fields.get("if-unmodified-since"), version):
        return 412
    known = _told(fields, "if-none-match")
    if known is not None:
        if version is not None and (known == ("*",) or _hasWeak(known, version.tag)):
            return 304
    elif version is not None and _isModified(fields.get("if-modified-since"), version) is False:
        return 304
    return None


def isRangeCurrent(text: str | None, version: Version) -> bool:
    """
    Whether the parts that are asked for are of this version (If-Range, section 13.1.5).

    @param text: The value of the field, or L{None}.
    """
    if text is None:
        return True
    text = text.strip(" \t")
    if _TAG.fullmatch(text):
        return _hasStrong((text,), version.tag)
    # A date is strong only if nothing can have changed within its second; the tag knows.
    return not version.tag.startswith("W/") and dates.parsed(text) == version.modified


def _told(fields: Mapping[str, str], name: str) -> tuple[str, ...] | None:
    text = fields.get(name)
    return None if text is None else tags(text)


def _isModified(text: str | None, version: Version) -> bool | None:
    """
    @return: Whether it was after a date, L{None} when there is none.
    """
    since = None if text is None else dates.parsed(text)
    return None if since is None else version.modified > since


def _hasStrong(known: tuple[str, ...], tag: str) -> bool:
    return not tag.startswith("W/") and tag in known


def _hasWeak(known: tuple[str, ...], tag: str) -> bool:
    opaque = tag.removeprefix("W/")
    return any(each.removeprefix("W/") == opaque for each in known)
