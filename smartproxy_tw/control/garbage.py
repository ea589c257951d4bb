"""
No collection of garbage that keeps connections waiting.

A collection stops everything meanwhile, and a whole one looks at everything that is
alive: with ten thousand routes, connections or requests that takes longer than a reactor may be
kept waiting, and finds nothing, since the data path leaves nothing to it.  So nothing is
collected while that many objects are made at a time (L{unattended}), and what has outlived a
whole collection is looked at no more (L{Tenure}).  Only for processes that do little else.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

__all__ = ["Tenure", "unattended"]

# Every third collection of the middle generation is a whole one, in place of every tenth: of some twenty
# thousand objects then, ten milliseconds.
_THRESHOLDS = (700, 10, 3)
# After so many whole collections it is asked how much is looked at no more.
_PASSES = 16
# When there is twice as much of it as there was, and so many objects more, all is looked at once.
_MORE = 250_000
# And when so many tables have come since that was done: each leaves some tens of objects, whatever was
# garbage in between has stayed too, and what is usual has been forgotten each time.
_TABLES = 64


def unattended() -> Callable[[], None]:
    """
    Collect nothing from now on.

    @return: To be called once, when all is made: what there is then stays, and
        no later collection looks at it; whatever comes after it is collected as
        before.  Nothing happens where nothing was collected before either.
    """
    if not gc.isenabled():
        return _nothing
    # What is young and dead would stay otherwise.
    gc.collect(1)
    gc.disable()
    return _attended


def _nothing() -> None:
    pass


def _attended() -> None:
    gc.freeze()
    gc.enable()


class Tenure:
    """
    What a whole collection has left alive is not looked at by later ones: they take as long as what
    has come since, however much is there.  (Beside 2,250 enemies, whose requests are a quarter of
    a million objects, the longest turn of the reactor in half a second was 136 ms or more in one of
    ten, and 202 ms once; it is 25 ms or more since then, and was 83 ms once.)

    Objects that are used no more go as before, unless they refer to each other in a circle: of
    those that came to be garbage after they had tenure the collector hears nothing.  So when there
    is more than twice as much as there was, or many tables have come, everything is looked at anew.
    """

    def __init__(self) -> None:
        self._thresholds: tuple[int, int, int] | None = None
        self._passes = 0
        # How many objects had tenure when that was asked first.
        self._usual: int | None = None
        # How many tables have come since all was looked at, and whether the next whole collection does that:
        # it is not left to what comes before it, as a table gives tenure to all that there is.
        self._tables = 0
        self._isDue = False

    def begin(self) -> None:
        """
        Have it so from now on, in the whole process.  What is there when this is called, be it once
        more, is as much as there has to be.
        """
        if self._thresholds is None:
            self._thresholds = gc.get_threshold()
            gc.set_threshold(*_THRESHOLDS)
            gc.callbacks.append(self._collected)
        self._tables += 1
        if self._tables >= _TABLES:
            self._isDue = True
        self._passes = 0
        self._usual = None

    def end(self) -> None:
        """
        Have all be collected as before.
        """
        if self._thresholds is not None:
            gc.callbacks.remove(self._collected)
            gc.set_threshold(*self._thresholds)
            self._thresholds = None
            self._tables = 0
            self._isDue = False
            gc.unfreeze()

    def _collected(self, phase: str, information: dict[str, int]) -> None:
        if information["generation"] < 2:
            return
        if phase == "start":
            if self._isDue:
                # This collection finds what is garbage, and what is usual is known after it.
                self._isDue = False
                self._tables = self._passes = 0
                self._usual = None
                gc.unfreeze()
            return
        gc.freeze()
        self._passes += 1
        if self._passes < _PASSES:
            return
        self._passes = 0
        count = gc.get_freeze_count()
        if self._usual is None:
            self._usual = count
        elif count > 2 * self._usual + _MORE:
            self._isDue = True
