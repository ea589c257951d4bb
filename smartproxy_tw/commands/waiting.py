"""
Deferreds where nothing is waited for: without a reactor, by stores that do their
work in this thread.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["result"]

_T = TypeVar("_T")


def result(deferred: Deferred[_T]) -> _T:
    """
    What a Deferred has fired with already; what it failed with is raised.
    """
    results: list[_T | Failure] = []
    deferred.addBoth(results.append)
    (found,) = results
    if isinstance(found, Failure):
        found.raiseException()
    return found
