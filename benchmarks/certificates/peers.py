"""
The proxies that are measured, each with the configuration that does the same: a
site for each name, with a certificate from Pebble by http-01, forwarded to one
origin.  All that one keeps is below one directory, C{state}.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import smartproxy_tw

__all__ = ["PROXIES", "Ended", "Interrupted", "Place", "Running", "installed", "isKept"]

#: Between two looks whether a name is served, in seconds.  Each of them is a
#: handshake that the proxy has to make, so they are not made more often.
_LOOK = 0.02

#: The first bytes of a certificate, as it is kept: PEM, or PEM in base64.
_CERTIFICATE = (b"-----BEGIN CERTIFICATE-----", b"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t")


class Interrupted(Exception):
    """
    Whoever measures does not want to know any more.
    """


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a proxy runs, and what it is to serve.

    @ivar here: Its own directory.
    @ivar names: Each with a certificate of its own.
    @ivar directory: The URL of the authority's.
    @ivar caFile: Whom to trust for that.
    @ivar http: The port for http-01.
    @ivar tls: The port for HTTPS.
    @ivar origin: Where requests go.
    @ivar compiled: For Python's byte code.
    @ivar over: Set when nobody wants to know any more.
    """

    here: Path
    names: tuple[str, ...]
    directory: str
    caFile: str
    http: int
    tls: int
    origin: int
    compiled: Path
    over: Event

    def pause(self, seconds: float) -> None:
        """
        Wait.

        @raise Interrupted: There is nothing to be waited for any more.
        """
        if self.over.wait(seconds):
            raise Interrupted("interrupted")

    @property
    def state(self) -> Path:
        """What the proxy is to keep is kept here."""
        return self.here / "state"

    def write(self, name: str, text: str) -> str:
        """Write a file of its own; its path."""
        (self.here / name).write_text(text)
        return str(self.here / name)


def ours(place: Place) -> list[str]:
    """C{twistd smartproxy}, of the package that this Python imports."""
    acme = {
        "directory": place.directory,
        "ca_file": place.caFile,
        "http_port": place.http,
        "tls_port": place.tls,
    }
    configuration = {
        "bind": ["127.0.0.1"],
        "state_dir": str(place.state),
        "access_log": {"format": "off"},
        "acme": acme,
        "sites": dict.fromkeys(place.names, f"127.0.0.1:{place.origin}"),
    }
    file = place.write("smartproxy.json", json.dumps(configuration))
    twistd = str(Path(sys.executable).with_name("twistd"))
    return [twistd, "-n", "--pidfile=", f"--rundir={place.here}", "smartproxy", "--config", file]


def caddy(place: Place) -> list[str]:
    """A site for each name."""
    sites = "\n".join(f"{name} {{\n\treverse_proxy 127.0.0.1:{place.origin}\n}}" for name in place.names)
    file = place.write(
        "Caddyfile",
        "{\n\tadmin off\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n"
        f"\tstorage file_system {place.state}\n"
        f"\thttp_port {place.http}\n\thttps_port {place.tls}\n\tacme_ca {place.directory}\n"
        f"\tacme_ca_root {place.caFile}\n\tservers {{\n\t\tprotocols h1\n\t}}\n}}\n{sites}\n",
    )
    return [_found("caddy"), "run", "--config", file, "--adapter", "caddyfile"]


def traefik(place: Place) -> list[str]:
    """A router for each name."""
    routers = "".join(
        f"    r{number}:\n      rule: Host(`{name}`)\n      entryPoints: [websecure]\n      service: origin\n"
        "      tls:\n        certResolver: pebble\n"
        for number, name in enumerate(place.names)
    )
    routes = place.write(
        "routes.yml",
        f"http:\n  routers:\n{routers}  services:\n    origin:\n      loadBalancer:\n        servers:\n"
        f"          - url: http://127.0.0.1:{place.origin}\n",
    )
    file = place.write(
        "traefik.yml",
        "global:\n  checkNewVersion: false\n  sendAnonymousUsage: false\nentryPoints:\n"
        f"  web:\n    address: 127.0.0.1:{place.http}\n  websecure:\n    address: 127.0.0.1:{place.tls}\n"
        f"providers:\n  file:\n    filename: {routes}\n"
        "certificatesResolvers:\n  pebble:\n    acme:\n"
        f"      caServer: {place.directory}\n      email: bench@example.com\n"
        f"      storage: {place.state}/acme.json\n      httpChallenge:\n        entryPoint: web\n",
    )
    return [_found("traefik"), f"--configFile={file}"]


#: How each is told what to do, by the name it has on the command line.
PROXIES: dict[str, Callable[[Place], list[str]]] = {"ours": ours, "caddy": caddy, "traefik": traefik}


def installed() -> tuple[str, ...]:
    """Those that can be run here."""
    return tuple(name for name in PROXIES if name == "ours" or _found(name))


def _found(program: str) -> str:
    # What PyPI has of them is beside this Python.
    path = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.executable).parent)))
    return shutil.which(program, path=path) or ""


def isKept(place: Place) -> bool:
    """Whether a certificate is on the disk."""
    return any(
        mark in file.read_bytes()
        for file in place.state.rglob("*")
        if file.is_file() and not file.is_symlink()
        for mark in _CERTIFICATE
    )


class Ended(Exception):
    """
    A proxy has ended by itself; the argument has its last words.
    """


class Running:
    """
    One of them, from C{exec} to its end.  What it says goes to C{said} in its
    directory.

    @ivar name: Of L{PROXIES}.
    @ivar began: When it was started, by the monotonic clock.
    """

    def __init__(self, name: str, place: Place) -> None:
        """
        Start it.

        @param name: Of L{PROXIES}.
        """
        place.state.mkdir(mode=0o700, exist_ok=True)
        self.name = name
        self.place = place
        command = PROXIES[name](place)
        environment = _environment(place)
        with (place.here / "said").open("ab") as said:
            self.began = time.monotonic()
            self._process = subprocess.Popen(
                command, stdout=said, stderr=said, env=environment, cwd=place.here
            )

    @property
    def said(self) -> str:
        """All that it said so far."""
        return (self.place.here / "said").read_text("utf-8", "replace")

    def untilServed(self, root: bytes, patience: float) -> float | None:
        """
        Wait until each name is served with a valid certificate, on a new connection.

        @param root: PEM of whom to trust.
        @param patience: In seconds.
        @return: When that was, by the monotonic clock; L{None}: not within
            C{patience}.
        @raise Ended: It is not there any more.
        @raise Interrupted: As L{Place.pause}.
        """
        context = ssl.create_default_context(cadata=root.decode())
        left, giveUp = list(self.place.names), time.monotonic() + patience
        while left:
            if _isServed(left[0], self.place.tls, context):
                left.pop(0)
            elif self._process.poll() is not None:
                raise Ended(f"{self.name} has ended by itself:\n{self.said[-3000:]}")
            elif time.monotonic() > giveUp:
                return None
            else:
                self.place.pause(_LOOK)
        return time.monotonic()

    def kill(self) -> None:
        """Without a word."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """In good order, if it can."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Running:
        """For C{with}."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.end()


def _environment(place: Place) -> dict[str, str]:
    environment = dict(os.environ)
    # An installed program has its byte code; where Python may not write it down, each
    # start would compile all of it.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    package = str(Path(smartproxy_tw.__file__).parent.parent)
    return environment | {
        "PYTHONPYCACHEPREFIX": str(place.compiled),
        "PYTHONPATH": package + os.pathsep + os.environ.get("PYTHONPATH", ""),
        "HOME": str(place.here),
        "XDG_DATA_HOME": str(place.here),
        "XDG_CONFIG_HOME": str(place.here),
        "LEGO_CA_CERTIFICATES": place.caFile,
    }


def _isServed(name: str, port: int, context: ssl.SSLContext) -> bool:
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 5) as sock,
            context.wrap_socket(sock, server_hostname=name) as tls,
        ):
            tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            return tls.recv(12) == b"HTTP/1.1 200"
    except (OSError, ssl.SSLError):
        return False
