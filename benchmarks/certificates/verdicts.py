"""
What came of a scenario: figures for a person, and of each promise whether it
was held.  Pure.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Report", "Spread", "Verdict", "atMost", "eachAtMost", "exactly", "unmeasured"]


@dataclass(frozen=True, slots=True)
class Spread:
    """
    The same thing measured several times, in seconds.

    @ivar times: At least one.
    """

    times: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The median."""
        return statistics.median(self.times)

    def __str__(self) -> str:
        """Median, shortest and longest."""
        return f"{self.middle:7.3f} s  ({min(self.times):.3f} .. {max(self.times):.3f})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    Whether one promise was held.

    @ivar promise: What ours has to hold.
    @ivar found: What was measured.
    @ivar isHeld: L{None}: it could not be measured here.
    """

    promise: str
    found: str
    isHeld: bool | None

    def __str__(self) -> str:
        """One line."""
        word = "not measured" if self.isHeld is None else "held" if self.isHeld else "not held"
        return f"{word}: {self.promise}: {self.found}"


@dataclass(frozen=True, slots=True)
class Report:
    """
    What came of one scenario.

    @ivar title: What was done.
    @ivar rows: What was measured, for people.
    @ivar verdicts: Of what ours has to hold.
    """

    title: str
    rows: tuple[str, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def isHeld(self) -> bool:
        """Whether nothing that could be measured was broken."""
        return all(each.isHeld is not False for each in self.verdicts)

    def __str__(self) -> str:
        """The whole of it."""
        lines = (self.title, *(f"  {row}" for row in self.rows), *(f"  {each}" for each in self.verdicts))
        return "\n".join(lines)


def atMost(promise: str, bound: float, found: float) -> Verdict:
    """A promise that a figure does not exceed a bound."""
    return Verdict(promise, f"{found:.2f}", found <= bound)


def eachAtMost(promise: str, bound: float, found: Iterable[float | None]) -> Verdict:
    """A promise that something happens each time, within so many seconds; L{None}: it did not."""
    times = tuple(found)
    came = [each for each in times if each is not None]
    if len(came) < len(times):
        return Verdict(promise, f"never in {len(times) - len(came)} of {len(times)}", False)
    return Verdict(promise, f"{max(came):.2f} s at most in {len(came)}", max(came) <= bound)


def exactly(promise: str, wanted: int, found: Iterable[int]) -> Verdict:
    """A promise that a count is the same each time."""
    counts: Sequence[int] = tuple(found)
    said = f"{counts[0]}" if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
    return Verdict(promise, f"{said} in each of {len(counts)}", all(each == wanted for each in counts))


def unmeasured(promise: str, why: str) -> Verdict:
    """A promise that nothing can be said of on this machine."""
    return Verdict(promise, why, None)
