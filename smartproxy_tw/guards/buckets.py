"""
Token buckets, many of them, in a table that is bounded.

A bucket is one number: the moment when it will be full again.  One that is full is as
good as none, so it is forgotten, a few with each new one; and when there are too many all
the same, the one that was asked for longest ago is.  So whoever comes from very many
addresses costs a bounded amount of memory, and at worst gets some tokens back.
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["MOST", "Buckets", "short"]

#: So many are kept in one table.
MOST = 65536

#: A key is no longer than this.
_LONGEST = 64

#: So many old ones are looked at with each new one.
_LOOKED_AT = 2


def short(text: str) -> str:
    """
    Something like the text that is never long: two that are different stay different.
    """
    if len(text) <= _LONGEST:
        return text
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=24).hexdigest() + "#"


class Buckets:
    """
    Buckets of one size.
    """

    __slots__ = ("_fullAt", "_interval", "_most", "_slack")

    def __init__(self, interval: float, burst: int, most: int = MOST) -> None:
        """
        @param interval: A token comes so often, in seconds.
        @param burst: So many fit in.
        @param most: So many buckets are kept.
        """
        self._interval = interval
        self._slack = (burst - 1) * interval
        self._most = most
        self._fullAt: dict[str, float] = {}

    def __len__(self) -> int:
        """
        How many are not full.
        """
        return len(self._fullAt)

    def take(self, key: str, now: float) -> float:
        """
        Take a token.

        @param key: Whose bucket.
        @param now: In seconds; never less than before.
        @return: 0 when there was one; otherwise in how many seconds there will be.
        """
        fullAt = self._fullAt
        full = fullAt.pop(key, None)
        isNew = full is None
        full = now if full is None or full < now else full
        wait = full - now - self._slack
        # Sums of many small steps are a little off.
        if wait > self._interval * 1e-6:
            fullAt[key] = full
            return wait
        fullAt[key] = full + self._interval
        if isNew:
            self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        fullAt = self._fullAt
        for _ in range(_LOOKED_AT):
            oldest = next(iter(fullAt))
            if fullAt[oldest] > now and len(fullAt) <= self._most:
                return
            del fullAt[oldest]
            if not fullAt:
                return
