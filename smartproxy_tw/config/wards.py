"""
What a route asks of those who use it, in words: for C{smartproxy explain} and
C{smartproxy check}.
"""

from __future__ import annotations

from collections.abc import Iterator

from .clients import Clients, numberOf
from .model import Route
from .security import Security

__all__ = ["asked", "denial"]


def asked(route: Route) -> Iterator[str]:
    """
    Each thing that it asks, in the order in which it is looked at; nothing of a secret.
    """
    settings = route.security
    if settings is not None:
        if settings.blocked:
            yield f"block list ({_count(len(settings.blocked), 'entry', 'entries')})"
        if settings.allowed:
            yield f"allow list ({_count(len(settings.allowed), 'entry', 'entries')})"
        if settings.connections is not None:
            yield f"at most {settings.connections} at a time"
        if settings.perClient is not None:
            yield f"at most {settings.perClient} at a time for each client"
        if settings.rate is not None:
            yield f"{_count(settings.rate, 'new connection', 'new connections')} in a minute for each client"
        if settings.limit is not None:
            limit = settings.limit
            whom = {"ip": "each client", "path": "each path", "route": "all together"}
            atOnce = f", {limit.burst} at once" if limit.burst != limit.requests else ""
            yield (
                f"{_count(limit.requests, 'request', 'requests')} in {limit.window:g} s for "
                f"{whom.get(limit.by) or f'each value of {limit.header}'}{atOnce}"
            )
        if settings.prefix != Security().prefix and settings.countsClients:
            yield f"a client with IPv6 is a /{settings.prefix}"
    if route.cors is not None:
        yield f"CORS for {', '.join(route.cors.origins[:4])}{' and others' * (len(route.cors.origins) > 4)}"
    if route.webSocket is not None:
        origins = route.webSocket.origins
        if not route.webSocket.isAllowed:
            yield "no WebSockets"
        elif origins:
            yield f"WebSockets from {', '.join(origins[:4])}{' and others' * (len(origins) > 4)}"
    if settings is not None:
        if settings.basic is not None:
            yield f"password of {_count(len(settings.basic.users), 'user', 'users')}"
        if settings.jwt is not None:
            yield f"token ({', '.join(settings.jwt.algorithms)})"
        if settings.forward is not None:
            yield f"leave of {settings.forward.url.partition('?')[0]}"
    if route.bodyBytes is not None:
        yield (
            f"bodies of at most {_count(route.bodyBytes, 'byte', 'bytes')}"
            if route.bodyBytes
            else "bodies of any length"
        )


def denial(route: Route, client: str) -> str | None:
    """
    Why a client may not use a route, whoever it is.

    @param client: An address; empty: none is known.
    @return: L{None} when the lists say nothing against it.
    """
    settings = route.security
    if settings is None or not (settings.blocked or settings.allowed):
        return None
    how = "403" if route.protocol == "http" else "closed"
    if not client:
        return f"{how} for whom the lists do not let in: give one with --client ADDRESS"
    number = numberOf(client)
    if Clients(settings.blocked).has(number):
        return f"{how}: {client} is on ip_block_list"
    if settings.allowed and not Clients(settings.allowed).has(number):
        return f"{how}: {client} is not on ip_allow_list"
    return None


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
