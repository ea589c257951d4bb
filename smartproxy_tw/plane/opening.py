"""
An opening is a connection whose first bytes are looked at: it lasts until whoever looks
knows what it is and hands it on, with all that was read of it, turns it away, or until its
time is over.

How they are read and how that ends is here, once for all of them; what the bytes mean is
theirs.  The socket is closed here or belongs to whoever comes next, never both.  One is made
for each connection that is looked at: it has slots, and its making is one call.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from .poller import ENDED, READABLE
from .wires import READ, resetOnClose

if TYPE_CHECKING:
    from .engine import Entrance

__all__ = ["Opening"]


class Opening:
    """
    @cvar MOST: So many bytes are enough to know what it is.
    @ivar deadline: For the poller; absolute.
    """

    MOST: int
    __slots__ = ("_data", "_entrance", "_isEnding", "_isHot", "_isOver", "_need", "_sock", "deadline")

    def __init__(self, entrance: Entrance, sock: socket.socket, seconds: float) -> None:
        """
        Wait for the first bytes.

        @param sock: Non-blocking; owned from now on.
        @param seconds: For how long.
        """
        self._entrance = entrance
        self._sock = sock
        # What was read; whether there may be more, for which no event will come; whether the end will.
        self._data = b""
        self._isHot = self._isOver = self._isEnding = False
        self._need = 1
        engine = entrance.engine
        self.deadline = engine.poller.now + seconds
        engine.enter(self)

    def ready(self, event: int) -> None:
        """
        Something has come.
        """
        if not event & READABLE:
            return
        most = self.MOST - len(self._data)
        try:
            data = self._sock.recv(most)
        except BlockingIOError:
            return
        except OSError:
            self._cut()
            return
        self._isHot = len(data) == most
        if event & ENDED:
            self._isHot = self._isEnding = True
        if data:
            if self._data:
                data = self._data + data
            self._data = data
            if len(data) >= self._need:
                self._read(data)
        if not self._isOver and (self._isEnding or not data):
            self._cut()

    def _read(self, data: bytes) -> None:
        """
        Find out what it is.

        @param data: All that has come.
        """
        raise NotImplementedError

    def _cut(self) -> None:
        """
        Nothing more will come, and what has come is not enough.
        """
        self._close()

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
            if self._data:
                # Something was asked for, and not answered.
                resetOnClose(self._sock)
            self._sock.close()

    def _end(self, answer: bytes) -> None:
        """
        Say a last word, having read everything, as a close with unread bytes would destroy
        it.

        @param answer: The word; empty for none.
        """
        self._data = b""
        with suppress(OSError):
            self._sock.recv(READ)
        if answer:
            with suppress(OSError):
                self._sock.send(answer)
                self._sock.shutdown(socket.SHUT_WR)
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
