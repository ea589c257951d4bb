"""
An opening is a connection whose first bytes are looked at without being taken: it lasts
until whoever looks knows what it is and hands it on, turns it away, or until its time is
over.

How that ends is here, once for all of them; what the bytes mean is theirs.  The socket is
closed here or belongs to whoever comes next, never both.  One is made for each
connection that is looked at: it has slots, and its making is one call.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from .wires import READ

if TYPE_CHECKING:
    from .engine import Entrance

__all__ = ["Opening"]


class Opening:
    """
    @ivar deadline: For the poller; absolute.
    """

    __slots__ = ("_entrance", "_isEnding", "_isOver", "_need", "_sock", "deadline")

    def __init__(self, entrance: Entrance, sock: socket.socket, seconds: float) -> None:
        """
        Wait for the first bytes.

        @param sock: Non-blocking; owned from now on.
        @param seconds: For how long.
        """
        self._entrance = entrance
        self._sock = sock
        self._isOver = self._isEnding = False
        self._need = 1
        engine = entrance.engine
        self.deadline = engine.poller.now + seconds
        engine.enter(self)

    def _over(self) -> None:
        """
        The socket is somebody else's from now on.
        """
        self._isOver = True
        self._entrance.engine.leave(self)

    def _close(self) -> None:
        """
        End it.  Without effect when it is over.
        """
        if not self._isOver:
            self._over()
            self._entrance.engine.poller.forget(self._sock.fileno())
            self._sock.close()

    def _end(self, answer: bytes) -> None:
        """
        Say a last word, having read everything, as a close with unread bytes would destroy
        it.

        @param answer: The word; empty for none.
        """
        try:
            self._sock.recv(READ)
            if answer:
                self._sock.send(answer)
                self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self._close()

    def expire(self) -> None:
        """
        It took too long.
        """
        self._close()

    def crash(self) -> None:
        """
        A bug: end this one.
        """
        self._close()

    def drain(self) -> None:
        """
        It may have come just now: what it is about to say is answered.
        """
        self.deadline = self._entrance.engine.lastCall(self.deadline)
