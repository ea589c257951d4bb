"""
Pipes to splice through, so that big streams pass without being copied into this
process and out again.

A pipe is borrowed for one transfer and given back as soon as it is empty: a
connection that is idle, or flows freely, has none; one whose reader is slow has
one while bytes wait in it.  A pipe that still holds bytes when it comes back is
closed, as the next borrower must not find them.

Their number is bounded: an unprivileged user has 64 MiB for all pipes (pipe(7),
pipe-user-pages-soft) and gets small ones beyond.  Whoever gets none copies.
"""

from __future__ import annotations

import fcntl
import os

__all__ = ["Pipe", "Pipes"]

# In bytes: what is asked for, and the least that is worth having.
_SIZE = 1 << 20
_LEAST = 1 << 16
_MOST = 48
# Those that are kept open for the next borrower.
_KEPT = 8

_FLAGS = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE


class Pipe:
    """
    @ivar size: How much it takes, in bytes.
    @ivar held: How much is in it.
    """

    __slots__ = ("_in", "_out", "held", "size")

    def __init__(self) -> None:
        """
        @raise OSError: There are no descriptors, or no memory for pipes.
        """
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.held = 0
        try:
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, _SIZE)
        except OSError:
            # The user's pipes have too many pages already: it stays as it is.
            pass
        self.size: int = fcntl.fcntl(self._in, fcntl.F_GETPIPE_SZ)

    def pull(self, source: int, most: int) -> int:
        """
        Fill it, when it is empty.

        @param source: The descriptor of a socket.
        @param most: Take so many bytes at most.
        @return: How many there were; 0 at the end of the stream.
        @raise BlockingIOError: Nothing now.
        @raise OSError: The stream broke.
        """
        self.held = os.splice(source, self._in, min(most, self.size), flags=_FLAGS)
        return self.held

    def push(self, sink: int) -> bool:
        """
        Empty it.

        @param sink: The descriptor of a socket.
        @return: Whether nothing is left; if not, the sink takes no more now.
        @raise OSError: The stream broke.
        """
        try:
            while self.held:
                self.held -= os.splice(self._out, sink, self.held, flags=_FLAGS)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """
        Throw it away, and what is in it.
        """
        os.close(self._in)
        os.close(self._out)


class Pipes:
    """
    The pipes of one process.
    """

    def __init__(self, most: int = _MOST) -> None:
        """
        @param most: How many there may be at a time.
        """
        self._left = most
        self._idle: list[Pipe] = []

    def borrow(self) -> Pipe | None:
        """
        @return: An empty pipe; L{None} when there is none to be had.
        """
        if self._idle:
            return self._idle.pop()
        if not self._left:
            return None
        try:
            pipe = Pipe()
        except OSError:
            return None
        if pipe.size < _LEAST:
            pipe.close()
            return None
        self._left -= 1
        return pipe

    def giveBack(self, pipe: Pipe) -> None:
        """
        Take one back; with bytes in it, it is closed.
        """
        if pipe.held or len(self._idle) >= _KEPT:
            pipe.close()
            self._left += 1
        else:
            self._idle.append(pipe)

    def close(self) -> None:
        """
        Close those that nobody has.
        """
        idle, self._idle = self._idle, []
        for pipe in idle:
            pipe.close()
        self._left += len(idle)
