"""
A log file that two processes may write at a time, as they do while one takes the place
of the other: each line goes to the end, wherever that is by then.
"""

from __future__ import annotations

import fcntl
import os

from twisted.python.logfile import LogFile

__all__ = ["SharedLogFile"]


class SharedLogFile(LogFile):
    """
    As Twisted's, but for that.
    """

    def _openFile(self) -> None:
        super()._openFile()  # type: ignore[no-untyped-call]
        descriptor = self._file.fileno()
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
