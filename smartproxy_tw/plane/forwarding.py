"""
Forwarding fields (X-Forwarded-*, X-Real-IP, Forwarded): whom to believe.

From a peer that is not trusted none of them goes on; ours are all there is.  That is so
of X-Forwarded and of each name that begins with X-Forwarded-, known or not: there are
applications that take X-Forwarded-Ssl for TLS, and X-Forwarded-User for somebody who has
shown a password.
From a trusted peer (C{trusted_proxies}) they go on, with the peer's own address
added to X-Forwarded-For, and what it left out is filled in.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from ..wire.lines import without

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..facts import ConnectionFacts
    from ..wire.http1 import Request

__all__ = ["believedLines", "clientBehind", "plainMarks", "settle", "trustedMarks"]

# Those that are said to targets in one way, whoever has said what; all others go on as they came.
_SAID = frozenset(
    (
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-real-ip",
    )
)
_ODD = re.compile(rb"[^0-9A-Za-z-]")
_LINE = re.compile(rb"(?m)^([^:\r\n]++):[\t ]*+([^\r\n]*+)\r\n")


def _values(request: Request) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in _LINE.findall(request.forwarded):
        # A twin with an underscore, or another sign in place of a hyphen, is never believed.
        if not _ODD.search(name):
            found.setdefault(name.lower(), []).append(value.strip(b"\t "))
    return found


def believedLines(request: Request) -> bytes:
    """
    What a trusted peer says of whom it speaks for, without what is never believed.

    @return: Whole lines.
    """
    lines = [name + b": " + value + b"\r\n" for name, some in _values(request).items() for value in some]
    return b"".join(lines)


def settle(request: Request) -> None:
    """
    Have those fields of a trusted peer that the proxy itself has no words for be fields like any other, which
    routes ask for and rules change.
    """
    others = without(request.forwarded, lambda name: name in _SAID or _ODD.search(name) is not None)
    if others:
        request.fields += others
        request.forwarded = without(request.forwarded, lambda name: name not in _SAID)


def _hops(request: Request) -> list[str]:
    lines = _values(request).get(b"x-forwarded-for", [])
    return [hop.strip().decode("latin-1") for hop in b",".join(lines).split(b",") if hop.strip()]


def clientBehind(request: Request, connection: ConnectionFacts, trusts: Callable[[str], bool]) -> str:
    """
    The client that a trusted peer speaks for: the rightmost address in
    X-Forwarded-For that is not itself trusted.

    @param request: A request by a trusted peer.
    @param trusts: Whether an address is a trusted peer.
    @return: An address; the peer's own when nothing believable is there.
    """
    client = connection.client.host
    for hop in reversed(_hops(request)):
        address = _address(hop)
        if address is None:
            break
        client = address
        if not trusts(client):
            break
    return client


def _address(hop: str) -> str | None:
    """
    An address out of X-Forwarded-For, where some write a port too.
    """
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        address = ip_address(hop)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def plainMarks(connection: ConnectionFacts) -> bytes:
    """
    The forwarding fields to send on for a peer that speaks for nobody else.

    @return: Whole lines, but for X-Forwarded-Host, which belongs to the request.
    """
    client = connection.client.host
    return (
        f"X-Forwarded-For: {client}\r\nX-Real-IP: {client}\r\n"
        f"X-Forwarded-Proto: {'https' if connection.isTLS else 'http'}\r\n"
        f"X-Forwarded-Port: {connection.port}\r\n"
    ).encode()


def trustedMarks(request: Request, connection: ConnectionFacts, client: str) -> bytes:
    """
    The forwarding fields to send on for a trusted peer.

    @param client: What L{clientBehind} said.
    @return: Whole lines.
    """
    found = _values(request)
    hops = [*_hops(request), connection.client.host]
    lines = [b"X-Forwarded-For: " + ", ".join(hops).encode("latin-1")]
    lines.append(b"X-Real-IP: " + client.encode("ascii"))
    ours = {
        b"X-Forwarded-Proto": b"https" if connection.isTLS else b"http",
        b"X-Forwarded-Host": request.authority,
        b"X-Forwarded-Port": str(connection.port).encode("ascii"),
    }
    for name, value in ours.items():
        lines.append(name + b": " + found.get(name.lower(), [value])[-1])
    for name in (b"X-Forwarded-Prefix", b"Forwarded"):
        lines += [name + b": " + value for value in found.get(name.lower(), [])]
    return b"\r\n".join(lines) + b"\r\n"
