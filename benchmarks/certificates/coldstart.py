"""
From C{exec} to valid HTTPS for every name, each time with an empty state
directory: how long it takes, how many orders are placed for it, and whether the
authority looked in vain.

A start of each with one name, which is not counted, comes first, so that all are
read from the disk and ours has its byte code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.live.pebble import Tally

from .ground import Ground
from .peers import Ended, Place, Running
from .verdicts import Report, Spread, Verdict, atMost, exactly, unmeasured

__all__ = ["again", "fifty", "one", "twoHundred"]

#: So long any of them may take for its first name, and for each further one; Caddy's
#: own throttle takes 60 s for ten at its slowest.
_FIRST, _FURTHER = 60.0, 8.0

_THROTTLED = re.compile(r'"ts":([0-9.]+)[^\n]*"msg":"done waiting on internal rate limiter"')


@dataclass(slots=True)
class _Starts:
    """All cold starts of one proxy."""

    times: list[float] = field(default_factory=list)
    counts: list[Tally] = field(default_factory=list)
    throttle: str = ""


async def one(ground: Ground) -> Report:
    """One name, beside the peers."""
    return await _beside(ground, 1, ground.rounds or 7, {"caddy": 1.2})


async def fifty(ground: Ground) -> Report:
    """Fifty routes, beside the peers."""
    return await _beside(ground, 50, ground.rounds or 1, {"traefik": 0.25})


async def twoHundred(ground: Ground) -> Report:
    """Two hundred routes, beside the peers."""
    return await _beside(ground, 200, ground.rounds or 1, {"traefik": 0.15})


async def again(ground: Ground) -> Report:
    """A hundred cold starts of ours, one name each."""
    starts = _Starts()
    rounds = ground.rounds or 100
    await _start(ground, "ours", 1, _Starts())
    for _ in range(rounds):
        await _start(ground, "ours", 1, starts)
    times = sorted(starts.times)
    late = times[min(len(times) - 1, round(len(times) * 0.95))]
    return Report(
        f"{rounds} cold starts of ours, one name each: seconds from exec to the valid answer",
        (f"{'ours':8} {Spread(tuple(times))}  95 % within {late:.3f} s",),
        _counted(starts, 1),
    )


async def _beside(ground: Ground, count: int, rounds: int, bounds: dict[str, float]) -> Report:
    measured = {name: _Starts() for name in ground.proxies}
    for name in measured:
        await _start(ground, name, 1, _Starts())
    for _ in range(rounds):
        for name, starts in measured.items():
            await _start(ground, name, count, starts)
    spreads = {name: Spread(tuple(starts.times)) for name, starts in measured.items()}
    rows = []
    for name, starts in measured.items():
        orders = sum(each.orders for each in starts.counts) / (rounds * count)
        invalid = sum(each.invalid for each in starts.counts)
        rows.append(
            f"{name:8} {spreads[name]}  orders for each certificate {orders:.2f}, looks in vain {invalid}"
        )
        if starts.throttle:
            rows.append(f"{'':8} {starts.throttle}")
    verdicts = [
        atMost(f"at most {bound:g} x {peer}", bound, spreads["ours"].middle / spreads[peer].middle)
        if peer in spreads and "ours" in spreads
        else unmeasured(f"at most {bound:g} x {peer}", "both are needed for that")
        for peer, bound in bounds.items()
    ]
    if "ours" in measured:
        verdicts += _counted(measured["ours"], count)
    title = "one name" if count == 1 else f"{count} routes, one name each"
    return Report(
        f"{title}, {rounds} rounds: seconds from exec to the last valid answer", tuple(rows), tuple(verdicts)
    )


def _counted(starts: _Starts, count: int) -> tuple[Verdict, ...]:
    return (
        exactly("exactly 1.00 order for each certificate", count, (each.orders for each in starts.counts)),
        exactly("no look of the authority in vain", 0, (each.invalid for each in starts.counts)),
    )


async def _start(ground: Ground, name: str, count: int, starts: _Starts) -> None:
    before = ground.authority.tally()
    with ground.place(count) as place:
        seconds, said = await ground.aside(_once, name, place, ground.authority.root)
    starts.times.append(seconds)
    starts.counts.append(ground.since(before))
    starts.throttle = _throttle(said)


def _once(name: str, place: Place, root: bytes) -> tuple[float, str]:
    patience = _FIRST + _FURTHER * len(place.names)
    with Running(name, place) as running:
        at = running.untilServed(root, patience)
        if at is None:
            raise Ended(f"{name} does not serve {place.names} in {patience:g} s:\n{running.said[-3000:]}")
        return at - running.began, running.said


def _throttle(said: str) -> str:
    """
    Name the throttle that Caddy has, by its own log, where it made itself felt.
    """
    passed = sorted(float(each) for each in _THROTTLED.findall(said))
    if len(passed) < 11:
        return ""
    span = passed[-1] - passed[0]
    return (
        "(its time is its throttle's, built in and not to be configured: by its log"
        f" {len(passed)} orders passed its internal rate limiter in {span:.1f} s, any 11 of them in at least"
        f" {min(late - early for early, late in zip(passed, passed[10:], strict=False)):.1f} s)"
    )
