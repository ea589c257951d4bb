"""
A carrier is the life of a client connection that speaks HTTP/2: how it begins, waits, and
comes to its end, whatever is going on in its channels
(L{Channel<smartproxy_tw.plane.channel.Channel>}).  What it reads is for
L{Multiplex<smartproxy_tw.plane.multiplex.Multiplex>} to deal with.

One deadline governs it while it has no request: for the preface, for the next request, for
the end.  Requests have their own.  What is to be sent goes by an
L{Outflow<smartproxy_tw.plane.outflow.Outflow>}, and what the client does not take of its
answers is a matter of L{Arrears<smartproxy_tw.plane.arrears.Arrears>}.

It comes to its end in two steps, so that no request is lost: first a GOAWAY that names no
stream, and when the client has answered, or had a second for it, the one that names the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.frames import CANCEL
from ..wire.hpack import Decoder
from ..wire.http1 import MAX_FIELDS
from ..wire.http2 import ServerSession
from .arrears import Arrears
from .forwarding import plainMarks
from .outflow import Outflow
from .remnants import LINGER, LINGER_BYTES, Remnants

if TYPE_CHECKING:
    from ..facts import ConnectionFacts
    from .channel import Channel
    from .door import Door, Prepared
    from .wires import Wire

__all__ = ["Carrier"]

# How long a client may take to hear that there is to be an end, in seconds: there and back to the far side of
# the world takes a third of it.
_LAST_CALL = 1.0
# So many requests end at a time when nothing is to become of any.
_FEW = 8


class Carrier:
    """
    @ivar door: Where it came in.
    @ivar wire: The client's connection; owned.
    @ivar connection: What is known of it.
    @ivar session: Speaks the protocol.
    @ivar channels: Its requests, by the numbers of their streams.
    @ivar marks: The forwarding fields that are the same for each request; empty until
        they were needed, and with a trusted peer.
    @ivar allowance: For each body on its way, what the client has sent meanwhile divided by the
        requests that there were: bodies take turns, and none is slow because others had theirs.
    @ivar outflow: What is to be sent.
    @ivar remnants: Of requests that were answered early; L{None} where there never was one.
    @ivar isOpen: Whether it is listened to; then what there is to be said is said, and then it lingers.
    @ivar isLeaving: Whether the client was told that there is to be an end.
    @ivar isGone: Whether nothing can be sent or received any more.
    @ivar deadline: For the poller.
    """

    __slots__ = (
        "_arrears",
        "_isLingering",
        "allowance",
        "channels",
        "connection",
        "deadline",
        "door",
        "isGone",
        "isLeaving",
        "isOpen",
        "marks",
        "outflow",
        "remnants",
        "session",
        "wire",
    )

    def __init__(self, door: Door, wire: Wire, connection: ConnectionFacts) -> None:
        """
        Begin, with the time of a head for the preface.
        """
        self.door = door
        self.wire = wire
        self.connection = connection
        engine = door.engine
        limits = engine.limits
        decoder = Decoder(mostBytes=limits.headBytes, mostFields=MAX_FIELDS)
        self.session = ServerSession(decoder, limits.streams, headBytes=limits.headBytes)
        self.channels: dict[int, Channel] = {}
        self.marks = b""
        self.allowance = 0.0
        self.outflow = Outflow(self)
        self._arrears: Arrears | None = None
        self.remnants: Remnants | None = None
        self._isLingering = self.isGone = self.isLeaving = False
        self.isOpen = True
        self.deadline = engine.poller.now + engine.timeouts.head
        engine.enter(self)

    @property
    def isStream(self) -> bool:
        """
        Whether it carries bytes that are nobody's request any more: it is given the time of
        tunnels then, while everything drains.
        """
        return any(each.isStream for each in self.channels.values())

    def rest(self) -> None:
        """
        Wait for the next request.
        """
        engine = self.door.engine
        self.deadline = engine.poller.now + engine.timeouts.keepAlive

    # What channels say.

    def mark(self, prepared: Prepared) -> bytes:
        """
        The forwarding fields to send along with a request.
        """
        connection = self.connection
        if self.door.engine.trusts(connection.client.host):
            return prepared.trustedMarks(connection)
        self.marks = marks = plainMarks(connection)
        return marks

    def credit(self, stream: int, size: int) -> None:
        """
        Let the client send more of a body.
        """
        self.session.credit(stream, size)
        self.outflow.touch()

    def dismiss(self, stream: int, isRefused: bool) -> None:
        """
        What is still to come of a request is not wanted: its answer is under way.

        @param isRefused: Whether that says that it has failed: then clients stop by themselves.
        """
        found = self.session.streams.get(stream)
        if not isRefused and found is not None and found.length > LINGER_BYTES:
            # It would come to that in the end.
            self.outflow.dismiss(stream)
            return
        if self.remnants is None:
            self.remnants = Remnants(self)
        self.remnants.add(stream)

    def left(self, channel: Channel) -> None:
        """
        A channel has ended.
        """
        self.channels.pop(channel.number, None)
        if not self.channels and self.isOpen:
            self.rest()
            self.outflow.touch()

    # What the outflow and the arrears say.

    def flushed(self, stream: int) -> None:
        """
        There is room for more of an answer.
        """
        channel = self.channels.get(stream)
        if channel is not None:
            try:
                channel.flushed()
            except BaseException:
                self.door.engine.poller.crashed(channel.flushed, channel)

    def sent(self) -> None:
        """
        As much has gone out as can go now.
        """
        if self.isGone or self._isLingering:
            return
        session = self.session
        if self.wire.pending or session.isWaiting:
            if self._arrears is None:
                self._arrears = Arrears(self)
            if self.isOpen:
                return
        if self.wire.pending or session.isPending:
            return
        if not self.isOpen or (session.isDrained and not self.channels):
            self._linger()

    def starve(self, stream: int) -> None:
        """
        The client does not take one of its answers.
        """
        self.door.engine.gaveUp(self.connection)
        self.session.reset(stream, CANCEL)
        channel = self.channels.get(stream)
        if channel is not None:
            channel.gone()
        self.outflow.touch()

    def unread(self) -> None:
        """
        It takes nothing at all.
        """
        self.door.engine.gaveUp(self.connection)
        self.drop()

    def settled(self) -> None:
        """
        Nothing waits for the client any more.
        """
        self._arrears = None

    # Endings.

    def expire(self) -> None:
        """
        The deadline has passed: nothing was asked for long enough.
        """
        if not self.isOpen:
            self.close()
        elif self.channels:
            self.deadline = float("inf")
        elif self.session.isWaiting or (self.remnants is not None and not self.remnants.isEmpty):
            # The last answers have not been taken yet, or bodies go on behind theirs; there are other
            # deadlines for that.
            self.rest()
        else:
            self.session.goAway()
            self.end()

    def drain(self) -> None:
        """
        Take no further requests than those on their way; answer these.
        """
        if self.isOpen and not self.isLeaving:
            self.isLeaving = True
            self.session.drain()
            if self.remnants is not None:
                self.remnants.hasten()
            self.door.engine.poller.after(_LAST_CALL, self._insist)
            self.outflow.touch()

    retire = drain

    def _insist(self) -> None:
        """
        The client has had its time to hear of the end.
        """
        if self.isOpen and not self.session.isLeaving:
            self.session.goAway()
            self.outflow.touch()

    def crash(self) -> None:
        """
        A bug: end the connection.
        """
        self.drop()

    def end(self) -> None:
        """
        Send what there is, and nothing more.
        """
        self.isOpen = False
        self.isLeaving = True
        engine = self.door.engine
        self.deadline = engine.poller.now + engine.timeouts.write
        self.outflow.touch()

    def _linger(self) -> None:
        """
        Everything has gone to the kernel; wait until the client has had it.
        """
        self.isOpen = False
        self._isLingering = True
        self.deadline = self.door.engine.poller.now + LINGER
        self.wire.finish()

    def abandon(self) -> None:
        """
        Nothing is to become of any of its requests.  They end a few at a time, as most of them have a
        connection to a target that is to be closed; while there are some, what has them is not gone.
        """
        engine = self.door.engine
        channels = self.channels
        for channel in list(channels.values())[:_FEW]:
            engine.poller.guard(channel.cancelled, channel)
            channels.pop(channel.number, None)
        if channels:
            engine.poller.later(self.abandon)
        elif self.isGone:
            engine.leave(self)

    def close(self) -> None:
        """
        Close what is idle or has ended.
        """
        if not self.isGone:
            self._leave()
            self.wire.close()

    def drop(self) -> None:
        """
        Break the connection, and everything that hangs on it.
        """
        if not self.isGone:
            self._leave()
            self.wire.reset()

    def _leave(self) -> None:
        self.isOpen = False
        self.isGone = True
        if self._arrears is not None:
            self._arrears.end()
        if self.remnants is not None:
            self.remnants.end()
        self.deadline = float("inf")
        self.abandon()
        self.door.engine.poller.forget(self.wire.fd)
