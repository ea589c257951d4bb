"""
Arrears: what a client of HTTP/2 has asked for and does not take.

There are three things that an answer may wait for: the window of its stream, that of the
whole connection, and the line.  Each time it is the client that has to do something, and it has
the pace to keep that clients of HTTP/1 have (L{Pace<smartproxy_tw.plane.pace.Pace>}).  Who
opens no window for one answer loses that one; who takes nothing of all of them loses the
connection.  An answer that waits behind others, for a window that the connection lacks, is
not counted for itself.

For each of the three there is an account of its own, which rests while it is something else that
is waited for, and goes on where it was: otherwise a client that has its answers wait for
one thing and for the other in turns would have new time each time, and could hold them for ever
by a byte now and then.  An account ends when what waited has all gone.  That of the connection's
window is kept by the data that went out: what else a client takes, answers to its PINGs and answers
without a body, needs no window.

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

    __slots__ = ("_carrier", "_line", "_streams", "_window", "deadline")

    def __init__(self, carrier: Carrier) -> None:
        """
        Begin to look.
        """
        self._carrier = carrier
        # By what waits on a stream: when that has all gone, the next has another account.
        self._streams: dict[object, Pace] = {}
        self._line: Pace | None = None
        self._window: Pace | None = None
        poller = carrier.door.engine.poller
        self.deadline = poller.now + _LOOK
        poller.mortals[self] = None

    def expire(self) -> None:
        """
        Look.
        """
        carrier = self._carrier
        self.deadline = carrier.door.engine.poller.now + _LOOK
        session = carrier.session
        wire = carrier.wire
        queued = session.queued()
        if not (queued or wire.pending):
            self.end()
            carrier.settled()
            return
        queues = {each.queue for each in queued}
        for queue in [each for each in self._streams if each not in queues]:
            self._streams.pop(queue).end()
        for each in queued:
            pace = self._streams.get(each.queue)
            if pace is not None:
                _turn(pace, each.window <= 0)
            elif each.window <= 0:
                self._streams[each.queue] = self._paceOf(each)
        if self._line is not None:
            _turn(self._line, bool(wire.pending))
        elif wire.pending:
            sock = wire.sock
            self._line = self._pace(lambda: taken(sock), self._unread)
        if self._window is not None:
            _turn(self._window, session.isHeldUp)
        elif session.isHeldUp:
            self._window = self._pace(lambda: session.moved, self._unread)

    def _paceOf(self, stream: Stream) -> Pace:
        queue = stream.queue
        return self._pace(lambda: stream.moved, lambda: self._starved(stream.number, queue))

    def _pace(self, count: Callable[[], int], tooSlow: Callable[[], None]) -> Pace:
        engine = self._carrier.door.engine
        seconds = engine.timeouts.write
        return Pace(engine.poller, seconds, seconds, engine.limits.minRate, count, tooSlow)

    def _starved(self, number: int, queue: object) -> None:
        self._streams.pop(queue, None)
        self._carrier.starve(number)

    def _unread(self) -> None:
        self._carrier.unread()

    def end(self) -> None:
        """
        Look no more.
        """
        self._carrier.door.engine.poller.mortals.pop(self, None)
        for each in (self._line, self._window, *self._streams.values()):
            if each is not None:
                each.end()
        self._line = self._window = None
        self._streams.clear()

    def crash(self) -> None:
        """
        A bug: end the connection.
        """
        self._carrier.crash()


def _turn(pace: Pace, isWaitedFor: bool) -> None:
    """
    Have an account go on, or rest.
    """
    if isWaitedFor:
        pace.go()
    else:
        pace.hold()
