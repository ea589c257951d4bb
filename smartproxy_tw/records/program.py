"""
Records that a program of some kind changes: where the record belongs is found out
first, and when one was added it is waited for, so that a program has to do no more
than change a zone.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal

from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from zope.interface import implementer

from ..interfaces import IRecords
from ..programs.running import Programs
from .places import Place, Places
from .questions import Questions

if TYPE_CHECKING:
    from ..config.model import Hook, Lexicon
    from ..facts import DNS01
    from .lookup import Ask

__all__ = ["Deed", "ProgramRecords"]

#: What is to be done, in the words that programs are told it by.
Deed = Literal["present", "cleanup"]

#: So many run at a time.
_AT_ONCE = 4


@implementer(IRecords)
class ProgramRecords:
    """
    What all of them have in common; C{change} is what each has for itself.
    """

    def __init__(self, reactor: Any, settings: Hook | Lexicon, ask: Ask | None) -> None:
        """
        @param reactor: Runs processes and tells the time.
        @param settings: Where to look for zones, and how long to wait.
        @param ask: Asks one server of the DNS; by default over the network.
        """
        self._programs = Programs(reactor)
        self._places = Places(reactor, settings, ask or Questions(reactor).ask)
        self._turns = DeferredSemaphore(_AT_ONCE)

    def present(self, record: DNS01) -> Deferred[None]:
        """
        Have a record added, and wait until all servers have it.
        """
        return Deferred.fromCoroutine(self._present(record))

    def withdraw(self, record: DNS01) -> Deferred[None]:
        """
        Have it removed.
        """
        return Deferred.fromCoroutine(self._withdraw(record))

    def recall(self, record: DNS01) -> Deferred[None]:
        """
        It is in the zone still.
        """
        return succeed(None)

    def change(self, deed: Deed, place: Place, record: DNS01) -> Deferred[None]:
        """
        Have the program do it.

        @return: Fails with L{RecordFailed<smartproxy_tw.records.errors.RecordFailed>}.
        """
        raise NotImplementedError

    def inTurn(self, do: Callable[[], Coroutine[Deferred[Any], Any, None]]) -> Deferred[None]:
        """
        Begin as soon as few enough run.
        """
        return self._turns.run(lambda: Deferred.fromCoroutine(do()))

    async def _present(self, record: DNS01) -> None:
        place = await self._places.find(record)
        await self.change("present", place, record)
        await self._places.whenSeen(place, record)

    async def _withdraw(self, record: DNS01) -> None:
        await self.change("cleanup", await self._places.recall(record), record)
