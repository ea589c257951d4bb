"""
Killed with SIGKILL in the midst of an order, when the authority has been told
to come for the answer, and started again at once: how many orders are placed
until there is valid HTTPS.

Pebble takes up to 15 s until it comes.  When it came while nobody was there, the
order is spent and another one is owed; such rounds are told by its looks in vain.
"""

from __future__ import annotations

import time

from .ground import Ground
from .peers import Ended, Place, Running
from .verdicts import Report, Verdict

__all__ = ["killed"]

_PATIENCE = 60.0


async def killed(ground: Ground) -> Report:
    """The same for each, in turns."""
    rounds = ground.rounds or 3
    found: dict[str, list[tuple[int, int, int, float | None]]] = {name: [] for name in ground.proxies}
    for _ in range(rounds):
        for name, some in found.items():
            some.append(await _round(ground, name))
    rows = []
    for name, some in found.items():
        for accounts, orders, invalid, seconds in some:
            when = f"not within {ground.patience:g} s" if seconds is None else f"{seconds:.1f} s"
            rows.append(
                f"{name:8} orders {orders}, accounts {accounts}, looks in vain {invalid},"
                f" from the second exec to valid HTTPS {when}"
            )
    promise = "no second order, and no second account"
    isHeld = all(
        (accounts, orders) == (1, 1 + invalid) and seconds is not None
        for accounts, orders, invalid, seconds in found.get("ours", ())
    )
    verdict = Verdict(promise, f"in {rounds} of {rounds}" if isHeld else "see above", isHeld)
    verdicts = (verdict,) if "ours" in found else ()
    return Report(
        f"killed in the midst of an order and started again, {rounds} rounds", tuple(rows), verdicts
    )


async def _round(ground: Ground, name: str) -> tuple[int, int, int, float | None]:
    before = ground.authority.tally()
    told = ground.authority.log.count("POST /chalZ/")
    with ground.place() as place:

        def once() -> float | None:
            return _once(name, place, ground, told)

        seconds = await ground.aside(once)
    tally = ground.since(before)
    return tally.accounts, tally.orders, tally.invalid, seconds


def _once(name: str, place: Place, ground: Ground, told: int) -> float | None:
    first = Running(name, place)
    try:
        giveUp = time.monotonic() + _PATIENCE
        while ground.authority.log.count("POST /chalZ/") == told:
            if time.monotonic() > giveUp:
                raise Ended(f"{name} has told the authority nothing:\n{first.said[-3000:]}")
            place.pause(0.01)
    finally:
        first.kill()
    with Running(name, place) as second:
        at = second.untilServed(ground.authority.root, ground.patience)
        return None if at is None else at - second.began
