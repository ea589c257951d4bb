"""
What the patterns of C{domains} and C{path} match, and which of two that match
is the more specific one.

Every pattern has a C{rank}: of two ranks of one kind the smaller belongs to the
more specific pattern, whatever name or path is asked about.  So precedence can
be settled once, when the table is compiled.

What matches:

  - C{shop.example}: that name.  C{*.shop.example}: one label more, as in
    certificates, so C{a.shop.example} but neither C{a.b.shop.example} nor
    C{shop.example} itself.  C{**.shop.example}: one label more or several.
    C{*}: any name.  Names come and are compared in lower case.
  - C{/a}: that path and not C{/a/}.  C{/a/*}: every path that begins with
    C{/a/}, C{/a/} included; C{/a} is not one of them, as with Caddy's
    C{path /a/*}, nginx's C{location /a/} and Envoy's C{prefix: "/a/"}: a
    pattern takes what is written in it.  C{/u/:id}: a parameter stands for one
    segment that is not empty, and the pattern for the whole path, so that
    C{/u/5/more} and C{/u/} do not match; C{/u/:id/*} takes what is below.
    C{/*} is every path, the same as none.  Case matters in paths.
  - Paths come with their dot segments resolved and nothing decoded, see
    L{smartproxy_tw.wire.target}, and so must patterns be written.

The patterns are named tuples and not dataclasses because this is imported before
the ports are bound, and a frozen dataclass takes eight times as long to define.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = [
    "NO_DOMAIN",
    "AnyPath",
    "DomainPattern",
    "ExactPath",
    "ParameterPath",
    "Parameters",
    "PathPattern",
    "PrefixPath",
    "Rank",
    "candidates",
    "domainPattern",
    "pathPattern",
]

#: What is compared: smaller is more specific.
Rank = tuple[int, ...]

#: What the parameters of a path stand for, in their order: name and segment.
Parameters = tuple[tuple[str, str], ...]

#: The text of the pattern that a route without domains has: it matches also
#: where no name is known.
NO_DOMAIN = ""

_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|[0-9a-f:.]*:[0-9a-f:.]*")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOTS = re.compile(r"(?:\.|%2[eE]){1,2}")


class DomainPattern(NamedTuple):
    """
    One of the domains of a route, or L{NO_DOMAIN}.

    @ivar text: As in the configuration.
    @ivar rank: An exact name is before wildcards, a wildcard with more labels
        before one with fewer, one label before any depth, C{*} after those,
        and no domain at all last.
    """

    text: str
    rank: Rank

    def matches(self, name: str) -> bool:
        """
        Whether it takes this name.

        @param name: Lower-case, no trailing dot; empty when none is known.
        """
        return self.text in candidates(name)


def candidates(name: str) -> list[str]:
    """
    The texts of all domain patterns that match a name.  This is what matching
    I{is}: a table looks these texts up, and a pattern looks for its own.

    @param name: Lower-case, no trailing dot; empty when none is known.
    """
    if not name:
        return [NO_DOMAIN]
    found = [name]
    _, dot, rest = name.partition(".")
    if dot:
        found.append("*." + rest)
    while dot:
        found.append("**." + rest)
        _, dot, rest = rest.partition(".")
    found.append("*")
    found.append(NO_DOMAIN)
    return found


def domainPattern(text: str) -> DomainPattern:
    """
    Read a domain pattern.

    @param text: Lower-case ASCII, no trailing dot; or L{NO_DOMAIN}.
    @raise ValueError: It is not one; the message says why.
    """
    if text == NO_DOMAIN:
        return DomainPattern(text, (3,))
    if text == "*":
        return DomainPattern(text, (2,))
    stars, dot, rest = text.partition(".")
    if dot and stars in ("*", "**") and _NAME.fullmatch(rest):
        return DomainPattern(text, (1, -rest.count("."), len(stars)))
    if _NAME.fullmatch(text):
        return DomainPattern(text, (0,))
    if "*" in text:
        raise ValueError(
            f"the domain {text!r} is not a pattern: a wildcard stands alone (*) or is the whole first "
            f"label, *.shop.example for one label and **.shop.example for any depth"
        )
    raise ValueError(f"the domain {text!r} is not a host name in lower case")


class AnyPath(NamedTuple):
    """
    Every path: where C{path} is absent, or C{/*}.
    """

    text: str | None

    @property
    def rank(self) -> Rank:
        """
        After every pattern that says something about the path.
        """
        return (3,)

    def match(self, path: str) -> Parameters | None:
        """
        Take it.
        """
        return ()


class ExactPath(NamedTuple):
    """
    One path.
    """

    text: str

    @property
    def rank(self) -> Rank:
        """
        Before all others.
        """
        return (0,)

    def match(self, path: str) -> Parameters | None:
        """
        Take the path that is written.
        """
        return () if path == self.text else None


class PrefixPath(NamedTuple):
    """
    All that lies below a path.

    @ivar prefix: What paths begin with; ends with a slash.
    """

    text: str
    prefix: str

    @property
    def rank(self) -> Rank:
        """
        A longer prefix is before a shorter one.
        """
        return (1, -len(self.prefix))

    def match(self, path: str) -> Parameters | None:
        """
        Take what begins with the prefix.
        """
        return () if path.startswith(self.prefix) else None


class ParameterPath(NamedTuple):
    """
    A path in which parameters stand for segments.

    @ivar literals: The place and text of each segment that is not one.
    @ivar parameters: The place and name of each that is.
    @ivar length: How many segments there are before the C{/*}, if it has that.
    @ivar isOpen: Whether it ends in C{/*}.
    """

    text: str
    literals: tuple[tuple[int, str], ...]
    parameters: tuple[tuple[int, str], ...]
    length: int
    isOpen: bool

    @property
    def rank(self) -> Rank:
        """
        More segments are before fewer, then more literal ones before fewer.
        """
        return (2, -self.length, int(self.isOpen), -len(self.literals))

    def match(self, path: str) -> Parameters | None:
        """
        Take a path with the same literal segments.

        @return: The segments that the parameters stand for.
        """
        segments = path.split("/", self.length + 1)[1:]
        if len(segments) != self.length + self.isOpen:
            return None
        for place, text in self.literals:
            if segments[place] != text:
                return None
        found = tuple([(name, segments[place]) for place, name in self.parameters])
        return None if any(not segment for _, segment in found) else found


#: What C{path} can be.
PathPattern = AnyPath | ExactPath | PrefixPath | ParameterPath


def pathPattern(text: str | None) -> PathPattern:
    """
    Read a path pattern.

    @param text: As in the configuration; L{None} where it has none.
    @raise ValueError: It is not one, or one that no path can ever match; the
        message says why.
    """
    if text is None or text == "/*":
        return AnyPath(text)
    if text[:1] != "/":
        raise ValueError(f"the path {text!r} does not begin with a slash")
    for mark in "?#":
        if mark in text:
            raise ValueError(f"the path {text!r} contains {mark!r}: a path pattern sees the path only")
    bare = text.removesuffix("/*")
    if "*" in bare:
        raise ValueError(f"the path {text!r} is not a pattern: a * may only be its last segment, as in /a/*")
    segments = bare[1:].split("/")
    for segment in segments:
        if _DOTS.fullmatch(segment):
            raise ValueError(
                f"the path {text!r} matches nothing: {segment!r} is resolved before routes are asked"
            )
    named = [(place, segment[1:]) for place, segment in enumerate(segments) if segment[:1] == ":"]
    if named:
        _checkParameters(text, [name for _, name in named])
        literals = tuple((place, each) for place, each in enumerate(segments) if each[:1] != ":")
        return ParameterPath(text, literals, tuple(named), len(segments), bare != text)
    return ExactPath(text) if bare == text else PrefixPath(text, bare + "/")


def _checkParameters(text: str, names: list[str]) -> None:
    """
    Each parameter has a name, and no other has the same.
    """
    for place, name in enumerate(names):
        if not _PARAMETER.fullmatch(name):
            raise ValueError(
                f"the path {text!r} has a parameter without a proper name: "
                f"a colon and letters, digits or underscores, as in /u/:id"
            )
        if name in names[:place]:
            raise ValueError(f"the path {text!r} has two parameters named {name!r}")
