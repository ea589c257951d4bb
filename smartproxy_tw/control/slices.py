"""
Long thinking in short slices, so that whoever waits for the reactor does not wait
for all of it.

A slice goes on until its time is over and lets the reactor have a turn then.  What is
done within the first slice is done at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

if TYPE_CHECKING:
    from ..routing.steps import Steps

__all__ = ["SLICE", "inSlices"]

#: How long the reactor may be kept waiting, in seconds.  A collection of garbage may
#: come on top of it, so it is well below the 50 ms that nothing may block.
SLICE = 0.01

T = TypeVar("T")


def inSlices(
    steps: Steps[T], clock: IReactorTime, seconds: float = SLICE, now: Callable[[], float] = time.perf_counter
) -> Deferred[T]:
    """
    Do it in slices.

    @param steps: What is to be done.
    @param clock: Calls for the next slice.
    @param seconds: How long a slice is.
    @param now: Measures it.
    @return: Fires with what comes of it, or fails with what it raises.  Cancelling it
        closes the generator.
    """
    waiting: IDelayedCall | None = None

    def cancel(_: Deferred[T]) -> None:
        if waiting is not None and waiting.active():
            waiting.cancel()
        steps.close()

    outcome: Deferred[T] = Deferred(cancel)

    def slice_() -> None:
        nonlocal waiting
        end = now() + seconds
        try:
            next(steps)
            while now() < end:
                next(steps)
        except StopIteration as last:
            outcome.callback(last.value)
        except Exception:
            outcome.errback()
        else:
            waiting = clock.callLater(0.0, slice_)

    slice_()
    return outcome
