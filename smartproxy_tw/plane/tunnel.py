"""
A tunnel passes bytes between two wires, both ways at once, until both have
ended.

Each direction is a L{Half}: it reads only when its sink has taken what it was
given before, so a slow reader slows the writer and nothing is heaped up here.
The end of one direction is passed on as exactly that (half-close), after the
last byte, and the other direction goes on.  A broken wire breaks the other one
too: a reset must not look like an end.  (TLS that ends without its close_notify
does count as an end here, as everywhere else in the field: too many clients leave
like that, and a reset would cost the target what it has not read yet.)

Small messages are copied through this process; when reads keep coming back full
the bytes are spliced through a pipe and never leave the kernel, and a stream that
flows is waited for with L{patience<smartproxy_tw.plane.patience>}.

Where edge triggering bites: the readable edge is reported again with later
writable ones, so an end that was read is remembered and never acted on twice;
and a half that stops because its sink is full is resumed by the sink's flush,
not by an event of its own.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from .patience import MUCH, Patient
from .poller import BROKEN, ENDED, READABLE, WRITABLE
from .wires import READ, PlainWire, isConnected

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import Engine
    from .spell import Spell
    from .wires import Wire

__all__ = ["Half", "Tunnel"]

# So many reads at a time before the other connections have their turn.
_ROUNDS = 8
# What epoll says of a stream in its middle: there is something, and perhaps there is room.
_FLOWS = frozenset((select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT))
# After so many full reads in a row a direction is spliced, until so many small ones; each moves at most, in
# bytes (a pipe's size bounds it too).
_BULK = 3
_SMALL = 8
_MOST = 1 << 20
# How long the last words of a side that went away have to arrive, in seconds.
_LINGER = 5.0


class Half:
    """
    One direction.

    @ivar source: Read from.
    @ivar sink: Written to.
    @ivar isHot: Whether the source may have something.
    @ivar isDone: Whether the source's end was read, and passed on.
    @ivar moved: Bytes passed on.
    @ivar patient: Waits for a stream that flows; L{None} for all others.
    @ivar back: The other direction.
    """

    __slots__ = (
        "_isHushed",
        "_streak",
        "_tunnel",
        "back",
        "isDone",
        "isHot",
        "moved",
        "patient",
        "sink",
        "source",
    )

    back: Half

    def __init__(self, tunnel: Tunnel, source: Wire, sink: Wire, isHot: bool, streak: int) -> None:
        self._tunnel = tunnel
        self.source = source
        self.sink = sink
        self.isHot = isHot
        self.isDone = self._isHushed = False
        self.moved = 0
        self.patient: Patient | None = None
        # Below zero: never to be spliced.  Then: full reads in a row.  From _BULK on: spliced, and counts
        # down by small ones.
        self._streak = streak

    def ready(self, event: int) -> None:
        """
        The source has something, or takes something of what goes the other way.

        What nearly always happens is done here at once: something short has come on a
        plain wire, and there is room for it.  All else is left to those who know all that
        can happen; this does nothing that they do not.  (A short TLS connection that is passed
        through costs a twentieth fewer instructions for it.)
        """
        source = self.source
        sink = self.sink
        if self.isHot or self._streak or source.pending or sink.pending or event not in _FLOWS:
            self._attend(event)
            return
        try:
            data = source.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            self._tunnel.reset()
            return
        size = len(data)
        if size < READ:
            if not size:
                self.isHot = True
                self._end()
                return
        else:
            self.isHot = True
            self._streak = 1
        self.moved += size
        sink.write(data)
        tunnel = self._tunnel
        if not tunnel.isLingering:
            tunnel.deadline = tunnel.engine.poller.now + tunnel.idle
        if sink.isBroken:
            tunnel.lost(sink)
        if self.isHot:
            self.pump()

    def _attend(self, event: int) -> None:
        """
        See L{ready}.
        """
        source = self.source
        if event & READABLE:
            self.isHot = True
            if event & ENDED:
                source.isEnding = True
        if source.pending:
            tunnel = self._tunnel
            if source.flush():
                tunnel.moved()
                self.back.pump()
                tunnel.endIfDone()
            elif event & WRITABLE:
                tunnel.moved()
        if self.isHot:
            self.pump()
        if event & BROKEN and not self._tunnel.isOver and not isConnected(source.sock):
            self._tunnel.lost(source)

    def pump(self) -> None:
        """
        Pass on what there is, as far as the sink takes it.
        """
        tunnel = self._tunnel
        source = self.source
        sink = self.sink
        for _ in range(_ROUNDS):
            if self.isDone or not self.isHot or sink.pending or tunnel.isOver:
                return
            if self._isHushed:
                self._isHushed = False
                tunnel.engine.poller.heed(source.fd)
            if self._streak >= _BULK:
                if not self._splice():
                    return
                continue
            try:
                data = source.recv(READ)
            except BlockingIOError:
                self.isHot = False
                return
            except OSError:
                tunnel.reset()
                return
            if not data:
                self._end()
                return
            if len(data) == READ:
                if self._streak >= 0:
                    self._streak = self._streak + 1 if self._streak + 1 < _BULK else _BULK + _SMALL
            else:
                if self._streak > 0:
                    self._streak = 0
                if source.isShort and not source.isEnding:
                    self.isHot = False
            self.moved += len(data)
            if source.isEnding and self._streak >= 0 and len(data) < READ:
                sink.writeLast(data)  # type: ignore[attr-defined]
            else:
                sink.write(data)
            if not tunnel.isLingering:
                tunnel.deadline = tunnel.engine.poller.now + tunnel.idle
            if sink.isBroken:
                tunnel.lost(sink)
        tunnel.engine.poller.later(self.pump)

    def look(self) -> bool:
        """
        See L{Patient}.
        """
        if self.isHot or self.isDone or self.sink.pending:
            return True
        before = self.moved
        self.isHot = True
        self.pump()
        return self.isDone or self.moved > before

    def leave(self) -> None:
        """
        It is over.
        """
        if self.patient is not None:
            self.patient.rest()
            self.patient = None

    def crash(self) -> None:
        """
        A bug: end the tunnel.
        """
        self._tunnel.crash()

    def _splice(self) -> bool:
        """
        Pass on a lot, without looking at it.

        @return: Whether there may be more, and somewhere for it to go.
        """
        tunnel = self._tunnel
        sink = self.sink
        assert isinstance(sink, PlainWire)
        try:
            moved = sink.take(self.source.fd, tunnel.engine.pipes, _MOST)
        except BlockingIOError:
            self.isHot = False
            return False
        except OSError:
            tunnel.reset()
            return False
        if moved <= 0:
            # No pipe, or the end: reading tells which end it is.
            self._streak = 0
            return True
        patient = self.patient
        if patient is None:
            patient = self.patient = Patient(tunnel.engine.patience, self.source.sock, self.look, self)
        if moved >= MUCH:
            self._streak = _BULK + _SMALL
        elif moved < READ:
            self._streak -= 1
        self.moved += moved
        tunnel.moved()
        if sink.pending:
            # Each segment that comes while the sink is slow would wake us for nothing: five times for each
            # megabyte, measured with a client that was slower than the target.
            self._isHushed = True
            tunnel.engine.poller.hush(self.source.fd)
            patient.rest()
        elif self._streak < _BULK:
            patient.end()
        elif moved >= READ:
            patient.flow()
        if sink.isBroken:
            tunnel.lost(sink)
        return True

    def _end(self) -> None:
        self.isDone = True
        if self.patient is not None:
            self.leave()
        tunnel = self._tunnel
        back = self.back
        # When this was the last of the two, closing a plain wire says it too.
        if back.isDone and isinstance(self.sink, PlainWire) and tunnel.endIfDone():
            return
        self.sink.finish()
        if back.isDone:
            tunnel.endIfDone()
        if self.source.isBroken:
            tunnel.lost(self.source)


class Tunnel:
    """
    @ivar deadline: For the poller: moved with every byte.
    @ivar idle: So long nothing may move, in seconds.
    @ivar isOver: Whether both wires are closed.
    @ivar isLingering: Whether a side is gone, and only its last words are
        waited for.
    """

    isStream = True
    __slots__ = ("_done", "_down", "_up", "deadline", "engine", "idle", "isLingering", "isOver")

    def __init__(
        self,
        engine: Engine,
        left: Wire,
        right: Wire,
        early: bytes,
        isLeftHot: bool,
        isRightHot: bool,
        done: Callable[[int, int], None],
        spell: Spell,
    ) -> None:
        """
        Take over two wires that are registered with the poller, and begin.

        @param left: The client's; something may be pending on it.
        @param right: The target's.
        @param early: What was read from the client already.
        @param isLeftHot: Whether the client may have something for which no
            event will come.
        @param isRightHot: The same of the target.
        @param done: Called once at the end with the bytes that went to the
            target and those that went to the client.
        @param spell: How long it may last.
        """
        self.engine = engine
        self.isOver = self.isLingering = False
        self._done = spell.bound(engine.poller, self.reset, done)
        streak = 0 if isinstance(left, PlainWire) and isinstance(right, PlainWire) else -1
        self._up = up = Half(self, left, right, isLeftHot, streak)
        self._down = down = Half(self, right, left, isRightHot, streak)
        up.back = down
        down.back = up
        poller = engine.poller
        self.idle = spell.idle
        self.deadline = poller.now + spell.idle
        engine.enter(self)
        poller.handlers[left.fd] = up.ready
        poller.handlers[right.fd] = down.ready
        if early:
            up.moved = len(early)
            right.write(early)
        if isLeftHot:
            up.pump()
        if isRightHot:
            down.pump()

    def lost(self, wire: Wire) -> None:
        """
        A wire takes no more.  If it has not ended yet, reading will tell how it
        ends; if it has, cleanly, its last words are still on their way and a
        reset of the other wire would destroy them: they have a moment.
        """
        if self.isOver:
            return
        outOf = self._up if wire is self._up.source else self._down
        if outOf.isDone and not outOf.back.isDone and not self.isLingering:
            self.isLingering = True
            self.deadline = self.engine.poller.now + _LINGER

    def moved(self) -> None:
        """
        Something moved.
        """
        if not self.isLingering:
            self.deadline = self.engine.poller.now + self.idle

    def endIfDone(self) -> bool:
        """
        Close when both directions have ended and everything has gone.

        @return: Whether that is so.
        """
        if self.isOver:
            return True
        up = self._up
        if up.isDone and self._down.isDone and not (up.source.pending or up.sink.pending):
            self._leave()
            up.source.close()
            up.sink.close()
            return True
        return False

    def reset(self) -> None:
        """
        Break both wires.
        """
        if not self.isOver:
            up = self._up
            self._leave()
            up.source.reset()
            up.sink.reset()

    def expire(self) -> None:
        """
        Nothing moved for too long.
        """
        self.reset()

    def crash(self) -> None:
        """
        A bug: end this one.
        """
        self.reset()

    def drain(self) -> None:
        """
        A tunnel has no request to finish: it goes on until it ends or is cut.
        """

    def _leave(self) -> None:
        self.isOver = True
        up, down = self._up, self._down
        handlers = self.engine.poller.handlers
        handlers.pop(up.source.fd, None)
        handlers.pop(up.sink.fd, None)
        self.engine.leave(self)
        if up.patient is not None:
            up.leave()
        if down.patient is not None:
            down.leave()
        # Without the circle nothing is left to the garbage collector, which would run every fifty tunnels.
        del self._up, self._down, up.back, down.back
        self._done(up.moved, down.moved)
