"""
Several coroutines at once, of which none outlives the others.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList, FirstError, gatherResults

__all__ = ["together"]

T = TypeVar("T")


async def together(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """
    Run them all and wait until each has ended.

    @return: Their results, in the order given.
    @raise Exception: What the first that failed raised; the others have been
        cancelled then, and have ended.  So have all, when the wait is
        cancelled.
    """
    running = [Deferred.fromCoroutine(each) for each in coroutines]
    try:
        return await gatherResults(running, consumeErrors=True)
    except FirstError as first:
        why = first.subFailure.value
        assert why is not None
        raise why from why.__cause__
    finally:
        for each in running:
            each.cancel()
        await DeferredList(running, consumeErrors=True)
