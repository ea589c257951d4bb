"""
Unit files for systemd: those that come with the package, with the paths of this
installation and the ports of a configuration in their places.
"""

from __future__ import annotations

import os
import re
import sysconfig
from importlib.resources import files
from typing import TYPE_CHECKING

from ..service.addresses import interfacesFor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config.model import Config

__all__ = ["CONFIGURATION", "NAMES", "program", "serviceUnit", "shipped", "socketUnit", "steps", "write"]

#: What is written.
NAMES = ("smartproxy.service", "smartproxy.socket")
#: Where the service reads its configuration, unless it is told otherwise.
CONFIGURATION = "/etc/smartproxy/smartproxy.yaml"

# What ProtectHome= hides.
_HOMES = ("/home/", "/root/", "/run/user/")


def shipped(name: str) -> str:
    """
    A unit as the package has it.

    @param name: One of L{NAMES}.
    """
    return (files("smartproxy_tw") / "units" / name).read_text(encoding="utf-8")


def program() -> str:
    """
    Where C{twistd} is in this installation.
    """
    return os.path.join(sysconfig.get_path("scripts"), "twistd")


def serviceUnit(twistd: str, file: str) -> str:
    """
    The service.

    @param twistd: The program, an absolute path.
    @param file: The configuration, likewise.
    """
    words = f"{_word(twistd)} --nodaemon --pidfile= smartproxy --config {_word(file)}"
    return _instead(shipped("smartproxy.service"), "ExecStart", [words])


def socketUnit(config: Config | None) -> str:
    """
    Its sockets.

    @param config: What is to be served; L{None}: what most serve, ports 80 and 443.
    """
    unit = shipped("smartproxy.socket")
    if config is None:
        return unit
    # BindIPv6Only=both is in the unit.
    named = interfacesFor(config.bind, ("::",)) if config.bind else ()
    hosts = [f"[{host}]:" if ":" in host else f"{host}:" for host in named] or [""]
    return _instead(unit, "ListenStream", [f"{host}{port}" for port in config.ports for host in hosts])


def write(directory: str, units: dict[str, str]) -> None:
    """
    Write units, all or none; what exists is not replaced.

    @param units: By name.
    @raise OSError: That is not possible; its C{filename} says what.
    """
    written: list[str] = []
    try:
        for name, text in units.items():
            path = os.path.join(directory, name)
            with open(path, "x", encoding="utf-8") as opened:
                written.append(path)
                opened.write(text)
    except OSError:
        for path in written:
            os.unlink(path)
        raise


def steps(directory: str, twistd: str, file: str) -> str:
    """
    What remains to be done, for people.

    @param directory: Where the units are.
    @param twistd: As of L{serviceUnit}.
    @param file: Likewise.
    """
    lines = [f"{' and '.join(NAMES)} are written into {directory}. Then, as root:"]
    lines.append("  useradd --system --home-dir /var/lib/smartproxy --shell /usr/sbin/nologin smartproxy")
    if not os.path.exists(file):
        lines.append(f"  mkdir -p {os.path.dirname(file)}")
        lines.append(f"  smartproxy init {file}    # and name your site in it")
    if os.path.realpath(directory) != "/etc/systemd/system":
        lines.append(f"  cp {' '.join(os.path.join(directory, name) for name in NAMES)} /etc/systemd/system/")
    lines.append("  systemctl daemon-reload")
    lines.append("  systemctl enable --now smartproxy.socket smartproxy.service")
    hidden = [path for path in (twistd, file) if path.startswith(_HOMES)]
    if hidden:
        lines.append(
            f"Mind that the service does not see {' and '.join(hidden)}, by ProtectHome=: choose another"
            " place, below /opt for a virtual environment."
        )
    return "\n".join(lines)


def _instead(unit: str, key: str, values: Iterable[str]) -> str:
    """
    Other values in place of all that a unit has for a key.
    """
    lines = "".join(f"{key}={value}\n" for value in values)
    pattern = re.compile(rf"(?:^{key}=.*\n)+", re.MULTILINE)
    return pattern.sub(lambda _: lines, unit, count=1)


def _word(text: str) -> str:
    """
    One word of a command line, as C{systemd.syntax(7)} and C{systemd.service(5)}
    have it.
    """
    escaped = text.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    return f'"{escaped}"' if re.search(r"[\s'\"\\;]", text) else escaped
