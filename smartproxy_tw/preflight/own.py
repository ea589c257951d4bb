"""
Which addresses are this machine's own, and from where it goes to others.  Nothing is
sent: the kernel is asked for its choice of a source address.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address

__all__ = ["isBehindNAT", "isOwn", "sourceFor"]


def sourceFor(address: str) -> str | None:
    """
    @param address: An IP address.
    @return: The one that this machine would go there from; L{None}: it knows no way.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sock:
            sock.connect((address, 9))
            return str(sock.getsockname()[0])
    except OSError:
        return None


def isOwn(address: str, source: Callable[[str], str | None] = sourceFor) -> bool:
    """
    Whether an address is this machine's: whoever talks to himself does it from the
    address that he talks to.

    @param address: An IP address.
    @param source: As L{sourceFor}.
    """
    plain = ip_address(address)
    if plain.is_loopback:
        return True
    found = source(address)
    return found is not None and ip_address(found.partition("%")[0]) == plain


def isBehindNAT(address: str, source: Callable[[str], str | None] = sourceFor) -> bool:
    """
    Whether a public address is gone to from a private one.

    @param address: An IP address.
    @param source: As L{sourceFor}.
    """
    found = source(address)
    if found is None or not ip_address(address).is_global:
        return False
    return not ip_address(found.partition("%")[0]).is_global
