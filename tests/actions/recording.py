"""
An exchange and a stream that write down what an action asks of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zope.interface import implementer

from smartproxy_tw.facts import Address, Amendment, AnswerHead, ConnectionFacts, RequestFacts
from smartproxy_tw.interfaces import IExchange, ILens, IStream, IUpstream

__all__ = ["RecordingExchange", "RecordingStream"]


class _Recording:
    """
    @ivar asked: What was asked for, in order.
    """

    def __init__(self, facts: Any = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._facts = facts
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
        It has ended: those who wanted to know are told.
        """
        ends, self._ends = self._ends, []
        for then in ends:
            then()


@implementer(IExchange)
class RecordingExchange(_Recording):
    """
    A request.

    @ivar lenses: What its answer is to be seen through, the last one first.
    @ivar amendments: What is to go upstream in place of what came, in order.
    """

    def __init__(self, facts: Any = None, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(facts)
        self._fields = list(fields)
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
    ) -> RecordingExchange:
        """
        One for a host and a path.
        """
        connection = ConnectionFacts(port, Address("127.0.0.1", 1), isTLS=isTLS)
        return cls(RequestFacts(connection, method, host, path, query, "192.0.2.1", "number"), fields)

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
        """Asked for."""
        self.asked.append(("collect", most, then))

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """Asked for."""
        self.asked.append(("respond", status, fields, body))

    def begin(self, status: int, fields: bytes, length: int | None) -> Any:
        """Asked for."""
        self.asked.append(("begin", status, fields, length))

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


@implementer(IStream)
class RecordingStream(_Recording):
    """
    A connection.
    """

    def serve(self, factory: Any) -> None:
        """Asked for."""
        self.asked.append(("serve", factory))
