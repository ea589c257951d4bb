"""
The request target (RFC 9112 section 3.2): from the bytes of the request line to
the one path that is matched I{and} forwarded.

Letters, digits and C{-._~} that are percent-encoded are taken for themselves, as RFC 3986
section 6.2.2.2 has it, and then dot segments are resolved, because an origin may do
both after a rule has looked.  Nothing else is decoded or merged: C{%2f} stays what it is
and C{//} is a path of its own.  The bytes come
from L{smartproxy_tw.wire.http1}, which has already refused controls, spaces,
C{#}, C{\\} and everything outside of ASCII.
"""

from __future__ import annotations

import re

from ..values import dataclass

__all__ = ["BadTarget", "Resolved", "hostOf", "plainPath", "resolve"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """
    What a target asks for.

    @ivar path: Begins with C{/}; or is C{*}.
    @ivar query: Without its C{?}; L{None} when there was no C{?} at all.
    @ivar authority: Of an absolute target, as written; otherwise L{None}.
    @ivar scheme: Likewise, C{http} or C{https}.
    """

    path: bytes
    query: bytes | None = None
    authority: bytes | None = None
    scheme: bytes | None = None

    @property
    def origin(self) -> bytes:
        """
        The target in origin form, to be sent upstream.
        """
        return self.path if self.query is None else self.path + b"?" + self.query


@dataclass(frozen=True, slots=True)
class BadTarget:
    """
    A target that is answered with 400.

    @ivar reason: For the log.
    """

    reason: str


_UNRESERVED = re.compile(rb"%(2[DEde]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")
# One that is decoded may make another one with a % before it, which is none by itself.
_TIMES = 3

_ABSOLUTE = re.compile(rb"(?i:(https?))://([^/?]*+)(.*+)\Z")
_DOTS = re.compile(rb"(?i)/(?:\.|%2e)(?:\.|%2e)?(?:/|\Z)")
_DOT = (b".", b"%2e")
_DOTDOT = (b"..", b".%2e", b"%2e.", b"%2e%2e")

# reg-name, IPv4 or bracketed IPv6 of RFC 3986 section 3.2.2, as a server name
# can be: no userinfo, no percent encoding.
_HOST = re.compile(
    rb"(?:([A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-]))*+\.?)|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{0,5}))?\Z"
)


def resolve(target: bytes, method: bytes = b"GET") -> Resolved | BadTarget:
    """
    Read a request target.

    @param target: As it stands in the request line.
    @param method: C{*} is only for OPTIONS (RFC 9112 section 3.2.4).
    @return: What it asks for, or why it is refused.
    """
    scheme: bytes | None = None
    authority: bytes | None = None
    if target[:1] != b"/":
        if target == b"*":
            return Resolved(target) if method == b"OPTIONS" else BadTarget("the target * is for OPTIONS only")
        match = _ABSOLUTE.match(target)
        if match is None:
            return BadTarget("the target is neither a path nor an http URL")
        scheme, authority, target = match[1].lower(), match[2], match[3]
        if hostOf(authority) is None:
            return BadTarget("the target names no valid host")
        if target[:1] != b"/":
            target = b"/" + target
    path, mark, query = target.partition(b"?")
    if b"%" in path:
        plain = plainPath(path)
        if plain is None:
            return BadTarget("the path is encoded again and again")
        path = plain
    if _DOTS.search(path) is not None:
        path = _withoutDots(path)
    return Resolved(path, query if mark else None, authority, scheme)


def plainPath(path: bytes) -> bytes | None:
    """
    A path without escapes that nobody needs.

    @param path: Visible ASCII.
    @return: The same with what is unreserved (RFC 3986 section 2.3) as itself; L{None} when
        escapes are made of escapes, and no end of it.
    """
    for _ in range(_TIMES):
        plain = _UNRESERVED.sub(lambda found: bytes((int(found[1], 16),)), path)
        if plain == path:
            return path
        path = plain
    return None


def hostOf(value: bytes) -> str | None:
    """
    The name in a Host field or authority (RFC 9110 section 7.2).

    @param value: Without surrounding white space.
    @return: Lower-case, without port, trailing dot and brackets, an IPv6
        address in its shortest form and an IPv4-mapped one as IPv4; L{None}
        when it is not valid.
    """
    match = _HOST.match(value)
    if match is None:
        return None
    name, literal, port = match.groups()
    if port and int(port) > 65535:
        return None
    if literal is not None:
        return _addressOf(str(literal, "ascii"))
    host = str(name, "ascii").lower().removesuffix(".")
    return host if len(host) <= 253 else None


def _addressOf(literal: str) -> str | None:
    """
    An IPv6 address in its normal form, so that one address is one name.
    """
    from ipaddress import AddressValueError, IPv6Address

    try:
        address = IPv6Address(literal)
    except AddressValueError:
        return None
    return str(address.ipv4_mapped or address)


def _withoutDots(path: bytes) -> bytes:
    """
    RFC 3986 section 5.2.4, with C{%2e} taken for a dot.
    """
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        plain = segment.lower()
        if plain in _DOTDOT:
            if kept:
                kept.pop()
        elif plain not in _DOT:
            kept.append(segment)
    if segments[-1].lower() in _DOT + _DOTDOT:
        kept.append(b"")
    return b"/" + b"/".join(kept)
