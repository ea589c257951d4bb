"""
The authority is away when the proxy starts, and comes back five seconds later:
how long it takes from its return until there is valid HTTPS.

The clock starts when Pebble is started, so its own start counts.
"""

from __future__ import annotations

import time

from .ground import Ground
from .peers import Running
from .verdicts import Report, Spread, Verdict, eachAtMost

__all__ = ["outage"]

_AWAY, _BOUND = 5.0, 3.0


async def outage(ground: Ground) -> Report:
    """Ours several times, since its looks come at any moment; each peer once."""
    rows: list[str] = []
    verdicts: list[Verdict] = []
    for name in ground.proxies:
        rounds = (ground.rounds or 5) if name == "ours" else 1
        found = [await _recovery(ground, name) for _ in range(rounds)]
        times = tuple(each for each in found if each is not None)
        if times:
            rows.append(f"{name:8} {Spread(times)}")
        if len(times) < rounds:
            rows.append(f"{name:8} not within {ground.patience:g} s in {rounds - len(times)} of {rounds}")
        if name == "ours":
            verdicts.append(eachAtMost(f"at most {_BOUND:g} s, each time", _BOUND, found))
    title = (
        f"the authority is away for {_AWAY:g} s when the proxy starts: seconds from its return to valid HTTPS"
    )
    return Report(title, tuple(rows), tuple(verdicts))


async def _recovery(ground: Ground, name: str) -> float | None:
    await ground.authority.stop()
    with ground.place() as place:
        running = Running(name, place)
        try:
            await ground.aside(place.pause, _AWAY)
            back = time.monotonic()
            await ground.authority.start()
            at = await ground.aside(running.untilServed, ground.authority.root, ground.patience)
        finally:
            await ground.aside(running.end)
    return None if at is None else at - back
