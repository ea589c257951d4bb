"""
C{smartproxy drain}: has the running proxy finish what it has, and end; waits for that.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from .admin import Ask

__all__ = ["Watch", "drain", "watching"]

#: Everything else that has to end has as long, on top of the connections, in seconds.
_MORE = 30.0

#: Waits so many seconds for the end of a process, once: whether it came.
Watch = Callable[[float], bool]


def watching(process: int) -> Watch | None:
    """
    What waits for the end of a process that is no child.

    @return: L{None}: it cannot be seen from here, as in another container.
    """
    try:
        descriptor = os.pidfd_open(process)
    except OSError:
        return None

    def watch(seconds: float) -> bool:
        try:
            return bool(select.select([descriptor], [], [], seconds)[0])
        finally:
            os.close(descriptor)

    return watch


def drain(
    ask: Ask,
    delay: float,
    *,
    isWaiting: bool,
    watching: Callable[[int], Watch | None] = watching,
    clock: Callable[[], float] = time.monotonic,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> bool:
    """
    Have it end.

    @param ask: Asks the proxy.
    @param delay: For how many seconds it goes on, and only says that it is not ready.
    @param isWaiting: Whether to wait for the end.
    @param watching: Makes what waits for that.
    @param clock: Measures it.
    @return: Whether it ended, or will.
    @raise ProxyAway: There is no answer.
    """
    out, err = out or sys.stdout, err or sys.stderr
    process = ask("GET", "/v1", {}).members.get("process")
    # Before it is asked to end, so that it is that process and no later one of its number.
    watch = watching(process) if isWaiting and isinstance(process, int) else None
    answer = ask("POST", "/v1/drain", {"delay": delay} if delay else {})
    if answer.error is not None:
        print(answer.error, file=err)
        if watch is not None:
            watch(0.0)
        return False
    within = float(answer.members["within"])
    after = f"in {delay:g} s, " if delay else ""
    print(
        f"process {process} is not ready any more, and ends {after}when what it has is finished: within"
        f" {within:g} s",
        file=out,
        flush=True,
    )
    if not isWaiting:
        return True
    if watch is None:
        print("its end cannot be seen from here", file=err)
        return False
    began = clock()
    if watch(delay + within + _MORE):
        print(f"ended after {clock() - began:.1f} s", file=out)
        return True
    print(f"process {process} has not ended after {clock() - began:.0f} s: look at its log", file=err)
    return False
