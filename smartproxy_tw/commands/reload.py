"""
C{smartproxy reload}: has the running proxy read its configuration again, and tells what
has changed, or why nothing has.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from .admin import Ask

__all__ = ["Outcome", "reload"]

#: What it came to: done; not done; the configuration is wrong.
Outcome = bool | None


def reload(ask: Ask, *, isDry: bool, out: TextIO | None = None, err: TextIO | None = None) -> Outcome:
    """
    Have it done.

    @param ask: Asks the proxy.
    @param isDry: Whether only to tell what would change.
    @param out: Where it is told what changes.
    @param err: Where it is told what goes wrong.
    @return: Whether it was done, or could be; L{None}: the configuration is wrong.
    @raise ProxyAway: The proxy does not answer.
    """
    answer = ask("POST", "/v1/reload", {"dry_run": isDry})
    if answer.error is not None:
        print(answer.error, file=err or sys.stderr)
        return None if answer.status == 422 else False
    lines = [str(each) for each in answer.members.get("lines", ())]
    print("\n".join(lines or ["nothing has changed"]), file=out or sys.stdout)
    settings = answer.members.get("changes", {}).get("settings", ())
    if any(each.get("needs_restart") for each in settings):
        print("it needs a restart: a reload would be refused as a whole", file=err or sys.stderr)
        return False
    return True
