"""
What write down what an action asks of them: an exchange, the body of its answer, a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from zope.interface import implementer

from smartproxy_tw.facts import Address, Amendment, AnswerHead, ConnectionFacts, RequestFacts
from smartproxy_tw.interfaces import IExchange, ILens, IOutlet, IStream, IUpstream

__all__ = ["RecordingExchange", "RecordingOutlet", "RecordingStream"]


class _Recording:
    """
    @ivar asked: What was asked for, in order.
    @ivar isOver: Whether it has ended.
    """

    def __init__(self, facts: Any = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._facts = facts
        self.isOver = False
        self._ends: list[Callable[[], None]] = []

    def facts(self) -> Any:
        """What the test gave."""
        return self._facts

    def forward(self, upstream: IUpstream) -> None:
        """Asked for."""
        self.asked.append(("forward", upstream))

    def abort(self) -> None:
        """Asked for."""
        self.asked.append(("abort",))

    def onEnd(self, then: Callable[[], None]) -> None:
        """Kept for L{end}."""
        self._ends.append(then)

    def end(self) -> None:
        """
        It has ended, with its answer or because the client has left: those who wanted to know are
        told.
        """
        self.isOver = True
        ends, self._ends = self._ends, []
        for then in ends:
            then()


@implementer(IExchange)
class RecordingExchange(_Recording):
    """
    A request.

    @ivar lenses: What its answer is to be seen through, the last one first.
    @ivar amendments: What is to go upstream in place of what came, in order.
    @ivar outlet: Where the body of an answer goes that comes in pieces.
    """

    def __init__(
        self, facts: Any = None, fields: Sequence[tuple[str, str]] = (), body: bytes | None = b""
    ) -> None:
        """
        @param body: What L{collect} finds; L{None}: more than it may.
        """
        super().__init__(facts)
        self._fields = list(fields)
        self._body = body
        self.outlet: RecordingOutlet | None = None
        self.lenses: list[ILens] = []
        self.amendments: list[Amendment] = []

    @classmethod
    def to(
        cls,
        host: str,
        path: str,
        query: str = "",
        port: int = 80,
        *fields: tuple[str, str],
        method: str = "GET",
        isTLS: bool = False,
        body: bytes | None = b"",
        changesTo: str = "",
    ) -> RecordingExchange:
        """
        One for a host and a path.
        """
        connection = ConnectionFacts(port, Address("127.0.0.1", 1), isTLS=isTLS)
        facts = RequestFacts(connection, method, host, path, query, "192.0.2.1", "number", changesTo)
        return cls(facts, fields, body)

    def fields(self) -> list[tuple[str, str]]:
        """What the test gave."""
        return list(self._fields)

    def through(self, lens: ILens) -> None:
        """Asked for."""
        self.lenses.insert(0, lens)

    def amend(self, amendment: Amendment) -> None:
        """Asked for."""
        self.amendments.append(amendment)

    def collect(self, most: int, then: Callable[[bytes | None], None]) -> None:
        """What the test gave."""
        isTooLong = self._body is None or len(self._body) > most
        then(None if isTooLong else self._body)

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """Asked for."""
        self.asked.append(("respond", status, fields, body))
        self.end()

    def begin(self, status: int, fields: bytes, length: int | None) -> RecordingOutlet:
        """Asked for."""
        self.asked.append(("begin", status, fields, length))
        self.outlet = RecordingOutlet(self)
        return self.outlet

    def accept(self, fields: bytes, factory: IProtocolFactory) -> None:
        """Asked for."""
        self.asked.append(("accept", fields, factory))

    def seen(self, head: AnswerHead, *pieces: bytes) -> tuple[AnswerHead, bytes]:
        """
        An answer as the client gets it.

        @param pieces: Of its body.
        """
        for lens in self.lenses:
            head = lens.look(self.facts, head)
        body = b""
        for piece in pieces:
            for each in head.filters:
                piece = each.data(piece) if piece else b""
            body += piece
        rest = b""
        for each in head.filters:
            rest = (each.data(rest) if rest else b"") + each.end()
        return head, body + rest


@implementer(IOutlet)
class RecordingOutlet:
    """
    The body of an answer.

    @ivar data: All that was written.
    @ivar end: C{"finish"} or C{"abort"}, when it has ended.
    @ivar room: So much is taken before it is not, in bytes.
    """

    def __init__(self, exchange: RecordingExchange) -> None:
        self._exchange = exchange
        self.data = b""
        self.end = ""
        self.room = 1 << 30
        self._then: Callable[[], None] | None = None

    @property
    def isTaking(self) -> bool:
        """Whether there is room."""
        return len(self.data) < self.room

    def write(self, data: bytes) -> None:
        """Kept."""
        if not self._exchange.isOver:
            self.data += data

    def whenTaking(self, then: Callable[[], None]) -> None:
        """Kept for L{takes}."""
        self._then = then

    def takes(self, size: int) -> None:
        """
        The client takes so much more.
        """
        self.room += size
        then, self._then = self._then, None
        if then is not None:
            then()

    def finish(self) -> None:
        """It is whole."""
        self.end = "finish"
        self._exchange.end()

    def abort(self) -> None:
        """It is not."""
        self.end = "abort"
        self._exchange.end()


@implementer(IStream)
class RecordingStream(_Recording):
    """
    A connection.
    """

    def serve(self, factory: Any) -> None:
        """Asked for."""
        self.asked.append(("serve", factory))
