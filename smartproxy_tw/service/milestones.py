"""
When the steps of a start happened, for those who want to know how long it took.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

__all__ = ["Milestone", "Milestones"]

#: The steps, in their order.  C{bound}: every port.  C{adopted}: the data path
#: accepts on all of them.  C{presented}: it answers a first challenge.
#: C{installed}: it serves a first certificate by ACME.
Milestone = Literal["bound", "adopted", "presented", "installed"]


class Milestones:
    """
    The first time of each.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        """
        The clock begins to run now.

        @param seconds: The time.
        """
        self._seconds = seconds
        self._began = seconds()
        self._reached: dict[Milestone, float] = {}

    def reach(self, milestone: Milestone) -> None:
        """
        This has just happened; later times of the same do not count.
        """
        self._reached.setdefault(milestone, self._seconds() - self._began)

    @property
    def elapsed(self) -> float:
        """
        How long ago the beginning was, in seconds.
        """
        return self._seconds() - self._began

    @property
    def reached(self) -> dict[Milestone, float]:
        """
        What has happened so far, with the seconds from the beginning, in the
        order in which it happened.
        """
        return dict(self._reached)
