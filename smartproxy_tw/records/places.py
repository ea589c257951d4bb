"""
Where the record for a name goes, whoever puts it there, and when it counts as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from ..values import dataclass
from .errors import RecordFailed
from .lookup import Ask, Lookup, systemResolvers
from .spread import whenSeen

if TYPE_CHECKING:
    from ..config.model import Records
    from ..facts import DNS01, Address

__all__ = ["Place", "Places"]


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a record goes.

    @ivar owner: Its name, after all CNAMEs.
    @ivar zone: The zone that this is in.
    """

    owner: str
    zone: str


class Places:
    """
    Finds them.
    """

    _log = Logger()

    def __init__(self, clock: Any, settings: Records, ask: Ask) -> None:
        """
        @param clock: Tells the time.
        @param settings: Whom to ask.
        @param ask: Asks one server.
        """
        self._clock = clock
        self._settings = settings
        self._lookup = Lookup(ask, settings.resolvers or systemResolvers())
        self._found: dict[str, Place] = {}

    async def find(self, record: DNS01) -> Place:
        """
        Find where a record goes.

        @raise RecordFailed: It goes nowhere, or nobody could be asked.
        """
        owner = await self._lookup.aliased(record.owner)
        zone = self._settings.zone
        if zone is None:
            zone = await self._lookup.zone(owner)
        elif owner != zone and not owner.endswith(f".{zone}"):
            raise RecordFailed(f"{owner} is not in the zone {zone} that acme.dns.zone names")
        found = self._found[record.name] = Place(owner, zone)
        return found

    async def recall(self, record: DNS01) -> Place:
        """
        Where it went.

        @raise RecordFailed: As L{find}.
        """
        return self._found.get(record.name) or await self.find(record)

    async def whenSeen(self, place: Place, record: DNS01) -> None:
        """
        Wait until all servers of the zone answer with it.

        @raise RecordFailed: They do not.
        """
        chosen: dict[str, tuple[Address, ...]] = {str(each): (each,) for each in self._settings.nameServers}
        await whenSeen(
            self._lookup,
            self._clock,
            place.owner,
            record.value,
            chosen or await self._lookup.servers(place.zone),
            self._settings.patience,
        )
        self._log.debug(
            "All servers of {zone} have the record at {owner}",
            event="record-seen",
            zone=place.zone,
            owner=place.owner,
        )
