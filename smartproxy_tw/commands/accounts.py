"""
C{smartproxy accounts}: the accounts at certificate authorities, as the running proxy
has them.

Every function returns whether it could be done, and prints.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .admin import Ask

__all__ = ["deactivate", "rollover", "show"]


def show(ask: Ask) -> bool:
    """
    Each authority of the configuration, and the account there.

    @param ask: Asks the proxy.
    @raise ProxyAway: It does not answer; likewise of the others.
    """
    answer = ask("GET", "/v1/accounts", {})
    if answer.error is not None:
        return _complain(answer.error)
    for each in answer.members.get("accounts", ()):
        state = each["account"] or "no account yet: the first order makes one"
        changing = "; it has one of two keys, which the next order finds out" if each["changing"] else ""
        print(f"{each['authority']}: {state}{changing}")
    return True


def rollover(ask: Ask, authority: str | None) -> bool:
    """
    Have an account given a new key.

    @param ask: Asks the proxy.
    @param authority: Where, as the proxy has it; L{None} where there is one only.
    """
    answer = ask("POST", "/v1/accounts/rollover", _at(authority))
    if answer.error is not None:
        return _complain(answer.error)
    print(f"{answer.members['account']} has a new key")
    return True


def deactivate(ask: Ask, authority: str | None, confirm: Callable[[str], bool]) -> bool:
    """
    Have an account given up for good.

    @param ask: Asks the proxy.
    @param authority: As of L{rollover}.
    @param confirm: Asks whether that is meant.
    """
    where = authority or "the authority of this proxy"
    if not confirm(f"Give up the account at {where} for good?"):
        return _complain("Nothing was done.")
    answer = ask("POST", "/v1/accounts/deactivate", _at(authority))
    if answer.error is not None:
        return _complain(answer.error)
    print(f"{answer.members['deactivated']} is deactivated. The next order registers another account.")
    return True


def _at(authority: str | None) -> dict[str, Any]:
    return {} if authority is None else {"authority": authority}


def _complain(message: str) -> bool:
    print(message, file=sys.stderr)
    return False
