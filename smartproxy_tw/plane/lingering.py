"""
The last part of the life of a client connection by HTTP/1, when all that is to be said has gone to
the kernel.

What the client is still sending is read and dropped for a while, because a close with unread bytes is
a reset, which destroys the answer on its way.  A client that has had the answer ends its side, and then
this is over at once; one that goes on sending has some time for each piece, some in all, and may send so
much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .poller import ENDED, READABLE
from .remnants import LINGER, LINGER_BYTES, LINGER_MOST
from .wires import READ

if TYPE_CHECKING:
    from .engine import Engine
    from .wires import Wire

__all__ = ["Lingering"]

# So often is read at a time before others have their turn.
_ROUNDS = 16


class Lingering:
    """
    @ivar deadline: For the poller.
    """

    __slots__ = ("_engine", "_isHot", "_left", "_until", "_wire", "deadline")

    def __init__(self, engine: Engine, wire: Wire, isHot: bool) -> None:
        """
        Take over a wire that is registered with the poller and has nothing pending, end it on this side,
        and read.

        @param isHot: Whether there may be something to read for which no event will come.
        """
        self._engine = engine
        self._wire = wire
        self._isHot = isHot
        # Of what may be dropped, in bytes.
        self._left = LINGER_BYTES
        poller = engine.poller
        self.deadline = poller.now + LINGER
        self._until = poller.now + (LINGER if engine.isDraining else LINGER_MOST)
        engine.enter(self)
        poller.handlers[wire.fd] = self.ready
        wire.finish()
        if isHot:
            self._discard()

    def ready(self, event: int) -> None:
        """
        Something has come, or the end can be sent.
        """
        wire = self._wire
        if event & READABLE:
            self._isHot = True
            if event & ENDED:
                wire.isEnding = True
        if wire.pending:
            wire.flush()
        if self._isHot:
            self._discard()

    def expire(self) -> None:
        """
        The deadline has passed.
        """
        self._close()

    def drain(self) -> None:
        """
        Take no more time than for what may be on its way.
        """
        self._until = self.deadline

    def crash(self) -> None:
        """
        Break, at once.
        """
        self._leave()
        self._wire.reset()

    def _again(self) -> None:
        if self._isHot:
            self._discard()

    def _discard(self) -> None:
        wire = self._wire
        recv = wire.recv
        for _ in range(_ROUNDS):
            try:
                data = recv(READ)
            except BlockingIOError:
                self._isHot = False
                return
            except OSError:
                data = b""
            self._left -= len(data)
            if not data or self._left < 0:
                self._close()
                return
            self.deadline = min(self._engine.poller.now + LINGER, self._until)
            if len(data) < READ and wire.isShort and not wire.isEnding:
                self._isHot = False
                return
        self._engine.poller.later(self._again)

    def _close(self) -> None:
        self._leave()
        self._wire.close()

    def _leave(self) -> None:
        self._isHot = False
        self._engine.leave(self)
        self._engine.poller.forget(self._wire.fd)
