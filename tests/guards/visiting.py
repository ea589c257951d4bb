"""
Visits for guards, which write down what becomes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from smartproxy_tw.facts import Address, AnswerHead, CertificateFacts, ConnectionFacts, RequestFacts
from smartproxy_tw.guards.passage import Guarded
from smartproxy_tw.guards.visit import Guard
from smartproxy_tw.interfaces import IExchange, IStream

from ..actions.recording import RecordingExchange, RecordingStream

__all__ = ["Arrival", "Behind", "Visit", "connection", "stream"]


def connection(
    client: str = "192.0.2.1",
    port: int = 5000,
    certificate: CertificateFacts | None = None,
    isTLS: bool = False,
) -> ConnectionFacts:
    """
    Somebody's.
    """
    return ConnectionFacts(443, Address(client, port), isTLS=isTLS, certificate=certificate)


class Visit(RecordingExchange):
    """
    A request, as it goes on and as it is answered.
    """

    def shows(self, fields: bytes, status: int = 200) -> bytes:
        """
        The fields of an answer as they go to the client.
        """
        return self.seen(AnswerHead(status, fields, 0))[0].fields

    @property
    def sent(self) -> bytes:
        """
        The fields that the target gets: those that came, as amended.
        """
        lines = [(name.encode(), value.encode()) for name, value in self._fields]
        for each in self.amendments:
            lines = [(name, value) for name, value in lines if name not in each.removed]
            for line in each.fields.splitlines():
                name, _, value = line.partition(b": ")
                lines.append((name.lower(), value))
        return b"".join(name + b": " + value + b"\r\n" for name, value in lines)


class Behind:
    """
    What is guarded.

    @ivar reached: Who has come so far.
    """

    def __init__(self) -> None:
        self.reached: list[Any] = []

    def request(self, exchange: IExchange) -> None:
        """Written down."""
        self.reached.append(exchange)

    def stream(self, stream: IStream) -> None:
        """Written down."""
        self.reached.append(stream)


class Arrival:
    """
    A request that meets some guards.

    @ivar exchange: It.
    @ivar told: What was reported.
    """

    def __init__(
        self,
        *guards: Guard,
        fields: Sequence[tuple[str, str]] = (),
        method: str = "GET",
        path: str = "/",
        query: str = "",
        host: str = "a.test",
        client: str = "",
        by: ConnectionFacts | None = None,
        prefix: int = 64,
        changesTo: str = "",
    ) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.behind = Behind()
        facts = RequestFacts(by or connection(), method, host, path, query, client, "", changesTo)
        self.exchange = Visit(facts, fields)
        Guarded(self.behind, guards, lambda *said: self.told.append(said), prefix=prefix).request(
            self.exchange
        )

    @property
    def hasPassed(self) -> bool:
        """
        Whether it came through.
        """
        assert not (self.behind.reached and self.exchange.asked)
        return bool(self.behind.reached)

    @property
    def isWaiting(self) -> bool:
        """
        Whether nothing was decided yet.
        """
        return not self.behind.reached and not self.exchange.asked

    @property
    def status(self) -> int:
        """
        What it was answered with; 0: it was not.
        """
        return self.exchange.asked[0][1] if self.exchange.asked else 0

    @property
    def answer(self) -> bytes:
        """
        The fields of the answer, as the client gets them.
        """
        ((_, status, fields, _),) = self.exchange.asked
        return self.exchange.shows(fields, status)

    @property
    def reasons(self) -> list[str]:
        """
        Why it was denied.
        """
        return [reason for reason, _, _ in self.told]


def stream(client: str = "192.0.2.1") -> RecordingStream:
    """
    A connection that is not HTTP.
    """
    return RecordingStream(connection(client))
