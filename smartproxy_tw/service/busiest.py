"""
What of all that is counted a glance needs: the figures of the whole, and the routes that
have had most to do.  Pure, and step by step: ten thousand busy routes have more than a
hundred thousand counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nlargest
from typing import Any

from ..plane.census import words
from ..routing.steps import Steps, paused
from ..values import dataclass

__all__ = ["Figures", "figures"]

#: So many routes are told of.
_MOST = 50

#: What is counted for each route.
_OF_ROUTES = ("requests", "streams", "sent", "received")

#: Answers by which something has failed.
_FAILED = "5"


@dataclass(frozen=True, slots=True)
class Figures:
    """
    What there is to see.

    @ivar counts: Of the whole, by one word.
    @ivar routes: The busiest ones, the first one first; each with its name, which is
        empty for what no route took.
    """

    counts: Mapping[str, int]
    routes: tuple[Mapping[str, Any], ...]


def figures(tally: Mapping[str, int]) -> Steps[Figures]:
    """
    Look through them.

    @param tally: As L{IPlane.tally<smartproxy_tw.interfaces.IPlane.tally>} has it.
    """
    counts: dict[str, int] = {}
    routes: dict[str, dict[str, int]] = {}
    for (name, value), isPause in paused(tally.items()):
        if " " not in name:
            counts[name] = value
        else:
            what, kind, whose = words(name)
            if what in _OF_ROUTES:
                found = routes.setdefault(whose, dict.fromkeys((*_OF_ROUTES, "failed"), 0))
                found[what] += value
                if what == "requests" and kind.startswith(_FAILED):
                    found["failed"] += value
        if isPause:
            yield
    most = nlargest(_MOST, routes.items(), key=lambda each: each[1]["requests"] + each[1]["streams"])
    return Figures(counts, tuple({"route": name, **found} for name, found in most))
