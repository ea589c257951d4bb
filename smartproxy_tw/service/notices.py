"""
What a service manager is told, in the words of C{sd_notify(3)}: lines of
C{NAME=value} in one datagram.

Pure: L{smartproxy_tw.service.announcer} says when, and sends them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ..routing.steps import Steps, paused

if TYPE_CHECKING:
    from .status import CertificateStatus

__all__ = [
    "WATCHDOG",
    "main",
    "ready",
    "reloading",
    "removed",
    "status",
    "stopping",
    "stored",
    "summary",
]

#: The reactor turns.
WATCHDOG = b"WATCHDOG=1"

# What is shown of a list before it is only counted, and of a reason, in characters.
_MOST = 6
_LONGEST = 200


def status(text: str) -> bytes:
    """
    How it stands, for people.

    @param text: Line ends in it become spaces, and what could not be seen in a
        terminal is escaped.
    """
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)
    return b"STATUS=" + line.encode("utf-8", "backslashreplace")


def ready(pid: int | None = None) -> bytes:
    """
    Everything is served; after L{reloading}, that has ended.

    @param pid: The process that serves, if it is not the one that was begun.
    """
    return b"READY=1" if pid is None else b"READY=1\nMAINPID=%d" % pid


def main(pid: int) -> bytes:
    """
    Another process serves.
    """
    return b"MAINPID=%d" % pid


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


def stored(name: str, *, isPolled: bool) -> bytes:
    """
    A descriptor that comes along is to be kept for the next process.

    @param name: What it is called then: printable ASCII without a colon.
    @param isPolled: Whether it is to be let go of by itself when it has hung up, as a
        socket that listens has when somebody has shut it down.  One for datagrams has an
        error on it whenever somebody could not be reached.
    """
    return b"FDSTORE=1\nFDNAME=" + name.encode("ascii") + (b"" if isPolled else b"\nFDPOLL=0")


def removed(name: str) -> bytes:
    """
    What is kept by a name is to be closed.
    """
    return b"FDSTOREREMOVE=1\nFDNAME=" + name.encode("ascii")


def summary(
    addresses: Sequence[str], certificates: Iterable[CertificateStatus], clock: Callable[[], float]
) -> Steps[str]:
    """
    What a proxy serves, in one line.

    @param addresses: Where it listens.
    @param certificates: Those that it wants, one after the other.
    @param clock: The time, POSIX seconds.
    """
    wanted = valid = failing = 0
    first: CertificateStatus | None = None
    for each, isPause in paused(certificates):
        wanted += 1
        valid += each.expires is not None and each.expires > clock() and not each.isRevoked
        if each.failures:
            failing += 1
            first = first or each
        if isPause:
            yield
    where = f"Serving {_listed(addresses)}" if addresses else "Serving no port at all"
    if not wanted:
        return where
    parts = [f"{wanted} wanted", f"{valid} valid"]
    if first is not None:
        parts.append(f"{failing} failing ({_failing(first)})")
    return f"{where}; certificates: {', '.join(parts)}"


def _failing(certificate: CertificateStatus) -> str:
    name = certificate.names[0] if certificate.names else certificate.key
    reason = certificate.problem
    if not reason:
        return name
    return f"{name}: {reason if len(reason) <= _LONGEST else f'{reason[:_LONGEST]}…'}"


def _listed(addresses: Sequence[str]) -> str:
    shown = ", ".join(addresses[:_MOST])
    more = len(addresses) - _MOST
    return f"{shown} and {more} more" if more > 0 else shown
