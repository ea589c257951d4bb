"""
Which name servers to ask, and for what: resolv.conf(5).
"""

from __future__ import annotations

import os
from dataclasses import field
from ipaddress import ip_address

from ..values import dataclass

__all__ = ["RESOLV_CONF", "NameServers", "ResolvConf", "parseResolvConf"]

#: Where the file is.
RESOLV_CONF = "/etc/resolv.conf"

_DNS_PORT = 53
# As many as the C library asks (MAXNS), and its bounds of options (RES_MAXNDOTS and others).
_MOST_SERVERS = 3
_MOST_DOTS = 15
_MOST_SECONDS = 30
_MOST_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class NameServers:
    """
    What such a file says.

    @ivar servers: Addresses and ports, in the order to be asked.  None: this
        system does not use DNS, or not by this file.
    @ivar search: What names with few dots are completed with; lower-case,
        without dots at either end.
    @ivar dots: A name with so many dots is tried as it is first.
    @ivar timeouts: For each round of questions to all servers how long to
        wait, in seconds.
    """

    servers: tuple[tuple[str, int], ...] = ()
    search: tuple[str, ...] = ()
    dots: int = 1
    timeouts: tuple[int, ...] = field(default=(1, 2, 4))

    def candidates(self, host: str) -> tuple[str, ...]:
        """
        @param host: The name that is wanted.
        @return: The names to ask for, in order, until one has an answer.
        """
        completed = tuple(f"{host}.{domain}" for domain in self.search)
        return (host, *completed) if host.count(".") >= self.dots else (*completed, host)


def parseResolvConf(text: str) -> NameServers:
    """
    @param text: Of such a file; what cannot be understood is passed over, as
        the C library does.
    @return: What it says.
    """
    servers: list[tuple[str, int]] = []
    search: tuple[str, ...] = ()
    options: dict[str, int] = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        key, rest = words[0], words[1:]
        if key == "nameserver" and rest:
            try:
                servers.append((str(ip_address(rest[0])), _DNS_PORT))
            except ValueError:
                continue
        elif key in ("search", "domain"):
            names = (name.lower().strip(".") for name in (rest if key == "search" else rest[:1]))
            search = tuple(name for name in names if name)
        elif key == "options":
            for name, colon, value in (word.partition(":") for word in rest):
                if colon and value.isascii() and value.isdigit():
                    options[name] = int(value[:6])
    timeouts = NameServers().timeouts
    if "timeout" in options or "attempts" in options:
        seconds = min(max(options.get("timeout", 5), 1), _MOST_SECONDS)
        timeouts = (seconds,) * min(max(options.get("attempts", 2), 1), _MOST_ATTEMPTS)
    dots = min(options.get("ndots", 1), _MOST_DOTS)
    return NameServers(tuple(servers[:_MOST_SERVERS]), search, dots, timeouts)


class ResolvConf:
    """
    Such a file, read again when it has changed.
    """

    def __init__(self, path: str = RESOLV_CONF) -> None:
        """
        @param path: It need not exist.
        """
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._known = NameServers()

    def read(self) -> NameServers:
        """
        @return: What it says now; no servers when it cannot be read.
        """
        try:
            status = os.stat(self._path)
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
            if stamp != self._stamp:
                with open(self._path, encoding="utf-8", errors="replace") as file:
                    self._known = parseResolvConf(file.read())
                self._stamp = stamp
        except OSError:
            self._stamp = None
            self._known = NameServers()
        return self._known
