"""
The groups of targets that are worked out: one for each set of targets that came up, as
long as it is wanted.

There are never more than so many, and none that nobody has wanted for some minutes, so
whoever works out a new target for each request has no more memory for it.  What they
count is counted under one name.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from ..config.model import UpstreamTLS
from ..plane.census import LARGEST, cell, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config.model import Forward, Target
    from .group import Group

__all__ = ["Assortment"]

#: So many groups at a time.
_MOST = 256

#: One that was not wanted for so long is let go, in seconds.
_IDLE = 300.0


class _Kept:
    """
    A group, and when it was wanted.
    """

    __slots__ = ("group", "usedAt")

    def __init__(self, group: Group, usedAt: float) -> None:
        self.group = group
        self.usedAt = usedAt


class Assortment:
    """
    @ivar tls: How they are spoken to, where a decision does not say otherwise.
    """

    def __init__(
        self,
        forward: Forward,
        make: Callable[[Forward], Group],
        seconds: Callable[[], float],
        most: int = _MOST,
        idle: float = _IDLE,
    ) -> None:
        """
        @param forward: What is common to all of them.
        @param make: Makes a group.
        @param seconds: A clock.
        @param most: How many there may be.
        @param idle: After how long one that is not wanted is let go, in seconds.
        """
        self.tls = forward.tls
        self._forward = replace(forward, dynamic=None)
        self._header = None if forward.dynamic is None else forward.dynamic.proxyHeader
        self._protocol = None if forward.dynamic is None else forward.dynamic.protocol
        self._label = str(forward.dynamic)
        self._make = make
        self._seconds = seconds
        self._most = most
        self._idle = idle
        self._groups: OrderedDict[tuple[tuple[Target, ...], bool | None], _Kept] = OrderedDict()
        self._counts: dict[str, int] = {}
        self._isClosed = False

    def __len__(self) -> int:
        """
        How many there are now.
        """
        return len(self._groups)

    def group(self, targets: tuple[Target, ...], isTLS: bool | None = None) -> Group:
        """
        The one for these.

        @param isTLS: Whether they are spoken to by TLS; L{None}: as all are.
        @raise ValueError: As of a L{Group}.
        """
        now = self._seconds()
        key = (targets, isTLS)
        kept = self._groups.get(key)
        if kept is None:
            kept = self._groups[key] = _Kept(self._made(targets, isTLS), now)
        kept.usedAt = now
        self._groups.move_to_end(key)
        while len(self._groups) > self._most or next(iter(self._groups.values())).usedAt < now - self._idle:
            _, old = self._groups.popitem(last=False)
            self._let(old.group)
        return kept.group

    def _made(self, targets: tuple[Target, ...], isTLS: bool | None) -> Group:
        tls = self.tls if isTLS is None else (self.tls or UpstreamTLS()) if isTLS else None
        header = self._header
        if header is not None:
            targets = tuple(
                target if target.proxyHeader is not None else replace(target, proxyHeader=header)
                for target in targets
            )
        protocol = self._protocol
        if protocol is not None:
            targets = tuple(
                replace(target, protocol=protocol) if target.protocol == "http/1.1" else target
                for target in targets
            )
        group = self._make(replace(self._forward, targets=targets, tls=tls))
        if self._isClosed:
            # What is held since before a reload has its answer by it, and keeps nothing.
            group.close()
        return group

    def _let(self, group: Group) -> None:
        self._count(group, self._counts, {})
        group.close()

    def _count(
        self, group: Group, counts: dict[str, int], standing: dict[str, int], now: float = 0.0
    ) -> None:
        happened: dict[str, int] = {}
        stands: dict[str, int] = {}
        group.tell(happened, stands, now)
        self._add(counts, happened)
        self._add(standing, stands)

    def _add(self, told: dict[str, int], found: dict[str, int]) -> None:
        for each, number in found.items():
            what, kind, _ = words(each)
            name = cell(what, kind, self._label)
            before = told.get(name, 0)
            told[name] = max(before, number) if what in LARGEST else before + number

    @property
    def names(self) -> tuple[str, ...]:
        """
        What it is counted under.
        """
        return (self._label,)

    def heed(self) -> None:
        """
        As of a L{Group}: all of them.
        """
        for kept in self._groups.values():
            kept.group.heed()

    def tell(self, counts: dict[str, int], standing: dict[str, int], now: float = 0.0) -> None:
        """
        As of a L{Group}: all of them together.
        """
        mine, self._counts = self._counts, {}
        for name, number in mine.items():
            counts[name] = counts.get(name, 0) + number
        for kept in self._groups.values():
            self._count(kept.group, counts, standing, now)

    def close(self) -> None:
        """
        As of a L{Group}: all of them.
        """
        self._isClosed = True
        for kept in self._groups.values():
            kept.group.close()
