"""
Names of hosts and addresses: which are accepted, and their normal form.

Every function takes what somebody wrote and returns the normal form, or raises
L{ValueError} with the end of a sentence that begins with what was written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = [
    "address",
    "certifiable",
    "host",
    "isAddress",
    "isHost",
    "network",
    "pattern",
    "registeredDomain",
    "uncovered",
]

#: What a DNS name is made of in practice: RFC 1123 and, in private zones, "_".
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_SURROUNDED = "is not a host name: leave out what stands around the name (https://, a path)"
_MAPPED = IPv6Network("::ffff:0:0/96")


def _unmapped(found: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """
    An IPv4-mapped IPv6 address is the IPv4 address (RFC 4291 section 2.5.5.2).
    """
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def isAddress(text: str) -> bool:
    """
    Whether a normal form is an IP address rather than a name.
    """
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def address(text: str) -> str:
    """
    An IP address.

    @param text: With or without the brackets that URLs put around IPv6.
    @return: Its shortest form; an IPv4-mapped IPv6 address as IPv4.
    @raise ValueError: It is none.
    """
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(_unmapped(ip_address(inner)))
    except ValueError:
        raise ValueError("is not an IP address") from None


def network(text: str) -> IPv4Network | IPv6Network:
    """
    An address, or a network in CIDR notation.

    @param text: For instance C{10.0.0.0/8}.
    @return: The network; within C{::ffff:0:0/96} the IPv4 network.
    @raise ValueError: It is none, or has bits set beyond its prefix.
    """
    try:
        found = ip_network(text)
    except ValueError:
        try:
            wide = ip_network(text, strict=False)
        except ValueError:
            raise ValueError(
                "is not an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32"
            ) from None
        raise ValueError(f"has bits set beyond its prefix: write {wide}") from None
    if isinstance(found, IPv6Network) and found.prefixlen >= 96 and found.subnet_of(_MAPPED):
        inner = found.network_address.ipv4_mapped
        return ip_network(f"{inner}/{found.prefixlen - 96}")
    return found


def _ascii(name: str) -> str:
    """
    @raise ValueError: It is not ASCII, and IDNA 2008 does not allow it.
    """
    if name.isascii():
        return name.lower()
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError) as why:
        raise ValueError(f"is not a name that IDNA allows: {why}") from None


def _labels(name: str) -> str:
    """
    @raise ValueError: The name does not follow the rules for DNS names.
    """
    if not name:
        raise ValueError("is empty: a host name was expected")
    if len(name) > 253:
        raise ValueError("is longer than the 253 characters that a DNS name may have")
    labels = name.split(".")
    for label in labels:
        if not label:
            raise ValueError("is not a host name: there is nothing between two of its dots")
        if len(label) > 63:
            raise ValueError("is not a host name: more than 63 characters between two dots")
        if not _LABEL.match(label):
            raise ValueError("is not a host name: letters, digits and inner hyphens were expected")
    if labels[-1].isdigit():
        raise ValueError("is neither an IP address nor a host name, which cannot end in a number")
    return name


def host(text: str) -> str:
    """
    The host of a target.

    @param text: A name, or an IP address with or without brackets.
    @return: The name as lower-case ASCII without a trailing dot, or the
        shortest form of the address.
    @raise ValueError: It is neither.
    """
    try:
        return address(text)
    except ValueError:
        if "/" in text:
            raise ValueError(_SURROUNDED) from None
        bare, colon, port = text.rpartition(":")
        if colon and port.isdigit() and (":" not in bare or bare.endswith("]")):
            kind = "an address" if isAddress(host(bare)) else "a host name"
            raise ValueError(f"is {kind} with a port, which is said elsewhere") from None
        if colon or text.startswith("["):
            raise ValueError("is not an IP address") from None
    if "*" in text:
        raise ValueError("has a wildcard, but one host was expected")
    return _labels(_ascii(text).removesuffix("."))


def isHost(text: str) -> bool:
    """
    Whether this is the normal form of one host.
    """
    try:
        return host(text) == text
    except ValueError:
        return False


def pattern(text: str) -> str:
    """
    A pattern of C{domains}.

    @param text: A name, C{*.name}, C{**.name}, C{*} or an IP address.
    @return: Its normal form, see L{Route<smartproxy_tw.config.model.Route>}.
    @raise ValueError: It is none.
    """
    if text == "*":
        return text
    for stars in ("**.", "*."):
        if text.startswith(stars):
            rest = text.removeprefix(stars)
            if "*" not in rest and not isAddress(rest):
                return stars + host(rest)
    if "*" in text:
        raise ValueError("has a * in the wrong place: write *, *.name or **.name")
    if "://" in text or "/" in text:
        raise ValueError(_SURROUNDED)
    if re.search(r"[^:]:\d+\Z", text) and not isAddress(text):
        raise ValueError("is not a host name: ports are given by ports, not here")
    return host(text)


def certifiable(name: str, *, byDNS: bool = False) -> str | None:
    """
    Why no authority can certify a name.

    @param name: A normal form of L{pattern}.
    @param byDNS: Whether names can be proved by dns-01.
    @return: The end of a sentence that begins with the name; L{None} when
        nothing is known to be in the way.
    """
    if name == "*" or name.startswith("**."):
        return "is a wildcard of any depth, and a certificate goes one label deep, as *.example.com does"
    if "*" in name and not byDNS:
        return "is a wildcard, which only dns-01 proves (see acme.dns)"
    if isAddress(name):
        return "is an IP address, which ACME is not asked for"
    if "_" in name:
        return "has an underscore, which no certificate may have"
    return None


def registeredDomain(name: str) -> str:
    """
    Whose name a name most likely is.  Only the public suffix list knows, and
    this is wrong under suffixes such as C{co.uk}.

    @param name: A name, a wildcard or an IP address.
    @return: The last two labels; an IPv4 address itself; the /64 of an IPv6
        address.
    """
    found = None
    # Looked up again and again for each order, and finding out that something is no address takes
    # long: it would end with a digit, or have a colon.
    if ":" in name or name[-1:].isdigit():
        with suppress(ValueError):
            found = ip_address(name)
    if found is None:
        return ".".join(name.removeprefix("*.").split(".")[-2:])
    return name if found.version == 4 else str(ip_network(f"{name}/64", strict=False))


def uncovered(names: Sequence[str]) -> tuple[str, ...]:
    """
    The names without those that another one of them covers, as C{*.x.example} does
    C{a.x.example}: Let's Encrypt refuses an order with both.

    @param names: Normal forms of L{pattern}.
    """
    known = set(names)
    return tuple(
        name for name in names if name.startswith("*.") or "*." + name.partition(".")[2] not in known
    )
