"""
No collection of garbage while a process makes a hundred thousand objects that stay.

A collection looks at everything that was made since the last one, and stops
everything meanwhile: with ten thousand routes that takes longer than a reactor may be
kept waiting, and finds nothing.  Only for processes that do little else.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

__all__ = ["unattended"]


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
