"""
A connection whose bytes go to a protocol of this process: what such a protocol has for a
transport.

It is the transport that Twisted's own connections are, as far as protocols can tell: half-close,
producers both ways, C{loseConnection} after the last byte was sent.  One thing is kinder: what
was written last arrives even if the peer has sent something that nobody has read, since the
connection is not closed before the peer has seen the end, or a moment has passed.

The transport does not bound what a protocol writes without being a producer, as no transport of
Twisted's does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from .ends import Ends
from .poller import BROKEN, ENDED, READABLE
from .wires import READ, isConnected

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocol, IProtocolFactory

    from ..facts import ConnectionFacts
    from .engine import Engine
    from .spell import Spell
    from .wires import Wire

__all__ = ["Served"]

# So many reads at a time before the other connections have their turn.
_ROUNDS = 8
# How long the peer has to see the end, in seconds.
_LINGER = 5.0


@implementer(ITCPTransport, IConsumer, IPushProducer)
class Served(Ends):
    """
    @ivar deadline: For the poller: moved with every byte.
    @ivar connected: Whether it is, for protocols that ask.
    @ivar disconnecting: Whether it will not be for long.
    """

    isStream = True
    disconnected = False

    def __init__(
        self,
        engine: Engine,
        wire: Wire,
        facts: ConnectionFacts,
        isHot: bool,
        done: Callable[[int, int], None],
        spell: Spell,
        early: bytes = b"",
        isCounted: bool = True,
    ) -> None:
        """
        Take over a wire that is registered with the poller.

        @param isHot: Whether there may be something to read for which no event will come.
        @param done: Called once at the end with the bytes that were received and sent.
        @param spell: How long it may last.
        @param early: What was read already.
        @param isCounted: Whether it is a client's connection.
        """
        self._engine = engine
        self._wire = wire
        self.facts = facts
        self._isHot = isHot
        self._done = spell.bound(engine.poller, self.crash, done)
        self._idle = spell.idle
        self._protocol: IProtocol | None = None
        self._producer: Any = None
        self._isStreaming = False
        self._isPaused = self._isOver = self._isLingering = False
        self._hasEnded = self._isFinishing = self._isFinished = False
        self._received = self._sent = 0
        self.connected = True
        self.disconnecting = False
        self.deadline = engine.poller.now + spell.idle
        self._early = early
        self._held = 0
        if isCounted:
            engine.enter(self)
        else:
            engine.poller.mortals[self] = None
        engine.poller.handlers[wire.fd] = self.ready

    def begin(self, factory: IProtocolFactory) -> None:
        """
        Have a protocol, and give it what comes.
        """
        try:
            protocol = factory.buildProtocol(self.getPeer())
            if protocol is None:
                self._end(ConnectionAborted())
                return
            self._protocol = protocol
            protocol.makeConnection(self)
            if self._isHot or self._early:
                self._pump()
        except (Exception, SystemExit):
            self._engine.poller.crashed(factory.buildProtocol, self)

    def ready(self, event: int) -> None:
        """
        Something came, or something can go.
        """
        wire = self._wire
        if event & READABLE:
            self._isHot = True
            if event & ENDED:
                wire.isEnding = True
        if wire.pending and wire.flush():
            self._drained()
        if self._isHot and not self._isOver:
            self._pump()
        if event & BROKEN and not self._isOver and not isConnected(wire.sock):
            self._end(ConnectionLost())

    def _pump(self) -> None:
        wire = self._wire
        poller = self._engine.poller
        for _ in range(_ROUNDS):
            if (
                self._isOver
                or self._hasEnded
                or not (self._isHot or self._early)
                or (self._isPaused and not self._isLingering)
            ):
                return
            if self._early:
                data, self._early = self._early, b""
            else:
                try:
                    data = wire.recv(READ)
                except BlockingIOError:
                    self._isHot = False
                    return
                except OSError as why:
                    self._end(ConnectionLost(str(why)))
                    return
                if not data:
                    self._hasEnded = True
                    self._ended()
                    return
                if len(data) < READ and wire.isShort and not wire.isEnding:
                    self._isHot = False
            self._received += len(data)
            if not self._isLingering and self._protocol is not None:
                self._moved()
                try:
                    self._protocol.dataReceived(data)
                except SystemExit as why:
                    # A protocol is not to end the process, nor to end the poller.
                    raise RuntimeError("a protocol asked for the end of the process") from why
        poller.later(self._pump)

    def _ended(self) -> None:
        """
        The peer sends nothing more.
        """
        halves = IHalfCloseableProtocol(self._protocol, None)
        if self._isLingering or self._isFinished or halves is None:
            self._end(ConnectionDone())
        else:
            halves.readConnectionLost()

    def _moved(self) -> None:
        self.deadline = self._engine.poller.now + self._idle

    def _drained(self) -> None:
        """
        All that was written has gone.
        """
        if not self._isLingering:
            self._moved()
        if self._producer is None:
            self._finishIfDone()
        elif self._isStreaming:
            self._producer.resumeProducing()
        else:
            self._pull()

    def _pull(self) -> None:
        """
        Ask a producer that has to be asked, as long as what it gives is taken.
        """
        if self._producer is not None and not self._isStreaming and not self._wire.pending:
            self._producer.resumeProducing()
            self._engine.poller.later(self._pull)

    def _finishIfDone(self) -> None:
        if self._wire.pending or self._producer is not None or self._isOver or self._isFinished:
            return
        if self.disconnecting:
            self._isFinished = self._isLingering = self._isHot = True
            self.deadline = self._engine.poller.now + _LINGER
            self._wire.finish()
            if self._hasEnded:
                self._end(ConnectionDone())
            else:
                self._lose(ConnectionDone())
                self._engine.poller.later(self._pump)
        elif self._isFinishing:
            self._isFinished = True
            self._wire.finish()
            halves = IHalfCloseableProtocol(self._protocol, None)
            if halves is not None:
                halves.writeConnectionLost()
            if self._hasEnded:
                self._end(ConnectionDone())

    def _lose(self, why: Exception) -> None:
        """
        Tell the protocol.
        """
        self.connected = False
        protocol, self._protocol = self._protocol, None
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        if protocol is not None:
            protocol.connectionLost(Failure(why))  # type: ignore[no-untyped-call]

    def _end(self, why: Exception, isReset: bool = False) -> None:
        if self._isOver:
            return
        self._isOver = True
        self.hold(0)
        self._engine.poller.forget(self._wire.fd)
        self._engine.leave(self)
        if isReset:
            self._wire.reset()
        else:
            self._wire.close()
        try:
            self._lose(why)
        except (Exception, SystemExit):
            self._engine.poller.crashed(self._lose, None)
        self._done(self._received, self._sent)

    def hold(self, size: int) -> bool:
        """
        Count what the protocol keeps of what has come, beside what all others keep
        (C{limits.held_bytes}).  Nothing is counted any more when the connection has ended.

        @param size: So much in all, in bytes, in place of what was said before.
        @return: Whether there is room; if not, it counts as before, and the protocol is not to
            keep it.
        """
        if self._isOver:
            size = 0
        hoard = self._engine.hoard
        more = size - self._held
        if more > 0 and not hoard.take(more):
            return False
        if more < 0:
            hoard.give(-more)
        self._held = size
        return True

    # What the poller and the engine say.

    def expire(self) -> None:
        """
        Nothing has moved for too long.
        """
        self._end(ConnectionDone() if self._isLingering else ConnectionLost("idle for too long"))

    def crash(self) -> None:
        """
        A bug, most likely of the protocol: end this one.
        """
        self._end(ConnectionAborted(), isReset=True)

    def drain(self) -> None:
        """
        It goes on until it ends or is cut.
        """

    # ITransport

    def write(self, data: bytes) -> None:
        """
        See C{ITransport}.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"Data must be bytes, not {type(data).__name__}")
        isLeaving = self._isFinishing or (self.disconnecting and self._producer is None)
        if self._isOver or self._isLingering or isLeaving or not data:
            return
        self._sent += len(data)
        self._moved()
        if not self._wire.write(data) and self._producer is not None and self._isStreaming:
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """
        See C{ITransport}.
        """
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """
        See C{ITransport}.
        """
        if not (self.disconnecting or self._isOver):
            self.disconnecting = True
            self._engine.poller.later(self._finishIfDone)

    def abortConnection(self) -> None:
        """
        See C{ITCPTransport}.
        """
        self._end(ConnectionAborted(), isReset=True)

    def loseWriteConnection(self) -> None:
        """
        See C{ITCPTransport}.
        """
        self._isFinishing = True
        self._finishIfDone()

    # IPushProducer: of what the peer sends.

    def pauseProducing(self) -> None:
        """
        Read no more: the peer is slowed down.
        """
        self._isPaused = True

    def resumeProducing(self) -> None:
        """
        Read again.
        """
        if self._isPaused:
            self._isPaused = False
            self._engine.poller.later(self._pump)

    def stopProducing(self) -> None:
        """
        As L{loseConnection}.
        """
        self.loseConnection()

    # IConsumer: of what the protocol sends.

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See C{IConsumer}.
        """
        if self._producer is not None:
            raise RuntimeError("there is a producer already, which has to be unregistered first")
        if self._isOver or not self.connected:
            producer.stopProducing()
            return
        self._producer = producer
        self._isStreaming = streaming
        if not streaming:
            self._pull()
        elif self._wire.pending:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """
        See C{IConsumer}.
        """
        self._producer = None
        self._finishIfDone()
