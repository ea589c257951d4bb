"""
What of an HTTP/2 session is about the connection and not about messages: settings,
windows that the peer opens, resets, PING, and how it comes to an end (RFC 9113
sections 5.4, 5.5, 6.3 to 6.9 and 6.8).

A server that is to go drains in two steps (section 6.8): a GOAWAY that promises to take
all streams, and when the peer has shown that it knows, by answering a PING, the one that
says which was the last.  So no request that was on its way is lost.
"""

from __future__ import annotations

from .endings import Ending
from .events import Closed, Leaving, Pong, Reset, SettingsChanged
from .floods import ASIDE, MOST_REPLIES, RESET, RETUNE
from .flow import ENDED
from .frames import (
    ACK,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    LONG,
    MOST_WINDOW,
    NO_ERROR,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    SETTINGS_ACK,
    WINDOW_UPDATE,
    Fault,
    goAway,
    ping,
    pong,
)
from .settings import readSettings

__all__ = ["Connection"]

# The table of a peer's decoder unless it says otherwise, in bytes (RFC 7540 section 6.5.2).
_USUAL_TABLE = 4096
# The PING of a drain.
_DRAINING = b"draining"


class Connection(Ending):
    """
    A connection, of either side.

    @ivar isClosed: Whether an error ended it: nothing is read any more, and what
        C{outgoing} still gives ends with GOAWAY.
    @ivar isAcknowledged: Whether the peer has taken our settings.
    @ivar peer: The peer's settings, by number, as far as it sent any.
    """

    _isServer: bool

    def __init__(self) -> None:
        super().__init__()
        self.isClosed = self.isAcknowledged = False
        self.peer: dict[int, int] = {}
        self._hasSettings = False
        # The last stream that the peer began, the one that our GOAWAY named, and the one
        # that the peer's did.
        self._last = 0
        self._promised: int | None = None
        self._leaving: int | None = None

    def ping(self, opaque: bytes) -> None:
        """
        Ask for L{Pong}.

        @param opaque: Eight bytes.
        """
        if not self.isClosed:
            self._out.append(ping(opaque))

    def rest(self, gain: int) -> None:
        """
        Forgive some of what was beside the point, such as the PINGs that keep a quiet
        connection open: to be called once in a while by who has a clock.

        @param gain: How much, of L{smartproxy_tw.wire.floods.FULL}; 20 a minute is plenty.
        """
        self._purse.earn(gain)

    def drain(self) -> None:
        """
        Come to an end without losing what is on its way.  A server whose client does not
        answer soon calls L{goAway}.
        """
        if self._promised is None and not self.isClosed:
            if self._isServer:
                self._out += (goAway(MOST_WINDOW, NO_ERROR), ping(_DRAINING))
            else:
                self.goAway()

    def goAway(self, code: int = NO_ERROR, reason: str = "") -> None:
        """
        Take no further streams.  Those there are go on, until L{isDrained}.

        @param code: Why, section 7.
        @param reason: For the peer's log, ASCII.
        """
        if self.isClosed:
            return
        if self._promised is None:
            self._promised = max(self._last, 0)
        self._out.append(goAway(self._promised, code, reason.encode("ascii", "replace")))

    @property
    def isLeaving(self) -> bool:
        """
        Whether the peer was told which of its streams is the last.
        """
        return self._promised is not None

    @property
    def isDrained(self) -> bool:
        """
        Whether no stream is open and none will be.
        """
        return self._promised is not None and not self.streams

    @property
    def isIdle(self) -> bool:
        """
        Whether no stream is open and nothing is to be sent.
        """
        return not self.streams and not self._out

    def _takeOther(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """
        A frame that has no part of a message.
        """
        if kind == WINDOW_UPDATE:
            self._takeUpdate(stream, payload)
        elif kind == RST_STREAM:
            self._takeReset(stream, payload)
        elif kind == PRIORITY:
            self._takePriority(stream, payload)
        elif kind == PUSH_PROMISE:
            # Section 8.4: clients can't push, and as a client we forbid it.
            raise Fault(PROTOCOL_ERROR, "PUSH_PROMISE")
        elif kind > GOAWAY:
            # Section 5.5: unknown ones are passed over.
            self._purse.spend(ASIDE, f"a frame of type {kind}")
        elif stream:
            raise Fault(PROTOCOL_ERROR, f"a frame of type {kind} on stream {stream}")
        elif kind == SETTINGS:
            self._takeSettings(flags, payload)
        elif kind == PING:
            self._takePing(flags, payload)
        else:
            self._takeGoAway(payload)

    def _takeUpdate(self, stream: int, payload: bytes) -> None:
        """
        WINDOW_UPDATE (section 6.9).
        """
        size = _number(payload, WINDOW_UPDATE) & MOST_WINDOW
        found = self.streams.get(stream)
        if found is not None:
            if not size:
                self._refuse(found, PROTOCOL_ERROR)
            elif found.window + size > MOST_WINDOW:
                self._refuse(found, FLOW_CONTROL_ERROR)
            else:
                self._widen(found, size)
                self._purse.updated(size)
        elif stream:
            if self._isNew(stream):
                raise self._misplaced("WINDOW_UPDATE", stream)
            self._purse.updated(size)
        elif not size:
            raise Fault(PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        elif self._window + size > MOST_WINDOW:
            raise Fault(FLOW_CONTROL_ERROR, f"a window of {self._window + size} bytes")
        else:
            self._window += size
            self._purse.updated(size)

    def _takeReset(self, stream: int, payload: bytes) -> None:
        """
        RST_STREAM (section 6.4).
        """
        code = _number(payload, RST_STREAM)
        found = self.streams.get(stream)
        if found is None:
            if not stream or self._isNew(stream):
                raise self._misplaced("RST_STREAM", stream)
            self._gone.pop(stream, None)
            self._purse.spend(ASIDE, "RST_STREAM on a closed stream")
            return
        self._drop(found)
        self._events.append(Reset(stream, code, False))
        if self._isServer:
            if found.sending == ENDED:
                # It had its answer, and sends no more of a body that nobody wants any more.
                self._departed += stream in self._ending
                return
        elif code == NO_ERROR and found.hasEnded:
            # A server may want no more of a body whose answer it has given (section 8.1).
            return
        self._purse.spend(RESET, "RST_STREAM")

    def _takePriority(self, stream: int, payload: bytes) -> None:
        """
        PRIORITY (section 6.3), which nobody heeds any more.
        """
        if not stream:
            raise Fault(PROTOCOL_ERROR, "PRIORITY on stream 0")
        if len(payload) != 5:
            found = self.streams.get(stream)
            if found is None:
                # A stream's error where there is no stream to reset.
                raise Fault(FRAME_SIZE_ERROR, f"PRIORITY of {len(payload)} bytes")
            self._refuse(found, FRAME_SIZE_ERROR)
        self._purse.spend(ASIDE, "PRIORITY")

    def _takeSettings(self, flags: int, payload: bytes) -> None:
        """
        SETTINGS (section 6.5).
        """
        if flags & ACK:
            if payload:
                raise Fault(FRAME_SIZE_ERROR, "an acknowledgement with settings")
            if self.isAcknowledged:
                self._purse.spend(ASIDE, "an acknowledgement of SETTINGS")
            self.isAcknowledged = True
            return
        values = readSettings(payload, not self._isServer)
        self._settled(values)
        self.peer.update(values)
        if HEADER_TABLE_SIZE in values and values[HEADER_TABLE_SIZE] < _USUAL_TABLE:
            self._mustShrink = True
        if INITIAL_WINDOW_SIZE in values:
            change = values[INITIAL_WINDOW_SIZE] - self._initial
            self._initial += change
            for found in list(self.streams.values()):
                if found.window + change > MOST_WINDOW:
                    raise Fault(FLOW_CONTROL_ERROR, f"a window of {found.window + change} bytes")
                self._widen(found, change)
        self._events.append(SettingsChanged(not self._hasSettings))
        self._hasSettings = True
        self._reply(SETTINGS_ACK)
        self._purse.spend(RETUNE, "SETTINGS")

    def _settled(self, values: dict[int, int]) -> None:
        """
        See to settings that mean something to one role only.
        """

    def _takePing(self, flags: int, payload: bytes) -> None:
        """
        PING (section 6.7).
        """
        if len(payload) != 8:
            raise Fault(FRAME_SIZE_ERROR, f"PING of {len(payload)} bytes")
        self._purse.spend(ASIDE, "PING")
        if not flags & ACK:
            self._reply(pong(payload))
        elif payload != _DRAINING:
            self._events.append(Pong(payload))
        elif self._promised is None:
            self.goAway()

    def _takeGoAway(self, payload: bytes) -> None:
        """
        GOAWAY (section 6.8).
        """
        if len(payload) < 8:
            raise Fault(FRAME_SIZE_ERROR, f"GOAWAY of {len(payload)} bytes")
        last = LONG.unpack_from(payload)[0] & MOST_WINDOW
        if self._leaving is not None and last > self._leaving:
            raise Fault(PROTOCOL_ERROR, f"GOAWAY with stream {last} after one with {self._leaving}")
        self._leaving = last
        self._events.append(Leaving(last, LONG.unpack_from(payload, 4)[0]))
        if not self._isServer:
            for found in [each for each in self.streams.values() if each.number > last]:
                self._drop(found)
                self._events.append(Reset(found.number, REFUSED_STREAM, False))
        self._purse.spend(ASIDE, "GOAWAY")

    def _reply(self, frame: bytes) -> None:
        """
        Answer the peer, unless it does not read what it is answered.
        """
        self._replies += 1
        if self._replies > MOST_REPLIES:
            raise Fault(ENHANCE_YOUR_CALM, f"{MOST_REPLIES} replies that the peer does not read")
        self._out.append(frame)

    def _fail(self, fault: Fault) -> None:
        """
        The peer broke a rule of the connection.
        """
        self.goAway(fault.code, fault.reason)
        self.isClosed = True
        for found in list(self.streams.values()):
            self._drop(found)
        self._events.append(Closed(fault.code, fault.reason, True))


def _number(payload: bytes, kind: int) -> int:
    """
    Read a payload that is a number of four bytes.
    """
    if len(payload) != 4:
        raise Fault(FRAME_SIZE_ERROR, f"a frame of type {kind} of {len(payload)} bytes")
    number: int = LONG.unpack(payload)[0]
    return number
