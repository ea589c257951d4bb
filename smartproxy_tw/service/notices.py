"""
What a service manager is told, in the words of C{sd_notify(3)}: lines of
C{NAME=value} in one datagram.

Pure: L{smartproxy_tw.service.announcer} says when, and sends them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .status import Figures

__all__ = ["WATCHDOG", "ready", "reloading", "status", "stopping", "summary"]

#: The reactor turns.
WATCHDOG = b"WATCHDOG=1"

# What is shown of a list before it is only counted, and of a reason, in characters.
_MOST = 6
_LONGEST = 200


def status(text: str) -> bytes:
    """
    How it stands, for people.

    @param text: Line ends in it become spaces.
    """
    return f"STATUS={' '.join(text.split())}".encode("utf-8", "backslashreplace")


def ready(text: str, pid: int | None = None) -> bytes:
    """
    Everything is served; after L{reloading}, that has ended.

    @param text: As of L{status}.
    @param pid: The process that serves, if it is not the one that was begun.
    """
    lines = [b"READY=1", status(text)]
    if pid is not None:
        lines.append(b"MAINPID=%d" % pid)
    return b"\n".join(lines)


def reloading(now: int) -> bytes:
    """
    The configuration is read anew.

    @param now: C{CLOCK_MONOTONIC}, in microseconds.
    """
    return b"RELOADING=1\nMONOTONIC_USEC=%d\n%s" % (now, status("Reading the configuration anew"))


def stopping(seconds: float, text: str) -> bytes:
    """
    It ends.

    @param text: As of L{status}.
    @param seconds: How long that may take: the service manager gives it that long,
        whatever the unit says.
    """
    return b"STOPPING=1\nEXTEND_TIMEOUT_USEC=%d\n%s" % (round(seconds * 1_000_000), status(text))


def summary(addresses: Sequence[str], certificates: Sequence[Figures]) -> str:
    """
    What a proxy serves, in one line.

    @param addresses: Where it listens.
    @param certificates: Those that it wants.
    """
    where = f"Serving {_listed(addresses)}" if addresses else "Serving no port at all"
    if not certificates:
        return where
    counted = Counter[str]()
    for each in certificates:
        counted["valid"] += each.expiresIn is not None and each.expiresIn > 0 and each.state != "revoked"
        counted["failing"] += bool(each.failures)
    parts = [f"{len(certificates)} wanted", f"{counted['valid']} valid"]
    if counted["failing"]:
        parts.append(f"{counted['failing']} failing ({_failing(certificates)})")
    return f"{where}; certificates: {', '.join(parts)}"


def _failing(certificates: Sequence[Figures]) -> str:
    first = next(each for each in certificates if each.failures)
    name = first.names[0] if first.names else first.key
    if not first.reason:
        return name
    reason = first.reason if len(first.reason) <= _LONGEST else f"{first.reason[:_LONGEST]}…"
    return f"{name}: {reason}"


def _listed(addresses: Sequence[str]) -> str:
    shown = ", ".join(addresses[:_MOST])
    more = len(addresses) - _MOST
    return f"{shown} and {more} more" if more > 0 else shown
