"""
C{smartproxy upgrade}: has another process take the place of the running proxy, and tells
which, or why none does.
"""

from __future__ import annotations

import sys
from typing import TextIO

from .admin import Ask

__all__ = ["PATIENCE", "upgrade"]

#: How long the answer may take, in seconds: the next process has two steps to make.
PATIENCE = 300.0


def upgrade(ask: Ask, *, out: TextIO | None = None, err: TextIO | None = None) -> bool:
    """
    Have it done.

    @param ask: Asks the proxy.
    @param out: Where it is told what has come of it.
    @param err: Where it is told what goes wrong.
    @return: Whether it was done.
    @raise ProxyAway: The proxy does not answer.
    """
    before = ask("GET", "/v1", {}).members.get("process")
    answer = ask("POST", "/v1/upgrade", {})
    if answer.error is not None:
        print(answer.error, file=err or sys.stderr)
        return False
    print(f"process {answer.members['process']} has taken over from {before}", file=out or sys.stdout)
    return True
