"""
Waits until a record is seen: by all servers of its zone, each asked directly, so
that neither a cache nor a server that lags behind shows the authority less than
what was promised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.task import deferLater

from .errors import RecordFailed, ServerSilent

if TYPE_CHECKING:
    from ..facts import Address
    from .lookup import Lookup

__all__ = ["whenSeen"]

#: Seconds between two looks: the first, what each next one is longer by, the longest.
_FIRST, _GROWTH, _LONGEST = 0.1, 1.5, 5.0


async def whenSeen(
    lookup: Lookup,
    clock: Any,
    owner: str,
    value: str,
    servers: Mapping[str, tuple[Address, ...]],
    patience: float,
) -> None:
    """
    @param lookup: Asks.
    @param clock: Tells the time.
    @param owner: Where the record is.
    @param value: Its text.
    @param servers: Who has to answer with it, the addresses of each by a name of
        any kind.  Of one with several addresses one has to, and none may answer
        without.
    @param patience: Seconds until it is given up.
    @raise RecordFailed: It was, and who does not have the record.
    """
    began, wait = clock.seconds(), _FIRST
    missing = dict(servers)
    while True:
        why: dict[str, str] = {}
        for name, addresses in missing.items():
            said = await _look(lookup, owner, value, addresses)
            if said is not None:
                why[name] = said
        if not why:
            return
        missing = {name: missing[name] for name in why}
        if clock.seconds() + wait - began >= patience:
            said = "; ".join(f"{name}: {each}" for name, each in why.items())
            raise RecordFailed(
                f"after {patience:g} s not all servers of its zone have the record at {owner} ({said})"
            )
        await deferLater(clock, wait)
        wait = min(wait * _GROWTH, _LONGEST)


async def _look(lookup: Lookup, owner: str, value: str, addresses: tuple[Address, ...]) -> str | None:
    """
    @return: Why it is not seen there; L{None}: it is.
    """
    isSeen, silent = False, "it has no address"
    for address in addresses:
        try:
            texts = await lookup.texts(owner, address)
        except ServerSilent as why:
            silent = str(why)
            continue
        if value not in texts:
            return f"{address} does not have it yet"
        isSeen = True
    return None if isSeen else silent
