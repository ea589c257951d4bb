"""
Where the lines of the access log go: a file, or what this process has as its
standard output.

Lines arrive whole.  Several workers write to the same place, and the supervisor's own
log may go there too, so what keeps them apart is the kernel: a file takes each batch in
one piece, and a pipe, a terminal or a socket is given pieces that it takes whole, under
a lock for the few lines that are longer.  Nobody waits for a reader: what cannot be
written now is given back.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Sink"]

#: So long is waited for room for the rest of a line that was begun, in milliseconds.
_REST = 50


class Sink:
    """
    One place.
    """

    def __init__(self, file: str) -> None:
        """
        @param file: Absolute path, opened for appending at the first line, mode
            0640; or C{"stdout"}.
        """
        self._file = file
        self._descriptor = -1
        self._isStream = False

    def write(self, lines: list[str]) -> list[str]:
        """
        Write lines, as many as can be written now.

        @param lines: ASCII, each with its end.
        @return: Those that are left.
        @raise OSError: None can be written, and it takes somebody to mend that.
        """
        try:
            if self._descriptor > 2 and self._isGone():
                self.close()
            if self._descriptor < 0:
                self._open()
            if self._isStream:
                return self._pour(lines)
            data = "".join(lines).encode("ascii")
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            self.close()
            raise
        return []

    def close(self) -> None:
        """
        Let go of it; the next line opens it anew.
        """
        if self._descriptor > 2:
            os.close(self._descriptor)
        self._descriptor = -1

    def _pour(self, lines: list[str]) -> list[str]:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        at = 0
        with _alone(self._descriptor) as isAlone:
            while isAlone and at < len(lines) and poll.poll(0):
                end, data = _piece(lines, at)
                try:
                    data = data[os.write(self._descriptor, data[: select.PIPE_BUF]) :]
                except OSError as why:
                    if at or isinstance(why, BlockingIOError):
                        break
                    raise
                at = end
                # Of a longer line the rest follows, as long as somebody reads.
                while data and poll.poll(_REST):
                    data = data[os.write(self._descriptor, data[: select.PIPE_BUF]) :]
        return lines[at:]

    def _isGone(self) -> bool:
        # Looked at for each batch: whoever rotates logs need not tell us.
        ours = os.fstat(self._descriptor)
        try:
            there = os.stat(self._file)
        except OSError:
            return True
        return (there.st_ino, there.st_dev) != (ours.st_ino, ours.st_dev)

    def _open(self) -> None:
        if self._file == "stdout":
            sys.stdout.flush()
            self._descriptor = 1
        else:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._file, flags, 0o640)
        self._isStream = not stat.S_ISREG(os.fstat(self._descriptor).st_mode)


def _piece(lines: list[str], at: int) -> tuple[int, bytes]:
    """
    So many lines as are taken whole, at least one.

    @return: Where the next piece begins, and the bytes.
    """
    end, size = at + 1, len(lines[at])
    while end < len(lines) and size + len(lines[end]) <= select.PIPE_BUF:
        size += len(lines[end])
        end += 1
    return end, "".join(lines[at:end]).encode("ascii")


@contextmanager
def _alone(descriptor: int) -> Iterator[bool]:
    """
    Be the only worker that writes there.

    @return: False when another one is just writing.
    """
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    except OSError:
        # Nothing that can be locked: pieces keep apart by themselves.
        yield True
        return
    try:
        yield True
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN)
