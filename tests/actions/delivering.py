"""
An exchange whose answer comes in pieces: it writes down what is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from smartproxy_tw.facts import Address, Amendment, ConnectionFacts, RequestFacts
from smartproxy_tw.interfaces import IExchange, ILens, IOutlet, IUpstream

__all__ = ["RecordingExchange", "RecordingOutlet"]


class _Recording:
    """
    @ivar asked: What was asked for, in order.
    """

    def __init__(self, facts: Any = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._facts = facts

    def facts(self) -> Any:
        """What the test gave."""
        return self._facts

    def forward(self, upstream: IUpstream) -> None:
        """Asked for."""
        self.asked.append(("forward", upstream))

    def abort(self) -> None:
        """Asked for."""
        self.asked.append(("abort",))


@implementer(IExchange)
class RecordingExchange(_Recording):
    """
    A request.
    """

    body: bytes | None = b""
    given: tuple[tuple[str, str], ...] = ()

    @classmethod
    def to(
        cls,
        host: str,
        path: str,
        query: str = "",
        port: int = 80,
        method: str = "GET",
        fields: tuple[tuple[str, str], ...] = (),
        body: bytes | None = b"",
    ) -> RecordingExchange:
        """
        One for a host and a path.

        @param body: What L{collect} finds; L{None}: more than it may.
        """
        connection = ConnectionFacts(port, Address("127.0.0.1", 1))
        made = cls(RequestFacts(connection, method, host, path, query, "127.0.0.1"))
        made.given = fields
        made.body = body
        return made

    def __init__(self, facts: Any = None) -> None:
        super().__init__(facts)
        self._ended: list[Callable[[], None]] = []
        self.outlet: RecordingOutlet | None = None
        self.isOver = False

    def fields(self) -> list[tuple[str, str]]:
        """What the test gave."""
        return list(self.given)

    def onEnd(self, then: Callable[[], None]) -> None:
        """Kept for L{end}."""
        self._ended.append(then)

    def end(self) -> None:
        """
        The exchange ends: the client has left, or the answer is whole.
        """
        self.isOver = True
        ended, self._ended = self._ended, []
        for then in ended:
            then()

    def amend(self, amendment: Amendment) -> None:
        """Asked for."""
        self.asked.append(("amend", amendment))

    def through(self, lens: ILens) -> None:
        """Asked for."""
        self.asked.append(("through", lens))

    def collect(self, most: int, then: Callable[[bytes | None], None]) -> None:
        """What the test gave."""
        isTooLong = self.body is None or len(self.body) > most
        then(None if isTooLong else self.body)

    def begin(self, status: int, fields: bytes, length: int | None) -> RecordingOutlet:
        """Asked for."""
        self.asked.append(("begin", status, fields, length))
        self.outlet = RecordingOutlet(self)
        return self.outlet

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """Asked for."""
        self.asked.append(("respond", status, fields, body))
        self.end()


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
