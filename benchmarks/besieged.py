"""
How long good requests wait while enemies speak HTTP/2 to the same proxy, ours beside the others.

    python -m benchmarks.besieged [--proxies ours,haproxy,nginx,caddy] [--enemies 20]
                                  [--kinds rapidReset,pings,...] [--seconds 10] [--rounds 3] [--json]

From the checkout: the enemies are those of C{tests/attack}, so many of each kind at the same
time.  Eight clients ask by HTTP/1.1 on kept connections, first alone and then beside
the enemies, for another origin than theirs; a round does this with every proxy once,
each newly started, one right after the other.  The proxy has the first CPU for itself;
the clients, the enemies and the origins share the second.

What is printed is the median of the rounds, of the median and of the 99th percentile of
what a good request waited for its answer; how many times as much that is beside
enemies as without; and how many of the good requests failed in all rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smartproxy_tw.acme.x509 import selfSigned
from smartproxy_tw.wire.frames import END_HEADERS, END_STREAM, HEADERS, PREFACE, frame, settings
from tests.attack.crowd import Crowd
from tests.attack.origin import StrictOrigin
from tests.attack.torrents import TORRENTS, whole
from tests.ports import freePorts
from tests.wire.conversations import block

from .__main__ import awaitAnswer, cpus, running
from .proxies import PROXIES, Place, installed, start

_GOOD = 8
# What the origin answers C{/} with.
_ANSWER = b"hello"
_PATIENCE = 5.0


@dataclass(frozen=True)
class Figures:
    """
    What was measured once.

    @ivar without: What good requests waited alone, as their crowd tells it.
    @ivar beside: What they waited beside the enemies.
    @ivar enemies: What became of those, by kind.
    """

    without: dict[str, Any]
    beside: dict[str, Any]
    enemies: dict[str, Any]

    @property
    def failed(self) -> int:
        """Of the good requests, how many had another answer than theirs, or none."""
        return sum(
            int(some.get(name, 0)) for some in (self.without, self.beside) for name in ("broken", "wrong")
        )


def speaksHTTP2(port: int) -> bool:
    """Whether a request by prior knowledge is answered there."""
    fields = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a.test"), (b":path", b"/")]
    request = frame(HEADERS, END_HEADERS | END_STREAM, 1, block(*fields))
    said = bytearray()
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), _PATIENCE) as sock:
        sock.sendall(PREFACE + settings({}) + request)
        while data := sock.recv(65536):
            # Whoever speaks HTTP/1.1 alone says so in words.
            said += data
            if said.startswith(b"HTTP/"):
                return False
            if any(each.kind == HEADERS for each in whole(said)):
                return True
    return False


@contextlib.contextmanager
def serving(name: str, web: StrictOrigin, good: StrictOrigin, places: set[int]) -> Iterator[Place]:
    """A proxy while it is needed; it answers."""
    with tempfile.TemporaryDirectory() as directory:
        credential = selfSigned(["bench.test"])
        for file, content in (
            ("cert.pem", credential.chain),
            ("key.pem", credential.key),
            ("both.pem", credential.chain + credential.key),
        ):
            (Path(directory) / file).write_bytes(content)
        http, https, tcp, sni, h2c = freePorts(5)
        origins = web.ports["http"], web.ports["tls"]
        place = Place(Path(directory), http, https, tcp, sni, *origins, h2c=h2c, good=good.ports["http"])
        with running(start(name, place), places):
            awaitAnswer(name, place, "http", "/", _ANSWER)
            if not speaksHTTP2(h2c):
                said = (place.directory / "said").read_text()
                sys.exit(f"{name} speaks no HTTP/2 without TLS; it said:\n{said}")
            yield place


def measure(place: Place, kinds: dict[str, int], seconds: float) -> Figures:
    """One proxy, once."""
    # Enemies begin before the good ones are counted, and stay until after.
    before, after = 1.0, 2.0
    ports = {"http": place.http}
    with contextlib.closing(Crowd(ports, seconds, {"good": _GOOD})) as crowd:
        without = crowd.tells()["good"]
    with contextlib.closing(Crowd({"http": place.h2c}, before + seconds + after, kinds)) as enemies:
        time.sleep(before)
        with contextlib.closing(Crowd(ports, seconds, {"good": _GOOD})) as crowd:
            beside = crowd.tells()["good"]
        told = enemies.tells()
    return Figures(without, beside, {kind: told[kind] for kind in kinds})


def median(some: list[dict[str, Any]], name: str) -> float | None:
    """That of the rounds, in milliseconds; nothing where there was no answer in one of them."""
    found = [1000 * each[name] for each in some if name in each]
    return statistics.median(found) if found and len(found) == len(some) else None


def row(proxy: str, some: list[Figures]) -> dict[str, object]:
    """What is said of one proxy."""
    found: dict[str, object] = {"proxy": proxy}
    for part in ("p50", "p99"):
        without = median([each.without for each in some], part)
        beside = median([each.beside for each in some], part)
        found[f"{part}Without"] = without and round(without, 2)
        found[f"{part}Beside"] = beside and round(beside, 2)
        found[f"{part}Factor"] = round(beside / without, 1) if beside and without else None
    found["answers"] = sum(each.beside.get("answers", 0) for each in some)
    found["failed"] = sum(each.failed for each in some)
    return found


def show(rows: list[dict[str, object]]) -> None:
    """Print them for a person."""
    print(
        f"{'':<8}  {'median, ms':^26}  {'99th percentile, ms':^26}\n"
        f"{'proxy':<8} {'without':>9} {'beside':>9} {'times':>7} {'without':>9} {'beside':>9} {'times':>7}"
        f" {'answers':>8} {'failed':>7}"
    )
    for each in rows:
        line = f"{each['proxy']:<8}"
        for part in ("p50", "p99"):
            for name, width in (("Without", 9), ("Beside", 9), ("Factor", 7)):
                value = each[part + name]
                line += f" {'-' if value is None else value:>{width}}"
        print(f"{line} {each['answers']:>8} {each['failed']:>7}")


def _several(known: Any) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(known)}")
        return names

    return parse


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.besieged",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--proxies", type=_several(PROXIES), default=installed(), help="by comma; default: those installed"
    )
    parser.add_argument(
        "--kinds",
        type=_several(TORRENTS),
        default=list(TORRENTS),
        help=f"of enemies, by comma; default: all, which are {', '.join(TORRENTS)}",
    )
    parser.add_argument("--enemies", type=int, default=20, help="of each kind; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object a line, with what became of the enemies"
    )
    found = parser.parse_args()
    for name in found.proxies:
        if name not in installed():
            parser.error(f"{name} is not installed: it is looked for on the path and in /usr/sbin")
    return found


def main() -> None:
    """Measure what the command line asks for."""
    asked = options()
    # Whoever ends it ends all that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    mine, others = cpus()
    # What is started from here on is there as well.
    os.sched_setaffinity(0, others)
    found: dict[str, list[Figures]] = {name: [] for name in asked.proxies}
    kinds = dict.fromkeys(asked.kinds, asked.enemies)
    with contextlib.closing(StrictOrigin()) as web, contextlib.closing(StrictOrigin()) as good:
        for _ in range(asked.rounds):
            for name, some in found.items():
                with serving(name, web, good, mine) as place:
                    some.append(measure(place, kinds, asked.seconds))
    rows = [row(name, some) for name, some in found.items()]
    if not asked.json:
        show(rows)
        return
    for each, some in zip(rows, found.values(), strict=True):
        print(json.dumps({**each, "enemies": [one.enemies for one in some]}))


if __name__ == "__main__":
    main()
