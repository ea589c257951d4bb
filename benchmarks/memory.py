"""
How much memory an idle client connection takes, beside stock Twisted in the same run.

    python -m benchmarks.memory [--connections 2000] [--rounds 3] [--json]

A connection is measured when it has been made (C{tcp}), when its TLS handshake is done (C{tls}),
and when it is kept after one request (C{kept}, C{tlskept}).  Stock Twisted is
C{twisted.web.proxy.ReverseProxyResource} behind C{listenTCP} and C{listenSSL}.  What counts is how
much the resident memory of the process has grown, over the number of connections; a hundred others
came and went before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from smartproxy_tw.acme.x509 import selfSigned

from . import origin
from .__main__ import awaitAnswer, freePort
from .proxies import Place, start

_REQUEST = b"GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n"

#: What is measured: whether over TLS, and whether after a request.
STATES = {"tcp": (False, False), "kept": (False, True), "tls": (True, False), "tlskept": (True, True)}

_STOCK = """
import sys
from twisted.internet import reactor, ssl
from twisted.web.proxy import ReverseProxyResource
from twisted.web.server import Site
http, https, origin = map(int, sys.argv[1:])
site = Site(ReverseProxyResource("127.0.0.1", origin, b""))
reactor.listenTCP(http, site, backlog=1024, interface="127.0.0.1")
context = ssl.DefaultOpenSSLContextFactory("key.pem", "cert.pem")
reactor.listenSSL(https, site, context, backlog=1024, interface="127.0.0.1")
reactor.run()
"""


@contextlib.contextmanager
def proxy(name: str, port: int) -> Iterator[tuple[int, Place]]:
    """One proxy while it is needed: its process and its place."""
    with tempfile.TemporaryDirectory() as directory:
        credential = selfSigned(["bench.test"])
        for file, content in (("cert.pem", credential.chain), ("key.pem", credential.key)):
            (Path(directory) / file).write_bytes(content)
        place = Place(Path(directory), *(freePort() for _ in range(4)), port, port)
        if name == "ours":
            process = start(name, place)
        else:
            numbers = [str(each) for each in (place.http, place.https, port)]
            with open(place.directory / "said", "wb") as said:
                process = subprocess.Popen(
                    [sys.executable, "-c", _STOCK, *numbers], cwd=directory, stdout=said, stderr=said
                )
        try:
            awaitAnswer(name, place, "https", "/")
            yield process.pid, place
        finally:
            process.terminate()
            process.wait()


def connections(place: Place, state: str, count: int) -> list[socket.socket]:
    """So many, each in its state."""
    isTLS, isAsked = STATES[state]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    found = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", place.https if isTLS else place.http), 10)
        if isTLS:
            sock = context.wrap_socket(sock, server_hostname="bench.test")
        if isAsked:
            sock.sendall(_REQUEST)
            data = b""
            while not data.endswith(b"x" * 100):
                data += sock.recv(65536)
        found.append(sock)
    return found


def resident(pid: int) -> int:
    """In bytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    line = re.search(r"^Rss:\s+(\d+) kB", text, re.MULTILINE)
    assert line is not None
    return int(line[1]) * 1024


def measure(name: str, state: str, count: int, port: int) -> float:
    """Bytes for one connection."""
    with proxy(name, port) as (pid, place):
        for sock in connections(place, state, 100):
            sock.close()
        time.sleep(1.5)
        before = resident(pid)
        held = connections(place, state, count)
        time.sleep(2)
        grown = resident(pid) - before
        for sock in held:
            sock.close()
        return grown / count


def main() -> None:
    """Measure what the command line asks for."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description=__doc__.split("\n\n")[0].strip()
    )
    parser.add_argument("--connections", type=int, default=2000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    port = freePort()
    server = subprocess.Popen([sys.executable, origin.__file__, str(port)], env=os.environ)
    try:
        for state in STATES:
            found: dict[str, list[float]] = {"ours": [], "stock": []}
            for _ in range(options.rounds):
                for name, some in found.items():
                    some.append(measure(name, state, options.connections, port))
            ours, stock = (statistics.median(some) for some in found.values())
            row = {
                "state": state,
                "ours": round(ours),
                "stock": round(stock),
                "ratio": round(ours / stock, 2),
            }
            print(
                json.dumps(row)
                if options.json
                else f"{state:<8} {ours:>8.0f} bytes, stock Twisted {stock:>8.0f}: {ours / stock:.2f} x",
                flush=True,
            )
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
