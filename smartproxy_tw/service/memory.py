"""
Remembers failed orders, and what of an authority's budget is used, beyond the life
of the process.

It is a help and no duty: what cannot be written is logged, and the orders go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .gathering import gathered
from .writing import Writing

if TYPE_CHECKING:
    from ..store.attempts import Attempt, DirectoryAttempts
    from ..store.certificates import Run
    from ..store.uses import DirectoryUses, Uses

__all__ = ["Memory"]


class Memory:
    """
    The failures that count, by the keys of certificates, and the budget.

    @ivar uses: What is known of the budget.
    """

    _log = Logger()

    def __init__(self, attempts: DirectoryAttempts, uses: DirectoryUses, run: Run) -> None:
        """
        @param attempts: Where failures are written.
        @param uses: Where the budget is.
        @param run: Does what waits for the disk.
        """
        self._known = attempts.load()
        self.uses: Uses = uses.load()
        self._failures = Writing(run, attempts.save, lambda: dict(self._known), self._unsaved)
        self._budget = Writing(run, uses.save, lambda: self.uses, self._usesUnsaved)
        #: Whether the budget is in its file, or on its way there.
        self._areUsesSaved = False

    def recall(self, key: str) -> Attempt | None:
        """
        The last failure of a certificate, if it failed last time.
        """
        return self._known.get(key)

    def note(self, key: str, attempt: Attempt) -> None:
        """
        It failed.
        """
        self._known[key] = attempt
        self._failures.write()

    def forget(self, key: str) -> None:
        """
        It succeeded.
        """
        if self._known.pop(key, None) is not None:
            self._failures.write()

    def noteUses(self, uses: Uses) -> None:
        """
        Of the budget, this is used.  What is written already is not written again: an
        authority that is away, or a disk that has no room for an account, makes orders
        that come to nothing every few seconds, for days.
        """
        if self._areUsesSaved and uses == self.uses:
            return
        self.uses = uses
        self._areUsesSaved = True
        self._budget.write()

    def whenWritten(self) -> Deferred[None]:
        """
        Wait until all is written, or could not be.
        """
        return gathered([self._failures.whenWritten(), self._budget.whenWritten()]).addCallback(
            lambda _: None
        )

    def _usesUnsaved(self, why: Exception) -> None:
        self._areUsesSaved = False
        self._unsaved(why)

    def _unsaved(self, why: Exception) -> None:
        self._log.warn(
            "Failed orders and what is used of the authority's budget could not be written,"
            " a restart will not know of them: {why}",
            event="attempts-unsaved",
            why=str(why),
        )
