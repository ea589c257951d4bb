"""
Ports with neighbours drawn together: a range of thousands is one thing to read.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["runs", "told"]


def runs(ports: Iterable[int]) -> list[tuple[int, int]]:
    """
    @param ports: In their order; where that does not ascend a run ends.
    @return: The first and the last of each run.
    """
    found: list[tuple[int, int]] = []
    for port in ports:
        if found and found[-1][1] == port - 1:
            found[-1] = (found[-1][0], port)
        else:
            found.append((port, port))
    return found


def told(ports: Iterable[int]) -> list[str]:
    """
    Each of the L{runs}, for people.
    """
    return [str(first) if first == last else f"{first}-{last}" for first, last in runs(ports)]
