"""
Remnants: what still comes of requests by HTTP/2 that have been answered.

Who answers before a body has come may reset the stream with NO_ERROR (RFC 9113 section 8.1).
But many clients take that for an error and throw the answer away, among them curl before
version 8; and if nobody gave room for the rest, they would wait for it until they give up.  So
the rest is read and dropped, as a close of HTTP/1 lingers, and by the same bounds.  Who exceeds
them is reset in that way, once its answer has gone.

Room for all of it is given at once.  That costs nothing, since it is not kept; and a client such as
curl 7.88 reads no more when it has its answer, so it would not hear of more room.

A stream counts as open until then (C{limits.streams}), so what a client can keep here is bounded
by that, and while the connection is to end only the shorter one of the times is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .carrier import Carrier

__all__ = ["LINGER", "LINGER_BYTES", "LINGER_MOST", "Remnants"]

#: How long the next bytes of what nobody wants are waited for, in seconds.
LINGER: Final = 2.0
#: How long it is read and dropped in all, in seconds.  (nginx has 5 and 30 seconds.)
LINGER_MOST: Final = 30.0
#: How much of it is read and dropped, in bytes.
LINGER_BYTES: Final = 1 << 26


class _Remnant:
    """
    That of one request.

    @ivar until: When it has to end in any case.
    @ivar deadline: When it has to end unless more of it comes.
    """

    __slots__ = ("deadline", "until")

    def __init__(self, now: float, most: float) -> None:
        self.until = now + most
        self.deadline = now + LINGER


class Remnants:
    """
    Those of one connection.

    @ivar deadline: For the poller: no later than that of any of them.
    """

    __slots__ = ("_carrier", "_remnants", "deadline")

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._remnants: dict[int, _Remnant] = {}
        self.deadline = float("inf")

    @property
    def isEmpty(self) -> bool:
        """
        Whether there are none, as far as is known.
        """
        return not self._remnants

    def add(self, stream: int) -> None:
        """
        A request has been answered; its answer may still be on its way.

        @param stream: Its number.
        """
        carrier = self._carrier
        poller = carrier.door.engine.poller
        if not self._remnants:
            poller.mortals[self] = None
        most = LINGER if carrier.isLeaving else LINGER_MOST
        remnant = self._remnants[stream] = _Remnant(poller.now, most)
        self.deadline = min(self.deadline, remnant.deadline)
        carrier.session.spare(stream, LINGER_BYTES)
        carrier.outflow.touch()

    def receive(self, stream: int, isEnded: bool) -> None:
        """
        More of one has come.

        @param stream: Its number; nothing happens where it is not one of them.
        @param isEnded: Whether that was all.
        """
        remnant = self._remnants.get(stream)
        if remnant is None:
            return
        if isEnded:
            self._remove(stream)
            return
        carrier = self._carrier
        found = carrier.session.streams.get(stream)
        if found is not None and found.left <= 0:
            # All the room is used up.
            self._dismiss(stream)
            return
        remnant.deadline = min(carrier.door.engine.poller.now + LINGER, remnant.until)

    def hasten(self) -> None:
        """
        The connection is to end: have no more than the shorter time.
        """
        soon = self._carrier.door.engine.poller.now + LINGER
        for each in self._remnants.values():
            each.until = min(each.until, soon)

    def expire(self) -> None:
        """
        At least one may have had its time, or has long ended.
        """
        carrier = self._carrier
        now = carrier.door.engine.poller.now
        streams = carrier.session.streams
        for stream, each in list(self._remnants.items()):
            if stream not in streams:
                self._remove(stream)
            elif each.deadline <= now:
                self._dismiss(stream)
        self.deadline = min((each.deadline for each in self._remnants.values()), default=float("inf"))

    def crash(self) -> None:
        """
        A bug: end the connection.
        """
        self._carrier.crash()

    def end(self) -> None:
        """
        The connection is gone.
        """
        self._remnants.clear()
        self._carrier.door.engine.poller.mortals.pop(self, None)

    def _dismiss(self, stream: int) -> None:
        """
        That was enough: it is reset.
        """
        self._remove(stream)
        self._carrier.outflow.dismiss(stream)

    def _remove(self, stream: int) -> None:
        del self._remnants[stream]
        if not self._remnants:
            self._carrier.door.engine.poller.mortals.pop(self, None)
