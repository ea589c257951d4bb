"""
What came of the last orders that failed, so that a process which is restarted
again and again does not use up what an authority allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from ..values import dataclass
from .note import Note

if TYPE_CHECKING:
    from .directory import SecureDirectory

__all__ = ["Attempt", "DirectoryAttempts"]

_NAME = "attempts.json"


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    An order that came to nothing.

    @ivar at: When that was known, POSIX seconds.
    @ivar failures: How many there were in a row, this one included.
    @ivar notBefore: The authority wants to be left alone until then, POSIX
        seconds; 0 when it said nothing of that.
    @ivar problem: What was wrong, for people.
    """

    at: float
    failures: int
    notBefore: float
    problem: str


class DirectoryAttempts:
    """
    All of them in one file of a directory.
    """

    _log = Logger()

    def __init__(self, directory: SecureDirectory) -> None:
        """
        @param directory: Where the file is; open.
        """
        self._note: Note[dict[str, Attempt]] = Note(directory, _NAME, _parse, dict)

    def load(self) -> dict[str, Attempt]:
        """
        What is remembered, by the keys of certificates.  What makes no sense is
        forgotten.
        """
        return self._note.load(self._log.warn, "attempts-unusable")

    def save(self, attempts: dict[str, Attempt]) -> None:
        """
        Remember these, and nothing else.

        @raise OSError: They could not be written.
        """
        self._note.save(
            {
                key: {
                    "at": each.at,
                    "failures": each.failures,
                    "not_before": each.notBefore,
                    "problem": each.problem,
                }
                for key, each in attempts.items()
            }
        )


def _parse(found: dict[str, Any]) -> dict[str, Attempt]:
    return {key: _attempt(each) for key, each in found.items()}


def _attempt(found: Any) -> Attempt:
    try:
        return Attempt(
            at=float(found["at"]),
            failures=max(1, int(found["failures"])),
            notBefore=float(found["not_before"]),
            problem=str(found["problem"]),
        )
    except (KeyError, TypeError) as why:
        raise ValueError(f"an entry is incomplete: {why}") from why
