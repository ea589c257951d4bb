"""
The small texts of header fields, rewriting and error pages that have a grammar of their
own, as in L{smartproxy_tw.config.texts}: each function takes what somebody wrote and returns
the normal form, or raises L{ValueError} with the end of a sentence that begins with what was
written.
"""

from __future__ import annotations

import re

from . import blanks
from .texts import SAID

__all__ = ["changedField", "mediaType", "pathTemplate", "prefix", "reaches", "removedField", "replacement"]

#: RFC 9110 section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
#: RFC 3986 section 3.3: what a path may have besides its slashes.
_PREFIX = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*\Z")
_DOTS = re.compile(r"(?i)/(?:\.|%2e){1,2}(?:/|\Z)")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:; ?[\x20-\x7e]+)?\Z")

#: These frame a message, or are for one hop (RFC 9110 section 7.6.1).
_FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def _beyondReach(name: str, isRequest: bool) -> str | None:
    """
    Why a field cannot be changed.

    @param name: In lower case.
    """
    plain = name.replace("_", "-")
    if plain in _FRAMING or (isRequest and plain == "expect"):
        return "frames the message or is for one hop only: it is the proxy's own and cannot be changed"
    if isRequest and plain in SAID:
        return "is what the proxy itself says of the client, in every request, and cannot be changed"
    if not isRequest and plain == "date":
        return "is set by who gives the answer and cannot be changed"
    return None


def changedField(text: str, *, isRequest: bool) -> str:
    """
    The name of a field that is set or added.

    @raise ValueError: It is none, or beyond reach.
    """
    if not _TOKEN.match(text):
        raise ValueError("is not the name of a header field")
    why = _beyondReach(text.lower(), isRequest)
    if why is not None:
        raise ValueError(why)
    return text


def removedField(text: str, *, isRequest: bool) -> str:
    """
    The name of a field that is removed, or a glob.

    @return: In lower case.
    @raise ValueError: It is none, or beyond reach.  A glob may be one that fits such a field, and
        leaves it alone.
    """
    if not _TOKEN.match(text):
        raise ValueError("is not the name of a header field")
    found = text.lower()
    if "*" in found:
        if not found.strip("*"):
            raise ValueError("would remove every field: name some, as x-debug-* does")
        return found
    if isRequest and found == "host":
        raise ValueError("has to be in every request: set another one instead")
    why = _beyondReach(found, isRequest)
    if why is not None:
        raise ValueError(why)
    return found


def reaches(name: str, *, isRequest: bool) -> bool:
    """
    Whether a glob that fits a field removes it.

    @param name: In lower case.
    """
    return _beyondReach(name, isRequest) is None and not (isRequest and name == "host")


def prefix(text: str) -> str:
    """
    Whole segments at the beginning of a path.

    @return: Without a slash at the end.
    @raise ValueError: It is none.
    """
    found = text.rstrip("/")
    if not found or not _PREFIX.match(found) or "//" in found:
        raise ValueError(
            "is not a prefix: / and whole segments were expected, as in /api (others than letters, digits"
            " and a few signs are written as %XX)"
        )
    if "*" in found or "/:" in found:
        raise ValueError("is no pattern: the prefix is taken as it is written")
    if _DOTS.search(found):
        raise ValueError("can never be: . and .. are resolved before")
    return found


def pathTemplate(text: str) -> str:
    """
    What a path becomes: a text with blanks.

    @raise ValueError: It is none.
    """
    pieces = blanks.parse(text, isURL=True)
    if not text.startswith("/") and not (pieces and pieces[0] in _PATHS):
        raise ValueError("has to begin with /")
    _checkLiterals(pieces)
    return text


_PATHS = (blanks.Blank("path"),)


def replacement(text: str) -> str:
    """
    What takes the place of a regular expression in a path: a text with blanks.

    @raise ValueError: It is none.
    """
    _checkLiterals(blanks.parse(text, blanks.GROUPS, isURL=True))
    return text


def _checkLiterals(pieces: tuple[blanks.Piece, ...]) -> None:
    for piece in pieces:
        if isinstance(piece, str) and not _PREFIX.match("/" + piece):
            raise ValueError(
                "is not a path: no space, query, fragment or letter beyond ASCII may stand in it"
                " (write those as %XX; the query is for query)"
            )
        if isinstance(piece, str) and _DOTS.search(piece):
            raise ValueError("has . or .. for a segment, which no path has: they are resolved before")
        if piece in (blanks.Blank("uri"), blanks.Blank("query")):
            raise ValueError(f"uses {piece}, but a path has no query: the query is for query")


def mediaType(text: str) -> str:
    """
    What stands in Content-Type.

    @raise ValueError: It is none.
    """
    if not _MEDIA_TYPE.match(text):
        raise ValueError("is not a media type such as text/html; charset=utf-8")
    return text
