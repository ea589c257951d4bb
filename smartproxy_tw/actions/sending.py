"""
Sends parts of an open file as the body of an answer, as fast as the client takes them.

Of each file a few pieces at most are in memory, however slow its client is.  What the kernel has
in its cache is read at once, for which it is asked (C{RWF_NOWAIT}, preadv2(2)); what has to
come from the disk is read by a thread, so that a slow disk keeps one client waiting and not
all.  (Where a file system cannot tell, such as tmpfs, reading is taken for quick.)

The length was promised when the answer began.  A file that has become shorter breaks the
connection, and what was added to it meanwhile is not sent.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

if TYPE_CHECKING:
    from ..interfaces import IOutlet
    from .tree import Opened

__all__ = ["PIECE", "Part", "Sending", "readNow"]

_log = Logger()

#: So much is read at a time, in bytes.
PIECE = 65536
# So many pieces before others have their turn.
_ROUNDS = 8

#: Bytes that are sent as they are, or where those of the file begin and end.
Part = bytes | tuple[int, int]


_buffer = memoryview(bytearray(PIECE))


def readNow(descriptor: int, size: int, offset: int) -> bytes:
    """
    Read what needs no waiting.  Only on the reactor.

    @param size: So much at most, no more than L{PIECE}.
    @raise BlockingIOError: It has to come from the disk.
    """
    try:
        count = os.preadv(descriptor, [_buffer[:size]], offset, os.RWF_NOWAIT)
    except OSError as why:
        if why.errno not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise
        return os.pread(descriptor, size, offset)
    return bytes(_buffer[:count])


class Sending:
    """
    One answer.
    """

    def __init__(
        self,
        reactor: Any,
        file: Opened,
        parts: Sequence[Part],
        outlet: IOutlet,
        *,
        readNow: Callable[[int, int, int], bytes] = readNow,
    ) -> None:
        """
        @param reactor: Has threads.
        @param file: Is owned from now on.
        @param parts: What is sent, in this order.
        @param outlet: Where to.
        @param readNow: Reads what needs no waiting.
        """
        self._reactor = reactor
        self._file = file
        self._parts = list(parts)[::-1]
        self._outlet = outlet
        self._readNow = readNow
        self._isOver = self._isReading = False

    def begin(self) -> None:
        """
        Send.
        """
        self._more()

    def end(self) -> None:
        """
        The exchange has ended: let go of the file.
        """
        self._isOver = True
        if not self._isReading:
            self._file.close()

    def _more(self) -> None:
        outlet = self._outlet
        for _ in range(_ROUNDS):
            if self._isOver or self._isReading:
                return
            if not self._parts:
                self.end()
                outlet.finish()
                return
            if not outlet.isTaking:
                outlet.whenTaking(self._more)
                return
            part = self._parts.pop()
            if isinstance(part, bytes):
                outlet.write(part)
                continue
            start, end = part
            try:
                data = self._readNow(self._file.descriptor, min(PIECE, end - start), start)
            except BlockingIOError:
                self._readByThread(start, end)
                return
            except OSError as why:
                self._failed(why)
                return
            self._read(data, start, end)
        if not self._isOver:
            self._reactor.callLater(0, self._more)

    def _read(self, data: bytes, start: int, end: int) -> None:
        if not data:
            self._failed(EOFError("it has become shorter"))
            return
        if start + len(data) < end:
            self._parts.append((start + len(data), end))
        self._outlet.write(data)

    def _readByThread(self, start: int, end: int) -> None:
        self._isReading = True
        size = min(PIECE, end - start)
        descriptor = self._file.descriptor

        def read() -> None:
            try:
                outcome: bytes | OSError = os.pread(descriptor, size, start)
            except OSError as why:
                outcome = why
            self._reactor.callFromThread(self._cameFromDisk, outcome, start, end)

        self._reactor.callInThread(read)

    def _cameFromDisk(self, outcome: bytes | OSError, start: int, end: int) -> None:
        self._isReading = False
        if self._isOver:
            self._file.close()
        elif isinstance(outcome, OSError):
            self._failed(outcome)
        else:
            self._read(outcome, start, end)
            self._more()

    def _failed(self, why: Exception) -> None:
        _log.warn("A file could not be sent to its end: {name}: {why}", name=self._file.name, why=why)
        self.end()
        self._outlet.abort()
