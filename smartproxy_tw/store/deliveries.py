"""
Of which certificate each of the operator's programs was told last, so that none is
left out because a process ended between a certificate and a program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from .note import Note

if TYPE_CHECKING:
    from .directory import SecureDirectory

__all__ = ["Deliveries", "DirectoryDeliveries"]

_NAME = "hooks.json"

#: By the keys of certificates, and there by what a program is known by: the serial
#: number of the certificate.
Deliveries = dict[str, dict[str, str]]


class DirectoryDeliveries:
    """
    All of them in one file of a directory.
    """

    _log = Logger()

    def __init__(self, directory: SecureDirectory) -> None:
        """
        @param directory: Where the file is; open.
        """
        self._note: Note[Deliveries] = Note(directory, _NAME, _parse, dict)

    def load(self) -> Deliveries:
        """
        What is remembered.  What makes no sense is forgotten, so that a program is
        told twice rather than never.
        """
        return self._note.load(
            self._log.warn, "hooks-unusable", "{path} is passed over, hooks may be run once more: {why}"
        )

    def save(self, deliveries: Deliveries) -> None:
        """
        Remember these, and nothing else.

        @raise OSError: They could not be written.
        """
        self._note.save(deliveries, isIndented=False)


def _parse(found: dict[str, Any]) -> Deliveries:
    for each in found.values():
        if not isinstance(each, dict) or not all(isinstance(serial, str) for serial in each.values()):
            raise ValueError("an entry is no JSON object of serial numbers")
    return found
