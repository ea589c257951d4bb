"""
What a process uses, as the kernel tells (proc(5)).
"""

from __future__ import annotations

import os
import resource

from ..values import dataclass

__all__ = ["Usage", "usageOf"]

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """
    One process.

    @ivar cpu: Seconds of CPU, user and system.
    @ivar resident: Bytes of memory that are in RAM.
    @ivar virtual: Bytes of memory that are addressed.
    @ivar files: Files that are open.
    @ivar most: Files that may be open.
    @ivar began: When it began, POSIX seconds.
    """

    cpu: float
    resident: int
    virtual: int
    files: int
    most: int
    began: float


def usageOf(process: int) -> Usage | None:
    """
    Look at a process, for some tens of microseconds.

    @param process: Its number, of this user.
    @return: L{None} when it is not there any more.
    """
    place = f"/proc/{process}"
    try:
        with open(f"{place}/stat", "rb") as file:
            # The name may have spaces and brackets of its own.
            words = file.read().rpartition(b")")[2].split()
        files = len(os.listdir(f"{place}/fd"))
        most = resource.prlimit(process, resource.RLIMIT_NOFILE)[0]
    except OSError:
        return None
    user, system, began, virtual, pages = (int(words[number]) for number in (11, 12, 19, 20, 21))
    return Usage((user + system) / _TICKS, pages * _PAGE, virtual, files, most, _booted() + began / _TICKS)


def _booted() -> float:
    with open("/proc/stat", "rb") as file:
        for line in file:
            if line.startswith(b"btime "):
                return float(line.split()[1])
    return 0.0
