"""
How many requests a second of a proxy's CPU time serves, ours beside the others.

    python -m benchmarks [--scenarios plain,tls,...] [--proxies ours,haproxy,nginx,caddy]
                         [--rounds 3] [--seconds 3] [--json]

The proxy has the first CPU for itself; generator and origin share the second.  A
round measures every proxy once, one right after the other, so that what disturbs
the machine disturbs all of them; the median of the rounds is printed.  What counts
is CPU time for each request, user and system, of all processes of a proxy, and
its ratio to the reference: HAProxy where it is installed, or else nginx.  Where
C{perf} can count, so are the processor's cycles for each request, and their ratio:
a virtual machine is charged for time that its host took away, but not for cycles.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smartproxy_tw.acme.x509 import selfSigned

from . import origin
from .load import generator, load
from .proxies import PROXIES, SHARING, STREAMING, Place, installed, start

#: What is asked for: of which port, the path, whether each time on a new connection.
SCENARIOS = {
    "plain": ("http", "/", False),
    "tls": ("https", "/", False),
    "h2": ("https", "/", False),
    "h1toh2": ("http", "/", False),
    "h2toh2": ("https", "/", False),
    "handshake": ("https", "/", True),
    "big": ("http", "/big", False),
    "tlsbig": ("https", "/big", False),
    "tcp": ("tcp", "/", True),
    "tcpbig": ("tcp", "/big", False),
    "sni": ("sni", "/", True),
    "snibig": ("sni", "/big", False),
}
_STREAMS = frozenset(("tcp", "sni"))
_SECRET = frozenset(("https", "sni"))
# By HTTP/2, for which another generator is needed.
_MULTIPLEXED = frozenset(("h2", "h2toh2"))
# To an origin that speaks HTTP/2, for which another one is needed.
_SHARED = frozenset(("h1toh2", "h2toh2"))

_PATIENCE = 30.0
_PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin"


def cpus() -> tuple[set[int], set[int]]:
    """Where the proxy runs, and where all others do."""
    there = sorted(os.sched_getaffinity(0))
    return ({there[0]}, {there[1]}) if len(there) > 1 else (set(there), set(there))


def freePort() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def cpuSeconds(pid: int) -> float:
    """The CPU time so far of a process and all that it started."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with contextlib.suppress(OSError):
                values = (each / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(values[1]), []).append(int(each.name))
                # Its own, and of children that have ended.
                ticks[int(each.name)] = sum(map(int, values[11:15]))
    total, left = 0, [pid]
    while left:
        one = left.pop()
        total += ticks.get(one, 0)
        left += children.get(one, [])
    return total / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(process: subprocess.Popen[bytes], places: set[int]) -> Iterator[int]:
    """Keep a process on its CPU while it is needed; its id."""
    try:
        os.sched_setaffinity(process.pid, places)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(host: str, port: int, isTLS: bool, path: str) -> bytes | None:
    """One answer's body; C{None} while nobody gives one."""
    connection: http.client.HTTPConnection
    if isTLS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=5, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": "bench.test"})
        response = connection.getresponse()
        return response.read() if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def hostFor(kind: str) -> str:
    """A name that is resolved here, and that goes into the SNI; an address where none is needed."""
    return "localhost" if kind == "sni" else "127.0.0.1"


def awaitAnswer(name: str, place: Place, kind: str, path: str, expected: bytes = b"") -> None:
    """
    Wait for the right answer, or stop with what the proxy said.

    @param expected: The answer; by default that of L{origin}.
    """
    expected = expected or origin.ANSWERS[path.encode()].partition(b"\r\n\r\n")[2]
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if answers(hostFor(kind), getattr(place, kind), kind in _SECRET, path) == expected:
            return
        time.sleep(0.1)
    sys.exit(f"{name} gave no right answer; it said:\n{(place.directory / 'said').read_text()}")


@dataclass(frozen=True)
class Origins:
    """
    Where the origin is.

    @ivar plain: Its port.
    @ivar secret: Its port for TLS.
    @ivar shared: The port of the one that speaks HTTP/2.
    @ivar directory: Where its certificate is.
    """

    plain: int
    secret: int
    shared: int
    directory: Path


def sharing(origins: Origins) -> subprocess.Popen[bytes]:
    """Start the origin that speaks HTTP/2, with the same answer."""
    root = origins.directory / "root"
    root.mkdir()
    (root / "index.html").write_bytes(origin.ANSWERS[b"/"].partition(b"\r\n\r\n")[2])
    program = shutil.which("nghttpd", path=_PATH) or "nghttpd"
    command = [program, "--no-tls", "-d", str(root), "-a", "127.0.0.1", str(origins.shared)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def lacking(scenario: str) -> str | None:
    """The program that a scenario needs and that is not installed."""
    if scenario in _MULTIPLEXED and not shutil.which("h2load"):
        return "h2load (Debian: nghttp2-client)"
    if scenario in _SHARED and not shutil.which("nghttpd", path=_PATH):
        return "nghttpd (Debian: nghttp2-server)"
    return None


@dataclass(frozen=True)
class Figures:
    """
    What was measured once.

    @ivar each: CPU time for one request, in microseconds.
    @ivar cycles: Of the processor for one request, in thousands; 0 where nobody counts.
    """

    perSecond: float
    each: float
    cycles: float


@contextlib.contextmanager
def counted(pid: int, into: Path) -> Iterator[None]:
    """Count the cycles of a process and its threads, where that can be done."""
    if not shutil.which("perf"):
        yield
        return
    command = ["perf", "stat", "-x,", "-e", "cycles:u,cycles:k", "-p", str(pid), "-o", str(into)]
    counter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    try:
        yield
    finally:
        counter.send_signal(signal.SIGINT)
        counter.wait()


def cyclesIn(file: Path) -> float:
    """How many were counted, in thousands."""
    if not file.exists():
        return 0.0
    fields = [line.split(",") for line in file.read_text().splitlines()]
    return sum(float(some[0]) for some in fields if some[0].isdigit()) / 1000


def measure(name: str, scenario: str, seconds: float, origins: Origins) -> Figures:
    """
    One proxy, one scenario, once.
    """
    kind, path, isFresh = SCENARIOS[scenario]
    mine, others = cpus()
    with tempfile.TemporaryDirectory() as directory:
        for file in ("cert.pem", "key.pem", "both.pem"):
            shutil.copy(origins.directory / file, directory)
        ports = [freePort() for _ in range(4)]
        isShared = scenario in _SHARED
        plain = origins.shared if isShared else origins.plain
        place = Place(Path(directory), *ports, plain, origins.secret, isShared)
        with running(start(name, place), mine) as pid:
            awaitAnswer(name, place, kind, path)
            url = f"http{'s' * (kind in _SECRET)}://{hostFor(kind)}:{getattr(place, kind)}{path}"
            isMultiplexed = scenario in _MULTIPLEXED
            load(url, 1, isFresh, others, isMultiplexed)
            with counted(pid, place.directory / "cycles"):
                before, begin = cpuSeconds(pid), time.monotonic()
                done = load(url, seconds, isFresh, others, isMultiplexed)
                perSecond = done / (time.monotonic() - begin)
                each = (cpuSeconds(pid) - before) / done * 1e6
            return Figures(perSecond, each, cyclesIn(place.directory / "cycles") / done)


def table(found: dict[str, dict[str, list[Figures]]]) -> Iterator[dict[str, object]]:
    """The medians, a row for each scenario and proxy."""
    for scenario, proxies in found.items():
        cost = {name: statistics.median(each.each for each in some) for name, some in proxies.items()}
        cycles = {name: statistics.median(each.cycles for each in some) for name, some in proxies.items()}
        reference = next((name for name in ("haproxy", "nginx") if name in cost), None)
        for name, some in proxies.items():
            yield {
                "scenario": scenario,
                "proxy": name,
                "requestsPerSecond": round(statistics.median(each.perSecond for each in some)),
                "requestsPerCPUSecond": round(1e6 / cost[name]),
                "microseconds": round(cost[name], 1),
                "ratio": round(cost[name] / cost[reference], 2) if reference else None,
                "kilocycles": round(cycles[name], 1) or None,
                "cycleRatio": round(cycles[name] / cycles[reference], 2)
                if reference and cycles[reference]
                else None,
                "reference": reference,
            }


def show(rows: list[dict[str, object]]) -> None:
    """Print them for a person."""
    print(
        f"{'scenario':<10} {'proxy':<8} {'requests/s':>10} {'per CPU s':>10} {'CPU each':>10} "
        f"{'kcycles':>9}  ratio of CPU, of cycles"
    )
    for row in rows:
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f} x {row['reference']}"
        if row["cycleRatio"] is not None:
            ratio += f", {row['cycleRatio']:.2f}"
        thousands = row["kilocycles"] or "-"
        print(
            f"{row['scenario']:<10} {row['proxy']:<8} {row['requestsPerSecond']:>10} "
            f"{row['requestsPerCPUSecond']:>10} {row['microseconds']:>7} us {thousands:>9}  {ratio}"
        )


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.split("\n\n")[0].strip()
    )
    usual = [name for name in SCENARIOS if lacking(name) is None]
    parser.add_argument("--scenarios", default=",".join(usual), help="default: %(default)s")
    parser.add_argument("--proxies", default=",".join(installed()), help="default, as installed: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    scenarios, proxies = options.scenarios.split(","), options.proxies.split(",")
    for name in proxies:
        if name not in installed():
            parser.error(f"{name} is not installed, or not one of {', '.join(PROXIES)}")
    for name in scenarios:
        if name not in SCENARIOS:
            parser.error(f"{name} is not one of the scenarios {', '.join(SCENARIOS)}")
        if (program := lacking(name)) is not None:
            parser.error(f"{name} needs {program}")
    found: dict[str, dict[str, list[Figures]]] = {
        scenario: {
            name: []
            for name in proxies
            if (name in STREAMING or SCENARIOS[scenario][0] not in _STREAMS)
            and (name in SHARING or scenario not in _SHARED)
        }
        for scenario in scenarios
    }
    print(f"asking with {generator()}, {options.rounds} rounds", file=sys.stderr)
    with tempfile.TemporaryDirectory() as directory:
        origins = Origins(freePort(), freePort(), freePort(), Path(directory))
        credential = selfSigned(["bench.test", "localhost"])
        for file, content in (
            ("cert.pem", credential.chain),
            ("key.pem", credential.key),
            ("both.pem", credential.chain + credential.key),
        ):
            (origins.directory / file).write_bytes(content)
        command = [sys.executable, origin.__file__, str(origins.plain), str(origins.secret)]
        command += [str(origins.directory / file) for file in ("cert.pem", "key.pem")]
        with contextlib.ExitStack() as stack:
            stack.enter_context(running(subprocess.Popen(command), cpus()[1]))
            if _SHARED.intersection(scenarios):
                stack.enter_context(running(sharing(origins), cpus()[1]))
            for _ in range(options.rounds):
                for scenario in scenarios:
                    for name, some in found[scenario].items():
                        some.append(measure(name, scenario, options.seconds, origins))
    rows = list(table(found))
    if options.json:
        for row in rows:
            print(json.dumps(row))
    else:
        show(rows)


if __name__ == "__main__":
    main()
