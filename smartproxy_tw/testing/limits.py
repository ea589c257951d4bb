"""
How much an authority does for one account before it says: later (RFC 8555 section
6.6).  Pure: the time is handed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from .signed import Refused

__all__ = ["Limits"]

#: So many in so many seconds.
_Limit = tuple[int, float] | None


class Limits:
    """
    What each account has done of late.
    """

    def __init__(self, *, orders: _Limit = None, duplicates: _Limit = None, failures: _Limit = None) -> None:
        """
        Each limit is a number and the seconds within which it counts, or
        L{None} for none.

        @param orders: New orders of an account.
        @param duplicates: Those for exactly the same names.
        @param failures: Authorizations of a name that came to nothing, until
            orders with that name are refused.
        """
        self._orders = orders
        self._duplicates = duplicates
        self._failures = failures
        self._seen: dict[tuple[str, str, str], list[float]] = {}

    def admit(self, account: str, names: Iterable[str], now: float) -> None:
        """
        Count a new order.

        @param account: Whose.
        @param names: Of the order.
        @param now: POSIX seconds.
        @raise Refused: It is one too many, and does not count; C{Retry-After}
            says when there is room again.
        """
        each = sorted(set(names))
        together = " ".join(each)
        for name in each:
            self._check(self._failures, ("failures of", account, name.removeprefix("*.")), now)
        counted = (
            (self._orders, ("orders", account, "")),
            (self._duplicates, ("orders of", account, together)),
        )
        for limit, what in counted:
            self._check(limit, what, now)
        for _, what in counted:
            self._seen.setdefault(what, []).append(now)

    def failed(self, account: str, name: str, now: float) -> None:
        """
        Count an authorization that came to nothing.
        """
        self._seen.setdefault(("failures of", account, name), []).append(now)

    def _check(self, limit: _Limit, what: tuple[str, str, str], now: float) -> None:
        if limit is None:
            return
        most, within = limit
        recent = [each for each in self._seen.get(what, []) if each + within > now]
        if len(recent) < most:
            return
        why = Refused(
            429, "rateLimited", f"{len(recent)} {what[0]} {what[2]} within {within:g} s".replace("  ", " ")
        )
        freed = recent[-most] + within if most else now + within
        why.fields["Retry-After"] = str(max(1, ceil(freed - now)))
        raise why
