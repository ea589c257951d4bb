"""
A channel is one request of a connection that carries many (HTTP/2): what
L{ClientHalf<smartproxy_tw.plane.half.ClientHalf>} asks for, by the frames of one stream.

The body of a request is put into the chunks that it will go on in, and the client is
given credit for it when somebody has taken it: so the client waits for a slow target
as it would with HTTP/1, and no other channel waits with it.  An answer waits in the
session until the client has room for it, and the target waits with it.

It has a deadline like a session of HTTP/1, which does not hold while an answer waits for the
client: then it is for L{Arrears<smartproxy_tw.plane.arrears.Arrears>} to say when that is enough,
also when the exchange has ended and just its answer is still to go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..wire.frames import CANCEL, INTERNAL_ERROR, NO_ERROR
from ..wire.hpack import encodeLines, encodeStatus
from ..wire.http1 import CHUNKED
from .answers import plainAnswer
from .bridge import pair
from .exchange import Exchange
from .outlet import Outlet
from .relay import Relay
from .served import Served
from .spell import Spell
from .wires import PlainWire

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from twisted.internet.interfaces import IProtocolFactory

    from ..facts import AnswerHead, ConnectionFacts
    from ..wire.http1 import Response
    from .carrier import Carrier
    from .door import Door, Prepared
    from .wires import Wire

__all__ = ["Channel"]

_LAST_CHUNK = b"0\r\n"
# So long may a protocol of this process read the last words of a stream that has ended, in seconds.
_REST = 60.0
_ACCEPT = re.compile(rb"(?im)^sec-websocket-accept:[^\r\n]*+\r\n")


class Channel:
    """
    @ivar number: Of its stream.
    @ivar carrier: The connection.
    @ivar pending: Whether an answer has to wait for the client.
    @ivar deadline: For the poller.
    """

    isFramed = True
    __slots__ = (
        "_credit",
        "_exchange",
        "_hasEnded",
        "_idle",
        "_isChunked",
        "_isOver",
        "_queue",
        "_relay",
        "_served",
        "buffer",
        "carrier",
        "connection",
        "deadline",
        "door",
        "isHot",
        "number",
        "pending",
    )

    def __init__(self, carrier: Carrier, number: int, hasEnded: bool) -> None:
        """
        @param hasEnded: Whether nothing more of the request comes.
        """
        self.carrier = carrier
        self.number = number
        self.door: Door = carrier.door
        self.connection: ConnectionFacts = carrier.connection
        self.buffer = b""
        self.isHot = self.pending = False
        self._queue: list[bytes] = []
        self._credit = 0
        self._hasEnded = hasEnded
        self._isChunked = self._isOver = False
        self._exchange: Exchange | None = None
        self._relay: Relay | None = None
        self._served: Served | None = None
        self.deadline = self._idle = float("inf")

    def begin(self, prepared: Prepared) -> None:
        """
        Have a request answered.
        """
        engine = self.door.engine
        self._isChunked = prepared.request.length == CHUNKED
        self._exchange = exchange = Exchange(self, prepared)
        self._idle = prepared.idle
        self.deadline = engine.poller.now + prepared.idle
        engine.poller.mortals[self] = None
        try:
            prepared.action.request(exchange)
        except BaseException:
            engine.poller.crashed(prepared.action.request, self)

    # What the exchange asks for.

    @property
    def marks(self) -> bytes:
        """
        See L{ClientHalf}.
        """
        return self.carrier.marks

    @property
    def wire(self) -> Channel:
        """
        What stands for the client's connection: its C{pending} is this channel's.
        """
        return self

    @property
    def holder(self) -> Carrier:
        """
        See L{ClientHalf}.
        """
        return self.carrier

    def mark(self, prepared: Prepared) -> bytes:
        """
        See L{ClientHalf}.
        """
        return self.carrier.mark(prepared)

    def hear(self) -> bytes | None:
        """
        See L{ClientHalf}.
        """
        self.isHot = False
        if not self._queue:
            return b""
        data = b"".join(self._queue)
        self._queue.clear()
        credit, self._credit = self._credit, 0
        if credit:
            self.carrier.credit(self.number, credit)
        return data

    def progress(self) -> None:
        """
        See L{ClientHalf}.
        """
        self.deadline = self.door.engine.poller.now + self._idle

    def inform(self, head: bytes) -> None:
        """
        See L{ClientHalf}.
        """
        line, _, fields = head.partition(b"\r\n")
        self._sendHead(encodeStatus(int(line[9:12])) + encodeLines(fields), False)

    def outlet(self, exchange: Exchange, head: AnswerHead) -> Outlet:
        """
        See L{ClientHalf}.
        """
        if head.status < 300 and exchange.awaitsConsent:
            # A lens has made it one.
            head = head._replace(status=501)
        return ChannelOutlet(exchange, head)

    def whole(self, response: Response, body: bytes) -> None:
        """
        See L{ClientHalf}.
        """
        head = response.head
        block = encodeStatus(response.status) + encodeLines(head[head.index(b"\n") + 1 :])
        carrier = self.carrier
        session = carrier.session
        session.head(self.number, block, not body)
        if body:
            session.data(self.number, body, True)
        carrier.outflow.touch()

    def answer(self, status: int, fields: bytes, length: int | None, isEnd: bool) -> None:
        """
        Begin an answer.

        @param fields: Lines without those that frame the body.
        @param length: Of the body, in bytes, if it is known.
        @param isEnd: Whether there is no body.
        """
        if length is not None and status != 204:
            fields += b"Content-Length: %d\r\n" % length
        self._sendHead(encodeStatus(status) + encodeLines(fields), isEnd)

    def send(self, data: bytes, isEnd: bool) -> None:
        """
        Send a piece of a body.
        """
        carrier = self.carrier
        if not carrier.session.data(self.number, data, isEnd):
            self.pending = True
        carrier.outflow.touch()

    def conclude(self, lines: bytes) -> None:
        """
        End a body with trailers.
        """
        self.carrier.session.trailers(self.number, encodeLines(lines))
        self.carrier.outflow.touch()

    def _sendHead(self, block: bytes, isEnd: bool) -> None:
        carrier = self.carrier
        carrier.session.head(self.number, block, isEnd)
        carrier.outflow.touch()

    def writeRefusal(self, status: int, more: bytes = b"") -> int:
        """
        See L{ClientHalf}.
        """
        code, fields, body = plainAnswer(status)
        exchange = self._exchange
        isBare = exchange is not None and exchange.request.method == b"HEAD"
        self.answer(code, self.door.engine.dateLine() + fields + more, len(body), isBare)
        if isBare:
            return 0
        self.send(body, True)
        return len(body)

    def exchanged(self, isKept: bool) -> None:
        """
        See L{ClientHalf}.
        """
        exchange, self._exchange = self._exchange, None
        self._leave()
        if not self._hasEnded:
            self.carrier.dismiss(self.number, exchange is not None and exchange.isRefused)

    def tunnel(
        self,
        target: Wire,
        head: bytes,
        data: bytes,
        isHot: bool,
        done: Callable[[int, int], None],
        spell: Spell,
    ) -> None:
        """
        See L{ClientHalf}.  What was a change of protocols is a plain 200 here (RFC 8441
        section 5), and nothing is seen of the handshake, which was ours.
        """
        self._exchange = None
        self._idle = spell.idle
        self.progress()
        relay = Relay(self, target, spell.bound(self.door.engine.poller, self.drop, done))
        self._relay = relay
        self.answer(200, _ACCEPT.sub(b"", head[head.index(b"\n") + 1 : -2]), None, False)
        relay.begin(data, isHot)

    def serve(
        self, head: bytes, factory: IProtocolFactory, done: Callable[[int, int], None], spell: Spell
    ) -> None:
        """
        See L{ClientHalf}.  The protocol has one end of a pair of sockets for the client's
        connection, and the other one is tunnelled to.

        @raise OSError: There are no sockets to be had.
        """
        engine = self.door.engine
        here, there = pair(engine.poller)
        self.tunnel(PlainWire(there), head, b"", False, done, spell)
        near = _NearWire(here, self)
        self._served = served = Served(
            engine, near, self.connection, True, lambda received, sent: None, Spell(float("inf")), b"", False
        )
        served.begin(factory)

    def forsaken(self) -> None:
        """
        Who is served here has closed its end.
        """
        self._served = None
        if self._relay is not None:
            self._relay.forsake()

    def drop(self) -> None:
        """
        Break off.
        """
        if not self._isOver:
            # What breaks in a tunnel is no fault of ours (RFC 8441 section 5).
            code = INTERNAL_ERROR if self._relay is None else CANCEL
            self.carrier.session.reset(self.number, code)
            self.carrier.outflow.touch()
            self.gone()

    def crash(self) -> None:
        """
        A bug: end this one.
        """
        self.drop()

    @property
    def allowance(self) -> float:
        """
        See L{ClientHalf}.
        """
        return self.carrier.allowance

    # What the connection says.

    @property
    def isStream(self) -> bool:
        """
        Whether bytes are passed on that belong to no request.
        """
        return self._relay is not None

    def receive(self, data: bytes, credit: int, isEnded: bool) -> None:
        """
        A piece of the request's body has come.

        @param credit: Bytes to be given back when it was taken.
        @param isEnded: Whether it is the last one.
        """
        if self._isChunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._take(data, credit, b"", isEnded)

    def trailers(self, lines: bytes) -> None:
        """
        The body has ended, with trailers.
        """
        self._take(b"", 0, lines, True)

    def _take(self, data: bytes, credit: int, lines: bytes, isEnded: bool) -> None:
        self._credit += credit
        if isEnded:
            self._hasEnded = True
            if self._isChunked:
                data += _LAST_CHUNK + lines + b"\r\n"
        if data:
            self._queue.append(data)
        self.isHot = True
        if self._exchange is not None:
            if self._exchange.left:
                self._exchange.upload()
        elif self._relay is not None:
            self._relay.pump()

    @property
    def hasEnded(self) -> bool:
        """
        Whether nothing more comes from the client than is queued.
        """
        return self._hasEnded

    def flushed(self) -> None:
        """
        The client has room again.
        """
        self.pending = False
        if self._exchange is not None:
            self._exchange.flushed()
        elif self._relay is not None:
            self._relay.flushed()

    def gone(self) -> None:
        """
        The stream is over: reset by either side, or with the connection.
        """
        if self._isOver:
            return
        exchange, self._exchange = self._exchange, None
        relay, self._relay = self._relay, None
        served, self._served = self._served, None
        self._leave()
        if exchange is not None:
            exchange.abandon()
        if relay is not None:
            relay.end()
        if served is not None:
            served.crash()

    def cancelled(self) -> None:
        """
        The client wants no answer any more.
        """
        if self._exchange is not None:
            self._exchange.clientLeft()
        self.gone()

    def expire(self) -> None:
        """
        The deadline has passed.
        """
        if self.pending:
            self.progress()
        elif self._exchange is not None:
            self._exchange.stalled()
        else:
            self.drop()

    def _leave(self) -> None:
        if not self._isOver:
            self._isOver = True
            # Counted as its record is made, and by nobody who speaks HTTP/1.
            self.door.engine.counts["http2_requests"] += 1
        self.door.engine.poller.mortals.pop(self, None)
        self.carrier.left(self)

    def relayed(self) -> None:
        """
        Both directions of a relay have ended.
        """
        self._relay = None
        self._leave()
        if self._served is not None:
            # It has said all that it has to say, and may read the rest.
            self.door.engine.poller.after(_REST, self._served.crash)
        if not self._hasEnded:
            self.carrier.session.reset(self.number, NO_ERROR)
            self.carrier.outflow.touch()


class _NearWire(PlainWire):
    """
    What a protocol of this process has for a client's connection: how it ends, the stream does.
    """

    __slots__ = ("_channel",)

    def __init__(self, sock: socket.socket, channel: Channel) -> None:
        super().__init__(sock)
        self._channel = channel

    def close(self) -> None:
        """
        See L{PlainWire}: what was written still arrives.
        """
        super().close()
        self._channel.forsaken()

    def reset(self) -> None:
        """
        See L{PlainWire}: the stream is reset.
        """
        super().reset()
        self._channel.drop()


class ChannelOutlet(Outlet):
    """
    An answer in pieces, by frames.
    """

    __slots__ = ()

    def _begin(self, head: AnswerHead) -> None:
        channel: Channel = self._exchange.session  # type: ignore[assignment]
        channel.answer(head.status, head.fields, head.length, self._isBodiless or head.length == 0)

    def _send(self, data: bytes, isLast: bool) -> None:
        if not self._isBodiless:
            channel: Channel = self._exchange.session  # type: ignore[assignment]
            if self.trailers and isLast:
                if data:
                    channel.send(data, False)
                channel.conclude(self.trailers)
            else:
                channel.send(data, isLast or (not self._left and not self.trailers))
            channel.progress()
