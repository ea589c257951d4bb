"""
Ctrl-C, for programs that tests start.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["interruptible"]


@contextmanager
def interruptible() -> Iterator[None]:
    """
    A context in which a process is started that ends by Ctrl-C, as it would in a terminal: a
    shell that runs the tests in the background has them ignore it, and whatever they start.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
