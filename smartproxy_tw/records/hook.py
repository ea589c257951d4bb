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

from twisted.internet.defer import Deferred

from ..programs.running import ProgramFailed
from .errors import RecordFailed
from .program import Deed, ProgramRecords

if TYPE_CHECKING:
    from ..config.model import Hook
    from ..facts import DNS01
    from .lookup import Ask
    from .places import Place

__all__ = ["Hooks"]


class Hooks(ProgramRecords):
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
        super().__init__(reactor, settings, ask)
        self._settings = settings
        self._environment = os.environ if environment is None else environment

    def change(self, deed: Deed, place: Place, record: DNS01) -> Deferred[None]:
        """
        Run it, told by its environment.
        """
        environment = {
            **self._environment,
            "SMARTPROXY_ACTION": deed,
            "SMARTPROXY_DOMAIN": record.name,
            "SMARTPROXY_RECORD": place.owner,
            "SMARTPROXY_VALUE": record.value,
        }
        return self.inTurn(lambda: self._once(deed, environment))

    async def _once(self, deed: Deed, environment: Mapping[str, str]) -> None:
        command = self._settings.command
        try:
            await self._programs.run(command, environment, self._settings.timeout)
        except ProgramFailed as why:
            raise RecordFailed(f"the hook {command[0]} ({deed}) {why}") from why
