"""
Thinking that may be interrupted: a generator that yields wherever it may be, and
returns what comes of it.

Who is in no hurry does some of it at a time; see
L{smartproxy_tw.control.slices}.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

__all__ = ["Steps", "finish", "paused"]

#: One step, in things that are dealt with: a fraction of a millisecond.
_STEP = 64

T = TypeVar("T")

#: Something that is done step by step, and what comes of it.
Steps = Generator[None, None, T]


def finish(steps: Steps[T]) -> T:
    """
    Do all of it now.

    @param steps: What is to be done.
    @return: What comes of it; what it raises is raised.
    """
    try:
        while True:
            next(steps)
    except StopIteration as end:
        result: T = end.value
        return result


def paused(things: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """
    Things to be dealt with one by one.

    @return: Each of them, and whether it is a moment to yield.
    """
    for number, each in enumerate(things, 1):
        yield each, not number % _STEP
