"""
The outflow of an HTTP/2 connection: whatever its channels and its session have to say
after a batch of events goes out by one C{send}, as much as the kernel takes.

When the line has taken all it goes on, in turns with the other connections, and tells the
channels that waited for it.

This is hot: it runs once for each batch of requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.flow import ENDED
from ..wire.frames import NO_ERROR

if TYPE_CHECKING:
    from .carrier import Carrier

__all__ = ["Outflow"]

# Sends at a time before others have their turn.
_ROUNDS = 8


class Outflow:
    """
    That of one connection.

    @ivar isHeld: Whether L{flush} will be called in any case, so that nobody needs to ask for it.
    """

    __slots__ = ("_carrier", "_dismissed", "_isAsked", "isHeld")

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._dismissed: list[int] = []
        self._isAsked = False
        self.isHeld = False

    def touch(self) -> None:
        """
        There is something to be sent, when this moment is over.
        """
        if not (self.isHeld or self._isAsked):
            self._isAsked = True
            self._carrier.door.engine.poller.last(self.flush)

    def dismiss(self, stream: int) -> None:
        """
        No more of a request is taken: tell the client so, once its answer has gone (RFC 9113
        section 8.1).
        """
        self._dismissed.append(stream)
        self.touch()

    def flush(self) -> None:
        """
        Send what there is to be sent.
        """
        self._isAsked = False
        carrier = self._carrier
        if carrier.isGone:
            return
        session = carrier.session
        wire = carrier.wire
        self.isHeld = True
        for _ in range(_ROUNDS):
            if wire.pending:
                break
            if self._dismissed:
                self._endDismissed()
            data = session.outgoing()
            if not data:
                break
            wire.write(data)
            for stream in session.taking():
                carrier.flushed(stream)
        else:
            carrier.door.engine.poller.later(self.flush)
        self.isHeld = False
        if wire.pending or session.isWaiting or carrier.isLeaving:
            carrier.sent()

    def _endDismissed(self) -> None:
        session = self._carrier.session
        left = []
        for stream in self._dismissed:
            found = session.streams.get(stream)
            if found is not None:
                if found.sending == ENDED:
                    session.reset(stream, NO_ERROR)
                else:
                    left.append(stream)
        self._dismissed = left

    def crash(self) -> None:
        """
        A bug: end the connection.
        """
        self._carrier.crash()
