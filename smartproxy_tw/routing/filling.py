"""
Texts with blanks, filled in for one request.

A L{Filling} is made once, when a configuration is put to use, of a text and of the place that
it goes to; it is filled from a L{Words}, which is made for a request and looks each thing up
when it is first asked for.  What a client has sent is made safe for the place: no line break
gets into a header field, no markup into a page, nothing but what may stand there into a URL.
Where a text has no blanks it is made once for all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..config import blanks
from .patterns import AnyPath, ParameterPath, PathPattern, PrefixPath

if TYPE_CHECKING:
    from ..facts import RequestFacts

__all__ = [
    "ANYWHERE",
    "Filling",
    "Safe",
    "Words",
    "inField",
    "inHTML",
    "inJSON",
    "inText",
    "inURL",
    "parametersOf",
    "reason",
    "safeFor",
]

_CONTROLS = re.compile("[\0-\x08\x0a-\x1f\x7f]")
_UNREADABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
#: All that a request line can have: what comes from there stays as it is.
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
#: These come from a request line, or have nothing that would have to be encoded.
_OF_URL = frozenset({"domain", "param", "path", "port", "query", "scheme", "uri", *"0123456789"})

#: Where a route has no path, or there is no route.
ANYWHERE = AnyPath(None)

#: Makes the value of a blank safe for a place.
Safe = Callable[[blanks.Blank, str], str]


def inField(blank: blanks.Blank, value: str) -> str:
    """
    For the value of a header field: without line breaks and other controls.
    """
    return _CONTROLS.sub(" ", value)


def inURL(blank: blanks.Blank, value: str) -> str:
    """
    For a URL.  Parts of the request's own stay as they are; anything else is one part, whatever is
    in it.
    """
    return quote(value, _VISIBLE if blank.name in _OF_URL else "")


def inHTML(blank: blanks.Blank, value: str) -> str:
    """
    For HTML and XML, also inside of an attribute in quotes.
    """
    return escape(_UNREADABLE.sub("\ufffd", value))


def inJSON(blank: blanks.Blank, value: str) -> str:
    """
    For the inside of a text in JSON, also where that is put into HTML.
    """
    return json.dumps(value)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def inText(blank: blanks.Blank, value: str) -> str:
    """
    For text that is no markup.
    """
    return _UNREADABLE.sub("\ufffd", value)


def safeFor(kind: str) -> Safe:
    """
    @param kind: A media type; empty: none is told, and whoever gets it may take it for HTML.
    """
    kind = kind.partition(";")[0].strip().lower()
    if kind.endswith(("/json", "+json", "/javascript", "json-seq", "ndjson")):
        return inJSON
    if kind.startswith("text/") and kind not in ("text/html", "text/xml"):
        return inText
    return inHTML


def reason(status: int) -> str:
    """
    What a status means, in a few words.
    """
    return _REASONS.get(status, "")


#: Two were renamed by RFC 9110 section 15.5; the library has the old words.
_REASONS = {int(each): each.phrase for each in HTTPStatus} | {413: "Content Too Large", 414: "URI Too Long"}


def parametersOf(pattern: PathPattern, path: str) -> dict[str, str]:
    """
    What the parameters of a path stand for, and C{*} for what the C{*} at its end does.
    """
    if isinstance(pattern, AnyPath):
        return {"*": path[1:]} if pattern.text else {}
    if isinstance(pattern, PrefixPath):
        return {"*": path.removeprefix(pattern.prefix)}
    if isinstance(pattern, ParameterPath):
        found = dict(pattern.match(path) or ())
        if pattern.isOpen:
            found["*"] = path.split("/", pattern.length + 1)[-1]
        return found
    return {}


class Words:
    """
    What blanks stand for, for one request.
    """

    __slots__ = ("_facts", "_fields", "_headers", "_parameters", "_pattern", "_read", "_route", "status")

    def __init__(
        self,
        facts: Callable[[], RequestFacts],
        fields: Callable[[], Iterable[tuple[str, str]]],
        route: str = "",
        pattern: PathPattern = ANYWHERE,
    ) -> None:
        """
        @param facts: Of the request; called once at most.
        @param fields: Its header fields, names in lower case; likewise.
        @param route: The name of the route that takes it; empty: none does.
        @param pattern: The path of that.
        """
        self._read = facts
        self._facts: RequestFacts | None = None
        self._fields = fields
        self._headers: list[tuple[str, str]] | None = None
        self._route = route
        self._pattern = pattern
        self._parameters: dict[str, str] | None = None
        #: Of the answer; 0 while there is none.
        self.status = 0

    @property
    def facts(self) -> RequestFacts:
        """
        Of the request.
        """
        if self._facts is None:
            self._facts = self._read()
        return self._facts

    def values(self, name: str) -> list[str]:
        """
        What a header field says.

        @param name: In lower case.
        """
        if self._headers is None:
            self._headers = list(self._fields())
        return [value for each, value in self._headers if each == name]

    def names(self) -> list[str]:
        """
        The names of the header fields, in lower case, as often as they are there.
        """
        if self._headers is None:
            self._headers = list(self._fields())
        return [name for name, _ in self._headers]

    def value(self, blank: blanks.Blank) -> str:
        """
        What a blank stands for, as it is; empty where there is nothing.
        """
        return _VALUES[blank.name](self, blank.which)

    def parameter(self, name: str) -> str:
        """
        What a parameter of the path stands for.
        """
        if self._parameters is None:
            self._parameters = parametersOf(self._pattern, self.facts.path)
        return self._parameters.get(name, "")

    @property
    def route(self) -> str:
        """
        The name of the route.
        """
        return self._route


def _domain(words: Words, _: str) -> str:
    host = words.facts.host
    return f"[{host}]" if ":" in host else host


def _uri(words: Words, _: str) -> str:
    facts = words.facts
    return f"{facts.path}?{facts.query}" if facts.query else facts.path


_VALUES: dict[str, Callable[[Words, str], str]] = {
    "client_ip": lambda words, _: words.facts.client or words.facts.connection.client.host,
    "domain": _domain,
    "path": lambda words, _: words.facts.path,
    "query": lambda words, _: words.facts.query,
    "uri": _uri,
    "port": lambda words, _: str(words.facts.connection.port),
    "route": lambda words, _: words.route,
    "request_id": lambda words, _: words.facts.requestID,
    "method": lambda words, _: words.facts.method,
    "scheme": lambda words, _: "https" if words.facts.connection.isTLS else "http",
    "header": lambda words, name: ", ".join(words.values(name)),
    "param": lambda words, name: words.parameter(name),
    "status": lambda words, _: str(words.status),
    "reason": lambda words, _: reason(words.status),
}


class Filling:
    """
    A text with blanks, for one kind of place.

    @ivar fixed: What it always is; L{None} where it has blanks.
    """

    __slots__ = ("_pieces", "_safe", "fixed")

    def __init__(self, pieces: tuple[blanks.Piece, ...], safe: Safe) -> None:
        """
        @param pieces: As L{blanks.parse} has them.
        """
        self._pieces = pieces
        self._safe = safe
        isFixed = all(isinstance(piece, str) for piece in pieces)
        self.fixed: str | None = "".join(map(str, pieces)) if isFixed else None

    @classmethod
    def of(cls, text: str, safe: Safe) -> Filling:
        """
        Read a text.

        @raise ValueError: As L{blanks.parse} does.
        """
        return cls(blanks.parse(text, isURL=safe is inURL), safe)

    def fill(self, words: Words) -> str:
        """
        @return: The text for one request.
        """
        if self.fixed is not None:
            return self.fixed
        safe = self._safe
        return "".join(
            [piece if isinstance(piece, str) else safe(piece, words.value(piece)) for piece in self._pieces]
        )
