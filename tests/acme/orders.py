"""
A disk for orders under way, which outlives those who write to it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from smartproxy_tw.acme.entry import Entry, decode, encode
from smartproxy_tw.interfaces import IOrderStore

__all__ = ["Orders"]


@implementer(IOrderStore)
class Orders:
    """
    Keeps text, as a disk does.

    @ivar kept: By names.
    @ivar isFull: Whether it refuses what is new.
    @ivar before: Called with the number of a step before it is done, from 1;
        says whether the machine stops here, and nobody hears of it.
    @ivar after: Likewise, after it.
    """

    def __init__(self) -> None:
        self.kept: dict[frozenset[str], bytes] = {}
        self.isFull = False
        self.steps = 0
        self.before: Callable[[int], bool] = lambda step: False
        self.after: Callable[[int], bool] = lambda step: False

    def load(self) -> Deferred[list[Entry]]:
        return succeed([decode(each) for each in self.kept.values()])

    def save(self, entry: Entry) -> Deferred[None]:
        if self.isFull:
            return fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        return self._step(lambda: self.kept.update({frozenset(entry.names): encode(entry)}))

    def remove(self, names: tuple[str, ...]) -> Deferred[None]:
        return self._step(lambda: self.kept.pop(frozenset(names), None))

    def _step(self, deed: Callable[[], object]) -> Deferred[None]:
        self.steps += 1
        if self.before(self.steps):
            return Deferred()
        deed()
        return Deferred() if self.after(self.steps) else succeed(None)
