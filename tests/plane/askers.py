"""
Clients that speak HTTP/2, by the sessions of hyper, whose words a test writes.

    >>> asker = Asker(await self.client(port))
    >>> answer = asker.asks(GET)
    >>> await asker.whole(answer)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

from .harness import Peer

__all__ = ["Answer", "Asker"]

Fields = Sequence[tuple[bytes, bytes]]


class Answer:
    """
    What comes on one stream.

    @ivar fields: Its head.
    @ivar interim: The statuses of interim ones.
    @ivar body: What has come of it.
    @ivar trailers: If any came.
    @ivar isEnded: Whether it has ended.
    @ivar code: With which it was reset.
    """

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.fields: dict[bytes, bytes] = {}
        self.interim: list[bytes] = []
        self.body = b""
        self.trailers: dict[bytes, bytes] = {}
        self.isEnded = False
        self.code: int | None = None

    @property
    def status(self) -> bytes:
        """
        Its status; nothing before it has come.
        """
        return self.fields.get(b":status", b"")


class Asker:
    """
    One connection.
    """

    def __init__(self, peer: Peer, scheme: bytes = b"http") -> None:
        self.peer = peer
        self._scheme = scheme
        self.h2 = H2Connection(
            H2Configuration(client_side=True, header_encoding=None, validate_outbound_headers=False)
        )
        self.answers: dict[int, Answer] = {}
        peer.watch = self._heard
        self.h2.initiate_connection()
        self.flushes()

    def flushes(self) -> None:
        """
        Send what there is.
        """
        self.peer.sends(self.h2.data_to_send())

    def asks(
        self, path: bytes = b"/", *fields: tuple[bytes, bytes], method: bytes = b"GET", isEnd: bool = True
    ) -> Answer:
        """
        Begin a request.
        """
        head = [
            (b":method", method),
            (b":scheme", self._scheme),
            (b":authority", b"a.test"),
            (b":path", path),
            *fields,
        ]
        return self.begins(head, isEnd)

    def begins(self, head: Fields, isEnd: bool) -> Answer:
        """
        Begin a request whose whole head is given.
        """
        stream = self.h2.get_next_available_stream_id()
        answer = self.answers[stream] = Answer(stream)
        self.h2.send_headers(stream, head, end_stream=isEnd)
        self.flushes()
        return answer

    def goesOn(self, answer: Answer, data: bytes, isEnd: bool = False) -> None:
        """
        A piece of a body, which has to fit into the window.
        """
        self.h2.send_data(answer.stream, data, end_stream=isEnd)
        self.flushes()

    def ends(self, answer: Answer, *trailers: tuple[bytes, bytes]) -> None:
        """
        The end of a body, with trailers.
        """
        self.h2.send_headers(answer.stream, trailers, end_stream=True)
        self.flushes()

    async def whole(self, answer: Answer) -> Answer:
        """
        An answer to its end.
        """
        await self.peer.until(lambda: answer.isEnded or answer.code is not None, "the end of an answer")
        return answer

    def _heard(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self._event(event)
        self.flushes()

    def _event(self, event: Any) -> None:
        answer = self.answers.get(getattr(event, "stream_id", 0) or 0)
        if answer is None:
            return
        if isinstance(event, InformationalResponseReceived):
            answer.interim.append(dict(event.headers)[b":status"])  # type: ignore[call-overload,arg-type]
        elif isinstance(event, ResponseReceived):
            answer.fields = dict(event.headers)  # type: ignore[arg-type]
        elif isinstance(event, DataReceived):
            answer.body += event.data
            if event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, TrailersReceived):
            answer.trailers = dict(event.headers)  # type: ignore[arg-type]
        elif isinstance(event, StreamEnded):
            answer.isEnded = True
        elif isinstance(event, StreamReset):
            answer.code = int(event.error_code)
