"""
C{smartproxy upgrade}: has another process take the place of the running proxy, and tells
which, or why none does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from .admin import Ask, ProxyAway

__all__ = ["PATIENCE", "upgrade"]

#: How long the answer may take, in seconds: the next process has two steps to make.
PATIENCE = 300.0

# The answer comes a moment before everything is handed over: so long the next process may take to be
# the one that is spoken to, and so long it is between two looks, in seconds.
_SOON = 30.0
_BETWEEN = 0.05


def upgrade(
    ask: Ask,
    *,
    out: TextIO | None = None,
    err: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> bool:
    """
    Have it done, and wait until the next process is the one that is spoken to: then the
    pidfile names it too.

    @param ask: Asks the proxy.
    @param out: Where it is told what has come of it.
    @param err: Where it is told what goes wrong.
    @param clock: Measures how long it takes.
    @param sleep: Lets so many seconds go by.
    @return: Whether it was done.
    @raise ProxyAway: The proxy does not answer.
    """
    out, err = out or sys.stdout, err or sys.stderr
    before = ask("GET", "/v1", {}).members.get("process")
    answer = ask("POST", "/v1/upgrade", {})
    if answer.error is not None:
        print(answer.error, file=err)
        return False
    process = answer.members["process"]
    found, deadline = _answering(ask), clock() + _SOON
    while found != process and clock() < deadline:
        sleep(_BETWEEN)
        found = _answering(ask)
    if found is not None and found == before:
        print(f"process {process} was to take over, and {before} goes on: its log says why", file=err)
        return False
    print(f"process {process} has taken over from {before}", file=out)
    return True


def _answering(ask: Ask) -> object:
    try:
        return ask("GET", "/v1", {}).members.get("process")
    except ProxyAway:
        return None
