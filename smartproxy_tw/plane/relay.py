"""
A relay passes bytes between a channel of HTTP/2 and a target that has agreed to speak
another protocol (RFC 8441): what a tunnel is between two sockets.

Each direction reads only when its other side has room, and ends for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .poller import BROKEN, ENDED, READABLE
from .wires import READ, isConnected

if TYPE_CHECKING:
    from collections.abc import Callable

    from .channel import Channel
    from .wires import Wire

__all__ = ["Relay"]

# Reads at a time before others have their turn.
_ROUNDS = 8


class Relay:
    """
    One of them.
    """

    __slots__ = (
        "_channel",
        "_done",
        "_hasFinished",
        "_isHot",
        "_isOver",
        "_received",
        "_sent",
        "_targetEnded",
        "_wire",
    )

    def __init__(self, channel: Channel, target: Wire, done: Callable[[int, int], None]) -> None:
        """
        Take over a wire that is registered with the poller.

        @param done: Called once at the end with the bytes that went to the target, and
            those that came from it.
        """
        self._channel = channel
        self._wire = target
        self._done = done
        self._isHot = self._isOver = self._hasFinished = self._targetEnded = False
        self._sent = self._received = 0
        channel.door.engine.poller.handlers[target.fd] = self.ready

    def begin(self, data: bytes, isHot: bool) -> None:
        """
        Pass on bytes from now on.

        @param data: What the target has said already.
        @param isHot: Whether it may have said more.
        """
        self._isHot = isHot
        if data:
            self._pass(data)
        self._download()
        self.pump()

    def ready(self, event: int) -> None:
        """
        The target has something, or takes something.
        """
        if event & READABLE:
            self._isHot = True
            if event & ENDED:
                self._wire.isEnding = True
        if self._wire.pending and self._wire.flush():
            self.pump()
            self._endIfDone()
        if self._isHot:
            self._download()
        if event & BROKEN and not self._isOver and not isConnected(self._wire.sock):
            self._channel.drop()

    def pump(self) -> None:
        """
        Pass on what the client has said.
        """
        channel = self._channel
        wire = self._wire
        while not (self._isOver or self._hasFinished or wire.pending):
            data = channel.hear()
            if data:
                self._sent += len(data)
                wire.write(data)
                channel.progress()
            elif channel.hasEnded:
                self._hasFinished = True
                wire.finish()
                self._endIfDone()
            else:
                return

    def flushed(self) -> None:
        """
        The client has room again.
        """
        self._channel.progress()
        self._download()

    def _download(self) -> None:
        channel = self._channel
        for _ in range(_ROUNDS):
            if self._isOver or self._targetEnded or channel.pending or not self._isHot:
                return
            try:
                data = self._wire.recv(READ)
            except BlockingIOError:
                self._isHot = False
                return
            except OSError:
                channel.drop()
                return
            if not data:
                self._targetEnded = True
                channel.send(b"", True)
                self._endIfDone()
                return
            if len(data) < READ and self._wire.isShort and not self._wire.isEnding:
                self._isHot = False
            self._pass(data)
        channel.door.engine.poller.later(self._download)

    def _pass(self, data: bytes) -> None:
        self._received += len(data)
        self._channel.send(data, False)
        self._channel.progress()

    def _endIfDone(self) -> None:
        if self._hasFinished and self._targetEnded and not (self._isOver or self._wire.pending):
            self._channel.relayed()
            self._leave()
            self._wire.close()

    def forsake(self) -> None:
        """
        The target takes nothing more; what it has said still goes on.
        """
        self._hasFinished = True
        if self._wire.pending:
            self._wire.flush()
        self._endIfDone()

    def end(self) -> None:
        """
        Break off: the client has, or may not go on.
        """
        if not self._isOver:
            self._leave()
            self._wire.reset()

    def crash(self) -> None:
        """
        A bug: end this one.
        """
        self._channel.drop()

    def _leave(self) -> None:
        self._isOver = True
        self._channel.door.engine.poller.forget(self._wire.fd)
        self._done(self._sent, self._received)
