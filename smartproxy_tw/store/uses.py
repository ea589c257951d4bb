"""
What of an authority's budget is used up, and what the authority asked for, so
that a process which is restarted neither asks for more than is allowed nor before
it may.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from ..acme.budget import Wait
from ..values import dataclass
from .note import Note

if TYPE_CHECKING:
    from .directory import SecureDirectory

__all__ = ["DirectoryUses", "Uses"]

_NAME = "budget.json"


@dataclass(frozen=True, slots=True)
class Uses:
    """
    As L{Budget<smartproxy_tw.acme.budget.Budget>} tells them.

    @ivar buckets: When each bucket will have run empty, POSIX seconds.
    @ivar holds: What the authority asked for.
    @ivar mostNames: How many names it takes in one order, as far as it has said
        so, by profile; the empty one is for those without.
    """

    buckets: dict[str, float] = field(default_factory=dict)
    holds: dict[str, Wait] = field(default_factory=dict)
    mostNames: dict[str, int] = field(default_factory=dict)


class DirectoryUses:
    """
    All of it in one file of a directory.
    """

    _log = Logger()

    def __init__(self, directory: SecureDirectory) -> None:
        """
        @param directory: Where the file is; open.
        """
        self._note = Note(directory, _NAME, _parse, Uses)

    def load(self) -> Uses:
        """
        What is remembered.  What makes no sense is forgotten.
        """
        return self._note.load(self._log.warn, "budget-unusable")

    def save(self, uses: Uses) -> None:
        """
        Remember this, and nothing else.

        @raise OSError: It could not be written.
        """
        content = {
            "buckets": uses.buckets,
            "holds": {key: {"until": hold.until, "why": hold.why} for key, hold in uses.holds.items()},
            "most_names": uses.mostNames,
        }
        # As many as there are names.
        self._note.save(content, isIndented=False)


def _parse(found: dict[str, Any]) -> Uses:
    try:
        return Uses(
            buckets={str(key): float(at) for key, at in found["buckets"].items()},
            holds={
                str(key): Wait(float(hold["until"]), str(hold["why"])) for key, hold in found["holds"].items()
            },
            # Earlier releases did not ask.
            mostNames={str(key): int(most) for key, most in found.get("most_names", {}).items()},
        )
    except (AttributeError, KeyError, TypeError) as why:
        raise ValueError(f"it is no budget: {why}") from why
