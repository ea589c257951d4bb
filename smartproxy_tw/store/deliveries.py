"""
Of which certificate each of the operator's programs was told last, so that none is
left out because a process ended between a certificate and a program.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twisted.logger import Logger

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
        self._directory = directory

    def load(self) -> Deliveries:
        """
        What is remembered.  What makes no sense is forgotten, so that a program is
        told twice rather than never.
        """
        try:
            content = self._directory.read(_NAME)
            return {} if content is None else _parse(content)
        except (OSError, ValueError, RecursionError) as why:
            self._log.warn(
                "{path} is passed over, hooks may be run once more: {why}",
                event="hooks-unusable",
                path=self._directory.pathOf(_NAME),
                why=str(why),
            )
            return {}

    def save(self, deliveries: Deliveries) -> None:
        """
        Remember these, and nothing else.

        @raise OSError: They could not be written.
        """
        self._directory.write(_NAME, json.dumps(deliveries).encode("ascii") + b"\n")


def _parse(content: bytes) -> Deliveries:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    for each in found.values():
        if not isinstance(each, dict) or not all(isinstance(serial, str) for serial in each.values()):
            raise ValueError("an entry is no JSON object of serial numbers")
    return found
