"""
An end in time for what has none of its own, and one word for having been
stopped: the libraries below tell something that was cancelled in words of their
own, and not always the same.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

__all__ = ["within"]

T = TypeVar("T")


def within(seconds: float, clock: IReactorTime, doing: Deferred[T]) -> Deferred[T]:
    """
    Wait for something, but not for ever.

    @param seconds: When it has not ended by then it is cancelled.
    @param clock: Tells the time.
    @param doing: What is waited for; it belongs to this function from now on.
    @return: Fires as C{doing} does; fails with
        L{TimeoutError<twisted.internet.defer.TimeoutError>} when it took too
        long, and with L{CancelledError<twisted.internet.defer.CancelledError>}
        when this was cancelled, whatever C{doing} says of either.
    """
    why: list[Exception] = []

    def left(_: object) -> None:
        why.append(CancelledError())
        doing.cancel()

    def late() -> None:
        why.append(TimeoutError())
        doing.cancel()
        if not whole.called:
            whole.errback(why[0])

    def ended(result: T | Failure) -> None:
        if call.active():
            call.cancel()
        if whole.called:
            return
        if why:
            whole.errback(why[0])
        elif isinstance(result, Failure):
            whole.errback(result)
        else:
            whole.callback(result)

    whole: Deferred[T] = Deferred(left)
    call = clock.callLater(seconds, late)
    doing.addBoth(ended)
    return whole
