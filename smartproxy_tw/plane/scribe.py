"""
A scribe has lines written by a thread of its own, so that a disk that is slow and
a pipe that nobody reads cost lines and never time.

What it was given and has not written is bounded, by lines and by bytes.  When
there is more, the oldest lines are lost, and counted.
"""

from __future__ import annotations

from collections import deque
from threading import Condition, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sink import Sink

__all__ = ["Scribe"]

# So many lines wait at most, and so many bytes.
_LINES = 20000
_BYTES = 1 << 24
# When a reader is asked again whether it takes more, in seconds.
_AGAIN = 0.05


class Scribe:
    """
    @ivar problem: Why nothing can be written; L{None} when it can.
    @ivar written: Batches that have been written.

    One thread gives, the scribe's own takes.  What both touch is under one lock,
    which is never held while something is written.
    """

    def __init__(self, sink: Sink) -> None:
        """
        @param sink: Where the lines go; used by the thread alone.
        """
        self._sink = sink
        self._waiting: deque[tuple[list[str], int]] = deque()
        self._lines = self._bytes = 0
        # Lines that are being written.
        self._busy = 0
        self._change = Condition()
        self._thread: Thread | None = None
        self._isClosing = self._isStale = False
        self.problem: OSError | None = None
        self._lost = 0
        self.written = 0

    # Whoever gives.

    @property
    def isBehind(self) -> bool:
        """
        Whether something has not been written.
        """
        return self._busy > 0 or bool(self._waiting)

    def give(self, lines: list[str]) -> None:
        """
        Have these written; returns at once.  Not after L{close}.

        @param lines: ASCII, each with its end.
        """
        with self._change:
            size = sum(map(len, lines))
            self._waiting.append((lines, size))
            self._bound(len(lines), size)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="access log", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def _bound(self, lines: int, size: int) -> None:
        """
        So much more waits: forget the oldest where that is too much.
        """
        self._lines += lines
        self._bytes += size
        while len(self._waiting) > 1 and (self._lines > _LINES or self._bytes > _BYTES):
            self._lost += len(self._next())

    def _next(self) -> list[str]:
        lines, size = self._waiting.popleft()
        self._lines -= len(lines)
        self._bytes -= size
        return lines

    def takeLost(self) -> int:
        """
        @return: How many lines could not be kept, since this was last asked.
        """
        with self._change:
            lost, self._lost = self._lost, 0
        return lost

    def tryAgain(self) -> None:
        """
        Whatever the problem was, it may be over.
        """
        with self._change:
            self.problem = None
            self._change.notify_all()

    def reopen(self) -> None:
        """
        Let go of the sink, which the next lines open anew.
        """
        with self._change:
            self._isStale = True
            self.problem = None
            self._change.notify_all()

    def settle(self, seconds: float) -> bool:
        """
        Wait until all is written or cannot be.

        @param seconds: No longer than this.
        @return: Whether nothing is under way.
        """
        with self._change:
            return self._change.wait_for(
                lambda: not self._busy and (not self._waiting or self.problem is not None), seconds
            )

    def close(self, seconds: float) -> None:
        """
        Write what there is and let go of the sink.

        @param seconds: To wait for it.  What is not written then, or cannot
            be, is lost.
        """
        with self._change:
            self._isClosing = True
            self.problem = None
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)
        with self._change:
            while self._waiting:
                self._lost += len(self._next())
            self._lost += self._busy

    # The thread.

    def _run(self) -> None:
        while True:
            with self._change:
                self._busy = 0
                self._change.notify_all()
                self._change.wait_for(
                    lambda: self._isClosing or self._isStale or (bool(self._waiting) and self.problem is None)
                )
                if self._isStale:
                    self._isStale = False
                    self._sink.close()
                    continue
                if not self._waiting or (self._isClosing and self.problem is not None):
                    break
                lines = self._next()
                self._busy = len(lines)
            problem: OSError | None = None
            try:
                left = self._sink.write(lines)
            except OSError as why:
                left, problem = lines, why
            with self._change:
                self.problem = problem
                if left:
                    size = sum(map(len, left))
                    self._waiting.appendleft((left, size))
                    self._bound(len(left), size)
                    if problem is None:
                        # Nobody reads just now.
                        self._busy = 0
                        self._change.wait(_AGAIN)
                else:
                    self.written += 1
        self._sink.close()
