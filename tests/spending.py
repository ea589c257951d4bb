"""
What is spent on something, as a number that no busy machine changes.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

__all__ = ["taken"]


def taken(call: Callable[[], object]) -> int:
    """
    How much memory it takes at a time.

    @param call: Is called once before that, so that what is made once is not counted.
    @return: In bytes, at most, while it runs.
    """
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
