"""
Records by the providers of DNS that the library dns-lexicon knows.

The library is run by a process of its own for each change,
L{smartproxy_tw.records.provider}, so that it neither holds up anything nor leaves a
thread behind when it hangs.  Where the record belongs, and when it counts as there, is
found out as for every other way.

Many providers know all values at a name as one thing, which is read, changed and
written back: so changes to one zone are made one after another.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredLock

from ..programs.running import ProgramFailed
from .errors import RecordFailed
from .program import Deed, ProgramRecords

if TYPE_CHECKING:
    from ..config.model import Lexicon
    from ..facts import DNS01
    from .lookup import Ask
    from .places import Place

__all__ = ["Providers"]

_COMMAND = (sys.executable, "-P", "-m", "smartproxy_tw.records.provider")


class Providers(ProgramRecords):
    """
    Has the provider change its zones.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Lexicon,
        ask: Ask | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        @param reactor: Runs processes and tells the time.
        @param settings: The provider.
        @param ask: Asks one server of the DNS; by default over the network.
        @param environment: Of the process; by default as this one has it.
        """
        super().__init__(reactor, settings, ask)
        self._settings = settings
        path = [os.path.abspath(place) for place in sys.path]
        self._environment = {
            **(os.environ if environment is None else environment),
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
        }
        self._zones: dict[str, DeferredLock] = {}

    def change(self, deed: Deed, place: Place, record: DNS01) -> Deferred[None]:
        """
        Have the library do it, as soon as nothing else changes the zone.
        """
        lock = self._zones.setdefault(place.zone, DeferredLock())
        return lock.run(lambda: self.inTurn(lambda: self._once(deed, place, record)))

    async def _once(self, deed: Deed, place: Place, record: DNS01) -> None:
        settings = self._settings
        wanted = {
            "action": deed,
            "provider": settings.provider,
            "options": self._options(),
            "zone": place.zone,
            "owner": place.owner,
            "value": record.value,
            "ttl": settings.ttl,
        }
        try:
            await self._programs.run(
                _COMMAND, self._environment, settings.timeout, json.dumps(wanted).encode("ascii")
            )
        except ProgramFailed as why:
            verb = "add" if deed == "present" else "remove"
            raise RecordFailed(
                f"dns-lexicon, asked to {verb} the record at {place.owner} with {settings.provider}, {why}"
            ) from why

    def _options(self) -> dict[str, str | bool]:
        found = dict(self._settings.options)
        for name, file in self._settings.optionFiles:
            try:
                with open(file, encoding="utf-8", errors="replace") as opened:
                    found[name] = opened.read().strip()
            except OSError as why:
                raise RecordFailed(
                    f"the file of acme.dns.option_files.{name} cannot be read ({why})"
                ) from why
        return found
