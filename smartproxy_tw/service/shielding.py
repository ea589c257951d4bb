"""
What goes on to its end, whoever loses interest in it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["shielded"]

_T = TypeVar("_T")


def shielded(doing: Coroutine[Any, Any, _T]) -> Deferred[_T]:
    """
    Begin it.

    @param doing: What is to be done.
    @return: As it ends.  Cancelling it stops nothing but the waiting.
    """
    outcome: Deferred[_T] = Deferred()
    Deferred.fromCoroutine(doing).chainDeferred(outcome)
    return outcome
