"""
An exchange and a stream that write down what an action asks of them.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from smartproxy_tw.facts import Address, ConnectionFacts, RequestFacts
from smartproxy_tw.interfaces import IExchange, IStream, IUpstream

__all__ = ["RecordingExchange", "RecordingStream"]


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

    @classmethod
    def to(cls, host: str, path: str, query: str = "", port: int = 80) -> RecordingExchange:
        """
        One for a host and a path.
        """
        return cls(RequestFacts(ConnectionFacts(port, Address("127.0.0.1", 1)), "GET", host, path, query))

    def respond(self, status: int, fields: bytes, body: bytes) -> None:
        """Asked for."""
        self.asked.append(("respond", status, fields, body))


@implementer(IStream)
class RecordingStream(_Recording):
    """
    A connection.
    """
