"""
The end of a proxy part by part: one that cannot be stopped well is no reason to leave the
rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.logger import Logger

__all__ = ["quietly"]

_log = Logger()


async def quietly(what: str, stop: Callable[[], Awaitable[None]]) -> None:
    """
    Stop a part, and log what it raises, as a defect.

    @param what: The part, for the log.
    @param stop: Stops it.
    """
    try:
        await stop()
    except Exception:
        _log.failure("A defect while stopping {what}", what=what)
