"""
Remembers failed orders beyond the life of the process.

It is a help and no duty: what cannot be written is logged, and the orders go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from .readiness import Readiness

if TYPE_CHECKING:
    from ..store.attempts import Attempt, DirectoryAttempts
    from ..store.certificates import Run

__all__ = ["Memory"]


class Memory:
    """
    The failures that count, by the keys of certificates.
    """

    _log = Logger()

    def __init__(self, attempts: DirectoryAttempts, run: Run) -> None:
        """
        @param attempts: Where they are written.
        @param run: Does what waits for the disk.
        """
        self._attempts = attempts
        self._run = run
        self._known = attempts.load()
        self._isBehind = False
        self._writing: Readiness | None = None

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
        self._write()

    def forget(self, key: str) -> None:
        """
        It succeeded.
        """
        if self._known.pop(key, None) is not None:
            self._write()

    def whenWritten(self) -> Deferred[None]:
        """
        Wait until all is written, or could not be.
        """
        return succeed(None) if self._writing is None else self._writing.when()

    def _write(self) -> None:
        # However many fail at one moment, one write at a time, and the last one
        # has them all.
        self._isBehind = True
        if self._writing is None:
            self._writing = Readiness()
            Deferred.fromCoroutine(self._writeAll(self._writing))

    async def _writeAll(self, writing: Readiness) -> None:
        try:
            while self._isBehind:
                self._isBehind = False
                await self._run(self._attempts.save, dict(self._known))
        except Exception as why:
            self._log.warn(
                "Failed orders could not be remembered, a restart will not know of them: {why}",
                event="attempts-unsaved",
                why=str(why),
            )
        finally:
            self._writing = None
            writing.happen()
