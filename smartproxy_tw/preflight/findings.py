"""
What a look has found, in words for who can mend it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..values import dataclass

__all__ = ["Check", "Finding", "Value", "bad"]

#: C{well}: nothing is in the way.  C{bad}: an order would fail.  C{unknown}: from here
#: there is no telling, which is no reason to hold an order back.
Value = Literal["well", "bad", "unknown"]

#: C{dns}: whether the name has addresses.  C{port}: who answers there.  C{caa}: whether
#: the authority may issue.  C{records}: whether a record for dns-01 can be placed.
Check = Literal["dns", "port", "caa", "records"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    The answer to one question.

    @ivar name: As it will stand in the certificate.
    @ivar check: What was looked at.
    @ivar value: What it means.
    @ivar text: What was seen; without a full stop, and no control characters in it.
    @ivar remedy: What to do about it, likewise; empty where there is nothing to do.
    """

    name: str
    check: Check
    value: Value
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.text}" + (f"; {self.remedy}" if self.remedy else "")


def bad(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """
    Those that say that an order would fail.
    """
    return tuple(each for each in findings if each.value == "bad")
