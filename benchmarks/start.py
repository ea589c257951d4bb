"""
How long a start takes, from C{exec} to the first answer, beside a bare C{twistd web} in the same run.

    python -m benchmarks.start [--rounds 9] [--json]

Both run on one processor, and then on two; whoever asks has the last one.  The file is YAML, with the four
routes that all benchmarks here have, or with C{--routes 1} the first of them.  Python's byte code has to be
there: this starts each once before it counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from smartproxy_tw.acme.x509 import selfSigned

from .__main__ import freePort
from .proxies import Place, ours

_REQUEST = b"GET / HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n"
_PATIENCE = 60.0


def web(place: Place) -> list[str]:
    """C{twistd web}, which serves an empty directory."""
    twistd = str(Path(sys.executable).with_name("twistd"))
    where = f"tcp:{place.http}:interface=127.0.0.1"
    return [twistd, "-n", "--pidfile=", "web", "--listen", where, "--path", str(place.directory)]


def proxy(place: Place, routes: int) -> list[str]:
    """C{twistd smartproxy}, with a file in YAML of so many routes."""
    command = ours(place)
    written = json.loads(Path(command[-1]).read_text())
    written["routes"] = written["routes"][:routes]
    return [*command[:-1], place.write("smartproxy.yaml", json.dumps(written))]


def isAnswered(port: int) -> bool:
    """Whether somebody answers there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as sock:
            sock.sendall(_REQUEST)
            return sock.recv(64).startswith(b"HTTP/1.1 ")
    except OSError:
        return False


def started(name: str, cpus: set[int], origin: int, routes: int) -> float:
    """Start one of them, and end it; how long it took to answer, in seconds."""
    with tempfile.TemporaryDirectory() as directory:
        credential = selfSigned(["bench.test"])
        for file, content in (("cert.pem", credential.chain), ("key.pem", credential.key)):
            (Path(directory) / file).write_bytes(content)
        place = Place(Path(directory), *(freePort() for _ in range(4)), origin, origin)
        command = web(place) if name == "twistd web" else proxy(place, routes)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with open(place.directory / "said", "wb") as said:
            begun = time.monotonic()
            process = subprocess.Popen(
                ["taskset", "-c", ",".join(map(str, sorted(cpus))), *command],
                cwd=directory,
                env=environment,
                stdout=said,
                stderr=said,
            )
        try:
            while not isAnswered(place.http):
                if process.poll() is not None or time.monotonic() - begun > _PATIENCE:
                    sys.exit(f"{name} did not answer:\n{(place.directory / 'said').read_text()}")
                time.sleep(0.001)
            return time.monotonic() - begun
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


@contextlib.contextmanager
def origin(cpus: set[int]) -> Iterator[int]:
    """What the proxy forwards to: its port."""
    port = freePort()
    script = str(Path(__file__).with_name("origin.py"))
    process = subprocess.Popen(
        ["taskset", "-c", ",".join(map(str, sorted(cpus))), sys.executable, script, str(port)]
    )
    try:
        while not isAnswered(port):
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--routes", type=int, default=4, choices=range(1, 5))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    every = sorted(os.sched_getaffinity(0))
    if len(every) < 2:
        sys.exit("Two processors are needed: one for whoever asks.")
    os.sched_setaffinity(0, every[-1:])
    with origin(set(every[-1:])) as port:
        for cpus in (set(every[:1]), set(every[:2])):
            times: dict[str, list[float]] = {"twistd web": [], "ours": []}
            for number in range(options.rounds + 1):
                for name, found in times.items():
                    took = started(name, cpus, port, options.routes)
                    if number:
                        found.append(took)
            ratio = statistics.median(b / a for a, b in zip(*times.values(), strict=True))
            middle = {name: statistics.median(found) for name, found in times.items()}
            if options.json:
                print(json.dumps({"processors": len(cpus), "ratio": ratio, "seconds": middle}))
                continue
            for name, found in times.items():
                least, most = min(found) * 1e3, max(found) * 1e3
                print(f"{len(cpus)} CPU: {name} {middle[name] * 1e3:.0f} ms ({least:.0f} to {most:.0f})")
            print(f"{len(cpus)} CPU: median of the ratios {ratio:.2f}")


if __name__ == "__main__":
    main()
