"""
The block list and the allow list: whoever is on the first may not, whatever the second
says; where there is a second, nobody else may.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from ..config.clients import Clients, numberOf
from .visit import Denial, Visit, refusal

__all__ = ["Lists"]

_BLOCKED = refusal("blocked", 403, "Forbidden")
_NOT_ALLOWED = refusal("not_allowed", 403, "Forbidden")

#: Of so many clients it is known what was said.
_MEMO = 4096


class Lists:
    """
    Both lists.
    """

    def __init__(self, allowed: Sequence[str], blocked: Sequence[str]) -> None:
        """
        @param allowed: As L{Clients} takes them; empty: everybody is.
        @param blocked: Likewise; empty: nobody is.
        @raise ValueError: As L{Clients}.
        """
        for _ in self._read(allowed, blocked):
            pass

    @classmethod
    def reading(cls, allowed: Sequence[str], blocked: Sequence[str]) -> Generator[None, None, Lists]:
        """
        The same, step by step.
        """
        made = cls((), ())
        yield from made._read(allowed, blocked)
        return made

    def _read(self, allowed: Sequence[str], blocked: Sequence[str]) -> Generator[None, None, None]:
        self._memo: dict[str, Denial | None] = {}
        self._blocked = yield from Clients.reading(blocked)
        self._allowed = (yield from Clients.reading(allowed)) if allowed else None

    def ask(self, visit: Visit) -> Denial | None:
        """
        See L{Guard<smartproxy_tw.guards.visit.Guard>}.
        """
        client = visit.client
        memo = self._memo
        if client in memo:
            return memo[client]
        if len(memo) >= _MEMO:
            memo.clear()
        found = memo[client] = self.judge(client)
        return found

    def judge(self, client: str) -> Denial | None:
        """
        @param client: An address.  What is none (a unix socket) is on no list.
        """
        number = numberOf(client)
        if self._blocked.has(number):
            return _BLOCKED
        if self._allowed is not None and not self._allowed.has(number):
            return _NOT_ALLOWED
        return None

    def close(self) -> None:
        """
        There is nothing to close.
        """
