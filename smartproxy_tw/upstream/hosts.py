"""
The names of hosts(5), read again when the file has changed.
"""

from __future__ import annotations

import os
from ipaddress import ip_address

__all__ = ["HOSTS", "HostsFile", "parseHosts"]

#: Where the file is.
HOSTS = "/etc/hosts"


def parseHosts(text: str) -> dict[str, tuple[str, ...]]:
    """
    @param text: Of a hosts file; lines that are none are passed over.
    @return: The addresses of each name, in their order; names are lower-case.
    """
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        try:
            plain = str(ip_address(address))
        except ValueError:
            continue
        for name in names:
            known = found.setdefault(name.lower().removesuffix("."), [])
            if plain not in known:
                known.append(plain)
    return {name: tuple(addresses) for name, addresses in found.items()}


class HostsFile:
    """
    One such file.
    """

    def __init__(self, path: str = HOSTS) -> None:
        """
        @param path: It need not exist.
        """
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._known: dict[str, tuple[str, ...]] = {}

    def find(self, host: str) -> tuple[str, ...]:
        """
        @param host: Lower-case, without a trailing dot.
        @return: Its addresses; none when it is not in the file.
        """
        try:
            status = os.stat(self._path)
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
            if stamp != self._stamp:
                with open(self._path, encoding="utf-8", errors="replace") as file:
                    self._known = parseHosts(file.read())
                self._stamp = stamp
        except OSError:
            self._stamp = None
            self._known = {}
        return self._known.get(host, ())
