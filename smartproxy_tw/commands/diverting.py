"""
C{smartproxy drain --target}: has the running proxy send nothing new to a target, and waits
until that has finished what it has; or takes it back.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from .glance import plain

if TYPE_CHECKING:
    from .admin import Ask

__all__ = ["divert", "restore"]

#: How often it is looked, in seconds.
_LOOK = 0.5


def divert(
    ask: Ask,
    target: str,
    *,
    isWaiting: bool,
    sleep: Callable[[float], object] = time.sleep,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> bool:
    """
    Have nothing new sent there.

    @param ask: Asks the proxy.
    @param target: As the configuration has it.
    @param isWaiting: Whether to wait until nothing is in use any more.
    @param sleep: Waits so many seconds.
    @return: Whether it is so.
    @raise ProxyAway: There is no answer.
    """
    out, err = out or sys.stdout, err or sys.stderr
    answer = ask("POST", "/v1/upstreams/drain", {"target": target})
    if answer.error is not None:
        print(plain(answer.error), file=err)
        return False
    print(f"nothing new is sent to {plain(target)}", file=out, flush=True)
    before = None
    while isWaiting:
        left = _inUse(ask, target)
        if left == 0:
            print("it has finished what it had", file=out)
            break
        if left != before:
            print(f"{left} in use", file=out, flush=True)
        before = left
        sleep(_LOOK)
    return True


def restore(ask: Ask, target: str, *, out: TextIO | None = None, err: TextIO | None = None) -> bool:
    """
    Have something sent there again.

    @return: Whether it is so.
    @raise ProxyAway: There is no answer.
    """
    answer = ask("POST", "/v1/upstreams/restore", {"target": target})
    if answer.error is not None:
        print(plain(answer.error), file=err or sys.stderr)
        return False
    print(f"{plain(target)} has its turns again", file=out or sys.stdout)
    return True


def _inUse(ask: Ask, target: str) -> int:
    told = ask("GET", "/v1/upstreams", {"target": target}).members.get("upstreams", ())
    return max((one["in_use"] for each in told for one in each["targets"]), default=0)
