"""
Texts with blanks: C{https://{domain}{path}}.  Redirects, answers, header fields, rewritten
paths and error pages are all written so.

In goes what somebody wrote, out come its pieces: texts, and L{Blank}s for what is filled in
for each request by L{smartproxy_tw.routing.filling}.  What is filled in is never looked at
again.

Two opening braces are a brace.  Where a text is a URL every other brace has to belong to a
blank, since none may stand in a URL.  Everywhere else a brace that begins nothing like a blank
is what it is, so that JSON and style sheets need no care.  But a lone word in braces that no
blank is called is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NamedTuple

__all__ = ["ERROR", "GROUPS", "REQUEST", "Blank", "BlankError", "Piece", "parameters", "parse"]

#: What can be said of every request.  With a colon: of which more is to be said.
REQUEST = (
    "client_ip",
    "domain",
    "path",
    "query",
    "uri",
    "port",
    "route",
    "request_id",
    "method",
    "scheme",
    "header:",
    "param:",
)
#: What an error page can say besides.
ERROR = (*REQUEST, "status", "reason")
#: What the replacement for a pattern can say besides: all that was found, and its groups.
GROUPS = (*REQUEST, *"0123456789")

_BRACES = re.compile(r"\{\{|\{([a-z0-9_]+)(?::([^{}\s]*))?\}")
_STRICT = re.compile(r"\{([^{}]*)\}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_PARAMETER = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*|\*)\Z")
#: What things are called elsewhere.
_ELSEWHERE = {
    "host": "domain",
    "hostname": "domain",
    "ip": "client_ip",
    "remote_addr": "client_ip",
    "proto": "scheme",
    "url": "uri",
    "args": "query",
}
#: What is like the word before a colon to this degree was meant to be it.
_ALIKE = 0.7


class Blank(NamedTuple):
    """
    What is filled in.

    @ivar name: One of L{ERROR} or L{GROUPS}, without a colon.
    @ivar which: What stands behind the colon: the name of a header field, in lower case, or
        of a parameter of the path, C{*} for what the C{*} at its end stands for.
    """

    name: str
    which: str = ""

    def __str__(self) -> str:
        return f"{{{self.name}:{self.which}}}" if self.which else f"{{{self.name}}}"


#: What a text consists of.
Piece = str | Blank


class BlankError(ValueError):
    """
    The message is the end of a sentence that begins with what was written.

    @ivar at: Where in the text, in characters.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def parse(text: str, known: Sequence[str] = REQUEST, *, isURL: bool = False) -> tuple[Piece, ...]:
    """
    Read a text.

    @param known: L{REQUEST} or what has it in it.
    @param isURL: Whether it is (a part of) a URL.
    @return: Its pieces; no two texts are side by side, and none is empty.
    @raise BlankError: Something in braces is no blank.
    """
    if isURL:
        _checkBraces(text)
    pieces: list[Piece] = []
    literal = ""
    at = 0
    for found in _BRACES.finditer(text):
        literal += text[at : found.start()]
        at = found.end()
        if found[1] is None:
            literal += "{"
            continue
        blank = _blank(found, known, isURL)
        if blank is None:
            literal += found[0]
            continue
        if literal:
            pieces.append(literal)
            literal = ""
        pieces.append(blank)
    literal += text[at:]
    return (*pieces, literal) if literal else tuple(pieces)


def _checkBraces(text: str) -> None:
    """
    Whatever is in braces is to be a blank: no brace may stand in a URL.
    """
    for found in _STRICT.finditer(text):
        if not _BRACES.match(found[0]):
            raise BlankError(f"uses {found[0]}, which does not exist: {_listed(REQUEST)} do", found.start())
    bare = re.search("[{}]", _STRICT.sub(lambda found: " " * len(found[0]), text))
    if bare is not None:
        raise BlankError("has a brace without its partner", bare.start())


def _blank(found: re.Match[str], known: Sequence[str], isURL: bool) -> Blank | None:
    """
    @return: L{None}: it is a text that only looks like a blank.
    """
    name, which, at = found[1], found[2], found.start()
    if which is None:
        if name in known:
            return Blank(name)
        if f"{name}:" in known:
            raise BlankError(f"uses {{{name}}}, which has to say which one: {{{name}:NAME}}", at)
        if name in ERROR:
            raise BlankError(f"uses {{{name}}}, which there is only in error_pages", at)
        raise BlankError(_unknown(name, known), at)
    if f"{name}:" not in known:
        if name in known:
            raise BlankError(f"uses {found[0]}: nothing can stand behind {name}", at)
        isMeant = get_close_matches(name, [each[:-1] for each in known if each[-1] == ":"], 1, _ALIKE)
        if isURL or isMeant:
            raise BlankError(_unknown(f"{name}:", known), at)
        return None
    isRight = _HEADER if name == "header" else _PARAMETER
    if not isRight.match(which):
        what = "header field" if name == "header" else "parameter of the path"
        raise BlankError(f"uses {found[0]}: {which!r} is not the name of a {what}", at)
    return Blank(name, which.lower() if name == "header" else which)


def _unknown(name: str, known: Sequence[str]) -> str:
    near = [_ELSEWHERE[name]] if name in _ELSEWHERE else get_close_matches(name, known, 1, 0.6)
    if near:
        return f"uses {{{name}}}, which does not exist; did you mean {{{_form(near[0])}}}?"
    return f"uses {{{name}}}, which does not exist: {_listed(known)} do (write {{{{ for a brace)"


def _listed(known: Iterable[str]) -> str:
    return ", ".join(f"{{{_form(each)}}}" for each in known if not each.isdigit())


def _form(name: str) -> str:
    return f"{name}NAME" if name[-1] == ":" else name


def parameters(path: str | None) -> frozenset[str]:
    """
    What C{param:} can ask for.

    @param path: The path of a route, as L{Route<smartproxy_tw.config.model.Route>} has it.
    """
    segments = (path or "").split("/")
    found = {each[1:] for each in segments if each[:1] == ":"}
    return frozenset(found | {"*"} if segments[-1] == "*" else found)
