"""
What targets are asked for in place of what clients have asked for: from the path and query
that came to those that go on.

Whatever comes of it is a target that the proxy would take itself: it begins with a slash, it
has no dot segments, and all that may not stand in it is percent-encoded; no header field and
no parameter can break out of it.  Patterns are those of RE2, in time that grows with
the length of the path and no faster.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus

from ..config import blanks
from ..config.expressions import expression
from ..wire.target import hostOf
from .filling import Filling, Words, inURL

if TYPE_CHECKING:
    from ..config.revision import Replacement, Rewrite

__all__ = ["MOST", "Rewriting", "Unfit", "mapBack"]

#: A longer target is not made, in bytes.
MOST = 65536

#: What may stand in a path, and in a query (RFC 3986 section 3.3 and 3.4); others that came are
#: among them since browsers send them.
_PATH = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/%\"<>^`{|}\[\]-]")
_QUERY = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/?%\"<>^`{|}\[\]-]")


_DOTS = re.compile(r"(?i)/(?:\.|%2e){1,2}(?:/|\Z)")


class Unfit(Exception):
    """
    What came of it cannot be asked for.

    @ivar status: What the client is answered: 414, it is longer than L{MOST}; 400, it has dot
        segments, which were not there before and would lead elsewhere.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Rule:
    """
    A pattern, and what takes its place.
    """

    def __init__(self, settings: Replacement) -> None:
        found: Any = expression(f"/{settings.match}/")
        self._pattern = found.compiled
        self._pieces = blanks.parse(settings.to, blanks.GROUPS, isURL=True)

    def apply(self, path: str, words: Words) -> str | None:
        """
        @return: L{None}: it is not found.
        @raise Unfit: What came of it is.
        """
        made: list[str] = []
        at = size = 0
        for found in self._pattern.finditer(path):
            made.append(path[at : found.start()])
            at = found.end()
            for piece in self._pieces:
                if isinstance(piece, str):
                    made.append(piece)
                elif piece.name.isdigit():
                    made.append(found.group(int(piece.name)) or "")
                else:
                    made.append(inURL(piece, words.value(piece)))
                size += len(made[-1])
            if size > MOST:
                raise Unfit(414)
        return "".join([*made, path[at:]]) if made else None


class Rewriting:
    """
    Made once for a route.
    """

    def __init__(self, settings: Rewrite) -> None:
        """
        @raise ValueError: A text or a pattern is none, which the loader does not let through.
        """
        self._strip = settings.stripPrefix
        self._add = settings.addPrefix
        self._replace = Filling.of(settings.replacePath, inURL) if settings.replacePath else None
        self._rules = tuple(map(_Rule, settings.regex))
        self._query = _Query(settings) if settings.querySet or settings.queryRemove else None

    def strips(self, path: str) -> bool:
        """
        Whether the prefix is taken off a path.
        """
        return bool(self._strip) and (path == self._strip or path.startswith(self._strip + "/"))

    def target(self, words: Words) -> bytes | None:
        """
        @return: What is asked for, as a request line has it; L{None}: it is what came.
        @raise Unfit: It cannot be asked for.
        """
        facts = words.facts
        if facts.path == "*":
            return None
        path = self._path(facts.path, words)
        query = facts.query if self._query is None else self._query.apply(facts.query, words)
        if path == facts.path and query == facts.query:
            return None
        text = _valid(path, _PATH)
        if not text.startswith("/"):
            text = "/" + text
        if _DOTS.search(text):
            raise Unfit(400)
        if query:
            text += "?" + _valid(query, _QUERY)
        if len(text) > MOST:
            raise Unfit(414)
        return text.encode("ascii")

    def _path(self, path: str, words: Words) -> str:
        if self._replace is not None:
            return self._replace.fill(words)
        if self.strips(path):
            path = path[len(self._strip) :] or "/"
        for rule in self._rules:
            made = rule.apply(path, words)
            if made is not None:
                path = made if made.startswith("/") else "/" + made
                break
        return self._add + path if self._add else path


def _valid(text: str, wrong: re.Pattern[str]) -> str:
    return wrong.sub(lambda found: quote(found[0], ""), text)


class _Query:
    """
    What becomes of parameters.
    """

    def __init__(self, settings: Rewrite) -> None:
        self._set = tuple((name, Filling.of(text, _asItIs)) for name, text in settings.querySet)
        self._replaced = frozenset(name for name, _ in settings.querySet)
        self._removed = tuple(map(expression, settings.queryRemove))

    def apply(self, query: str, words: Words) -> str:
        """
        @return: Those that stay as they came, then those that are set.
        """
        kept = [each for each in query.split("&") if each and not self._goes(each)]
        added = [f"{quote(name, '')}={quote(filling.fill(words), '')}" for name, filling in self._set]
        return "&".join([*kept, *added])

    def _goes(self, each: str) -> bool:
        name = unquote_plus(each.partition("=")[0])
        return name in self._replaced or any(pattern.matches(name) for pattern in self._removed)


def _asItIs(blank: blanks.Blank, value: str) -> str:
    # The whole is encoded afterwards.
    return value


def mapBack(location: str, settings: Rewrite, name: str) -> str:
    """
    What a target says of a place of its own, as clients can ask for it.

    @param location: A URL, or a path.
    @param name: Whom the client has asked, as L{RequestFacts.host
        <smartproxy_tw.facts.RequestFacts.host>}.
    @return: The same where it is elsewhere.
    """
    found = re.match(r"(?i)(https?://([^/?#]*))?(/[^?#]*)?(.*)\Z", location, re.DOTALL)
    assert found is not None
    origin, host, path, rest = found[1] or "", found[2], found[3], found[4]
    if origin and (not host.isascii() or hostOf(host.encode("ascii")) != name):
        return location
    if path is None and origin:
        # The same as with a slash (RFC 3986 section 6.2.3).
        path = "/"
    if path is None or path.startswith("//"):
        return location
    strip, add = settings.stripPrefix, settings.addPrefix
    if add and (path == add or path.startswith(add + "/")):
        path = path[len(add) :] or "/"
    if strip and path != strip and not path.startswith(strip + "/"):
        path = strip + path
    # Two slashes without a host before them would be one.
    return location if path.startswith("//") else origin + path + rest
