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

# So long after the one before has left its place the pidfile names the next one at the latest, in seconds,
# where nobody can be asked: it is told, and writes it, at once.
_CLAIMED = 0.5


def upgrade(
    ask: Ask,
    elsewhere: Callable[[str], Ask],
    *,
    out: TextIO | None = None,
    err: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> bool:
    """
    Have it done, and wait until the next process is the one that is spoken to: then the
    pidfile names it too.  One that is not to be spoken to is waited for until the one before
    has made room.

    @param ask: Asks the proxy.
    @param elsewhere: Makes what asks the one at another socket, of this path.
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
    # A proxy of another version does not tell where the next one is going to be.
    place = answer.members.get("admin_socket", "")
    # The place of the one before may be the same by another name.
    asks = [ask, elsewhere(place)] if place else [ask]

    def isDone() -> bool:
        if place is None:
            return _answering(ask) != before
        return any(_answering(each) == process for each in asks)

    deadline, isThere = clock() + _SOON, isDone()
    while not isThere and clock() < deadline:
        sleep(_BETWEEN)
        isThere = isDone()
    if isThere and place is None:
        sleep(_CLAIMED)
        isThere = isDone()
    if not isThere and before is not None and _answering(ask) == before:
        print(f"process {process} was to take over, and {before} goes on: its log says why", file=err)
        return False
    more = ""
    if place is None:
        more = ", and cannot be spoken to: its configuration says admin: off"
    elif place and not isThere:
        more = f", and does not answer at {place}: its log says why"
    print(f"process {process} has taken over from {before}{more}", file=out)
    return True


def _answering(ask: Ask) -> object:
    try:
        return ask("GET", "/v1", {}).members.get("process")
    except ProxyAway:
        return None
