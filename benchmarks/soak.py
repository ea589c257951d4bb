"""
The attacks of the tests, as big and as long as one likes.

    python -m benchmarks.soak [--minutes 10] [--clients 2000] [--requests 200000] [--seed 1]
                              [--only slow,mutations,kept,lag,full,exhausted]

From the checkout, as they are in C{tests/attack}.  Each says what it found as a line of JSON and
whether it held; the status is 1 when one did not.  C{--minutes} is how long clients come and go in
every state, at the end of which nothing of them may be left.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.attack import siege


def attacks(
    minutes: float, clients: int, requests: int, seed: int
) -> dict[str, Callable[[], dict[str, Any]]]:
    """Each by its name."""
    return {
        # Heads are cut after ten seconds, so all of them are there for some of the time.
        "slow": lambda: siege.slow(clients, 20.0),
        "torrents": lambda: siege.torrents(clients // 8, 20.0),
        "mutations": lambda: siege.mutations(requests, seed=seed),
        "kept": lambda: siege.kept(minutes * 60, min(200, clients)),
        "lag": lambda: siege.lag(clients, 30.0),
        "full": lambda: siege.full(1024, 10.0),
        "exhausted": lambda: siege.exhausted(1024, 5.0),
    }


def main() -> None:
    """Attack as the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=__doc__.split("\n\n")[0].strip()
    )
    parser.add_argument(
        "--minutes", type=float, default=10, help="of clients that leave; default: %(default)s"
    )
    parser.add_argument("--clients", type=int, default=2000, help="of each slow kind; default: %(default)s")
    parser.add_argument("--requests", type=int, default=200000, help="almost right; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of what is almost right; default: %(default)s")
    parser.add_argument("--only", default="", help="some of them, with commas between")
    options = parser.parse_args()
    known = attacks(options.minutes, options.clients, options.requests, options.seed)
    chosen = options.only.split(",") if options.only else list(known)
    for name in chosen:
        if name not in known:
            parser.error(f"{name} is not one of {', '.join(known)}")
    failed = False
    for name in chosen:
        began = time.monotonic()
        try:
            found: dict[str, Any] = {"held": True, **known[name]()}
        except AssertionError as why:
            failed = True
            found = {"held": False, "why": str(why)}
        line = {"attack": name, "seconds": round(time.monotonic() - began, 1), **found}
        print(json.dumps(line, default=str), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
