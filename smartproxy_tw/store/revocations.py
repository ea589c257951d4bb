"""
Which certificates were revoked, so that no start serves one of them again as long
as a store has it: stores of others cannot be told to remove anything.

They are known by their fingerprints (SHA-256), each until its certificate has ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from ..acme.x509 import describe, leafDER
from .note import Note

if TYPE_CHECKING:
    from .certificates import Run
    from .directory import SecureDirectory

__all__ = ["Revocations"]

_NAME = "revoked.json"

#: What was revoked is remembered for so long after its end, in seconds: clocks are
#: set back.
_AFTERWARDS = 86400.0


class Revocations:
    """
    All of them in one file of a directory.
    """

    _log = Logger()

    def __init__(self, directory: SecureDirectory, run: Run, seconds: Callable[[], float]) -> None:
        """
        @param directory: Where the file is, or is to be; open.
        @param run: Does what waits for the disk.
        @param seconds: The time, POSIX seconds.
        """
        self._note: Note[dict[str, float]] = Note(directory, _NAME, _parse, dict)
        self._run = run
        self._seconds = seconds
        self._ends = self._note.load(
            self._log.error,
            "revocations-unusable",
            "{path} cannot be used, what was revoked is not known: {why}",
        )
        # What is written later is to be on the disk later.
        self._turn = DeferredLock()

    def has(self, chain: bytes) -> bool:
        """
        Whether a certificate was revoked.

        @param chain: PEM, leaf first.
        @raise ValueError: It cannot be read.
        """
        return bool(self._ends) and _fingerprint(chain) in self._ends

    def add(self, chain: bytes) -> Deferred[None]:
        """
        This one is revoked.  It counts at once, also where it cannot be written.

        @param chain: PEM, leaf first.
        @return: Fires when it is on the disk; fails with L{OSError}.
        @raise ValueError: It cannot be read.
        """
        now = self._seconds()
        self._ends = {known: end for known, end in self._ends.items() if end + _AFTERWARDS > now}
        self._ends[_fingerprint(chain)] = describe(chain).notAfter
        return self._write()

    def remove(self, chain: bytes) -> Deferred[None]:
        """
        It is not revoked after all.

        @return: As L{add}.
        """
        self._ends.pop(_fingerprint(chain), None)
        return self._write()

    def _write(self) -> Deferred[None]:
        return self._turn.run(self._writeNow)

    def _writeNow(self) -> Deferred[None]:
        return self._run(self._note.save, dict(self._ends))


def _parse(found: dict[str, Any]) -> dict[str, float]:
    try:
        return {str(known): float(end) for known, end in found.items()}
    except TypeError as why:
        raise ValueError(f"an entry is no time: {why}") from why


def _fingerprint(chain: bytes) -> str:
    return hashlib.sha256(leafDER(chain)).hexdigest()
