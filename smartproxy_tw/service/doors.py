"""
The ways in which a proxy is asked about itself, as one: they open together, when
everything is served, and close together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from twisted.logger import Logger

__all__ = ["Door", "Doors"]


class Door(Protocol):
    """
    One of them.
    """

    def open(self) -> None:
        """
        Be there.  Never fails.
        """

    async def giveWay(self) -> None:
        """
        Another process is asked in this place from now on.  Be where one can still ask this
        one, or be gone.
        """

    async def close(self) -> None:
        """
        Be gone.
        """


class Doors:
    """
    All of them.
    """

    _log = Logger()

    def __init__(self, doors: Iterable[Door]) -> None:
        """
        @param doors: In the order in which they open.
        """
        self._doors = tuple(doors)

    def open(self) -> None:
        """
        Be there.
        """
        for each in self._doors:
            each.open()

    async def giveWay(self) -> None:
        """
        Leave their places to those of another process, in reverse.
        """
        await self._all(lambda door: door.giveWay())

    async def close(self) -> None:
        """
        Be gone, in reverse.
        """
        await self._all(lambda door: door.close())

    async def _all(self, deed: Callable[[Door], Awaitable[None]]) -> None:
        for each in reversed(self._doors):
            try:
                await deed(each)
            except Exception:
                self._log.failure("A defect while closing {what}", what=type(each).__name__)
