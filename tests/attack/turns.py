"""
How long the turns of a reactor take: whatever runs in one turn keeps all others waiting.

What is measured is the CPU time of the reactor's own thread, not the time that passes, so a
machine that is busy with something else adds nothing.  A second thread looks at what the first
is doing when a turn has taken long already, so that a long turn can be told with its cause.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

__all__ = ["Turns"]

# From how much on a turn is looked into, and how often it is, in seconds.
_LONG = 0.02
_LOOK = 0.005
# So many frames of a stack tell enough.
_FRAMES = 8
_KEPT = 20


class Turns:
    """
    @ivar worst: The longest turn so far, in seconds of CPU time.
    @ivar long: The turns of more than 20 ms: how long, and what ran then.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: One of Twisted's, whose loop calls C{doIteration} and
            C{runUntilCurrent} by these names.
        """
        self._reactor = reactor
        self._began: float | None = None
        self._seen = ""
        self._collected = 0.0
        self._isOver = threading.Event()
        self.worst = 0.0
        self.long: list[tuple[float, str]] = []

    def start(self) -> None:
        """
        Begin, in the thread of the reactor.
        """
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._thread = threading.get_ident()
        for name in ("doIteration", "runUntilCurrent"):
            setattr(self._reactor, name, self._timed(getattr(self._reactor, name)))
        gc.callbacks.append(self._collect)
        threading.Thread(target=self._look, daemon=True).start()

    def stop(self) -> None:
        """
        Measure no more.
        """
        self._isOver.set()
        gc.callbacks.remove(self._collect)
        for name in ("doIteration", "runUntilCurrent"):
            delattr(self._reactor, name)

    def reset(self) -> None:
        """
        Forget what was found.
        """
        self.worst = 0.0
        self.long.clear()

    def _timed(self, call: Callable[..., object]) -> Callable[..., None]:
        def timed(*arguments: object) -> None:
            self._seen = ""
            self._collected = 0.0
            self._began = began = time.thread_time()
            try:
                call(*arguments)
            finally:
                self._began = None
                self._ended(time.thread_time() - began)

        return timed

    def _ended(self, spent: float) -> None:
        self.worst = max(self.worst, spent)
        if spent > _LONG and len(self.long) < _KEPT:
            garbage = f"(garbage collection: {self._collected * 1000:.0f} ms)\n" if self._collected else ""
            self.long.append((spent, garbage + self._seen))

    def _collect(self, phase: str, information: dict[str, int]) -> None:
        if threading.get_ident() == self._thread:
            self._collected += time.thread_time() * (1 if phase == "stop" else -1)

    def _look(self) -> None:
        while not self._isOver.wait(_LOOK):
            began = self._began
            if began is None or self._seen or time.clock_gettime(self._clock) - began < _LONG:
                continue
            frame = sys._current_frames().get(self._thread)
            if frame is not None and self._began == began:
                self._seen = "".join(traceback.format_stack(frame)[-_FRAMES:])
