"""
The intake of an exchange is the body of its request: read from the client while
somebody takes it, who is the target, or an action that wants all of it.

A body that does not come whole with its head has a pace to keep
(L{Pace<smartproxy_tw.plane.pace.Pace>}), until an answer has begun.  While the
target takes nothing, or has not yet invited the body (C{Expect: 100-continue}),
the client is not to blame.

Requests without a body, most of all, have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.http1 import CHUNKED, BadMessage, Chunks
from .answers import plainAnswer
from .link import BULK
from .pace import Pace
from .patience import MUCH, Patient
from .wires import READ, PlainWire

if TYPE_CHECKING:
    from collections.abc import Callable

    from .exchange import Exchange
    from .half import TargetHalf

__all__ = ["Intake"]

# With less to come it is not waited for until much has come.
_ENOUGH = BULK + 2 * MUCH
# Pieces of a body passed on at a time before others have their turn.
_ROUNDS = 16
# A body that was faster than it has to be may pause for so long, in seconds.
_SAVED = 30.0


class Intake:
    """
    @ivar isInvited: Whether the client knows that its body is wanted.
    """

    __slots__ = (
        "_chunks",
        "_collected",
        "_exchange",
        "_held",
        "_pace",
        "_patient",
        "_room",
        "_then",
        "isInvited",
    )

    def __init__(self, exchange: Exchange, most: int) -> None:
        """
        @param exchange: Its C{left} and C{received} are counted here.
        @param most: More than so many bytes in chunks are refused; 0: any number is
            taken.
        """
        self._exchange = exchange
        self._chunks = Chunks(most) if exchange.left == CHUNKED else None
        self._pace: Pace | None = None
        self._patient: Patient | None = None
        self._collected: list[bytes] | None = None
        self._room = self._held = 0
        self._then: Callable[[bytes | None], None] | None = None
        self.isInvited = not exchange.request.expectsContinue

    def bar(self, names: frozenset[bytes], rule: Callable[[bytes], bool] | None) -> None:
        """
        Refuse the body if these fields stand behind it: they do not go on.

        @param rule: As L{Amendment.isBarred<smartproxy_tw.facts.Amendment.isBarred>}.
        """
        if self._chunks is not None:
            self._chunks.bar(names, rule)

    # Its pace.

    def watch(self) -> None:
        """
        From now on the body has to keep its pace.
        """
        exchange = self._exchange
        engine = exchange.session.door.engine
        rate = engine.limits.minRate
        if rate and self._pace is None:
            seconds = engine.timeouts.body
            most = max(seconds, _SAVED)
            self._pace = Pace(engine.poller, seconds, most, rate, self._count, self._tooSlow)
            if not self.isInvited:
                self._pace.hold()

    def _count(self) -> int:
        exchange = self._exchange
        return exchange.received + int(exchange.session.allowance)

    def hold(self) -> None:
        """
        Nobody takes it for now.
        """
        if self._pace is not None:
            self._pace.hold()

    def invite(self) -> None:
        """
        The client has been told that its body is wanted.
        """
        self.isInvited = True
        link = self._exchange.link
        if self._pace is not None and link is not None and not link.wire.pending:
            self._pace.go()

    def endPace(self) -> None:
        """
        It may come as it likes, or not at all.
        """
        pace, self._pace = self._pace, None
        if pace is not None:
            pace.end()

    @property
    def isDue(self) -> bool:
        """
        Whether it is the client that is waited for.
        """
        exchange = self._exchange
        if not (exchange.left and self.isInvited):
            return False
        link = exchange.link
        return self._collected is not None or (link is not None and not link.wire.pending)

    def _tooSlow(self) -> None:
        self._pace = None
        exchange = self._exchange
        exchange.unlink()
        rate = exchange.session.door.engine.limits.minRate
        exchange.refuse(408, f"the request body came with less than {rate} bytes a second")

    # Passing it on.

    def upload(self) -> None:
        """
        Pass on more of the body while it is taken.
        """
        if self._collected is not None:
            self._gather()
            return
        exchange = self._exchange
        link = exchange.link
        session = exchange.session
        for _ in range(_ROUNDS):
            if not exchange.left or link is None or exchange.link is not link:
                return
            pace = self._pace
            if link.wire.pending:
                if pace is not None:
                    pace.hold()
                return
            if pace is not None and pace.isHeld and self.isInvited:
                pace.go()
            if not session.buffer:
                if exchange.left > BULK and session.isHot:
                    moved = self._splice(link)
                    if moved > 0:
                        continue
                    if moved == 0:
                        return
                if not self._hear():
                    return
            data = self.take()
            if data is None:
                return
            self.isInvited = True
            link.wire.write(data)
            session.progress()
        session.door.engine.poller.later(self.upload)

    def _hear(self) -> bool:
        """
        Read once.

        @return: Whether something has come.
        """
        session = self._exchange.session
        data = session.hear()
        if data is None:
            self._exchange.clientLeft()
            return False
        session.buffer = data
        return bool(data)

    def _splice(self, link: TargetHalf) -> int:
        """
        Pass on a piece of a long body, without looking at it.

        @return: How much; 0 when there is no more for now; -1 when it has to
            be copied.
        """
        exchange = self._exchange
        session = exchange.session
        sink = link.wire
        if not (isinstance(sink, PlainWire) and isinstance(session.wire, PlainWire)):
            return -1
        try:
            moved = sink.take(session.wire.fd, session.door.engine.pipes, exchange.left - 1)
        except BlockingIOError:
            session.isHot = False
            return 0
        except OSError:
            moved = 0
        if moved > 0:
            exchange.left -= moved
            exchange.received += moved
            self.isInvited = True
            session.progress()
            patient = self._patient
            if patient is None:
                patience = session.door.engine.patience
                patient = self._patient = Patient(patience, session.wire.sock, self.look, exchange)
            if sink.pending:
                patient.rest()
            elif exchange.left < _ENOUGH:
                patient.end()
            elif moved >= READ:
                patient.flow()
        elif moved == 0:
            exchange.clientLeft()
        return moved

    def look(self) -> bool:
        """
        See L{Patient}.
        """
        exchange = self._exchange
        session = exchange.session
        if session.isHot or not exchange.left or exchange.link is None or exchange.link.wire.pending:
            return True
        before = exchange.received
        session.isHot = True
        self.upload()
        return exchange.received > before or exchange.isOver

    def end(self) -> None:
        """
        The exchange has ended, with or without the rest of it.
        """
        self.endPace()
        if self._held:
            self._exchange.session.door.engine.hoard.give(self._held)
            self._held = 0
        if self._patient is not None:
            self._patient.end()
            self._patient = None

    def take(self, payload: list[bytes] | None = None) -> bytes | None:
        """
        Cut what belongs to the body off what was read.

        @param payload: Where what chunks contain is added.
        @return: As it came; L{None} when it is none, and the request has been refused.
        """
        exchange = self._exchange
        session = exchange.session
        data = session.buffer
        if self._chunks is not None:
            try:
                used = self._chunks.feed(data, payload)
            except BadMessage as bad:
                exchange.unlink()
                exchange.refuse(bad.status, bad.reason)
                return None
            if self._chunks.isDone:
                exchange.left = 0
        else:
            used = min(exchange.left, len(data))
            exchange.left -= used
            if payload is not None:
                payload.append(data[:used])
        exchange.received += used
        if not exchange.left:
            self.endPace()
        session.buffer = data[used:]
        return data[:used]

    def skip(self) -> None:
        """
        Drop what has come of a body that nobody wants.
        """
        session = self._exchange.session
        if not (self._exchange.left and session.buffer):
            return
        if self._chunks is not None:
            try:
                used = self._chunks.feed(session.buffer)
            except BadMessage:
                session.buffer = b""
                return
            if self._chunks.isDone:
                self._exchange.left = 0
            self._exchange.received += used
            session.buffer = session.buffer[used:]
        else:
            self.take()

    # Keeping it.

    def collect(self, most: int, then: Callable[[bytes | None], None]) -> None:
        """
        See L{IExchange.collect<smartproxy_tw.interfaces.IExchange.collect>}.
        """
        exchange = self._exchange
        self._then = then
        self._room = most
        self._collected = []
        if self._chunks is None and exchange.left > most:
            self._deliver(None)
            return
        if not self.isInvited:
            self.isInvited = True
            exchange.session.inform(b"HTTP/1.1 100 Continue\r\n")
        self.watch()
        self._gather()

    def _gather(self) -> None:
        exchange = self._exchange
        session = exchange.session
        collected = self._collected
        for _ in range(_ROUNDS):
            if self._then is None or collected is None:
                return
            if not session.buffer and not self._hear():
                return
            before = len(collected)
            if self.take(collected) is None:
                return
            session.progress()
            size = sum(map(len, collected[before:]))
            self._room -= size
            if self._room < 0:
                collected.clear()
                self._deliver(None)
            elif not self._keep(size):
                collected.clear()
            elif not exchange.left:
                self._deliver(b"".join(collected))
        session.door.engine.poller.later(self.upload)

    def _keep(self, size: int) -> bool:
        exchange = self._exchange
        if exchange.session.door.engine.hoard.take(size):
            self._held += size
            return True
        self._then = None
        status, fields, body = plainAnswer(503)
        exchange.respond(status, fields + b"Retry-After: 1\r\n", body)
        return False

    def _deliver(self, body: bytes | None) -> None:
        self.endPace()
        then, self._then = self._then, None
        if then is not None:
            then(body)
