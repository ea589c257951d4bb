"""
How many there may be at a time: of all of a route, and of each client.

What is counted is a request, from its head to the end of its answer (a WebSocket for as
long as it lasts), or a connection that is not HTTP.  Nothing is kept of a client that has
none.
"""

from __future__ import annotations

from functools import partial

from .visit import Denial, Visit, refusal

__all__ = ["Crowd"]

_FULL = refusal("connections", 503, "Service Unavailable", b"Retry-After: 1\r\n")
_TOO_MANY = refusal("client_connections", 429, "Too Many Requests", b"Retry-After: 1\r\n")


class Crowd:
    """
    Those who are there.
    """

    def __init__(self, most: int | None, each: int | None) -> None:
        """
        @param most: Of all; L{None}: any number.
        @param each: Of each client, likewise.
        """
        self._most = most
        self._each = each
        self._count = 0
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        """
        How many are there.
        """
        return self._count

    @property
    def clients(self) -> int:
        """
        Of how many clients.
        """
        return len(self._counts)

    def ask(self, visit: Visit) -> Denial | None:
        """
        See L{Guard<smartproxy_tw.guards.visit.Guard>}.
        """
        if self._most is not None and self._count >= self._most:
            return _FULL
        whose = ""
        if self._each is not None:
            whose = visit.customer
            count = self._counts.get(whose, 0)
            if count >= self._each:
                return _TOO_MANY
            self._counts[whose] = count + 1
        self._count += 1
        visit.onEnd(partial(self._left, whose))
        return None

    def _left(self, whose: str) -> None:
        self._count -= 1
        if self._each is not None:
            count = self._counts[whose] - 1
            if count:
                self._counts[whose] = count
            else:
                del self._counts[whose]

    def close(self) -> None:
        """
        There is nothing to close: those who are there leave later.
        """
