"""
The proxies that are measured, each with the configuration that does the same:
forward plain HTTP on one port and HTTPS on another to the origin, over connections
that are kept, and write an access log; and those that can, pass on TCP on a third
port, and TLS for C{localhost} untouched on a fourth.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import smartproxy_tw


@dataclass(frozen=True)
class Place:
    """
    Where a proxy runs and what it is to serve.

    @ivar directory: Its own; C{cert.pem} and C{key.pem} are there, and both in
        C{both.pem}.
    @ivar origin: The origin's port.
    @ivar secret: The origin's port for TLS.
    @ivar isShared: Whether the origin speaks HTTP/2, without TLS.
    @ivar h2c: A port for HTTP/2 without TLS as well, begun by prior knowledge; 0 where nobody
        asks so.  Where there is one, a head has ten seconds.
    @ivar good: The port of another origin, for requests to C{good.test} on the first port; 0
        where there are none.
    """

    directory: Path
    http: int
    https: int
    tcp: int
    sni: int
    origin: int
    secret: int
    isShared: bool = False
    h2c: int = 0
    good: int = 0

    @property
    def clear(self) -> list[int]:
        """The ports without TLS."""
        return [self.http, self.h2c] if self.h2c else [self.http]

    def write(self, name: str, text: str) -> str:
        """Write a file of its own; its path."""
        (self.directory / name).write_text(text)
        return str(self.directory / name)


def ours(place: Place) -> list[str]:
    """C{twistd smartproxy}, of the package that this Python imports."""
    target = {"host": "127.0.0.1", "port": place.origin}
    forward = {"type": "forward", "targets": [target]}
    web = {"type": "forward", "targets": [{**target, "protocol": "h2c" if place.isShared else "http/1.1"}]}
    certificate = {"cert": "cert.pem", "key": "key.pem"}
    configuration: dict[str, Any] = {
        "bind": ["127.0.0.1"],
        "state_dir": "state",
        "access_log": {"format": "combined", "file": "access.log"},
        "routes": [
            {"name": "http", "match": {"ports": place.clear, "protocol": "http"}, "action": web},
            {
                "name": "https",
                "match": {"ports": place.https, "protocol": "http"},
                "action": {**web, "tls": {"mode": "terminate", "certificate": certificate}},
            },
            {"name": "tcp", "match": {"ports": place.tcp, "protocol": "tcp"}, "action": forward},
            {
                "name": "sni",
                "match": {"ports": place.sni, "domains": ["localhost"]},
                "action": {
                    "type": "forward",
                    "targets": [{"host": "127.0.0.1", "port": place.secret}],
                    "tls": {"mode": "passthrough"},
                },
            },
        ],
    }
    if place.h2c:
        configuration |= {"http2_prior_knowledge": True, "timeouts": {"head": 10}}
    if place.good:
        good = {"type": "forward", "targets": [{"host": "127.0.0.1", "port": place.good}]}
        match = {"ports": place.http, "domains": ["good.test"]}
        configuration["routes"].append({"name": "good", "match": match, "action": good})
    file = place.write("smartproxy.json", json.dumps(configuration))
    twistd = str(Path(sys.executable).with_name("twistd"))
    return [twistd, "-n", "--pidfile=", f"--rundir={place.directory}", "smartproxy", "--config", file]


def nginx(place: Place) -> list[str]:
    """One process, without a master."""
    temporary = "".join(
        f"{kind}_temp_path {place.directory}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    forward = (
        "proxy_http_version 1.1; proxy_set_header Connection '';\n"
        "proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; }\n"
    )
    web = f"location / {{ proxy_pass http://origin; {forward}"
    more = ""
    if place.h2c:
        # As many requests as usual, which is what it has against floods.
        more += (
            f"server {{ listen 127.0.0.1:{place.h2c} http2 backlog=1024; keepalive_requests 1000;\n"
            f"client_header_timeout 10s;\n{web}}}\n"
        )
    if place.good:
        more += (
            f"upstream good {{ server 127.0.0.1:{place.good}; keepalive 128; }}\n"
            f"server {{ listen 127.0.0.1:{place.http}; server_name good.test;\n"
            f"location / {{ proxy_pass http://good; {forward}}}\n"
        )
    file = place.write(
        "nginx.conf",
        f"daemon off; master_process off; pid {place.directory}/nginx.pid; error_log stderr error;\n"
        # A connection by HTTP/2 may have a hundred to its origin.
        f"events {{ worker_connections {32768 if place.h2c else 4096}; }}\n"
        f"http {{\n{temporary}access_log {place.directory}/access.log combined;\n"
        "keepalive_requests 1000000000; ssl_session_tickets off;\n"
        f"upstream origin {{ server 127.0.0.1:{place.origin}; keepalive 128; }}\n"
        f"server {{ listen 127.0.0.1:{place.http} backlog=1024;\n{web}}}\n{more}"
        f"server {{ listen 127.0.0.1:{place.https} ssl http2 backlog=1024;\n"
        f"ssl_certificate {place.directory}/cert.pem; ssl_certificate_key {place.directory}/key.pem;\n"
        f"{web}}}\n}}\n",
    )
    return ["nginx", "-p", str(place.directory), "-e", "stderr", "-c", file]


def haproxy(place: Place) -> list[str]:
    """One thread; the log goes to its standard output."""
    share = " proto h2" if place.isShared else ""
    # The preface is seen on any port.
    shared = f"  bind 127.0.0.1:{place.h2c} backlog 1024\n  timeout http-request 10s\n" if place.h2c else ""
    use = "  use_backend good if { hdr(host) good.test }\n" if place.good else ""
    good = f"backend good\n  server good 127.0.0.1:{place.good}\n" if place.good else ""
    file = place.write(
        "haproxy.cfg",
        "global\n  nbthread 1\n  maxconn 8192\n  log stdout format raw local0\n  tune.ssl.cachesize 0\n"
        "defaults\n  mode http\n  log global\n  option httplog\n  option forwardfor\n  http-reuse always\n"
        "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        f"frontend http\n  bind 127.0.0.1:{place.http} backlog 1024\n{shared}{use}  default_backend origin\n"
        f"frontend https\n  bind 127.0.0.1:{place.https} ssl crt {place.directory}/both.pem no-tls-tickets"
        " alpn h2,http/1.1 backlog 1024\n  default_backend origin\n"
        f"backend origin\n  server origin 127.0.0.1:{place.origin} maxconn 4096{share}\n"
        f"{good}frontend tcp\n  mode tcp\n  option tcplog\n  bind 127.0.0.1:{place.tcp} backlog 1024\n"
        "  default_backend raw\n"
        f"backend raw\n  mode tcp\n  server origin 127.0.0.1:{place.origin}\n"
        f"frontend sni\n  mode tcp\n  option tcplog\n  bind 127.0.0.1:{place.sni} backlog 1024\n"
        "  tcp-request inspect-delay 5s\n  tcp-request content accept if { req.ssl_hello_type 1 }\n"
        "  use_backend secret if { req.ssl_sni -i localhost }\n"
        f"backend secret\n  mode tcp\n  server origin 127.0.0.1:{place.secret}\n",
    )
    return ["haproxy", "-db", "-f", file]


def caddy(place: Place) -> list[str]:
    """On one CPU, as it is when it is asked for nothing else."""
    scheme = "h2c://" if place.isShared else ""
    forward = (
        f"reverse_proxy {scheme}127.0.0.1:{place.origin}\n"
        f"log {{\noutput file {place.directory}/access.log\n}}\n"
    )
    good = (
        f"http://good.test:{place.http} {{\nbind 127.0.0.1\n"
        f"reverse_proxy 127.0.0.1:{place.good}\nlog {{\noutput file {place.directory}/access.log\n}}\n}}\n"
        if place.good
        else ""
    )
    shared = " h2c\ntimeouts {\nread_header 10s\n}" if place.h2c else ""
    sites = "".join(f"http://:{port} {{\nbind 127.0.0.1\n{forward}}}\n" for port in place.clear)
    file = place.write(
        "Caddyfile",
        f"{{\nadmin off\nauto_https off\nservers {{\nprotocols h1 h2{shared}\n}}\n}}\n{sites}{good}"
        f"https://:{place.https} {{\nbind 127.0.0.1\n"
        f"tls {place.directory}/cert.pem {place.directory}/key.pem\n{forward}}}\n",
    )
    return ["caddy", "run", "--config", file, "--adapter", "caddyfile"]


#: How each is started, by the name it has on the command line.
PROXIES: dict[str, Callable[[Place], list[str]]] = {
    "ours": ours,
    "haproxy": haproxy,
    "nginx": nginx,
    "caddy": caddy,
}

#: Those of them that pass on what is not HTTP.
STREAMING = frozenset(("ours", "haproxy"))

#: Those of them that speak HTTP/2 to their origin.
SHARING = frozenset(("ours", "haproxy", "caddy"))


def installed() -> list[str]:
    """Those that can be run here."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name in PROXIES if name == "ours" or shutil.which(name, path=path)]


def start(name: str, place: Place) -> subprocess.Popen[bytes]:
    """
    Start a proxy.  What it says goes to C{said} in its directory.
    """
    checkout = str(Path(smartproxy_tw.__file__).parent.parent)
    environment = {
        **os.environ,
        "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
        "PYTHONPATH": checkout + os.pathsep + os.environ.get("PYTHONPATH", ""),
    }
    with open(place.directory / "said", "wb") as said:
        return subprocess.Popen(
            PROXIES[name](place),
            cwd=place.directory,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
