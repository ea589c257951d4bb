"""
A request as Python code has it, whichever of its conventions the code follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..facts import Address
from ..values import dataclass

if TYPE_CHECKING:
    from ..facts import RequestFacts
    from ..interfaces import IExchange

__all__ = ["BUSY", "FAILED", "NO_WEBSOCKET", "Asked", "answerLines", "ask"]

_TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
#: What is answered when code fails before it has answered.
FAILED = (500, _TEXT, b"Internal Server Error\n")
#: What is answered where no more can be taken.
BUSY = (503, _TEXT + b"Retry-After: 1\r\n", b"Service Unavailable\n")
_TOO_LARGE = (413, _TEXT, b"Content Too Large\n")
#: What is answered where no WebSocket is spoken.
NO_WEBSOCKET = (501, _TEXT, b"This application is not reached by WebSocket\n")

# What frames a message on its way is the data path's.
_OURS = frozenset(
    (b"date", b"content-length", b"connection", b"transfer-encoding", b"keep-alive", b"upgrade")
)


@dataclass(frozen=True, slots=True)
class Asked:
    """
    @ivar exchange: The exchange, whose body has been read.
    @ivar facts: What is known of it.
    @ivar fields: Of the header, names in lower case; Content-Length is that of the body.
    @ivar body: All of it.
    """

    exchange: IExchange
    facts: RequestFacts
    fields: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def client(self) -> Address:
        """
        Who asks; the port is that of the connection.
        """
        peer = self.facts.connection.client
        return Address(self.facts.client or peer.host, peer.port)

    @property
    def server(self) -> tuple[str, int]:
        """
        What was asked: the name, and the local port.
        """
        return self.facts.host or "localhost", self.facts.connection.port

    def values(self, name: str) -> list[str]:
        """
        What a header field says, each time that it is there.

        @param name: In lower case.
        """
        return [value for each, value in self.fields if each == name]

    @property
    def scheme(self) -> str:
        """
        C{http} or C{https}.
        """
        return "https" if self.facts.connection.isTLS else "http"


def ask(
    exchange: IExchange,
    most: int,
    isBusy: Callable[[], bool],
    then: Callable[[Asked], None],
    opens: Callable[[Asked], None] | None = None,
) -> None:
    """
    Read a request to its end.

    @param most: So long may its body be, in bytes.
    @param isBusy: Whether no more can be taken; asked before the body is read.
    @param then: Called with it, unless it is refused.
    @param opens: Called instead with one that asks to speak WebSocket; L{None}: nobody does here.
    """
    fields = tuple(exchange.fields())
    facts = exchange.facts()
    isOpening = facts.changesTo == "websocket"
    if isOpening and opens is None:
        exchange.respond(*NO_WEBSOCKET)
        return
    if isBusy():
        exchange.respond(*BUSY)
        return
    if isOpening and opens is not None:
        opens(Asked(exchange, facts, fields, b""))
        return

    def collected(body: bytes | None) -> None:
        if body is None:
            exchange.respond(*_TOO_LARGE)
            return
        kept = [each for each in fields if each[0] not in ("content-length", "transfer-encoding", "expect")]
        if body or facts.method in ("POST", "PUT", "PATCH"):
            kept.append(("content-length", str(len(body))))
        then(Asked(exchange, facts, tuple(kept), body))

    exchange.collect(most, collected)


def answerLines(pairs: list[tuple[bytes, bytes]]) -> tuple[bytes, int | None]:
    """
    The fields of an answer as the data path takes them.

    @param pairs: Names and values.
    @return: Header lines, and the length that they promise.
    @raise ValueError: One of them cannot be a field.
    """
    lines: list[bytes] = []
    length: int | None = None
    for name, value in pairs:
        if not name or not _NAME.issuperset(name):
            raise ValueError(f"{name!r} is no name of a header field")
        if _CONTROL.search(value):
            raise ValueError(f"the value of {name!r} has a line break or a control character in it")
        lower = name.lower()
        if lower == b"content-length":
            if not value.isdigit():
                raise ValueError(f"{value!r} is no Content-Length")
            length = int(value)
        elif lower not in _OURS:
            lines.append(name + b": " + value.strip() + b"\r\n")
    return b"".join(lines), length


_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
