"""
How often somebody may come: with new connections, and with requests.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING

from .buckets import Buckets, short
from .visit import Denial, Request, Visit, refusal

if TYPE_CHECKING:
    from ..config.security import RateLimit
    from ..facts import ConnectionFacts

__all__ = ["Arrivals", "Requests"]


#: Of so many connections it is known that they were counted; those that asked last.
_KNOWN = 32768


def _tooMany(reason: str, wait: float) -> Denial:
    seconds = max(1, ceil(wait))
    return refusal(reason, 429, "Too Many Requests", b"Retry-After: %d\r\n" % seconds)


class Arrivals:
    """
    New connections of each client.

    A connection by HTTP is new when it first asks for the route, and again after it was
    denied.
    """

    def __init__(self, perMinute: int, seconds: Callable[[], float], most: int = _KNOWN) -> None:
        """
        @param perMinute: So many, and so many at once.
        @param seconds: The time.
        @param most: Of so many connections it is known that they were counted.
        """
        self._buckets = Buckets(60.0 / perMinute, perMinute)
        self._seconds = seconds
        self._most = most
        # By what it is called in memory, which stays its own for as long as it is kept here.
        self._known: dict[tuple[int, str], ConnectionFacts] = {}

    def __len__(self) -> int:
        """
        How many connections are known.
        """
        return len(self._known)

    def ask(self, visit: Visit) -> Denial | None:
        """
        See L{Guard<smartproxy_tw.guards.visit.Guard>}.
        """
        connection, whose = visit.connection, visit.customer
        key = id(connection), whose
        known = self._known
        if visit.isRequest and known.pop(key, None) is not None:
            known[key] = connection
            return None
        wait = self._buckets.take(whose, self._seconds())
        if wait:
            return _tooMany("connection_rate", wait)
        if visit.isRequest:
            known[key] = connection
            if len(known) > self._most:
                del known[next(iter(known))]
        return None

    def close(self) -> None:
        """
        There is nothing to close.
        """


class Requests:
    """
    Requests, by whatever has a bucket of its own.
    """

    def __init__(
        self, settings: RateLimit, seconds: Callable[[], float], share: Callable[[int], int]
    ) -> None:
        """
        @param seconds: The time.
        @param share: What this process has of a number that is for all.
        """
        self._by = settings.by
        self._header = settings.header
        self._seconds = seconds
        self.buckets = Buckets(settings.window / share(settings.requests), share(settings.burst))

    def ask(self, request: Request) -> Denial | None:
        """
        See L{Guard<smartproxy_tw.guards.visit.Guard>}.
        """
        wait = self.buckets.take(self._key(request), self._seconds())
        return _tooMany("rate", wait) if wait else None

    def _key(self, request: Request) -> str:
        if self._by == "ip":
            return request.customer
        if self._by == "header":
            return short("\n".join(request.values(self._header)))
        return short(request.facts.path) if self._by == "path" else ""

    def close(self) -> None:
        """
        There is nothing to close.
        """
