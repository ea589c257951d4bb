"""
The ways in which a proxy is asked about itself, as one: they open together, when
everything is served, and close together.
"""

from __future__ import annotations

from collections.abc import Iterable
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

    async def close(self) -> None:
        """
        Be gone, in reverse.
        """
        for each in reversed(self._doors):
            try:
                await each.close()
            except Exception:
                self._log.failure("A defect while closing {what}", what=type(each).__name__)
