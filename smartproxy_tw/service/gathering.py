"""
Waiting for several things that go on at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure

__all__ = ["gathered"]

_T = TypeVar("_T")


def gathered(deferreds: Iterable[Deferred[_T]]) -> Deferred[list[_T]]:
    """
    Wait for all of them.

    @return: Fires with all results, in order, or fails with what the first one
        failed with, as that one has it.  Cancelling it cancels them all.
    """
    return gatherResults(list(deferreds), consumeErrors=True).addErrback(_plainly)


def _plainly(failure: Failure) -> Failure:
    return failure.value.subFailure if isinstance(failure.value, FirstError) else failure
