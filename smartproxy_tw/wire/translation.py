"""
Between exchanges, which have heads of HTTP/1, and targets that speak HTTP/2: heads of
requests become blocks, and fields of answers become heads.

An answer is held against the rules that only HTTP/2 has first (RFC 9113 section 8.2), and
read by L{smartproxy_tw.wire.http1} then, so that every other rule is there, once: what a
target of HTTP/1 may not answer no other may.

This is hot: both run for each exchange that is not remembered.  Blocks are remembered by
their heads, but for what is different each time (the number of a request), and for those
that have secrets.
"""

from __future__ import annotations

import re
from typing import Final

from .downgrade import CONNECTION, Malformed, linesOf
from .hpack import encodeHead, encodeLines
from .http1 import Response, parseResponse

__all__ = ["blockOf", "connectOf", "responseOf"]

_Fields = list[tuple[bytes, bytes]]

_HOST = re.compile(rb"(?im)^host:[\t ]*+([^\r\n]*+)\r\n")
_NUMBER: Final = b"\r\nX-Request-ID: "
_SECRETS = re.compile(rb"(?i)\n(?:proxy-)?(?:authorization|cookie):")
# RFC 8441 section 5: they have no place in a handshake by HTTP/2.
_HANDSHAKE = re.compile(rb"(?im)^sec-websocket-key:[^\r\n]*+\r\n")

# Of the heads that are remembered: the longest, in bytes, and how many.
_LONGEST: Final = 1024
_MOST: Final = 512

_blocks: dict[tuple[bytes, bytes], bytes] = {}


def blockOf(head: bytes, scheme: bytes) -> bytes:
    """
    A request's head as a block, without use of a dynamic table.

    @param head: Request line and fields, each with its CR LF, and valid, without the empty
        line; the target is a path or an asterisk.
    @param scheme: C{http} or C{https}.
    """
    number = b""
    at = head.rfind(_NUMBER)
    if at >= 0 and head.find(b"\r\n", at + 2) == len(head) - 2:
        number = encodeHead([(b"x-request-id", head[at + len(_NUMBER) : -2])])
        head = head[: at + 2]
    key = scheme, head
    block = _blocks.get(key)
    if block is None:
        line, fields = head.split(b"\r\n", 1)
        method, target, _ = line.split(b" ")
        block = _block(((b":method", method),), scheme, target, fields)
        if len(head) <= _LONGEST and _SECRETS.search(head) is None:
            if len(_blocks) >= _MOST:
                _blocks.clear()
            _blocks[key] = block
    return block + number


def connectOf(head: bytes, scheme: bytes, protocol: bytes) -> bytes:
    """
    A request for another protocol as a block: an extended CONNECT (RFC 8441 section 5).

    @param head: As for L{blockOf}.
    @param scheme: Likewise.
    @param protocol: As the Upgrade field has it.
    """
    line, fields = head.split(b"\r\n", 1)
    target = line.split(b" ")[1]
    begin = ((b":method", b"CONNECT"), (b":protocol", protocol.lower()))
    return _block(begin, scheme, target, _HANDSHAKE.sub(b"", fields))


def _block(begin: tuple[tuple[bytes, bytes], ...], scheme: bytes, target: bytes, fields: bytes) -> bytes:
    host = _HOST.search(fields)
    pseudo = [*begin, (b":scheme", scheme), (b":path", target)]
    if host is not None:
        pseudo.append((b":authority", host[1].rstrip(b"\t ")))
        fields = fields[: host.start()] + fields[host.end() :]
    return encodeHead(pseudo) + encodeLines(fields)


def responseOf(fields: _Fields, method: bytes, line: bytes) -> Response:
    """
    Read the fields of an answer.

    @param fields: As they came, with the status first, which the session has checked.
        They are not changed.
    @param method: Of the request.
    @param line: The status line that the head is to have, with its CR LF.
    @return: The answer.  Its length is L{UNTIL_CLOSE<smartproxy_tw.wire.http1.UNTIL_CLOSE>}
        where nobody says how long it is.
    @raise Malformed: It is malformed.
    @raise BadMessage: It is not one that can be handed on.
    """
    rest = fields[1:]
    names = [name for name, _ in rest]
    if not CONNECTION.isdisjoint(names):
        raise Malformed("a field that belongs to a connection of HTTP/1")
    parsed = parseResponse(line + linesOf(rest, names) + b"\r\n", method)
    assert parsed is not None, "a head that is complete"
    return parsed[0]
