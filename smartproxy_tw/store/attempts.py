"""
What came of the last orders that failed, so that a process which is restarted
again and again does not use up what an authority allows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

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
        self._directory = directory

    def load(self) -> dict[str, Attempt]:
        """
        What is remembered, by the keys of certificates.  What makes no sense is
        forgotten.
        """
        try:
            content = self._directory.read(_NAME)
            return {} if content is None else _parse(content)
        except (OSError, ValueError) as why:
            self._log.warn(
                "{path} is passed over: {why}",
                event="attempts-unusable",
                path=self._directory.pathOf(_NAME),
                why=str(why),
            )
            return {}

    def save(self, attempts: dict[str, Attempt]) -> None:
        """
        Remember these, and nothing else.

        @raise OSError: They could not be written.
        """
        content = {
            key: {
                "at": each.at,
                "failures": each.failures,
                "not_before": each.notBefore,
                "problem": each.problem,
            }
            for key, each in attempts.items()
        }
        self._directory.write(_NAME, json.dumps(content, indent=1).encode("ascii") + b"\n")


def _parse(content: bytes) -> dict[str, Attempt]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
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
