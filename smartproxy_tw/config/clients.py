"""
Who may be meant by C{client_ip}: addresses, networks, ranges and globs.

An IPv4 address that is mapped into IPv6 is the IPv4 address, however it is written
and wherever it comes from; so C{::/0} is every IPv6 client and C{0.0.0.0/0} every IPv4
one.  Ranges are compared as whole numbers, in which nothing is negative.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Generator, Iterable
from ipaddress import ip_address
from typing import NamedTuple

from . import names

__all__ = ["Clients", "Glob", "Number", "Range", "client", "numberOf"]

#: So many are read in one step: about a millisecond.
_STEP = 64

_GLOB = re.compile(r"(?:[0-9]{1,3}|\*)(?:\.(?:[0-9]{1,3}|\*)){3}")

#: An address as what can be compared: 4 or 6, and its bits.
Number = tuple[int, int]


class Range(NamedTuple):
    """
    All addresses from one to another, both included.

    @ivar text: Its normal form.
    @ivar first: The lowest one.
    @ivar last: The highest one, of the same version.
    """

    text: str
    first: Number
    last: Number


class Glob(NamedTuple):
    """
    IPv4 addresses of which some bytes may be any.

    @ivar text: Its normal form.
    @ivar mask: The bits that are given.
    @ivar bits: What they have to be.
    """

    text: str
    mask: int
    bits: int


def numberOf(address: str) -> Number | None:
    """
    An address as what can be compared.

    @param address: Of a client.
    @return: L{None} for what is no IP address, such as the path of a unix socket.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None) or found
    return mapped.version, int(mapped)


def client(text: str) -> Range | Glob:
    """
    Read one C{client_ip}.

    @param text: An address, a network, a range C{10.0.0.1-10.0.0.9}, or a glob
        C{10.0.*.*}.
    @raise ValueError: It is none of these.
    """
    if "*" in text:
        return _glob(text)
    first, dash, last = text.partition("-")
    if dash:
        return _range(first.strip(), last.strip())
    if "%" in text:
        raise ValueError("has a zone, which no client is known by: leave out the % and what follows")
    network = names.network(text)
    ends = int(network.network_address), int(network.broadcast_address)
    shown = str(network.network_address) if ends[0] == ends[1] else str(network)
    return Range(shown, (network.version, ends[0]), (network.version, ends[1]))


def _range(first: str, last: str) -> Range:
    ends = [numberOf(each) for each in (first, last)]
    if ends[0] is None or ends[1] is None or "%" in first + last:
        raise ValueError("is not a range of IP addresses such as 10.0.0.1-10.0.0.9")
    if ends[0][0] != ends[1][0]:
        raise ValueError("is a range from one version of IP to the other: make it two")
    if ends[0] > ends[1]:
        raise ValueError("is a range that runs backwards: exchange the two")
    return Range(f"{names.address(first)}-{names.address(last)}", ends[0], ends[1])


def _glob(text: str) -> Glob:
    parts = text.split(".")
    if not _GLOB.fullmatch(text) or any(part != "*" and int(part) > 255 for part in parts):
        raise ValueError(
            "is not a glob such as 10.0.*.*: four parts, each a number up to 255 or a * "
            "(for IPv6 write a network, such as 2001:db8::/32)"
        )
    if any(part != "*" and str(int(part)) != part for part in parts):
        raise ValueError("has a number with a zero in front, which some would read as octal: leave it out")
    mask = int.from_bytes(bytes(0 if part == "*" else 255 for part in parts), "big")
    bits = int.from_bytes(bytes(0 if part == "*" else int(part) for part in parts), "big")
    return Glob(text, mask, bits)


class Clients:
    """
    All that a route says of its clients, ready to be asked: ten thousand networks
    cost little more than ten.
    """

    __slots__ = ("_firsts", "_globs", "_lasts", "texts")

    def __init__(self, texts: Iterable[str]) -> None:
        """
        @param texts: As L{client} takes them.
        @raise ValueError: One of them is none.
        """
        self.texts = tuple(texts)
        self._firsts: list[Number] = []
        self._lasts: list[Number] = []
        self._globs: list[Glob] = []
        for _ in self._read():
            pass

    @classmethod
    def reading(cls, texts: Iterable[str]) -> Generator[None, None, Clients]:
        """
        The same, step by step: twenty thousand of them take half a second.
        """
        made = cls(())
        made.texts = tuple(texts)
        yield from made._read()
        return made

    def _read(self) -> Generator[None, None, None]:
        ranges: list[Range] = []
        for number, text in enumerate(self.texts, 1):
            if not number % _STEP:
                yield
            try:
                found = client(text)
            except ValueError as why:
                raise ValueError(f"the client {text!r} {why}") from None
            if isinstance(found, Glob):
                self._globs.append(found)
            else:
                ranges.append(found)
        for each in sorted(ranges, key=lambda each: each.first):
            # Those that overlap become one, so that the last that begins before an address is the one to ask.
            if self._lasts and each.first <= self._lasts[-1]:
                self._lasts[-1] = max(self._lasts[-1], each.last)
            else:
                self._firsts.append(each.first)
                self._lasts.append(each.last)

    def has(self, number: Number | None) -> bool:
        """
        Whether an address is among them.

        @param number: As L{numberOf} has it.
        """
        if number is None:
            return False
        at = bisect_right(self._firsts, number) - 1
        if at >= 0 and number <= self._lasts[at]:
            return True
        return number[0] == 4 and any(number[1] & each.mask == each.bits for each in self._globs)
