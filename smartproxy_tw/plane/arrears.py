"""
Arrears: what a client of HTTP/2 has asked for and does not take.

There are three things that an answer may wait for: the window of its stream, that of the
whole connection, and the line.  Each time it is the client that has to do something, and it has
the pace to keep that clients of HTTP/1 have (L{Pace<smartproxy_tw.plane.pace.Pace>}).  Who
opens no window for one answer loses that one; who takes nothing of all of them loses the
connection.  An answer that waits behind others, for a window that the connection lacks, is
not counted for itself.

It begins when something waits, looks once a second, and ends when nothing does: those
who are just not the fastest cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pace import Pace, taken

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.flow import Stream
    from .carrier import Carrier

__all__ = ["Arrears"]

# In seconds.
_LOOK = 1.0


class Arrears:
    """
    Those of one connection.

    @ivar deadline: For the poller: of the next look.
    """

    __slots__ = ("_carrier", "_streams", "_whole", "deadline")

    def __init__(self, carrier: Carrier) -> None:
        """
        Begin to look.
        """
        self._carrier = carrier
        self._streams: dict[int, Pace] = {}
        self._whole: Pace | None = None
        poller = carrier.door.engine.poller
        self.deadline = poller.now + _LOOK
        poller.mortals[self] = None

    def expire(self) -> None:
        """
        Look.
        """
        carrier = self._carrier
        poller = carrier.door.engine.poller
        self.deadline = poller.now + _LOOK
        session = carrier.session
        starving = session.starving()
        numbers = {each.number for each in starving}
        for number in [each for each in self._streams if each not in numbers]:
            self._streams.pop(number).end()
        for each in starving:
            if each.number not in self._streams:
                self._streams[each.number] = self._paceOf(each)
        if not (carrier.wire.pending or session.isHeldUp):
            self._endWhole()
        elif self._whole is None:
            sock = carrier.wire.sock
            self._whole = self._pace(lambda: taken(sock), self._unread)
        if not (self._streams or self._whole or session.isWaiting):
            self.end()
            carrier.settled()

    def _paceOf(self, stream: Stream) -> Pace:
        return self._pace(lambda: stream.moved, lambda: self._starved(stream.number))

    def _pace(self, count: Callable[[], int], tooSlow: Callable[[], None]) -> Pace:
        engine = self._carrier.door.engine
        seconds = engine.timeouts.write
        return Pace(engine.poller, seconds, seconds, engine.limits.minRate, count, tooSlow)

    def _starved(self, number: int) -> None:
        self._streams.pop(number, None)
        self._carrier.starve(number)

    def _unread(self) -> None:
        self._whole = None
        self._carrier.unread()

    def _endWhole(self) -> None:
        whole, self._whole = self._whole, None
        if whole is not None:
            whole.end()

    def end(self) -> None:
        """
        Look no more.
        """
        self._carrier.door.engine.poller.mortals.pop(self, None)
        self._endWhole()
        for each in self._streams.values():
            each.end()
        self._streams.clear()

    def crash(self) -> None:
        """
        A bug: end the connection.
        """
        self._carrier.crash()
