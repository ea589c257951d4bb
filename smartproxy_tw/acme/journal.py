"""
The orders under way, written down before the steps that must not be forgotten.

  1. Before an order is placed: what for, and the key of the certificate.
  2. Before anything else is asked about it: its URL.
  3. Before the authority is told of a challenge: what it may come for.

What was written is removed when the certificate is in its store, or when
nothing can come of the order any more.  A process that is killed in between
leaves it to the next one, which serves the answers before it accepts its first
connection (L{Journal.challenges}) and goes on with the same order.

A journal that cannot be written costs no certificate: the order goes on without,
and the log says what a crash would cost now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from .challenges import Kind, answer
from .turns import Turns

if TYPE_CHECKING:
    from ..facts import Evidence
    from ..interfaces import IOrderStore
    from .entry import Answer, Entry

__all__ = ["Journal"]

#: The entry of a set of names, whatever their order.
_Key = frozenset[str]


class Journal:
    """
    The entries of one authority, at hand and on the disk.
    """

    _log = Logger()

    def __init__(self, store: IOrderStore | None = None, directory: str = "", now: float = 0.0) -> None:
        """
        @param store: Where entries rest; without one they are only at hand.
        @param directory: The authority's, by URL: the orders of others are left
            alone.
        @param now: The time of the start, POSIX seconds: what is too old then
            is not taken up.
        """
        self._store = store
        self._directory = directory
        self._now = now
        self._entries: dict[_Key, Entry] = {}
        self._inherited: set[_Key] = set()
        self._done: set[_Key] = set()
        self._isFailing = False
        # What is written later is to be on the disk later.
        self._turns = Turns()

    def load(self) -> Deferred[None]:
        """
        Read what the process before this one left.

        @return: Fires when that is known; what cannot be read is logged.
        """
        return Deferred.fromCoroutine(self._load())

    @property
    def entries(self) -> tuple[Entry, ...]:
        """
        What is under way.
        """
        return tuple(self._entries.values())

    def challenges(self) -> list[Evidence]:
        """
        What the authority may come for by the entries, as the data path
        serves it.  An answer that cannot be made is left out.
        """
        found: list[Evidence] = []
        for entry in self._entries.values():
            found += self.challengesOf(entry)
        return found

    def challengesOf(self, entry: Entry) -> list[Evidence]:
        """
        Likewise, of one entry.
        """
        made: list[Evidence] = []
        for each in entry.answers:
            try:
                if each.kind not in get_args(Kind):
                    raise ValueError(f"{each.kind} is no kind that is known here")
                made.append(answer(each.kind, each.name, each.token, each.keyAuthorization))
            except ValueError as why:
                self._log.warn(
                    "The answer for {name} that an order left behind cannot be given: {why}",
                    event="order-answer-unusable",
                    name=each.name,
                    why=str(why),
                )
        return made

    def find(self, names: Iterable[str]) -> Entry | None:
        """
        The entry for just these names.
        """
        return self._entries.get(frozenset(names))

    def isInherited(self, names: Iterable[str]) -> bool:
        """
        Whether the entry was left by an earlier process, and the authority may
        have come in vain meanwhile.
        """
        return frozenset(names) in self._inherited

    def unfinished(self, names: Iterable[str]) -> Entry | None:
        """
        The entry for just these names, if there is something left to do for it.
        """
        return None if frozenset(names) in self._done else self.find(names)

    def done(self, names: Iterable[str]) -> None:
        """
        Take the certificate for these names as served: the entry stays for the
        next process, until it is kept, and this one does not take it up again.
        """
        self._done.add(frozenset(names))

    def begin(self, entry: Entry) -> Deferred[None]:
        """
        Write a new entry, in place of one for the same names.

        @return: Fires when it is on the disk, or could not be written.
        """
        self._inherited.discard(frozenset(entry.names))
        self._done.discard(frozenset(entry.names))
        return self._write(entry)

    def placed(self, names: Iterable[str], account: str | None, order: str) -> Deferred[None]:
        """
        Note whose order it is, and its URL.  Fires as L{begin} does.
        """
        entry = self.find(names)
        if entry is None or (entry.account, entry.order) == (account, order):
            return succeed(None)
        return self._write(replace(entry, account=account, order=order))

    def answering(self, names: Iterable[str], answers: tuple[Answer, ...]) -> Deferred[None]:
        """
        Note what the authority is about to be told of.  Fires as L{begin}
        does.
        """
        entry = self.find(names)
        if entry is None or entry.answers == answers:
            return succeed(None)
        return self._write(replace(entry, answers=answers))

    def forget(self, names: Iterable[str]) -> Deferred[None]:
        """
        Remove the entry for these names, if there is one.

        @return: Fires when it is gone, or could not be removed, which is
            logged; it is swept away later then.
        """
        return Deferred.fromCoroutine(self._forget(frozenset(names)))

    def ofKey(self, key: bytes) -> Entry | None:
        """
        The entry whose certificate is for this private key, as PEM.
        """
        for entry in self._entries.values():
            if entry.key.strip() == key.strip():
                return entry
        return None

    async def _load(self) -> None:
        if self._store is None:
            return
        try:
            found = await self._store.load()
        except OSError as why:
            self._complain("read", why)
            return
        for entry in found:
            names = frozenset(entry.names)
            if not entry.isOpen(self._now):
                await self._discard(entry.names)
            elif entry.directory == self._directory and names not in self._entries:
                self._entries[names] = entry
                self._inherited.add(names)

    def _write(self, entry: Entry) -> Deferred[None]:
        self._entries[frozenset(entry.names)] = entry
        return Deferred.fromCoroutine(self._save(entry))

    async def _save(self, entry: Entry) -> None:
        if self._store is None:
            return
        try:
            async with self._turns.of(entry.names):
                await self._store.save(entry)
        except (OSError, ValueError) as why:
            self._complain("written", why)
        else:
            self._isFailing = False

    async def _forget(self, names: _Key) -> None:
        self._inherited.discard(names)
        self._done.discard(names)
        if self._entries.pop(names, None) is not None:
            await self._discard(names)

    async def _discard(self, names: Iterable[str]) -> None:
        if self._store is None:
            return
        try:
            async with self._turns.of(names):
                await self._store.remove(tuple(names))
        except (OSError, ValueError) as why:
            self._complain("removed", why)

    def _complain(self, what: str, why: Exception) -> None:
        if not self._isFailing:
            self._log.warn(
                "The notes of orders under way cannot be {what}: {why}. Orders go on without;"
                " a crash in the midst of one would cost another order.",
                event="order-journal-failed",
                what=what,
                why=str(why).rstrip("."),
            )
        self._isFailing = True
