"""
From HTTP/2 to the one model of a request that everything behind the parser knows.

Here are the rules that only HTTP/2 has (RFC 9113 sections 8.2 and 8.3): what is malformed
by them never becomes a line of HTTP/1.  A name with a colon, a value with a line break, a
framing field: each would be one request for us and another one for the origin.  What is
left is put into lines and read by L{smartproxy_tw.wire.http1}, so that every other rule is
there, once: the target, Host, Content-Length, forwarding fields, limits.

This is hot: it runs for each request that is not remembered.  All fields are looked at
together, by what is left of their lines without the bytes that may be there: half the time
of a regular expression.  A loop over fields is only for requests that have something
unusual.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1
from typing import Final

from .http1 import BadMessage, Request, checkTrailers, notServed, requestFrom

__all__ = [
    "CONNECTION",
    "Malformed",
    "acceptFor",
    "acceptLine",
    "isAcceptedBy",
    "linesOf",
    "requestOf",
    "trailersOf",
]

_Fields = list[tuple[bytes, bytes]]

# RFC 9113 section 8.2.1: names are tokens in lower case, and values have no line breaks.  The controls
# that are none are left out as HTTP/1 does.
_IN_NAMES: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_IN_VALUES: Final = bytes(byte for byte in range(256) if byte == 9 or (byte >= 32 and byte != 127))
_BREAKS = re.compile(rb"[\0\r\n]")

# A plain request has these; the order is anybody's.
_USUAL: Final = frozenset((b":method", b":scheme", b":authority", b":path"))
_KNOWN: Final = _USUAL | {b":protocol"}

#: What belongs to a connection of HTTP/1 (RFC 9113 section 8.2.2).
CONNECTION: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
_UNUSUAL: Final = CONNECTION | {b"te", b"host"}

# What a handshake by HTTP/2 does not use (RFC 8441 section 5), and a stream of bytes does not have.
_HANDSHAKE: Final = frozenset((b"sec-websocket-key", b"sec-websocket-accept", b"content-length"))
# RFC 6455 section 4.
_KEY = re.compile(rb"(?im)^sec-websocket-key:[\t ]*+([^\t\r ]*+)")
_ACCEPT = re.compile(rb"(?im)^sec-websocket-accept:[\t ]*+([^\t\r ]*+)[\t ]*+\r\n")
# RFC 6455 section 1.3.
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Malformed(Exception):
    """
    A request or trailers that RFC 9113 section 8.1.1 calls malformed.  The stream ends with
    PROTOCOL_ERROR.

    @ivar reason: For the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def requestOf(
    fields: _Fields,
    headBytes: int,
    urlBytes: int,
    isEnded: bool,
    key: Callable[[], bytes] | None = None,
    scheme: bytes | None = None,
) -> Request:
    """
    Read the fields of a request.

    @param fields: As they came, pseudo-headers among them.  They are not changed.
    @param headBytes: The longest head to take, in bytes, as HTTP/1 would have it.
    @param urlBytes: The longest target to take, in bytes.
    @param isEnded: Whether the stream ends with these fields: there is no body.
    @param key: Makes the Sec-WebSocket-Key for an upstream (16 random bytes in base64),
        where extended CONNECT was allowed by our settings; L{None} where it was not.  Such
        a request becomes a GET whose L{Request.upgrade} is the protocol (RFC 8441 section
        5); L{acceptFor} says what the upstream has to answer.
    @param scheme: What the connection is, C{http} or C{https}, where its peer is not one
        that may speak for others: another one is misdirected (RFC 9110 section 7.4).
        L{None} takes either.
    @return: The request.  Its body has the length L{CHUNKED
        <smartproxy_tw.wire.http1.CHUNKED>} when nobody says how long it is, and goes on so.
    @raise Malformed: It is malformed.
    @raise BadMessage: It is answered with a status, and the connection goes on.
    """
    pseudo = dict(fields[:4])
    rest = fields[4:]
    if pseudo.keys() != _USUAL or (rest and rest[0][0][:1] == b":"):
        pseudo, rest = _pseudo(fields)
    method = pseudo[b":method"]
    path = pseudo[b":path"]
    if path[:1] != b"/" and path != b"*":
        raise Malformed("a :path that is neither a path nor *")
    _checkScheme(pseudo[b":scheme"], scheme)
    authority = pseudo.get(b":authority")
    names = [name for name, _ in rest]
    if not _UNUSUAL.isdisjoint(names):
        rest = _withoutHost(rest, authority)
    hasCrumbs = names.count(b"cookie") > 1
    if hasCrumbs:
        rest = sorted(rest, key=_isCookie)
    if authority is not None:
        rest = [(b"host", authority), *rest]
    elif b"host" not in names:
        raise Malformed("neither :authority nor Host")
    lines = linesOf(rest, names)
    if hasCrumbs:
        lines = _withoutCrumbs(lines)
    if b":protocol" in pseudo:
        lines += _upgrade(pseudo, names, key)
        method = b"GET"
    elif not isEnded and b"content-length" not in names:
        lines += b"transfer-encoding: chunked\r\n"
    try:
        request = requestFrom(method, path, lines, headBytes, urlBytes)
    except BadMessage:
        if _BREAKS.search(method + path) is not None:
            raise Malformed("a line break or NUL in a pseudo-header") from None
        raise
    if isEnded and request.length:
        raise Malformed("a Content-Length without a body")
    return request


def trailersOf(fields: _Fields) -> bytes:
    """
    Read the fields behind a body.

    @param fields: As they came.
    @return: Lines that may stand behind the last chunk, each with its CR LF.
    @raise Malformed: They are malformed; pseudo-headers are.
    @raise BadMessage: They are too many, or say what a trailer must not say.
    """
    names = [name for name, _ in fields]
    if not CONNECTION.isdisjoint(names):
        raise Malformed("a field that belongs to a connection of HTTP/1")
    lines = linesOf(fields, names)
    checkTrailers(lines + b"\r\n")
    return lines


def acceptFor(key: bytes) -> bytes:
    """
    What an upstream answers to a Sec-WebSocket-Key when it agrees (RFC 6455 section 4.2.2).

    @param key: As it was sent.
    @return: The value of Sec-WebSocket-Accept.
    """
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def acceptLine(asked: bytes) -> bytes:
    """
    What says that WebSocket is agreed to, in the head of an answer.

    @param asked: The fields of the request, as whole lines.
    @return: A whole line; nothing, where the request has no key.
    """
    key = _KEY.search(asked)
    return b"" if key is None else b"Sec-WebSocket-Accept: " + acceptFor(key[1]) + b"\r\n"


def isAcceptedBy(asked: bytes, answer: bytes) -> bool:
    """
    Whether a server that agrees to speak WebSocket has understood who asked for it (RFC 6455 section 4.1).

    @param asked: The fields of the request, as whole lines.
    @param answer: The head of the answer, or its fields.
    """
    key = _KEY.search(asked)
    accepted = _ACCEPT.search(answer)
    return key is not None and accepted is not None and accepted[1] == acceptFor(key[1])


def linesOf(fields: _Fields, names: list[bytes]) -> bytes:
    """
    Regular fields as lines of HTTP/1.

    @param names: Theirs, in any order.  Host may be missing here.
    @raise Malformed: They are not such fields.
    """
    values = [value for _, value in fields]
    lines = b"\r\n".join(map(b": ".join, fields)) + b"\r\n" if fields else b""
    if (
        b"".join(names).translate(None, _IN_NAMES)
        or b"" in names
        # Nothing is left of them but the ends of so many lines.
        or lines.translate(None, _IN_VALUES) != b"\r\n" * len(fields)
        or list(map(bytes.strip, values)) != values
    ):
        raise Malformed(_whyNot(fields))
    return lines


def _whyNot(fields: _Fields) -> str:
    """
    Name what is wrong with one of the fields.
    """
    for name, value in fields:
        if name[:1] == b":":
            return "a pseudo-header where none may be"
        if not name or name.translate(None, _IN_NAMES):
            return "the name of a field is not a token in lower case"
        if _BREAKS.search(value) is not None:
            return "a line break or NUL in a field"
        if value.strip(b"\t ") != value:
            return "white space around the value of a field"
    return "a control character in a field"


def _pseudo(fields: _Fields) -> tuple[dict[bytes, bytes], _Fields]:
    """
    RFC 9113 section 8.3: each known pseudo-header once, before all other fields.

    @return: They, and those other fields.
    """
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        if name[:1] != b":":
            break
        if name not in _KNOWN:
            raise Malformed("a pseudo-header that no request has")
        if name in found:
            raise Malformed(f"the pseudo-header {name.decode()} twice")
        found[name] = value
    if found.get(b":method") == b"CONNECT" and b":protocol" not in found:
        # It has neither :scheme nor :path (RFC 9113 section 8.5).
        raise notServed(b"CONNECT")
    for name in (b":method", b":scheme", b":path"):
        if name not in found:
            raise Malformed(f"no {name.decode()}")
    return found, fields[len(found) :]


def _checkScheme(scheme: bytes, expected: bytes | None) -> None:
    """
    Nothing is made of the scheme; but whoever sends an odd one hopes that something is.
    """
    if scheme != b"https" and scheme != b"http":
        raise BadMessage(400, "a :scheme other than http and https")
    if expected is not None and scheme != expected:
        raise BadMessage(421, f"a :scheme other than {expected.decode()}")


def _withoutHost(fields: _Fields, authority: bytes | None) -> _Fields:
    """
    Refuse what belongs to a connection of HTTP/1, and leave out what says C{:authority} again.
    """
    kept: _Fields = []
    for name, value in fields:
        if name in CONNECTION:
            raise Malformed("a field that belongs to a connection of HTTP/1")
        if name == b"te" and value.lower() != b"trailers":
            raise Malformed("a TE other than trailers")
        if name == b"host" and authority is not None:
            if value.lower() != authority.lower():
                raise Malformed("Host names another host than :authority")
            continue
        kept.append((name, value))
    return kept


def _isCookie(field: tuple[bytes, bytes]) -> bool:
    return field[0] == b"cookie"


def _withoutCrumbs(lines: bytes) -> bytes:
    """
    RFC 9113 section 8.2.3: the crumbs of a cookie are one field again.

    @param lines: The crumbs are the last ones, each of them valid by itself, and others come
        before.
    """
    before, first, crumbs = lines.partition(b"\r\ncookie: ")
    return before + first + crumbs.replace(b"\r\ncookie: ", b"; ")


def _upgrade(pseudo: dict[bytes, bytes], names: list[bytes], key: Callable[[], bytes] | None) -> bytes:
    """
    RFC 8441 sections 4 and 5: what makes the lines of an extended CONNECT those of a handshake.
    """
    if key is None or pseudo[b":method"] != b"CONNECT":
        raise Malformed("a :protocol where none may be")
    if pseudo[b":protocol"] != b"websocket":
        raise BadMessage(501, "a :protocol other than websocket")
    if not _HANDSHAKE.isdisjoint(names):
        raise Malformed("a field of the handshake that HTTP/2 has no use for")
    return b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: " + key() + b"\r\n"
