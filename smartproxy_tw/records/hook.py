"""
Records by a program of the operator's, for whatever has an interface that is not
known here.

It is run with its arguments as they are, never by a shell, and told by its
environment what to do; it says by its status whether that was done.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from zope.interface import implementer

from ..facts import DNS01
from ..interfaces import IRecords
from ..programs.running import ProgramFailed, Programs
from .errors import RecordFailed
from .lookup import Ask
from .places import Place, Places
from .questions import Questions

if TYPE_CHECKING:
    from ..config.model import Hook

__all__ = ["Hooks"]

#: So many run at a time.
_AT_ONCE = 4


@implementer(IRecords)
class Hooks:
    """
    Runs the program.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Hook,
        ask: Ask | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        @param reactor: Runs processes and tells the time.
        @param settings: The program.
        @param ask: Asks one server of the DNS; by default over the network.
        @param environment: Of the program; by default as this process has it.
        """
        self._settings = settings
        self._programs = Programs(reactor)
        self._places = Places(reactor, settings, ask or Questions(reactor).ask)
        self._environment = os.environ if environment is None else environment
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

    async def _present(self, record: DNS01) -> None:
        place = await self._places.find(record)
        await self._run("present", place, record)
        await self._places.whenSeen(place, record)

    async def _withdraw(self, record: DNS01) -> None:
        await self._run("cleanup", await self._places.recall(record), record)

    async def _run(self, action: str, place: Place, record: DNS01) -> None:
        environment = {
            **self._environment,
            "SMARTPROXY_ACTION": action,
            "SMARTPROXY_DOMAIN": record.name,
            "SMARTPROXY_RECORD": place.owner,
            "SMARTPROXY_VALUE": record.value,
        }
        await self._turns.run(lambda: Deferred.fromCoroutine(self._once(action, environment)))

    async def _once(self, action: str, environment: Mapping[str, str]) -> None:
        command = self._settings.command
        try:
            await self._programs.run(command, environment, self._settings.timeout)
        except ProgramFailed as why:
            raise RecordFailed(f"the hook {command[0]} ({action}) {why}") from why
