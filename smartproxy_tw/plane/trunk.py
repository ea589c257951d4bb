"""
A trunk is a connection to a target that speaks HTTP/2 and carries many exchanges at a
time, each of them a L{Strand<smartproxy_tw.plane.strand.Strand>}.

While it has room for one more, a strand that has not begun lies with its keeper, to be
lent like a kept connection; when that begins, the next one takes its place.  So whoever
chooses among connections needs to know nothing of streams.  Before the target's settings
have come there is room for a single one: nobody knows yet for how many.

It ends when nothing was asked for a while, when the target says that it takes no more
(what it has is finished), and when it falls silent: a target from which nothing comes
while somebody waits is asked whether it is there.

What the protocol asks for is the business of a
L{ClientSession<smartproxy_tw.wire.http2.ClientSession>}.  This is hot: everything here runs
once for each exchange, or for each batch of events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..wire.events import AnswerBegan, Closed, Data, Leaving, Pong, Reset, SettingsChanged, Trailers
from ..wire.frames import CANCEL, REFUSED_STREAM, nameOf
from ..wire.hpack import Decoder
from ..wire.http1 import MAX_FIELDS
from ..wire.http2 import ClientSession
from ..wire.translation import responseOf
from .answers import statusLine
from .poller import BROKEN, ENDED, READABLE
from .strand import Strand
from .vigil import Vigil
from .wires import READ, isConnected

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.events import Event, Fields
    from ..wire.http1 import Response
    from .half import TargetHalf
    from .link import UpstreamFailure
    from .poller import Poller
    from .wires import Wire

__all__ = ["Trunk", "Keeper"]

# Reads, or writes, at a time before others have their turn.
_ROUNDS = 8
# What is remembered of the heads of its answers, and the longest head that is taken, in bytes.
_MEMO = 64
_HEAD_BYTES = 65536
# In so many seconds it is forgiven so much of what is beside the point.
_FORGIVE = 60.0
_FORGIVEN = 20


class Keeper(Protocol):
    """
    Who has made a trunk.

    @ivar requests: How many were sent there.
    """

    requests: int

    def keep(self, strand: TargetHalf) -> None:
        """
        Lend this one strand to who comes next; or close it, where none is wanted.
        """

    def withdraw(self, strand: TargetHalf) -> None:
        """
        Lend it no more.
        """

    def settled(self, trunk: Trunk) -> None:
        """
        Its settings have come: it is known for how many it has room.
        """

    def detour(self, then: Callable[[TargetHalf | UpstreamFailure], None], whose: Any) -> Any:
        """
        Make a connection by HTTP/1.1, for what a strand cannot carry.

        @param then: Called once with a link, or with why there is none; never before this
            returns.
        @param whose: The exchange.
        @return: Something with a method C{cancel()}.
        """

    def erred(self, status: int) -> None:
        """
        Called before L{done} where the whole answer was an error of the target's.
        """

    def done(self) -> None:
        """
        A strand has given a whole answer.
        """

    def failed(self, reason: str) -> None:
        """
        A strand, or the connection, did not do what it should.
        """

    def lost(self, trunk: Trunk) -> None:
        """
        It has been closed.
        """


class Trunk:
    """
    @ivar keeper: Who has made it.
    @ivar wire: The connection; owned.
    @ivar session: Speaks the protocol.
    @ivar scheme: What its requests say of themselves, C{http} or C{https}.
    @ivar isSettled: Whether the target's settings have come.
    @ivar target: For logs.
    """

    __slots__ = (
        "_forgivenAt",
        "_hasServed",
        "_held",
        "_isBusy",
        "_isGone",
        "_isHot",
        "_isRetiring",
        "_isTouched",
        "_memo",
        "_poller",
        "_spare",
        "_strands",
        "_vigil",
        "_waiting",
        "isSettled",
        "keeper",
        "scheme",
        "session",
        "target",
        "wire",
    )

    def __init__(
        self,
        poller: Poller,
        wire: Wire,
        keeper: Keeper,
        target: str,
        isHot: bool,
        scheme: bytes,
        seconds: float,
    ) -> None:
        """
        @param wire: Registered with the poller; its events come here from now on.
        @param target: Its name.
        @param isHot: Whether it may have something to read for which no event will come.
        @param scheme: See above.
        @param seconds: How long its settings may take.
        """
        self._poller = poller
        self.wire = wire
        self.keeper = keeper
        self.target = target
        self.scheme = scheme
        decoder = Decoder(mostBytes=_HEAD_BYTES, mostFields=MAX_FIELDS)
        self.session = ClientSession(decoder, headBytes=_HEAD_BYTES)
        self._isHot = isHot
        self._isBusy = self._isTouched = self.isSettled = False
        self._isRetiring = self._isGone = self._hasServed = False
        self._forgivenAt = poller.now
        self._strands: dict[int, Strand] = {}
        # The strand that can be lent; those whose head waits for its body; and those that wait for settings.
        self._spare: Strand | None = None
        self._held: list[Strand] = []
        self._waiting: list[Strand] | None = []
        # By the identity of the fields, which are kept for that.
        self._memo: dict[tuple[int, bool], tuple[Fields, Response]] = {}
        poller.handlers[wire.fd] = self.ready
        self._vigil = Vigil(poller, self, seconds)
        self.touch()
        if isHot:
            poller.later(self._pump)

    @property
    def busy(self) -> int:
        """
        How many exchanges it carries.
        """
        return len(self._strands)

    @property
    def isIdle(self) -> bool:
        """
        Whether it carries nothing, and nobody is about to have it carry something.
        """
        return not (self._strands or self._waiting)

    # What strands say.

    def first(self) -> Strand:
        """
        @return: A strand that is about to begin.
        """
        self._spare = strand = Strand(self, self.target)
        return strand

    def whenSettled(self, strand: Strand) -> None:
        """
        Tell a strand when the target's settings are known.
        """
        self._taken(strand)
        if self._waiting is None:
            strand.settled()
        else:
            self._waiting.append(strand)

    def begin(self, strand: Strand, block: bytes, isEnd: bool, isHead: bool, isConnect: bool = False) -> None:
        """
        Open a stream.

        @param block: The head of its request.
        @param isEnd: Whether that is all of it.
        @param isHead: Whether its method is HEAD.
        @param isConnect: Whether its method is CONNECT.
        """
        self._taken(strand)
        self.keeper.requests += 1
        session = self.session
        if self._isGone or not session.canRequest:
            # It has changed its mind since the strand was lent.
            self._poller.later(lambda: strand.broken(REFUSED_STREAM, False))
            return
        strand.isReused = self._hasServed and not self._strands
        if self.isSettled and not self._strands:
            self._vigil.listen()
        strand.number = number = session.request(block, isEnd, isHead, isConnect)
        self._strands[number] = strand
        self.touch()
        self._offer()

    def _taken(self, strand: Strand) -> None:
        if self._spare is strand:
            self._spare = None

    def hold(self, strand: Strand) -> None:
        """
        Have a strand settle when everything that came with a head has been told.
        """
        self._held.append(strand)

    def credit(self, stream: int, size: int) -> None:
        """
        Let the target send more of a body.
        """
        self.session.credit(stream, size)
        self.touch()

    def departed(self, strand: Strand, code: int = CANCEL) -> None:
        """
        A strand is over, whether its stream is or not.

        @param code: What the target is told if it is not.
        """
        if self._strands.pop(strand.number, None) is not None:
            self._hasServed = True
            if strand.number in self.session.streams:
                self.session.reset(strand.number, code)
            self.touch()
        elif self._waiting and strand in self._waiting:
            self._waiting.remove(strand)
        self._offer()
        self._rest()

    def understand(self, fields: Fields, method: bytes) -> Response:
        """
        Read the head of an answer, or remember what it came to.

        @raise Malformed: It is malformed.
        @raise BadMessage: It is not one that can be handed on.
        """
        key = id(fields), method == b"HEAD"
        known = self._memo.get(key)
        if known is not None:
            return known[1]
        response = responseOf(fields, method, statusLine(int(fields[0][1])))
        if len(self._memo) >= _MEMO:
            self._memo.clear()
        self._memo[key] = fields, response
        return response

    # What can be lent.

    def _offer(self) -> None:
        """
        Have one more strand lent, if there is room for it.
        """
        if self._spare is None and self._isOpen and self.session.canRequest:
            self._spare = strand = Strand(self, self.target)
            self.keeper.keep(strand)

    @property
    def _isOpen(self) -> bool:
        return self.isSettled and not (self._isRetiring or self._isGone)

    def _withdraw(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            self.keeper.withdraw(spare)

    def retire(self) -> None:
        """
        Carry nothing new, and close when nothing is carried any more.
        """
        if not self._isRetiring and not self._isGone:
            self._isRetiring = True
            self._withdraw()
            self._rest()

    def _rest(self) -> None:
        """
        See what is to become of it if nothing is carried.
        """
        if self._strands or self._isGone or self._waiting:
            return
        if self._isRetiring:
            self.leave()
        elif self.isSettled:
            self._vigil.rest()

    # What the poller says.

    def ready(self, event: int) -> None:
        """
        Something has come, or can be sent.
        """
        if event & READABLE:
            self._isHot = True
            if event & ENDED:
                self.wire.isEnding = True
        if self.wire.pending and self.wire.flush():
            self.touch()
        if self._isHot:
            self._pump()
        if event & BROKEN and not self._isGone and not isConnected(self.wire.sock):
            self.lose("the connection broke")

    def _pump(self) -> None:
        """
        Read what there is.
        """
        recv = self.wire.recv
        wasBusy, self._isBusy = self._isBusy, True
        for _ in range(_ROUNDS):
            if self._isGone or not self._isHot:
                break
            try:
                data = recv(READ)
            except BlockingIOError:
                self._isHot = False
                break
            except OSError as error:
                self.lose(error.strerror or "the connection broke")
                break
            if not data:
                self.lose("the connection was closed before the answer had ended")
                break
            if len(data) < READ and self.wire.isShort and not self.wire.isEnding:
                self._isHot = False
            self._take(data)
        else:
            self._poller.later(self._pump)
        self._isBusy = wasBusy
        self._flush()

    def _take(self, data: bytes) -> None:
        now = self._poller.now
        self._vigil.heard()
        if now > self._forgivenAt + _FORGIVE:
            self._forgivenAt = now
            self.session.rest(_FORGIVEN)
        strands = self._strands
        for event in self.session.receive(data):
            kind = type(event)
            if kind is Data:
                strand = strands.get(event.stream)  # type: ignore[union-attr]
                if strand is not None:
                    strand.data(event.data, event.credit, event.isEnded)  # type: ignore[union-attr]
            elif kind is AnswerBegan:
                strand = strands.get(event.stream)  # type: ignore[union-attr]
                if strand is not None:
                    strand.answered(event.fields, event.isEnded, event.isInterim)  # type: ignore[union-attr]
            else:
                self._other(event)
            if self._isGone:
                return
        if self._held:
            held, self._held = self._held, []
            for strand in held:
                strand.settle()

    def _other(self, event: Event) -> None:
        if isinstance(event, Trailers):
            strand = self._strands.get(event.stream)
            if strand is not None:
                strand.ended(event.fields)
        elif isinstance(event, Reset):
            strand = self._strands.get(event.stream)
            if strand is not None:
                strand.broken(event.code, event.isOurs)
        elif isinstance(event, SettingsChanged):
            self._settle()
        elif isinstance(event, Leaving):
            self.retire()
        elif isinstance(event, Pong):
            self._vigil.answered()
        elif isinstance(event, Closed):
            self.lose(f"HTTP/2: {event.reason}" if event.reason else f"HTTP/2: {nameOf(event.code)}")

    def _settle(self) -> None:
        """
        The target's settings came, the first ones or others.
        """
        if not self.isSettled:
            self.isSettled = True
            self._vigil.listen()
            waiting, self._waiting = self._waiting, None
            for strand in waiting or ():
                strand.settled()
            self.keeper.settled(self)
            self._rest()
        if not self.session.canRequest:
            self._withdraw()
        self._offer()

    # Sending.

    def touch(self) -> None:
        """
        There is something to be sent, when this moment is over.
        """
        if not (self._isBusy or self._isTouched):
            self._isTouched = True
            self._poller.last(self._flush)

    def _flush(self) -> None:
        """
        Send what there is to be sent, as much as the kernel takes.
        """
        self._isTouched = False
        session = self.session
        wire = self.wire
        if self._isGone or self._isBusy:
            return
        self._isBusy = True
        for _ in range(_ROUNDS):
            if wire.pending:
                break
            data = session.outgoing()
            if not data:
                break
            wire.write(data)
            for stream in session.taking():
                strand = self._strands.get(stream)
                if strand is not None:
                    strand.flushed()
            if self._isGone:
                break
        else:
            self._poller.later(self._flush)
        self._isBusy = False

    # Endings.

    def leave(self) -> None:
        """
        End what is idle, with a word of farewell.
        """
        self._withdraw()
        self._isRetiring = True
        self.session.goAway()
        self._finish()

    def lose(self, reason: str) -> None:
        """
        It is of no use any more.
        """
        if self._isGone:
            return
        strands = list(self._strands.values())
        waiting = self._waiting or []
        if any(not each.isStale for each in strands) or not self.isSettled:
            self.keeper.failed(reason)
        self._finish()
        for strand in (*strands, *waiting):
            strand.cut(reason)

    def _finish(self) -> None:
        """
        Close, after what there still is to say.
        """
        if not self.wire.pending:
            self.wire.write(self.session.outgoing())
        self.close()

    def close(self) -> None:
        """
        Close the connection.  What it carries is not told.
        """
        if not self._isGone:
            self._isGone = True
            self._withdraw()
            self._vigil.end()
            self._poller.forget(self.wire.fd)
            self.wire.close()
            self.keeper.lost(self)

    def crash(self) -> None:
        """
        A bug: end all that it carries.
        """
        strands = list(self._strands.values())
        self.close()
        for strand in strands:
            strand.crash()
