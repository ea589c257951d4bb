"""
How streams of an HTTP/2 session end before their time, and what is remembered of them
(RFC 9113 sections 5.1 and 5.4.2).

Who resets a stream may still be sent whatever the peer had on its way.  So the last
L{MOST_GONE} of such streams are remembered with what was left of their windows: frames on
them are passed over, data as far as the window goes, and beyond that, and on any other
closed stream, they are an error.
"""

from __future__ import annotations

from typing import Final

from .events import Event, Reset
from .floods import RESET
from .flow import Sending, Stream
from .frames import (
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    Fault,
    reset,
)

__all__ = ["MOST_GONE", "Ending"]

#: Of so many streams that we reset the peer's late frames are passed over.
MOST_GONE: Final = 256

# Codes of a stream's end that say that the peer is at fault, or asks too much.
_BLAMING = frozenset(
    (
        PROTOCOL_ERROR,
        FLOW_CONTROL_ERROR,
        STREAM_CLOSED,
        FRAME_SIZE_ERROR,
        REFUSED_STREAM,
        COMPRESSION_ERROR,
        ENHANCE_YOUR_CALM,
    )
)


class Ending(Sending):
    """
    A session as far as it resets streams.
    """

    def __init__(self) -> None:
        super().__init__()
        self._events: list[Event] = []
        # Streams that we reset while the peer could send, and how much it still may.
        self._gone: dict[int, int] = {}

    def reset(self, stream: int, code: int) -> None:
        """
        End a stream at once, both sides of it, with all that waits on it.  There is no
        L{Reset} for it.

        @param stream: Its number; on one that is closed nothing happens.
        @param code: Why, section 7.  Codes that say that the peer is at fault count as
            L{smartproxy_tw.wire.floods} has it.
        """
        found = self.streams.get(stream)
        if found is not None:
            self._drop(found)
            self._bury(stream, code, found.hasEnded, found.left)
            if code in _BLAMING:
                # What is below zero is found with the next bytes that come.
                self._purse.left -= RESET

    def _isNew(self, stream: int) -> bool:
        """
        Whether a stream is idle (section 5.1).
        """
        raise NotImplementedError

    def _misplaced(self, what: str, stream: int) -> Fault:
        """
        Say what is wrong with a frame whose stream is not there.
        """
        if not stream or self._isNew(stream):
            return Fault(PROTOCOL_ERROR, f"{what} on stream {stream}, which was not begun")
        return Fault(STREAM_CLOSED, f"{what} on stream {stream}, which is closed")

    def _refuse(self, found: Stream, code: int) -> None:
        """
        The peer broke a rule on a stream that is open.
        """
        self._drop(found)
        self._events.append(Reset(found.number, code, True))
        self._reject(found.number, code, found.hasEnded, found.left)

    def _reject(self, stream: int, code: int, hasEnded: bool, left: int) -> None:
        """
        The peer broke a rule on a stream that nobody knows of.
        """
        self._bury(stream, code, hasEnded, left)
        self._purse.spend(RESET, "what makes us reset a stream")

    def _bury(self, stream: int, code: int, hasEnded: bool, left: int) -> None:
        """
        Reset a stream, and remember it while the peer may still send on it.
        """
        self._replies += 1
        self._out.append(reset(stream, code))
        if not hasEnded:
            self._ignore(stream, left)

    def _ignore(self, stream: int, left: int) -> None:
        """
        Have frames on a stream passed over.

        @param left: How much data the peer may send there.
        """
        gone = self._gone
        gone[stream] = left
        if len(gone) > MOST_GONE:
            del gone[next(iter(gone))]
