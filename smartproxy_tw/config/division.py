"""
How the names of a route are divided among certificates, where they are too many for
one.

The rule is a function of the set of names and of the largest number that is
allowed, and of nothing else: no history, no order of the file.  Each name has a
place, a number that is made of a digest of its registered domain followed by a
digest of the name.  All names are halved by the first bit in which their places
differ, and each half again, until every part is small enough.  So

  - whoever comes or goes changes the part it belongs to, and no other: a part that
    grows over the limit becomes two, two that fit into one become one;
  - the names of a registered domain stay together as far as they can, and
    so a domain is in few certificates, and a name that cannot be proved is in the
    company of its own;
  - IP addresses are apart from names, as they are certified in another way;
  - a part is about two thirds full on average.

How many are allowed is known of Let's Encrypt.  Anybody else is taken to allow as
many, until it has said something smaller.  With several authorities the smallest
number counts, so that each can give what another did not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from .model import LETSENCRYPT, LETSENCRYPT_STAGING, Acme, Authority, Auto, Config, Route, Several
from .names import isAddress, registeredDomain

__all__ = ["MOST_NAMES", "divide", "divided", "mostNames"]

#: So many names are taken where nothing else is known, and by Let's Encrypt unless it
#: is asked for one of the following.
MOST_NAMES = 100

#: U{https://letsencrypt.org/docs/profiles/}
_LETSENCRYPT = frozenset({LETSENCRYPT, LETSENCRYPT_STAGING})
_FEWER = {"tlsserver": 25, "shortlived": 25}

#: What an IP address is asked for as, see L{smartproxy_tw.acme.profiles}.
_SHORT = "shortlived"

_DIGEST = 8


def mostNames(authority: Authority, names: Sequence[str], learned: Mapping[str, int]) -> int:
    """
    How many names may be on one certificate.

    @param authority: Who is to issue it.
    @param names: What it is to be for: an IP address makes a difference.
    @param learned: What authorities have said, by the URL of their directory.
    """
    known = MOST_NAMES
    if authority.directory in _LETSENCRYPT:
        profile = authority.profile or (_SHORT if any(map(isAddress, names)) else "")
        known = _FEWER.get(profile, MOST_NAMES)
    return max(1, min(known, learned.get(authority.directory, known)))


def divide(names: Sequence[str], fits: Callable[[Sequence[str]], bool]) -> tuple[tuple[str, ...], ...]:
    """
    Divide names into parts.

    @param names: Each once.
    @param fits: Whether these may be one part.  One name does, and so does every
        part of what does.
    @return: The parts, and the names in each, in the order given.
    """
    order = {name: number for number, name in enumerate(names)}
    found = _halved(sorted((_place(name), name) for name in names), fits)
    return tuple(
        sorted(
            (tuple(sorted(part, key=order.__getitem__)) for part in found), key=lambda part: order[part[0]]
        )
    )


def divided(config: Config, learned: Mapping[str, int] | None = None) -> Config:
    """
    A configuration in which no certificate is for more names than its authorities
    take.

    @param config: Also one that was divided before, by other numbers.
    @param learned: As for L{mostNames}.
    @return: The same, where nothing is to be changed.
    """
    routes = tuple([_route(route, config.acme, learned or {}) for route in config.routes])
    isSame = all(made is route for made, route in zip(routes, config.routes, strict=True))
    return config if isSame else replace(config, routes=routes)


def _route(route: Route, acme: Acme, learned: Mapping[str, int]) -> Route:
    if route.tls is None or not isinstance(route.tls.certificate, Auto | Several):
        return route
    before = route.tls.certificate
    certificate = _certificate(before.names, acme, learned)
    return route if certificate == before else replace(route, tls=replace(route.tls, certificate=certificate))


def _certificate(names: tuple[str, ...], acme: Acme, learned: Mapping[str, int]) -> Auto | Several:
    def fits(part: Sequence[str]) -> bool:
        return all(len(part) <= mostNames(each, part, learned) for each in (acme, *acme.fallbacks))

    if len(names) == 1 or fits(names):
        return Auto(names)
    return Several(names, tuple(map(Auto, divide(names, fits))))


def _halved(placed: list[tuple[int, str]], fits: Callable[[Sequence[str]], bool]) -> list[list[str]]:
    names = [name for _, name in placed]
    if len(names) < 2 or fits(names):
        return [names] if names else []
    bit = 1 << ((placed[0][0] ^ placed[-1][0]).bit_length() - 1)
    middle = next(number for number, (place, _) in enumerate(placed) if place & bit)
    return [*_halved(placed[:middle], fits), *_halved(placed[middle:], fits)]


def _place(name: str) -> int:
    digests = _digest(registeredDomain(name)) + sha256(name.encode("utf-8")).digest()
    return int.from_bytes(bytes([isAddress(name)]) + digests, "big")


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8")).digest()[:_DIGEST]
