"""
Clients that speak HTTP/2, by hyper's library, to a plane: a
L{Peer<tests.plane.harness.Peer>} whose words are requests.

    >>> client = await self.http2(port)
    >>> stream = client.asks("/a")
    >>> answer = await client.answer(stream)
    >>> answer.status, bytes(answer.body)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from smartproxy_tw.config.model import Forward, Route
from smartproxy_tw.wire.huffman import encode

from .conversation import SessionTests
from .harness import TERMINATE, Origin, Peer

__all__ = ["Answer", "Client", "StreamTests"]


@dataclass
class Answer:
    """
    What came on a stream.

    @ivar fields: Without the status.
    @ivar lines: All of them, in their order.
    @ivar interim: The statuses of interim answers.
    @ivar reset: The code that it was reset with.
    @ivar isWhole: Whether it has ended.
    """

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: dict[str, str] = field(default_factory=dict)
    interim: list[int] = field(default_factory=list)
    reset: int | None = None
    isWhole: bool = False


class _Coder(HuffmanEncoder):
    """
    Hyper's, whose time grows with the square of a text, and for long ones ours, which
    L{tests.wire.test_huffman} holds against it.
    """

    def encode(self, bytes_to_encode: bytes | None) -> bytes:
        if bytes_to_encode is None or len(bytes_to_encode) < 1000:
            return super().encode(bytes_to_encode)
        return encode(bytes_to_encode)


class Client:
    """
    One connection.

    @ivar peer: Its end.
    @ivar line: Its protocol.
    @ivar answers: By stream.
    @ivar farewells: The codes and last streams of each GOAWAY.
    @ivar isReading: Whether windows are given back.
    """

    def __init__(self, peer: Peer, window: int = 65535, isReading: bool = True) -> None:
        self.peer = peer
        self.line = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding="latin-1",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.line.encoder.huffman_coder = _Coder(REQUEST_CODES, REQUEST_CODES_LENGTH)
        self.answers: dict[int, Answer] = {}
        self.farewells: list[tuple[int, int | None]] = []
        self.isReading = isReading
        self.scheme = "https" if peer.ssl is not None else "http"
        peer.watch = self._hears
        self.line.initiate_connection()
        if window != 65535:
            self.line.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.flush()

    def flush(self) -> None:
        """
        Send what there is.
        """
        self.peer.sends(self.line.data_to_send())

    def _hears(self, data: bytes) -> None:
        for event in self.line.receive_data(data):
            stream = getattr(event, "stream_id", 0) or 0
            answer = self.answers.get(stream)
            if isinstance(event, ConnectionTerminated):
                self.farewells.append((int(event.error_code or 0), event.last_stream_id))
            elif answer is None:
                continue
            elif isinstance(event, InformationalResponseReceived):
                answer.interim.append(int(_text(event.headers)[":status"]))
            elif isinstance(event, ResponseReceived):
                answer.lines = _pairs(event.headers)[1:]
                answer.fields = _text(event.headers)
                answer.status = int(answer.fields.pop(":status"))
            elif isinstance(event, DataReceived):
                answer.body += event.data or b""
                if self.isReading and event.flow_controlled_length:
                    self.line.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, TrailersReceived):
                answer.trailers = _text(event.headers)
            elif isinstance(event, StreamEnded):
                answer.isWhole = True
            elif isinstance(event, StreamReset):
                answer.reset = int(event.error_code or 0)
        self.flush()

    def asks(
        self,
        path: str = "/",
        *more: tuple[str, str],
        method: str = "GET",
        host: str = "a.test",
        isEnd: bool = True,
    ) -> int:
        """
        Begin a request.

        @param more: Further fields.
        @param isEnd: Whether it has no body.
        """
        stream = self.line.get_next_available_stream_id()
        head = [(":method", method), (":scheme", self.scheme), (":authority", host), (":path", path), *more]
        self.answers[stream] = Answer()
        self.line.send_headers(stream, head, end_stream=isEnd)
        self.flush()
        return stream

    def says(self, stream: int, data: bytes, isEnd: bool = False) -> None:
        """
        Say a part of a body, for which there is room.
        """
        self.line.send_data(stream, data, end_stream=isEnd)
        self.flush()

    def room(self, stream: int) -> int:
        """
        How much may be said now.
        """
        return self.line.local_flow_control_window(stream)

    async def pours(self, stream: int, data: bytes) -> None:
        """
        Say the rest of a body, as windows allow.
        """
        view = memoryview(data)
        while view:
            size = min(self.room(stream), 16384, len(view))
            if size > 0:
                self.line.send_data(stream, bytes(view[:size]))
                view = view[size:]
                self.flush()
            else:
                await self.peer.until(lambda: self.room(stream) > 0 or self.peer.isOver, "a window")
        self.line.end_stream(stream)
        self.flush()

    def resets(self, stream: int, code: int = 8) -> None:
        """
        Want no answer any more.
        """
        self.line.reset_stream(stream, code)
        self.flush()

    async def begun(self, stream: int) -> Answer:
        """
        Wait until an answer has begun.
        """
        answer = self.answers[stream]
        await self.peer.until(lambda: answer.status > 0 or answer.reset is not None, "an answer's head")
        return answer

    async def answer(self, stream: int) -> Answer:
        """
        Wait until an answer has ended, in whatever way.
        """
        answer = self.answers[stream]
        await self.peer.until(
            lambda: answer.isWhole or answer.reset is not None or self.peer.isOver, f"answer {answer}"
        )
        return answer

    async def until(self, condition: Any, what: str) -> None:
        """
        See L{Peer.until}.
        """
        await self.peer.until(condition, what)


def _text(fields: Any) -> dict[str, str]:
    """
    Fields as hyper's library has them, which may be either.
    """

    return dict(_pairs(fields))


def _pairs(fields: Any) -> list[tuple[str, str]]:
    def text(part: Any) -> str:
        return part if isinstance(part, str) else str(part, "latin-1")

    return [(text(name), text(value)) for name, value in fields]


class StreamTests(SessionTests):
    """
    One port with prior knowledge allowed, one origin, one route for everything.
    """

    async def begin(self, *more: Route, **others: Any) -> tuple[int, Origin]:
        """
        See L{SessionTests.begin}.
        """
        others.setdefault("http2PriorKnowledge", True)
        return await super().begin(*more, **others)

    async def http2(self, port: int, peer: Peer | None = None, **options: Any) -> Client:
        """
        Connect, and greet.
        """
        return Client(await self.client(port, peer=peer), **options)

    async def secure(self, **others: Any) -> tuple[int, Origin]:
        """
        The same with TLS, as C{a.test}.
        """
        port = await self.port()
        origin = self.origin()
        await self.certify("a.test")
        await self.use(Route("all", (port,), Forward((origin.target,)), "http", tls=TERMINATE), **others)
        return port, origin

    async def http2OverTLS(self, port: int, **options: Any) -> Client:
        """
        Connect, agree on h2, and greet.
        """
        peer = await self.tls(port, alpn=(b"h2", b"http/1.1"))
        assert peer.ssl is not None
        self.assertEqual(peer.ssl.get_alpn_proto_negotiated(), b"h2")
        return Client(peer, **options)
