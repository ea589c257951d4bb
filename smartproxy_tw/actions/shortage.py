"""
Tells that files cannot be opened because too many are open: at once when it begins, and then once a
minute how many requests it has met, for as long as it lasts.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from ..plane.minute import Minute

__all__ = ["Shortage"]

_log = Logger()


class Shortage:
    """
    Of one directory.
    """

    def __init__(self, reactor: Any, root: str) -> None:
        """
        @param reactor: For the time.
        @param root: What it is called in the log.
        """
        self._minute = Minute(reactor.callLater)
        self._root = root
        self._count = 0
        self._why = ""

    def add(self, why: str) -> None:
        """
        A request has met it.

        @param why: As the kernel says it.
        """
        if self._minute.isOn:
            self._count += 1
            self._why = why
        else:
            self._tell(
                "Files below {root} cannot be opened, and requests for them are answered with 503: {why}. "
                "Raise the limit of open files of this process (LimitNOFILE=, ulimit -n), or of the machine",
                why,
            )

    def _tell(self, text: str, why: str, **more: int) -> None:
        _log.error(text, event="files-exhausted", root=self._root, why=why, **more)
        self._minute.begin(self._report)

    def _report(self) -> None:
        count, self._count = self._count, 0
        if count:
            self._tell("{more} more requests for files below {root} met this: {why}", self._why, more=count)
