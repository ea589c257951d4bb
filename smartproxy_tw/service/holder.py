"""
Who listens on a port already, so that a refusal can say whom to stop.

Answers come from C{/proc} and are as good as the permissions of the process:
L{None} means only that we cannot tell.
"""

from __future__ import annotations

import os

__all__ = ["holderOf", "isHeld"]

#: TCP_LISTEN, as C{/proc/net/tcp} writes it.
_LISTEN = "0A"


def holderOf(port: int, proc: str = "/proc") -> str | None:
    """
    The process that listens on a port, on whatever address.

    @param port: 1..65535.
    @param proc: Where the kernel's tables are.
    @return: For instance C{"nginx (process 812)"}, or L{None}.
    """
    sockets = _listening(port, proc)
    if not sockets:
        return None
    for process in _processes(proc):
        if _holds(f"{proc}/{process}/fd", sockets):
            if process == os.getpid():
                return f"this very process ({process})"
            return f"{_nameOf(process, proc)} (process {process})"
    return None


def isHeld(port: int, proc: str = "/proc") -> bool:
    """
    Whether anybody listens on a port, on whatever address, be he known or not.

    @param port: 1..65535.
    @param proc: Where the kernel's tables are.
    """
    return bool(_listening(port, proc))


def _listening(port: int, proc: str) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            with open(f"{proc}/net/{table}", encoding="ascii", errors="replace") as file:
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) < 10 or fields[3] != _LISTEN:
                continue
            if fields[1].rpartition(":")[2] == f"{port:04X}":
                found.add(f"socket:[{fields[9]}]")
    return found


def _processes(proc: str) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(proc) if name.isdigit())
    except OSError:
        return []


def _holds(descriptors: str, sockets: set[str]) -> bool:
    try:
        for name in os.listdir(descriptors):
            try:
                if os.readlink(f"{descriptors}/{name}") in sockets:
                    return True
            except OSError:
                continue
    except OSError:
        # Another user's process, or one that has just ended.
        return False
    return False


def _nameOf(process: int, proc: str) -> str:
    try:
        with open(f"{proc}/{process}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a program"
